/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ harness.h — what the native test programs share.                           │
 * │                                                                            │
 * │ Each program is compiled together with the engine's sources into a shared  │
 * │ library and run in a Python process of its own, which lends it XXH3: see   │
 * │ conftest.py. run() returns 0, or the process ends with a message.          │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef HARNESS_H
#define HARNESS_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch.h"
#include "engine_internal.h"

/* Raw write and exit: works on every stack, under the guard and in the parent. */
#define CHECK(condition) ((condition) ? (void)0 : ssi_panic(__FILE__ ":" SSI_STRING(__LINE__) ": " #condition))
#define CHECK_VALID(arena) (ss_arena_is_valid(arena) ? ssi_panic(ss_last_error(arena)) : (void)0)

SS_EXPORT int run(void *xxh3_64, void *xxh3_128, const char *name, uint64_t seed);

#ifdef __SANITIZE_ADDRESS__
/* Called before functions that don't return. The sanitizer's own knows one stack a thread, and maps memory to say so. What it
 * would do is done where it is needed: see asan.h. */
__attribute__((visibility("hidden"))) void __asan_handle_no_return(void);
void __asan_handle_no_return(void) {}
#endif

static inline uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}
static inline uint32_t below(uint64_t *state, uint32_t n) { return (uint32_t)(next_random(state) % n); }

static inline ss_arena *new_arena(size_t bytes) {
    ss_arena *arena = NULL;
    CHECK(ss_arena_create(bytes, &arena) == 0);
    return arena;
}

/* Memory that both processes see and that no restore touches. (Any other shared
 * mapping becomes a private copy in the child.) */
static inline void *shared_memory(ss_arena *arena, size_t bytes) {
    void *at = ss_scratch_alloc(arena, bytes);
    CHECK(at);
    return at;
}

/* ---- a child with an agent, and an explorer for it ------------------------------------- */

typedef struct child_options {
    const char *tracker;
    uint32_t guard, n_donors;
    int (*fingerprint)(void *user, uint32_t root, uint64_t out[2]);
    void (*describe)(void *user, char *text, size_t bytes);
    void (*body)(void);
} child_options;

static ss_arena *test_arena;
static child_options test_options;

static inline void child_entry(void) {
    ss_setup setup = {.tracker = test_options.tracker,
                      .guard = test_options.guard,
                      .fingerprint = test_options.fingerprint,
                      .describe = test_options.describe};
    int rc = ss_begin(test_arena, &setup);
    if (rc < 0) ssi_panic(ss_last_error(test_arena));
    test_options.body();
    ss_end_path(test_arena, SS_END_FINISHED, NULL);
}

/* Some trackers can't do without it. */
static inline int needs_guard(const char *tracker) {
    for (const ssi_tracker **t = ssi_trackers; *t; t++)
        if (!strcmp((*t)->name, tracker)) return !(*t)->sees_drops;
    return 0;
}

static inline pid_t start_child(ss_arena *arena, child_options options) {
    options.guard |= (uint32_t)needs_guard(options.tracker);
    test_arena = arena;
    test_options = options;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid) return pid;
    CHECK(ss_donors_create(arena, options.n_donors ? options.n_donors : 1, 256 << 10) == 0);
    ss_call_on_main_stack(arena, child_entry);
    _exit(1);
}

/* 0: a result; -1: the child died (status in *status). */
static inline int wait_for_result(ss_arena *arena, pid_t child, int *status) {
    for (;;) {
        int rc = ss_wait_result(arena, 200);
        if (!rc) return 0;
        int s;
        pid_t dead = waitpid(child, &s, WNOHANG);
        if (dead == child) {
            if (status) *status = s;
            return -1;
        }
    }
}

static inline ss_result run_path(ss_arena *arena, pid_t child, uint32_t state, uint32_t alternative, uint32_t flags, uint32_t n_forced) {
    ss_command command = {.state = state, .alternative = alternative, .flags = flags, .n_forced = n_forced};
    CHECK(ss_send(arena, &command) == 0);
    CHECK(wait_for_result(arena, child, NULL) == 0);
    ss_result result;
    CHECK(ss_get_result(arena, &result) == 0);
    return result;
}

static inline void stop_child(ss_arena *arena, pid_t child) {
    int status;
    CHECK(ss_send_quit(arena) == 0);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Depth-first search over everything; on_path is called for every path. Returns the number of paths. */
static inline uint64_t search(ss_arena *arena, pid_t child, uint32_t flags, void (*on_path)(const ss_result *)) {
    static struct {
        uint32_t state, next;
    } stack[SS_MAX_PATH];
    uint32_t depth = 0;
    uint64_t paths = 0;
    CHECK(wait_for_result(arena, child, NULL) == 0);
    ss_result base;
    CHECK(ss_get_result(arena, &base) == 0 && base.n_states == 1);
    stack[depth].state = base.states[0];
    stack[depth++].next = 0;
    while (depth) {
        const ss_state *s = ss_get_state(arena, stack[depth - 1].state);
        if (stack[depth - 1].next == s->n || (s->flags & SS_STATE_VISITED)) {
            CHECK(ss_state_release(arena, stack[--depth].state) == 0);
            continue;
        }
        ss_result result = run_path(arena, child, stack[depth - 1].state, stack[depth - 1].next++, flags, 0);
        paths++;
        if (on_path) on_path(&result);
        for (uint32_t i = 0; i < result.n_states; i++) {
            stack[depth].state = result.states[i];
            stack[depth++].next = 1; /* the path itself took the first */
        }
    }
    return paths;
}

#endif
