/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ bridge.h — what the files of the bridge share.                             │
 * │                                                                            │
 * │ The bridge is the part of the child that knows CPython: simulated threads, │
 * │ locks, virtual time, preemption, the heap and the fingerprint. It calls    │
 * │ the engine through a versioned table of function pointers only.            │
 * │                                                                            │
 * │ Two kinds of memory: everything in `ssb` and in statics is ordinary memory │
 * │ and is rolled back by a restore; what must survive lies in the arena       │
 * │ (ssb_scratch). There is no third kind.                                     │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSB_BRIDGE_H
#define SSB_BRIDGE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "../engine/engine.h"

/* Visible operations: the pending operation of a thread at a choice point. */
enum ssb_operation {
    SSB_OP_NONE = 0,
    SSB_OP_BEGIN,       /* first step of a thread */
    SSB_OP_START,       /* starting another thread */
    SSB_OP_END,         /* the thread's end: enables its joiners */
    SSB_OP_JOIN,
    SSB_OP_ACQUIRE,     /* blocking acquire, also with timeout */
    SSB_OP_TRY_ACQUIRE, /* blocking=False */
    SSB_OP_RELEASE,
    SSB_OP_LOCKED,      /* asking a lock or thread for its state */
    SSB_OP_PUT,
    SSB_OP_GET,
    SSB_OP_TRY_GET,
    SSB_OP_SLEEP,
    SSB_OP_CHOOSE,
    SSB_OP_ACCESS,      /* shared data: before a bytecode of code under test */
    SSB_OP_LINE,
    SSB_OP_OPCODE,
    SSB_OP_CALL,        /* call of a C or library function that may touch shared data */
    SSB_OP_RESUME,      /* continuing after a wait ended */
};

enum ssb_status { SSB_FREE = 0, SSB_READY, SSB_BLOCKED, SSB_DONE };

/* Of a wait with a deadline: could it not proceed at some choice point, did the deadline end it? */
enum ssb_wait_end { SSB_PENDING = 0, SSB_TIMED_OUT = 1, SSB_HAS_WAITED = 2 };

enum ssb_granularity { SSB_SYNC = 0, SSB_ACCESS, SSB_LINE, SSB_OPCODE, SSB_GIL };

/* Properties of memory that the fingerprint leaves out until a program looks at them (ssb.addresses_observed). */
enum ssb_observed {
    SSB_OBSERVED_ADDRESSES = 1, /* id(), default hash or repr */
    SSB_OBSERVED_SETS = 2,      /* order of a set that others changed before */
    SSB_OBSERVED_GARBAGE = 4,   /* gc.collect() and other looks at garbage */
    SSB_OBSERVED_COUNTS = 8,    /* sys.getrefcount(), sys.getsizeof(): no state is merged any more */
    SSB_OBSERVED_ORDERS = 16,   /* order of a set or context that follows from addresses: others are possible */
};

#define SSB_NO_DEADLINE INT64_MAX

/* What a thread is about to access, as far as that is known: for data races. All references borrowed; they hold while
 * the thread stands before the access, because its value stack holds the operands and its code the names. */
enum ssb_place_kind {
    SSB_PLACE_NONE = 0,  /* no data, or unknown */
    SSB_PLACE_ATTRIBUTE, /* attribute `part` of an object or class */
    SSB_PLACE_ENTRY,     /* entry `part` of a dictionary (globals too) or set */
    SSB_PLACE_INDEX,     /* item `index` of a sequence */
    SSB_PLACE_SIZE,      /* how many items there are, not which */
    SSB_PLACE_WHOLE,     /* all of a container */
    SSB_PLACE_CELL,      /* a variable that closures share; `part` is its name */
};
typedef struct ssb_place {
    PyObject *object, *part;
    Py_ssize_t index;
    PyCodeObject *code; /* of the instruction at code unit `unit` */
    int unit;
    uint8_t kind;   /* enum ssb_place_kind */
    uint8_t access; /* as in ssb_thread */
    uint8_t method; /* a method of the container does it, in one step */
} ssb_place;

/* A simulated thread. Ordinal = index in ssb.threads = creation order. */
typedef struct ssb_thread {
    ss_context context;      /* where it goes on; valid while it is not current */
    uintptr_t stack_lo, stack_hi, tls;
    uint8_t status;          /* enum ssb_status */
    uint8_t operation;       /* enum ssb_operation: pending */
    uint8_t access;          /* 0 none, 1 read, 2 write, 3 both */
    uint8_t in_hook;         /* suspended inside a trace hook: the innermost C segment holds no program state */
    uint8_t timed_out;       /* enum ssb_wait_end */
    uint8_t bookkeeping;     /* inside standard-library bookkeeping of start/end/join: runs first, makes no choice point */
    uint8_t ended;           /* its END operation has been a choice point */
    uint8_t may_switch;      /* since its last operation it passed a place where the interpreter may switch (preempt_gil.c) */
    uint8_t last_event;      /* enum ssbp_event: what its tracer was told last, and where */
    int32_t last_unit;
    const void *last_frame;
    const void *fresh_frame; /* entered from C code, and nothing visible was done since: preempt_examine.c */
    uint32_t part;           /* part of the object, 0 = whole */
    PyObject *object;        /* what the operation acts on, strong reference or NULL */
    int64_t deadline_ns;     /* virtual time at which a wait ends, or SSB_NO_DEADLINE */
    PyObject *function, *args, *kwargs; /* of start_new_thread, until the thread began */
    PyThreadState *tstate;   /* NULL before it began and after it ended */
    PyObject *handle;        /* 3.13+: our joinable thread handle, or NULL */
    ssb_place place;         /* what it is about to access; only with ssb.finding_races */
} ssb_thread;

/* The scheduler's tables: ordinary memory, so that they rewind. What changes at most choice points comes first: in one page. */
typedef struct ssb_runtime {
    ss_arena *arena;
    const ss_engine_table *engine;
    uint32_t n_threads;      /* created so far in this execution, main included */
    uint32_t max_threads;    /* donors + 1 */
    uint32_t current;
    int active;              /* exploring: hooks make choice points. 0 inside recorder and invariant callbacks */
    int granularity;
    int timeouts_any;
    int finding_races;
    int footprints;          /* note what transitions touch, and make choice points with one alternative: footprint.c */
    int recording;           /* replay: call the recorder at every step */
    uint32_t alone;          /* choice points in a row, one alternative each, that were none: see scheduler.c */
    int time_matters;        /* since the last choice point the program has asked for the time, or left it to time to go on */
    int own_tool;            /* of sys.monitoring, with which instructions are traced (3.12), or -1 */
    int traced;              /* the program has used a tracer in this execution */
    int64_t clock_ns;        /* virtual monotonic time since the start of the execution */
    int lends_time;          /* moving that clock takes some real time: other processes need it */
    int64_t epoch_ns;        /* wall-clock time at clock_ns == 0 (fixed: deterministic) */
    uint32_t addresses_observed; /* enum ssb_observed bits: set before the base snapshot, never during an execution */
    uint64_t random_counter; /* draws of kernel randomness so far: part of the state */
    uint32_t n_held;         /* plain locks whose holder is known: held.c */
    int invariants_due;      /* a thread ended: no Python code could run at that choice point */
    ss_alternative alternatives[SS_MAX_ALTERNATIVES]; /* of the choice point being made */
    ssb_thread threads[SS_MAX_THREADS];
} ssb_runtime;

extern ssb_runtime ssb;

static inline ssb_thread *ssb_current(void) { return &ssb.threads[ssb.current]; }

/* -- scratch.c: arena memory for tables that survive restores ---------------- */
void *ssb_scratch(size_t bytes); /* zeroed, never NULL: ends the child when used up */

/* -- explore.c ------------------------------------------------------------------------- */
/* Which line of the user's is running: FILE:LINE, or nothing. Reads only. */
void ssb_describe_line(char *text, size_t bytes);

/* -- scheduler.c ------------------------------------------------------------------ */
/* Choice point before a visible operation of the current thread, then run whoever
 * was chosen; returns when the current thread may perform it. `object` borrowed.
 * blocked: 1 if the operation can't be done now (the thread waits for object). */
int ssb_visible(int operation, PyObject *object, uint32_t part, int access, uint64_t label);
/* The current thread waits for `object` (enabledness is asked of it) or the deadline.
 * 0: it may try again; 1: the deadline passed first; -1: exception set. */
int ssb_block(int operation, PyObject *object, int64_t deadline_ns);
/* Is thread t enabled now? Reads only: the agent and the recorder call it too. */
int ssb_enabled(const ssb_thread *t);

/* -- recorder.c --------------------------------------------------------------------- */
/* Tell the recorder of a step of the current thread. Does nothing unless ssb.recording.
 * All borrowed; name and value may be NULL. */
void ssb_record_step(int operation, PyObject *object, PyObject *name, int access, PyObject *value_or_null);

/* -- per-object readers of waited-for primitives, used by ssb_enabled and by the fingerprint -- */
int ssb_lock_is_locked(PyObject *lock);          /* _thread.lock */
int ssb_rlock_can_acquire(PyObject *rlock, const ssb_thread *by);
int ssb_simplequeue_is_empty(PyObject *queue);

/* Types and callables taken over; the fingerprint's list of transparent callables asks this. */
int ssb_is_hooked(PyCFunction function);
extern PyTypeObject *ssb_lock_type, *ssb_rlock_type, *ssb_simplequeue_type;

/* -- heap.c: Python's allocators on an engine-owned, fixed region ---------------------- */
/* Reserve the region and install the allocators (still passing through). Child, before the base snapshot. */
int ssb_heap_install(size_t bytes);
/* From now on every new block comes from the region; base blocks are never reused. */
void ssb_heap_switch_on(void);
/* Live block containing the address: start, size, domain (1 raw, 2 mem, 3 obj); 0 if none. */
int ssb_heap_find(uintptr_t address, uintptr_t *start, uint32_t *size);
int ssb_heap_contains(uintptr_t address);
/* glibc: one arena, no mmap, no trim, pre-grown program break (bytes of address space, not memory). */
int ssb_tune_malloc(size_t brk_bytes);

/* -- observe_sets.c -------------------------------------------------------------------- */

/* Sets are walked in chosen orders from now on, while a path is running. */
int ssb_sets_install(void);

/* -- fingerprint.c --------------------------------------------------------------------- */
/* Everything slow, once, with the GIL, before the base snapshot: collect garbage, drain
 * free lists, calibrate, build the base index. 0, or -1 with a Python exception.
 * May run Python code. `ignored`: see fingerprint. */
int ssb_fingerprint_prepare(void);
/* In the parent: what is the same in all children and takes long to find. */
void ssb_find_interned(void);
/* Last step before ss_begin, after ssb_heap_switch_on: final index and shallow hashes. */
int ssb_fingerprint_freeze(void);
/* At the start of every path: what can only be done in the base state is done at the first.
 * verify: check from now on that contents asked of the frozen copy are those of the base state. */
void ssb_fingerprint_base(int verify);
/* Compute every fingerprint a second time with nothing remembered; a difference ends the path with SS_END_ERROR. */
void ssb_fingerprint_check(int on);
/* ss_setup.fingerprint: on the agent's stack. */
int ssb_fingerprint(void *user, uint32_t root, uint64_t out[2]);
/* The program looks at something the fingerprint leaves out: the search starts again with it
 * (SS_END_RESTART, detail "observe addresses", "observe sets", "observe garbage", "observe sizes and counts" or "observe
 * orders", and " at FILE:LINE").
 * Does not return in that case; returns when the search already counts with it. */
void ssb_observe(uint32_t what);
/* Would hash(o), id(o) or repr(o) show an address that depends on the interleaving? */
int ssb_address_matters(PyObject *o);
/* Bits for assumptions given up before: strings as in the details above; unknown ones are ignored. */
uint32_t ssb_observed_from(PyObject *promoted);
/* Statics of the bridge and the engine are not part of a state, except those registered here (hashed as bytes). */
void ssb_fingerprint_include(const void *data, size_t bytes);
/* Private structs that state equality looks into: {name: is it as expected?}. New reference; runs Python code. */
PyObject *ssb_layouts(void);
/* Types that have a handler of their own: [(type, name of the handler)]. New reference; runs Python code. */
PyObject *ssb_handlers(void);
/* Can states be compared on this interpreter at all? 0 and a reason otherwise. */
int ssb_fingerprint_supported(const char **reason);
/* After a fingerprint: the numbers it gave to new objects and blocks, SSB_NUMBER_BYTES each (address; a word that means
 * nothing; number). How many; *complete: 1 if every object that a thread can reach is among them. */
#define SSB_NUMBER_BYTES 16u
uint32_t ssb_fingerprint_numbers(uint8_t *out, size_t room, uint32_t *complete);
/* Why the first state could not be compared of which that is so; "" if there is none. In the arena: for the parent, too. */
#define SSB_UNCOMPARED_BYTES 128u
extern char *ssb_uncompared;

/* -- calibrate.c ------------------------------------------------------------------- */
int ssb_calibration_attach(void); /* -1: no memory */
/* In the parent, once a child has taken its base snapshot: its children need not find that out again. */
void ssb_calibration_keep(void);

/* -- races.c: data races ------------------------------------------------------------------ */
typedef struct ssb_race_table ssb_race_table;
extern ssb_race_table *ssb_race_found; /* in the arena, allocated in the parent */
int ssb_races_attach(void);

/* At a choice point: places of threads that can go on that conflict are noted, but for those that were compared before. */
void ssb_races_look(void);
/* For the parent: (list of (kind, owner, part, ((file, function, access, line, end line, column, end column), the same
 * of the other)), were there more than could be noted?). */
PyObject *ssb_races_list(void);

/* -- preempt.c --------------------------------------------------------------------------- */
int ssb_preempt_install(PyObject *tables); /* child, before the base snapshot: see the Python contract */
int ssb_preempt_enter_thread(void);        /* in a new simulated thread, tstate current */

/* -- preempt_examine.c ------------------------------------------------------------------- */
/* Before code under test goes on, at choice points and ends: have assumptions been broken? Then the path ends here
 * (SS_END_RESTART, a line for each). */
void ssb_end_if_broken(void);

/* -- preempt_gil.c ----------------------------------------------------------------------- */
/* The current thread is about to perform a visible operation or access: could the interpreter have switched to
 * another thread since its last one? Yes wherever this is not known. From then on, no. */
int ssb_switch_is_due(void);

#endif
