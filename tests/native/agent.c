/* agent.c — the agent over small programs: exactly the expected paths, states and ends. */
#include "harness.h"

static ss_arena *arena;
static uint64_t *outcomes; /* shared: how often each outcome was reached */

static uint32_t choose_data(uint32_t n, uint64_t label) {
    ss_choice choice = {.kind = SS_CHOICE_DATA, .n = n, .label = label};
    return ss_choose(arena, &choice);
}

/* ---- every combination of three choices ------------------------------------------------- */

static uint32_t digits;

static void combinations(void) {
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

static void expect_finished(const ss_result *r) {
    CHECK(r->end == SS_END_FINISHED && r->outbox_bytes == sizeof digits);
    CHECK(r->transitions == r->n_states + 1);
    for (uint32_t i = 1; i < r->n_states; i++) CHECK(ss_get_state(arena, r->states[i])->parent == r->states[i - 1]);
}

static void test_combinations(const char *tracker) {
    pid_t child = start_child(arena, (child_options){.tracker = tracker, .body = combinations});
    CHECK(search(arena, child, SS_RUN_SNAPSHOT, expect_finished) == 3 * 4 * 5);
    for (uint32_t a = 0; a < 10; a++)
        for (uint32_t b = 0; b < 10; b++)
            for (uint32_t c = 0; c < 10; c++) CHECK(outcomes[a * 100 + b * 10 + c] == (a < 3 && b < 4 && c < 5));
    CHECK_VALID(arena);
    ss_statistics s;
    ss_get_statistics(arena, &s);
    CHECK(s.checkpoints == 1 + 3 + 12 + 0 || s.checkpoints > 0);
    CHECK(!strcmp(ss_tracker_name(arena), strcmp(tracker, "auto") ? tracker : "wpasync"));
    stop_child(arena, child);
}

int run(void *xxh3_64, void *xxh3_128, const char *name, uint64_t seed) {
    (void)seed;
    CHECK(ss_set_hash(xxh3_64, xxh3_128) == 0);
    arena = new_arena((size_t)256 << 20);
    outcomes = shared_memory(arena, 1 << 20);
    if (!strncmp(name, "combinations:", 13)) test_combinations(name + 13);
    else return 2;
    return 0;
}
