/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ arch_aarch64.h — what C code must know about AArch64 on Linux.             │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSI_ARCH_AARCH64_H
#define SSI_ARCH_AARCH64_H

#include <linux/audit.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#include "kernel_abi.h"
#include "syscall.h"

#define SSI_AUDIT_ARCH AUDIT_ARCH_AARCH64
#define SSI_RSEQ_SIGNATURE SSI_RSEQ_SIGNATURE_AARCH64

static inline void *ssi_arch_stack_make(uintptr_t hi, void (*entry)(void)) {
    uint64_t *s = (uint64_t *)((hi & ~(uintptr_t)63) - 176);
    memset(s, 0, 176);
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    s[0] = fpcr;
    s[13] = (uint64_t)entry; /* x30: ssi_swap returns into entry */
    return s;
}

static inline uintptr_t ssi_arch_tls(void) {
    uintptr_t tls;
    __asm__ volatile("mrs %0, tpidr_el0" : "=r"(tls));
    return tls;
}
static inline void ssi_arch_set_tls(uintptr_t tls, int fast) {
    (void)fast;
    __asm__ volatile("msr tpidr_el0, %0" ::"r"(tls) : "memory");
}
static inline int ssi_arch_fast_tls(void) { return 1; }
static inline int ssi_arch_can_switch_stacks(void) { return 1; }

static inline long ssi_arch_argument(const ucontext_t *u, int i) { return (long)u->uc_mcontext.regs[i]; }
static inline void ssi_arch_set_result(ucontext_t *u, long result) { u->uc_mcontext.regs[0] = (uint64_t)result; }
static inline uintptr_t ssi_arch_sp(const ucontext_t *u) { return (uintptr_t)u->uc_mcontext.sp; }

#endif
