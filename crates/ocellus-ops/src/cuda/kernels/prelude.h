// Precedes the text of every kernel. The kernels are written in what C and CUDA C++ share, so that
// tests can run them on the processor: `emulation.h` then comes before this.
//
// The host defines REAL_F32, REAL_F64, REAL_F16 or REAL_BF16 (what is stored), and WIDE_INDEX where
// a tensor has so many elements that 32 bits do not count them.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

#ifdef WIDE_INDEX
typedef i64 index_t;
#else
typedef int index_t;
#endif

// Every kernel takes this alone: addresses, integers, and the bits of f64.
struct Params {
    u64 v[32];
};

#ifdef EMULATION
#define DEVICE static inline
#define SHARED static __thread
#else
#pragma nv_diag_suppress 177 // Not every kernel uses every function.
#define DEVICE static __device__ __forceinline__
#define SHARED __shared__
#define BLOCK 256
#define KERNEL(name) extern "C" __global__ void __launch_bounds__(BLOCK) name(const struct Params p)
// A kernel whose threads wait for each other.
#define COOPERATIVE(name) KERNEL(name)

DEVICE double number_of(u64 bits) { return __longlong_as_double((i64)bits); }
DEVICE u64 bits_of_double(double x) { return (u64)__double_as_longlong(x); }
#ifdef REAL_BF16
DEVICE float float_of(u32 bits) { return __uint_as_float(bits); }
DEVICE u32 bits_of(float x) { return __float_as_uint(x); }
#endif
#endif

// ---- what is stored, and what is computed in ----

#if defined(REAL_F64)
typedef double real;
typedef double acc;
DEVICE acc load(real x) { return x; }
DEVICE real store(acc x) { return x; }
#elif defined(REAL_F32)
typedef float real;
typedef float acc;
DEVICE acc load(real x) { return x; }
DEVICE real store(acc x) { return x; }
#elif defined(REAL_BF16)
typedef struct { u16 bits; } real;
typedef float acc;
DEVICE acc load(real x) { return float_of((u32)x.bits << 16); }
DEVICE real store(acc x) {
    real y;
    u32 bits = bits_of(x);
    if (x != x) y.bits = (u16)((bits >> 16) | 64u); // a quiet NaN
    else y.bits = (u16)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16); // to nearest, ties to even
    return y;
}
#elif defined(REAL_F16)
typedef struct { u16 bits; } real;
typedef float acc;
#ifdef EMULATION
DEVICE acc load(real x) {
    u32 sign = (u32)(x.bits & 0x8000u) << 16, exponent = (x.bits >> 10) & 31u, mantissa = x.bits & 1023u;
    if (exponent == 31u) return float_of(sign | 0x7f800000u | (mantissa << 13));
    if (exponent) return float_of(sign | ((exponent + 112u) << 23) | (mantissa << 13));
    float small = (float)mantissa * 5.9604644775390625e-8f; // 2^-24
    return sign ? -small : small;
}
DEVICE real store(acc x) {
    real y;
    u32 bits = bits_of(x), sign = (bits >> 16) & 0x8000u, size = bits & 0x7fffffffu;
    if (size > 0x7f800000u) { y.bits = (u16)(sign | 0x7e00u); return y; }
    if (size >= 0x477ff000u) { y.bits = (u16)(sign | 0x7c00u); return y; } // rounds to infinity
    if (size < 0x38800000u) { // below 2^-14: in steps of 2^-24, to nearest, ties to even
        float steps = float_of(size) * 16777216.f;
        u32 whole = (u32)steps;
        float rest = steps - (float)whole;
        if (rest > 0.5f || (rest == 0.5f && (whole & 1u))) whole++;
        y.bits = (u16)(sign | whole);
        return y;
    }
    size -= 112u << 23;
    y.bits = (u16)(sign | ((size + 0xfffu + ((size >> 13) & 1u)) >> 13));
    return y;
}
#else
DEVICE acc load(real x) {
    acc y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
}
DEVICE real store(acc x) {
    real y;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
    return y;
}
#endif
#else
#error "the type that is stored is not defined"
#endif

// ---- functions of the type that is computed in ----

#ifdef EMULATION
#define INFINITE INFINITY
#else
#define INFINITE __longlong_as_double(0x7ff0000000000000ll)
#endif

#ifdef REAL_F64
#define EXP exp
#define EXPM1 expm1
#define LOG log
#define LOG1P log1p
#define SINH sinh
#define TANH tanh
#define POW pow
#define SQRT sqrt
#define FMA fma
#define ABS fabs
#define COPYSIGN copysign
#else
#define EXP expf
#define EXPM1 expm1f
#define LOG logf
#define LOG1P log1pf
#define SINH sinhf
#define TANH tanhf
#define POW powf
#define SQRT sqrtf
#define FMA fmaf
#define ABS fabsf
#define COPYSIGN copysignf
#endif

// ---- the parameters by name ----

#define INPUT(type, name, at) const type *const name = (const type *)p.v[at]
#define OUTPUT(type, name, at) type *const name = (type *)p.v[at]
#define INDEX(name, at) const index_t name = (index_t)(i64)p.v[at]
#define NUMBER(name, at) const acc name = (acc)number_of(p.v[at])
#define DOUBLE(name, at) const double name = number_of(p.v[at])

// A divisor that is known before: two parameters. A division takes a multiplication and a shift then,
// where otherwise it would take longer than the memory does to give an element.
typedef struct {
    index_t by;
    u32 magic, shift;
} Divisor;
#define DIVISOR(name, at)                                                                          \
    const Divisor name = {(index_t)(i64)p.v[at], (u32)p.v[(at) + 1], (u32)(p.v[(at) + 1] >> 32)}
DEVICE index_t divided(index_t i, Divisor d) {
#ifdef WIDE_INDEX
    return i / d.by;
#else
    return (index_t)(((u64)(u32)i * d.magic) >> d.shift);
#endif
}
DEVICE index_t remainder_of(index_t i, index_t quotient, Divisor d) { return i - quotient * d.by; }

// The elements of this thread, of n that all threads of all blocks share.
#define FOR_EACH(i, n)                                                                             \
    for (index_t i = (index_t)blockIdx.x * (index_t)blockDim.x + (index_t)threadIdx.x; i < (n);    \
         i += (index_t)gridDim.x * (index_t)blockDim.x)

// `slots` of the lanes of a group put together by `take(a, b)`, always in the same order; every lane
// gets the result. A group is a power of two of neighboring threads, the whole block at most; all
// threads of the block must come here, and `lanes` must be the same for all.
#define GROUP(value, slots, lanes, TAKE)                                                           \
    do {                                                                                           \
        if ((lanes) > 1) {                                                                         \
            const u32 in_group = threadIdx.x % (u32)(lanes);                                       \
            slots[threadIdx.x] = (value);                                                          \
            __syncthreads();                                                                       \
            for (u32 half = (u32)(lanes) / 2; half > 0; half /= 2) {                               \
                if (in_group < half)                                                               \
                    slots[threadIdx.x] = TAKE(slots[threadIdx.x], slots[threadIdx.x + half]);      \
                __syncthreads();                                                                   \
            }                                                                                      \
            (value) = slots[threadIdx.x - in_group];                                               \
            __syncthreads();                                                                       \
        }                                                                                          \
    } while (0)
#define TAKE_SUM(a, b) ((a) + (b))
#define TAKE_LARGER(a, b) ((b) > (a) ? (b) : (a))
#define GROUP_SUM(value, slots, lanes) GROUP(value, slots, lanes, TAKE_SUM)
#define GROUP_MAX(value, slots, lanes) GROUP(value, slots, lanes, TAKE_LARGER)
#define BLOCK_SUM(value, slots) GROUP(value, slots, blockDim.x, TAKE_SUM)
