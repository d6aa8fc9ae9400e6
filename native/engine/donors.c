/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ donors.c — parked pthreads whose identity simulated threads borrow.        │
 * │                                                                            │
 * │ A donor is a real pthread with a stack of ours. It blocks every signal and │
 * │ waits for ever in a raw system call: its kernel thread never runs again, and a │
 * │ simulated thread may use the stack below its frame and its thread pointer. │
 * │ To every library that thread then *is* the pthread.                        │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>

#include "arch.h"
#include "engine_internal.h"

#define MIN_STACK ((size_t)64 << 10)
#define DEFAULT_STACK ((size_t)8 << 20)
#define RED_ZONE 128u     /* a function that calls none may use so much below the stack pointer */
#define FRAME_ROOM 1024u /* the donor's own frames below the address it reports */

typedef struct start {
    ssi_donor *donor;
    _Atomic uint32_t parked;
} start;

/* The kernel writes the rseq area of a running thread at any time: memory that
 * changes by itself can't be compared. glibc publishes where it is since 2.35. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

void ssi_rseq_unregister(void) {
    if (!&__rseq_offset || !&__rseq_size || !__rseq_size) return;
    uintptr_t area = ssi_arch_tls() + (uintptr_t)__rseq_offset;
    /* The length must be that of the registration; later glibc reports the used part only. */
    const unsigned int lengths[] = {32, __rseq_size, (__rseq_size + 31) / 32 * 32};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        if (SSI_SYSCALL(SYS_rseq, area, lengths[i], SSI_RSEQ_FLAG_UNREGISTER, SSI_RSEQ_SIGNATURE) == 0) return;
}

static _Noreturn void wait_for_ever(void) {
    for (;;) SSI_SYSCALL(SYS_ppoll, NULL, 0, NULL, NULL, 0); /* pause(), but every architecture has it */
}

static void *park(void *argument) {
    start *s = argument;
    s->donor->hi = ((uintptr_t)__builtin_frame_address(0) - FRAME_ROOM) & ~(uintptr_t)63;
    s->donor->tls = ssi_arch_tls();
    ssi_rseq_unregister();
    atomic_store(&s->parked, 1);
    SSI_SYSCALL(SYS_futex, &s->parked, FUTEX_WAKE, 1);
    wait_for_ever();
}

static int create_one(ssi_donor *donor, size_t stack_bytes) {
    start s = {donor, 0};
    pthread_attr_t attributes;
    pthread_t thread;
    int rc = pthread_attr_init(&attributes);
    if (rc) return -rc;
    rc = pthread_attr_setstack(&attributes, (void *)donor->lo, stack_bytes - SS_PAGE);
    if (!rc) rc = pthread_create(&thread, &attributes, park, &s);
    pthread_attr_destroy(&attributes);
    if (rc) return -rc;
    while (!atomic_load(&s.parked)) SSI_SYSCALL(SYS_futex, &s.parked, FUTEX_WAIT, 0, NULL);
    return 0;
}

static ss_arena *stacks_of; /* set before the base snapshot */

void ssi_stack_is_used(uintptr_t hi) {
    ss_arena *arena = stacks_of;
    if (!arena || hi <= arena->stacks_used || hi > arena->stacks_hi) return;
    size_t slots = (hi - arena->stacks_lo + arena->stack_bytes - 1) / arena->stack_bytes;
    arena->stacks_used = arena->stacks_lo + slots * arena->stack_bytes;
}

/* What calls that returned have left below the stack pointer decides nothing. Cleared, it is neither stored nor restored,
 * and slots that a later C function does not write don't show what ran before. Below the first page of zeros nothing
 * was written since the last time, or it was by a call that skipped a page: traces that stay harm nobody. */
void ssi_stack_clear_unused(const ss_arena *arena, uintptr_t sp) {
    if (sp <= arena->stacks_lo || sp > arena->stacks_hi) return;
    uintptr_t lo = sp - (sp - 1 - arena->stacks_lo) % arena->stack_bytes - 1 + SS_PAGE; /* above the guard page */
    if (sp < lo + SS_PAGE + RED_ZONE) return;
    uintptr_t end = sp - RED_ZONE, page = end / SS_PAGE * SS_PAGE;
    if (end > page) memset((void *)page, 0, end - page);
    while (page > lo && !ssi_page_is_zero((const void *)(page - SS_PAGE))) {
        page -= SS_PAGE;
        memset((void *)page, 0, SS_PAGE);
    }
}

/* One mapping for all stacks, between two inaccessible pages: the kernel would
 * merge it with a neighbour of the same kind. */
static int map_stacks(ss_arena *arena, size_t bytes) {
    long at = SSI_SYSCALL(SYS_mmap, NULL, bytes + 2 * SS_PAGE, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (at < 0 && at > -4096) return (int)at;
    uintptr_t lo = (uintptr_t)at + SS_PAGE;
    int rc = (int)SSI_SYSCALL(SYS_mprotect, lo, bytes, PROT_READ | PROT_WRITE);
    if (rc) return rc;
    SSI_SYSCALL(SYS_madvise, lo, bytes, MADV_NOHUGEPAGE);
    arena->stacks_lo = lo;
    arena->stacks_hi = lo + bytes;
    arena->stacks_used = lo + arena->stack_bytes;
    stacks_of = arena;
    return 0;
}

/* Overflowing a stack must fault. A guard region (Linux 6.13) leaves the stacks
 * in one mapping, and every scan for dirty pages pays per mapping. */
static int guard_page(uintptr_t at) {
    if (SSI_SYSCALL(SYS_madvise, at, SS_PAGE, MADV_GUARD_INSTALL) == 0) return 0;
    return (int)SSI_SYSCALL(SYS_mprotect, at, SS_PAGE, PROT_NONE);
}

int ss_donors_create(ss_arena *arena, uint32_t n, size_t stack_bytes) {
    if (n >= SS_MAX_THREADS || stack_bytes < MIN_STACK || stack_bytes % SS_PAGE) return -EINVAL;
    if (arena->stacks_lo || arena->begun) return -EBUSY;
    if (!ssi_arch_can_switch_stacks())
        return ssi_fail(arena, -ENOTSUP, "shadow stacks (CET) are on: disable them with GLIBC_TUNABLES=glibc.cpu.x86_shstk=off");
    arena->stack_bytes = stack_bytes;
    int rc = map_stacks(arena, (n + 1) * stack_bytes);
    if (rc) return ssi_fail(arena, rc, "no address space for the stacks of simulated threads");

    uint64_t all = ~UINT64_C(0), old; /* donors inherit: they never run a handler */
    SSI_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof all);
    for (uint32_t i = 0; i <= n && !rc; i++) {
        uintptr_t lo = arena->stacks_lo + i * stack_bytes;
        ssi_donor *stack = i ? &arena->donors[i - 1] : &arena->main_stack;
        rc = guard_page(lo);
        stack->lo = lo + SS_PAGE;
        stack->hi = lo + stack_bytes;
        if (!rc && i) rc = create_one(stack, stack_bytes);
        if (!rc && i) arena->n_donors++;
    }
    SSI_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof old);
    return rc ? ssi_fail(arena, rc, "a donor thread could not be created") : 0;
}

int ss_donor_stack(ss_arena *arena, uint32_t i, uintptr_t *lo, uintptr_t *hi, uintptr_t *tls) {
    if (i >= arena->n_donors) return -EINVAL;
    *lo = arena->donors[i].lo;
    *hi = arena->donors[i].hi;
    *tls = arena->donors[i].tls;
    return 0;
}

int ss_main_stack(ss_arena *arena, uintptr_t *lo, uintptr_t *hi) {
    if (!arena->stacks_lo) { /* no other threads wanted */
        int rc = ss_donors_create(arena, 0, DEFAULT_STACK);
        if (rc) return rc;
    }
    *lo = arena->main_stack.lo;
    *hi = arena->main_stack.hi;
    return 0;
}

void ss_call_on_main_stack(ss_arena *arena, void (*entry)(void)) { ssi_call_on(arena->main_stack.hi, entry); }
