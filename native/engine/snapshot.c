/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ snapshot.c — checkpoint and restore.                                       │
 * │                                                                            │
 * │ `current` is the root memory had at the last checkpoint or restore; pages  │
 * │ written since are among those the tracker names. A checkpoint interns what │
 * │ really changed among them. A restore rewrites them and, beside them, what  │
 * │ differs between `current` and the target.                                  │
 * │                                                                            │
 * │ Re-arming is lazy: a Python step writes mostly the pages its predecessor   │
 * │ wrote, so pages stay unprotected, and named, until predict.c gives them    │
 * │ up. A tracker that can't arm single pages arms all when REARM_ABOVE of     │
 * │ them have come together, and every REARM_EVERY checkpoints.                │
 * │                                                                            │
 * │ Pages that never got content are never touched, not even to read: that     │
 * │ would populate gigabytes of reserved address space. Their number is 0.     │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include <signal.h>
#include <time.h>

#include "engine_internal.h"
#include "syscall.h"

#define REARM_ABOVE 256u
#define REARM_EVERY 8u
#define WINDOW 512u

uint64_t ssi_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t); /* vdso: no system call, no thread-local memory */
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- which pages have content ------------------------------------------------- */

typedef struct residency {
    uint32_t first, n, known;
    uint64_t entries[WINDOW];
} residency;

static void look(ss_arena *arena, residency *r, uint32_t index, uintptr_t address, uint32_t n) {
    r->first = index;
    r->n = n;
    r->known = ssi_pagemap_read(arena->tracked.pagemap, address, r->entries, n) == 0;
}

static int has_content(const residency *r, uint32_t index, uintptr_t address) {
    return r->known ? ssi_page_has_content(r->entries[index - r->first], address) : ssi_is_readable(address);
}

/* ---- walking over named pages ----------------------------------------------------- */

/* Position in the region table and in one tree, for ascending page indices. */
typedef struct walk {
    uint32_t region;
    uint32_t root, leaf_of;
    const uint32_t *leaf;
    residency around;
} walk;

static void walk_start(walk *w, uint32_t root) {
    w->region = 0;
    w->root = root;
    w->leaf_of = SS_NONE;
    w->around.n = 0;
}

static uint32_t walk_page(ss_arena *arena, walk *w, uint32_t index, uintptr_t *address) {
    const ss_region *r = &arena->regions[w->region];
    while (index - r->first_page >= (r->hi - r->lo) / SS_PAGE) r++;
    w->region = (uint32_t)(r - arena->regions);
    *address = r->lo + (uintptr_t)(index - r->first_page) * SS_PAGE;
    if (index / SSI_FANOUT != w->leaf_of) {
        w->leaf_of = index / SSI_FANOUT;
        w->leaf = ssi_tree_leaf(arena, w->root, index);
    }
    return w->leaf ? w->leaf[index % SSI_FANOUT] : 0;
}

/* Is dirty[i], whose stored page is the zero page, worth reading? Asks for a run at once. Where nobody may drop pages
 * the answer is remembered. */
static int walk_has_content(ss_arena *arena, walk *w, const uint32_t *dirty, uint32_t i, uint32_t n, uintptr_t address) {
    uint32_t index = dirty[i];
    ssi_habit *known = &arena->habits[index];
    if (known->there || known->guard) return known->there;
    if (index < w->around.first || index >= w->around.first + w->around.n) {
        const ss_region *r = &arena->regions[w->region];
        uint32_t end = r->first_page + (uint32_t)((r->hi - r->lo) / SS_PAGE), run = 1;
        while (i + run < n && run < WINDOW && dirty[i + run] == index + run && index + run < end) run++;
        look(arena, &w->around, index, address, run);
    }
    int there = has_content(&w->around, index, address);
    known->there = there && !arena->tracked.may_drop;
    known->guard = w->around.known && w->around.entries[index - w->around.first] & SSI_PAGEMAP_GUARD && !arena->tracked.may_drop;
    return there;
}

/* ---- collecting ------------------------------------------------------------------------ */

static void sift_down(uint32_t *a, uint32_t root, uint32_t n) {
    for (uint32_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && a[child] < a[child + 1]) child++;
        if (a[root] >= a[child]) return;
        uint32_t t = a[root];
        a[root] = a[child];
        a[child] = t;
    }
}

static uint32_t sort_unique(uint32_t *a, uint32_t n) {
    for (uint32_t i = n / 2; i-- > 0;) sift_down(a, i, n);
    for (uint32_t i = n; i-- > 1;) {
        uint32_t t = a[0];
        a[0] = a[i];
        a[i] = t;
        sift_down(a, 0, i);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!kept || a[kept - 1] != a[i]) a[kept++] = a[i];
    return kept;
}

/* Pages that may differ from `current`, ascending, in arena->dirty. */
static uint32_t collect(ss_arena *arena, int may_rearm) {
    uint64_t start = ssi_now_ns();
    uint32_t kept = arena->n_dirty_kept;
    int rearm = may_rearm && !arena->tracker->rearm && (arena->last_collected > REARM_ABOVE || ++arena->since_rearm >= REARM_EVERY);
    if (rearm) arena->since_rearm = 0;
    long found = arena->tracker->collect(&arena->tracked, rearm, arena->dirty + kept);
    if (found < 0) ssi_panic("the tracker failed: pages could be missed from here on");
    arena->last_collected = (uint32_t)found;
    uint32_t n = kept + (uint32_t)found;
    if (kept) n = sort_unique(arena->dirty, n);
    arena->statistics.ns_scan += ssi_now_ns() - start;
    arena->statistics.dirty_pages += n;
    return n;
}

/* ---- kernel state ------------------------------------------------------------------------ */

static uintptr_t program_break(uintptr_t to) { return (uintptr_t)SSI_SYSCALL(SYS_brk, to); }

static void save_kernel_state(ssi_kernel_state *kernel) {
    SSI_SYSCALL(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &kernel->signal_mask, sizeof kernel->signal_mask);
}

static void restore_kernel_state(ss_arena *arena, const ssi_kernel_state *kernel) {
    SSI_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &kernel->signal_mask, NULL, sizeof kernel->signal_mask);
    if (program_break(0) != arena->base_break && program_break(arena->base_break) != arena->base_break)
        ssi_panic("the program break can't be put back");
    ssi_guard_close_files(arena);
}

/* ---- checkpoint ----------------------------------------------------------------------------- */

/* The stored content of dirty[i]; where the base state has to be asked, also for all that follow, in one go. */
static const uint8_t *stored_content(ss_arena *arena, const uint32_t *dirty, uint32_t i, uint32_t n, uint32_t page) {
    if (ssi_is_unfetched(arena, page)) ssi_base_fetch(arena, dirty + i, n - i);
    return ss_page_data(arena, page);
}

/* Equal memory has equal numbers: base content is always named as such. */
static int is_base_content(ss_arena *arena, uint32_t index, uintptr_t address) {
    if (!arena->frozen.pid || !arena->frozen.pages[index]) return 0;
    return !memcmp((void *)address, ss_page_data(arena, SSI_BASE_PAGE | index), SS_PAGE);
}

static int is_unchanged(ss_arena *arena, uintptr_t address, const uint8_t *stored) {
    return !(arena->without & SS_WITHOUT_COMPARISON) && !memcmp((void *)address, stored, SS_PAGE);
}

static int intern_changes(ss_arena *arena, const uint32_t *dirty, uint32_t n, uint32_t *n_changes) {
    walk w;
    walk_start(&w, arena->current);
    *n_changes = 0;
    ssi_predict_begin(arena, n);
    for (uint32_t i = 0; i < n; i++) {
        uintptr_t address;
        uint32_t page = walk_page(arena, &w, dirty[i], &address);
        if ((!page && !walk_has_content(arena, &w, dirty, i, n, address)) ||
            is_unchanged(arena, address, stored_content(arena, dirty, i, n, page))) {
            ssi_predict_same(arena, dirty[i]);
            continue;
        }
        ssi_predict_changed(arena, dirty[i]);
        uint32_t now = is_base_content(arena, dirty[i], address) ? SSI_BASE_PAGE | dirty[i] : ssi_page_intern_at(arena, (void *)address, dirty[i]);
        if (now == SS_NONE) return -ENOMEM;
        arena->changes[(*n_changes)++] = (ssi_change){dirty[i], now};
    }
    return 0;
}

static void release_changes(ss_arena *arena, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) ssi_page_release(arena, arena->changes[i].page);
}

static void note_peak(ss_arena *arena) {
    uint64_t bytes = ssi_stored_bytes(arena);
    if (bytes > arena->statistics.peak_stored_bytes) arena->statistics.peak_stored_bytes = bytes;
}

static int store_changes(ss_arena *arena, uint32_t n, uint32_t *n_changes, uint32_t *next) {
    int rc = intern_changes(arena, arena->dirty, n, n_changes);
    if (!rc) rc = ssi_tree_update(arena, arena->current, arena->changes, *n_changes, next);
    note_peak(arena);
    release_changes(arena, *n_changes); /* the tree has references of its own */
    return rc;
}

int ssi_checkpoint(ss_arena *arena, uint32_t *root, ssi_kernel_state *kernel) {
    uint64_t start = ssi_now_ns();
    save_kernel_state(kernel);
    ssi_pack_when_near(arena);
    uint32_t n = collect(arena, 1), n_changes, next;
    int rc = store_changes(arena, n, &n_changes, &next);
    for (int also_current = 0; rc && also_current < 2; also_current++)
        if (ssi_pack(arena, 0, also_current)) rc = store_changes(arena, n, &n_changes, &next);
    if (rc) {
        arena->n_dirty_kept = n; /* re-armed perhaps, but not in `current` */
        return rc;
    }
    arena->n_dirty_kept = 0;
    arena->undisturbed = 1;
    ssi_predict_end(arena);
    ssi_root_release(arena, arena->current);
    arena->current = next;
    ssi_root_retain(arena, next);
    *root = next;
    arena->statistics.checkpoints++;
    arena->statistics.changed_pages += n_changes;
    arena->statistics.naive_bytes += arena->populated_pages * SS_PAGE;
    arena->statistics.ns_checkpoint += ssi_now_ns() - start;
    return 0;
}

/* Where empty pages were marked they look as if they were swapped out, and to read them would make the kernel provide
 * them. Those that were not empty are known, and so are those that the agent has written since. Of those that were in
 * memory nothing more need be asked: to read the entries of a gigabyte takes longer than to protect its pages. */
static int see_written(ss_arena *arena) {
    ssi_tracked *t = &arena->tracked;
    long n = arena->tracker->collect(t, 0, arena->dirty);
    for (long i = 0; i < n; i++) t->seen[arena->dirty[i] / 64] |= UINT64_C(1) << (arena->dirty[i] % 64);
    return n < 0 ? (int)n : 0;
}

/* Stacks of threads that were never started are left out of scans: nothing is known of them, and nothing was marked. */
static int is_seen(const ssi_tracked *t, const ss_region *r) {
    return t->marks_empty && !(t->idle_from && r->hi > *t->idle_from && r->lo < t->idle_to);
}

/* Pages of a region that have content, in arena->dirty. */
static long list_content(ss_arena *arena, const ss_region *r) {
    ssi_tracked *t = &arena->tracked;
    if (!is_seen(t, r)) return ssi_list_content(t, r, arena->dirty);
    uint32_t end = r->first_page + (uint32_t)((r->hi - r->lo) / SS_PAGE);
    long n = 0;
    residency around = {0};
    for (uint32_t index = ssi_next_bit(t->seen, r->first_page, end); index < end; index = ssi_next_bit(t->seen, index + 1, end)) {
        uintptr_t address = r->lo + (uintptr_t)(index - r->first_page) * SS_PAGE;
        if (!(t->present[index / 64] >> (index % 64) & 1)) {
            if (index >= around.first + around.n) look(arena, &around, index, address, end - index < WINDOW ? end - index : WINDOW);
            if (!has_content(&around, index, address)) continue;
        }
        arena->dirty[n++] = index;
    }
    return n;
}

static int read_region(ss_arena *arena, uint32_t region, uint32_t *n_changes) {
    const ss_region *r = &arena->regions[region];
    long n = list_content(arena, r);
    if (n < 0) return (int)n;
    for (long i = 0; i < n; i++) {
        uint32_t index = arena->dirty[i];
        uint32_t page = arena->frozen.pid ? SSI_BASE_PAGE | index : ssi_page_intern(arena, (void *)(r->lo + (uintptr_t)(index - r->first_page) * SS_PAGE));
        if (page == SS_NONE) return -ENOMEM;
        if (page && !arena->frozen.pid) ssi_page_fix(arena, page); /* nothing is packed yet: it can't fail */
        if (page) arena->changes[(*n_changes)++] = (ssi_change){index, page};
    }
    arena->populated_pages += (uint64_t)n;
    return 0;
}

int ssi_base_snapshot(ss_arena *arena) {
    uint32_t n_changes = 0;
    int rc = 0;
    arena->forest.levels = ssi_tree_levels(arena->tracked.n_pages);
    arena->base_break = program_break(0);
    arena->populated_pages = 0;
    if (arena->tracker->exact) ssi_frozen_start(arena); /* others name every page at every choice point */
    if (arena->tracked.marks_empty) rc = see_written(arena);
    for (uint32_t i = 0; i < arena->tracked.n_regions && !rc; i++) rc = read_region(arena, i, &n_changes);
    if (!rc) rc = ssi_tree_update(arena, 0, arena->changes, n_changes, &arena->base);
    release_changes(arena, n_changes);
    note_peak(arena);
    if (rc) return ssi_fail(arena, rc, "the store is too small for the base snapshot: raise the memory limit");
    ssi_root_retain(arena, arena->base);
    arena->current = arena->base;
    arena->n_dirty_kept = 0;
    return 0;
}

/* ---- restore --------------------------------------------------------------------------------- */

static void overwrite(ss_arena *arena, uintptr_t address, const uint8_t *content) {
    ssi_tracker_open_up(arena->tracker, &arena->tracked, address, address + SS_PAGE); /* cheaper than to have it fault */
    memcpy((void *)address, content, SS_PAGE);
    arena->statistics.restored_pages++;
}

static void put_back(ss_arena *arena, uintptr_t address, const uint8_t *content) {
    if (!is_unchanged(arena, address, content)) overwrite(arena, address, content);
}

/* Different numbers are different contents, and memory has that of page_now, or was put right already. */
static int put_back_difference(void *user, uint32_t index, uint32_t page_now, uint32_t page_then) {
    (void)page_now;
    ss_arena *arena = user;
    overwrite(arena, ss_page_address(arena, index), ss_page_data(arena, page_then));
    return 0;
}

void ssi_restore(ss_arena *arena, uint32_t root, const ssi_kernel_state *kernel) {
    uint64_t start = ssi_now_ns();
    restore_kernel_state(arena, kernel);
    uint32_t n = arena->undisturbed ? 0 : collect(arena, 0); /* most paths end at a choice point, just checkpointed */
    walk w;
    walk_start(&w, root);
    for (uint32_t i = 0; i < n; i++) {
        uintptr_t address;
        uint32_t page = walk_page(arena, &w, arena->dirty[i], &address);
        if (!page && !walk_has_content(arena, &w, arena->dirty, i, n, address)) continue;
        put_back(arena, address, stored_content(arena, arena->dirty, i, n, page));
    }
    /* Dirty pages are right by now; the rest still has the content of `current`. */
    int all_written = n && arena->without & SS_WITHOUT_COMPARISON && !arena->tracker->exact;
    if (!all_written) ss_tree_diff(arena, arena->current, root, put_back_difference, arena);
    ssi_root_retain(arena, root);
    ssi_root_release(arena, arena->current);
    arena->current = root;
    arena->n_dirty_kept = 0;
    arena->undisturbed = 1;
    ssi_asan_unpoison((const void *)arena->stacks_lo, arena->stacks_hi - arena->stacks_lo);
    ssi_asan_unpoison(arena->signal_stack, SSI_SIGNAL_STACK);
    ssi_guard_restore_actions(arena);
    arena->statistics.restores++;
    arena->statistics.ns_restore += ssi_now_ns() - start;
}

uint32_t ss_base_root(ss_arena *arena) { return arena->base; }

void ss_root_hold(ss_arena *arena, uint32_t root) {
    if (root) ssi_root_retain(arena, root);
    ssi_root_release(arena, arena->held);
    arena->held = root;
}

uint64_t ss_count_differences(ss_arena *arena, uint32_t root) {
    uint64_t differences = 0;
    residency around;
    for (uint32_t i = 0; i < arena->tracked.n_regions; i++) {
        const ss_region *r = &arena->regions[i];
        uint32_t pages = (uint32_t)((r->hi - r->lo) / SS_PAGE);
        for (uint32_t at = 0; at < pages; at++) {
            uint32_t index = r->first_page + at, page = ssi_tree_get(arena, root, index);
            uintptr_t address = r->lo + (uintptr_t)at * SS_PAGE;
            if (at % WINDOW == 0) look(arena, &around, index, address, pages - at < WINDOW ? pages - at : WINDOW);
            if (!has_content(&around, index, address))
                differences += page != 0;
            else
                differences += memcmp((void *)address, ss_page_data(arena, page), SS_PAGE) != 0;
        }
    }
    return differences;
}
