/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ tracker_mprotect.c — write permission is taken away, page by page.         │
 * │                                                                            │
 * │ The first write to a page raises SIGSEGV; the handler (guard.c) notes the  │
 * │ page, gives permission back, and the write is repeated. Works on every     │
 * │ kernel and in every sandbox, at five to ten microseconds a page. The open  │
 * │ pages are known without a system call, and predict.c sees to it that few   │
 * │ are missed: that makes it the fastest.                                     │
 * │                                                                            │
 * │ Writes by the kernel do not fault, they fail with EFAULT. So it works only │
 * │ under the guard, through whose handler every system call passes that may   │
 * │ write memory: what is known to be written is opened up first (reads must   │
 * │ not come short), and after an EFAULT everything is, and the call repeated. │
 * │ A signal's frame can't be pushed on a stack without permission: stacks of  │
 * │ simulated threads stay writable, and their pages are always named. So is   │
 * │ memory that is executable as well.                                         │
 * │                                                                            │
 * │ A lonely open page is a mapping of its own, of which a process may have    │
 * │ some 65 000. Past that the whole region is opened up.                      │
 * │                                                                            │
 * │ `named` has the open pages, and `some_named` tells which of its words are  │
 * │ not empty: there are few among those of gigabytes of address space. The    │
 * │ handler runs on a stack in the arena and writes there only, so nothing     │
 * │ here is rolled back.                                                       │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include <sys/mman.h>

#include "engine_internal.h"
#include "syscall.h"

static ssi_tracked *armed; /* set before the base snapshot */

static int is_always_open(const ss_region *r) { return r->kind == SS_REGION_DONOR_STACK || r->kind == SS_REGION_CODE; }

static uint32_t end_page(const ss_region *r) { return r->first_page + (uint32_t)((r->hi - r->lo) / SS_PAGE); }

static long protect(const ss_region *r, uint32_t first, uint32_t end, int protection) {
    return SSI_SYSCALL(SYS_mprotect, r->lo + (uintptr_t)(first - r->first_page) * SS_PAGE, (uintptr_t)(end - first) * SS_PAGE, protection);
}

/* ---- open pages ------------------------------------------------------------------ */

static int is_open(const ssi_tracked *t, uint32_t page) { return t->named[page / 64] >> (page % 64) & 1; }

static void mark(ssi_tracked *t, uint32_t first, uint32_t end) {
    for (uint32_t page = first, next; page < end; page = next) {
        uint32_t word = page / 64;
        next = (word + 1) * 64 < end ? (word + 1) * 64 : end;
        t->named[word] |= ~UINT64_C(0) >> (64 - (next - page)) << (page % 64);
        t->some_named[word / 64] |= UINT64_C(1) << (word % 64);
    }
}

static void unmark(ssi_tracked *t, uint32_t first, uint32_t end) {
    for (uint32_t page = first; page < end; page++) {
        uint32_t word = page / 64;
        t->named[word] &= ~(UINT64_C(1) << (page % 64));
        if (!t->named[word]) t->some_named[word / 64] &= ~(UINT64_C(1) << (word % 64));
    }
}

/* The first open page of [from, end), or `end`. */
static uint32_t next_open(const ssi_tracked *t, uint32_t from, uint32_t end) {
    while (from < end) {
        uint64_t left = t->named[from / 64] >> (from % 64);
        if (left) {
            from += (uint32_t)__builtin_ctzll(left);
            break;
        }
        from = ssi_next_bit(t->some_named, from / 64 + 1, end / 64 + 1) * 64;
    }
    return from < end ? from : end;
}

/* ---- opening up ---------------------------------------------------------------- */

static void open_pages(ssi_tracked *t, const ss_region *r, uint32_t first, uint32_t end) {
    if (protect(r, first, end, PROT_READ | PROT_WRITE)) { /* too many mappings? */
        first = r->first_page;
        end = end_page(r);
        if (protect(r, first, end, PROT_READ | PROT_WRITE)) ssi_panic("memory can't be made writable again");
    }
    mark(t, first, end);
}

static uint32_t region_of(const ssi_tracked *t, uintptr_t address) {
    uint32_t lo = 0, hi = t->n_regions;
    while (lo < hi) {
        uint32_t middle = (lo + hi) / 2;
        if (t->regions[middle].hi <= address)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo; /* the first that ends behind it */
}

static uint32_t mprotect_open_up(ssi_tracked *t, uintptr_t lo, uintptr_t hi) {
    uint32_t opened = 0;
    for (uint32_t i = region_of(t, lo); i < t->n_regions && t->regions[i].lo < hi; i++) {
        const ss_region *r = &t->regions[i];
        if (is_always_open(r)) continue;
        uintptr_t from = lo > r->lo ? lo : r->lo, to = hi < r->hi ? hi : r->hi;
        uint32_t first = r->first_page + (uint32_t)((from - r->lo) / SS_PAGE);
        uint32_t end = r->first_page + (uint32_t)((to - r->lo + SS_PAGE - 1) / SS_PAGE);
        if (end == first + 1 && is_open(t, first)) continue;
        open_pages(t, r, first, end);
        opened += end - first;
    }
    return opened;
}

static int mprotect_fault(uintptr_t address) {
    ssi_tracked *t = armed;
    uint32_t i = t ? region_of(t, address) : 0;
    if (!t || i == t->n_regions || address < t->regions[i].lo) return 0;
    return mprotect_open_up(t, address, address + 1) != 0; /* an open page: a fault for another reason */
}

/* ---- the tracker ----------------------------------------------------------------- */

static int mprotect_open(ssi_tracked *t, ssi_text *why) {
    if (t->pagemap >= 0) return 0;
    ssi_text_add(why, "/proc/self/pagemap can't be opened");
    return -EACCES;
}

/* Pages with content of memory that is always open. */
static long name_populated(ssi_tracked *t, const ss_region *r, uint32_t *out) {
    uintptr_t end = r->hi;
    if (t->idle_from && r->kind == SS_REGION_DONOR_STACK && *t->idle_from < end) end = *t->idle_from;
    return ssi_list_populated(t, r, end, out);
}

/* Open pages of a region, which are closed again, run by run. */
static long close_open(ssi_tracked *t, const ss_region *r, uint32_t *out) {
    uint32_t found = 0, end = end_page(r);
    for (uint32_t page = next_open(t, r->first_page, end); page < end; page = next_open(t, page, end)) {
        uint32_t first = page;
        while (page < end && is_open(t, page)) out[found++] = page++;
        unmark(t, first, page);
        long rc = protect(r, first, page, PROT_READ);
        if (rc) return rc;
    }
    return found;
}

static uint32_t list_open(const ssi_tracked *t, uint32_t first, uint32_t end, uint32_t *out) {
    uint32_t found = 0;
    for (uint32_t page = next_open(t, first, end); page < end; page = next_open(t, page + 1, end)) out[found++] = page;
    return found;
}

/* As it is asked at every checkpoint: the open pages of all regions between two that are always open in one go. */
static long name_all(ssi_tracked *t, uint32_t *out) {
    uint32_t first = 0;
    long found = 0;
    for (uint32_t i = 0; i < t->n_regions; i++) {
        const ss_region *r = &t->regions[i];
        if (!is_always_open(r)) continue;
        found += list_open(t, first, r->first_page, out + found);
        long n = name_populated(t, r, out + found);
        if (n < 0) return n;
        found += n;
        first = end_page(r);
    }
    return found + list_open(t, first, t->n_pages, out + found);
}

static long mprotect_collect(ssi_tracked *t, int rearm, uint32_t *out) {
    if (!rearm) return name_all(t, out);
    long found = 0;
    for (uint32_t i = 0; i < t->n_regions; i++) {
        const ss_region *r = &t->regions[i];
        long n = is_always_open(r) ? name_populated(t, r, out + found) : close_open(t, r, out + found);
        if (n < 0) return n;
        found += n;
    }
    return found;
}

static int mprotect_rearm(ssi_tracked *t, const uint32_t *pages, uint32_t n) {
    for (uint32_t i = 0, region = 0; i < n;) {
        while (pages[i] >= end_page(&t->regions[region])) region++;
        const ss_region *r = &t->regions[region];
        uint32_t first = pages[i++], end = first + 1;
        while (i < n && pages[i] == end && end < end_page(r)) end++, i++;
        if (is_always_open(r)) continue;
        unmark(t, first, end);
        long rc = protect(r, first, end, PROT_READ);
        if (rc) return (int)rc;
    }
    return 0;
}

static int mprotect_arm(ssi_tracked *t, ssi_text *why) {
    armed = t;
    for (uint32_t i = 0; i < t->n_regions; i++) {
        const ss_region *r = &t->regions[i];
        long rc = is_always_open(r) ? 0 : protect(r, r->first_page, end_page(r), PROT_READ);
        if (!rc) continue;
        ssi_text_add(why, "mprotect ");
        ssi_text_add_hex(why, r->lo);
        ssi_text_add(why, ": ");
        ssi_text_add_errno(why, (int)-rc);
        return (int)rc;
    }
    return 0;
}

static void mprotect_close(ssi_tracked *t) {
    mprotect_open_up(t, 0, UINTPTR_MAX);
    armed = NULL;
}

const ssi_tracker ssi_tracker_mprotect = {.name = "mprotect", .exact = 1, .open = mprotect_open, .arm = mprotect_arm, .collect = mprotect_collect,
                                          .rearm = mprotect_rearm, .patience = 8, .close = mprotect_close, .open_up = mprotect_open_up, .fault = mprotect_fault};
