/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ tracker_compare.c — names every page that ever had content.                │
 * │                                                                            │
 * │ Works everywhere, costs a comparison of all memory at every checkpoint,    │
 * │ and is the oracle the other trackers are tested against. Pages that were   │
 * │ never populated are recognised with /proc/self/pagemap and not touched;    │
 * │ once seen with content, a page is named for ever: it may be dropped again. │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "engine_internal.h"

#define WINDOW 512u

static int compare_open(ssi_tracked *t, ssi_text *why) {
    (void)t;
    (void)why;
    return 0;
}

static long compare_collect(ssi_tracked *t, int rearm, uint32_t *out) {
    (void)rearm; /* nothing is ever armed */
    uint64_t entries[WINDOW];
    uint32_t found = 0;
    for (uint32_t i = 0; i < t->n_regions; i++) {
        const ss_region *r = &t->regions[i];
        uint32_t pages = (uint32_t)((r->hi - r->lo) / SS_PAGE);
        for (uint32_t at = 0; at < pages; at += WINDOW) {
            uint32_t n = pages - at < WINDOW ? pages - at : WINDOW;
            int known = ssi_pagemap_read(t->pagemap, r->lo + (uintptr_t)at * SS_PAGE, entries, n) == 0;
            for (uint32_t k = 0; k < n; k++) {
                uint32_t index = r->first_page + at + k;
                uint64_t bit = UINT64_C(1) << (index % 64);
                int populated = !known || (entries[k] & (SSI_PAGEMAP_PRESENT | SSI_PAGEMAP_SWAPPED));
                if (populated) t->seen[index / 64] |= bit;
                if ((t->seen[index / 64] & bit) && out) out[found++] = index;
            }
        }
    }
    return found;
}

static int compare_arm(ssi_tracked *t, ssi_text *why) {
    (void)why;
    compare_collect(t, 0, NULL); /* what has content now may be dropped before the first collect */
    return 0;
}

static void compare_close(ssi_tracked *t) { (void)t; }

const ssi_tracker ssi_tracker_compare = {
    .name = "compare", .exact = 0, .sees_drops = 1, .open = compare_open, .arm = compare_arm, .collect = compare_collect, .close = compare_close};
