/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ polynomial.h — hashes that can be joined: polynomials over the field of    │
 * │ 2^127 - 1, evaluated at one point.                                         │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSB_POLYNOMIAL_H
#define SSB_POLYNOMIAL_H

#include <stdint.h>

typedef struct sum {
    uint64_t low, high;
} sum;

typedef unsigned __int128 u128;
#define PRIME (((u128)1 << 127) - 1)

/* The point. */
static const sum X = {UINT64_C(0x8c3f5a1de96b7245), UINT64_C(0x3b97d264c01fae85)};

static inline u128 join(sum s) { return (u128)s.high << 64 | s.low; }
static inline sum split(u128 v) { return (sum){(uint64_t)v, (uint64_t)(v >> 64)}; }

static inline u128 reduce(u128 v)
{
    v = (v & PRIME) + (v >> 127);
    return v >= PRIME ? v - PRIME : v;
}

static inline sum multiply(sum a, sum b)
{
    u128 low = (u128)a.low * b.low, cross_a = (u128)a.high * b.low, cross_b = (u128)a.low * b.high;
    u128 high = (u128)a.high * b.high; /* below 2^126 */
    u128 middle = (low >> 64) + (uint64_t)cross_a + (uint64_t)cross_b;
    u128 bottom = middle << 64 | (uint64_t)low;
    u128 top = high + (cross_a >> 64) + (cross_b >> 64) + (middle >> 64);
    /* top * 2^128 + bottom, and 2^128 = 2 */
    return split(reduce(reduce(bottom) + reduce(reduce(top) * 2)));
}

static inline sum add(sum a, sum b) { return split(reduce(join(a) + join(b))); }

#endif
