/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ tracker_wpasync.c — userfaultfd write-protect async + PAGEMAP_SCAN.        │
 * │                                                                            │
 * │ Linux >= 6.7. Pages are write-protected; the first write clears the bit in │
 * │ the fault path without waking anybody, and one ioctl lists the pages       │
 * │ without the bit and sets it again. One call per cluster of mappings: for a │
 * │ small gap the walk costs less than a second call.                          │
 * │                                                                            │
 * │ How to ask (measured on Linux 6.18):                                       │
 * │ - "WRITTEN" alone is answered from the page table, about 1 ns a page. It   │
 * │   also names empty entries, and protecting those fills the page tables of  │
 * │   untouched gigabytes with markers over which every later scan walks.      │
 * │ - "WRITTEN, and PRESENT or SWAPPED" names and protects populated pages     │
 * │   only, so that untouched memory costs next to nothing; but the kernel     │
 * │   looks up each page's description, which costs about ten times as much.   │
 * │ So memory is cut into ranges: dense ones (most of it was there before) are │
 * │ asked the first question, sparse ones (reserved heap, stacks) the second.  │
 * │ Dropped pages (MADV_DONTNEED) are empty, so sparse ranges are asked the    │
 * │ first question too, without protecting and cut down to pages that once had │
 * │ content, unless the guard refuses the calls that drop pages anyway.        │
 * │                                                                            │
 * │ Quiet memory (quiet.c) is left out: nothing can write it unnoticed.        │
 * │ Stacks of threads that were never started are armed like everything, but   │
 * │ left out of the scan: they come last among the stacks, and the one that is │
 * │ started next says so first.                                                │
 * │                                                                            │
 * │ A full buffer stops the walk. An unregistered mapping would be skipped in  │
 * │ silence: every region must register or the tracker is refused.             │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include <errno.h>
#include <fcntl.h>

#include "engine_internal.h"
#include "syscall.h"

#define CLUSTER_GAP ((uintptr_t)64 << 10) /* a call costs about as much as walking over three mappings */
#define POPULATED (SSI_PAGE_IS_PRESENT | SSI_PAGE_IS_SWAPPED)

static int wpasync_open(ssi_tracked *t, ssi_text *why) {
    if (t->pagemap < 0) {
        ssi_text_add(why, "/proc/self/pagemap can't be opened");
        return -EACCES;
    }
    long fd = SSI_SYSCALL(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
    if (fd < 0) {
        ssi_text_add(why, "userfaultfd: ");
        ssi_text_add_errno(why, (int)-fd);
        return (int)fd;
    }
    const uint64_t wanted = UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED;
    struct uffdio_api api = {.api = UFFD_API, .features = wanted};
    long rc = SSI_SYSCALL(SYS_ioctl, fd, UFFDIO_API, &api);
    if (rc >= 0 && (api.features & wanted) != wanted) rc = -EINVAL; /* some kernels accept bits they don't know */
    if (rc < 0) {
        ssi_text_add(why, "kernel lacks userfaultfd WP_ASYNC (Linux 6.7): ");
        ssi_text_add_errno(why, (int)-rc);
        SSI_SYSCALL(SYS_close, fd);
        return (int)rc;
    }
    t->uffd = (int)fd;
    return 0;
}

/* ---- one scan ------------------------------------------------------------------- */

typedef struct names {
    ssi_tracked *tracked;
    uint32_t region, last; /* position in the region table, last of the cluster */
    uint32_t *out;         /* a list, or NULL: */
    uint64_t *bits;        /* a bitmap */
    const uint64_t *only;  /* pages outside it are left out; NULL: none are */
    long found;
} names;

static inline void name_page(names *to, uint32_t index) {
    if (to->out)
        to->out[to->found++] = index;
    else
        to->bits[index / 64] |= (to->only ? to->only[index / 64] : ~UINT64_C(0)) & UINT64_C(1) << (index % 64);
}

/* Pages [first, end), fast where whole words of the filter are empty. */
static void name_pages(names *to, uint32_t first, uint32_t end) {
    for (uint32_t index = first; index < end; index++) {
        if (to->only && index % 64 == 0)
            while (index + 64 <= end && !to->only[index / 64]) index += 64;
        if (index < end) name_page(to, index);
    }
}

static void name_run(names *to, uintptr_t start, uintptr_t end) {
    const ssi_tracked *t = to->tracked;
    while (to->region <= to->last && start >= t->regions[to->region].hi) to->region++;
    for (uint32_t i = to->region; i <= to->last && t->regions[i].lo < end; i++) {
        const ss_region *r = &t->regions[i];
        uintptr_t lo = start > r->lo ? start : r->lo, hi = end < r->hi ? end : r->hi;
        if (lo < hi) name_pages(to, r->first_page + (uint32_t)((lo - r->lo) / SS_PAGE), r->first_page + (uint32_t)((hi - r->lo) / SS_PAGE));
    }
}

enum question { WRITTEN_ONLY, WRITTEN_PRESENT, WRITTEN_POPULATED, AS_THE_RANGE_SAYS };

static long scan_range(ssi_tracked *t, const ssi_range *range, uint64_t any_of, int rearm, names *to) {
    to->region = range->first;
    to->last = range->last;
    uint64_t end = range->hi;
    if (range->limited && *t->idle_from < end) end = *t->idle_from;
    for (uint64_t at = range->lo; at < end;) {
        struct ssi_scan_arg arg = {.size = sizeof arg,
                                   .flags = rearm ? SSI_PM_SCAN_WP_MATCHING : 0,
                                   .start = at,
                                   .end = end,
                                   .vec = (uint64_t)(uintptr_t)t->runs,
                                   .vec_len = SSI_SCAN_RUNS,
                                   .category_mask = SSI_PAGE_IS_WRITTEN,
                                   .category_anyof_mask = any_of,
                                   .return_mask = SSI_PAGE_IS_WRITTEN};
        long n = SSI_SYSCALL(SYS_ioctl, t->pagemap, SSI_PAGEMAP_SCAN, &arg);
        if (n < 0) return n;
        for (long i = 0; i < n; i++) name_run(to, t->runs[i].start, t->runs[i].end);
        /* The kernel fills the answer in pieces; when a full piece is followed by a last one that
         * is not, walk_end stays where the full one ended. Up to the last run all was looked at. */
        uint64_t seen = n ? t->runs[n - 1].end : 0;
        SS_ASSERT(arg.walk_end > at && arg.walk_end <= end && seen <= end);
        at = arg.walk_end > seen ? arg.walk_end : seen;
    }
    return 0;
}

static long scan(ssi_tracked *t, enum question question, int rearm, names *to) {
    for (uint32_t i = 0; i < t->n_ranges; i++) {
        const ssi_range *range = &t->ranges[i];
        int populated = question == WRITTEN_POPULATED || (question == AS_THE_RANGE_SAYS && range->sparse);
        uint64_t any_of = populated ? POPULATED : question == WRITTEN_PRESENT ? SSI_PAGE_IS_PRESENT : 0;
        long rc = scan_range(t, range, any_of, rearm, to);
        if (rc < 0) return rc;
    }
    return to->found;
}

/* ---- dense and sparse ---------------------------------------------------------------- */

static void add_range(ssi_tracked *t, uint32_t region, uintptr_t lo, uintptr_t hi, int sparse) {
    if (lo == hi) return;
    ssi_range *before = t->n_ranges ? &t->ranges[t->n_ranges - 1] : NULL;
    if (before && before->sparse == sparse && !before->limited && lo - before->hi < CLUSTER_GAP) {
        before->hi = hi;
        before->last = region;
    } else {
        before = &t->ranges[t->n_ranges++];
        *before = (ssi_range){.lo = lo, .hi = hi, .first = region, .last = region, .sparse = sparse};
    }
    before->limited = t->idle_from && hi == t->idle_to;
}

static void cut_into_ranges(ssi_tracked *t) {
    t->n_ranges = 0;
    t->quiet_changed = 0;
    for (uint32_t i = 0; i < t->n_regions; i++) {
        const ss_region *r = &t->regions[i];
        uintptr_t middle = r->lo + (uintptr_t)t->dense[i] * SS_PAGE;
        if (!t->quiet[2 * i]) add_range(t, i, r->lo, middle, 0);
        if (!t->quiet[2 * i + 1]) add_range(t, i, middle, r->hi, 1);
    }
}

static void one_range_a_cluster(ssi_tracked *t) {
    t->n_ranges = 0;
    for (uint32_t i = 0; i < t->n_regions; i++) add_range(t, i, t->regions[i].lo, t->regions[i].hi, 1);
}

/* ---- collecting ------------------------------------------------------------------- */

static long list_bits(const ssi_tracked *t, const uint64_t *bits, uint32_t *out) {
    long found = 0;
    for (uint32_t word = 0; word <= t->n_pages / 64; word++)
        for (uint64_t left = bits[word]; left; left &= left - 1) out[found++] = word * 64 + (uint32_t)__builtin_ctzll(left);
    return found;
}

static long wpasync_collect(ssi_tracked *t, int rearm, uint32_t *out) {
    names list = {.tracked = t, .out = out};
    if (t->quiet_changed) cut_into_ranges(t);
    if (!t->may_drop) return scan(t, AS_THE_RANGE_SAYS, rearm, &list);
    size_t words = t->n_pages / 64 + 1;
    memset(t->named, 0, words * sizeof *t->named);
    names dropped = {.tracked = t, .bits = t->named, .only = t->seen};
    names written = {.tracked = t, .bits = t->named};
    long rc = scan(t, WRITTEN_ONLY, 0, &dropped);
    if (rc >= 0) rc = scan(t, AS_THE_RANGE_SAYS, rearm, &written);
    if (rc < 0) return rc;
    for (size_t i = 0; i < words; i++) t->seen[i] |= t->named[i];
    return list_bits(t, t->named, out);
}

/* Pages that lie side by side in a region, in one call. */
static int wpasync_rearm(ssi_tracked *t, const uint32_t *pages, uint32_t n) {
    names ignored = {.tracked = t, .bits = t->named};
    for (uint32_t i = 0, region = 0; i < n;) {
        while (pages[i] >= t->regions[region].first_page + (t->regions[region].hi - t->regions[region].lo) / SS_PAGE) region++;
        const ss_region *r = &t->regions[region];
        uint32_t first = pages[i++], end = first + 1;
        while (i < n && pages[i] == end && end < r->first_page + (r->hi - r->lo) / SS_PAGE) end++, i++;
        uintptr_t lo = r->lo + (uintptr_t)(first - r->first_page) * SS_PAGE;
        const ssi_range range = {.lo = lo, .hi = lo + (uintptr_t)(end - first) * SS_PAGE, .first = region, .last = region};
        long rc = scan_range(t, &range, 0, 1, &ignored);
        if (rc < 0) return (int)rc;
    }
    return 0;
}

static int wpasync_arm(ssi_tracked *t, ssi_text *why) {
    for (uint32_t i = 0; i < t->n_regions; i++) {
        const ss_region *r = &t->regions[i];
        struct uffdio_register reg = {.range = {.start = r->lo, .len = r->hi - r->lo}, .mode = UFFDIO_REGISTER_MODE_WP};
        long rc = SSI_SYSCALL(SYS_ioctl, t->uffd, UFFDIO_REGISTER, &reg);
        if (rc < 0) {
            ssi_text_add(why, "UFFDIO_REGISTER ");
            ssi_text_add_hex(why, r->lo);
            ssi_text_add(why, r->name[0] ? " " : "");
            ssi_text_add(why, r->name);
            ssi_text_add(why, ": ");
            ssi_text_add_errno(why, (int)-rc);
            return (int)rc;
        }
    }
    names present = {.tracked = t, .bits = t->present};
    names populated = {.tracked = t, .bits = t->seen};
    names ignored = {.tracked = t, .bits = t->named};
    one_range_a_cluster(t);
    long rc = scan(t, WRITTEN_PRESENT, 0, &present);
    if (rc >= 0) rc = scan(t, WRITTEN_POPULATED, 1, &populated);
    for (uint32_t i = 0; i < t->n_regions; i++) t->dense[i] = ssi_dense_pages(t, &t->regions[i]);
    cut_into_ranges(t);
    t->marks_empty = 1;
    if (rc >= 0) rc = scan(t, AS_THE_RANGE_SAYS, 1, &ignored); /* markers on the empty pages of dense ranges */
    if (rc < 0) {
        ssi_text_add(why, "PAGEMAP_SCAN: ");
        ssi_text_add_errno(why, (int)-rc);
        return (int)rc;
    }
    return 0;
}

static void wpasync_close(ssi_tracked *t) {
    if (t->uffd >= 0) SSI_SYSCALL(SYS_close, t->uffd); /* unregisters everything */
    t->uffd = -1;
}

const ssi_tracker ssi_tracker_wpasync = {
    .name = "wpasync", .exact = 1, .leaves_out_quiet = 1, .sees_drops = 1, .open = wpasync_open, .arm = wpasync_arm, .collect = wpasync_collect, .rearm = wpasync_rearm, .patience = 8, .close = wpasync_close};
