/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ tracker_pages.c — what trackers have in common: pagemap, bits, density.    │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include <fcntl.h>

#include "engine_internal.h"
#include "syscall.h"

#define WINDOW 512u
#define BLOCK 512u          /* pages that share a page table */
#define BLOCK_DENSE 128u    /* populated ones that make a block dense */
#define HOLES_ALLOWED 4096u /* a region with fewer empty pages is dense as a whole */

/* ---- pagemap ----------------------------------------------------------------- */

int ssi_pagemap_open(void) {
    long fd = SSI_SYSCALL(SYS_openat, AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0);
    return fd < 0 ? -1 : (int)fd;
}

int ssi_pagemap_read(int pagemap, uintptr_t address, uint64_t *entries, uint32_t n) {
    if (pagemap < 0) return -ENOENT;
    size_t done = 0, bytes = n * sizeof *entries;
    while (done < bytes) {
        long rc = SSI_SYSCALL(SYS_pread64, pagemap, (char *)entries + done, bytes - done,
                              address / SS_PAGE * sizeof *entries + done);
        if (rc == -EINTR) continue;
        if (rc <= 0) return rc < 0 ? (int)rc : -EIO;
        done += (size_t)rc;
    }
    return 0;
}

/* Has the page anything to read? Without an entry all that is known is whether it can be read. */
static int is_worth_reading(const uint64_t *entry, uintptr_t address) {
    return entry ? ssi_page_has_content(*entry, address) : ssi_is_readable(address);
}

/* One entry after the other. */
static long read_populated(ssi_tracked *t, const ss_region *r, uintptr_t end, int readable, uint32_t *out) {
    uint64_t entries[WINDOW];
    long found = 0;
    for (uintptr_t at = r->lo; at < end; at += WINDOW * SS_PAGE) {
        uint32_t n = (end - at) / SS_PAGE < WINDOW ? (uint32_t)((end - at) / SS_PAGE) : WINDOW;
        int rc = ssi_pagemap_read(t->pagemap, at, entries, n);
        if (rc && !readable) return rc;
        uint32_t first = r->first_page + (uint32_t)((at - r->lo) / SS_PAGE);
        for (uint32_t k = 0; k < n; k++)
            if (readable ? is_worth_reading(rc ? NULL : &entries[k], at + (uintptr_t)k * SS_PAGE)
                         : !!(entries[k] & (SSI_PAGEMAP_PRESENT | SSI_PAGEMAP_SWAPPED)))
                out[found++] = first + k;
    }
    return found;
}

/* readable: without what only looks as if it were swapped out, such as guard pages. */
static long list(ssi_tracked *t, const ss_region *r, uintptr_t end, int readable, uint32_t *out) {
    long found = 0;
    for (uint64_t at = r->lo; at < end && !t->no_scan;) {
        struct ssi_scan_arg arg = {.size = sizeof arg,
                                   .start = at,
                                   .end = end,
                                   .vec = (uint64_t)(uintptr_t)t->runs,
                                   .vec_len = SSI_SCAN_RUNS,
                                   .category_anyof_mask = SSI_PAGE_IS_PRESENT | SSI_PAGE_IS_SWAPPED,
                                   .return_mask = SSI_PAGE_IS_PRESENT | SSI_PAGE_IS_SWAPPED};
        long n = SSI_SYSCALL(SYS_ioctl, t->pagemap, SSI_PAGEMAP_SCAN, &arg);
        t->no_scan = n < 0;
        if (n < 0) break;
        for (long i = 0; i < n; i++)
            for (uint64_t page = t->runs[i].start; page < t->runs[i].end; page += SS_PAGE)
                if (!readable || t->runs[i].categories & SSI_PAGE_IS_PRESENT || ssi_is_readable(page))
                    out[found++] = r->first_page + (uint32_t)((page - r->lo) / SS_PAGE);
        uint64_t seen = n ? t->runs[n - 1].end : 0; /* as in tracker_wpasync.c: the last run may lie behind walk_end */
        SS_ASSERT(arg.walk_end > at && arg.walk_end <= end && seen <= end);
        at = arg.walk_end > seen ? arg.walk_end : seen;
    }
    return t->no_scan ? read_populated(t, r, end, readable, out) : found;
}

long ssi_list_populated(ssi_tracked *t, const ss_region *r, uintptr_t end, uint32_t *out) { return list(t, r, end, 0, out); }
long ssi_list_content(ssi_tracked *t, const ss_region *r, uint32_t *out) { return list(t, r, r->hi, 1, out); }

int ssi_is_readable(uintptr_t address) {
    /* The kernel copies the set before it looks at `how`: EFAULT or EINVAL, and nothing else happens. */
    return SSI_SYSCALL(SYS_rt_sigprocmask, ~0L, address & ~(uintptr_t)7, NULL, 8) != -EFAULT;
}

int ssi_page_has_content(uint64_t entry, uintptr_t address) {
    if (entry & SSI_PAGEMAP_PRESENT) return 1;
    if (entry & SSI_PAGEMAP_GUARD) return 0;
    /* Swapped out, or one of the markers that look so: a guard page of an older kernel can't be read. */
    return (entry & SSI_PAGEMAP_SWAPPED) && ssi_is_readable(address);
}

/* ---- bits of pages ------------------------------------------------------------ */

uint32_t ssi_next_bit(const uint64_t *bits, uint32_t from, uint32_t end) {
    for (uint32_t word = from / 64; from < end; from = ++word * 64) {
        uint64_t left = bits[word] >> (from % 64);
        if (!left) continue;
        from += (uint32_t)__builtin_ctzll(left);
        return from < end ? from : end;
    }
    return end;
}

static uint32_t count_populated(const ssi_tracked *t, uint32_t first, uint32_t n) {
    uint32_t count = 0;
    for (uint32_t page = first; page < first + n; page++) count += t->seen[page / 64] >> (page % 64) & 1;
    return count;
}

uint32_t ssi_dense_pages(const ssi_tracked *t, const ss_region *r) {
    uint32_t pages = (uint32_t)((r->hi - r->lo) / SS_PAGE), dense = 0, populated = 0;
    if (pages - count_populated(t, r->first_page, pages) < HOLES_ALLOWED) return pages;
    for (uint32_t at = 0; at < pages; at += BLOCK) {
        uint32_t n = pages - at < BLOCK ? pages - at : BLOCK, there = count_populated(t, r->first_page + at, n);
        populated += there;
        if (there >= BLOCK_DENSE && populated >= (at + n) / 2) dense = at + n;
    }
    return dense;
}
