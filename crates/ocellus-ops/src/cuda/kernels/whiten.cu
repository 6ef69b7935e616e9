// Triangular systems of many places: the rows of a factor one behind the other.

// A group of lanes solves a system, row by row, each with what was solved before.
COOPERATIVE(whiten) {
    SHARED double slots[BLOCK];
    INPUT(real, x, 0); // (batch, places, size)
    INPUT(real, mean, 1);
    INPUT(real, factors, 2);
    OUTPUT(real, y, 3);
    OUTPUT(real, squared, 4);
    INDEX(systems, 5);
    DIVISOR(batch, 6);
    INDEX(places, 8);
    INDEX(size, 9);
    INDEX(lanes, 10);
    const index_t groups = (index_t)blockDim.x / lanes, lane = (index_t)threadIdx.x % lanes;
    for (index_t first = (index_t)blockIdx.x * groups; first < systems; first += (index_t)gridDim.x * groups) {
        const index_t system = first + (index_t)threadIdx.x / lanes;
        const int there = system < systems;
        // The images of a place are neighbors: they read the same factor.
        const index_t place = divided(system, batch), image = remainder_of(system, place, batch);
        const index_t at = image * places + place;
        const real *right = x + at * size, *center = mean + place * size;
        const real *factor = factors + place * (size * (size + 1) / 2);
        real *solved = y + at * size;
        double length = 0;
        for (index_t i = 0; i < size; i++) {
            const real *row = factor + i * (i + 1) / 2;
            acc part = 0;
            if (there)
                for (index_t j = lane; j < i; j += lanes) part += load(row[j]) * load(solved[j]);
            double sum = part;
            GROUP_SUM(sum, slots, lanes);
            if (there && lane == 0) {
                double v = ((double)load(right[i]) - (double)load(center[i]) - sum) / (double)load(row[i]);
                solved[i] = store((acc)v);
                length += v * v;
            }
            __syncthreads();
        }
        if (there && lane == 0) squared[at] = store((acc)length);
    }
}
