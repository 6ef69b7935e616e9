// rows * x * columns^T of every plane, where the matrices are bands: means of windows, interpolation,
// and the gradients of both. Of each output along an axis `bands` hold (first input, first weight,
// count), `weights` the weights.

#define SEPARABLE(name, total_t)                                                                   \
    KERNEL(name) {                                                                                 \
        INPUT(real, x, 0);                                                                         \
        INPUT(u32, row_bands, 1);                                                                  \
        INPUT(acc, row_weights, 2);                                                                \
        INPUT(u32, column_bands, 3);                                                               \
        INPUT(acc, column_weights, 4);                                                             \
        OUTPUT(real, y, 5);                                                                        \
        INDEX(n, 6);                                                                               \
        INDEX(height, 7);                                                                          \
        INDEX(width, 8);                                                                           \
        DIVISOR(rows, 9);                                                                         \
        DIVISOR(columns, 11);                                                                     \
        FOR_EACH(i, n) {                                                                           \
            index_t line = divided(i, columns), plane = divided(line, rows);                       \
            index_t column = remainder_of(i, line, columns), row = remainder_of(line, plane, rows); \
            const u32 *down = row_bands + 3 * row, *right = column_bands + 3 * column;             \
            const real *from = x + (plane * height + (index_t)down[0]) * width + right[0];         \
            total_t total = 0;                                                                     \
            for (index_t r = 0; r < (index_t)down[2]; r++) {                                       \
                acc sum = 0;                                                                       \
                for (index_t c = 0; c < (index_t)right[2]; c++)                                    \
                    sum += column_weights[right[1] + c] * load(from[r * width + c]);               \
                total += (total_t)row_weights[down[1] + r] * sum;                                  \
            }                                                                                      \
            y[i] = store((acc)total);                                                              \
        }                                                                                          \
    }

SEPARABLE(separable, acc)
// For large windows: their sums would round.
SEPARABLE(separable_wide, double)
