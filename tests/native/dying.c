/* dying.c — children that die, are killed, or never end: everything recorded can be read, and nothing is left of them. */
#include "agent_programs.h"

static void die(void) {
    for (uint32_t i = 0;; i++)
        if (choose_data(2, i + 1) == 1) raise(SIGKILL);
}

static void test_death(void) {
    pid_t child = start_child(arena, (child_options){.tracker = "auto", .body = die});
    CHECK(wait_for_result(arena, child, NULL) == 0);
    CHECK(ss_set_forced(arena, (uint32_t[]){0, 0, 1}, NULL, 3) == 0);
    ss_command command = {.flags = SS_RUN_SNAPSHOT, .n_forced = 3};
    int status = 0;
    CHECK(ss_send(arena, &command) == 0 && ss_send(arena, &command) == -EBUSY);
    CHECK(wait_for_result(arena, child, &status) == -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ss_result r;
    CHECK(ss_get_result(arena, &r) == 0 && r.end == SS_END_NONE && r.n_states == 3 && r.transitions == 3);
    for (uint32_t i = 0; i < 3; i++) CHECK(ss_get_state(arena, r.states[i])->taken == (i == 2));
    CHECK_VALID(arena);
    for (uint32_t i = 0; i < 3; i++) CHECK(ss_state_release(arena, r.states[i]) == 0);
    CHECK_VALID(arena);
    /* The next child on the same arena. */
    CHECK(ss_arena_reset(arena) == 0 && ss_get_state(arena, 0) == NULL);
    CHECK_VALID(arena);
    outcomes = shared_memory(arena, 1 << 20);
    test_combinations("auto");
}

/* Killed at any moment, from the first instruction on: what was recorded can be read, nothing is left of the child or its
 * frozen copy, and the arena can be used again. */
static void run_until_killed(pid_t child, uint64_t *random) {
    int status = 0;
    int alive = wait_for_result(arena, child, &status) == 0;
    ss_result r;
    while (alive) {
        CHECK(ss_get_result(arena, &r) == 0 && (r.end == SS_END_NONE || r.end == SS_END_FINISHED));
        for (uint32_t i = 0; r.end && i < r.n_states; i++) CHECK(ss_state_release(arena, r.states[i]) == 0);
        uint32_t choices[4];
        for (uint32_t i = 0; i < 4; i++) choices[i] = below(random, 2);
        ss_command command = {.flags = SS_RUN_SNAPSHOT | SS_RUN_FINGERPRINT, .n_forced = 4};
        CHECK(ss_set_forced(arena, choices, NULL, 4) == 0 && ss_send(arena, &command) == 0);
        alive = wait_for_result(arena, child, &status) == 0;
    }
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CHECK(ss_get_result(arena, &r) == 0);
    for (uint32_t i = 0; i < r.n_states; i++) {
        const ss_state *s = ss_get_state(arena, r.states[i]);
        CHECK(s && (!i || (s->parent == r.states[i - 1] && s->depth == ss_get_state(arena, r.states[i - 1])->depth + 1)));
        CHECK(i + 1 == r.n_states || s->taken != SS_NONE);
    }
    if (!atomic_load(&arena->mutating)) CHECK_VALID(arena);
    CHECK(atomic_load(&arena->mutating) == (ss_arena_is_valid(arena) != 0));
    for (uint32_t i = 0; i < r.n_states; i++) CHECK(ss_state_release(arena, r.states[i]) == 0);
}

static void test_killed(const char *times) {
    uint64_t random = 1;
    uint32_t in_the_middle = 0, on_a_path = 0;
    for (int n = atoi(times); n; n--) {
        pid_t child = start_workers(n % 3 ? "wpasync" : "mprotect");
        uint64_t nanoseconds = below(&random, 4) ? below(&random, 30) * 1000000u : below(&random, 3000000);
        pid_t killer = fork();
        if (!killer) {
            if (n % 2) ss_wait_result(arena, 10000); /* past the base snapshot; the others may be killed before */
            for (uint64_t end = ssi_now_ns() + nanoseconds, now; (now = ssi_now_ns()) < end;) {
                struct timespec left = {0, (long)(end - now)};
                SSI_SYSCALL(SYS_nanosleep, &left, NULL);
            }
            kill(child, SIGKILL);
            _exit(0);
        }
        run_until_killed(child, &random);
        in_the_middle += arena->mutating;
        on_a_path += atomic_load(&arena->n_path) > 1;
        CHECK(waitpid(killer, NULL, 0) == killer);
        CHECK(ss_arena_reset(arena) == 0);
        CHECK_VALID(arena);
        CHECK(waitpid(-1, NULL, __WALL) == -1); /* no copy was forgotten */
    }
    printf("%u killed while the agent worked, %u on a path\n", in_the_middle, on_a_path);
    CHECK(atoi(times) < 100 || (in_the_middle && on_a_path));
}

static void never(void) { CHECK(!"no path was asked for"); }

static void test_orphan(void) {
    int alive[2];
    CHECK(pipe(alive) == 0);
    pid_t middle = fork();
    if (!middle) {
        close(alive[0]);
        pid_t child = start_child(arena, (child_options){.tracker = "auto", .body = never});
        CHECK(wait_for_result(arena, child, NULL) == 0);
        _exit(0);
    }
    close(alive[1]);
    int status;
    char byte;
    CHECK(waitpid(middle, &status, 0) == middle && status == 0);
    CHECK(read(alive[0], &byte, 1) == 0); /* end of file: the agent noticed and ended the child */
}

static void endless(void) {
    for (;;) choose_data(1, 0);
}

static void test_limit(void) {
    pid_t child = start_child(arena, (child_options){.tracker = "none", .body = endless});
    CHECK(wait_for_result(arena, child, NULL) == 0);
    ss_result r = run_path(arena, child, 0, 0, 0, 0);
    CHECK(r.end == SS_END_LIMIT && r.n_states == SS_MAX_PATH);
    stop_child(arena, child);
}

/* With SS_RUN_ONCE the record is handed over when it is full, and the path goes on to a limit of its own. */
static void test_once(void) {
    pid_t child = start_child(arena, (child_options){.tracker = "none", .body = endless});
    CHECK(wait_for_result(arena, child, NULL) == 0);
    CHECK(ss_go_on(arena) == -EINVAL); /* nothing waits for room */
    ss_result r = run_path(arena, child, 0, 0, SS_RUN_ONCE, 0);
    uint32_t total = 0;
    for (;; total += r.n_states) {
        CHECK(r.n_states == SS_MAX_PATH && ss_get_state(arena, r.states[SS_MAX_PATH - 1])->depth == total + SS_MAX_PATH);
        for (uint32_t i = 0; i < r.n_states; i++) CHECK(ss_state_release(arena, r.states[i]) == 0);
        if (r.end != SS_END_FULL) break;
        ss_command other = {.state = 0};
        CHECK(ss_send(arena, &other) == -EBUSY && ss_answer(arena, 0) == -EINVAL);
        CHECK(ss_go_on(arena) == 0 && wait_for_result(arena, child, NULL) == 0 && ss_get_result(arena, &r) == 0);
    }
    CHECK(r.end == SS_END_LIMIT && total + r.n_states == SS_MAX_SCHEDULE && r.transitions == SS_MAX_SCHEDULE + 1);
    stop_child(arena, child);
}

int run(void *xxh3_64, void *xxh3_128, const char *name, uint64_t seed) {
    static const struct {
        const char *name;
        void (*test)(void);
    } plain[] = {{"death", test_death}, {"orphan", test_orphan}, {"limit", test_limit}, {"once", test_once}};
    (void)seed;
    CHECK(ss_set_hash(xxh3_64, xxh3_128) == 0);
    emulate_soft_dirty();
    arena = new_arena((size_t)256 << 20);
    outcomes = shared_memory(arena, 1 << 20);
    if (!strncmp(name, "killed:", 7)) return test_killed(name + 7), 0;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (!strcmp(name, plain[i].name)) return plain[i].test(), 0;
    return 2;
}
