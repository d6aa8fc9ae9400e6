/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ tracking.c — from nothing to the base snapshot.                            │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "engine_internal.h"

static int allocate_tables(ss_arena *arena) {
    size_t n = arena->tracked.n_pages;
    arena->dirty = ss_scratch_alloc(arena, 2 * n * sizeof *arena->dirty); /* kept ones and new ones */
    arena->changes = ss_scratch_alloc(arena, n * sizeof *arena->changes);
    arena->tracked.seen = ss_scratch_alloc(arena, (n / 64 + 1) * sizeof(uint64_t));
    arena->tracked.present = ss_scratch_alloc(arena, (n / 64 + 1) * sizeof(uint64_t));
    arena->tracked.named = ss_scratch_alloc(arena, (n / 64 + 1) * sizeof(uint64_t));
    arena->tracked.some_named = ss_scratch_alloc(arena, (n / 64 / 64 + 1) * sizeof(uint64_t));
    arena->tracked.ranges = ss_scratch_alloc(arena, 2 * arena->tracked.n_regions * sizeof *arena->tracked.ranges);
    arena->tracked.dense = ss_scratch_alloc(arena, arena->tracked.n_regions * sizeof *arena->tracked.dense);
    arena->tracked.quiet = arena->quiet = ss_scratch_alloc(arena, 2 * arena->tracked.n_regions);
    arena->tracked.may_drop = !arena->setup.guard;
    arena->tracked.idle_from = arena->stacks_lo ? &arena->stacks_used : NULL;
    arena->tracked.idle_to = arena->stacks_hi;
    if (ssi_predict_start(arena)) return ssi_fail(arena, -ENOMEM, "scratch memory is used up");
    if (!arena->dirty || !arena->changes || !arena->tracked.seen || !arena->tracked.present || !arena->tracked.named ||
        !arena->tracked.some_named || !arena->tracked.ranges || !arena->tracked.dense || !arena->quiet)
        return ssi_fail(arena, -ENOMEM, "scratch memory is used up");
    return 0;
}

int ssi_tracking_start(ss_arena *arena) {
    ssi_text reason = ssi_text_on(arena->tracker_reason, sizeof arena->tracker_reason);
    if (!strcmp(arena->setup_tracker, "none")) return 0;
    int rc = ssi_regions_read(arena);
    if (rc) return rc;
    rc = allocate_tables(arena);
    if (rc) return rc;
    arena->tracked.pagemap = ssi_pagemap_open();
    rc = ssi_tracker_start(&arena->tracked, arena->setup_tracker, &arena->tracker, &reason);
    if (rc) return ssi_fail(arena, rc, arena->tracker_reason);
    rc = ssi_base_snapshot(arena);
    if (rc) {
        arena->tracker->close(&arena->tracked);
        arena->tracker = NULL;
    }
    return rc;
}
