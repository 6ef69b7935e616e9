// The Lovasz extension of the Jaccard loss: errors are sorted row by row, by keys that are all
// different, so that there is one order only.

// Elements that a block sorts by itself.
#define SORTED 512

// Descending errors have ascending keys; what is not positive or does not count comes last.
KERNEL(lovasz_keys) {
    INPUT(real, errors, 0);
    INPUT(real, truth, 1);
    OUTPUT(u64, keys, 2);
    OUTPUT(u32, places, 3);
    INDEX(total, 4); // of keys
    DIVISOR(padded, 5); // keys of a row, a power of two
    INDEX(n, 7);
    FOR_EACH(i, total) {
        index_t row = divided(i, padded), at = remainder_of(i, row, padded);
        u64 key = ~0ull;
        if (at < n) {
            acc error = load(errors[row * n + at]);
            if (error > 0 && load(truth[row * n + at]) >= 0) key = ~bits_of_double((double)error);
        }
        keys[i] = key;
        places[i] = (u32)at;
    }
}

// Exchanges two entries unless they stand as they shall.
#define EXCHANGE(keys, places, a, b, ascending)                                                    \
    do {                                                                                           \
        u64 key_a = keys[a], key_b = keys[b];                                                      \
        u32 place_a = places[a], place_b = places[b];                                              \
        int after = key_a > key_b || (key_a == key_b && place_a > place_b);                        \
        if (after == (ascending)) {                                                                \
            keys[a] = key_b;                                                                       \
            keys[b] = key_a;                                                                       \
            places[a] = place_b;                                                                   \
            places[b] = place_a;                                                                   \
        }                                                                                          \
    } while (0)

// The lower one of pair i of entries that stand `step` apart.
DEVICE index_t lower(index_t i, index_t step) { return 2 * (i - i % step) + i % step; }

// All steps of a bitonic sort that stay within blocks: of runs up to `last`, from `first` on.
COOPERATIVE(sort_blocks) {
    SHARED u64 block_keys[SORTED];
    SHARED u32 block_places[SORTED];
    OUTPUT(u64, keys, 0);
    OUTPUT(u32, places, 1);
    INDEX(size, 2); // what a block sorts: SORTED, or a row where that is less
    INDEX(padded, 3);
    INDEX(first, 4);
    INDEX(last, 5);
    const index_t from = (index_t)blockIdx.x * size;
    for (index_t i = (index_t)threadIdx.x; i < size; i += (index_t)blockDim.x) {
        block_keys[i] = keys[from + i];
        block_places[i] = places[from + i];
    }
    __syncthreads();
    for (index_t run = first; run <= last; run *= 2)
        for (index_t step = (run < size ? run : size) / 2; step > 0; step /= 2) {
            for (index_t i = (index_t)threadIdx.x; i < size / 2; i += (index_t)blockDim.x) {
                index_t a = lower(i, step);
                EXCHANGE(block_keys, block_places, a, a + step, ((from + a) % padded & run) == 0);
            }
            __syncthreads();
        }
    for (index_t i = (index_t)threadIdx.x; i < size; i += (index_t)blockDim.x) {
        keys[from + i] = block_keys[i];
        places[from + i] = block_places[i];
    }
}

// One step between blocks.
KERNEL(sort_step) {
    OUTPUT(u64, keys, 0);
    OUTPUT(u32, places, 1);
    INDEX(pairs, 2);
    INDEX(padded, 3);
    INDEX(run, 4);
    INDEX(step, 5);
    FOR_EACH(i, pairs) {
        index_t a = lower(i, step);
        EXCHANGE(keys, places, a, a + step, (a % padded & run) == 0);
    }
}

// The slopes of a row, by a block: each pixel of the truth that is mispredicted takes one from the
// intersection, each other one adds one to the union. NaN if a counting error is one.
COOPERATIVE(lovasz_slopes) {
    SHARED u32 slots[BLOCK];
    INPUT(real, errors, 0);
    INPUT(real, truth, 1);
    INPUT(u64, keys, 2);
    INPUT(u32, places, 3);
    OUTPUT(double, slopes, 4);
    INDEX(n, 5);
    INDEX(padded, 6);
    const index_t row = (index_t)blockIdx.x;
    u32 found = 0, bad = 0;
    for (index_t i = (index_t)threadIdx.x; i < n; i += (index_t)blockDim.x) {
        acc error = load(errors[row * n + i]), t = load(truth[row * n + i]);
        if (t > 0) found++;
        if (t >= 0 && error != error) bad = 1;
        slopes[row * n + i] = 0;
    }
    BLOCK_SUM(found, slots);
    BLOCK_SUM(bad, slots);
    if (bad) {
        const double nan = (double)INFINITE - (double)INFINITE;
        for (index_t i = (index_t)threadIdx.x; i < n; i += (index_t)blockDim.x) slopes[row * n + i] = nan;
        return;
    }
    u32 hits_before = 0;
    for (index_t from = 0; from < n; from += (index_t)blockDim.x) {
        const index_t at = from + (index_t)threadIdx.x;
        const int there = at < n && keys[row * padded + at] != ~0ull;
        const index_t place = there ? (index_t)places[row * padded + at] : 0;
        const int hit = there && load(truth[row * n + place]) > 0;
        // How many hits there are among the threads up to this one.
        u32 hits = (u32)hit;
        for (u32 step = 1; step < blockDim.x; step *= 2) {
            slots[threadIdx.x] = hits;
            __syncthreads();
            if (threadIdx.x >= step) hits += slots[threadIdx.x - step];
            __syncthreads();
        }
        slots[threadIdx.x] = hits;
        __syncthreads();
        const u32 hits_of_all = slots[blockDim.x - 1];
        __syncthreads();
        if (there) {
            const double hits_here = (double)(hits_before + hits - (u32)hit);
            const double others = (double)at - hits_here, of_union = (double)found + others;
            double slope = 1 / of_union;
            // The first false alarm where there is nothing: the loss leaps from 0 to 1.
            if (!hit) slope = of_union == 0 ? 1 : ((double)found - hits_here) / (of_union * (of_union + 1));
            slopes[row * n + place] = slope;
        }
        hits_before += hits_of_all;
    }
}

// Of each piece of each row the sum of errors times slopes; where a slope is zero nothing.
COOPERATIVE(lovasz_part) {
    SHARED double slots[BLOCK];
    INPUT(real, errors, 0);
    INPUT(double, slopes, 1);
    OUTPUT(double, parts, 2);
    INDEX(n, 3);
    INDEX(pieces, 4);
    const index_t row = (index_t)blockIdx.x / pieces, piece = (index_t)blockIdx.x % pieces;
    const index_t size = (n + pieces - 1) / pieces, from = piece * size;
    const index_t end = from + size < n ? from + size : n;
    double sum = 0;
    for (index_t i = from + (index_t)threadIdx.x; i < end; i += (index_t)blockDim.x) {
        double slope = slopes[row * n + i];
        if (slope != 0) sum += (double)load(errors[row * n + i]) * slope;
    }
    BLOCK_SUM(sum, slots);
    if (threadIdx.x == 0) parts[row * pieces + piece] = sum;
}

KERNEL(lovasz_backward) {
    INPUT(double, slopes, 0);
    INPUT(real, gradient, 1);
    OUTPUT(real, dx, 2);
    INDEX(count, 3);
    DIVISOR(n, 4);
    FOR_EACH(i, count) { dx[i] = store(load(gradient[divided(i, n)]) * (acc)slopes[i]); }
}
