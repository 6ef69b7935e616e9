// Maxima of windows, and means of planes. `spans` hold (start, length) of the windows along an axis,
// `covers` (first, count) of the windows that may hold an element.

typedef struct {
    index_t plane, row, column;
} Place;

DEVICE Place place_of(index_t i, Divisor rows, Divisor columns) {
    Place at;
    index_t line = divided(i, columns);
    at.column = remainder_of(i, line, columns);
    at.plane = divided(line, rows);
    at.row = remainder_of(line, at.plane, rows);
    return at;
}

// The maximum of each window; of equal ones the first, and a NaN wins.
#define MAX_FORWARD(name, Offset, KEEP)                                                            \
    KERNEL(name) {                                                                                 \
        INPUT(real, x, 0);                                                                         \
        INPUT(u32, row_spans, 1);                                                                  \
        INPUT(u32, column_spans, 2);                                                               \
        OUTPUT(real, y, 3);                                                                        \
        OUTPUT(Offset, offsets, 4);                                                                \
        INDEX(n, 5);                                                                               \
        INDEX(height, 6);                                                                          \
        INDEX(width, 7);                                                                           \
        DIVISOR(rows, 8);                                                                          \
        DIVISOR(columns, 10);                                                                        \
        INDEX(down, 12);  /* elements between neighbors of a window */                             \
        INDEX(right, 13);                                                                          \
        INDEX(pitch, 14); /* columns of a full window */                                           \
        FOR_EACH(i, n) {                                                                           \
            Place at = place_of(i, rows, columns);                                                 \
            index_t row_count = row_spans[2 * at.row + 1];                                         \
            index_t column_count = column_spans[2 * at.column + 1];                                \
            const real *from = x + at.plane * height * width                                       \
                + (index_t)row_spans[2 * at.row] * width + column_spans[2 * at.column];            \
            acc best = load(from[0]);                                                              \
            index_t offset = 0;                                                                    \
            for (index_t row = 0; row < row_count; row++)                                          \
                for (index_t column = 0; column < column_count; column++) {                        \
                    acc value = load(from[row * down + column * right]);                           \
                    if (value > best || value != value) {                                          \
                        best = value;                                                              \
                        offset = row * pitch + column;                                             \
                    }                                                                              \
                }                                                                                  \
            y[i] = store(best);                                                                    \
            if (KEEP) offsets[i] = (Offset)offset;                                                 \
        }                                                                                          \
    }

// The gradient of each element: those of the windows whose maximum it is, in their order.
#define MAX_BACKWARD(name, Offset)                                                                 \
    KERNEL(name) {                                                                                 \
        INPUT(real, gradient, 0);                                                                  \
        INPUT(Offset, offsets, 1);                                                                 \
        INPUT(u32, row_spans, 2);                                                                  \
        INPUT(u32, column_spans, 3);                                                               \
        INPUT(u32, row_covers, 4);                                                                 \
        INPUT(u32, column_covers, 5);                                                              \
        OUTPUT(real, dx, 6);                                                                       \
        INDEX(n, 7);                                                                               \
        DIVISOR(height, 8);                                                                        \
        DIVISOR(width, 10);                                                                        \
        INDEX(rows, 12);                                                                           \
        INDEX(columns, 13);                                                                        \
        INDEX(row_step, 14); /* rows and columns between neighbors of a window */                  \
        INDEX(column_step, 15);                                                                    \
        INDEX(pitch, 16);                                                                          \
        FOR_EACH(i, n) {                                                                           \
            Place at = place_of(i, height, width);                                                 \
            index_t first_row = row_covers[2 * at.row], end_row = first_row + row_covers[2 * at.row + 1];\
            index_t first = column_covers[2 * at.column], end = first + column_covers[2 * at.column + 1];\
            acc sum = 0;                                                                           \
            for (index_t row = first_row; row < end_row; row++)                                    \
                for (index_t column = first; column < end; column++) {                             \
                    index_t window = (at.plane * rows + row) * columns + column;                   \
                    index_t offset = offsets[window];                                              \
                    if ((index_t)row_spans[2 * row] + offset / pitch * row_step == at.row          \
                        && (index_t)column_spans[2 * column] + offset % pitch * column_step == at.column) \
                        sum += load(gradient[window]);                                             \
                }                                                                                  \
            dx[i] = store(sum);                                                                    \
        }                                                                                          \
    }

MAX_FORWARD(max_forward, u8, 0)
MAX_FORWARD(max_forward_bytes, u8, 1)
MAX_FORWARD(max_forward_words, u32, 1)
MAX_BACKWARD(max_backward_bytes, u8)
MAX_BACKWARD(max_backward_words, u32)

// The mean of each plane, of a group of lanes.
COOPERATIVE(plane_means) {
    SHARED double slots[BLOCK];
    INPUT(real, x, 0);
    OUTPUT(real, y, 1);
    INDEX(planes, 2);
    INDEX(size, 3);
    INDEX(lanes, 4);
    const index_t groups = (index_t)blockDim.x / lanes, lane = (index_t)threadIdx.x % lanes;
    for (index_t first = (index_t)blockIdx.x * groups; first < planes; first += (index_t)gridDim.x * groups) {
        const index_t plane = first + (index_t)threadIdx.x / lanes;
        double sum = 0;
        if (plane < planes) {
            // Few elements together, so that the sum in single precision stays exact enough.
            for (index_t from = lane; from < size; from += 16 * lanes) {
                acc part = 0;
                for (index_t j = from; j < size && j < from + 16 * lanes; j += lanes)
                    part += load(x[plane * size + j]);
                sum += part;
            }
        }
        GROUP_SUM(sum, slots, lanes);
        if (plane < planes && lane == 0) y[plane] = store((acc)(sum / (double)size));
    }
}

KERNEL(plane_means_backward) {
    INPUT(real, gradient, 0);
    OUTPUT(real, dx, 1);
    INDEX(n, 2);
    DIVISOR(size, 3);
    FOR_EACH(i, n) { dx[i] = store(load(gradient[divided(i, size)]) / (acc)size.by); }
}
