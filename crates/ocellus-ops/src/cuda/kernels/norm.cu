// Batch normalization, and sums over channels, of (batch, channels, plane).
//
// A channel's elements are cut into `pieces` of equal size; a block sums a piece, and another kernel
// adds up the pieces: the same order on every run. A thread sums few elements in single precision,
// all else is double.

typedef struct {
    index_t channel, piece, from, end;
} Piece;

DEVICE Piece piece_of(index_t block, index_t pieces, index_t count) {
    Piece at;
    at.channel = block / pieces;
    at.piece = block % pieces;
    index_t size = (count + pieces - 1) / pieces;
    at.from = at.piece * size;
    at.end = at.from + size < count ? at.from + size : count;
    return at;
}

// Where this thread is in a channel: image and pixel. It divides only where it leaves a plane.
#define FOR_EACH_OF_PIECE(i, at)                                                                   \
    index_t e = at.from + (index_t)threadIdx.x, image = e / plane, pixel = e % plane, i;           \
    for (; e < at.end && (i = (image * channels + at.channel) * plane + pixel, 1);                 \
         e += (index_t)blockDim.x, pixel += (index_t)blockDim.x,                                   \
         image += pixel < plane ? 0 : pixel / plane, pixel = pixel < plane ? pixel : pixel % plane)

// The channel of element i of a tensor.
DEVICE index_t channel_of(index_t i, Divisor plane, Divisor channels) {
    index_t image_and_channel = divided(i, plane);
    return remainder_of(image_and_channel, divided(image_and_channel, channels), channels);
}

// Of each piece the sum of the deviations from the channel's first element, and of their squares.
COOPERATIVE(moments_part) {
    SHARED double slots[BLOCK];
    INPUT(real, x, 0);
    OUTPUT(double, parts, 1);
    INDEX(channels, 2);
    INDEX(plane, 3);
    INDEX(count, 4); // elements of a channel
    INDEX(pieces, 5);
    const Piece at = piece_of((index_t)blockIdx.x, pieces, count);
    const acc first = load(x[at.channel * plane]);
    acc sum = 0, squares = 0;
    FOR_EACH_OF_PIECE(i, at) {
        acc deviation = load(x[i]) - first;
        sum += deviation;
        squares += deviation * deviation;
    }
    double total = sum, total_squares = squares;
    BLOCK_SUM(total, slots);
    BLOCK_SUM(total_squares, slots);
    if (threadIdx.x == 0) {
        parts[2 * (index_t)blockIdx.x] = total;
        parts[2 * (index_t)blockIdx.x + 1] = total_squares;
    }
}

// Means, then biased variances, of all channels, twice: in double, and as they are given out.
COOPERATIVE(moments) {
    SHARED double slots[BLOCK];
    INPUT(real, x, 0);
    INPUT(double, parts, 1);
    OUTPUT(double, moments_of, 2);
    OUTPUT(acc, means, 3);
    OUTPUT(acc, variances, 4);
    INDEX(channels, 5);
    INDEX(plane, 6);
    INDEX(count, 7);
    INDEX(pieces, 8);
    const index_t channel = (index_t)blockIdx.x;
    double sum = 0, squares = 0;
    for (index_t piece = (index_t)threadIdx.x; piece < pieces; piece += (index_t)blockDim.x) {
        sum += parts[2 * (channel * pieces + piece)];
        squares += parts[2 * (channel * pieces + piece) + 1];
    }
    BLOCK_SUM(sum, slots);
    BLOCK_SUM(squares, slots);
    if (threadIdx.x == 0) {
        double shift = sum / (double)count, variance = squares / (double)count - shift * shift;
        if (variance < 0) variance = 0; // A NaN stays one.
        double mean = (double)load(x[channel * plane]) + shift;
        moments_of[channel] = mean;
        moments_of[channels + channel] = variance;
        means[channel] = (acc)mean;
        variances[channel] = (acc)variance;
    }
}

// What is done to a channel, (x - center) * scale + shift: three numbers of each; the center is the
// mean, rounded, and the shift makes up for what rounding took.
KERNEL(channel_maps) {
    INPUT(double, moments_of, 0);
    INPUT(acc, affine, 1); // weights, then biases
    OUTPUT(acc, maps, 2);
    INDEX(channels, 3);
    DOUBLE(eps, 4);
    FOR_EACH(channel, channels) {
        double mean = moments_of[channel];
        double scale = (double)affine[channel] / sqrt(moments_of[channels + channel] + eps);
        acc center = (acc)mean;
        maps[3 * channel] = center;
        maps[3 * channel + 1] = (acc)scale;
        maps[3 * channel + 2] = (acc)((double)affine[channels + channel] + ((double)center - mean) * scale);
    }
}

// The same wherever it stands: a rounding more or less would change the sign of what is nearly zero.
DEVICE acc mapped(const acc *map, acc x) { return FMA(x - map[0], map[1], map[2]); }

KERNEL(normalize) {
    INPUT(real, x, 0);
    INPUT(real, residual, 1);
    INPUT(acc, maps, 2);
    OUTPUT(real, y, 3);
    INDEX(n, 4);
    DIVISOR(channels, 5);
    DIVISOR(plane, 7);
    INDEX(has_residual, 9);
    INDEX(relu, 10);
    FOR_EACH(i, n) {
        acc v = mapped(maps + 3 * channel_of(i, plane, channels), load(x[i]));
        if (has_residual) v += load(residual[i]);
        y[i] = store(relu && v <= 0 ? 0 : v);
    }
}

// Of each piece the sum of the gradient and of its products with x - center. The gradient counts
// where the output was positive, if there was a ReLU: with a residual the output says so, which then
// gets what counts as its own gradient; else the map does.
COOPERATIVE(gradients_part) {
    SHARED double slots[BLOCK];
    INPUT(real, x, 0);
    INPUT(real, y, 1);
    INPUT(real, gradient, 2);
    INPUT(acc, maps, 3);
    OUTPUT(double, parts, 4);
    OUTPUT(real, masked, 5);
    INDEX(channels, 6);
    INDEX(plane, 7);
    INDEX(count, 8);
    INDEX(pieces, 9);
    INDEX(has_residual, 10);
    INDEX(relu, 11);
    const Piece at = piece_of((index_t)blockIdx.x, pieces, count);
    const acc *map = maps + 3 * at.channel;
    acc sum = 0, products = 0;
    FOR_EACH_OF_PIECE(i, at) {
        acc v = load(x[i]), g = load(gradient[i]);
        if (relu && (has_residual ? load(y[i]) : mapped(map, v)) <= 0) g = 0;
        if (has_residual) masked[i] = store(g);
        sum += g;
        products += g * (v - map[0]);
    }
    double total = sum, total_products = products;
    BLOCK_SUM(total, slots);
    BLOCK_SUM(total_products, slots);
    if (threadIdx.x == 0) {
        parts[2 * (index_t)blockIdx.x] = total;
        parts[2 * (index_t)blockIdx.x + 1] = total_products;
    }
}

// The gradients by weights and biases; and what the gradient of a channel's input has from mean and
// variance, (x - center) * slope + offset.
COOPERATIVE(gradients) {
    SHARED double slots[BLOCK];
    INPUT(double, parts, 0);
    INPUT(double, moments_of, 1);
    INPUT(acc, affine, 2);
    INPUT(acc, maps, 3);
    OUTPUT(acc, by_affine, 4);
    OUTPUT(acc, through, 5);
    INDEX(channels, 6);
    INDEX(count, 7);
    INDEX(pieces, 8);
    DOUBLE(eps, 9);
    const index_t channel = (index_t)blockIdx.x;
    double sum = 0, products = 0;
    for (index_t piece = (index_t)threadIdx.x; piece < pieces; piece += (index_t)blockDim.x) {
        sum += parts[2 * (channel * pieces + piece)];
        products += parts[2 * (channel * pieces + piece) + 1];
    }
    BLOCK_SUM(sum, slots);
    BLOCK_SUM(products, slots);
    if (threadIdx.x == 0) {
        double rounding = (double)maps[3 * channel] - moments_of[channel];
        products += rounding * sum; // of x - mean
        double inverse = 1 / sqrt(moments_of[channels + channel] + eps);
        double scale = (double)affine[channel] * inverse;
        double slope = -scale * inverse * inverse * products / (double)count;
        by_affine[channel] = (acc)(products * inverse);
        by_affine[channels + channel] = (acc)sum;
        through[2 * channel] = (acc)slope;
        through[2 * channel + 1] = (acc)(-scale * sum / (double)count + slope * rounding);
    }
}

KERNEL(input_gradient) {
    INPUT(real, x, 0);
    INPUT(real, gradient, 1);
    INPUT(acc, maps, 2);
    INPUT(acc, through, 3);
    OUTPUT(real, dx, 4);
    INDEX(n, 5);
    DIVISOR(channels, 6);
    DIVISOR(plane, 8);
    INDEX(of_batch, 10); // whether mean and variance are those of x
    INDEX(relu, 11);     // whether it has still to be seen where the gradient counts
    FOR_EACH(i, n) {
        index_t channel = channel_of(i, plane, channels);
        const acc *map = maps + 3 * channel;
        acc v = load(x[i]), g = load(gradient[i]);
        if (relu && mapped(map, v) <= 0) g = 0;
        acc d = g * map[1];
        if (of_batch) d += FMA(v - map[0], through[2 * channel], through[2 * channel + 1]);
        dx[i] = store(d);
    }
}

// Of each piece of a channel the sum.
COOPERATIVE(channel_sums_part) {
    SHARED double slots[BLOCK];
    INPUT(real, x, 0);
    OUTPUT(double, parts, 1);
    INDEX(channels, 2);
    INDEX(plane, 3);
    INDEX(count, 4);
    INDEX(pieces, 5);
    const Piece at = piece_of((index_t)blockIdx.x, pieces, count);
    acc sum = 0;
    FOR_EACH_OF_PIECE(i, at) { sum += load(x[i]); }
    double total = sum;
    BLOCK_SUM(total, slots);
    if (threadIdx.x == 0) parts[(index_t)blockIdx.x] = total;
}

// Sums of `pieces` numbers each, times a factor.
COOPERATIVE(add_parts) {
    SHARED double slots[BLOCK];
    INPUT(double, parts, 0);
    OUTPUT(real, sums, 1);
    INDEX(pieces, 2);
    DOUBLE(factor, 3);
    const index_t row = (index_t)blockIdx.x;
    double sum = 0;
    for (index_t piece = (index_t)threadIdx.x; piece < pieces; piece += (index_t)blockDim.x)
        sum += parts[row * pieces + piece];
    BLOCK_SUM(sum, slots);
    if (threadIdx.x == 0) sums[row] = store((acc)(sum * factor));
}

// Adds a bias to each channel, in place; then ReLU if asked for.
KERNEL(add_bias) {
    INPUT(real, bias, 0);
    OUTPUT(real, y, 1);
    INDEX(n, 2);
    DIVISOR(channels, 3);
    DIVISOR(plane, 5);
    INDEX(has_bias, 7);
    INDEX(relu, 8);
    FOR_EACH(i, n) {
        acc v = load(y[i]);
        if (has_bias) v += load(bias[channel_of(i, plane, channels)]);
        y[i] = store(relu && v <= 0 ? 0 : v);
    }
}
