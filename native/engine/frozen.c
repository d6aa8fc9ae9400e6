/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ frozen.c — the base state, kept by a process that never runs.              │
 * │                                                                            │
 * │ Copying the whole process into the store takes most of the time that a     │
 * │ short search needs, and nearly all of it is never looked at again. Instead │
 * │ the agent forks once more when the base state is complete. The copy shares │
 * │ all pages with the child until the child writes to them; it sleeps, and is │
 * │ asked for the base content of a page when that page first turns out dirty. │
 * │ Until then the page has a number of its own (SSI_BASE_PAGE | page index)   │
 * │ and nothing of it lies in the store.                                       │
 * │                                                                            │
 * │ Since nothing ever changes in it, other questions about the base state can │
 * │ be answered there as well, by ordinary code following ordinary pointers:   │
 * │ ss_in_frozen_copy.                                                         │
 * │                                                                            │
 * │ The copy is a child of the explorer, which ends and reaps it with the      │
 * │ arena; it dies with the explorer. Where it can't be made, the base state   │
 * │ is copied into the store as a whole.                                       │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "arch.h"
#include "engine_internal.h"
#include "syscall.h"

#define STACK_BYTES ((size_t)256 << 10)
#define WAIT_SECONDS 1

/* ---- the copy ------------------------------------------------------------------------ */

static ss_arena *forking; /* what the copy must know; set before the fork */

static void wait_while(_Atomic uint32_t *word, uint32_t value) {
    struct timespec slice = {WAIT_SECONDS, 0};
    SSI_SYSCALL(SYS_futex, word, FUTEX_WAIT, value, &slice);
}

static _Noreturn void serve(ss_arena *arena) {
    SSI_SYSCALL(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    SSI_SYSCALL(SYS_setpgid, 0, 0); /* it outlives the child, whose group ends with it */
    SSI_SYSCALL(SYS_close_range, 0, ~0u, 0); /* nobody shall wait for the end of a pipe because of this process */
    for (;;) {
        while (atomic_load_explicit(&arena->frozen.busy, memory_order_acquire) == 0) {
            wait_while(&arena->frozen.busy, 0);
            if (SSI_SYSCALL(SYS_getppid) != arena->frozen.parent) SSI_SYSCALL(SYS_exit_group, 0);
        }
        arena->frozen.function(arena->frozen.user);
        atomic_store_explicit(&arena->frozen.busy, 0, memory_order_release);
        SSI_SYSCALL(SYS_futex, &arena->frozen.busy, FUTEX_WAKE, 1);
    }
}

/* On a stack that both processes have a copy of: the agent's own lies in shared memory. */
static void fork_here(void) {
    ss_arena *arena = forking;
    /* The copy is deaf from its first instruction on: all but SIGKILL is blocked in it for ever. */
    uint64_t all = ~UINT64_C(0), before;
    SSI_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
    /* The kernel notes the number before the copy exists: however this process ends, the explorer finds it. */
    long pid = SSI_SYSCALL(SYS_clone, CLONE_PARENT | CLONE_PARENT_SETTID | SIGCHLD, 0, &arena->frozen.pid, 0, 0);
    if (pid == 0) serve(arena);
    SSI_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
    arena->frozen.pid = pid > 0 ? (int)pid : 0;
}

/* Memory that a fork would leave out or empty is none of ours: say so to the kernel. */
static void share_all_regions(const ssi_tracked *t) {
    for (uint32_t i = 0; i < t->n_regions; i++) {
        const ss_region *r = &t->regions[i];
        SSI_SYSCALL(SYS_madvise, r->lo, r->hi - r->lo, MADV_DOFORK);
        SSI_SYSCALL(SYS_madvise, r->lo, r->hi - r->lo, MADV_KEEPONFORK);
    }
}

int ssi_frozen_start(ss_arena *arena) {
    arena->frozen.pages = ss_scratch_alloc(arena, arena->tracked.n_pages * sizeof *arena->frozen.pages);
    if (!arena->frozen.pages) return -ENOMEM;
    long stack = SSI_SYSCALL(SYS_mmap, NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack < 0 && stack > -4096) return -ENOMEM;
    share_all_regions(&arena->tracked);
    arena->frozen.parent = (int)SSI_SYSCALL(SYS_getppid); /* of the child, and of the copy */
    forking = arena;
    ssi_call_on((uintptr_t)stack + STACK_BYTES, fork_here);
    SSI_SYSCALL(SYS_munmap, stack, STACK_BYTES);
    return arena->frozen.pid ? 0 : -EAGAIN;
}

/* ---- asking it ------------------------------------------------------------------------- */

/* It may have been killed from outside (out of memory). A process that ended is readable as a pidfd. */
static int has_died(int pid) {
    long fd = SSI_SYSCALL(SYS_pidfd_open, pid, 0);
    if (fd < 0) return fd == -ESRCH;
    struct pollfd ended = {.fd = (int)fd, .events = POLLIN};
    struct timespec now = {0, 0};
    long n = SSI_SYSCALL(SYS_ppoll, &ended, 1, &now, NULL, 0);
    SSI_SYSCALL(SYS_close, fd);
    return n > 0;
}

/* Nothing can be restored any more. Not the test's fault: the path says so, and the child ends. */
static _Noreturn void lost(ss_arena *arena) {
    if ((int)SSI_SYSCALL(SYS_getpid) == arena->frozen.parent) ssi_panic("the process that keeps the base state was killed");
    ssi_text text = ssi_text_on(arena->detail, sizeof arena->detail);
    ssi_text_add(&text, "the process that keeps the base state was killed from outside (too little memory?)");
    arena->end = SS_END_LOST;
    ssi_hand_over(arena, SSI_TURN_EXPLORER);
    for (;;) SSI_SYSCALL(SYS_exit_group, 0);
}

/* Until it has done what it was asked for. -EIO: it has died. */
static int wait_for_copy(ss_arena *arena) {
    while (atomic_load_explicit(&arena->frozen.busy, memory_order_acquire)) {
        wait_while(&arena->frozen.busy, 1);
        if (atomic_load_explicit(&arena->frozen.busy, memory_order_acquire) && has_died(arena->frozen.pid)) return -EIO;
    }
    return 0;
}

int ssi_ask_frozen(ss_arena *arena, void (*function)(void *user), void *user) {
    if (!arena->frozen.pid) return -ENOTSUP;
    if (wait_for_copy(arena)) return -EIO; /* a child that was killed may have asked for something */
    arena->frozen.function = function;
    arena->frozen.user = user;
    atomic_store_explicit(&arena->frozen.busy, 1, memory_order_release);
    SSI_SYSCALL(SYS_futex, &arena->frozen.busy, FUTEX_WAKE, 1);
    if (wait_for_copy(arena)) return -EIO;
    arena->statistics.frozen_calls++;
    return 0;
}

int ss_in_frozen_copy(ss_arena *arena, void (*function)(void *user), void *user) {
    int rc = ssi_ask_frozen(arena, function, user);
    if (rc == -EIO) lost(arena);
    return rc;
}

void ssi_frozen_end(ss_arena *arena) {
    siginfo_t ended;
    int pid = arena->frozen.pid;
    arena->frozen.pid = 0;
    /* Only a child of this process: the number may be somebody else's by now. */
    if (!pid || SSI_SYSCALL(SYS_waitid, P_PID, pid, &ended, WEXITED | WNOHANG | WNOWAIT | __WALL, NULL) < 0) return;
    SSI_SYSCALL(SYS_kill, pid, SIGKILL);
    while (SSI_SYSCALL(SYS_wait4, pid, NULL, __WALL, NULL) == -EINTR) {
    }
}

/* ---- base pages -------------------------------------------------------------------------- */

/* In the copy. The store lies in the arena and is nobody else's meanwhile. */
static void fetch_there(void *user) {
    ss_arena *arena = user;
    for (uint32_t i = 0; i < arena->frozen.n_wanted; i++) {
        uint32_t index = arena->frozen.wanted[i];
        if (arena->frozen.pages[index] || !(ssi_tree_get(arena, arena->base, index) & SSI_BASE_PAGE)) continue;
        arena->frozen.fetching = 1; /* beyond the limit if need be: without it nothing could be restored */
        uint32_t page = ssi_page_intern(arena, (void *)ss_page_address(arena, index));
        int rc = page == SS_NONE ? -ENOMEM : ssi_page_fix(arena, page);
        arena->frozen.fetching = 0;
        if (rc) return;
        arena->frozen.pages[index] = page + 1;
        arena->statistics.base_pages_fetched++;
    }
}

void ssi_base_fetch(ss_arena *arena, const uint32_t *indices, uint32_t n) {
    arena->frozen.wanted = indices;
    arena->frozen.n_wanted = n;
    if (ss_in_frozen_copy(arena, fetch_there, arena)) ssi_panic("the base state is gone");
}

uint32_t ssi_base_page_number(ss_arena *arena, uint32_t page) {
    uint32_t index = page & ~SSI_BASE_PAGE;
    if (!arena->frozen.pages[index]) {
        arena->frozen.one = index;
        ssi_base_fetch(arena, &arena->frozen.one, 1);
        if (!arena->frozen.pages[index]) ssi_panic("the store has no room left for the base state");
    }
    return arena->frozen.pages[index] - 1;
}
