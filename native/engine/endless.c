/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ endless.c — from which states can no end be reached?                       │
 * │                                                                            │
 * │ While the search runs, every state that is seen to reach an end is marked, │
 * │ with all before it: each state knows the one from which it was reached     │
 * │ first, and a marked state has only marked ones before it, so all marking   │
 * │ together is linear. Other steps matter only between two states that are    │
 * │ not marked yet: depth-first search marks most states at once, and few      │
 * │ steps are kept.                                                            │
 * │                                                                            │
 * │ At the end the marks are carried back over those steps. What stays without │
 * │ a mark is left by no step to a state with one.                             │
 * │                                                                            │
 * │ States that are never merged have no entry; a step through them counts as  │
 * │ one between the states around them. They are part of no loop: what never   │
 * │ ends either goes through states with entries or does not end the search.   │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "engine_internal.h"

static void mark(ss_arena *arena, uint32_t entry, uint16_t what) {
    while (entry != SS_NONE) {
        ssi_visit *v = &arena->visited[entry];
        if (v->marks & what) return;
        v->marks |= what;
        if (what == SSI_REACHES_END) arena->n_states_ending++;
        entry = v->before;
    }
}

static int has(const ss_arena *arena, uint32_t entry, uint16_t what) { return (arena->visited[entry].marks & what) != 0; }

void ssi_reaches_end(ss_arena *arena, uint32_t entry) { mark(arena, entry, SSI_REACHES_END); }

/* Carry a mark back over all edges. Edges whose start has it are dropped if `drop`. */
static void carry_back(ss_arena *arena, uint16_t what, int drop) {
    for (int changed = 1; changed;) {
        changed = 0;
        uint32_t kept = 0;
        for (uint32_t i = 0; i < arena->n_edges; i++) {
            ssi_edge e = arena->edges[i];
            if (has(arena, e.to, what) && !has(arena, e.from, what)) {
                mark(arena, e.from, what);
                changed = 1;
            }
            if (!drop || !has(arena, e.from, what)) arena->edges[kept++] = e;
        }
        arena->n_edges = kept;
    }
}

void ssi_edge_add(ss_arena *arena, uint32_t from, uint32_t to, int timed) {
    ssi_visit *v = &arena->visited[to];
    if (timed) v->marks |= SSI_TIMED;
    if (!(v->marks & SSI_IS_LINKED)) {
        v->marks |= SSI_IS_LINKED;
        v->before = from;
        return;
    }
    if (from == SS_NONE || from == to || has(arena, from, SSI_REACHES_END)) return;
    if (has(arena, to, SSI_REACHES_END)) {
        mark(arena, from, SSI_REACHES_END);
        return;
    }
    if (v->before == from) return;
    if (arena->n_edges > arena->visited_mask) carry_back(arena, SSI_REACHES_END, 1);
    if (arena->n_edges > arena->visited_mask)
        arena->edges_lost = 1;
    else
        arena->edges[arena->n_edges++] = (ssi_edge){from, to};
}

int ssi_is_endless(const ss_arena *arena, uint32_t entry) {
    return has(arena, entry, SSI_ENDLESS);
}

int ss_find_endless(ss_arena *arena, uint64_t *endless, uint64_t *timed) {
    *endless = *timed = 0;
    if (arena->edges_lost) return ssi_fail(arena, -ENOSPC, "the table of steps between states is full");
    carry_back(arena, SSI_REACHES_END, 1);
    if (arena->n_states_ending == arena->n_states_known) return 0; /* the usual case: no look at the whole table */
    for (uint32_t i = 0; i <= arena->visited_mask; i++)
        if ((arena->visited[i].marks & (SSI_TIMED | SSI_REACHES_END)) == SSI_TIMED) mark(arena, i, SSI_REACHES_TIMED);
    carry_back(arena, SSI_REACHES_TIMED, 0);
    for (uint32_t i = 0; i <= arena->visited_mask; i++) {
        uint16_t marks = arena->visited[i].marks;
        if ((marks & (SSI_IS_STATE | SSI_REACHES_END)) != SSI_IS_STATE) continue;
        ++*endless;
        if (marks & SSI_REACHES_TIMED)
            ++*timed;
        else
            arena->visited[i].marks |= SSI_ENDLESS;
    }
    return 0;
}
