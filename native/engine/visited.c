/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ visited.c — the set of visited states.                                     │
 * │                                                                            │
 * │ Open addressing with linear probing, whole 128-bit keys. One table holds   │
 * │ two kinds of entries: a state (for counting distinct ones, and for visits  │
 * │ of an unbounded search), and a state together with the thread that ran     │
 * │ last (for visits of a preemption-bounded search: from there the two differ │
 * │ in what they may still do). An entry counts as visited only if its epoch   │
 * │ is the present one, so clearing is one increment.                          │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "engine_internal.h"

/* The entry of the key, or the empty one where it belongs. */
static ssi_visit *find(ss_arena *arena, const uint64_t key[2]) {
    for (uint32_t i = (uint32_t)(key[0] ^ key[1] >> 32);; i++) {
        ssi_visit *v = &arena->visited[i & arena->visited_mask];
        if (!v->used || (v->key[0] == key[0] && v->key[1] == key[1])) return v;
    }
}

static ssi_visit *find_or_add(ss_arena *arena, const uint64_t key[2], int *added) {
    ssi_visit *v = find(arena, key);
    *added = !v->used;
    if (*added) {
        v->key[0] = key[0];
        v->key[1] = key[1];
        v->used = 1;
        v->before = SS_NONE;
        arena->visited_used++;
    }
    return v;
}

static void mix(const uint64_t fingerprint[2], uint64_t kind, uint64_t value, uint64_t key[2]) {
    uint64_t words[4] = {fingerprint[0], fingerprint[1], kind, value};
    ssi_hash128 hash = ssi_hash128_of(words, sizeof words);
    key[0] = hash.low;
    key[1] = hash.high;
}

enum ssi_visit_answer ssi_visited_check(ss_arena *arena, const uint64_t fingerprint[2], uint32_t shape, int count_only,
                                        int use_thread, uint32_t thread, uint32_t preemptions, uint32_t *entry) {
    if (arena->visited_used + 2 > arena->visited_mask / 8 * 7) return SSI_VISIT_FULL;
    uint64_t key[2];
    int added;
    mix(fingerprint, 0, shape, key);
    ssi_visit *v = find_or_add(arena, key, &added);
    arena->statistics.states += (uint64_t)added;
    arena->n_states_known += (uint32_t)added;
    v->marks |= SSI_IS_STATE;
    *entry = (uint32_t)(v - arena->visited);
    if (count_only) return SSI_VISIT_NEW;
    if (use_thread) {
        mix(key, 1, thread, key);
        v = find_or_add(arena, key, &added);
    }
    if (v->epoch == arena->visited_epoch && (!use_thread || v->preemptions <= preemptions)) return SSI_VISIT_PRUNE;
    v->epoch = arena->visited_epoch;
    v->preemptions = preemptions;
    return SSI_VISIT_NEW;
}

int ss_visited_clear(ss_arena *arena) {
    if (++arena->visited_epoch) return 0;
    arena->visited_epoch = 1; /* wrapped round: old entries would look new */
    for (uint32_t i = 0; i <= arena->visited_mask; i++) arena->visited[i].epoch = 0;
    return 0;
}
