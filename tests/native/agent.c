/* agent.c — the agent over small programs: exactly the expected paths, states and ends. */
#include "agent_programs.h"

/* Worker 0 makes the first step. Interleavings of 2, 3 and 3 further steps: 8! / (2! 3! 3!). */
static void test_interleavings(const char *tracker) {
    pid_t child = start_workers(tracker);
    CHECK(search(arena, child, SS_RUN_SNAPSHOT, count_ends) == 560);
    CHECK(finished == 560 && cut == 0);
    CHECK_VALID(arena);
    stop_child(arena, child);
}

/* Distinct states: worker 0 at 1..3, the others at 0..3, without the end: 3 * 4 * 4 - 1. */
static void test_visited(const char *tracker) {
    pid_t child = start_workers(tracker);
    uint32_t flags = SS_RUN_SNAPSHOT | SS_RUN_FINGERPRINT | SS_RUN_PRUNE;
    uint64_t paths = search(arena, child, flags, count_ends);
    ss_statistics s;
    ss_get_statistics(arena, &s);
    CHECK(s.states == 47 && paths == finished + cut && s.visited_hits == cut && s.unhashable_states == 0);
    CHECK(finished == 3); /* the last step may be anybody's; each is taken from one state only */
    CHECK_VALID(arena);
    stop_child(arena, child);
}

/* Same states, but the thread that ran last counts, and fewer preemptions reopen a state. */
static void test_bounded(const char *tracker) {
    pid_t child = start_workers(tracker);
    uint32_t flags = SS_RUN_SNAPSHOT | SS_RUN_FINGERPRINT | SS_RUN_PRUNE | SS_RUN_KEY_LAST_THREAD;
    fewest = SS_NONE;
    search(arena, child, flags, count_ends);
    ss_statistics s;
    ss_get_statistics(arena, &s);
    CHECK(s.states == 47 && fewest == 0);
    /* A state with fewer preemptions is expanded again, with as many or more it is not. */
    uint64_t fingerprint[2] = {1, 2};
    uint32_t entry;
    CHECK(ssi_visited_check(arena, fingerprint, 0, 0, 1, 0, 5, &entry) == SSI_VISIT_NEW);
    CHECK(ssi_visited_check(arena, fingerprint, 0, 0, 1, 0, 5, &entry) == SSI_VISIT_PRUNE);
    CHECK(ssi_visited_check(arena, fingerprint, 0, 0, 1, 0, 6, &entry) == SSI_VISIT_PRUNE);
    CHECK(ssi_visited_check(arena, fingerprint, 0, 0, 1, 1, 5, &entry) == SSI_VISIT_NEW); /* another thread */
    CHECK(ssi_visited_check(arena, fingerprint, 9, 0, 1, 0, 5, &entry) == SSI_VISIT_NEW); /* another shape */
    CHECK(ssi_visited_check(arena, fingerprint, 0, 0, 1, 0, 4, &entry) == SSI_VISIT_NEW);
    CHECK(ssi_visited_check(arena, fingerprint, 0, 0, 1, 0, 5, &entry) == SSI_VISIT_PRUNE);
    CHECK(ssi_visited_check(arena, fingerprint, 0, 0, 0, 0, 0, &entry) == SSI_VISIT_NEW); /* unbounded: an entry of its own */
    CHECK(ssi_visited_check(arena, fingerprint, 0, 0, 0, 0, 9, &entry) == SSI_VISIT_PRUNE);
    CHECK(ss_visited_clear(arena) == 0);
    CHECK(ssi_visited_check(arena, fingerprint, 0, 0, 1, 0, 9, &entry) == SSI_VISIT_NEW);
    ss_get_statistics(arena, &s);
    CHECK(s.states == 49); /* counted once, whatever else is asked */
    stop_child(arena, child);
}

/* ---- what lies below the stack pointer ----------------------------------------------------------- */

#define DEEP (3 * SS_PAGE)
static uintptr_t deepest;

/* Fills three pages of stack and returns. */
static __attribute__((noinline)) void scribble(void) {
    volatile uint8_t garbage[DEEP];
    for (uint32_t i = 0; i < DEEP; i++) garbage[i] = 0xa5;
    deepest = (uintptr_t)garbage;
}

static __attribute__((noinline)) uint64_t sum_of(const volatile uint8_t *at, size_t bytes) {
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes; i++) sum += at[i];
    return sum;
}

/* Calls that returned leave nothing; what is in use stays. */
static void leaves_nothing(void) {
    volatile uint8_t live[2 * SS_PAGE];
    for (uint32_t i = 0; i < sizeof live; i++) live[i] = (uint8_t)i;
    uint64_t before = sum_of(live, sizeof live);
    scribble();
    CHECK(sum_of((const uint8_t *)deepest, DEEP) > 0);
    choose_data(2, 1);
    CHECK(sum_of((const uint8_t *)deepest, 2 * SS_PAGE) == 0); /* the third page holds frames of the choice */
    CHECK(sum_of(live, sizeof live) == before);
}

static void test_unused_stack(void) {
    pid_t child = start_child(arena, (child_options){.tracker = "auto", .body = leaves_nothing});
    CHECK(search(arena, child, SS_RUN_SNAPSHOT, NULL) == 2);
    stop_child(arena, child);
}

/* ---- paths that follow without being asked for ------------------------------------------------- */

typedef struct totals {
    uint64_t runs, transitions, finished, cut, commands, states;
} totals;

/* Depth first, naming up to `most` further paths with every command. */
static totals search_following(uint32_t most) {
    static ss_start stack[256]; /* a state and the next alternative of it */
    totals t = {0};
    pid_t child = start_workers("auto");
    CHECK(wait_for_result(arena, child, NULL) == 0);
    uint32_t depth = 0;
    stack[depth++] = (ss_start){0, 0};
    while (depth) {
        ss_start *top = &stack[depth - 1];
        if (top->alternative == ss_get_state(arena, top->state)->n) {
            CHECK(ss_state_release(arena, top->state) == 0);
            depth--;
            continue;
        }
        ss_command command = {.state = top->state, .alternative = top->alternative++, .flags = SS_RUN_SNAPSHOT | SS_RUN_FINGERPRINT | SS_RUN_PRUNE};
        ss_start following[SS_MAX_FOLLOWING];
        for (uint32_t at = depth; at-- > 0;)
            for (uint32_t a = stack[at].alternative; a < ss_get_state(arena, stack[at].state)->n && command.n_following < most; a++)
                following[command.n_following++] = (ss_start){stack[at].state, a};
        CHECK(ss_set_following(arena, following, command.n_following) == 0);
        CHECK(ss_send(arena, &command) == 0 && wait_for_result(arena, child, NULL) == 0);
        ss_result r;
        CHECK(ss_get_result(arena, &r) == 0 && r.runs >= 1 && r.runs <= 1 + command.n_following);
        for (uint32_t i = 1; i < r.runs; i++) {
            while (stack[depth - 1].alternative == ss_get_state(arena, stack[depth - 1].state)->n) CHECK(ss_state_release(arena, stack[--depth].state) == 0);
            CHECK(stack[depth - 1].state == following[i - 1].state && stack[depth - 1].alternative++ == following[i - 1].alternative);
        }
        t.commands++;
        t.runs += r.runs;
        t.transitions += r.transitions;
        t.finished += r.end == SS_END_FINISHED;
        t.cut += r.runs - 1 + (r.end == SS_END_VISITED);
        for (uint32_t i = 0; i < r.n_states; i++) {
            if (ss_get_state(arena, r.states[i])->flags & SS_STATE_VISITED)
                CHECK(ss_state_release(arena, r.states[i]) == 0);
            else
                stack[depth++] = (ss_start){r.states[i], 1};
        }
    }
    ss_statistics s;
    ss_get_statistics(arena, &s);
    t.states = s.states;
    CHECK_VALID(arena);
    stop_child(arena, child);
    CHECK(ss_arena_reset(arena) == 0 && ss_visited_clear(arena) == 0);
    return t;
}

static void test_following(void) {
    totals one_by_one = search_following(0), many = search_following(SS_MAX_FOLLOWING), few = search_following(2);
    CHECK(one_by_one.states == 47 && one_by_one.finished == 3 && one_by_one.commands == one_by_one.runs);
    CHECK(many.runs == one_by_one.runs && many.transitions == one_by_one.transitions && many.finished == 3 && many.cut == one_by_one.cut);
    CHECK(few.runs == one_by_one.runs && few.transitions == one_by_one.transitions && few.finished == 3 && few.cut == one_by_one.cut);
    CHECK(many.states == 47 && few.states == 47); /* distinct ones since the arena was made */
    CHECK(many.commands < few.commands && few.commands < one_by_one.commands);
    /* What can't be started is refused as a whole. */
    pid_t child = start_workers("auto");
    CHECK(wait_for_result(arena, child, NULL) == 0);
    CHECK(ss_set_following(arena, (ss_start[]){{0, 0}, {0, 1}}, 2) == -EINVAL && ss_set_following(arena, (ss_start[]){{9, 0}}, 1) == -EINVAL);
    CHECK(ss_set_following(arena, NULL, SS_MAX_FOLLOWING + 1) == -EINVAL);
    CHECK(ss_set_following(arena, (ss_start[]){{0, 0}}, 1) == 0);
    CHECK(ss_send(arena, &(ss_command){.n_following = 2}) == -EINVAL);
    CHECK(ss_send(arena, &(ss_command){.n_following = 1, .flags = SS_RUN_ASK}) == -EINVAL);
    stop_child(arena, child);
}

/* ---- forced schedules ------------------------------------------------------------------------ */

static void expect_outcome(const ss_result *r, uint32_t value) {
    CHECK(r->end == SS_END_FINISHED && r->outbox_bytes == sizeof value && !memcmp(r->outbox, &value, sizeof value));
}

static void test_forced(const char *tracker) {
    pid_t child = start_child(arena, (child_options){.tracker = tracker, .body = combinations});
    uint32_t flags = SS_RUN_SNAPSHOT;
    CHECK(wait_for_result(arena, child, NULL) == 0);
    CHECK(ss_set_forced(arena, (uint32_t[]){2, 3, 4}, (uint64_t[]){1, 2, 3}, 3) == 0);
    ss_result r = run_path(arena, child, 0, 0, flags, 3);
    expect_outcome(&r, 234);
    uint32_t second = r.states[1];
    CHECK(ss_get_state(arena, second)->arrived_by == 2 && ss_get_state(arena, second)->taken == 3);
    CHECK(ss_get_state(arena, second)->depth == 2);

    CHECK(ss_set_forced(arena, (uint32_t[]){1}, NULL, 1) == 0);
    r = run_path(arena, child, second, 0, flags, 1); /* on from the middle: 2, 0, 1 */
    expect_outcome(&r, 201);
    r = run_path(arena, child, second, 1, flags, 0); /* a schedule is used only if asked for */
    expect_outcome(&r, 210);

    CHECK(ss_set_forced(arena, (uint32_t[]){0, 0}, (uint64_t[]){1, 99}, 2) == 0);
    r = run_path(arena, child, 0, 0, flags, 2);
    CHECK(r.end == SS_END_DIVERGED && r.n_states == 2 && strstr(r.detail, "choice point 2: the schedule expects operation 0x63"));
    CHECK(ss_set_forced(arena, (uint32_t[]){3}, NULL, 1) == 0);
    r = run_path(arena, child, 0, 0, flags, 1);
    CHECK(r.end == SS_END_DIVERGED && strstr(r.detail, "takes alternative 3 but there are only 3"));

    ss_command wrong = {.state = 0, .alternative = 1};
    CHECK(ss_send(arena, &wrong) == -EINVAL);
    wrong = (ss_command){.state = 12345};
    CHECK(ss_send(arena, &wrong) == -EINVAL && ss_state_release(arena, 12345) == -EINVAL);
    wrong = (ss_command){.n_forced = 7};
    CHECK(ss_send(arena, &wrong) == -EINVAL);
    stop_child(arena, child);
}

/* A forced schedule runs through visited states; behind its end they are cut. */
static void test_forced_through_visited(void) {
    pid_t child = start_child(arena, (child_options){.tracker = "auto", .n_donors = WORKERS, .fingerprint = progress, .body = workers});
    uint32_t flags = SS_RUN_SNAPSHOT | SS_RUN_FINGERPRINT | SS_RUN_PRUNE;
    CHECK(wait_for_result(arena, child, NULL) == 0);
    ss_result r = run_path(arena, child, 0, 0, flags, 0);
    CHECK(r.end == SS_END_FINISHED && r.n_states == 8);
    r = run_path(arena, child, 0, 0, flags, 0);
    CHECK(r.end == SS_END_VISITED && r.n_states == 1);
    CHECK(ss_set_forced(arena, (uint32_t[]){0, 0, 0}, NULL, 3) == 0);
    r = run_path(arena, child, 0, 0, flags, 3);
    CHECK(r.end == SS_END_VISITED && r.n_states == 4);
    for (uint32_t i = 0; i < 3; i++) CHECK(ss_get_state(arena, r.states[i])->root != SS_NONE);
    CHECK_VALID(arena);
    stop_child(arena, child);
}

static void test_deepest(void) {
    pid_t child = start_workers("auto");
    CHECK(wait_for_result(arena, child, NULL) == 0);
    ss_result r = {0};
    uint32_t state = 0;
    for (uint32_t deepest = 3; deepest <= 8; deepest += 5) { /* an execution has eight; it goes on from the third */
        ss_command command = {.state = state, .flags = SS_RUN_SNAPSHOT, .deepest = deepest};
        CHECK(ss_send(arena, &command) == 0 && wait_for_result(arena, child, NULL) == 0 && ss_get_result(arena, &r) == 0);
        CHECK(r.end == (deepest == 3 ? SS_END_LIMIT : SS_END_FINISHED) && r.n_states == (deepest == 3 ? 3 : 5));
        state = r.states[2];
    }
    stop_child(arena, child);
}

/* ---- dropped snapshots are rebuilt ------------------------------------------------------------ */

static void test_rebuild(const char *tracker) {
    pid_t child = start_workers(tracker);
    uint32_t flags = SS_RUN_SNAPSHOT | SS_RUN_FINGERPRINT | SS_RUN_PRUNE;
    ss_statistics before, after;
    CHECK(wait_for_result(arena, child, NULL) == 0);
    ss_result r = run_path(arena, child, 0, 0, flags, 0);
    CHECK(r.end == SS_END_FINISHED && r.n_states == 8);
    uint32_t fourth = r.states[3];
    uint64_t label = ss_get_state(arena, fourth)->label, fingerprint = ss_get_state(arena, fourth)->fingerprint[0];
    for (uint32_t i = 0; i < 8; i++) CHECK(ss_state_release(arena, r.states[i]) == 0);
    ss_get_statistics(arena, &before);
    CHECK(ss_set_forced(arena, (uint32_t[]){0, 0, 0, 1}, (uint64_t[]){0, 0, 0, label}, 4) == 0);
    r = run_path(arena, child, 0, 0, flags | SS_RUN_REBUILD, 4);
    ss_get_statistics(arena, &after);
    CHECK(r.end == SS_END_FINISHED && r.n_states > 4 && r.transitions == r.n_states + 1);
    for (uint32_t i = 0; i < 3; i++) {
        const ss_state *passed = ss_get_state(arena, r.states[i]);
        CHECK(passed->root == SS_NONE && !passed->flags && passed->taken == 0);
        CHECK(ss_state_release(arena, r.states[i]) == 0);
    }
    const ss_state *again = ss_get_state(arena, r.states[3]);
    CHECK(again->root != SS_NONE && again->fingerprint[0] == fingerprint && again->taken == 1 && again->depth == 4);
    CHECK(after.checkpoints - before.checkpoints == r.n_states - 3 && after.visited_hits == before.visited_hits);
    CHECK(after.states - before.states == r.n_states - 4); /* what was passed is not counted again */
    /* Choices that lead elsewhere: a state that was never visited. */
    CHECK(ss_set_forced(arena, (uint32_t[]){2, 0, 0, 0}, NULL, 4) == 0);
    r = run_path(arena, child, 0, 0, flags | SS_RUN_REBUILD, 4);
    CHECK(r.end == SS_END_DIVERGED && r.n_states == 3 && strstr(r.detail, "another state than the first time"));
    CHECK_VALID(arena);
    stop_child(arena, child);
}

/* ---- asked at every choice point ----------------------------------------------------------- */

static ss_result answer_and_wait(pid_t child, uint32_t alternative) {
    ss_result r;
    CHECK(ss_answer(arena, alternative) == 0 && wait_for_result(arena, child, NULL) == 0 && ss_get_result(arena, &r) == 0);
    return r;
}

static void test_asked(const char *tracker) {
    pid_t child = start_child(arena, (child_options){.tracker = tracker, .body = combinations});
    CHECK(wait_for_result(arena, child, NULL) == 0);
    CHECK(ss_answer(arena, 0) == -EINVAL); /* nobody asked */
    for (uint32_t first = 0; first < 3; first++) {
        CHECK(ss_set_forced(arena, &first, NULL, 1) == 0);
        ss_result r = run_path(arena, child, 0, 0, SS_RUN_ASK, 1);
        CHECK(r.end == SS_END_ASKING && r.n_states == 2 && ss_get_state(arena, r.states[1])->n == 4);
        ss_command other = {.state = 0};
        CHECK(ss_send(arena, &other) == -EBUSY && ss_answer(arena, 4) == -EINVAL);
        CHECK(answer_and_wait(child, 3).end == SS_END_ASKING);
        r = answer_and_wait(child, first);
        expect_outcome(&r, first * 100 + 30 + first);
        CHECK(r.n_states == 3 && r.transitions == 4 && ss_get_state(arena, r.states[1])->taken == 3);
        CHECK(ss_get_state(arena, r.states[2])->root == SS_NONE);
        for (uint32_t i = 0; i < 3; i++) CHECK(ss_state_release(arena, r.states[i]) == 0);
    }
    CHECK_VALID(arena);
    stop_child(arena, child);
}

/* ---- a path that nothing comes back to ------------------------------------------------------ */

#define WAY 3000u
#define LOOP 7u
static uint32_t steps;

static void runs_in_circles(void) {
    for (steps = 0;; steps = steps < WAY + LOOP - 1 ? steps + 1 : WAY) choose_data(2, 0);
}

static int how_far(void *user, uint32_t root, uint64_t out[2]) {
    (void)user;
    CHECK(root != SS_NONE);
    out[0] = steps + 1;
    out[1] = 0;
    return 0;
}

/* Nothing is kept. The first thousand states are compared, later every 32nd: the seventh of these in the loop is known. */
static void test_once(const char *tracker) {
    ss_statistics before, s;
    ss_get_statistics(arena, &before);
    pid_t child = start_child(arena, (child_options){.tracker = tracker, .body = runs_in_circles, .fingerprint = how_far});
    CHECK(wait_for_result(arena, child, NULL) == 0);
    ss_result r = run_path(arena, child, 0, 0, SS_RUN_ONCE | SS_RUN_SNAPSHOT | SS_RUN_FINGERPRINT | SS_RUN_PRUNE, 0);
    uint32_t first = (WAY + 31) / 32 * 32;
    CHECK(r.end == SS_END_VISITED && r.n_states == first + LOOP * 32 + 1);
    for (uint32_t i = 0; i < r.n_states; i++) {
        const ss_state *state = ss_get_state(arena, r.states[i]);
        CHECK(state->root == SS_NONE && !(state->flags & SS_STATE_HASHED) == (i >= 1024 && i % 32));
    }
    ss_get_statistics(arena, &s);
    CHECK(s.states - before.states == 1024 + first / 32 - 1024 / 32 + LOOP);
    CHECK(s.checkpoints - before.checkpoints == s.states - before.states + 1);
    CHECK_VALID(arena);
    stop_child(arena, child);
}

/* ---- without a tracker: one path -------------------------------------------------------------- */

static void test_none(void) {
    pid_t child = start_child(arena, (child_options){.tracker = "none", .body = combinations});
    CHECK(wait_for_result(arena, child, NULL) == 0 && !strcmp(ss_tracker_name(arena), "none"));
    CHECK(ss_set_forced(arena, (uint32_t[]){2, 3, 4}, NULL, 3) == 0);
    ss_result r = run_path(arena, child, 0, 0, SS_RUN_SNAPSHOT | SS_RUN_FINGERPRINT, 3);
    expect_outcome(&r, 234);
    CHECK(r.n_states == 3 && ss_get_state(arena, r.states[0])->root == SS_NONE);
    r = run_path(arena, child, 0, 0, 0, 0);
    CHECK(r.end == SS_END_ERROR);
    stop_child(arena, child);
}

/* ---- memory ------------------------------------------------------------------------------------- */

#define HUNGRY_PAGES 400u
static _Alignas(SS_PAGE) uint8_t hungry[HUNGRY_PAGES][SS_PAGE];

static void eat(void) {
    uint64_t seed = 1;
    for (uint32_t round = 0;; round++) {
        if (round == 40) return;
        for (uint32_t i = 0; i < HUNGRY_PAGES; i++) {
            uint64_t value = next_random(&seed);
            for (uint32_t k = 0; k < SS_PAGE; k += 8) { /* nothing that could be packed */
                value = value * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
                memcpy(hungry[i] + k, &value, 8);
            }
        }
        uint64_t sum = 0, again = 0;
        for (uint32_t i = 0; i < HUNGRY_PAGES; i++) sum += hungry[i][3001] + hungry[i][2] * i;
        choose_data(2, round + 1);
        for (uint32_t i = 0; i < HUNGRY_PAGES; i++) again += hungry[i][3001] + hungry[i][2] * i;
        CHECK(sum == again);
    }
}

static void test_memory(const char *tracker) {
    ss_arena_destroy(arena);
    arena = new_arena((size_t)48 << 20); /* the base snapshot fits, and some twenty rounds */
    pid_t child = start_child(arena, (child_options){.tracker = tracker, .body = eat});
    CHECK(wait_for_result(arena, child, NULL) == 0);
    ss_result base;
    CHECK(ss_get_result(arena, &base) == 0 && base.n_states == 1);
    for (uint32_t attempt = 0; attempt < 3; attempt++) {
        ss_result r = run_path(arena, child, 0, 0, SS_RUN_SNAPSHOT, 0);
        CHECK(r.end == SS_END_MEMORY && !strcmp(r.detail, "the page store is full") && r.n_states > 3);
        CHECK_VALID(arena);
        ss_statistics s;
        ss_get_statistics(arena, &s);
        CHECK(s.stored_bytes <= (48u << 20) && s.peak_stored_bytes > (44u << 20));
        /* The last state is what memory was like before the attempt that failed. */
        uint32_t last = r.states[r.n_states - 1];
        uint64_t label = ss_get_state(arena, last)->label;
        for (uint32_t i = 0; i + 1 < r.n_states; i++) CHECK(ss_state_release(arena, r.states[i]) == 0);
        r = run_path(arena, child, last, 0, SS_RUN_SNAPSHOT, 0);
        CHECK(r.n_states > 0 && ss_get_state(arena, r.states[0])->label == label + 1);
        for (uint32_t i = 0; i < r.n_states; i++) CHECK(ss_state_release(arena, r.states[i]) == 0);
        CHECK(ss_state_release(arena, last) == 0);
        CHECK_VALID(arena);
    }
    /* With the snapshots given back a path without new ones runs to its end: memory was restored. */
    ss_result r = run_path(arena, child, 0, 0, 0, 0);
    CHECK(r.end == SS_END_FINISHED && r.n_states == 40);
    stop_child(arena, child);
    ss_arena_destroy(arena);
    arena = new_arena(1 << 20);
    int status;
    child = start_child(arena, (child_options){.tracker = tracker, .body = eat});
    if (!strcmp(tracker, "compare")) { /* the whole base state must lie in the store */
        CHECK(wait_for_result(arena, child, &status) == -1 && WEXITSTATUS(status) == 70);
        CHECK(strstr(ss_last_error(arena), "too small for the base snapshot"));
    } else { /* a frozen copy keeps it: only the first choice point is too much, and can be gone back from */
        CHECK(wait_for_result(arena, child, NULL) == 0);
        for (uint32_t attempt = 0; attempt < 2; attempt++) {
            r = run_path(arena, child, 0, 0, SS_RUN_SNAPSHOT, 0);
            CHECK(r.end == SS_END_MEMORY && r.n_states == 0);
            CHECK_VALID(arena);
        }
        r = run_path(arena, child, 0, 0, 0, 0);
        CHECK(r.end == SS_END_FINISHED && r.n_states == 40);
        stop_child(arena, child);
    }
}

int run(void *xxh3_64, void *xxh3_128, const char *name, uint64_t seed) {
    static const struct {
        const char *name;
        void (*test)(const char *tracker);
    } with_tracker[] = {{"combinations:", test_combinations}, {"interleavings:", test_interleavings}, {"visited:", test_visited},
                        {"bounded:", test_bounded},           {"forced:", test_forced},               {"memory:", test_memory},
                        {"asked:", test_asked},               {"rebuild:", test_rebuild},
                        {"once:", test_once}};
    static const struct {
        const char *name;
        void (*test)(void);
    } plain[] = {{"through", test_forced_through_visited},
                 {"none", test_none},
                 {"deepest", test_deepest},
                 {"following", test_following},
                 {"unused", test_unused_stack}};
    (void)seed;
    CHECK(ss_set_hash(xxh3_64, xxh3_128) == 0);
    emulate_soft_dirty();
    arena = new_arena((size_t)256 << 20);
    outcomes = shared_memory(arena, 1 << 20);
    for (size_t i = 0; i < sizeof with_tracker / sizeof *with_tracker; i++) {
        size_t n = strlen(with_tracker[i].name);
        if (!strncmp(name, with_tracker[i].name, n)) return with_tracker[i].test(name + n), 0;
    }
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (!strcmp(name, plain[i].name)) return plain[i].test(), 0;
    return 2;
}
