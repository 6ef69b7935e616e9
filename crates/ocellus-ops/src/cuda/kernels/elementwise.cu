// Element by element.

KERNEL(relu_forward) {
    INPUT(real, x, 0);
    OUTPUT(real, y, 1);
    INDEX(n, 2);
    FOR_EACH(i, n) {
        acc v = load(x[i]);
        y[i] = v <= 0 ? store(0) : x[i]; // A NaN stays one.
    }
}

KERNEL(relu_backward) {
    INPUT(real, y, 0);
    INPUT(real, gradient, 1);
    OUTPUT(real, dx, 2);
    INDEX(n, 3);
    FOR_EACH(i, n) { dx[i] = load(y[i]) <= 0 ? store(0) : gradient[i]; }
}

KERNEL(sigmoid_forward) {
    INPUT(real, x, 0);
    OUTPUT(real, y, 1);
    INDEX(n, 2);
    FOR_EACH(i, n) { y[i] = store(1 / (1 + EXP(-load(x[i])))); }
}

KERNEL(sigmoid_backward) {
    INPUT(real, y, 0);
    INPUT(real, gradient, 1);
    OUTPUT(real, dx, 2);
    INDEX(n, 3);
    FOR_EACH(i, n) {
        acc v = load(y[i]);
        dx[i] = store(load(gradient[i]) * v * (1 - v));
    }
}

DEVICE u64 mix(u64 z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

// Forward and backward: one hash serves two elements.
KERNEL(dropout) {
    INPUT(real, x, 0);
    OUTPUT(real, y, 1);
    INDEX(n, 2);
    const u64 key = p.v[3], threshold = p.v[4];
    NUMBER(scale, 5);
    const u64 first = p.v[6]; // the index of x[0] in all
    const index_t lone = (index_t)(first & 1); // x[0] is the second of a pair
    FOR_EACH(pair, n / 2 + (n % 2 + lone + 1) / 2) {
        u64 hash = mix(key + (first / 2 + (u64)pair) * 0x9e3779b97f4a7c15ull);
        index_t i = 2 * pair - lone;
        if (i >= 0) y[i] = store(load(x[i]) * ((hash & 0xffffffffull) >= threshold ? scale : 0));
        if (i + 1 < n) y[i + 1] = store(load(x[i + 1]) * ((hash >> 32) >= threshold ? scale : 0));
    }
}

// Rows of `a` with rows of `b` behind; one row of `b` for all where its step is 0.
KERNEL(join) {
    INPUT(real, a, 0);
    INPUT(real, b, 1);
    OUTPUT(real, y, 2);
    INDEX(n, 3);
    DIVISOR(len, 4);   // of a row of y
    INDEX(len_a, 6);   // of what is taken of a row of a
    INDEX(step_a, 7);  // from row to row
    INDEX(step_b, 8);
    FOR_EACH(i, n) {
        index_t row = divided(i, len), place = remainder_of(i, row, len);
        y[i] = place < len_a ? a[row * step_a + place] : b[row * step_b + (place - len_a)];
    }
}

// The gradient by rows of which only the first `len` elements were taken: zero for the others.
KERNEL(spread) {
    INPUT(real, gradient, 0);
    OUTPUT(real, dx, 1);
    INDEX(n, 2);
    DIVISOR(row_len, 3);
    INDEX(len, 5);
    INDEX(step, 6); // from row to row of the gradient
    FOR_EACH(i, n) {
        index_t row = divided(i, row_len), place = remainder_of(i, row, row_len);
        dx[i] = place < len ? gradient[row * step + place] : store(0);
    }
}

KERNEL(log_cosh_forward) {
    INPUT(real, x, 0);
    OUTPUT(real, y, 1);
    INDEX(n, 2);
    FOR_EACH(i, n) {
        acc v = ABS(load(x[i]));
        if (v < 1) { // The general form would cancel here.
            acc s = SINH(v);
            v = (acc)0.5 * LOG1P(s * s);
        } else {
            v = v + LOG1P(EXP(-2 * v)) - (acc)0.693147180559945309417;
        }
        y[i] = store(v);
    }
}

KERNEL(log_cosh_backward) {
    INPUT(real, x, 0);
    INPUT(real, gradient, 1);
    OUTPUT(real, dx, 2);
    INDEX(n, 3);
    FOR_EACH(i, n) { dx[i] = store(load(gradient[i]) * TANH(load(x[i]))); }
}

// x to the power of gamma; the usual exponents are products.
DEVICE acc power(acc x, acc gamma) {
    if (gamma == 0) return 1;
    if (gamma == 1) return x;
    if (gamma == 2) return x * x;
    return POW(x, gamma);
}

// 1 - exp(-c); rounding may have made it less than 0, and a NaN stays one.
DEVICE acc miss(acc c) {
    acc m = -EXPM1(-c);
    return m < 0 ? 0 : m;
}

KERNEL(focal_forward) {
    INPUT(real, c, 0);
    OUTPUT(real, y, 1);
    INDEX(n, 2);
    NUMBER(gamma, 3);
    FOR_EACH(i, n) {
        acc v = load(c[i]);
        y[i] = store(power(miss(v), gamma) * v);
    }
}

KERNEL(focal_backward) {
    INPUT(real, c, 0);
    INPUT(real, gradient, 1);
    OUTPUT(real, dc, 2);
    INDEX(n, 3);
    NUMBER(gamma, 4);
    FOR_EACH(i, n) {
        acc v = load(c[i]), m = miss(v);
        acc ratio = m == 0 ? 1 : v / m; // c / (1 - exp(-c)) is 1 at zero.
        acc slope = power(m, gamma) * (1 + gamma * EXP(-v) * ratio);
        dc[i] = store(load(gradient[i]) * slope);
    }
}

// Planes at a place in planes of another size: zeros around, and cut off where they do not fit.
KERNEL(place) {
    INPUT(real, x, 0);
    OUTPUT(real, y, 1);
    INDEX(n, 2);
    INDEX(height, 3);
    INDEX(width, 4);
    DIVISOR(rows, 5);
    DIVISOR(columns, 7);
    INDEX(top, 9);
    INDEX(left, 10);
    FOR_EACH(i, n) {
        index_t line = divided(i, columns), plane = divided(line, rows);
        index_t row = remainder_of(line, plane, rows) - top, column = remainder_of(i, line, columns) - left;
        int within = row >= 0 && row < height && column >= 0 && column < width;
        y[i] = within ? x[(plane * height + row) * width + column] : store(0);
    }
}
