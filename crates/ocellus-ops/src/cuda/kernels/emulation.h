// Runs kernels on the processor, for tests: block by block, and the threads of a block in turns from
// barrier to barrier, in an order that changes from turn to turn, so that a race shows.

#define _GNU_SOURCE
#define EMULATION
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define BLOCK 256
#define STACK 65536

struct Index { unsigned int x; };
static __thread struct Index threadIdx, blockIdx, blockDim, gridDim;
static __thread ucontext_t turn, contexts[BLOCK];
static __thread char *stacks;
static __thread unsigned char finished[BLOCK];
static __thread int cooperative, misuse;
static __thread unsigned int turns;

struct Params;
typedef void kernel_t(const struct Params p);
static void start(void);

static void __syncthreads(void) {
    if (!cooperative) { misuse = 1; return; }
    unsigned int me = threadIdx.x;
    swapcontext(&contexts[me], &turn);
    threadIdx.x = me;
}

static inline double number_of(unsigned long long bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
static inline unsigned long long bits_of_double(double x) {
    unsigned long long bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
static inline float float_of(unsigned int bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
static inline unsigned int bits_of(float x) {
    unsigned int bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static void emulate(kernel_t *kernel, const struct Params *p);
static void emulate_in_turns(kernel_t *kernel, const struct Params *p);

#define LAUNCHER(name, run)                                                                        \
    static void name(const struct Params p);                                                       \
    int launch_##name(const struct Params *p, unsigned int grid, unsigned int block) {             \
        if (block > BLOCK) return 2;                                                               \
        gridDim.x = grid;                                                                          \
        blockDim.x = block;                                                                        \
        misuse = 0;                                                                                \
        run(name, p);                                                                              \
        return misuse;                                                                             \
    }                                                                                              \
    static void name(const struct Params p)
#define KERNEL(name) LAUNCHER(name, emulate)
#define COOPERATIVE(name) LAUNCHER(name, emulate_in_turns)
