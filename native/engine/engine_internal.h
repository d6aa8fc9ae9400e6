/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ engine_internal.h — what the files of the engine share.                    │
 * │                                                                            │
 * │ Everything lies in one shared mapping: this header first, then sections    │
 * │ that are reserved generously and touched only when used. Explorer and      │
 * │ child map it at the same address (the child is a fork), so plain pointers  │
 * │ work in both.                                                              │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSI_ENGINE_INTERNAL_H
#define SSI_ENGINE_INTERNAL_H

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "asan.h"
#include "engine.h"
#include "text.h"
#include "tracker.h"

#define SSI_FANOUT 64u
#define SSI_FANOUT_BITS 6u
#define SSI_MAX_LEVELS 5u /* 64^5 pages are 4 TiB */
#define SSI_MAX_REGIONS 8192u
#define SSI_MAX_STATES (1u << 20)
#define SSI_MAX_FILES 64u /* files a path may have open at once */
#define SSI_AGENT_STACK (256u << 10)
#define SSI_SIGNAL_STACK (128u << 10)
#define SSI_SCRATCH_BYTES ((size_t)2 << 30)
#define SSI_NOTES_BYTES ((size_t)64 << 20) /* address space: only what a path uses is touched */
#define SSI_ERROR_BYTES 512u
#define SSI_STORE_BEYOND (1u << 16) /* pages of the base state that may be fetched into a full store */

/* Ends the process with a message: the arena can't be trusted any more. */
_Noreturn void ssi_panic(const char *what);
#define SSI_STRING_(x) #x
#define SSI_STRING(x) SSI_STRING_(x)
#define SS_ASSERT(condition) \
    ((condition) ? (void)0 : ssi_panic(__FILE__ ":" SSI_STRING(__LINE__) ": assertion failed: " #condition))
#ifdef SS_DEBUG
#define SS_ASSERT_INTERNAL(condition) SS_ASSERT(condition)
#else
#define SS_ASSERT_INTERNAL(condition) ((void)sizeof(condition))
#endif

/* ---- hash.c ------------------------------------------------------------------ */

typedef struct ssi_hash128 {
    uint64_t low, high;
} ssi_hash128;
uint64_t ssi_hash64(const void *data, size_t bytes);
ssi_hash128 ssi_hash128_of(const void *data, size_t bytes);
int ssi_hash_is_set(void);

/* ---- store.c: content-addressed pages ------------------------------------------- */

#define SSI_IN_UNITS 0x80000000u
enum ssi_form {
    SSI_PLAIN = 0,
    SSI_FIXED = 1,  /* plain for ever: others are put together from it, or it would hardly become shorter */
    SSI_PACKED = 2, /* see pack.c */
};
typedef struct ssi_body {
    uint32_t reference; /* packed: the page that it is put together from, and which it holds a reference to */
    uint32_t home;      /* index of the page that had this content first, SS_NONE: not known */
    uint32_t form;      /* enum ssi_form */
} ssi_body;

#define SSI_UNIT 64u     /* bytes */
#define SSI_UNPACKED 512u /* packed pages that were put together lately */
typedef struct ssi_unpacked {
    uint64_t serial; /* 0: none */
    _Alignas(64) uint8_t content[SS_PAGE];
} ssi_unpacked;

typedef struct ssi_store {
    uint8_t *data; /* slot i at data + i * SS_PAGE; slot 0 is that of page 0, the zero page, which is never stored */
    ssi_hash128 *hash;
    uint64_t *serial;
    uint32_t *ref;     /* how many leaf slots, borrowers and packed pages hold it; ref[0] means nothing */
    uint32_t *next;    /* next in its bucket, or in the free list */
    uint32_t *buckets; /* heads of chains */
    uint32_t *at; /* of a page: its slot; packed: its first unit, and SSI_IN_UNITS. Apart, since every comparison asks for it */
    ssi_body *body;
    uint32_t bucket_mask, capacity, fresh, free_head, live;
    uint64_t next_serial;
    uint32_t *slot_next; /* in the free list */
    uint32_t slots, slot_fresh, slot_free, populated, slots_live;
    uint8_t *units; /* unit 0 ends a chain */
    uint32_t *unit_next;
    uint32_t n_units, unit_fresh, unit_free, units_live;
    uint32_t packed, hand; /* packed pages; the page that was looked at last */
    uint64_t pack_at;      /* bytes stored from which on it is tried again */
    uint64_t *marks;       /* a bit a page, while ssi_pack looks for some */
    ssi_unpacked *unpacked;
} ssi_store;

/* One reference to a page with this content. 0 for a page of zeroes; SS_NONE when the store is full. */
uint32_t ssi_page_intern(ss_arena *arena, const void *content);
/* The same for content found at this page index. */
uint32_t ssi_page_intern_at(ss_arena *arena, const void *content, uint32_t index);
void ssi_page_release(ss_arena *arena, uint32_t page);
static inline uint32_t ssi_first_unit(const ssi_store *s, uint32_t page) { return s->at[page] & ~SSI_IN_UNITS; }
static inline uint8_t *ssi_slot_at(const ssi_store *s, uint32_t slot) { return s->data + (size_t)slot * SS_PAGE; }
uint32_t ssi_slot_take(ss_arena *arena); /* SS_NONE when the store is full */
void ssi_slot_free(ssi_store *s, uint32_t slot);
SSI_READS_ANYTHING static inline int ssi_page_is_zero(const void *page) {
    const uint64_t *word = page;
    for (uint32_t i = 0; i < SS_PAGE / 8; i += 8)
        if (word[i] | word[i + 1] | word[i + 2] | word[i + 3] | word[i + 4] | word[i + 5] | word[i + 6] | word[i + 7]) return 0;
    return 1;
}

/* ---- delta.c ------------------------------------------------------------------- */

#define SSI_DELTA_MOST (8u + 64u + 512u + SS_PAGE)
/* What tells the page apart from the reference, at most SSI_DELTA_MOST bytes. Returns how many. Both are aligned as words. */
uint32_t ssi_delta_code(const void *page, const void *reference, uint8_t *out);
/* The page has the content of the reference, and gets its own. Returns the bytes that the code has. */
uint32_t ssi_delta_apply(const uint8_t *code, void *page);

/* ---- pack.c: pages kept as differences -------------------------------------------- */

/* Keep a page as what tells it apart from another one, which is not packed. 0: it was not worth it, or can't be. */
int ssi_page_pack(ss_arena *arena, uint32_t page, uint32_t reference);
/* Packed pages may be put together from this one from now on: it is plain and stays so. -ENOMEM: nothing changed. */
int ssi_page_fix(ss_arena *arena, uint32_t page);
/* Content of a packed page. Returns the bytes that its code has. */
uint32_t ssi_page_put_together(const ss_arena *arena, uint32_t page, uint8_t *out);
/* The same from the table of those put together lately: good until the next one is asked for. */
const uint8_t *ssi_page_unpacked(ss_arena *arena, uint32_t page);
/* The last reference is gone. */
void ssi_page_drop_content(ss_arena *arena, uint32_t page);
/* Pack until no more than so much is stored: pages that `current` does not have, or any. Returns how many. */
uint32_t ssi_pack(ss_arena *arena, uint64_t until_bytes, int also_current);
/* Pack some when little room is left. No pointer to a page's content may be in use. */
void ssi_pack_when_near(ss_arena *arena);

/* ---- tree.c: hash-consed radix tree over page numbers ------------------------------ */

typedef struct ssi_node {
    uint32_t slot[SSI_FANOUT]; /* page numbers at level 0, node numbers above; 0 = all zero */
} ssi_node;

typedef struct ssi_forest {
    ssi_node *nodes;
    uint64_t *hash;
    uint32_t *ref, *next, *buckets;
    uint8_t *level;
    uint32_t bucket_mask, capacity, fresh, populated, free_head, live;
    uint32_t levels; /* of every tree in use; 1 = a root is a leaf */
} ssi_forest;

typedef struct ssi_change {
    uint32_t index, page;
} ssi_change;

/* Root of the tree that differs from `root` in these pages (ascending, no
 * duplicates). *out holds a reference of its own; the caller keeps its
 * references to root and to the pages. -ENOMEM: nothing changed. */
int ssi_tree_update(ss_arena *arena, uint32_t root, const ssi_change *changes, uint32_t n, uint32_t *out);
uint32_t ssi_tree_get(ss_arena *arena, uint32_t root, uint32_t index);
/* Page numbers of the 64 pages around index, NULL if all are 0. */
const uint32_t *ssi_tree_leaf(ss_arena *arena, uint32_t root, uint32_t index);
void ssi_root_retain(ss_arena *arena, uint32_t root);
void ssi_root_release(ss_arena *arena, uint32_t root);
/* Levels that cover n pages. */
uint32_t ssi_tree_levels(uint32_t n_pages);

/* ---- visited.c ----------------------------------------------------------------------- */

typedef struct ssi_visit {
    uint64_t key[2];
    uint16_t used;
    uint16_t marks; /* enum ssi_mark */
    uint32_t epoch; /* of the last visit, 0 = only counted */
    uint32_t preemptions;
    uint32_t before; /* of a state: the entry of the state from which it was reached first, or SS_NONE */
} ssi_visit;
enum ssi_mark {
    SSI_IS_STATE = 1,      /* and no state together with a thread */
    SSI_REACHES_END = 2,
    SSI_TIMED = 4,         /* SS_CHOICE_TIME */
    SSI_REACHES_TIMED = 8, /* known after ss_find_endless, of states that reach no end */
    SSI_ENDLESS = 16,      /* found by ss_find_endless to reach neither */
    SSI_IS_LINKED = 32,    /* `before` is decided */
};

enum ssi_visit_answer { SSI_VISIT_NEW = 0, SSI_VISIT_PRUNE = 1, SSI_VISIT_FULL = 2 };
/* Counts the state and, unless count_only, notes the visit. PRUNE: it was visited
 * in this epoch (use_thread: by the same thread, with as few preemptions).
 * shape: what must agree besides the fingerprint. FULL: nothing was noted. *entry is the state's own. */
enum ssi_visit_answer ssi_visited_check(ss_arena *arena, const uint64_t fingerprint[2], uint32_t shape, int count_only,
                                        int use_thread, uint32_t thread, uint32_t preemptions, uint32_t *entry);

/* ---- endless.c ------------------------------------------------------------------------ */

/* A step from one state to another, by their entries. */
typedef struct ssi_edge {
    uint32_t from, to;
} ssi_edge;
/* Note a step; of a new state it is the one by which it was reached first. from may be SS_NONE. */
void ssi_edge_add(ss_arena *arena, uint32_t from, uint32_t to, int timed);
/* The execution ended behind this state. */
void ssi_reaches_end(ss_arena *arena, uint32_t entry);
/* ss_find_endless has found that no end can be reached from it. */
int ssi_is_endless(const ss_arena *arena, uint32_t entry);

/* ---- mailbox and path record -------------------------------------------------------------- */

enum ssi_turn { SSI_TURN_EXPLORER = 0, SSI_TURN_AGENT = 1 };
enum ssi_request { SSI_REQUEST_BEGIN = 1, SSI_REQUEST_CHOOSE, SSI_REQUEST_END };

/* Kernel state that belongs to a snapshot. */
typedef struct ssi_kernel_state {
    uint64_t signal_mask;
} ssi_kernel_state;

/* The kernel's struct sigaction. */
#define SSI_SIGNALS 64
typedef struct ssi_action {
    uint64_t words[4];
} ssi_action;

/* frozen.c: the process that keeps the base state. */
typedef struct ssi_frozen {
    int pid, parent; /* pid 0: there is none, the base state lies in the store */
    _Atomic uint32_t busy; /* futex word: 1 while it works for us */
    void (*function)(void *user);
    void *user;
    uint32_t *pages; /* by page index: number in the store + 1 of the base content, 0: not fetched */
    const uint32_t *wanted;
    uint32_t n_wanted, one;
    int fetching;
    uintptr_t piece_at; /* of ss_snapshot_read, never longer than a page */
    size_t piece_bytes;
    uint8_t piece[SS_PAGE];
} ssi_frozen;

/* A page number with this bit: the content that the page with the index below had in the base state. */
#define SSI_BASE_PAGE 0x80000000u

typedef struct ssi_donor {
    uintptr_t lo, hi, tls;
} ssi_donor;

/* predict.c: what is known of a page that was ever named. */
typedef struct ssi_habit {
    uint16_t unchanged; /* checkpoints since it changed last, or was armed */
    uint8_t returns;    /* how often it was armed too soon, less how often it was not */
    uint8_t armed : 1;
    uint8_t there : 1; /* it was seen to have content; it keeps some while nobody may drop pages */
    uint8_t guard : 1; /* of a stack: it never has any */
    uint32_t armed_at; /* number of the checkpoint */
} ssi_habit;

struct ss_arena {
    uint64_t magic;
    size_t bytes, store_bytes;
    ss_arena *next_arena; /* of this process */

    _Alignas(64) _Atomic uint32_t turn; /* enum ssi_turn; futex word */
    _Atomic uint32_t mutating;          /* 1 while the agent changes store, tree or state tables */
    volatile uint32_t in_agent;         /* it runs, or waits for a command; for signal handlers */
    uint32_t begun;                     /* ss_begin ran on this arena since it was created or reset */
    uint32_t quit;
    ss_command command;

    /* The running path. n_path is raised after everything it covers is written. */
    _Alignas(64) _Atomic uint32_t n_path;
    uint32_t end, transitions, outbox_bytes, flags, preemptions, depth;
    uint32_t passed; /* choice points of the command that are no longer in `path`: SS_END_FULL */
    uint32_t last_state, last_taken; /* the choice point passed last and how */
    uint32_t last_visit;             /* its `visit` */
    uint32_t forced_used, n_forced;
    uint32_t runs, n_following; /* paths of the present command; of ss_set_following */
    uint64_t ns_command;        /* when the agent got it */
    uint32_t answered; /* of ss_answer */
    uint32_t *path;
    ss_start following[SS_MAX_FOLLOWING];
    uint32_t *forced;
    uint64_t *forced_labels;
    uint8_t *outbox;
    uint8_t *notes; /* of the states of this path */
    uint64_t notes_used;
    char detail[SS_DETAIL_BYTES];
    char error[SSI_ERROR_BYTES];
    char tracker_reason[SSI_ERROR_BYTES];
    char text[SS_DETAIL_BYTES]; /* where messages are put together */

    /* The agent and what it suspended. */
    _Alignas(64) void *agent_sp;
    ss_context child;
    const ss_choice *choice;
    uint32_t request, request_end;
    int64_t answer;
    ss_setup setup;
    char setup_tracker[32];
    uint32_t without; /* enum ss_without */
    int parent_pid, fast_tls;
    uintptr_t agent_lo, agent_hi;
    uint8_t *signal_stack; /* for first writes to quiet memory */

    /* Tables. */
    ss_state *states;
    ssi_kernel_state *kernel_states;
    uint32_t *state_next; /* free list; SSI_STATE_LIVE while in use */
    uint32_t state_fresh, state_free, state_live;
    ssi_store store;
    ssi_forest forest;
    ssi_visit *visited;
    uint32_t visited_mask, visited_used, visited_epoch;
    ssi_edge *edges;           /* steps that lead to no new state, between states not known to reach an end */
    uint32_t n_edges, n_states_known, n_states_ending;
    uint32_t edges_lost;

    /* Memory of the child. */
    ss_region *regions;
    ssi_tracked tracked;
    uint8_t *quiet;             /* what has no write permission, two bytes a region: see quiet.c; not rolled back */
    const ssi_tracker *tracker; /* NULL: "none" */
    uint32_t *dirty;            /* n_pages entries: page indices that may differ from `current` */
    uint32_t n_dirty_kept;      /* entries left over from a checkpoint that was given up */
    uint32_t undisturbed;       /* nothing ran since the last checkpoint or restore: memory is exactly `current` */
    uint32_t last_collected;    /* pages the tracker named last */
    uint32_t since_rearm;       /* checkpoints; where pages can't be armed one by one */
    ssi_habit *habits;          /* by page index, see predict.c */
    uint32_t *given_up;         /* pages that the present checkpoint arms again */
    uint32_t n_given_up, patience; /* of the present checkpoint */
    ssi_change *changes;        /* n_pages entries */
    uint32_t current, base;     /* roots, each with a reference of its own */
    uint32_t held;              /* another one: see ss_root_hold */
    uint64_t populated_pages;   /* of the base snapshot */
    uintptr_t base_break;

    ssi_frozen frozen;

    ssi_donor *donors;
    uint32_t n_donors;
    ssi_donor main_stack;
    uintptr_t stacks_lo, stacks_hi; /* main's stack first, then the donors', each stack_bytes long */
    uintptr_t stacks_used;          /* nothing ever ran on the stacks from here on; not rolled back */
    size_t stack_bytes;

    int files[SSI_MAX_FILES]; /* descriptors opened by the guard */
    uint32_t n_files;
    ssi_action actions[SSI_SIGNALS]; /* what the kernel has */
    uint64_t changed_actions;        /* signals whose action was ever changed under the guard */

    uint8_t *scratch;
    _Atomic uint64_t scratch_used;
    ss_statistics statistics;
};

#define SSI_STATE_LIVE 0xfffffffeu

/* ---- arena.c, explorer.c --------------------------------------------------------------------- */

/* Does this range lie in an arena of this process? */
int ssi_is_arena_memory(uintptr_t lo, uintptr_t hi);
/* Sets ss_last_error and returns error (negative). */
int ssi_fail(ss_arena *arena, int error, const char *text);
uint32_t ssi_state_alloc(ss_arena *arena); /* SS_NONE when the table is full */
void ssi_state_free(ss_arena *arena, uint32_t state);
static inline uint64_t ssi_stored_bytes(const ss_arena *arena) {
    const ssi_store *s = &arena->store;
    return (uint64_t)s->slots_live * SS_PAGE + (uint64_t)s->units_live * SSI_UNIT + (uint64_t)arena->forest.live * sizeof(ssi_node);
}
static inline uint64_t ssi_near(const ss_arena *arena) { return arena->store_bytes / 8 * 7; }
/* Make the kernel provide this memory now, in one go. */
void ssi_populate(void *at, size_t bytes);
void ssi_hand_over(ss_arena *arena, enum ssi_turn to);

/* ---- regions.c ---------------------------------------------------------------------------------- */

/* Fill the region table from /proc/self/maps. Negative: ss_last_error says why. */
int ssi_regions_read(ss_arena *arena);

/* ---- tracking.c ------------------------------------------------------------------------------------ */

/* Regions, tables, tracker (setup_tracker) and base snapshot. On the agent's
 * stack. "none": nothing at all. Negative: ss_last_error says why. */
int ssi_tracking_start(ss_arena *arena);

/* ---- quiet.c ----------------------------------------------------------------------------------------- */

/* Take write permission from all memory but stacks. With the guard only: it handles the faults. */
void ssi_quiet_start(ss_arena *arena);
/* A write to this address was refused: was it one to quiet memory? Then it may be tried again. */
int ssi_quiet_wake(ss_arena *arena, uintptr_t address);
/* Was anything quiet? Nothing is afterwards. */
int ssi_quiet_wake_all(ss_arena *arena);

/* ---- frozen.c ------------------------------------------------------------------------------------- */

/* Fork the process that keeps the base state. On the agent's stack; memory must not change from here
 * on until ssi_base_snapshot. Negative: there is none. */
int ssi_frozen_start(ss_arena *arena);
/* ss_in_frozen_copy for who can do without: -EIO if it was killed. */
int ssi_ask_frozen(ss_arena *arena, void (*function)(void *user), void *user);
/* End and reap it. In the explorer. */
void ssi_frozen_end(ss_arena *arena);
/* Make sure that base content of these page indices lies in the store, as far as they had any. */
void ssi_base_fetch(ss_arena *arena, const uint32_t *indices, uint32_t n);
/* Number in the store of a page with SSI_BASE_PAGE; fetches it. */
uint32_t ssi_base_page_number(ss_arena *arena, uint32_t page);
/* Is it a base page that has to be fetched first? */
static inline int ssi_is_unfetched(const ss_arena *arena, uint32_t page) {
    return page & SSI_BASE_PAGE && !arena->frozen.pages[page & ~SSI_BASE_PAGE];
}

/* ---- predict.c ----------------------------------------------------------------------------------- */

int ssi_predict_start(ss_arena *arena);
/* A checkpoint begins; so many pages were named. */
void ssi_predict_begin(ss_arena *arena, uint32_t named);
/* A page that was named has the content that it had. */
void ssi_predict_same(ss_arena *arena, uint32_t page);
void ssi_predict_changed(ss_arena *arena, uint32_t page);
/* The checkpoint is complete: arm what nobody writes any more. */
void ssi_predict_end(ss_arena *arena);

/* ---- snapshot.c ---------------------------------------------------------------------------------- */

int ssi_base_snapshot(ss_arena *arena);
/* *root gets a reference of its own. -ENOMEM: as if it had not been tried. */
int ssi_checkpoint(ss_arena *arena, uint32_t *root, ssi_kernel_state *kernel);
void ssi_restore(ss_arena *arena, uint32_t root, const ssi_kernel_state *kernel);
uint64_t ssi_now_ns(void);

/* ---- agent.c, fiber.c, donors.c --------------------------------------------------------------------- */

void ssi_swap(void **save_sp, void *to_sp);
void ssi_call_on(uintptr_t stack_hi, void (*entry)(void));
extern int ssi_fast_tls;
void ssi_rseq_unregister(void);
/* A thread is about to run on the stack that ends at hi. */
void ssi_stack_is_used(uintptr_t hi);
/* Zero what lies below a suspended thread's stack pointer. */
void ssi_stack_clear_unused(const ss_arena *arena, uintptr_t sp);

/* ---- guard.c ------------------------------------------------------------------------------------------ */

int ssi_guard_prepare(ss_arena *arena); /* signal handler; ordinary memory */
void ssi_guard_cancel(void);            /* puts the signal's old handler back */
int ssi_guard_install(ss_arena *arena); /* filter; irrevocable */
void ssi_guard_close_files(ss_arena *arena);
/* Which file the path has open, and where it is; NULL if none is. */
const char *ssi_guard_kept_open(ss_arena *arena);
void ssi_guard_restore_actions(ss_arena *arena); /* after memory was restored */
/* Name of a refused call and why it is refused; NULL if it has no name here. */
const char *ssi_call_name(long number, const char **why);

#endif
