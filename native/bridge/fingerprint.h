/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ fingerprint.h — what the files of the fingerprint share.                   │
 * │                                                                            │
 * │ A fingerprint is the hash of a stream of tokens that says everything about │
 * │ a state in a form free of addresses and history:                           │
 * │   tokens.c      the stream, values, numbering of new objects               │
 * │   runs.c        large containers, at the cost of what changed in them      │
 * │   handlers*.c   what an object of a given type consists of                 │
 * │   layouts.c     which of them may be used on this interpreter              │
 * │   code.c        stack depth at every instruction                           │
 * │   frames.c      frames and simulated threads                               │
 * │   hidden.c      C stacks between frames: skip or take raw                   │
 * │   hidden_tasks.c  those below steps of asyncio's tasks                       │
 * │   base_index.c  what existed when the exploration began                    │
 * │   base_walk.c   the walk that finds it                                      │
 * │   base_memory.c which memory belonged to it                                 │
 * │   base_hash.c   what that contained                                        │
 * │   pages.c       changed bytes → the base objects they belong to            │
 * │   masks.c       memory that is no program state                            │
 * │   interned.c    the table of interned strings                               │
 * │   calibrate.c   interpreter counters that change all the time              │
 * │   weaken_walk.c what users leave out                                       │
 * │   runtime_layout.c  is this the interpreter it was compiled for?            │
 * │   fingerprint.c putting it together                                        │
 * │                                                                            │
 * │ Rule: what is not understood goes in raw. Whatever overflows or looks      │
 * │ wrong calls ssbf_fail, and the state is not merged with any other.         │
 * │ Everything below runs on the agent's stack: it reads, writes only tables   │
 * │ in arena memory, allocates nothing, and keeps recursion short.             │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSB_FINGERPRINT_H
#define SSB_FINGERPRINT_H

#include "compat.h"
#include "heap.h"

#if SSB_CAN_FINGERPRINT

/* ---- sizes ------------------------------------------------------------------ */

#define SSBF_TOKENS (1u << 20)     /* of one state */
#define SSBF_QUEUE (1u << 18)      /* new objects and blocks of one state */
#define SSBF_NUMBER_BITS 19u       /* of the table of numbers at its largest, more than twice the queue */
#define SSBF_NUMBER_BITS_LEAST 10u
#define SSBF_CHUNKS (1u << 15)     /* 64 GiB of memory with objects */
#define SSBF_UNEXPLAINED (1u << 15) /* changed words nothing explains */
#define SSBF_DEFERRED 4096u        /* address-hashed sets of one state */
#define SSBF_SET_ELEMENTS 16384u   /* of one address-hashed set */
#define SSBF_LOOPS 64u
#define SSBF_RANGES 8192u          /* masked address ranges */
#define SSBF_NOISY 512u            /* calibrated words */
#define SSBF_FRAMES 4096u          /* of one thread */
#define SSBF_NO_GENERATION UINT32_MAX /* no number was given in it */
#define SSBF_PROBE_DEPTH 4         /* how far the order of set elements looks into them */
#define SSBF_PROBE_TOKENS 4096u

/* ---- handlers: what an object of a type consists of --------------------------- */

typedef struct ssbf_handler {
    const char *name;
    /* Emit tokens for everything that decides how the object behaves. */
    void (*content)(PyObject *o);
    /* Base objects: register memory outside of the object itself (ssbf_add_block). May be NULL. */
    void (*buffers)(PyObject *o, int32_t owner);
    /* Bytes of the struct that `content` speaks for; fields a subclass adds behind
     * it are walked word by word. 0: `content` sees to all of it. */
    size_t covered;
} ssbf_handler;

/* Before the index is built. A handler also serves subclasses. */
void ssbf_register(PyTypeObject *type, const ssbf_handler *handler);
void ssbf_unregister(PyTypeObject *type);
const ssbf_handler *ssbf_registered(PyTypeObject *type);

/* ---- layouts.c: handlers that look into private structs ------------------------- */

/* A type of a module that is loaded already; NULL if it is not. Nothing is imported on the program's behalf. */
PyTypeObject *ssbf_type_of(const char *module, const char *name);
/* type: NULL if its module is not loaded. is_known: live objects were seen to have the layout the handler reads.
 * Otherwise the type is walked word by word, and listed as unknown. */
void ssbf_register_layout(const char *name, PyTypeObject *type, int is_known, const ssbf_handler *handler);
/* All families, in the interpreter as it is; runs Python code. */
int ssbf_register_all(void);
/* Registration functions, one per family; may import modules and run layout checks. */
int ssbf_register_cached(void);
int ssbf_register_context(void);
int ssbf_register_streams(void);
int ssbf_register_functools(void);
int ssbf_register_local(void);
int ssbf_register_containers(void);
int ssbf_register_collections(void);
int ssbf_register_code(void);
int ssbf_register_threading(void);
int ssbf_register_queue(void);
/* Do the accessors of compat_3xx.h read the interpreter that runs? Runs Python code, once. */
int ssbf_layout_is_known(void);
int ssbf_register_handles(PyObject *thread_module);

/* ---- tables in arena memory ------------------------------------------------------ */

enum { SSBF_ATOM = 1, SSBF_TYPE = 2, SSBF_CODE = 4, SSBF_SUBCLASSES = 8 /* a type's table of subclasses */, SSBF_HIDDEN = 16 /* a cache */,
       SSBF_UNREADY = 64 /* of a type whose objects are atoms, but not one yet: in `kinds` alone, which leaves atoms out */,
       SSBF_KINDS = 31, SSBF_HASHED = 32 /* `shallow` is known, and `table` of a set */ };
enum { SSBF_SILENT = -1, SSBF_NOBODY = -2 };

/* An object of the base state that was asked for. */
typedef struct ssbf_object {
    PyObject *object;     /* NULL: nobody has asked yet */
    uint64_t shallow[2];  /* hash of its content at the base state (base_hash.c); of an atom: its value tokens */
    uint64_t atom;        /* first token of an atom */
    union {
        int16_t *depths;               /* of a code object: computed when first needed */
        uint64_t table;                /* of a set: hash of its table as it lay in memory */
    };
    uint32_t flags;
} ssbf_object;

/* Two megabytes of memory: where objects of the base state begin. */
#define SSBF_CHUNK_BYTES ((uintptr_t)2 << 20)
#define SSBF_CHUNK_WORDS 4096u /* a bit for eight bytes */
#define SSBF_RANK_WORDS 8u
#define SSBF_RANKS (SSBF_CHUNK_WORDS / SSBF_RANK_WORDS)
typedef struct ssbf_chunk {
    uintptr_t number; /* address / SSBF_CHUNK_BYTES */
    uint64_t used;    /* which 64ths of the bits were ever written */
    uint32_t rank[SSBF_RANKS]; /* objects before every eighth word */
    uint64_t bits[SSBF_CHUNK_WORDS];
} ssbf_chunk;

/* Memory of the base state that belongs to an object. */
typedef struct ssbf_block {
    uintptr_t lo, hi;
    int32_t owner; /* SSBF_SILENT: no program state */
} ssbf_block;

/* From this word of a page on, to the next run. */
typedef struct ssbf_run {
    uint32_t word;
    int32_t owner; /* number of an object, SSBF_SILENT, SSBF_NOBODY */
} ssbf_run;

typedef struct ssbf_page {
    uint32_t first; /* of its runs */
    uint16_t n, known;
} ssbf_page;

typedef struct ssbf_number {
    uintptr_t key;
    uint32_t generation, number;
} ssbf_number;

typedef struct ssbf_item {
    uintptr_t address;
    uint32_t is_memory; /* a block without a type: walked word by word */
} ssbf_item;

typedef struct ssbf_range {
    uintptr_t lo, hi;
} ssbf_range;

typedef struct ssbf_tables {
    /* base state */
    ssbf_object *objects; /* in the order of their addresses */
    uint32_t n_objects;
    uint16_t *kinds;      /* of all objects: SSBF_TYPE ... without SSBF_ATOM | number of the handler of a type's instances << 8 */
    const ssbf_handler *handlers[256];
    uint32_t n_handlers;
    ssbf_chunk **chunks;  /* ascending */
    uint32_t n_chunks;
    ssbf_chunk **slots;   /* open hash of their numbers */
    uint32_t slot_mask;
    ssbf_block *blocks;   /* memory outside of objects; ascending */
    uint32_t n_blocks;
    uint32_t n_pages;     /* tracked */
    ssbf_page *pages;     /* whose memory it was, of pages that were asked for */
    ssbf_run *runs;
    uint32_t n_runs, max_runs;
    ssbf_range masks[SSBF_RANGES];
    uint32_t n_masks;
    uintptr_t noisy[SSBF_NOISY];
    uint32_t n_noisy;
    ss_region *regions;
    uint32_t n_regions;
    int base_is_ready;
    const uint32_t *wanted; /* objects whose base content is asked for */
    uint32_t n_wanted, one;
    uint64_t (*expected)[2]; /* NULL, or to compare with: see base_hash.c */
    uint64_t *expected_pages; /* the same of pages: hashes of their owners */
    /* one state */
    uint64_t tokens[SSBF_TOKENS];
    uint32_t n_tokens;
    ssbf_number numbers[1u << SSBF_NUMBER_BITS];
    uint32_t number_bits; /* as large as this state needs it: a small table stays in the processor's caches */
    uint32_t generation, n_numbers, n_entries;
    ssbf_number entries[1u << (SSBF_NUMBER_BITS - 1)]; /* in the order of their making */
    ssbf_item queue[SSBF_QUEUE];
    uint32_t queue_head, queue_tail;
    uint32_t *candidates; /* base objects some of whose memory changed */
    uint32_t n_candidates;
    uintptr_t unexplained[SSBF_UNEXPLAINED];
    uint32_t n_unexplained;
    PyObject *deferred[SSBF_DEFERRED];
    uint32_t n_deferred;
    PyObject *loops[SSBF_LOOPS]; /* iterators of loops whose order makes no difference afterwards */
    uint32_t n_loops;
    PyObject *elements[SSBF_SET_ELEMENTS];
    uint64_t element_keys[SSBF_SET_ELEMENTS];
    int in_base;     /* computing base hashes: nothing is numbered */
    int probing;     /* ordering set elements: depth + 1; nothing is numbered */
    uint32_t probe_end;
    int deferring;   /* address-hashed sets wait for the end */
    int failed;
    int numbered; /* the numbers are those of the state that was asked for last, and of all its objects */
    const char *failure;
    int afresh;      /* nothing that was remembered may be used */
    uint32_t pass;   /* computations so far: what was found out in this one is true now */
    /* code */
    int16_t *depth_pool;
    uint32_t n_depths, max_depths;
    int16_t *depth_work; /* SSBF_CODE_MAX entries for a code object that is not in the base */
    uint32_t *work_list;
    ssb_frame *frames[SSBF_FRAMES];
    /* where the exploration began */
    ssb_frame *base_frame;
    const void *base_entry;
    PyThreadState *base_tstate;
    PyInterpreterState *newest_interpreter;
    uint32_t monitoring_tools; /* of sys.monitoring, silent while exploring */
} ssbf_tables;

extern ssbf_tables *ssbf;

/* ---- tokens.c ---------------------------------------------------------------------- */

enum ssbf_tag {
    SSBF_T_BASE = 1, SSBF_T_NEW, SSBF_T_DEAD, SSBF_T_RAW, SSBF_T_ATOM, SSBF_T_FRAME, SSBF_T_COUNT, SSBF_T_MEMORY, SSBF_T_ATTRIBUTES,
    SSBF_T_NULL, SSBF_T_PROBE, SSBF_T_RUN, SSBF_T_WRITTEN_OUT, SSBF_T_LAST
};
#define SSBF_TOKEN(tag, value) ((uint64_t)(tag) << 56 | ((uint64_t)(value) & 0xffffffffffffffull))
#define SSBF_PREDEFINED 0x80000000u /* numbers given ahead of the walk: frame objects, attribute dicts */

/* This state must not be merged; the first reason is kept. */
void ssbf_fail(const char *reason);
static inline void ssbf_token(uint64_t token)
{
    if (ssbf->n_tokens < SSBF_TOKENS)
        ssbf->tokens[ssbf->n_tokens++] = token;
    else
        ssbf_fail("too many tokens");
}
static inline void ssbf_count(uint64_t n) { ssbf_token(SSBF_TOKEN(SSBF_T_COUNT, n)); }
/* A number of unknown meaning. */
void ssbf_raw(uint64_t value);
void ssbf_bytes(const void *data, size_t bytes);
/* A word of unknown meaning: pointers to known objects and blocks become canonical. */
void ssbf_word(uintptr_t value);
void ssbf_words(const void *from, const void *to);
/* A reference to an object, or NULL. */
void ssbf_reference(PyObject *o);
/* Immutable values: their tokens, three; 0 if `o` is not one. */
int ssbf_atom(PyObject *o, uint64_t tokens[3]);
int ssbf_is_atom(PyObject *o);
/* Number of an object that was met, 0 if not; give one ahead of the walk. */
uint32_t ssbf_known(uintptr_t address);
void ssbf_predefine(uintptr_t address, uint32_t number);
/* Walk everything that waits in the queue. */
void ssbf_drain(void);
void ssbf_begin_state(void);
void ssbf_hash(uint32_t from, uint64_t out[2]);

/* ---- handlers.c ---------------------------------------------------------------------- */

/* Type, then content. */
void ssbf_content(PyObject *o);
/* Does it make a difference whether its finalizer was called? */
int ssbf_counts_as_finalized(PyObject *o);
/* The first of an object's weak references, from `w` on, that will call back when the object dies; NULL if none will. */
PyWeakReference *ssbf_calls_back(PyWeakReference *w);
/* Fields [from, to) of an object: attribute dictionary and weak references where the type has them. */
void ssbf_fields(PyObject *o, Py_ssize_t from, Py_ssize_t to);
/* Attributes of an instance, however they are stored. */
void ssbf_attribute_dict(PyObject *dict, PyObject *owner);
void ssbf_managed_attributes(PyObject *o);
Py_ssize_t ssbf_object_bytes(PyObject *o);
/* Handler of the instances of a type, NULL: word by word. */
const ssbf_handler *ssbf_handler_of(PyTypeObject *type);
/* The local object whose key a text is, or NULL (handlers_local.c). */
PyObject *ssbf_named_local(PyObject *text);
/* Some versions keep the hash of a tuple: is it part of the state, because computing it may run code of the program? */
int ssbf_hash_matters(PyObject *tuple);
/* The content of dictionaries, for others that hold one. */
void ssbf_dict_items(PyDictObject *d);
/* Of the attribute dictionary of `owner`, NULL if that is unknown. */
void ssbf_attribute_items(PyDictObject *d, PyObject *owner);
/* Where its holes are and when its table will be rebuilt: for those who hold a position in it. */
void ssbf_dict_layout(PyDictObject *d);
/* The living object there, of at least so many bytes; NULL if there is none. Any word may be asked about. */
PyObject *ssbf_object_at(uintptr_t address, size_t least);
/* Is there a live dictionary? */
int ssbf_is_dict(uintptr_t address);
/* Tokens for a deque that a word on the C stack leads to; nothing for anything else. */
void ssbf_deque_changes(uintptr_t address);
/* Does a table go by a hash of this key that the program's own code has made, and may make otherwise by now? */
int ssbf_hash_is_kept(PyObject *key);

/* ---- base_index.c ---------------------------------------------------------------------- */

int ssbf_index_build(void);
/* Number of a base object, -1 if it is none. Numbers ascend with addresses. */
int ssbf_find_object(uintptr_t address);
uint32_t ssbf_kind_of(uint32_t b, const PyObject *o); /* SSBF_ATOM ..., of the object with this number */
ssbf_object *ssbf_meet(uint32_t b);
static inline ssbf_object *ssbf_base(uint32_t b) { return ssbf->objects[b].object ? &ssbf->objects[b] : ssbf_meet(b); }
int ssbf_is_type(PyTypeObject *t);

/* ---- base_walk.c: while the index is built ------------------------------------------------ */

/* Memory of a base object outside of the object itself. */
void ssbf_add_block(const void *lo, size_t bytes, int32_t owner);
/* Changes of a base object mean nothing. May be NULL. */
void ssbf_hide(PyObject *o);

/* ---- base_memory.c -------------------------------------------------------------------------- */

/* Before the first question about a page; when it is known what is tracked. */
void ssbf_pages_make(void);
/* Find out whose memory these pages were, if that is not known. */
void ssbf_pages_describe(const uint32_t *pages, uint32_t n);
/* Where no copy will answer: all pages now, in the base state. */
void ssbf_pages_describe_all(void);
void ssbf_pages_expect(void);
/* Whose a word was: the number of an object, SSBF_SILENT or SSBF_NOBODY. */
int32_t ssbf_owner(uint32_t page_index, uint32_t word);
/* The same in the base state itself, before pages have numbers. */
int32_t ssbf_owner_now(uintptr_t address);

/* ---- base_hash.c ------------------------------------------------------------------------ */

/* Make the base content known: of all candidates in one go, of one object. */
void ssbf_hash_candidates(void);
void ssbf_know(uint32_t b);
/* Hash of the table of a base set, as it lay in memory. */
uint64_t ssbf_base_set_table(uint32_t b);

/* ---- masks.c, calibrate.c, pages.c ------------------------------------------------------- */

void ssbf_mask(const void *lo, size_t bytes);
int ssbf_masks_build(void);
void ssbf_mask_interned(void);
int ssbf_is_masked(uintptr_t address);
int ssbf_is_masked_all(uintptr_t lo, uintptr_t hi); /* every byte of it */
int ssbf_calibrate(void);       /* runs Python code */
void ssbf_calibrate_finish(void);
int ssbf_is_noisy(uintptr_t address);
/* Candidates and unexplained words of the state. Negative: they can't be told. The second one remembers nothing. */
int ssbf_collect_changes(uint32_t root);
int ssbf_collect_afresh(uint32_t root);
int ssbf_pages_prepare(void); /* after the index was built */
/* Pages of the state that was collected last: equal versions mean equal content. SS_NONE: not tracked. */
uint32_t ssbf_page_index(uintptr_t address);
uint64_t ssbf_page_version(uint32_t page_index);
void ssbf_included_tokens(void); /* statics that registered themselves */
int ssbf_hidden_prepare(void);   /* runs Python code */

/* ---- code.c, frames.c, hidden.c ------------------------------------------------------------ */

#define SSBF_CODE_MAX 65536u /* code units of a function; longer ones are not merged */
/* Stack depth before each code unit, -1 where no instruction begins. NULL: not analysable. */
const int16_t *ssbf_depths(PyCodeObject *code);
/* First code unit of the instruction a frame is in, and the depth there. -1 before the first. */
int ssbf_instruction(ssb_frame *frame, int *depth);
/* First code unit of the instruction that contains `unit`; calls in progress count as one instruction. */
int ssbf_normal_unit(PyCodeObject *code, int unit);
/* The instructions themselves, without specialisation. */
void ssbf_code_units(PyCodeObject *code);
void ssbf_frame(ssb_frame *frame);
void ssbf_threads(void);
/* A class made by a class statement whose bases are such classes down to object. */
int ssbf_is_python_class(PyTypeObject *t);
void ssbf_hidden(uint32_t thread, ssb_frame **frames, uint32_t n);
int ssbf_hidden_tasks_prepare(PyObject *modules); /* runs Python code */
/* Does this callback of an event loop resume a task whose coroutine has this frame? */
int ssbf_task_step_runs(PyObject *callback, ssb_frame *frame);

/* ---- weaken_walk.c: ignore() and view() --------------------------------------------------------- */

void ssbf_weaken_prepare(void);
int ssbf_weakened(void); /* is any declaration in force? If not, nothing below is called. */
/* The declarations that apply to attributes of `owner`, or to entries of an attribute dictionary. */
uint64_t ssbf_weak_attributes(PyObject *owner, PyObject *dict);
int ssbf_left_out(uint64_t set, PyObject *name);
uint64_t ssbf_left_out_of(uint64_t set, PyDictObject *d); /* how many entries */
int ssbf_slot_left_out(uint64_t set, Py_ssize_t at);
void ssbf_weak_names(uint64_t set); /* tokens */
int ssbf_weak_content(PyObject *o); /* 1: a view speaks for the object */
/* Base objects, in the order of the calls: before the walk, a reference to one, those that are always part of
 * the state, may this changed one wait, and those that were met after all. */
void ssbf_weak_begin(void);
void ssbf_weak_met(PyObject *o);
void ssbf_weak_holders(void);
int ssbf_weak_postpones(uint32_t b);
void ssbf_weak_end(void (*changed)(uint32_t b));

/* ---- observe.c ------------------------------------------------------------------------------- */

int ssbf_observe_install(void); /* runs Python code */
void ssbf_observe_begin(void);  /* from now on looking ends the path */
int ssbf_looking_matters(void); /* states are compared in this process, and a path is running */
/* Have ours called in place of a method, or of a slot. -1: it is not there, or called in another way. */
int ssbf_replace(PyMethodDef *method, int flags, PyCFunction *original, PyCFunction ours);
PyMethodDef *ssbf_method_of(PyTypeObject *type, const char *name);
void ssbf_replace_wrapper(PyTypeObject *type, const char *name, void *original, void *ours);
int ssbf_look_calls_on(PyCFunction function); /* one of ours that runs other code: C in between may hold something */
int ssbf_hash_uses_address(PyObject *o, int depth);
int ssbf_observe_texts(void);       /* observe_text.c; -1: looks may go unnoticed */
void ssbf_observe_text_of(PyTypeObject *type); /* its repr, after that */
int ssbf_texts_are_missed(void);
int ssbf_observe_contexts(void);    /* observe_context.c, likewise */
int ssbf_hash_is_python(PyTypeObject *t); /* __hash__ is Python code: what that looks at is noticed */

/* ---- observe_sets.c ----------------------------------------------------------------------------- */

int ssbf_observe_sets(void); /* after ssb_sets_install; -1: walks may go unnoticed */
void ssbf_watch_sets_of(PyTypeObject *t);
int ssbf_set_look_calls_on(PyCFunction function);
int ssbf_set_uses_addresses(PySetObject *s);
uint64_t ssbf_set_table(PySetObject *s); /* hash of everything that decides its order */
/* Call `look` also where C reads a set without asking for an iterator; it says whether in its chosen order. 0, or -1: not possible. */
int ssbf_watch_entries(int (*look)(PyObject *set));

/* ---- observe_library.c: who looks without consequence ----------------------------------------- */

void ssbf_find_library(void);           /* runs Python code */
int ssbf_may_walk_sets(PyCodeObject *code);
int ssbf_order_is_irrelevant(PyObject *set); /* to the code that runs, which asks for it */
int ssbf_addresses_are_forgotten(void);
int ssbf_text_is_dropped(void);
int ssbf_describes_a_failure(void);

#endif
#endif
