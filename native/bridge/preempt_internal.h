/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ preempt_internal.h — shared by the files of preemption.                    │
 * │                                                                            │
 * │ preempt.c          the trace hook, installation                            │
 * │ preempt_tables.c   code objects and name sets, in scratch memory           │
 * │ preempt_examine.c  does this instruction need a choice point now?          │
 * │ preempt_calls.c    the same for calls                                      │
 * │ preempt_places.c   which data an instruction touches, for data races       │
 * │ preempt_opaque.c   C code that calls back into traced code                 │
 * │ preempt_values.c   what a value on the stack can be reached by, changed by │
 * │ preempt_gil.c      where an interpreter with a GIL switches threads        │
 * │                                                                            │
 * │ Everything that examines only reads: no attribute lookup that runs code,   │
 * │ no allocation. "Traced" code is code under test.                           │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSB_PREEMPT_INTERNAL_H
#define SSB_PREEMPT_INTERNAL_H

#include "compat_preempt.h" /* first: it decides how Python.h is read */

#include "bridge.h"

/* The numbers of runtime/classify.py: Check. */
enum ssbp_check {
    SSBP_NONE = 0,
    SSBP_ALWAYS,
    SSBP_GLOBAL_READ,
    SSBP_GLOBAL_WRITE,
    SSBP_NAME_WRITE,
    SSBP_CELL_READ,
    SSBP_CELL_WRITE,
    SSBP_CELL_CONSTANT,
    SSBP_RELEASE,
    SSBP_LEAVE,
    SSBP_ATTRIBUTE_READ,
    SSBP_ATTRIBUTE_WRITE,
    SSBP_ITEM_READ,
    SSBP_ITEM_WRITE,
    SSBP_CONTAINS,
    SSBP_OPERANDS,
    SSBP_COMPARE,
    SSBP_TRUTH,
    SSBP_ITERATE,
    SSBP_NEXT,
    SSBP_SOURCE,
    SSBP_CALL,
    SSBP_CALL_KEYWORDS,
    SSBP_CALL_UNPACKED,
    SSBP_ENTER,
    SSBP_EXIT,
    SSBP_DISCARD,
    SSBP_N_CHECKS,
};
enum { /* flags */
    SSBP_DELETE = 1,
    SSBP_CALLS = 2,
    SSBP_SWITCH_AFTER = 4, /* the rest: preempt_gil.c */
    SSBP_SWITCH_JUMP = 8,
    SSBP_SILENT = 16,       /* RESUME without a check */
    SSBP_FOLLOWS_CALL = 32, /* the instruction before it is one with SSBP_SWITCH_AFTER */
    SSBP_LOOP_HEAD = 64,    /* target of one with SSBP_SWITCH_JUMP */
};
enum { SSBP_READ = 1, SSBP_WRITE = 2, SSBP_BOTH = 3 };

/* One code unit, as classify.py packs it. */
typedef struct ssbp_record {
    uint8_t check, flags;
    int16_t operand, height;
} ssbp_record;

typedef struct ssbp_code {
    const PyCodeObject *code;
    const ssbp_record *records; /* NULL: not traced */
    uint32_t units;
    uint64_t label; /* hash of the qualified name */
} ssbp_code;

/* A traced frame at an instruction that is about to be executed. */
typedef struct ssbp_view {
    ssbp_frame *frame;
    PyCodeObject *code;
    const ssbp_code *entry;
    const ssbp_record *record;
    const ssbp_slot *top; /* one above the topmost value; NULL: height unknown */
} ssbp_view;
#define SSBP_PEEK(view, i) ssbp_value((view)->top[-1 - (i)])

/* What the choice point is about. All references borrowed. */
typedef struct ssbp_access {
    PyObject *object; /* NULL: unknown, so everything */
    PyObject *name;   /* attribute, variable or key; NULL if none */
    PyObject *value;  /* what is written, or about to be read when that is known without running code */
    uint32_t part;
    uint8_t access;
    uint8_t operation;
    ssb_place place; /* the same for data races: known also where `object` can't be relied on to say what commutes */
} ssbp_access;

/* Read-only after installation; the tables it points to are scratch memory. */
typedef struct ssbp_state {
    PyObject *tables;       /* keeps everything below alive */
    PyObject *classify;     /* callable(code, globals) -> bytes or None */
    PyObject *stored_names; /* frozenset */
    PyObject *rebound;      /* frozenset */
    int locality;           /* may "held by this thread's frames only" be concluded from reference counts? */
    int slots_stored;       /* special methods are rebound, so type slots are shared data */
    int classes_stored;     /* instances get another class, classes other bases */
    int functions_stored;   /* functions get other code or defaults */
    int aliased;            /* instance dictionaries are used directly: objects do not identify locations */
} ssbp_state;
extern ssbp_state ssbp;

/* Interned names the checks look up. */
enum ssbp_name {
    SSBP_NAME_INIT,
    SSBP_NAME_NEW,
    SSBP_NAME_CALL,
    SSBP_NAME_GETITEM,
    SSBP_NAME_SETITEM,
    SSBP_NAME_DELITEM,
    SSBP_NAME_CONTAINS,
    SSBP_NAME_BOOL,
    SSBP_NAME_LEN,
    SSBP_NAME_ITER,
    SSBP_NAME_NEXT,
    SSBP_NAME_ENTER,
    SSBP_NAME_FUNC,
    SSBP_NAME_MODULE_NAME,
    SSBP_NAME_DEL,
    SSBP_NAME_BUILTINS,
    SSBP_N_NAMES,
};
extern PyObject *ssbp_names[SSBP_N_NAMES];

/* -- preempt_tables.c ------------------------------------------------------------- */
/* Build everything from the Python tables. 0, or -1 with an exception. */
int ssbp_tables_install(PyObject *tables);
/* The entry of a code object (records == NULL if not traced). NULL with an exception.
 * Asks `classify` about code that was never seen. */
const ssbp_code *ssbp_find_code(PyCodeObject *code, PyObject *globals);
/* Sets of objects by identity; names must be interned. */
enum ssbp_set {
    SSBP_SET_STORED, /* attribute names stored somewhere in traced code */
    SSBP_SET_REBOUND,
    SSBP_SET_PLAIN,      /* callables that never need a choice point of their own */
    SSBP_SET_PURE,       /* callables that touch nothing but their arguments */
    SSBP_SET_READERS,    /* functions of plain modules that read shared data first thing */
    SSBP_SET_CLASSES,    /* classes under test */
    SSBP_SET_NAMESPACES, /* dictionaries of modules */
    SSBP_SET_OWN,        /* code of library functions that touch nothing of anybody else's: preempt_footprint.c */
    SSBP_SET_SELF,       /* ... the object whose method they are */
    SSBP_SET_REGISTRY,   /* ... which threads there are */
    SSBP_SET_CALLING,    /* ... of one of these sets as well: it calls what its user gave it */
    SSBP_N_SETS,
};
int ssbp_set_contains(enum ssbp_set set, const void *object);
/* Is the function's module one whose functions begin with visible operations or are none of the program's business? */
int ssbp_module_is_plain(PyObject *globals);

/* -- preempt_gil.c ---------------------------------------------------------------- */
extern int ssbp_tracks_switches; /* the functions below are called only if this is set */
/* Mark in the records where the interpreter may switch. */
void ssbp_gil_mark(PyCodeObject *code, ssbp_record *records);
/* May it switch anywhere in the code but at its beginning? */
int ssbp_gil_switches_inside(PyCodeObject *code);
/* A frame begins or goes on; a frame is left; a traced frame is about to execute an instruction. */
void ssbp_gil_enter(const ssbp_frame *frame, PyCodeObject *code, const ssbp_code *entry);
void ssbp_gil_leave(const ssbp_frame *frame, PyCodeObject *code, const ssbp_code *entry);
void ssbp_gil_before(const ssbp_frame *frame, int unit, const ssbp_record *record);
/* The instruction that is about to be executed needs a choice point. */
void ssbp_gil_access(const ssbp_view *view);

/* -- preempt_values.c --------------------------------------------------------------- */
/* Nothing another thread does can change what an operation on the value gives. */
int ssbp_is_harmless(PyObject *value);
/* No other thread can reach the object: all references to it are in this thread's frames.
 * extra: further references known to be this thread's. */
int ssbp_is_local(const ssbp_view *view, PyObject *value, Py_ssize_t extra);
/* Does anybody but the object hold the dictionary of its attributes? */
int ssbp_dict_is_shared(PyObject *owner);
/* Exact builtin container whose operations run no other code. */
int ssbp_is_container(PyObject *value);
/* Harmless, or a local container of harmless things. */
int ssbp_is_quiet(const ssbp_view *view, PyObject *value);
/* The method a type's instances find under a special name is a traced function. */
int ssbp_special_is_traced(PyObject *value, enum ssbp_name name);
int ssbp_compares_by_identity(PyObject *value);
/* This reference is the last one, and others can tell: by a weak reference, or because a buffer is no longer in use. */
int ssbp_dies_visibly(PyObject *value);
/* Of a name, or an exact int. Stable over processes; 0 stands for the whole object and is never returned. */
uint32_t ssbp_part(PyObject *name);
/* Is there an entry for an exact int or str? -1: can't be told without running code, or would take long. */
int ssbp_dict_has(PyObject *dict, PyObject *key);
int ssbp_others_alive(void);

/* -- preempt_places.c ------------------------------------------------------------------ */
/* Note what is accessed; the kind says which of the arguments count. */
void ssbp_place(ssbp_access *out, enum ssb_place_kind kind, PyObject *object, PyObject *part, int access);
/* The item under a key, or the whole container where that can't be told. */
void ssbp_place_item(ssbp_access *out, const ssbp_view *view, PyObject *container, PyObject *key, int access, int deletes);
/* What a method of a builtin container touches; arguments without self. */
void ssbp_place_method(ssbp_access *out, const ssbp_view *view, const char *name, PyObject *self, PyObject *const *args,
                       Py_ssize_t n, int access);
/* What next() of an iterator touches. */
void ssbp_place_index(ssbp_access *out, PyObject *sequence, Py_ssize_t index, int access);
void ssbp_place_next(ssbp_access *out, const ssbp_view *view, PyObject *iterator);
/* A class attribute: in the class whose own it is. */
void ssbp_place_of_class(ssbp_access *out, PyTypeObject *owner, PyObject *name, int access);
/* Do two keys stand for the same entry? Runs no Python code; 1 if that can't be told. */
int ssbp_same_key(PyObject *a, PyObject *b);

/* -- preempt_opaque.c ----------------------------------------------------------------- */
/* The current thread is about to perform an operation on shared data that may call back. */
void ssbp_opaque_push(const ssbp_frame *frame, int unit);
/* Is the frame that begins (or goes on: generators) called from inside one? -1: exception. */
int ssbp_opaque_entered(const ssbp_frame *frame);

/* -- preempt_footprint.c (only with ssb.footprints) ------------------------------------- */
int ssbp_footprint_prepare(void);
/* A frame begins or is left, by return or exception. 0, or -1 with an exception. */
int ssbp_footprint_enter(ssbp_frame *frame, PyCodeObject *code, int traced);
int ssbp_footprint_leave(ssbp_frame *frame);
/* The thread has been chosen and is about to access an item: is it still only a part of the container? */
void ssbp_footprint_item(const ssbp_view *view, const ssbp_access *access);

/* -- preempt_calls.c ------------------------------------------------------------------ */
/* Does calling `callable` need a choice point? positional arguments only; named: more values, borrowed, or NULL. */
int ssbp_call_examine(const ssbp_view *view, PyObject *callable, PyObject *const *args, Py_ssize_t n, PyObject *named,
                      ssbp_access *out);
int ssbp_function_needs(PyObject *function);
int ssbp_is_namespace(PyObject *dict); /* of global variables */

/* Choice points depend on operands and on assumptions of the tables. */
static inline int ssbp_examines(void) { return ssb.granularity == SSB_ACCESS || ssb.granularity == SSB_GIL; }

/* -- preempt_examine.c ------------------------------------------------------------------ */
/* 1: a choice point is needed before the instruction, *out says about what. 0: none. -1: exception. */
int ssbp_examine(const ssbp_view *view, ssbp_access *out);
/* Does it matter to other threads that an assumption is broken? */
int ssbp_breaks_for_others(void);
/* The container is about to be changed. From 3.13 on a frame's f_locals is no copy: local variables would be changed where nobody
 * makes choice points. */
void ssbp_refuse_frame_locals(PyObject *container);
/* An assumption of the tables is broken while other threads run: the search starts again without it, as soon as library
 * code has returned or there is a choice point (ssb_end_if_broken). */
void ssbp_restart(const char *kind, PyObject *scope, PyObject *name);
/* Is `name` an attribute of `owner` whose store breaks an assumption? Then restart. */
void ssbp_check_attribute_store(PyObject *owner, PyObject *name);
void ssbp_check_global_store(PyObject *name);

#endif
