// Follows the prelude, which defines the parameters.

static void emulate(kernel_t *kernel, const struct Params *p) {
    cooperative = 0;
    for (blockIdx.x = 0; blockIdx.x < gridDim.x; blockIdx.x++)
        for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x++) kernel(*p);
}

static __thread kernel_t *current;
static __thread const struct Params *parameters;

static void start(void) {
    unsigned int me = threadIdx.x;
    current(*parameters);
    finished[me] = 1;
    swapcontext(&contexts[me], &turn);
}

static void emulate_in_turns(kernel_t *kernel, const struct Params *p) {
    cooperative = 1;
    current = kernel;
    parameters = p;
    if (!stacks) stacks = malloc((size_t)BLOCK * STACK);
    for (unsigned int block = 0; block < gridDim.x; block++) {
        blockIdx.x = block;
        for (unsigned int i = 0; i < blockDim.x; i++) {
            getcontext(&contexts[i]);
            contexts[i].uc_stack.ss_sp = stacks + (size_t)i * STACK;
            contexts[i].uc_stack.ss_size = STACK;
            contexts[i].uc_link = 0;
            makecontext(&contexts[i], start, 0);
            finished[i] = 0;
        }
        for (unsigned int left = blockDim.x; left > 0;) {
            unsigned int ended = 0, shift = turns++ * 37u % blockDim.x;
            for (unsigned int i = 0; i < blockDim.x; i++) {
                unsigned int at = (turns & 1u ? blockDim.x - 1 - i : i) + shift;
                at %= blockDim.x;
                threadIdx.x = at;
                swapcontext(&turn, &contexts[at]);
                ended += finished[at];
            }
            // Threads that end while others wait: on a GPU those would wait forever.
            if (ended != 0 && ended != blockDim.x) { misuse = 1; return; }
            if (ended) left = 0;
        }
    }
}
