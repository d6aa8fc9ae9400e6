/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ tracker_softdirty.c — the kernel's soft-dirty bits.                        │
 * │                                                                            │
 * │ Writing 4 to /proc/self/clear_refs clears bit 55 of all entries of         │
 * │ /proc/self/pagemap; the next write to a page, by the program or by the     │
 * │ kernel, sets it. No privileges are needed, and no userfaultfd, which       │
 * │ sandboxes often refuse. But the file can be written on kernels that never  │
 * │ set a bit (without CONFIG_MEM_SOFT_DIRTY), so open() tries one page.       │
 * │                                                                            │
 * │ Clearing works on the whole process at once: nothing runs between the last │
 * │ look and the clearing, and pages are looked at before they are cleared.    │
 * │ A dropped page has no bit, and read again it is the page of zeroes without │
 * │ one: drops go unnoticed. Under the guard there are none.                   │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include <fcntl.h>
#include <sys/mman.h>

#include "engine_internal.h"
#include "syscall.h"

#define WINDOW 512u
#define POPULATED (SSI_PAGEMAP_PRESENT | SSI_PAGEMAP_SWAPPED)

/* ---- the kernel --------------------------------------------------------------- */

static int real_clear(ssi_tracked *t) {
    long rc = SSI_SYSCALL(SYS_write, t->clear_refs, "4", 1);
    return rc == 1 ? 0 : rc < 0 ? (int)rc : -EIO;
}

static int real_read(ssi_tracked *t, uintptr_t address, uint64_t *entries, uint32_t n) {
    return ssi_pagemap_read(t->pagemap, address, entries, n);
}

static void real_close(ssi_tracked *t) {
    SSI_SYSCALL(SYS_close, t->clear_refs);
    t->clear_refs = -1;
}

/* Does a write set the bit? */
static int try_one_page(ssi_tracked *t) {
    long at = SSI_SYSCALL(SYS_mmap, NULL, SS_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at < 0 && at > -4096) return (int)at;
    volatile uint8_t *page = (volatile uint8_t *)at;
    uint64_t before = 0, after = 0;
    *page = 1;
    int rc = real_clear(t);
    if (!rc) rc = real_read(t, (uintptr_t)at, &before, 1);
    *page = 2;
    if (!rc) rc = real_read(t, (uintptr_t)at, &after, 1);
    SSI_SYSCALL(SYS_munmap, at, SS_PAGE);
    if (rc) return rc;
    return !(before & SSI_PAGEMAP_SOFT_DIRTY) && (after & SSI_PAGEMAP_SOFT_DIRTY) ? 0 : -ENOTSUP;
}

static int real_open(ssi_tracked *t, ssi_text *why) {
    long fd = SSI_SYSCALL(SYS_openat, AT_FDCWD, "/proc/self/clear_refs", O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0) {
        ssi_text_add(why, "/proc/self/clear_refs: ");
        ssi_text_add_errno(why, (int)-fd);
        return (int)fd;
    }
    t->clear_refs = (int)fd;
    int rc = try_one_page(t);
    if (!rc) return 0;
    ssi_text_add(why, rc == -ENOTSUP ? "this kernel sets no soft-dirty bits (CONFIG_MEM_SOFT_DIRTY)" : "soft-dirty bits: ");
    if (rc != -ENOTSUP) ssi_text_add_errno(why, -rc);
    real_close(t);
    return rc;
}

static const ssi_soft_dirty real = {real_open, real_clear, real_read, real_close};
const ssi_soft_dirty *ssi_soft_dirty_kernel = &real;

/* ---- the tracker ---------------------------------------------------------------- */

static int softdirty_open(ssi_tracked *t, ssi_text *why) {
    if (t->pagemap >= 0) return ssi_soft_dirty_kernel->open(t, why);
    ssi_text_add(why, "/proc/self/pagemap can't be opened");
    return -EACCES;
}

/* Pages [first, first + n) of a region: those with this bit go to out, those with content into `seen` if wanted. */
static long look(ssi_tracked *t, const ss_region *r, uint32_t first, uint32_t n, uint64_t *seen, uint32_t *out) {
    uint64_t entries[WINDOW];
    long found = 0;
    for (uint32_t at = first; at < first + n; at += WINDOW) {
        uint32_t some = first + n - at < WINDOW ? first + n - at : WINDOW;
        int rc = ssi_soft_dirty_kernel->read(t, r->lo + (uintptr_t)at * SS_PAGE, entries, some);
        if (rc) return rc;
        for (uint32_t k = 0; k < some; k++) {
            uint32_t index = r->first_page + at + k;
            if (!(entries[k] & POPULATED)) continue;
            if (seen) seen[index / 64] |= UINT64_C(1) << (index % 64);
            if (out && (entries[k] & SSI_PAGEMAP_SOFT_DIRTY)) out[found++] = index;
        }
    }
    return found;
}

static uint32_t pages_to_look_at(const ssi_tracked *t, const ss_region *r) {
    uintptr_t end = r->hi;
    if (t->idle_from && r->kind == SS_REGION_DONOR_STACK && *t->idle_from < end) end = *t->idle_from > r->lo ? *t->idle_from : r->lo;
    return (uint32_t)((end - r->lo) / SS_PAGE);
}

static long softdirty_collect(ssi_tracked *t, int rearm, uint32_t *out) {
    long found = 0;
    for (uint32_t i = 0; i < t->n_regions; i++) {
        const ss_region *r = &t->regions[i];
        uint32_t pages = pages_to_look_at(t, r), dense = t->dense[i] < pages ? t->dense[i] : pages;
        const uint32_t parts[2][2] = {{0, dense}, {dense, pages - dense}};
        for (uint32_t k = 0; k < 2; k++) {
            if (t->quiet[2 * i + k]) continue; /* nothing can write it unnoticed */
            long n = look(t, r, parts[k][0], parts[k][1], NULL, out + found);
            if (n < 0) return n;
            found += n;
        }
    }
    int rc = rearm ? ssi_soft_dirty_kernel->clear(t) : 0;
    return rc ? rc : found;
}

static int softdirty_arm(ssi_tracked *t, ssi_text *why) {
    long rc = 0;
    for (uint32_t i = 0; i < t->n_regions && rc >= 0; i++) {
        const ss_region *r = &t->regions[i];
        rc = look(t, r, 0, (uint32_t)((r->hi - r->lo) / SS_PAGE), t->seen, NULL);
        t->dense[i] = ssi_dense_pages(t, r);
    }
    if (rc >= 0) rc = ssi_soft_dirty_kernel->clear(t);
    if (rc >= 0) return 0;
    ssi_text_add(why, "soft-dirty bits: ");
    ssi_text_add_errno(why, (int)-rc);
    return (int)rc;
}

static void softdirty_close(ssi_tracked *t) { ssi_soft_dirty_kernel->close(t); }

const ssi_tracker ssi_tracker_softdirty = {
    .name = "softdirty", .exact = 1, .leaves_out_quiet = 1, .open = softdirty_open, .arm = softdirty_arm, .collect = softdirty_collect, .close = softdirty_close};
