// Normalizing flows: the affine coupling with its log-determinant, and the density.

// log sigma of a coefficient, and its derivative.
typedef struct {
    acc log_scale, slope;
} Bounded;

DEVICE Bounded bounded(acc s, acc alpha, acc inner) {
    Bounded of;
    acc v = s * inner;
    v = v > 20 ? 20 : v; // tanh is 1 from here on; a NaN passes.
    v = v < -20 ? -20 : v;
    acc t = TANH(v);
    of.log_scale = alpha * t;
    of.slope = alpha * inner * (1 - t * t);
    return of;
}

// The sum of the logarithms of the scales, in double precision: one block.
COOPERATIVE(sum_of_logs) {
    SHARED double slots[BLOCK];
    INPUT(real, affine, 0);
    OUTPUT(double, sum_of, 1);
    INDEX(channels, 2);
    double sum = 0;
    for (index_t c = (index_t)threadIdx.x; c < channels; c += (index_t)blockDim.x)
        sum += log((double)load(affine[c]));
    BLOCK_SUM(sum, slots);
    if (threadIdx.x == 0) sum_of[0] = sum;
}

// A thread takes a pixel with all of its channels.
KERNEL(coupling_forward) {
    INPUT(real, state, 0);
    INPUT(real, coefficients, 1);
    INPUT(real, affine, 2); // scales, then offsets
    INPUT(u32, order, 3);
    INPUT(double, log_scales, 4);
    OUTPUT(real, y, 5);
    INDEX(n, 6); // pixels of all images
    DIVISOR(pixels, 7);
    INDEX(channels, 9);
    INDEX(active, 10);
    NUMBER(alpha, 11);
    NUMBER(inner, 12);
    NUMBER(shrink, 13);
    const index_t passive = channels - active;
    FOR_EACH(i, n) {
        const index_t image = divided(i, pixels), pixel = remainder_of(i, image, pixels);
        const real *x = state + image * (channels + 1) * pixels.by + pixel;
        const real *a = coefficients + image * 2 * active * pixels.by + pixel;
        real *to = y + image * (channels + 1) * pixels.by + pixel;
        double log_det = (double)load(x[channels * pixels.by]) + log_scales[0];
        for (index_t place = 0; place < channels; place++) {
            const index_t channel = (index_t)order[place];
            acc u = load(x[channel * pixels.by]);
            if (channel >= passive) {
                const index_t k = channel - passive;
                Bounded of = bounded(load(a[k * pixels.by]), alpha, inner);
                u = u * EXP(of.log_scale) + load(a[(active + k) * pixels.by]) * shrink;
                log_det += (double)of.log_scale;
            }
            to[place * pixels.by] = store(u * load(affine[channel]) + load(affine[channels + channel]));
        }
        to[channels * pixels.by] = store((acc)log_det);
    }
}

// The gradients by state and coefficients; what the forward pass had between is computed again.
KERNEL(coupling_backward) {
    INPUT(real, state, 0);
    INPUT(real, coefficients, 1);
    INPUT(real, affine, 2);
    INPUT(u32, order, 3);
    INPUT(real, gradient, 4);
    OUTPUT(real, by_state, 5);
    OUTPUT(real, by_coefficients, 6);
    INDEX(n, 7);
    DIVISOR(pixels, 8);
    INDEX(channels, 10);
    INDEX(active, 11);
    NUMBER(alpha, 12);
    NUMBER(inner, 13);
    NUMBER(shrink, 14);
    const index_t passive = channels - active;
    FOR_EACH(i, n) {
        const index_t image = divided(i, pixels), pixel = remainder_of(i, image, pixels);
        const index_t first = image * (channels + 1) * pixels.by + pixel;
        const index_t first_a = image * 2 * active * pixels.by + pixel;
        const acc by_log_det = load(gradient[first + channels * pixels.by]);
        for (index_t place = 0; place < channels; place++) {
            const index_t channel = (index_t)order[place], at = first + channel * pixels.by;
            acc by_x = load(gradient[first + place * pixels.by]) * load(affine[channel]);
            if (channel >= passive) {
                const index_t s = first_a + (channel - passive) * pixels.by, t = s + active * pixels.by;
                Bounded of = bounded(load(coefficients[s]), alpha, inner);
                const acc by_u = by_x, factor = EXP(of.log_scale);
                by_x = by_u * factor;
                by_coefficients[t] = store(by_u * shrink);
                by_coefficients[s] = store((by_u * load(state[at]) * factor + by_log_det) * of.slope);
            }
            by_state[at] = store(by_x);
        }
        by_state[first + channels * pixels.by] = store(by_log_det);
    }
}

// For the gradient by the affine map: of each piece of each place the sums of u g and of g; behind
// all places those of the gradient by the log-determinant.
COOPERATIVE(coupling_sums) {
    SHARED double slots[BLOCK];
    INPUT(real, state, 0);
    INPUT(real, coefficients, 1);
    INPUT(u32, order, 2);
    INPUT(real, gradient, 3);
    OUTPUT(double, parts, 4);
    INDEX(n, 5);
    DIVISOR(pixels, 6);
    INDEX(channels, 8);
    INDEX(active, 9);
    NUMBER(alpha, 10);
    NUMBER(inner, 11);
    NUMBER(shrink, 12);
    INDEX(pieces, 13);
    const index_t passive = channels - active;
    const index_t place = (index_t)blockIdx.x / pieces, piece = (index_t)blockIdx.x % pieces;
    const index_t channel = place < channels ? (index_t)order[place] : channels;
    const index_t size = (n + pieces - 1) / pieces, from = piece * size;
    const index_t end = from + size < n ? from + size : n;
    acc products = 0, sum = 0;
    for (index_t i = from + (index_t)threadIdx.x; i < end; i += (index_t)blockDim.x) {
        const index_t image = divided(i, pixels), pixel = remainder_of(i, image, pixels);
        const index_t first = image * (channels + 1) * pixels.by + pixel;
        const acc g = load(gradient[first + place * pixels.by]);
        sum += g;
        if (place < channels) {
            acc u = load(state[first + channel * pixels.by]);
            if (channel >= passive) {
                const index_t s = image * 2 * active * pixels.by + (channel - passive) * pixels.by + pixel;
                Bounded of = bounded(load(coefficients[s]), alpha, inner);
                u = u * EXP(of.log_scale) + load(coefficients[s + active * pixels.by]) * shrink;
            }
            products += u * g;
        }
    }
    double total = products, total_sum = sum;
    BLOCK_SUM(total, slots);
    BLOCK_SUM(total_sum, slots);
    if (threadIdx.x == 0) {
        parts[2 * (channel * pieces + piece)] = total;
        parts[2 * (channel * pieces + piece) + 1] = total_sum;
    }
}

// The gradient by the affine map; a block takes a channel.
COOPERATIVE(coupling_affine) {
    SHARED double slots[BLOCK];
    INPUT(double, parts, 0);
    INPUT(real, affine, 1);
    OUTPUT(real, by_affine, 2);
    INDEX(channels, 3);
    INDEX(pieces, 4);
    const index_t channel = (index_t)blockIdx.x;
    double products = 0, sum = 0, by_log_det = 0;
    for (index_t piece = (index_t)threadIdx.x; piece < pieces; piece += (index_t)blockDim.x) {
        products += parts[2 * (channel * pieces + piece)];
        sum += parts[2 * (channel * pieces + piece) + 1];
        by_log_det += parts[2 * (channels * pieces + piece) + 1];
    }
    BLOCK_SUM(products, slots);
    BLOCK_SUM(sum, slots);
    BLOCK_SUM(by_log_det, slots);
    if (threadIdx.x == 0) {
        by_affine[channel] = store((acc)(products + by_log_det / (double)load(affine[channel])));
        by_affine[channels + channel] = store((acc)sum);
    }
}

// -C ln sqrt(2 pi) - 1/2 sum z^2 + log_det of each pixel.
KERNEL(density_forward) {
    INPUT(real, state, 0);
    OUTPUT(real, y, 1);
    INDEX(n, 2);
    DIVISOR(pixels, 3);
    INDEX(channels, 5);
    DOUBLE(constant, 6);
    FOR_EACH(i, n) {
        const index_t image = divided(i, pixels), pixel = remainder_of(i, image, pixels);
        const real *z = state + image * (channels + 1) * pixels.by + pixel;
        double squares = 0;
        for (index_t from = 0; from < channels; from += 16) {
            acc part = 0;
            for (index_t c = from; c < channels && c < from + 16; c++) {
                acc v = load(z[c * pixels.by]);
                part += v * v;
            }
            squares += (double)part;
        }
        y[i] = store((acc)(constant - 0.5 * squares + (double)load(z[channels * pixels.by])));
    }
}

KERNEL(density_backward) {
    INPUT(real, state, 0);
    INPUT(real, gradient, 1);
    OUTPUT(real, dx, 2);
    INDEX(n, 3); // elements of the state
    DIVISOR(pixels, 4);
    DIVISOR(planes, 6);
    FOR_EACH(i, n) {
        const index_t line = divided(i, pixels), pixel = remainder_of(i, line, pixels);
        const index_t image = divided(line, planes), plane = remainder_of(line, image, planes);
        const acc g = load(gradient[image * pixels.by + pixel]);
        dx[i] = store(plane + 1 < planes.by ? -load(state[i]) * g : g);
    }
}
