/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ hash.c — XXH3 as lent by the xxhash package.                               │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "engine_internal.h"

typedef uint64_t hash64_function(const void *, size_t);
typedef ssi_hash128 hash128_function(const void *, size_t);

static hash64_function *hash64;
static hash128_function *hash128;

int ss_set_hash(void *xxh3_64, void *xxh3_128) {
    if (!xxh3_64 || !xxh3_128) return -EINVAL;
    hash64_function *f64 = (hash64_function *)(uintptr_t)xxh3_64;
    hash128_function *f128 = (hash128_function *)(uintptr_t)xxh3_128;
    /* Published values of the empty input: catches a wrong or swapped function. */
    ssi_hash128 empty = f128("", 0);
    if (f64("", 0) != UINT64_C(0x2d06800538d394c2) || empty.low != UINT64_C(0x6001c324468d497f) ||
        empty.high != UINT64_C(0x99aa06d3014798d8))
        return -EINVAL;
    hash64 = f64;
    hash128 = f128;
    return 0;
}

int ssi_hash_is_set(void) { return hash64 != NULL; }
uint64_t ssi_hash64(const void *data, size_t bytes) { return hash64(data, bytes); }
ssi_hash128 ssi_hash128_of(const void *data, size_t bytes) { return hash128(data, bytes); }
