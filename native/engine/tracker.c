/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ tracker.c — the list of trackers, their self-test, and choosing one.       │
 * │                                                                            │
 * │ Kernels accept flags they do not honour (soft-dirty can be "cleared" where │
 * │ it does not exist), and sandboxes refuse calls: a tracker is trusted only  │
 * │ after it noticed writes, reads into memory and dropped pages, here, now.   │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

#include "engine_internal.h"
#include "syscall.h"

const ssi_tracker *ssi_trackers[] = {&ssi_tracker_mprotect, &ssi_tracker_wpasync, &ssi_tracker_softdirty, &ssi_tracker_compare, NULL};

const char *ss_tracker_names(void) { return "mprotect,wpasync,softdirty,compare"; }

/* ---- self-test ------------------------------------------------------------------ */

#define TEST_PAGES 1552u /* fresh pages, then 2 MiB to drop, then room to align it */
#define SMALL_PAGES 16u
#define DROP_PAGES 512u

/* A second mapping, of a library's data: private, of a file. */
static _Alignas(SS_PAGE) uint8_t data_page[SS_PAGE] = {1};

typedef struct self_test {
    ssi_tracked tracked;
    ss_region regions[2];
    uint64_t seen[TEST_PAGES / 64 + 2], present[TEST_PAGES / 64 + 2], named[TEST_PAGES / 64 + 2], some_named[TEST_PAGES / 64 / 64 + 2];
    uint32_t out[TEST_PAGES + 1];
    struct ssi_scan_run runs[SSI_SCAN_RUNS];
    ssi_range ranges[4];
    uint32_t dense[2];
    uint8_t quiet[4];
} self_test;

static uint32_t index_of(const self_test *t, const void *address) {
    for (uint32_t i = 0; i < 2; i++)
        if ((uintptr_t)address >= t->regions[i].lo && (uintptr_t)address < t->regions[i].hi)
            return t->regions[i].first_page + (uint32_t)(((uintptr_t)address - t->regions[i].lo) / SS_PAGE);
    return SS_NONE;
}

/* Collect and look for `n` pages from `first` on; an exact tracker names no others. */
static int expect(const ssi_tracker *tracker, self_test *t, int rearm, const uint8_t *first, uint32_t n, const char *what, ssi_text *why) {
    long found = tracker->collect(&t->tracked, rearm, t->out);
    uint32_t hits = 0, start = n ? index_of(t, first) : 0;
    for (long i = 0; i < found; i++) hits += t->out[i] >= start && t->out[i] < start + n;
    if (found >= 0 && hits == n && !(tracker->exact && found != (long)n)) return 0;
    ssi_text_add(why, "self-test: ");
    ssi_text_add(why, what);
    ssi_text_add(why, ": ");
    ssi_text_add_number(why, hits);
    ssi_text_add(why, " of ");
    ssi_text_add_number(why, n);
    ssi_text_add(why, " pages named, ");
    ssi_text_add_number(why, found);
    ssi_text_add(why, " in all");
    return -ENOTSUP;
}

/* The kernel, not the program, writes into the page. What the guard does about refused writes is done here. */
static int read_into(const ssi_tracker *tracker, ssi_tracked *tracked, uint8_t *page) {
    int pipe[2];
    if (SSI_SYSCALL(SYS_pipe2, pipe, O_CLOEXEC) < 0) return -1;
    int ok = SSI_SYSCALL(SYS_write, pipe[1], "x", 1) == 1;
    long n = SSI_SYSCALL(SYS_read, pipe[0], page, 1);
    if (n == -EFAULT && ssi_tracker_open_up(tracker, tracked, (uintptr_t)page, (uintptr_t)page + 1)) n = SSI_SYSCALL(SYS_read, pipe[0], page, 1);
    ok = ok && n == 1;
    SSI_SYSCALL(SYS_close, pipe[0]);
    SSI_SYSCALL(SYS_close, pipe[1]);
    return ok ? 0 : -1;
}

static int behave(const ssi_tracker *tracker, self_test *t, uint8_t *small, uint8_t *drop, ssi_text *why) {
    volatile uint8_t *at = small;
    for (uint32_t i = 0; i < 8; i++) at[i * SS_PAGE] = 1;
    (void)at[8 * SS_PAGE]; /* the zero page; 9 and above stay empty */
    for (uint32_t i = 0; tracker->sees_drops && i < DROP_PAGES; i++) ((volatile uint8_t *)drop)[i * SS_PAGE] = 1;
    int rc = tracker->arm(&t->tracked, why);
    if (rc) return rc;
    if ((rc = expect(tracker, t, 1, NULL, 0, "nothing written", why))) return rc;
    for (uint32_t i = 2; i < 11; i++) { /* written before, zero page, empty */
        at[i * SS_PAGE]++;
        if ((rc = expect(tracker, t, 0, small + i * SS_PAGE, 1, "a write", why))) return rc;
        if ((rc = expect(tracker, t, 1, small + i * SS_PAGE, 1, "a write, asked again", why))) return rc;
    }
    if ((rc = expect(tracker, t, 1, NULL, 0, "re-armed", why))) return rc;
    ((volatile uint8_t *)data_page)[1]++;
    if ((rc = expect(tracker, t, 1, data_page, 1, "a write to file-private memory", why))) return rc;
    if (read_into(tracker, &t->tracked, small + 5 * SS_PAGE)) {
        ssi_text_add(why, "self-test: pipe");
        return -ENOTSUP;
    }
    if ((rc = expect(tracker, t, 1, small + 5 * SS_PAGE, 1, "read() into a page", why))) return rc;
    if (!tracker->sees_drops) return 0;
    SSI_SYSCALL(SYS_madvise, drop, DROP_PAGES * SS_PAGE, MADV_DONTNEED);
    return expect(tracker, t, 1, drop, DROP_PAGES, "2 MiB dropped", why);
}

/* Without a guard there is no handler yet. */
static const ssi_tracker *tested;
static struct sigaction before_test;

static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)context;
    if (info->si_code == SEGV_ACCERR && tested->fault((uintptr_t)info->si_addr)) return;
    sigaction(signal, &before_test, NULL);
}

static int behave_with_handler(const ssi_tracker *tracker, self_test *t, uint8_t *small, uint8_t *drop, ssi_text *why) {
    if (!tracker->fault) return behave(tracker, t, small, drop, why);
    struct sigaction ours = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    tested = tracker;
    if (sigaction(SIGSEGV, &ours, &before_test)) {
        ssi_text_add(why, "self-test: sigaction");
        return -EINVAL;
    }
    int rc = behave(tracker, t, small, drop, why);
    sigaction(SIGSEGV, &before_test, NULL);
    return rc;
}

int ssi_tracker_self_test(const ssi_tracker *tracker, ssi_text *why) {
    size_t table = (sizeof(self_test) + SS_PAGE - 1) / SS_PAGE * SS_PAGE, bytes = table + TEST_PAGES * SS_PAGE;
    long base = SSI_SYSCALL(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base < 0 && base > -4096) {
        ssi_text_add(why, "self-test: mmap");
        return (int)base;
    }
    self_test *t = (self_test *)base;
    uintptr_t lo = (uintptr_t)base + table, huge = (uintptr_t)2 << 20;
    SSI_SYSCALL(SYS_madvise, lo, TEST_PAGES * SS_PAGE, MADV_NOHUGEPAGE);
    uint8_t *drop = (uint8_t *)((lo + SMALL_PAGES * SS_PAGE + huge - 1) / huge * huge); /* ends before the mapping does */
    ss_region anonymous = {.lo = lo, .hi = (uintptr_t)drop + DROP_PAGES * SS_PAGE};
    ss_region file = {.lo = (uintptr_t)data_page, .hi = (uintptr_t)data_page + SS_PAGE};
    int file_first = file.lo < anonymous.lo;
    t->regions[0] = file_first ? file : anonymous;
    t->regions[1] = file_first ? anonymous : file;
    t->regions[1].first_page = (uint32_t)((t->regions[0].hi - t->regions[0].lo) / SS_PAGE);
    t->tracked = (ssi_tracked){.regions = t->regions,
                               .n_regions = 2,
                               .n_pages = t->regions[1].first_page + (uint32_t)((t->regions[1].hi - t->regions[1].lo) / SS_PAGE),
                               .pagemap = ssi_pagemap_open(),
                               .uffd = -1,
                               .clear_refs = -1,
                               .runs = t->runs,
                               .ranges = t->ranges,
                               .dense = t->dense,
                               .quiet = t->quiet,
                               .may_drop = tracker->sees_drops,
                               .seen = t->seen,
                               .present = t->present,
                               .named = t->named,
                               .some_named = t->some_named};
    int rc = tracker->open(&t->tracked, why);
    if (!rc) {
        rc = behave_with_handler(tracker, t, (uint8_t *)lo, drop, why);
        tracker->close(&t->tracked);
    }
    if (t->tracked.pagemap >= 0) SSI_SYSCALL(SYS_close, t->tracked.pagemap);
    SSI_SYSCALL(SYS_munmap, base, bytes);
    return rc;
}

/* ---- choosing --------------------------------------------------------------------- */

static const ssi_tracker *find(const char *name) {
    for (const ssi_tracker **t = ssi_trackers; *t; t++)
        if (!strcmp((*t)->name, name)) return *t;
    return NULL;
}

static int start_one(const ssi_tracker *tracker, ssi_tracked *tracked, ssi_text *reason) {
    if (reason->used) ssi_text_add(reason, "; ");
    size_t before = reason->used;
    ssi_text_add(reason, tracker->name);
    ssi_text_add(reason, ": ");
    if (tracked->may_drop && !tracker->sees_drops) {
        ssi_text_add(reason, "works under the system-call guard only");
        return -ENOTSUP;
    }
    int rc = ssi_tracker_self_test(tracker, reason);
    if (!rc) rc = tracker->open(tracked, reason);
    if (rc) return rc;
    rc = tracker->arm(tracked, reason);
    if (rc) {
        tracker->close(tracked);
        return rc;
    }
    reason->used = before > 2 ? before - 2 : 0;
    reason->at[reason->used] = 0;
    return 0;
}

int ssi_tracker_start(ssi_tracked *tracked, const char *name, const ssi_tracker **out, ssi_text *reason) {
    *out = NULL;
    if (!strcmp(name, "none")) return 0;
    int any = !strcmp(name, "auto"), rc = -ENOTSUP;
    if (!any && !find(name)) {
        ssi_text_add(reason, "unknown tracker '");
        ssi_text_add(reason, name);
        ssi_text_add(reason, "': choose auto, none or one of ");
        ssi_text_add(reason, ss_tracker_names());
        return -EINVAL;
    }
    for (const ssi_tracker **t = ssi_trackers; *t && !*out; t++)
        if ((any || !strcmp((*t)->name, name)) && !(rc = start_one(*t, tracked, reason))) *out = *t;
    return rc;
}

int ss_tracker_probe(const char *name, char *reason, size_t bytes) {
    char none[1];
    ssi_text why = bytes ? ssi_text_on(reason, bytes) : ssi_text_on(none, 1);
    const ssi_tracker *tracker = name ? find(name) : NULL;
    if (!tracker) {
        ssi_text_add(&why, "unknown tracker");
        return -EINVAL;
    }
    return ssi_tracker_self_test(tracker, &why);
}

const char *ss_tracker_name(ss_arena *arena) {
    return arena->tracker ? arena->tracker->name : arena->begun ? "none" : "";
}
const char *ss_tracker_reason(ss_arena *arena) { return arena->tracker_reason; }
