/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ tracker_pages.c — what trackers have in common: pagemap, bits, density.    │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include <fcntl.h>

#include "engine_internal.h"
#include "syscall.h"

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
