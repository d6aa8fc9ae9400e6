/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ agent.c — the loop that executes paths.                                    │
 * │                                                                            │
 * │ The agent is a coroutine on a stack of its own in the arena. A simulated   │
 * │ thread that reaches a choice point saves its registers on its stack and    │
 * │ switches here; from then on memory stands still and can be checkpointed.   │
 * │ To go on, from here or from any snapshot, is to put memory right and to    │
 * │ switch back. The thread pointer stays that of the suspended thread: the    │
 * │ agent uses raw system calls and no thread-local memory.                    │
 * │                                                                            │
 * │ Every record is complete before the code goes on, and n_path is raised     │
 * │ last: if the child dies, the explorer reads a consistent prefix.           │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include <linux/futex.h>
#include <sys/prctl.h>
#include <time.h>

#include "arch.h"
#include "engine_internal.h"

#define PARENT_CHECK_SECONDS 1
#define ALL_COMPARED 1024u /* of a path with SS_RUN_ONCE, see compares() */
#define SOME_COMPARED 32u
#define FEW_COMPARED 1024u
#define FOLLOWING_NS 10000000u /* the explorer wants to hear from us, and be interrupted */

/* ---- starting ------------------------------------------------------------------- */

static void record(ss_arena *arena, uint32_t slot, const ss_choice *choice, uint32_t root, uint32_t flags, const uint64_t fingerprint[2],
                   uint32_t visit) {
    ss_state *s = &arena->states[slot];
    s->root = root;
    s->parent = arena->last_state;
    s->arrived_by = arena->last_state == SS_NONE ? 0 : arena->last_taken;
    s->taken = SS_NONE;
    s->kind = choice->kind;
    s->current = choice->current;
    s->n = choice->n;
    s->flags = flags;
    s->preemptions = arena->preemptions;
    s->depth = arena->depth;
    s->visit = visit;
    s->note_bytes = 0;
    s->label = choice->label;
    s->fingerprint[0] = fingerprint[0];
    s->fingerprint[1] = fingerprint[1];
    s->context = arena->child;
    if (choice->alternatives)
        memcpy(s->alternatives, choice->alternatives,
               (choice->n < SS_MAX_ALTERNATIVES ? choice->n : SS_MAX_ALTERNATIVES) * sizeof *choice->alternatives);
    uint32_t n = arena->n_path;
    arena->path[n] = slot;
    arena->last_state = slot;
    atomic_store_explicit(&arena->n_path, n + 1, memory_order_release);
}

static int begin(ss_arena *arena) {
    static const ss_choice base = {.kind = SS_CHOICE_BEGIN, .n = 1};
    static const uint64_t none[2] = {0, 0};
    int rc = ssi_tracking_start(arena);
    if (!rc && arena->setup.guard) rc = ssi_guard_install(arena);
    if (rc) return rc;
    if (arena->setup.guard) ssi_quiet_start(arena);
    uint32_t root = SS_NONE;
    if (arena->tracker) {
        root = arena->base;
        ssi_root_retain(arena, root);
    }
    uint32_t slot = ssi_state_alloc(arena);
    SSI_SYSCALL(SYS_rt_sigprocmask, 0, NULL, &arena->kernel_states[slot].signal_mask, sizeof(uint64_t));
    record(arena, slot, &base, root, 0, none, SS_NONE);
    return 0;
}

/* ---- a choice point ----------------------------------------------------------------- */

static void add_path_position(ss_arena *arena, ssi_text *text) {
    ssi_text_add(text, "choice point ");
    ssi_text_add_number(text, arena->depth);
    ssi_text_add(text, ": ");
}

static uint32_t end_with(ss_arena *arena, uint32_t end, const char *detail) {
    ssi_text text = ssi_text_on(arena->detail, sizeof arena->detail);
    ssi_text_add(&text, detail);
    arena->end = end;
    return SS_NONE;
}

static void take(ss_arena *arena, uint32_t state, uint32_t alternative) {
    ss_state *s = &arena->states[state];
    if (s->taken == SS_NONE) s->taken = alternative;
    arena->last_state = state;
    arena->last_taken = alternative;
    arena->last_visit = s->visit;
    arena->preemptions = s->preemptions;
    if (s->kind == SS_CHOICE_THREAD && alternative && s->alternatives[0].thread == s->current) arena->preemptions++;
    arena->depth = s->depth + 1;
}

static void wait_for_command(ss_arena *arena) {
    ssi_hand_over(arena, SSI_TURN_EXPLORER);
    while (atomic_load_explicit(&arena->turn, memory_order_acquire) == SSI_TURN_EXPLORER) {
        struct timespec slice = {PARENT_CHECK_SECONDS, 0};
        SSI_SYSCALL(SYS_futex, &arena->turn, FUTEX_WAIT, SSI_TURN_EXPLORER, &slice);
        if (SSI_SYSCALL(SYS_getppid) != arena->parent_pid) SSI_SYSCALL(SYS_exit_group, 0);
    }
    if (arena->quit) SSI_SYSCALL(SYS_exit_group, 0);
}

/* The path stands still, memory untouched, until the explorer has answered. */
static void pause_with(ss_arena *arena, uint32_t end) {
    arena->end = end;
    atomic_store(&arena->mutating, 0);
    wait_for_command(arena);
    atomic_store(&arena->mutating, 1);
}

static uint32_t ask(ss_arena *arena) {
    pause_with(arena, SS_END_ASKING);
    return arena->answered == SS_NONE ? end_with(arena, SS_END_STOPPED, "") : arena->answered;
}

/* The alternative to go on with, or SS_NONE with a reason. */
static uint32_t decide(ss_arena *arena, uint32_t slot) {
    const ss_state *s = &arena->states[slot];
    if (arena->forced_used == arena->command.n_forced) {
        if (arena->command.flags & SS_RUN_ASK) return ask(arena);
        return arena->command.flags & SS_RUN_EAGER ? arena->choice->first : 0;
    }
    uint32_t wanted = arena->forced[arena->forced_used];
    uint64_t label = arena->forced_labels[arena->forced_used++];
    ssi_text text = ssi_text_on(arena->text, sizeof arena->text);
    add_path_position(arena, &text);
    if (label && label != s->label) {
        ssi_text_add(&text, "the schedule expects operation ");
        ssi_text_add_hex(&text, label);
        ssi_text_add(&text, " but the program is at ");
        ssi_text_add_hex(&text, s->label);
        return end_with(arena, SS_END_DIVERGED, arena->text);
    }
    if (wanted >= s->n) {
        ssi_text_add(&text, "the schedule takes alternative ");
        ssi_text_add_number(&text, wanted);
        ssi_text_add(&text, " but there are only ");
        ssi_text_add_number(&text, s->n);
        return end_with(arena, SS_END_DIVERGED, arena->text);
    }
    return wanted;
}

static int is_sound(const ss_choice *c) {
    if (!c->n || c->n == SS_NONE || c->first >= c->n) return 0;
    if (c->kind == SS_CHOICE_DATA) return 1;
    return (c->kind == SS_CHOICE_THREAD || c->kind == SS_CHOICE_TIMEOUT) && c->n <= SS_MAX_ALTERNATIVES && c->alternatives;
}

/* Sets SS_STATE_HASHED in *flags if out is valid: otherwise the state is never merged. Non-zero: it can't be trusted. */
static int fingerprint(ss_arena *arena, uint32_t root, uint32_t *flags, uint64_t out[2]) {
    uint64_t start = ssi_now_ns();
    int rc = arena->setup.fingerprint ? arena->setup.fingerprint(arena->setup.user, root, out) : -1;
    if (!rc)
        *flags |= SS_STATE_HASHED;
    else
        arena->statistics.unhashable_states++;
    arena->statistics.ns_fingerprint += ssi_now_ns() - start;
    return rc > 0;
}

/* The kernel keeps one mask for all simulated threads, and what is pending behind it can't be taken back. */
static int mask_was_changed(const ss_arena *arena) {
    uint64_t mask = 0;
    SSI_SYSCALL(SYS_rt_sigprocmask, 0, NULL, &mask, sizeof mask);
    return mask != arena->kernel_states[0].signal_mask;
}

/* What can't be continued from, whatever the path: 0, or an end and its reason. */
static uint32_t refuse(ss_arena *arena, const ss_choice *choice) {
    if (!is_sound(choice)) return end_with(arena, SS_END_ERROR, "ss_choose: malformed choice"), 1;
    const char *kept_open = ssi_guard_kept_open(arena);
    if (kept_open) return end_with(arena, SS_END_UNSUPPORTED, kept_open), 1;
    if (arena->n_path == SS_MAX_PATH && arena->command.flags & SS_RUN_ONCE && arena->passed < SS_MAX_SCHEDULE - SS_MAX_PATH)
        pause_with(arena, SS_END_FULL);
    uint32_t deepest = arena->command.deepest;
    if (arena->n_path == SS_MAX_PATH || (deepest && arena->depth > deepest))
        return end_with(arena, SS_END_LIMIT, "too many choice points in one execution"), 1;
    if (arena->tracker && (uintptr_t)SSI_SYSCALL(SYS_brk, 0) != arena->base_break)
        return end_with(arena, SS_END_UNSUPPORTED, "brk (the heap grew or shrank)"), 1;
    if (arena->tracker && mask_was_changed(arena))
        return end_with(arena, SS_END_UNSUPPORTED, "signals blocked at a choice point (pthread_sigmask)"), 1;
    return 0;
}

static uint32_t out_of_memory(ss_arena *arena, uint32_t slot, const char *what) {
    ssi_state_free(arena, slot);
    return end_with(arena, SS_END_MEMORY, what);
}

static void take_note(ss_arena *arena, uint32_t slot) {
    ss_state *s = &arena->states[slot];
    s->note_at = arena->notes_used;
    s->note_bytes = (uint32_t)arena->setup.note(arena->setup.user, (s->flags & SS_STATE_HASHED) != 0, arena->notes + s->note_at,
                                                SSI_NOTES_BYTES - s->note_at);
    arena->notes_used += s->note_bytes;
}

/* Is the present state of a path that nothing comes back to compared with those that were visited? After the first thousand
 * only so that a loop is noticed: of equally spaced states one comes again after at most as many as the loop has. */
static int compares(const ss_arena *arena) {
    uint32_t at = arena->passed + arena->n_path;
    return at < ALL_COMPARED || at % (at < ALL_COMPARED * SOME_COMPARED ? SOME_COMPARED : FEW_COMPARED) == 0;
}

/* The alternative to go on with; SS_NONE: the path ends, arena->end says why. */
static uint32_t arrive(ss_arena *arena) {
    const ss_choice *choice = arena->choice;
    uint32_t run = arena->command.flags, root = SS_NONE, flags = 0;
    uint64_t out[2] = {0, 0};
    if (run & SS_RUN_STOP && arena->forced_used == arena->command.n_forced) return end_with(arena, SS_END_STOPPED, "");
    if (refuse(arena, choice)) return SS_NONE;
    int is_noted = arena->setup.note && run & (SS_RUN_SNAPSHOT | SS_RUN_FINGERPRINT | SS_RUN_PRUNE);
    if (choice->flags & SS_CHOICE_EXTRA) { /* nothing starts here, and the next choice point is compared anyway */
        flags |= SS_STATE_EXTRA;
        run &= ~(uint32_t)(SS_RUN_SNAPSHOT | SS_RUN_FINGERPRINT | SS_RUN_PRUNE);
    }
    if (run & SS_RUN_ONCE) run &= ~(uint32_t)(SS_RUN_SNAPSHOT | (compares(arena) ? 0 : SS_RUN_FINGERPRINT | SS_RUN_PRUNE));
    uint32_t forced_left = arena->command.n_forced - arena->forced_used;
    if (run & SS_RUN_REBUILD && forced_left > 1) run &= ~(uint32_t)(SS_RUN_SNAPSHOT | SS_RUN_FINGERPRINT | SS_RUN_PRUNE);
    uint32_t slot = ssi_state_alloc(arena);
    if (slot == SS_NONE) return end_with(arena, SS_END_MEMORY, "the table of states is full");
    int hash = (run & (SS_RUN_FINGERPRINT | SS_RUN_PRUNE)) != 0;
    if (arena->tracker && ((run & SS_RUN_SNAPSHOT) || hash) && ssi_checkpoint(arena, &root, &arena->kernel_states[slot]))
        return out_of_memory(arena, slot, "the page store is full");
    enum ssi_visit_answer answer = SSI_VISIT_NEW;
    if (hash && root != SS_NONE && fingerprint(arena, root, &flags, out)) {
        ssi_root_release(arena, root);
        ssi_state_free(arena, slot);
        return end_with(arena, SS_END_ERROR, "the fingerprint of a state differs from the one computed from scratch");
    }
    uint32_t visit = arena->last_visit;
    if (flags & SS_STATE_HASHED)
        answer = ssi_visited_check(arena, out, (uint32_t)choice->kind << 24 ^ choice->n, !(run & SS_RUN_PRUNE),
                                   (run & SS_RUN_KEY_LAST_THREAD) != 0, choice->current, arena->preemptions, &visit);
    if (flags & SS_STATE_HASHED && answer != SSI_VISIT_FULL) {
        ssi_edge_add(arena, arena->last_visit, visit, (choice->flags & SS_CHOICE_TIME) != 0);
        if (ssi_is_endless(arena, visit)) flags |= SS_STATE_ENDLESS;
    }
    /* A forced schedule passes through visited states: what lies behind it is wanted. */
    int cut = answer == SSI_VISIT_PRUNE && !forced_left;
    if (answer == SSI_VISIT_NEW && flags & SS_STATE_HASHED && run & SS_RUN_REBUILD && run & SS_RUN_PRUNE && forced_left) {
        ssi_root_release(arena, root);
        ssi_state_free(arena, slot);
        return end_with(arena, SS_END_DIVERGED, "the same choices led to another state than the first time");
    }
    if (root != SS_NONE && (cut || answer == SSI_VISIT_FULL || !(run & SS_RUN_SNAPSHOT))) {
        ssi_root_release(arena, root);
        root = SS_NONE;
    }
    if (answer == SSI_VISIT_FULL) return out_of_memory(arena, slot, "the table of visited states is full");
    record(arena, slot, choice, root, cut ? flags | SS_STATE_VISITED : flags, out, visit);
    if (is_noted) take_note(arena, slot);
    if (cut) {
        arena->statistics.visited_hits++;
        return end_with(arena, SS_END_VISITED, "");
    }
    uint32_t alternative = decide(arena, slot);
    if (alternative != SS_NONE) take(arena, slot, alternative);
    return alternative;
}

/* ---- the loop ----------------------------------------------------------------------------- */

/* Nothing new was learnt, and the explorer said what is next in that case: 1. */
static int follow(ss_arena *arena) {
    if (arena->end != SS_END_VISITED || arena->n_path != 1 || arena->runs > arena->command.n_following) return 0;
    if (ssi_now_ns() - arena->ns_command > FOLLOWING_NS) return 0;
    const ss_start *start = &arena->following[arena->runs - 1];
    arena->command.state = start->state;
    arena->command.alternative = start->alternative;
    arena->command.n_forced = 0;
    arena->runs++;
    arena->end = SS_END_NONE;
    uint32_t known = arena->path[0];
    atomic_store(&arena->n_path, 0);
    ssi_state_free(arena, known);
    return 1;
}

/* Report and wait, unless it is known what comes next, and set memory up for the next path. */
static void next_path(ss_arena *arena) {
    for (;;) {
        if (!follow(arena)) {
            atomic_store(&arena->mutating, 0);
            wait_for_command(arena);
            arena->ns_command = ssi_now_ns();
            atomic_store(&arena->mutating, 1);
        }
        const ss_state *s = &arena->states[arena->command.state];
        arena->forced_used = 0;
        if (!arena->tracker && (arena->command.state != 0 || s->taken != SS_NONE)) {
            end_with(arena, SS_END_ERROR, "without a tracker only one path can be run, from the base state");
            continue;
        }
        if (arena->tracker) {
            ssi_restore(arena, s->root, &arena->kernel_states[arena->command.state]);
            arena->child = s->context;
        }
        take(arena, arena->command.state, arena->command.alternative);
        arena->answer = s->kind == SS_CHOICE_BEGIN ? 0 : arena->command.alternative;
        return;
    }
}

static void resume(ss_arena *arena) {
    atomic_store(&arena->mutating, 0);
    if (arena->child.tls != ssi_arch_tls()) ssi_arch_set_tls(arena->child.tls, ssi_fast_tls);
    arena->undisturbed = 0;
    arena->in_agent = 0;
    ssi_swap(&arena->agent_sp, arena->child.sp);
    atomic_store(&arena->mutating, 1);
}

static ss_arena *agent_arena; /* set once, before the base snapshot */

static void agent_main(void) {
    ss_arena *arena = agent_arena;
    atomic_store(&arena->mutating, 1);
    for (;; resume(arena)) switch (arena->request) {
        case SSI_REQUEST_BEGIN: {
            int rc = begin(arena);
            arena->answer = rc;
            if (!rc) next_path(arena);
            break;
        }
        case SSI_REQUEST_CHOOSE: {
            arena->transitions++;
            if (arena->tracker) ssi_stack_clear_unused(arena, (uintptr_t)arena->child.sp);
            uint32_t alternative = arrive(arena);
            arena->answer = alternative;
            if (alternative == SS_NONE) next_path(arena);
            break;
        }
        case SSI_REQUEST_END:
            arena->transitions++;
            arena->end = arena->request_end;
            if (arena->end == SS_END_FINISHED) ssi_reaches_end(arena, arena->last_visit);
            next_path(arena);
            break;
        default: ssi_panic("agent: unknown request");
        }
}

static void call_agent(ss_arena *arena, enum ssi_request request) {
    arena->request = request;
    arena->child.tls = ssi_arch_tls();
    arena->in_agent = 1;
    ssi_swap(&arena->child.sp, arena->agent_sp);
}

int ss_begin(ss_arena *arena, const ss_setup *setup) {
    if (!setup->tracker || strlen(setup->tracker) >= sizeof arena->setup_tracker)
        return ssi_fail(arena, -EINVAL, "tracker: choose auto, none or the name of a tracker");
    if (arena->begun) return ssi_fail(arena, -EBUSY, "ss_begin ran on this arena before: call ss_arena_reset first");
    arena->setup = *setup;
    memcpy(arena->setup_tracker, setup->tracker, strlen(setup->tracker) + 1);
    arena->setup.tracker = arena->setup_tracker;
    arena->parent_pid = (int)SSI_SYSCALL(SYS_getppid);
    SSI_SYSCALL(SYS_prctl, PR_SET_THP_DISABLE, 1, 0, 0, 0); /* a huge page is dirty as a whole */
    ssi_rseq_unregister();
    if (setup->guard) {
        int rc = ssi_guard_prepare(arena);
        if (rc) return ssi_fail(arena, rc, "the handler of the system-call guard can't be installed");
    }
    agent_arena = arena;
    arena->begun = 1;
    arena->agent_sp = ssi_arch_stack_make(arena->agent_hi, agent_main);
    call_agent(arena, SSI_REQUEST_BEGIN); /* returns once per path from the base state */
    if (arena->answer < 0) {
        arena->begun = 0;
        if (setup->guard) ssi_guard_cancel();
    }
    return (int)arena->answer;
}

int ss_wants_extra(ss_arena *arena) { return (arena->command.flags & SS_RUN_EXTRA) != 0; }

uint32_t ss_choose(ss_arena *arena, const ss_choice *choice) {
    arena->choice = choice;
    call_agent(arena, SSI_REQUEST_CHOOSE);
    return (uint32_t)arena->answer;
}

void ss_end_path(ss_arena *arena, uint32_t end, const char *detail) {
    ssi_text text = ssi_text_on(arena->detail, sizeof arena->detail);
    if (detail) ssi_text_add(&text, detail);
    arena->request_end = end;
    call_agent(arena, SSI_REQUEST_END);
    ssi_panic("ss_end_path: a finished path was resumed");
}

int ss_outbox_write(ss_arena *arena, const void *data, size_t bytes) {
    if (bytes > SS_OUTBOX_BYTES - arena->outbox_bytes) return -ENOSPC;
    memcpy(arena->outbox + arena->outbox_bytes, data, bytes);
    arena->outbox_bytes += (uint32_t)bytes;
    return 0;
}
