/* reading.c — the explorer reads snapshots without restoring them: while the child lives, when it is gone, and when the
 * process that keeps the base state is gone too. */
#include "agent_programs.h"

static _Alignas(SS_PAGE) uint8_t untouched[3][SS_PAGE]; /* the child never writes here, the explorer does after the fork */

static uint32_t read_total(uint32_t root) {
    uint32_t total, each[WORKERS], sum = 0;
    CHECK(ss_snapshot_read(arena, root, (uintptr_t)&shared_total, &total, sizeof total) == 0);
    CHECK(ss_snapshot_read(arena, root, (uintptr_t)done, each, sizeof each) == 0);
    for (uint32_t i = 0; i < WORKERS; i++) sum += each[i];
    CHECK(sum == total);
    return total;
}

static void check_untouched(uint32_t root) {
    static uint8_t all[3 * SS_PAGE];
    memset(all, 0xee, sizeof all);
    CHECK(ss_snapshot_read(arena, root, (uintptr_t)untouched + 100, all + 100, sizeof all - 200) == 0);
    for (size_t i = 0; i < sizeof all; i++)
        CHECK(all[i] == (i < 100 || i >= sizeof all - 100 ? 0xee : (uint8_t)(i % 250 + 1)));
}

static uint32_t check_states(uint32_t n, const uint32_t *states, int without_copy) {
    for (uint32_t i = 0; i < n; i++) {
        const ss_state *s = ss_get_state(arena, states[i]);
        CHECK(read_total(s->root) == s->depth);
        if (!without_copy) check_untouched(s->root);
    }
    return n;
}

static void test_explorer(const char *tracker) {
    for (size_t i = 0; i < sizeof untouched; i++) ((uint8_t *)untouched)[i] = (uint8_t)(i % 250 + 1);
    pid_t child = start_workers(tracker);
    CHECK(wait_for_result(arena, child, NULL) == 0);
    memset(untouched, 0xaa, sizeof untouched);
    done[0] = shared_total = 77; /* of this process: nobody's business */
    ss_statistics before, after;
    ss_result r = run_path(arena, child, 0, 0, SS_RUN_SNAPSHOT, 0);
    CHECK(r.end == SS_END_FINISHED && r.n_states == WORKERS * WORK - 1);
    uint32_t n = r.n_states, *states = shared_memory(arena, n * sizeof *states), base = ss_base_root(arena);
    memcpy(states, r.states, n * sizeof *states);
    ss_get_statistics(arena, &before);
    CHECK(read_total(base) == 0);
    CHECK(check_states(n, states, 0) == n);
    check_untouched(base);
    ss_get_statistics(arena, &after);
    CHECK(before.stored_bytes == after.stored_bytes && before.base_pages_fetched == after.base_pages_fetched);
    CHECK_VALID(arena);
    /* Memory stands elsewhere meanwhile. */
    CHECK(run_path(arena, child, states[0], 1, SS_RUN_SNAPSHOT, 0).end == SS_END_FINISHED);
    check_states(n, states, 0);

    uint8_t byte;
    uintptr_t end = arena->regions[arena->tracked.n_regions - 1].hi;
    CHECK(ss_snapshot_read(arena, base, (uintptr_t)arena, &byte, 1) == -EFAULT);
    CHECK(ss_snapshot_read(arena, base, end - 1, &byte, 1) == 0 && ss_snapshot_read(arena, base, end, &byte, 1) == -EFAULT);
    CHECK(ss_snapshot_read(arena, base, UINTPTR_MAX - 1, &byte, 4) == -EINVAL);
    CHECK(ss_snapshot_read(arena, SS_NONE, (uintptr_t)done, &byte, 1) == -EINVAL);
    CHECK(ss_snapshot_read(arena, base, (uintptr_t)arena, &byte, 0) == 0);
    uint32_t gone = ss_get_state(arena, states[n - 1])->root;
    CHECK(ss_state_release(arena, states[n - 1]) == 0 && ss_snapshot_read(arena, gone, (uintptr_t)done, &byte, 1) == -EINVAL);
    atomic_store(&arena->mutating, 1); /* as if the child had died while it worked */
    CHECK(ss_snapshot_read(arena, base, (uintptr_t)done, &byte, 1) == -EBUSY);
    atomic_store(&arena->mutating, 0);

    int status;
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGKILL);
    CHECK(read_total(base) == 0 && check_states(n - 1, states, 0) == n - 1);
    int copy = arena->frozen.pid;
    CHECK((copy != 0) == (strcmp(tracker, "compare") != 0)); /* which has the base state in the store */
    if (!copy) return;
    siginfo_t ended;
    CHECK(kill(copy, SIGKILL) == 0 && waitid(P_PID, (id_t)copy, &ended, WEXITED | WNOWAIT | __WALL) == 0);
    CHECK(ss_snapshot_read(arena, base, (uintptr_t)untouched, &byte, 1) == -EIO);
    CHECK(check_states(n - 1, states, 1) == n - 1); /* what was ever written lies in the store */
    CHECK_VALID(arena);
}

int run(void *xxh3_64, void *xxh3_128, const char *name, uint64_t seed) {
    (void)seed;
    CHECK(ss_set_hash(xxh3_64, xxh3_128) == 0);
    emulate_soft_dirty();
    arena = new_arena((size_t)256 << 20);
    outcomes = shared_memory(arena, 1 << 20);
    test_explorer(name);
    CHECK(ss_arena_destroy(arena) == 0);
    return 0;
}
