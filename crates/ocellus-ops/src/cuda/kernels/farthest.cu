// The point that is farthest from all chosen so far, again and again: a launch each.

// Threads that measure a distance. The processor adds up in as many parts, so the digits are its own.
#define LANES 16
#define NONE 0xffffffffu

// Products that are rounded before they are added, as the processor does.
#if defined(EMULATION)
#define SQUARE(d) ((d) * (d))
#elif defined(REAL_F64)
#define SQUARE(d) __dmul_rn(d, d)
#else
#define SQUARE(d) __fmul_rn(d, d)
#endif

typedef struct {
    acc value;
    u32 row;
} Choice;

DEVICE Choice choice(acc value, u32 row) {
    Choice one;
    one.value = value;
    one.row = row;
    return one;
}

// Of equal ones, the first row.
DEVICE Choice farther(Choice a, Choice b) {
    return b.value > a.value || (b.value == a.value && b.row < a.row) ? b : a;
}

// Adds up what the lanes have, two and two.
DEVICE acc added(const acc *parts) {
    acc four[4];
    for (int i = 0; i < 4; i++) four[i] = (parts[i] + parts[i + 4]) + (parts[i + 8] + parts[i + 12]);
    return (four[0] + four[1]) + (four[2] + four[3]);
}

// Takes what the blocks of the launch before have found, lowers all bounds by the distances to it, and
// finds the greatest of them, a block each of its own points.
COOPERATIVE(farthest_step) {
    SHARED Choice choices[BLOCK];
    SHARED acc slots[BLOCK];
    INPUT(real, points, 0);
    INPUT(real, given, 1); // the bounds before the first step
    INPUT(real, start, 2); // that of the first point
    OUTPUT(real, bounds, 3);
    OUTPUT(real, before_values, 4);
    OUTPUT(u32, before_rows, 5);
    OUTPUT(real, after_values, 6);
    OUTPUT(u32, after_rows, 7);
    OUTPUT(u32, chosen, 8);
    OUTPUT(real, squared, 9);
    INDEX(count, 10); // of points
    INDEX(size, 11);
    INDEX(first_point, 12);
    INDEX(step, 13);
    Choice center = choice(-(acc)INFINITE, NONE);
    if (step == 0) center = choice(load(start[0]), (u32)first_point);
    else
        for (index_t i = (index_t)threadIdx.x; i < (index_t)gridDim.x; i += (index_t)blockDim.x)
            center = farther(center, choice(load(before_values[i]), before_rows[i]));
    GROUP(center, choices, BLOCK, farther);
    if (blockIdx.x == 0 && threadIdx.x == 0) {
        chosen[step] = center.row;
        squared[step] = store(center.value);
    }
    const index_t groups = (index_t)blockDim.x / LANES, lane = (index_t)threadIdx.x % LANES;
    const real *to = points + (index_t)center.row * size;
    Choice best = choice(-(acc)INFINITE, NONE);
    for (index_t first = (index_t)blockIdx.x * groups; first < count; first += (index_t)gridDim.x * groups) {
        const index_t row = first + (index_t)threadIdx.x / LANES;
        acc bound = 0, sum = 0;
        if (row < count) {
            bound = load(step == 0 ? given[row] : bounds[row]);
            for (index_t i = lane; i < size; i += LANES) {
                acc d = load(points[row * size + i]) - load(to[i]);
                sum += SQUARE(d);
            }
        }
        slots[threadIdx.x] = sum;
        __syncthreads();
        sum = added(slots + threadIdx.x / LANES * LANES);
        __syncthreads();
        if (row < count) {
            if (sum < bound) bound = sum;
            if (row == (index_t)center.row) bound = -(acc)INFINITE; // It is chosen no more.
            best = farther(best, choice(bound, (u32)row));
            if (lane == 0) bounds[row] = store(bound);
        }
    }
    GROUP(best, choices, BLOCK, farther);
    if (threadIdx.x == 0) {
        after_values[blockIdx.x] = store(best.value);
        after_rows[blockIdx.x] = best.row;
    }
}
