/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ predict.c — which pages will be written next?                              │
 * │                                                                            │
 * │ The first write to an armed page costs a fault: a microsecond with         │
 * │ wpasync, six and more with mprotect. Comparing a page that did not change  │
 * │ costs a tenth of a microsecond. So pages that are expected to be written   │
 * │ stay unarmed, and named, and only those that nobody seems to write any     │
 * │ more are armed again, one by one.                                          │
 * │                                                                            │
 * │ A page is given up when it did not change for as many checkpoints as the   │
 * │ tracker has patience. If it is written again soon it is given twice as     │
 * │ long: what is written all the time and comes out the same (reference       │
 * │ counts) faults a few times and never again. What comes back late is given  │
 * │ half as long: a fault now and then is cheaper than to compare it always.   │
 * │                                                                            │
 * │ Any guess is right: unarmed pages are named, and naming too much is        │
 * │ harmless. A page is armed only when the checkpoint that compared it is     │
 * │ complete, so whatever is armed has the content that `current` says.        │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "engine_internal.h"

#define MOST_RETURNS 5u
#define SOON 16u /* checkpoints */
#define MANY 4096u /* pages at once are no working set: somebody opened whole regions */

int ssi_predict_start(ss_arena *arena) {
    size_t n = arena->tracked.n_pages;
    arena->habits = ss_scratch_alloc(arena, n * sizeof *arena->habits);
    arena->given_up = ss_scratch_alloc(arena, n * sizeof *arena->given_up);
    return arena->habits && arena->given_up ? 0 : -ENOMEM;
}

void ssi_predict_begin(ss_arena *arena, uint32_t named) {
    arena->n_given_up = 0;
    uint32_t patience = arena->tracker->rearm ? arena->tracker->patience : 0; /* 0: nothing is given up */
    arena->patience = patience && (named > MANY || arena->without & SS_WITHOUT_PREDICTION) ? 1 : patience;
}

static ssi_habit *meet(ss_arena *arena, uint32_t page) {
    ssi_habit *h = &arena->habits[page];
    if (h->armed) {
        h->armed = 0;
        if ((uint32_t)arena->statistics.checkpoints - h->armed_at < SOON) {
            if (h->returns < MOST_RETURNS) h->returns++;
        } else if (h->returns)
            h->returns--;
    }
    return h;
}

void ssi_predict_changed(ss_arena *arena, uint32_t page) {
    meet(arena, page)->unchanged = 0;
    if (arena->without & SS_WITHOUT_PREDICTION && arena->patience) arena->given_up[arena->n_given_up++] = page;
}

void ssi_predict_same(ss_arena *arena, uint32_t page) {
    ssi_habit *h = meet(arena, page);
    if (!arena->patience) return;
    uint32_t limit = arena->patience == 1 ? 1 : arena->patience << h->returns;
    if (++h->unchanged >= limit) arena->given_up[arena->n_given_up++] = page;
}

void ssi_predict_end(ss_arena *arena) {
    uint32_t n = arena->n_given_up;
    if (!n) return;
    arena->n_given_up = 0;
    if (arena->tracker->rearm(&arena->tracked, arena->given_up, n)) ssi_panic("the tracker failed: pages could be missed from here on");
    for (uint32_t i = 0; i < n; i++) {
        ssi_habit *h = &arena->habits[arena->given_up[i]];
        h->armed = 1;
        h->armed_at = (uint32_t)arena->statistics.checkpoints;
        h->unchanged = 0;
    }
    arena->statistics.rearmed_pages += n;
}
