/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ engine.h — the public face of the state-space engine.                      │
 * │                                                                            │
 * │ Pure C17: no CPython, no malloc, no stdio, no errno. Two processes use it. │
 * │ The *explorer* (parent) creates the arena, sends commands and reads what   │
 * │ the agent recorded. The *agent* (inside the child) checkpoints, restores   │
 * │ and runs paths. The two alternate strictly: whoever owns the turn may      │
 * │ touch every structure of the arena.                                        │
 * │                                                                            │
 * │ Functions return 0 or a negative errno unless their comment says otherwise.│
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SS_ENGINE_H
#define SS_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#define SS_EXPORT __attribute__((visibility("default")))

#define SS_ENGINE_VERSION 5u /* bump when any struct or function pointer below changes */
#define SS_PAGE 4096u
#define SS_MAX_THREADS 512u    /* in one execution */
#define SS_MAX_ALTERNATIVES 128u /* at one choice point, but for SS_CHOICE_DATA */
#define SS_MAX_PATH 65536u    /* choice points on one path */
#define SS_MAX_SCHEDULE (1u << 20) /* forced choices in one command */
#define SS_MAX_FOLLOWING 64u   /* paths that follow one without being asked for */
#define SS_OUTBOX_BYTES (256u << 10)
#define SS_DETAIL_BYTES 1024u
#define SS_NONE 0xffffffffu

typedef struct ss_arena ss_arena; /* opaque to everybody but the engine */

/* ---- what a choice point is ------------------------------------------------ */

enum ss_choice_kind { SS_CHOICE_BEGIN = 0, SS_CHOICE_THREAD = 1, SS_CHOICE_DATA = 2, SS_CHOICE_TIMEOUT = 3 };

/* One way to go on. For SS_CHOICE_THREAD `thread` may run next and the rest is
 * its pending operation; for SS_CHOICE_DATA only the index counts. */
typedef struct ss_alternative {
    uint16_t thread;    /* ordinal of the simulated thread, creation order, 0 = main */
    uint8_t operation;  /* enum ssb_operation of the bridge; opaque here */
    uint8_t access;     /* 0 none, 1 read, 2 write, 3 both */
    uint32_t part;      /* part of the object (hash of an attribute name or key), 0 = whole */
    uint64_t object;    /* identity that is stable across branches, 0 = unknown */
} ss_alternative;

/* What the running code hands to the agent at a choice point. */
typedef struct ss_choice {
    uint16_t kind;            /* enum ss_choice_kind */
    uint16_t current;         /* ordinal of the thread that ran last */
    uint32_t n;               /* number of alternatives, >= 1 */
    uint32_t flags;           /* SS_CHOICE_* */
    uint64_t label;           /* hash of thread, operation and source position; no addresses: detects divergence */
    const ss_alternative *alternatives; /* n entries for THREAD and TIMEOUT (n <= SS_MAX_ALTERNATIVES); NULL for DATA */
    uint32_t first;           /* the alternative to go on with for SS_RUN_EAGER */
} ss_choice;
#define SS_CHOICE_EXTRA 2u /* there is nothing to choose; only searches that reduce have this point, and SS_RUN_EXTRA: neither snapshot nor hash */
#define SS_CHOICE_TIME 1u /* what happens next may depend on time that passes, and none of the alternatives lets it pass */

/* Machine context of a suspended simulated thread: what ss_switch saved. */
typedef struct ss_context {
    void *sp;      /* callee-saved registers and FP control words lie on top of this stack */
    uintptr_t tls; /* thread pointer (fs base / tpidr_el0) */
} ss_context;

/* A recorded choice point: a snapshot plus everything the explorer needs. */
typedef struct ss_state {
    uint32_t root;           /* interned tree root of the memory; SS_NONE when no snapshot was taken */
    uint32_t parent;         /* state before it on its path, SS_NONE for the base state */
    uint32_t arrived_by;     /* index of the alternative of `parent` that led here */
    uint32_t taken;          /* alternative its own path went on with, SS_NONE if that path ended here */
    uint16_t kind, current;  /* as in ss_choice */
    uint32_t n;              /* number of alternatives */
    uint32_t flags;          /* SS_STATE_* */
    uint32_t preemptions;    /* used from the start of the execution up to here */
    uint32_t depth;          /* choice points before it in this execution */
    uint32_t visit;          /* its entry in the visited table, else that of the state before it; SS_NONE if none */
    uint32_t note_bytes;     /* of the note about it, see ss_setup.note; 0: none */
    uint64_t note_at;        /* where that begins */
    uint64_t label;
    uint64_t fingerprint[2]; /* valid if SS_STATE_HASHED */
    ss_context context;
    ss_alternative alternatives[SS_MAX_ALTERNATIVES]; /* min(n, SS_MAX_ALTERNATIVES) entries for THREAD and TIMEOUT */
} ss_state;
#define SS_STATE_HASHED 1u  /* fingerprint computed; otherwise it is never merged */
#define SS_STATE_VISITED 2u /* found in the visited set: the path ended here and `root` is SS_NONE */
#define SS_STATE_EXTRA 8u   /* SS_CHOICE_EXTRA */
#define SS_STATE_ENDLESS 4u /* ss_find_endless has found that no end can be reached from it */

/* ---- commands and results --------------------------------------------------- */

enum ss_run_flags {
    SS_RUN_SNAPSHOT = 1,      /* take a snapshot at every new choice point */
    SS_RUN_FINGERPRINT = 2,   /* compute fingerprints and count distinct states */
    SS_RUN_PRUNE = 4,         /* end the path at a visited state */
    SS_RUN_KEY_LAST_THREAD = 8, /* visited key is (state, last thread) -> fewest preemptions: bounded search */
    SS_RUN_ASK = 16,          /* behind the forced choices the explorer is asked at every choice point: SS_END_ASKING */
    SS_RUN_REBUILD = 32,      /* on the way to the last forced choice nothing is kept or hashed; with SS_RUN_PRUNE,
                                 a state there that was never visited is SS_END_DIVERGED */
    SS_RUN_STOP = 64,         /* the path ends at the first choice point behind the forced choices: SS_END_STOPPED */
    SS_RUN_ONCE = 128,        /* no path will start from states of this one: none is kept; all of the first, later some are compared with
                                 those visited; and there may be SS_MAX_SCHEDULE of them: SS_END_FULL */
    SS_RUN_EXTRA = 256,       /* points with nothing to choose are wanted too: SS_CHOICE_EXTRA */
    SS_RUN_EAGER = 512,       /* where nobody says anything it goes on with `ss_choice.first`, not with alternative 0 */
};

enum ss_end {
    SS_END_NONE = 0,        /* still running: what the parent finds when the child died */
    SS_END_FINISHED = 1,    /* the test body returned */
    SS_END_FAILED = 2,      /* assertion or exception; the outbox holds its description */
    SS_END_DEADLOCK = 3,    /* no thread enabled, no timeout left; outbox as above */
    SS_END_VISITED = 4,
    SS_END_UNSUPPORTED = 5, /* something that can't be rewound; detail says what and where */
    SS_END_MEMORY = 6,      /* the store or a table of the arena is full */
    SS_END_DIVERGED = 7,    /* a forced choice did not fit: detail says where */
    SS_END_RESTART = 8,     /* an assumption of the search was broken (e.g. a name is rebound after all): detail names it */
    SS_END_LIMIT = 9,       /* SS_MAX_PATH choice points on one path, with SS_RUN_ONCE SS_MAX_SCHEDULE; ss_command.deepest */
    SS_END_ERROR = 10,      /* internal error: detail says what */
    SS_END_ASKING = 11,     /* not an end: the path waits for ss_answer about its last state */
    SS_END_LOST = 12,       /* something from outside killed what the child needs: it ends too; detail says what */
    SS_END_STOPPED = 13,    /* as it was told to: SS_RUN_STOP, or the answer SS_NONE */
    SS_END_FULL = 14,       /* not an end: a path with SS_RUN_ONCE has recorded SS_MAX_PATH choice points and waits for ss_go_on */
};

/* A path to execute: restore `state`, take `alternative`, then the forced
 * choices, then always alternative 0 (SS_RUN_ASK: what ss_answer says; SS_RUN_EAGER). */
typedef struct ss_command {
    uint32_t state, alternative;
    uint32_t flags;       /* enum ss_run_flags */
    uint32_t n_forced;    /* entries of the forced schedule set with ss_set_forced */
    uint32_t n_following; /* entries of the list set with ss_set_following */
    uint32_t deepest;     /* choice points of an execution: the next one is SS_END_LIMIT; 0: no such limit */
} ss_command;

/* Where a path starts. */
typedef struct ss_start {
    uint32_t state, alternative;
} ss_start;

/* What came of it. `states` lists the new choice points in order; the explorer
 * owns them and gives each back with ss_state_release. Of the `runs` paths that
 * were run all but the last came to a visited state and to nothing else: they
 * count, there is nothing to say about them. */
typedef struct ss_result {
    uint32_t end;          /* enum ss_end */
    uint32_t n_states;
    uint32_t runs;         /* paths: the command's, then following ones */
    uint32_t transitions;  /* steps between choice points that were executed, by all of them */
    uint32_t outbox_bytes;
    const uint32_t *states;
    const uint8_t *outbox; /* written by ss_outbox_write, this path only */
    const char *detail;    /* NUL-terminated UTF-8 */
} ss_result;

typedef struct ss_statistics {
    uint64_t checkpoints, restores, dirty_pages, changed_pages, restored_pages, rearmed_pages;
    uint64_t ns_checkpoint, ns_scan, ns_fingerprint, ns_restore;
    uint64_t stored_pages, stored_nodes, stored_bytes, peak_stored_bytes; /* bytes: pages, units and nodes in use */
    uint64_t packed_pages, packs, unpacks; /* pages kept as differences now; how often one was packed, and put together */
    uint64_t tracked_pages, tracked_regions, naive_bytes; /* naive: tracked non-hole bytes x checkpoints */
    uint64_t base_pages_fetched, frozen_calls; /* see ss_in_frozen_copy */
    uint64_t states, visited_hits, unhashable_states;     /* distinct fingerprints; hits; states never merged */
} ss_statistics;

/* ---- explorer side ----------------------------------------------------------- */

/* XXH3 of the xxhash package: XXH3_64bits(const void*, size_t) and
 * XXH3_128bits(const void*, size_t) (two registers, low half first).
 * Call before anything else, in the parent. */
SS_EXPORT int ss_set_hash(void *xxh3_64, void *xxh3_128);

/* Create the one MAP_SHARED region. store_bytes limits pages plus tree nodes.
 * -EINVAL below 1 MiB, -ENOMEM if the kernel refuses. */
SS_EXPORT int ss_arena_create(size_t store_bytes, ss_arena **out);
SS_EXPORT int ss_arena_destroy(ss_arena *arena);
/* Forget all but the visited set and the statistics: call it in the parent
 * before another child is forked on this arena. State numbers become invalid. */
SS_EXPORT int ss_arena_reset(ss_arena *arena);

/* Wait until the agent owns no turn any more. 0: the result is there;
 * -ETIMEDOUT; -EINTR (a signal came). timeout in milliseconds. */
SS_EXPORT int ss_wait_result(ss_arena *arena, uint32_t timeout_ms);
/* Forced choices for the next command: indices, and labels to check (0 = do not check). */
SS_EXPORT int ss_set_forced(ss_arena *arena, const uint32_t *choices, const uint64_t *labels, uint32_t n);
/* Paths to run next, in this order, for as long as each comes to a visited state at its first
 * choice point: nothing new was learnt then, and the explorer need not be asked. Forced choices
 * are of the first path only. The agent stops earlier when time has passed. */
SS_EXPORT int ss_set_following(ss_arena *arena, const ss_start *starts, uint32_t n);
SS_EXPORT int ss_send(ss_arena *arena, const ss_command *command);
/* Go on with this alternative of the last state, or with SS_NONE end the path there. -EINVAL: nothing was asked, or there is no such alternative. */
SS_EXPORT int ss_answer(ss_arena *arena, uint32_t alternative);
/* Go on with an empty record. All states of the path so far must have been released. -EINVAL: it does not wait for that. */
SS_EXPORT int ss_go_on(ss_arena *arena);
SS_EXPORT int ss_send_quit(ss_arena *arena); /* the agent ends the child with exit_group(0) */
/* Also valid after the child died: everything recorded so far of the running path. */
SS_EXPORT int ss_get_result(ss_arena *arena, ss_result *out);
SS_EXPORT const ss_state *ss_get_state(ss_arena *arena, uint32_t state);
/* What ss_setup.note wrote about a state of the path that was run last; NULL if nothing. */
SS_EXPORT const uint8_t *ss_get_note(ss_arena *arena, uint32_t state, uint32_t *bytes);
SS_EXPORT int ss_state_release(ss_arena *arena, uint32_t state); /* drops its snapshot */
SS_EXPORT int ss_visited_clear(ss_arena *arena);
/* Of the states seen so far: from how many can no end be reached? *timed of these may reach one when time passes
 * (SS_CHOICE_TIME). Says something about the program only after everything has been explored. From then on new states
 * carry SS_STATE_ENDLESS. -ENOSPC: a table was full, nothing is known. */
SS_EXPORT int ss_find_endless(ss_arena *arena, uint64_t *endless, uint64_t *timed);
SS_EXPORT int ss_get_statistics(ss_arena *arena, ss_statistics *out);
/* Name of the tracker in use, or "" before ss_begin. */
SS_EXPORT const char *ss_tracker_name(ss_arena *arena);
/* Why trackers before it were refused: "wpasync: userfaultfd: EPERM". NUL-terminated. */
SS_EXPORT const char *ss_tracker_reason(ss_arena *arena);

/* ---- inside the child ---------------------------------------------------------- */

/* Memory in the arena that is never rolled back, zeroed, never freed. NULL when
 * the arena's scratch space (reserved generously) is used up. */
SS_EXPORT void *ss_scratch_alloc(ss_arena *arena, size_t bytes);

/* Everything ss_begin must know. */
typedef struct ss_setup {
    const char *tracker; /* "auto", "wpasync", "compare", or "none" (replay: no snapshots) */
    uint32_t guard;      /* 1: install the system-call guard (seccomp, irrevocable) */
    /* Semantic fingerprint of the current memory. Runs on the agent's stack:
     * reads ordinary memory, writes only scratch memory. 0; negative when the
     * state must not be merged with any other; positive when it contradicted
     * itself: the path ends with SS_END_ERROR. NULL: no state is hashed. */
    int (*fingerprint)(void *user, uint32_t root, uint64_t out[2]);
    /* What the explorer wants to know about a choice point besides, after its fingerprint was computed (`hashed`; else
     * it was not), on the agent's stack and under the same rules: bytes written, 0 if there is not enough room.
     * NULL: nothing. */
    size_t (*note)(void *user, int hashed, uint8_t *out, size_t room);
    /* Where is the running code? Writes "file:line" style text for a refused
     * system call. Async-signal-safe: reads only. May be NULL. */
    void (*describe)(void *user, char *text, size_t bytes);
    void *user;
} ss_setup;

/* Build the region table from /proc/self/maps, choose and arm the tracker, take
 * the base snapshot as state 0 (SS_CHOICE_BEGIN, one alternative), hand the turn
 * to the explorer and wait for its first command. Returns when a path starts
 * from the base state: 0. Negative when set-up failed (nothing was armed). */
SS_EXPORT int ss_begin(ss_arena *arena, const ss_setup *setup);
/* Run function(user) where memory is still that of the base snapshot: in a process that was forked then
 * and has slept since. It may read all memory and write to the arena; no system calls, no allocation.
 * Returns when it is done: 0, or -ENOTSUP if there is no such process. */
SS_EXPORT int ss_in_frozen_copy(ss_arena *arena, void (*function)(void *user), void *user);
/* A choice point. Called on a simulated thread's stack. Returns the index of the
 * alternative to take: possibly many times, once per path through it. */
SS_EXPORT uint32_t ss_choose(ss_arena *arena, const ss_choice *choice);
/* The execution ended. Never returns. detail may be NULL. */
SS_EXPORT void ss_end_path(ss_arena *arena, uint32_t end, const char *detail) __attribute__((noreturn));
/* Append to this path's outbox. -ENOSPC beyond SS_OUTBOX_BYTES. */
SS_EXPORT int ss_outbox_write(ss_arena *arena, const void *data, size_t bytes);

/* Simulated threads. ss_donors_create makes n parked pthreads (n may be 0), each with a
 * stack of stack_bytes (its lowest page faults); call it once, before ss_begin.
 * ss_donor_stack gives [lo, hi) and the thread pointer of donor i (0 <= i < n);
 * ss_main_stack the stack on which simulated thread 0 runs. */
SS_EXPORT int ss_donors_create(ss_arena *arena, uint32_t n, size_t stack_bytes);
SS_EXPORT int ss_donor_stack(ss_arena *arena, uint32_t i, uintptr_t *lo, uintptr_t *hi, uintptr_t *tls);
SS_EXPORT int ss_main_stack(ss_arena *arena, uintptr_t *lo, uintptr_t *hi);
/* Prepare a context that starts entry() on the stack ending at hi. */
SS_EXPORT void ss_context_make(ss_context *context, uintptr_t hi, uintptr_t tls, void (*entry)(void));
/* Save the running context in *save, go on in *to. */
SS_EXPORT void ss_switch(ss_context *save, const ss_context *to);
/* Run entry() on simulated thread 0's stack under the present TLS; returns when entry does. */
SS_EXPORT void ss_call_on_main_stack(ss_arena *arena, void (*entry)(void));
SS_EXPORT uintptr_t ss_thread_pointer(void);

/* Captured output of this execution (ordinary memory: rewinds with everything).
 * stream 1 or 2. ss_capture_read gives a pointer valid until the next append. */
SS_EXPORT int ss_capture_append(int stream, const void *data, size_t bytes);
SS_EXPORT int ss_capture_read(int stream, const uint8_t **data, size_t *bytes);

/* ---- reading snapshots (agent or explorer, whoever has the turn) ------------------ */

SS_EXPORT uint32_t ss_base_root(ss_arena *arena);
/* Keep one more snapshot alive until the next call: for who wants to know later what has changed since. One for each
 * arena; 0 keeps none. `root` must be alive. */
SS_EXPORT void ss_root_hold(ss_arena *arena, uint32_t root);
/* Call visit for every page that differs between two roots, ascending page index. Non-zero stops and is returned. */
SS_EXPORT int ss_tree_diff(ss_arena *arena, uint32_t root_a, uint32_t root_b,
                           int (*visit)(void *user, uint32_t page_index, uint32_t page_a, uint32_t page_b), void *user);
/* Stored page by number (0 is the zero page); the content is good until the next call. Page numbers are reused after release: ss_page_serial tells. */
SS_EXPORT const uint8_t *ss_page_data(ss_arena *arena, uint32_t page);
SS_EXPORT uint64_t ss_page_serial(ss_arena *arena, uint32_t page); /* unique over the arena's life */
SS_EXPORT int ss_wants_extra(ss_arena *arena);                      /* does the present command say SS_RUN_EXTRA? */
SS_EXPORT uint32_t ss_page_limit(ss_arena *arena);                  /* page numbers are below it */
/* What these bytes of memory were in snapshot `root` (of a state that still has one), without restoring it. In the
 * explorer also after the child has ended. -EFAULT: not all of it is tracked memory; -EIO: base content is needed and
 * who keeps it was killed; -EBUSY: the child died while it changed the store; -EINVAL: there is no such snapshot. */
SS_EXPORT int ss_snapshot_read(ss_arena *arena, uint32_t root, uintptr_t address, void *out, size_t bytes);
/* Which address a page index stands for, and back (SS_NONE if untracked). */
SS_EXPORT uintptr_t ss_page_address(ss_arena *arena, uint32_t page_index);
SS_EXPORT uint32_t ss_page_index(ss_arena *arena, uintptr_t address);

typedef struct ss_region {
    uintptr_t lo, hi;
    uint32_t first_page; /* page index of lo */
    uint32_t kind;       /* enum ss_region_kind */
    char name[104];      /* path or [heap]; of an anonymous mapping right after a file's: that file's path */
} ss_region;
enum ss_region_kind {
    SS_REGION_OTHER = 0, SS_REGION_FILE = 1, SS_REGION_HEAP = 2, SS_REGION_STACK = 3, SS_REGION_DONOR_STACK = 4,
    SS_REGION_CODE = 5, /* writable and executable */
};
SS_EXPORT uint32_t ss_region_count(ss_arena *arena);
SS_EXPORT const ss_region *ss_get_region(ss_arena *arena, uint32_t i);

/* ---- tests and diagnosis ------------------------------------------------------------ */

/* 0 when every reference count, table and tree of the arena is consistent; else -EINVAL with a text in ss_last_error. */
SS_EXPORT int ss_arena_is_valid(ss_arena *arena);
SS_EXPORT const char *ss_last_error(ss_arena *arena);
/* Compare all tracked memory with snapshot `root` byte for byte: number of differing pages. */
SS_EXPORT uint64_t ss_count_differences(ss_arena *arena, uint32_t root);
/* What checkpoints and restores of this arena do without, to measure what it is worth; before ss_begin. A search finds the same. */
enum ss_without {
    SS_WITHOUT_MERGING = 1,    /* each page is a page of its own, whatever it contains: plain copies */
    SS_WITHOUT_COMPARISON = 2, /* every page that the tracker names counts as changed */
    SS_WITHOUT_PREDICTION = 4, /* every page that the tracker names is armed again */
};
SS_EXPORT int ss_do_without(ss_arena *arena, uint32_t without);
/* Names of built-in trackers, comma-separated, in order of preference. */
SS_EXPORT const char *ss_tracker_names(void);
/* Run a tracker's behavioural self-test in this process: 0 usable, else -errno; reason gets a text. */
SS_EXPORT int ss_tracker_probe(const char *name, char *reason, size_t bytes);

/* ---- the table through which the bridge calls the engine -------------------------------- */

typedef struct ss_engine_table {
    uint32_t version; /* SS_ENGINE_VERSION */
    uint32_t bytes;   /* sizeof(ss_engine_table) */
    void *(*scratch_alloc)(ss_arena *, size_t);
    int (*begin)(ss_arena *, const ss_setup *);
    uint32_t (*choose)(ss_arena *, const ss_choice *);
    void (*end_path)(ss_arena *, uint32_t, const char *) __attribute__((noreturn));
    int (*outbox_write)(ss_arena *, const void *, size_t);
    int (*donors_create)(ss_arena *, uint32_t, size_t);
    int (*donor_stack)(ss_arena *, uint32_t, uintptr_t *, uintptr_t *, uintptr_t *);
    int (*main_stack)(ss_arena *, uintptr_t *, uintptr_t *);
    void (*context_make)(ss_context *, uintptr_t, uintptr_t, void (*)(void));
    void (*switch_to)(ss_context *, const ss_context *);
    void (*call_on_main_stack)(ss_arena *, void (*)(void));
    uintptr_t (*thread_pointer)(void);
    int (*capture_append)(int, const void *, size_t);
    int (*capture_read)(int, const uint8_t **, size_t *);
    uint32_t (*base_root)(ss_arena *);
    void (*root_hold)(ss_arena *, uint32_t);
    int (*tree_diff)(ss_arena *, uint32_t, uint32_t, int (*)(void *, uint32_t, uint32_t, uint32_t), void *);
    const uint8_t *(*page_data)(ss_arena *, uint32_t);
    uint64_t (*page_serial)(ss_arena *, uint32_t);
    int (*wants_extra)(ss_arena *);
    uint32_t (*page_limit)(ss_arena *);
    uintptr_t (*page_address)(ss_arena *, uint32_t);
    uint32_t (*page_index)(ss_arena *, uintptr_t);
    uint32_t (*region_count)(ss_arena *);
    const ss_region *(*get_region)(ss_arena *, uint32_t);
    uint64_t (*hash64)(const void *, size_t);
    void (*hash128)(const void *, size_t, uint64_t out[2]);
    int (*in_frozen_copy)(ss_arena *, void (*)(void *), void *);
} ss_engine_table;
SS_EXPORT const ss_engine_table *ss_engine_get_table(void);

#endif
