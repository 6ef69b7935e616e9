// Nearest neighbors: candidates by products, whose distances are then measured; and where rounding
// leaves open whether they are the nearest, the distances of all rows.

// Threads that measure a distance. The processor adds up in as many parts, so the digits are its own.
#define LANES 8
#define GROUPS (BLOCK / LANES)
// Threads that look at the products of a query.
#define LOOKING 32
// Candidates of a query at most; a block measures them all at once.
#define MOST GROUPS
#define NONE 0xffffffffu

// Products that are rounded before they are added, as the processor does.
#ifdef EMULATION
#define SQUARE(d) ((d) * (d))
#else
#define SQUARE(d) __dmul_rn(d, d)
#endif

typedef struct {
    double value;
    u32 row;
} Found;

DEVICE Found found(double value, u32 row) {
    Found one;
    one.value = value;
    one.row = row;
    return one;
}

// Of equal ones, the first row.
DEVICE int is_before(Found a, Found b) {
    return a.value < b.value || (a.value == b.value && a.row < b.row);
}
DEVICE Found nearer(Found a, Found b) { return is_before(b, a) ? b : a; }

// Puts one into a list in order, of `most` at most; gives how many there are then.
DEVICE index_t inserted(Found *list, index_t count, index_t most, Found one) {
    if (count == most && !is_before(one, list[most - 1])) return count;
    index_t at = count < most ? count : most - 1;
    for (; at > 0 && is_before(one, list[at - 1]); at--) list[at] = list[at - 1];
    list[at] = one;
    return count < most ? count + 1 : most;
}

// The squares of the lengths of rows.
COOPERATIVE(row_norms) {
    SHARED double slots[BLOCK];
    INPUT(real, x, 0);
    OUTPUT(double, norms, 1);
    INDEX(rows, 2);
    INDEX(size, 3);
    const index_t groups = (index_t)blockDim.x / LOOKING, lane = (index_t)threadIdx.x % LOOKING;
    for (index_t first = (index_t)blockIdx.x * groups; first < rows; first += (index_t)gridDim.x * groups) {
        const index_t row = first + (index_t)threadIdx.x / LOOKING;
        double sum = 0;
        if (row < rows)
            for (index_t i = lane; i < size; i += LOOKING) {
                double v = (double)load(x[row * size + i]);
                sum += v * v;
            }
        GROUP_SUM(sum, slots, LOOKING);
        if (row < rows && lane == 0) norms[row] = sum;
    }
}

// Keeps the rows with the smallest |b|^2 - 2 a.b, in order: of those kept before and of a block of rows.
// What is not a number is not kept.
COOPERATIVE(nearest_candidates) {
    SHARED Found slots[BLOCK];
    INPUT(real, products, 0); // of a block: (queries, columns)
    INPUT(double, norms, 1);  // of all rows
    OUTPUT(double, values, 2);
    OUTPUT(u32, candidates, 3);
    INDEX(queries, 4);
    INDEX(columns, 5);
    INDEX(first_row, 6); // of the block
    INDEX(kept, 7);
    const index_t groups = (index_t)blockDim.x / LOOKING, lane = (index_t)threadIdx.x % LOOKING;
    for (index_t first = (index_t)blockIdx.x * groups; first < queries; first += (index_t)gridDim.x * groups) {
        const index_t query = first + (index_t)threadIdx.x / LOOKING;
        const int there = query < queries;
        Found best[MOST];
        index_t count = 0;
        if (there) {
            acc limit = (acc)INFINITE;
            if (first_row > 0) {
                limit = (acc)values[query * kept + kept - 1];
                for (index_t i = lane; i < kept; i += LOOKING) {
                    Found one = found(values[query * kept + i], candidates[query * kept + i]);
                    if (one.row != NONE) count = inserted(best, count, kept, one);
                }
            }
            for (index_t c = lane; c < columns; c += LOOKING) {
                acc v = (acc)norms[first_row + c] - 2 * load(products[query * columns + c]);
                if (v < limit) count = inserted(best, count, kept, found((double)v, (u32)(first_row + c)));
            }
        }
        index_t head = 0;
        for (index_t i = 0; i < kept; i++) {
            Found mine = found(INFINITE, NONE);
            if (head < count) mine = best[head];
            Found winner = mine;
            GROUP(winner, slots, LOOKING, nearer);
            if (winner.row != NONE && winner.row == mine.row) head++;
            if (there && lane == 0) {
                values[query * kept + i] = winner.value;
                candidates[query * kept + i] = winner.row;
            }
        }
    }
}

// What a lane adds up of |a - b|^2, what is left over, and all of it.
DEVICE double squares(const real *a, const real *b, index_t size, index_t lane) {
    double sum = 0;
    for (index_t i = lane; i < size - size % LANES; i += LANES) {
        double d = (double)load(a[i]) - (double)load(b[i]);
        sum += SQUARE(d);
    }
    return sum;
}
DEVICE double squares_left(const real *a, const real *b, index_t size) {
    double sum = 0;
    for (index_t i = size - size % LANES; i < size; i++) {
        double d = (double)load(a[i]) - (double)load(b[i]);
        sum += SQUARE(d);
    }
    return sum;
}
DEVICE double added(const double *parts, double left) {
    double sum = 0;
    for (index_t i = 0; i < LANES; i++) sum += parts[i];
    sum += left;
    return sum == sum ? sum : INFINITE;
}
// The squared distance of each group's two rows, for all its lanes. All threads of the block must come
// here.
#define MEASURE(distance, there, a, b, size, slots)                                                \
    do {                                                                                           \
        slots[threadIdx.x] = (there) ? squares(a, b, size, (index_t)threadIdx.x % LANES) : 0;      \
        __syncthreads();                                                                           \
        (distance) = (there) ? added(slots + threadIdx.x / LANES * LANES, squares_left(a, b, size)) : INFINITE; \
        __syncthreads();                                                                           \
    } while (0)

// The nearest of the candidates of a query, a block each; and whether another row may be nearer.
COOPERATIVE(nearest_measured) {
    SHARED double slots[BLOCK];
    SHARED double measured[MOST];
    SHARED u32 rows[MOST];
    SHARED double last;
    INPUT(real, queries, 0);
    INPUT(real, bank, 1);
    INPUT(double, values, 2);
    INPUT(u32, candidates, 3);
    INPUT(double, norms, 4);   // of the queries
    INPUT(double, longest, 5); // of the bank's rows
    OUTPUT(u32, nearest, 6);
    OUTPUT(real, distances, 7);
    OUTPUT(real, squared, 8);
    OUTPUT(u32, open, 9);
    INDEX(count, 10); // of queries
    INDEX(size, 11);
    INDEX(kept, 12);
    INDEX(k, 13);
    DOUBLE(unit, 14);     // the largest error of a rounding of products
    DOUBLE(greatest, 15); // number of the type
    DOUBLE(smallest, 16);
    const index_t group = (index_t)threadIdx.x / LANES;
    for (index_t query = (index_t)blockIdx.x; query < count; query += (index_t)gridDim.x) {
        const u32 row = group < kept ? candidates[query * kept + group] : NONE;
        const real *a = queries + query * size, *b = bank + (row == NONE ? 0 : (index_t)row * size);
        double distance;
        MEASURE(distance, row != NONE, a, b, size, slots);
        if ((index_t)threadIdx.x % LANES == 0) {
            measured[group] = distance;
            rows[group] = row;
        }
        if (threadIdx.x == 0) last = INFINITE;
        __syncthreads();
        if ((index_t)threadIdx.x < kept && rows[threadIdx.x] != NONE) {
            const Found mine = found(measured[threadIdx.x], rows[threadIdx.x]);
            index_t place = 0;
            for (index_t i = 0; i < kept; i++)
                if (is_before(found(measured[i], rows[i]), mine)) place++;
            if (place < k) {
                nearest[query * k + place] = mine.row;
                squared[query * k + place] = store((acc)mine.value);
                distances[query * k + place] = store((acc)sqrt(mine.value));
            }
            if (place == k - 1) last = mine.value;
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            // A sum of n products in any order is off by at most (n + 3) units of |a| |b| and by what
            // underflows; the rest is a rounding each, and the errors of the distance that is measured.
            const double n = (double)size, norm = norms[query], row_norm = longest[0];
            const double one = sqrt(norm), other = sqrt(row_norm), both = one + other;
            const double product = (n + 3) * unit * one * other + n * smallest;
            const double exact = (n + 3) * 1.1102230246251565e-16 * (2 * norm + row_norm + both * both);
            double error = 1.05 * (2 * product + 2 * unit * (row_norm + 2 * one * other) + exact);
            if (!(4 * both * both < greatest)) error = INFINITE;
            // All rows that were not kept are at least that far. Comparisons with NaN are false.
            const double least = values[query * kept + kept - 1] + norm - error;
            open[query] = last < least ? 0 : 1;
        }
        __syncthreads();
    }
}

// The nearest of all rows to the queries that are open, a block each.
COOPERATIVE(nearest_of_all) {
    SHARED double slots[BLOCK];
    SHARED Found heads[BLOCK];
    INPUT(real, queries, 0);
    INPUT(real, bank, 1);
    INPUT(u32, open, 2);
    OUTPUT(u32, nearest, 3);
    OUTPUT(real, distances, 4);
    OUTPUT(real, squared, 5);
    INDEX(count, 6);
    INDEX(rows, 7);
    INDEX(size, 8);
    INDEX(k, 9);
    const index_t group = (index_t)threadIdx.x / LANES;
    for (index_t query = (index_t)blockIdx.x; query < count; query += (index_t)gridDim.x) {
        if (!open[query]) continue;
        const real *a = queries + query * size;
        Found best[MOST];
        index_t have = 0;
        for (index_t first = 0; first < rows; first += GROUPS) {
            const index_t row = first + group;
            const real *b = bank + (row < rows ? row : 0) * size;
            double distance;
            MEASURE(distance, row < rows, a, b, size, slots);
            // The lists of a group's lanes would be the same.
            if (row < rows && (index_t)threadIdx.x % LANES == 0)
                have = inserted(best, have, k, found(distance, (u32)row));
        }
        index_t head = 0;
        for (index_t i = 0; i < k; i++) {
            Found mine = found(INFINITE, NONE);
            if (head < have) mine = best[head];
            Found winner = mine;
            GROUP(winner, heads, BLOCK, nearer);
            if (winner.row != NONE && winner.row == mine.row) head++;
            if (threadIdx.x == 0) {
                nearest[query * k + i] = winner.row;
                squared[query * k + i] = store((acc)winner.value);
                distances[query * k + i] = store((acc)sqrt(winner.value));
            }
        }
    }
}
