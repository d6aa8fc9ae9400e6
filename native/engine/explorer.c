/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ explorer.c — the parent's side: commands, results, state records.          │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include <linux/futex.h>
#include <time.h>

#include "engine_internal.h"
#include "syscall.h"

/* ---- turns ------------------------------------------------------------------ */

void ssi_hand_over(ss_arena *arena, enum ssi_turn to) {
    atomic_store_explicit(&arena->turn, to, memory_order_release);
    SSI_SYSCALL(SYS_futex, &arena->turn, FUTEX_WAKE, 1); /* not PRIVATE: two processes */
}

int ss_wait_result(ss_arena *arena, uint32_t timeout_ms) {
    uint64_t deadline = ssi_now_ns() + (uint64_t)timeout_ms * 1000000u;
    while (atomic_load_explicit(&arena->turn, memory_order_acquire) == SSI_TURN_AGENT) {
        uint64_t now = ssi_now_ns();
        if (now >= deadline) return -ETIMEDOUT;
        struct timespec left = {(time_t)((deadline - now) / 1000000000u), (long)((deadline - now) % 1000000000u)};
        long rc = SSI_SYSCALL(SYS_futex, &arena->turn, FUTEX_WAIT, SSI_TURN_AGENT, &left);
        if (rc == -EINTR) return -EINTR;
    }
    return 0;
}

static int my_turn(ss_arena *arena) { return atomic_load_explicit(&arena->turn, memory_order_acquire) == SSI_TURN_EXPLORER; }

int ss_set_forced(ss_arena *arena, const uint32_t *choices, const uint64_t *labels, uint32_t n) {
    if (n > SS_MAX_SCHEDULE || (n && !choices)) return -EINVAL;
    if (!my_turn(arena)) return -EBUSY;
    if (n) memcpy(arena->forced, choices, n * sizeof *choices);
    if (n && labels)
        memcpy(arena->forced_labels, labels, n * sizeof *labels);
    else
        memset(arena->forced_labels, 0, n * sizeof *labels);
    arena->n_forced = n;
    return 0;
}

/* Can a path be started there? */
static int is_start(ss_arena *arena, uint32_t number, uint32_t alternative) {
    const ss_state *state = ss_get_state(arena, number);
    if (!state || alternative >= state->n || (state->flags & SS_STATE_VISITED)) return 0;
    return state->root != SS_NONE || !arena->tracker;
}

int ss_set_following(ss_arena *arena, const ss_start *starts, uint32_t n) {
    if (n > SS_MAX_FOLLOWING || (n && !starts)) return -EINVAL;
    if (!my_turn(arena)) return -EBUSY;
    for (uint32_t i = 0; i < n; i++)
        if (!is_start(arena, starts[i].state, starts[i].alternative)) return -EINVAL;
    if (n) memcpy(arena->following, starts, n * sizeof *starts);
    arena->n_following = n;
    return 0;
}

int ss_send(ss_arena *arena, const ss_command *command) {
    if (!is_start(arena, command->state, command->alternative)) return -EINVAL;
    if (command->n_forced > arena->n_forced || command->n_following > arena->n_following) return -EINVAL;
    if (command->n_following && (command->flags & SS_RUN_ASK)) return -EINVAL;
    if (!my_turn(arena) || arena->end == SS_END_ASKING || arena->end == SS_END_FULL) return -EBUSY;
    arena->command = *command;
    arena->end = SS_END_NONE;
    atomic_store(&arena->n_path, 0);
    arena->transitions = arena->outbox_bytes = 0;
    arena->notes_used = 0;
    arena->passed = 0;
    arena->runs = 1;
    arena->detail[0] = 0;
    ssi_hand_over(arena, SSI_TURN_AGENT);
    return 0;
}

int ss_answer(ss_arena *arena, uint32_t alternative) {
    if (!my_turn(arena)) return -EBUSY;
    if (arena->end != SS_END_ASKING || (alternative != SS_NONE && alternative >= arena->states[arena->last_state].n))
        return ssi_fail(arena, -EINVAL, "ss_answer: no path waits for this alternative");
    arena->answered = alternative;
    arena->end = SS_END_NONE;
    ssi_hand_over(arena, SSI_TURN_AGENT);
    return 0;
}

int ss_go_on(ss_arena *arena) {
    if (!my_turn(arena)) return -EBUSY;
    if (arena->end != SS_END_FULL) return ssi_fail(arena, -EINVAL, "ss_go_on: no path waits for room");
    arena->passed += atomic_load(&arena->n_path);
    atomic_store(&arena->n_path, 0);
    arena->end = SS_END_NONE;
    ssi_hand_over(arena, SSI_TURN_AGENT);
    return 0;
}

int ss_send_quit(ss_arena *arena) {
    if (!my_turn(arena)) return -EBUSY;
    arena->quit = 1;
    ssi_hand_over(arena, SSI_TURN_AGENT);
    return 0;
}

int ss_get_result(ss_arena *arena, ss_result *out) {
    out->end = arena->end;
    out->n_states = atomic_load_explicit(&arena->n_path, memory_order_acquire);
    out->runs = arena->runs;
    out->transitions = arena->transitions;
    out->outbox_bytes = arena->outbox_bytes;
    out->states = arena->path;
    out->outbox = arena->outbox;
    out->detail = arena->detail;
    return 0;
}

/* ---- state records -------------------------------------------------------------- */

uint32_t ssi_state_alloc(ss_arena *arena) {
    uint32_t state = arena->state_free;
    if (state != SS_NONE)
        arena->state_free = arena->state_next[state];
    else if (arena->state_fresh < SSI_MAX_STATES)
        state = arena->state_fresh++;
    else
        return SS_NONE;
    arena->state_next[state] = SSI_STATE_LIVE;
    arena->state_live++;
    return state;
}

void ssi_state_free(ss_arena *arena, uint32_t state) {
    arena->state_next[state] = arena->state_free;
    arena->state_free = state;
    arena->state_live--;
}

const ss_state *ss_get_state(ss_arena *arena, uint32_t state) {
    if (state >= arena->state_fresh || arena->state_next[state] != SSI_STATE_LIVE) return NULL;
    return &arena->states[state];
}

const uint8_t *ss_get_note(ss_arena *arena, uint32_t state, uint32_t *bytes) {
    const ss_state *s = ss_get_state(arena, state);
    if (!s || !s->note_bytes) return NULL;
    *bytes = s->note_bytes;
    return arena->notes + s->note_at;
}

int ss_state_release(ss_arena *arena, uint32_t state) {
    if (!ss_get_state(arena, state)) return -EINVAL;
    /* The child died while it changed the store: references can't be trusted,
     * only the records can. ss_arena_reset makes all of it usable again. */
    if (atomic_load(&arena->mutating)) {
        arena->states[state].root = SS_NONE;
        return 0;
    }
    uint32_t root = arena->states[state].root;
    if (root != SS_NONE) ssi_root_release(arena, root);
    ssi_state_free(arena, state);
    return 0;
}

/* ---- statistics ------------------------------------------------------------------- */

int ss_get_statistics(ss_arena *arena, ss_statistics *out) {
    *out = arena->statistics;
    out->stored_pages = arena->store.live;
    out->stored_nodes = arena->forest.live;
    out->packed_pages = arena->store.packed;
    out->stored_bytes = ssi_stored_bytes(arena);
    out->tracked_pages = arena->tracked.n_pages;
    out->tracked_regions = arena->tracked.n_regions;
    return 0;
}
