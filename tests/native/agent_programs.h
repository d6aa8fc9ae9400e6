/* agent_programs.h — small programs for the agent: three choices, and simulated threads whose states are known exactly. */
#pragma once
#include "emulation.h"

static ss_arena *arena;
static uint64_t *outcomes; /* shared: how often each outcome was reached */

static inline uint32_t choose_data(uint32_t n, uint64_t label) {
    ss_choice choice = {.kind = SS_CHOICE_DATA, .n = n, .label = label};
    return ss_choose(arena, &choice);
}

/* ---- every combination of three choices ------------------------------------------------- */

static uint32_t digits;

static inline void combinations(void) {
    digits = 0;
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t on_stack = digits;
        uint32_t value = choose_data(3 + i, i + 1);
        CHECK(on_stack == digits);
        digits = digits * 10 + value;
    }
    outcomes[digits]++;
    ss_outbox_write(arena, &digits, sizeof digits);
}

static inline void expect_finished(const ss_result *r) {
    CHECK(r->end == SS_END_FINISHED && r->outbox_bytes == sizeof digits);
    CHECK(r->transitions == r->n_states + 1);
    for (uint32_t i = 1; i < r->n_states; i++) CHECK(ss_get_state(arena, r->states[i])->parent == r->states[i - 1]);
}

static inline void test_combinations(const char *tracker) {
    ss_statistics s, before;
    ss_get_statistics(arena, &before);
    pid_t child = start_child(arena, (child_options){.tracker = tracker, .body = combinations});
    CHECK(search(arena, child, SS_RUN_SNAPSHOT, expect_finished) == 3 * 4 * 5);
    for (uint32_t a = 0; a < 10; a++)
        for (uint32_t b = 0; b < 10; b++)
            for (uint32_t c = 0; c < 10; c++) CHECK(outcomes[a * 100 + b * 10 + c] == (a < 3 && b < 4 && c < 5));
    CHECK_VALID(arena);
    ss_get_statistics(arena, &s);
    CHECK(s.checkpoints - before.checkpoints == 1 + 3 + 3 * 4 && s.restores - before.restores == 60 && s.states == 0);
    CHECK(!strcmp(ss_tracker_name(arena), strcmp(tracker, "auto") ? tracker : "wpasync"));
    stop_child(arena, child);
}

/* ---- simulated threads, merged states, preemption bounds -------------------------------- */

#define WORKERS 3u
#define WORK 3u

static ss_context contexts[WORKERS];
static uintptr_t tls_of[WORKERS];
static uint32_t current, done[WORKERS], shared_total;

/* State: how far each worker is. The fingerprint is exact, so counts are known. */
static inline int progress(void *user, uint32_t root, uint64_t out[2]) {
    (void)user;
    CHECK(root != SS_NONE);
    out[0] = out[1] = 0;
    for (uint32_t i = 0; i < WORKERS; i++) out[0] = out[0] * 16 + done[i];
    return 0;
}

static inline void switch_point(int may_run) {
    ss_alternative alternatives[WORKERS];
    uint32_t n = 0, me = current;
    if (may_run) alternatives[n++] = (ss_alternative){.thread = (uint16_t)me};
    for (uint32_t i = 0; i < WORKERS; i++)
        if (i != me && done[i] < WORK) alternatives[n++] = (ss_alternative){.thread = (uint16_t)i};
    if (!n) ss_end_path(arena, SS_END_FINISHED, "all done");
    ss_choice choice = {.kind = SS_CHOICE_THREAD, .current = (uint16_t)me, .n = n, .label = me + 1, .alternatives = alternatives};
    uint32_t next = alternatives[ss_choose(arena, &choice)].thread;
    CHECK(current == me && ss_thread_pointer() == tls_of[me]); /* resumed as the thread that asked */
    if (next == me) return;
    current = next;
    ss_switch(&contexts[me], &contexts[next]);
}

static inline void worker(void) {
    uint32_t me = current;
    for (uint32_t i = 0; i < WORK; i++) {
        uint32_t sum = 0;
        for (uint32_t k = 0; k < WORKERS; k++) sum += done[k];
        CHECK(sum == shared_total && done[me] == i); /* memory is that of this very interleaving */
        shared_total++;
        done[me]++;
        switch_point(i + 1 < WORK);
    }
    CHECK(!"a worker went on after its end");
}

static inline void workers(void) {
    CHECK(ss_thread_pointer() != 0);
    for (uint32_t i = 0; i < WORKERS; i++) {
        uintptr_t lo, hi;
        CHECK(ss_donor_stack(arena, i, &lo, &hi, &tls_of[i]) == 0);
        ss_context_make(&contexts[i], hi, tls_of[i], worker);
        done[i] = 0;
    }
    shared_total = 0;
    current = 0;
    static ss_context main_context;
    ss_switch(&main_context, &contexts[0]);
}

static uint64_t finished, cut;
static uint32_t fewest;
static inline void count_ends(const ss_result *r) {
    finished += r->end == SS_END_FINISHED;
    cut += r->end == SS_END_VISITED;
    CHECK(r->end == SS_END_FINISHED || r->end == SS_END_VISITED);
    for (uint32_t i = 0; i < r->n_states; i++) {
        const ss_state *s = ss_get_state(arena, r->states[i]);
        CHECK(s->preemptions <= s->depth && (s->root == SS_NONE) == ((s->flags & SS_STATE_VISITED) != 0));
        CHECK((s->taken == SS_NONE) == ((s->flags & SS_STATE_VISITED) != 0));
        if (s->preemptions < fewest) fewest = s->preemptions;
    }
}

static inline pid_t start_workers(const char *tracker) {
    return start_child(arena, (child_options){.tracker = tracker, .n_donors = WORKERS, .fingerprint = progress, .body = workers});
}
