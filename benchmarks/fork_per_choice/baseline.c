/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ baseline.c — what the engine has to beat: a fork at every choice point.    │
 * │                                                                            │
 * │ A function table with the engine's layout whose begin, choose and end_path │
 * │ do a depth-first search by forking; everything else is the engine's own.   │
 * │ So the same bridge runs the same program. There is no visited set: what is │
 * │ compared is the price of going back, per transition.                       │
 * │                                                                            │
 * │ As cheap as it can be made: the last alternative is run in the process     │
 * │ itself, and fork is the raw system call, without the C library's handlers. │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include <engine.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

typedef struct counters {
    _Atomic uint64_t executions, transitions, forks, failures, started_ns, ended_ns;
    uint64_t most_executions;
} counters;

static counters *shared;
static ss_engine_table table;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void __attribute__((noreturn)) leave(void)
{
    shared->ended_ns = now_ns();
    syscall(SYS_exit_group, 0);
    __builtin_unreachable();
}

static int begin(ss_arena *arena, const ss_setup *setup)
{
    (void)arena;
    (void)setup;
    shared->started_ns = now_ns();
    return 0;
}

static uint32_t choose(ss_arena *arena, const ss_choice *choice)
{
    (void)arena;
    shared->transitions++;
    uint32_t k = 0;
    for (; k + 1 < choice->n; k++) {
        long pid = syscall(SYS_clone, (unsigned long)SIGCHLD, 0ul, 0ul, 0ul, 0ul);
        if (pid < 0) {
            shared->failures++;
            leave();
        }
        if (pid == 0)
            return k;
        shared->forks++;
        syscall(SYS_wait4, pid, NULL, 0, NULL);
        if (shared->executions >= shared->most_executions)
            leave();
    }
    return k;
}

static void __attribute__((noreturn)) end_path(ss_arena *arena, uint32_t end, const char *detail)
{
    (void)arena;
    (void)detail;
    shared->transitions++;
    shared->executions++;
    if (end != SS_END_FINISHED)
        shared->failures++;
    leave();
}

/* The table to attach the bridge to; NULL if the memory for the counters can't be had. */
EXPORT const ss_engine_table *baseline_table(const ss_engine_table *engine, uint64_t most_executions)
{
    void *memory = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || engine->version != SS_ENGINE_VERSION)
        return NULL;
    shared = memory;
    shared->most_executions = most_executions;
    table = *engine;
    table.begin = begin;
    table.choose = choose;
    table.end_path = end_path;
    return &table;
}

/* executions, transitions, forks, failures, nanoseconds */
EXPORT void baseline_read(uint64_t out[5])
{
    out[0] = shared->executions;
    out[1] = shared->transitions;
    out[2] = shared->forks;
    out[3] = shared->failures;
    out[4] = shared->ended_ns - shared->started_ns;
    munmap(shared, sizeof *shared);
}
