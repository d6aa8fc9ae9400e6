/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ tracker.h — which pages may have changed?                                  │
 * │                                                                            │
 * │ A tracker over-approximates: it may name a page that did not change and    │
 * │ must never leave one out. It works on an ssi_tracked, so that self-tests   │
 * │ can run one on memory of their own.                                        │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSI_TRACKER_H
#define SSI_TRACKER_H

#include "engine.h"
#include "kernel_abi.h"
#include "text.h"

#define SSI_SCAN_RUNS 128u

/* Memory that is scanned with one question; see tracker_wpasync.c. */
typedef struct ssi_range {
    uintptr_t lo, hi;
    uint32_t first, last; /* regions it lies in */
    int sparse;
    int limited; /* ends at idle_to and is scanned up to *idle_from only */
} ssi_range;

typedef struct ssi_tracked {
    const ss_region *regions; /* ascending, disjoint, private and anonymous */
    uint32_t n_regions, n_pages;
    int pagemap; /* /proc/self/pagemap, -1 if it can't be read */
    int no_scan; /* the kernel is older than PAGEMAP_SCAN (Linux 6.7) */
    int uffd, clear_refs; /* the tracker's */
    struct ssi_scan_run *runs; /* SSI_SCAN_RUNS entries */
    ssi_range *ranges;         /* 2 * n_regions entries: the tracker's memory */
    uint32_t n_ranges;
    int may_drop;              /* pages may be dropped (MADV_DONTNEED): no guard refuses it */
    /* Memory in [*idle_from, idle_to) was armed and never used since; *idle_from only grows. NULL: there is none. */
    const uintptr_t *idle_from;
    uintptr_t idle_to;
    uint32_t *dense; /* pages at the start of each region that were there when it was armed (mostly): the tracker's memory */
    /* What can't be written now (quiet.c) need not be looked at: two bytes a region, for its dense pages and the rest. */
    const uint8_t *quiet;
    int quiet_changed;
    uint64_t *seen, *named;    /* a bit a page each, n_pages / 64 + 1 words, zeroed: the tracker's memory */
    uint64_t *some_named;      /* a bit for each word of `named`: likewise */
    uint64_t *present;         /* as `seen`: pages that were in memory when it was armed */
    int marks_empty;           /* empty pages were marked, and look as if they were swapped out; those in `seen` were not empty */
} ssi_tracked;

typedef struct ssi_tracker {
    const char *name;
    int exact; /* names only pages that were written (or dropped) since they were armed */
    int leaves_out_quiet; /* quiet regions cost nothing */
    int sees_drops;       /* notices pages that were dropped (MADV_DONTNEED): without it only under the guard, which refuses that */
    /* Is it there? Opens what it needs. Negative errno: *why says which step. */
    int (*open)(ssi_tracked *tracked, ssi_text *why);
    /* Start tracking all regions: from now on every change is noticed. */
    int (*arm)(ssi_tracked *tracked, ssi_text *why);
    /* Indices of pages that may have changed since they were last re-armed,
     * ascending, into out[n_pages]. rearm: these pages count as unchanged from
     * now on. Returns their number or a negative errno. */
    long (*collect)(ssi_tracked *tracked, int rearm, uint32_t *out);
    void (*close)(ssi_tracked *tracked);
    /* These pages (ascending) count as unchanged from now on. NULL: all at once, with collect. 0 or a negative errno. */
    int (*rearm)(ssi_tracked *tracked, const uint32_t *pages, uint32_t n);
    uint32_t patience; /* checkpoints after which a page that did not change is armed, at first; see predict.c */
    /* Where writes to armed memory fail; NULL where they do not. Somebody who can't repeat a failed write is about to
     * write to [lo, hi), such as the kernel: afterwards it can, and the pages count as written. How many were changed. */
    uint32_t (*open_up)(ssi_tracked *tracked, uintptr_t lo, uintptr_t hi);
    /* A write to this address raised SIGSEGV: is it ours? Then it may be repeated. */
    int (*fault)(uintptr_t address);
} ssi_tracker;

extern const ssi_tracker ssi_tracker_wpasync, ssi_tracker_softdirty, ssi_tracker_mprotect, ssi_tracker_compare;
/* In order of preference, NULL at the end. Not const: tests put broken ones in. */
extern const ssi_tracker *ssi_trackers[];

/* Choose ("auto" or a name), self-test, open and arm. *out is NULL for "none".
 * reason: why others were refused, or why this failed. */
int ssi_tracker_start(ssi_tracked *tracked, const char *name, const ssi_tracker **out, ssi_text *reason);
/* Behavioural self-test on memory of its own. */
int ssi_tracker_self_test(const ssi_tracker *tracker, ssi_text *why);

/* Writes by the kernel to these bytes will not fail because of the tracker. */
static inline uint32_t ssi_tracker_open_up(const ssi_tracker *tracker, ssi_tracked *tracked, uintptr_t lo, uintptr_t hi) {
    return tracker && tracker->open_up ? tracker->open_up(tracked, lo, hi) : 0;
}

/* ---- tracker_pages.c: what trackers have in common ------------------------------------- */

int ssi_pagemap_open(void); /* descriptor or -1 */
/* Entries of n pages from address on. 0, or a negative errno. */
int ssi_pagemap_read(int pagemap, uintptr_t address, uint64_t *entries, uint32_t n);
/* Pages of a region below `end` that are in memory or swapped out, ascending, into out. Their number, or a negative errno. */
long ssi_list_populated(ssi_tracked *tracked, const ss_region *region, uintptr_t end, uint32_t *out);
/* Pages of a region that can be read and are not empty. */
long ssi_list_content(ssi_tracked *tracked, const ss_region *region, uint32_t *out);
/* Does reading a byte there fault? Asks the kernel, so nothing is raised. */
int ssi_is_readable(uintptr_t address);
/* Has the page content of its own that a plain read may look at? No: reads as zeroes or not at all. */
int ssi_page_has_content(uint64_t pagemap_entry, uintptr_t address);
/* First set bit in [from, end), or end. */
uint32_t ssi_next_bit(const uint64_t *bits, uint32_t from, uint32_t end);
/* How many pages at the start of a region are dense: mostly populated, as `seen` says. */
uint32_t ssi_dense_pages(const ssi_tracked *tracked, const ss_region *region);

/* ---- tracker_softdirty.c ------------------------------------------------------------------ */

/* What it needs of the kernel. Not const: tests put an emulation in, since many kernels lack it. */
typedef struct ssi_soft_dirty {
    int (*open)(ssi_tracked *tracked, ssi_text *why);
    int (*clear)(ssi_tracked *tracked); /* all pages count as unwritten from now on */
    int (*read)(ssi_tracked *tracked, uintptr_t address, uint64_t *entries, uint32_t n); /* as ssi_pagemap_read */
    void (*close)(ssi_tracked *tracked);
} ssi_soft_dirty;
extern const ssi_soft_dirty *ssi_soft_dirty_kernel;

#endif
