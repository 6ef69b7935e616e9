// Losses of elements, and sums.

// The cross-entropy of a sigmoid: no logit overflows.
KERNEL(bce_forward) {
    INPUT(real, x, 0);
    INPUT(real, target, 1);
    INPUT(real, weight, 2);
    OUTPUT(double, losses, 3);
    INDEX(n, 4);
    INDEX(has_weight, 5);
    FOR_EACH(i, n) {
        acc v = load(x[i]), t = load(target[i]);
        acc positive = has_weight ? 1 + (load(weight[i]) - 1) * t : 1;
        acc below = v < 0 ? -v : 0; // max(-x, 0)
        if (v != v) below = v;
        losses[i] = (double)((1 - t) * v + positive * (LOG1P(EXP(-ABS(v))) + below));
    }
}

KERNEL(bce_backward) {
    INPUT(real, x, 0);
    INPUT(real, target, 1);
    INPUT(real, weight, 2);
    INPUT(real, gradient, 3);
    OUTPUT(real, dx, 4);
    INDEX(n, 5);
    INDEX(has_weight, 6);
    INDEX(each, 7); // a gradient for each element, not one for all
    DOUBLE(divisor, 8);
    FOR_EACH(i, n) {
        acc v = load(x[i]), t = load(target[i]);
        acc positive = has_weight ? 1 + (load(weight[i]) - 1) * t : 1;
        acc slope = (1 - t) - positive / (1 + EXP(v));
        dx[i] = store((acc)((double)load(gradient[each ? i : 0]) / divisor) * slope);
    }
}

// As tensors are stored.
KERNEL(narrow) {
    INPUT(double, x, 0);
    OUTPUT(real, y, 1);
    INDEX(n, 2);
    FOR_EACH(i, n) { y[i] = store((acc)x[i]); }
}

// The sum of each of `pieces` parts of n numbers, a block each.
COOPERATIVE(sum_part) {
    SHARED double slots[BLOCK];
    INPUT(double, x, 0);
    OUTPUT(double, parts, 1);
    INDEX(n, 2);
    INDEX(pieces, 3);
    const index_t size = (n + pieces - 1) / pieces, from = (index_t)blockIdx.x * size;
    const index_t end = from + size < n ? from + size : n;
    double sum = 0;
    for (index_t i = from + (index_t)threadIdx.x; i < end; i += (index_t)blockDim.x) sum += x[i];
    BLOCK_SUM(sum, slots);
    if (threadIdx.x == 0) parts[(index_t)blockIdx.x] = sum;
}

// The sum of the parts over a divisor that the GPU alone may know.
COOPERATIVE(mean_of_parts) {
    SHARED double slots[BLOCK];
    INPUT(double, parts, 0);
    INPUT(double, divisor, 1);
    OUTPUT(real, mean, 2);
    INDEX(pieces, 3);
    double sum = 0;
    for (index_t i = (index_t)threadIdx.x; i < pieces; i += (index_t)blockDim.x) sum += parts[i];
    BLOCK_SUM(sum, slots);
    if (threadIdx.x == 0) mean[0] = store((acc)(sum / divisor[0]));
}

// Of each piece of each row the sums of min(p, y), p and y, where y is not negative.
COOPERATIVE(overlap_part) {
    SHARED double slots[BLOCK];
    INPUT(real, x, 0);
    INPUT(real, target, 1);
    OUTPUT(double, parts, 2);
    INDEX(rows, 3);
    INDEX(n, 4);
    INDEX(pieces, 5);
    const index_t row = (index_t)blockIdx.x / pieces, piece = (index_t)blockIdx.x % pieces;
    const index_t size = (n + pieces - 1) / pieces, from = piece * size;
    const index_t end = from + size < n ? from + size : n;
    acc shared = 0, predicted = 0, expected = 0;
    for (index_t i = from + (index_t)threadIdx.x; i < end; i += (index_t)blockDim.x) {
        acc v = load(x[row * n + i]), t = load(target[row * n + i]);
        if (!(t < 0)) {
            shared += v > t ? t : v;
            predicted += v;
            expected += t;
        }
    }
    double sum = shared;
    BLOCK_SUM(sum, slots);
    if (threadIdx.x == 0) parts[row * pieces + piece] = sum;
    sum = predicted;
    BLOCK_SUM(sum, slots);
    if (threadIdx.x == 0) parts[(rows + row) * pieces + piece] = sum;
    sum = expected;
    BLOCK_SUM(sum, slots);
    if (threadIdx.x == 0) parts[(2 * rows + row) * pieces + piece] = sum;
}

KERNEL(overlap_backward) {
    INPUT(real, x, 0);
    INPUT(real, target, 1);
    INPUT(real, gradient, 2);
    OUTPUT(real, dx, 3);
    INDEX(count, 4);
    INDEX(rows, 5);
    DIVISOR(n, 6);
    FOR_EACH(i, count) {
        index_t row = divided(i, n);
        acc v = load(x[i]), t = load(target[i]);
        acc shared = load(gradient[row]), predicted = load(gradient[rows + row]);
        acc d = predicted;
        if (t < 0) d = 0;
        else if (v < t) d = shared + predicted;
        else if (v == t) d = shared * (acc)0.5 + predicted;
        dx[i] = store(d);
    }
}
