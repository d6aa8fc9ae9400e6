/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ asan.h — what the engine does for AddressSanitizer, in tests only.         │
 * │                                                                            │
 * │ The gaps between the tables of an arena are poisoned, so whatever runs     │
 * │ over the end of one is noticed. Shadow memory is no memory of the program: │
 * │ it is neither tracked nor rewound, and says of stacks that were rewound    │
 * │ what was true later; so they are made good after each restore.             │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSI_ASAN_H
#define SSI_ASAN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __SANITIZE_ADDRESS__

#include <sanitizer/asan_interface.h>

#define SSI_ASAN_GAP 4096u
#define SSI_READS_ANYTHING __attribute__((no_sanitize_address))

static inline void ssi_asan_poison(const void *at, size_t bytes) { __asan_poison_memory_region(at, bytes); }
static inline void ssi_asan_unpoison(const void *at, size_t bytes) { __asan_unpoison_memory_region(at, bytes); }

/* On x86-64 and aarch64 alike it begins where the shadow of address 0 is, and is an eighth of the address space. */
static inline int ssi_asan_is_shadow(uintptr_t lo) {
    size_t scale, offset;
    __asan_get_shadow_mapping(&scale, &offset);
    return lo >= offset - 4096 && lo < offset + ((uintptr_t)1 << 47 >> scale);
}

#else

#define SSI_ASAN_GAP 0u
#define SSI_READS_ANYTHING

static inline void ssi_asan_poison(const void *at, size_t bytes) { (void)at, (void)bytes; }
static inline void ssi_asan_unpoison(const void *at, size_t bytes) { (void)at, (void)bytes; }
static inline int ssi_asan_is_shadow(uintptr_t lo) { return (void)lo, 0; }

#endif
#endif
