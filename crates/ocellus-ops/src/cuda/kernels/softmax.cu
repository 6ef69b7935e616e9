// Softmax, its logarithm, and cross-entropy along one axis of (outer, size, inner). The elements of a
// position, an index into (outer, inner), are shared by a group of `lanes` threads: one where
// neighboring threads then read neighboring memory, several where the axis is the last one.

// What all kernels here begin with: their lane, and the positions of their group. All threads of a
// block go through the loop as often.
#define LANES                                                                                      \
    const index_t groups = (index_t)blockDim.x / lanes, lane = (index_t)threadIdx.x % lanes;
#define FOR_EACH_POSITION(positions)                                                               \
    for (index_t first = (index_t)blockIdx.x * groups; first < (positions);                        \
         first += (index_t)gridDim.x * groups)
// The position of this thread, whether there is one, and where its elements are.
#define POSITION                                                                                   \
    const index_t position = first + (index_t)threadIdx.x / lanes;                                 \
    const int there = position < positions;                                                        \
    const index_t outer = divided(position, inner);                                                \
    const index_t at = outer * size * inner.by + remainder_of(position, outer, inner);
#define FOR_EACH_CLASS(c)                                                                          \
    if (there)                                                                                     \
        for (index_t c = lane; c < size; c += lanes)

// The largest element of the position, and the sum of exp(x - largest).
#define LARGEST_AND_TOTAL(x)                                                                       \
    acc largest = -INFINITE;                                                                       \
    FOR_EACH_CLASS(c) {                                                                            \
        acc v = load(x[at + c * inner.by]);                                                        \
        if (v > largest) largest = v;                                                              \
    }                                                                                              \
    GROUP_MAX(largest, largest_slots, lanes);                                                      \
    double total = 0;                                                                              \
    {                                                                                              \
        acc part = 0;                                                                              \
        FOR_EACH_CLASS(c) { part += EXP(load(x[at + c * inner.by]) - largest); }                   \
        total = part;                                                                              \
    }                                                                                              \
    GROUP_SUM(total, slots, lanes);

COOPERATIVE(softmax_forward) {
    SHARED double slots[BLOCK];
    SHARED acc largest_slots[BLOCK];
    INPUT(real, x, 0);
    OUTPUT(real, y, 1);
    INDEX(positions, 2);
    INDEX(size, 3);
    DIVISOR(inner, 4);
    INDEX(lanes, 6);
    INDEX(logarithm, 7);
    LANES
    FOR_EACH_POSITION(positions) {
        POSITION
        LARGEST_AND_TOTAL(x)
        const acc shared = (acc)(logarithm ? log(total) : 1 / total);
        FOR_EACH_CLASS(c) {
            acc v = load(x[at + c * inner.by]) - largest;
            // Not v less a sum of both: that would round.
            y[at + c * inner.by] = store(logarithm ? v - shared : EXP(v) * shared);
        }
    }
}

COOPERATIVE(softmax_backward) {
    SHARED double slots[BLOCK];
    INPUT(real, y, 0);
    INPUT(real, gradient, 1);
    OUTPUT(real, dx, 2);
    INDEX(positions, 3);
    INDEX(size, 4);
    DIVISOR(inner, 5);
    INDEX(lanes, 7);
    INDEX(logarithm, 8);
    LANES
    FOR_EACH_POSITION(positions) {
        POSITION
        acc part = 0;
        FOR_EACH_CLASS(c) {
            acc g = load(gradient[at + c * inner.by]);
            part += logarithm ? g : load(y[at + c * inner.by]) * g;
        }
        double sum = part;
        GROUP_SUM(sum, slots, lanes);
        FOR_EACH_CLASS(c) {
            acc v = load(y[at + c * inner.by]), g = load(gradient[at + c * inner.by]);
            dx[at + c * inner.by] = store(logarithm ? g - EXP(v) * (acc)sum : v * (g - (acc)sum));
        }
    }
}

#define IGNORED 0xffffffffu
#define STRAY 0xfffffffeu // neither a class nor ignored
#define NOT_A_NUMBER number_of(0x7ff8000000000000ull)

// Targets of u8, u32 or i64 as indices, and the weight that each has in a mean.
KERNEL(class_indices) {
    INPUT(u8, target, 0);
    INPUT(double, weights, 1);
    OUTPUT(u32, indices, 2);
    OUTPUT(double, taken, 3);
    INDEX(n, 4);
    INDEX(bytes, 5); // of a target
    INDEX(classes, 6);
    INDEX(ignores, 7);
    const i64 ignored = (i64)p.v[8];
    FOR_EACH(i, n) {
        i64 value = bytes == 1   ? (i64)target[i]
                    : bytes == 4 ? (i64)((const u32 *)target)[i]
                                 : ((const i64 *)target)[i];
        int skipped = ignores && value == ignored, is_class = value >= 0 && value < (i64)classes;
        indices[i] = skipped ? IGNORED : is_class ? (u32)value : STRAY;
        taken[i] = skipped ? 0 : is_class ? weights[value] : NOT_A_NUMBER;
    }
}

// The target of a class, smoothed, times its weight.
DEVICE double weighted(
    const u32 *indices, const real *probabilities, const double *weights, int dense, index_t position,
    index_t element, index_t c, double kept, double spread) {
    double target;
    if (dense) {
        target = (double)load(probabilities[element]) * kept;
    } else {
        if (indices[position] == IGNORED) return 0;
        if (indices[position] == STRAY) return NOT_A_NUMBER;
        target = indices[position] == (u32)c ? kept : 0;
    }
    return weights[c] * (target + spread);
}
#define WEIGHTED(c)                                                                                \
    weighted(indices, probabilities, weights, dense, position, at + (c) * inner.by, c, kept, spread)

// With v the weighted targets, the loss of a position is sum v (log sum exp x - x).
COOPERATIVE(cross_entropy_forward) {
    SHARED double slots[BLOCK];
    SHARED acc largest_slots[BLOCK];
    INPUT(real, x, 0);
    INPUT(u32, indices, 1);
    INPUT(real, probabilities, 2);
    INPUT(double, weights, 3);
    OUTPUT(double, losses, 4);
    INDEX(positions, 5);
    INDEX(size, 6);
    DIVISOR(inner, 7);
    INDEX(lanes, 9);
    INDEX(dense, 10); // probabilities, not indices
    DOUBLE(kept, 11);
    DOUBLE(spread, 12);
    LANES
    FOR_EACH_POSITION(positions) {
        POSITION
        LARGEST_AND_TOTAL(x)
        double mass = 0, loss = 0;
        FOR_EACH_CLASS(c) {
            double v = WEIGHTED(c);
            mass += v;
            // A logit of minus infinity with target 0 costs nothing.
            if (v != 0) loss += v * ((double)largest - (double)load(x[at + c * inner.by]));
        }
        GROUP_SUM(mass, slots, lanes);
        GROUP_SUM(loss, slots, lanes);
        // Nothing where it is ignored, whatever its logits.
        if (mass != 0) loss += mass * log(total);
        if (there && lane == 0) losses[position] = loss;
    }
}

// softmax(x) sum v - v, times the gradient by the loss.
COOPERATIVE(cross_entropy_backward) {
    SHARED double slots[BLOCK];
    SHARED acc largest_slots[BLOCK];
    INPUT(real, x, 0);
    INPUT(u32, indices, 1);
    INPUT(real, probabilities, 2);
    INPUT(double, weights, 3);
    INPUT(real, gradient, 4);
    OUTPUT(real, dx, 5);
    INDEX(positions, 6);
    INDEX(size, 7);
    DIVISOR(inner, 8);
    INDEX(lanes, 10);
    INDEX(dense, 11);
    DOUBLE(kept, 12);
    DOUBLE(spread, 13);
    INDEX(each, 14); // a gradient for each position, not one for all
    INPUT(double, divisor, 15);
    LANES
    FOR_EACH_POSITION(positions) {
        POSITION
        LARGEST_AND_TOTAL(x)
        double mass = 0;
        FOR_EACH_CLASS(c) { mass += WEIGHTED(c); }
        GROUP_SUM(mass, slots, lanes);
        if (there) {
            const double scale = (double)load(gradient[each ? position : 0]) / divisor[0];
            const acc factor = mass == 0 ? 0 : (acc)(scale * mass / total);
            FOR_EACH_CLASS(c) {
                index_t i = at + c * inner.by;
                // Exactly 0 where it is ignored, whatever its logits.
                acc product = factor == 0 ? 0 : EXP(load(x[i]) - largest) * factor;
                dx[i] = store(product - (acc)(scale * WEIGHTED(c)));
            }
        }
    }
}
