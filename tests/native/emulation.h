/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ emulation.h — what trackers need that the guard or a kernel would provide. │
 * │                                                                            │
 * │ Soft-dirty bits are emulated where the kernel has none: by write           │
 * │ protection in asynchronous mode, of the tracked memory only. Everything    │
 * │ but two calls of the tracker then runs as it does on a kernel with them.   │
 * │ The handler of first writes stands in for the guard's.                     │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef EMULATION_H
#define EMULATION_H

#include "harness.h"

#define PAGE_IS_PFNZERO (1u << 5)

/* Pages of [lo, hi) that were written since they were protected; protect: they are from now on. */
static inline int scan_written(ssi_tracked *t, uintptr_t lo, uintptr_t hi, int protect, uint64_t *entries) {
    for (uint64_t at = lo; at < hi;) {
        struct ssi_scan_arg arg = {.size = sizeof arg, .flags = protect ? SSI_PM_SCAN_WP_MATCHING : 0, .start = at, .end = hi,
                                   .vec = (uint64_t)(uintptr_t)t->runs, .vec_len = SSI_SCAN_RUNS,
                                   .category_mask = SSI_PAGE_IS_WRITTEN, .category_anyof_mask = SSI_PAGE_IS_PRESENT | SSI_PAGE_IS_SWAPPED,
                                   .return_mask = SSI_PAGE_IS_WRITTEN | PAGE_IS_PFNZERO};
        long n = SSI_SYSCALL(SYS_ioctl, t->pagemap, SSI_PAGEMAP_SCAN, &arg);
        if (n < 0) return (int)n;
        for (long i = 0; entries && i < n; i++)
            for (uint64_t page = t->runs[i].start; page < t->runs[i].end; page += SS_PAGE)
                /* Reading an empty page maps the page of zeroes, and sets no soft-dirty bit. */
                if (!(t->runs[i].categories & PAGE_IS_PFNZERO)) entries[(page - lo) / SS_PAGE] |= SSI_PAGEMAP_SOFT_DIRTY;
        uint64_t seen = n ? t->runs[n - 1].end : 0;
        at = arg.walk_end > seen ? arg.walk_end : seen;
    }
    return 0;
}

static inline int emulated_clear(ssi_tracked *t) {
    for (uint32_t i = 0; i < t->n_regions; i++) {
        const ss_region *r = &t->regions[i];
        struct uffdio_register reg = {.range = {.start = r->lo, .len = r->hi - r->lo}, .mode = UFFDIO_REGISTER_MODE_WP};
        long rc = t->clear_refs < 0 ? SSI_SYSCALL(SYS_ioctl, t->uffd, UFFDIO_REGISTER, &reg) : 0;
        if (rc >= 0) rc = scan_written(t, r->lo, r->hi, 1, NULL);
        if (rc < 0) return (int)rc;
    }
    t->clear_refs = t->uffd; /* all is registered */
    return 0;
}

static inline int emulated_read(ssi_tracked *t, uintptr_t address, uint64_t *entries, uint32_t n) {
    int rc = ssi_pagemap_read(t->pagemap, address, entries, n);
    for (uint32_t i = 0; i < n; i++) entries[i] &= ~SSI_PAGEMAP_SOFT_DIRTY;
    return rc || t->clear_refs < 0 ? rc : scan_written(t, address, address + (uintptr_t)n * SS_PAGE, 0, entries);
}

static inline int emulated_open(ssi_tracked *t, ssi_text *why) {
    t->clear_refs = -1;
    return ssi_tracker_wpasync.open(t, why);
}

static inline void emulated_close(ssi_tracked *t) {
    t->clear_refs = -1;
    ssi_tracker_wpasync.close(t);
}

static inline void emulate_soft_dirty(void) {
    static const ssi_soft_dirty emulated = {emulated_open, emulated_clear, emulated_read, emulated_close};
    ssi_soft_dirty_kernel = &emulated;
}

static inline const ssi_tracker *tracker_named(const char *name) {
    emulate_soft_dirty();
    for (const ssi_tracker **t = ssi_trackers; *t; t++)
        if (!strcmp((*t)->name, name)) return *t;
    ssi_panic("no such tracker");
}

static inline void on_first_write(int signal, siginfo_t *info, void *context) {
    (void)context;
    if (info->si_code == SEGV_ACCERR && ssi_tracker_mprotect.fault((uintptr_t)info->si_addr)) return;
    struct sigaction by_default = {.sa_handler = SIG_DFL};
    sigaction(signal, &by_default, NULL);
}

/* The stack must not be tracked memory. */
static inline void handle_first_writes(void *stack, size_t bytes) {
    struct sigaction action = {.sa_sigaction = on_first_write, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
    stack_t own = {.ss_sp = stack, .ss_size = bytes};
    CHECK(sigaltstack(&own, NULL) == 0 && sigaction(SIGSEGV, &action, NULL) == 0);
}

#endif
