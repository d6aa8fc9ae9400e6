/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ arch_x86_64.h — what C code must know about x86-64 on Linux with glibc.    │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSI_ARCH_X86_64_H
#define SSI_ARCH_X86_64_H

#include <asm/prctl.h>
#include <linux/audit.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <ucontext.h>

#include "kernel_abi.h"
#include "syscall.h"

#define SSI_AUDIT_ARCH AUDIT_ARCH_X86_64
#define SSI_RSEQ_SIGNATURE SSI_RSEQ_SIGNATURE_X86
#define SSI_HWCAP2_FSGSBASE 2ul

static inline void *ssi_arch_stack_make(uintptr_t hi, void (*entry)(void)) {
    uintptr_t *s = (uintptr_t *)(hi & ~(uintptr_t)63);
    *--s = 0; /* where entry would return to */
    *--s = (uintptr_t)entry;
    for (int i = 0; i < 6; i++) *--s = 0;
    struct {
        uint32_t mxcsr;
        uint16_t x87, unused;
    } control = {0, 0, 0};
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(control.mxcsr), "=m"(control.x87));
    control.mxcsr &= ~0x3fu; /* exception flags of the creator are not the new thread's */
    memcpy(--s, &control, sizeof control);
    return s;
}

/* The thread control block starts with its own address. */
static inline uintptr_t ssi_arch_tls(void) {
    uintptr_t tls;
    __asm__ volatile("mov %%fs:0, %0" : "=r"(tls));
    return tls;
}

/* fast: user-mode FSGSBASE is there (Linux >= 5.9). */
static inline void ssi_arch_set_tls(uintptr_t tls, int fast) {
    if (fast)
        __asm__ volatile("wrfsbase %0" ::"r"(tls) : "memory");
    else
        SSI_SYSCALL(SYS_arch_prctl, ARCH_SET_FS, tls);
}

static inline int ssi_arch_fast_tls(void) { return (getauxval(AT_HWCAP2) & SSI_HWCAP2_FSGSBASE) != 0; }

/* Shadow stacks make a plain stack switch a control-protection fault. */
static inline int ssi_arch_can_switch_stacks(void) {
    uint64_t features = 0;
    long rc = SSI_SYSCALL(SYS_arch_prctl, SSI_ARCH_SHSTK_STATUS, &features);
    return rc < 0 || !(features & SSI_ARCH_SHSTK_ENABLED);
}

static inline long ssi_arch_argument(const ucontext_t *u, int i) {
    static const int registers[6] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};
    return (long)u->uc_mcontext.gregs[registers[i]];
}
static inline void ssi_arch_set_result(ucontext_t *u, long result) { u->uc_mcontext.gregs[REG_RAX] = result; }
static inline uintptr_t ssi_arch_sp(const ucontext_t *u) { return (uintptr_t)u->uc_mcontext.gregs[REG_RSP]; }

#endif
