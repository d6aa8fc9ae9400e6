/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ runtime.h — private to the files that simulate threads, locks and time.    │
 * │                                                                            │
 * │ bridge.h is what all parts of the bridge share; this is the rest that the  │
 * │ runtime's own files need of each other.                                    │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSB_RUNTIME_H
#define SSB_RUNTIME_H

#include "bridge.h"

/* -- take_over.c: our code behind existing methods and functions ----------------- */

typedef struct ssb_hook ssb_hook;
/* Every hook is written once, in this form, whatever the calling convention of
 * the entry it replaces. kwnames: tuple of str or NULL; their values follow args. */
typedef PyObject *(*ssb_hook_function)(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                       PyObject *kwnames);

struct ssb_hook {
    const char *name;
    int optional; /* absent in some versions */
    PyCFunction varargs, varargs_keywords, no_arguments, one_argument, fast, fast_keywords, method;
    PyMethodDef *taken; /* NULL until taken over */
    PyCFunction original;
    int flags;
    PyTypeObject *owner; /* of a method */
};

PyObject *ssb_hook_from_dict(ssb_hook *hook, ssb_hook_function function, PyObject *self, PyObject *args, PyObject *kwargs);

/* Define the static hook `id` for the entry `name`, implemented by `function`. */
#define SSB_HOOK_(id, entry, function, is_optional)                                                                    \
    static ssb_hook id;                                                                                                \
    static PyObject *id##_varargs(PyObject *self, PyObject *args)                                                      \
    {                                                                                                                  \
        return function(&id, self, ((PyTupleObject *)args)->ob_item, PyTuple_GET_SIZE(args), NULL);                    \
    }                                                                                                                  \
    static PyObject *id##_varargs_keywords(PyObject *self, PyObject *args, PyObject *kwargs)                           \
    {                                                                                                                  \
        return ssb_hook_from_dict(&id, function, self, args, kwargs);                                                  \
    }                                                                                                                  \
    static PyObject *id##_no_arguments(PyObject *self, PyObject *Py_UNUSED(ignored))                                   \
    {                                                                                                                  \
        return function(&id, self, NULL, 0, NULL);                                                                     \
    }                                                                                                                  \
    static PyObject *id##_one_argument(PyObject *self, PyObject *argument)                                             \
    {                                                                                                                  \
        return function(&id, self, &argument, 1, NULL);                                                                \
    }                                                                                                                  \
    static PyObject *id##_fast(PyObject *self, PyObject *const *args, Py_ssize_t nargs)                                \
    {                                                                                                                  \
        return function(&id, self, args, nargs, NULL);                                                                 \
    }                                                                                                                  \
    static PyObject *id##_fast_keywords(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)    \
    {                                                                                                                  \
        return function(&id, self, args, nargs, kwnames);                                                              \
    }                                                                                                                  \
    static PyObject *id##_method(PyObject *self, PyTypeObject *Py_UNUSED(owner), PyObject *const *args,                \
                                 Py_ssize_t nargs, PyObject *kwnames)                                                  \
    {                                                                                                                  \
        return function(&id, self, args, nargs, kwnames);                                                              \
    }                                                                                                                  \
    static ssb_hook id = {                                                                                             \
        .name = entry,                                                                                                 \
        .optional = is_optional,                                                                                       \
        .varargs = id##_varargs,                                                                                       \
        .varargs_keywords = (PyCFunction)(void (*)(void))id##_varargs_keywords,                                        \
        .no_arguments = id##_no_arguments,                                                                             \
        .one_argument = id##_one_argument,                                                                             \
        .fast = (PyCFunction)(void (*)(void))id##_fast,                                                                \
        .fast_keywords = (PyCFunction)(void (*)(void))id##_fast_keywords,                                              \
        .method = (PyCFunction)(void (*)(void))id##_method,                                                            \
    }
#define SSB_HOOK(id, entry, function) SSB_HOOK_(id, entry, function, 0)
#define SSB_HOOK_OPTIONAL(id, entry, function) SSB_HOOK_(id, entry, function, 1)

/* Replace the implementation of a method or of a module's builtin function.
 * 0, or -1 with an exception (a missing entry that is not optional, an unknown convention). */
int ssb_take_over_method(PyTypeObject *type, ssb_hook *hook);
int ssb_take_over_function(PyObject *module, ssb_hook *hook);
/* Call what was there before. New reference or NULL. */
PyObject *ssb_original(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);

/* -- survey.c: functions and classes that exist, found without writing to their memory ------- */

/* (functions for whose code and globals is_traced(code, globals) is true, addresses of the code of all others as packed
 * words, the number under which that code is kept alive or 0, classes whose __module__ is among the modules' names and
 * those of which that can't be told here). New reference or NULL. */
PyObject *ssb_survey(PyObject *is_traced, PyObject *modules, int keep);
/* The same int while sys.modules holds the same objects in the same order with the same __name__ and __file__, if
 * somebody keeps all of these alive. New reference or NULL. */
PyObject *ssb_module_stamp(void);

/* -- keep_code.c: code of functions that a survey came across, kept alive until the next one that keeps any ---- */
uint64_t ssb_keep_begin(void); /* the number of this survey */
int ssb_keep(PyObject *code);  /* -1: no memory */
int ssb_keep_end(void);        /* lets go of what it did not come across; -1: it could not */
uint64_t ssb_kept_for(void);   /* the number of the last one */

/* -- scheduler.c -------------------------------------------------------------------- */

/* The current thread waits inside bookkeeping: no choice point, and it runs first when it can go on. */
int ssb_block_quietly(int operation, PyObject *object, int prefer);
/* The current thread was switched to and has the GIL: what could not be done before. */
void ssb_resumed(void);
/* The current thread is over and holds no GIL: run another one. Does not return. */
void ssb_leave_thread(void) __attribute__((noreturn));
/* A data choice point with n alternatives. */
uint32_t ssb_choose_data(uint32_t n);
/* What its operation acts on, the same number on every path through one state. */
uint64_t ssb_identity_of(const ssb_thread *t);
/* Deadline `ns` from now, saturating. */
int64_t ssb_deadline(int64_t ns);
/* End the path with SS_END_ERROR and a formatted text. */
void ssb_internal_error(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* Append formatted text to a buffer of `bytes` bytes that holds a string. */
void ssb_append(char *text, size_t bytes, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* -- threads.c ------------------------------------------------------------------------ */

int ssb_threads_take_over(PyObject *thread_module);
/* The choice point of a start, then a new simulated thread; references are taken. */
void ssb_start_thread(PyObject *function, PyObject *args, PyObject *kwargs, PyObject *handle);
/* Identity (threading.get_ident) of a simulated thread. */
unsigned long ssb_thread_ident(const ssb_thread *t);
/* The ordinal of the thread whose sentinel lock or handle this is; SS_NONE if it is nobody's. */
uint32_t ssb_thread_of_handle(PyObject *handle);
/* The exception set ends the path: hand it to the Python side. */
void ssb_thread_failed(void) __attribute__((noreturn));
void ssb_set_thread_failed(PyObject *callable);

/* -- thread_handle.c (3.13+; elsewhere it does nothing) ----------------------------- */
int ssb_handles_take_over(PyObject *thread_module);
int ssb_is_handle(PyObject *object); /* a _thread._ThreadHandle */

/* -- locks.c, rlock.c, simplequeue.c ---------------------------------------------------- */
int ssb_locks_take_over(PyObject *thread_module);
int ssb_rlocks_take_over(PyObject *thread_module);
int ssb_simplequeues_take_over(void);
/* Read `blocking=True, timeout=-1`. 1: *blocking and *deadline are set; 0: the
 * original would raise (call it); -1: exception. */
int ssb_parse_wait(const char *first, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames, int none_is_forever,
                   int *blocking, int64_t *deadline);

/* -- held.c: which thread holds which plain lock ------------------------------------------- */
void ssb_held_add(PyObject *lock);
void ssb_held_remove(PyObject *lock);
/* Ordinal of the holder, SS_NONE if the lock is free or was locked before the exploration. */
uint32_t ssb_held_by(PyObject *lock);

/* -- virtual_time.c, randomness.c ---------------------------------------------------------- */
void ssb_time_attach(void); /* in the parent: fixes where the monotonic clocks start */
int ssb_time_take_over(void);
int ssb_randomness_take_over(void);

/* -- bookkeeping.c ---------------------------------------------------------------------------- */
enum ssb_caller {
    SSB_CALLER_ORDINARY = 0,
    SSB_CALLER_BOOK = 1,
    SSB_CALLER_END = 2,
    SSB_CALLER_JOIN = 3,
    SSB_CALLER_HELPER = 4,
    SSB_CALLER_ATOMIC = 5,
    SSB_CALLER_BOOTSTRAP = 6,
    SSB_CALLER_CONDITION_WAIT = 7, /* a helper whose fresh waiter lock is nobody else's */
    SSB_CALLER_IS_OWNED = 8,       /* a helper that asks whether it holds the lock */
};
int ssb_bookkeeping_install(PyObject *codes); /* dict code -> int */
/* Whose operation is it? The class of the first caller that is no helper; *direct is the immediate caller's. */
int ssb_caller_class(int *direct);
/* Choice point before a visible operation that can't wait, unless the caller's class makes none. */
void ssb_step(int operation, PyObject *object, int access);
/* After an operation made directly by Thread._bootstrap_inner: is the new thread about to run user code? */
void ssb_after_release(void);

/* -- invariants.c, recorder.c -------------------------------------------------------------------- */
void ssb_set_invariants(PyObject *list);
void ssb_check_invariants(void);
int ssb_invariants_exist(void);
void ssb_set_recorder(PyObject *recorder_or_none);
/* outcome: "done", "blocked" or "timed out". Does nothing unless recording. */
void ssb_record(int operation, PyObject *object, PyObject *name, int access, PyObject *value, const char *outcome);
/* due: would an interpreter with a GIL have been able to switch threads here? */
void ssb_record_switch(const ss_choice *choice, uint32_t chosen, int due);
void ssb_record_deadlock(void);
PyObject *ssb_thread_table(void);
extern const char *const ssb_operation_names[];
extern const int ssb_n_operations;

/* -- pause: hooks make no choice points, as in recorder and invariant callbacks --------------------- */
void ssb_pause(void);
void ssb_resume(void);
/* In a process that is not explored: no pause is to be ended any more. */
void ssb_forget_pause(void);
int ssb_is_paused(void);
/* Sets RuntimeError: a callback wants to wait for what only a simulated thread can bring. Returns NULL. */
PyObject *ssb_refuse_to_wait(void);
/* Sets RuntimeError: a callback wants to start a thread. Returns NULL. */
PyObject *ssb_refuse_to_start(void);

/* -- explore.c ---------------------------------------------------------------------------------------- */
PyObject *ssb_explore(PyObject *body, PyObject *config);
extern uint64_t *ssb_setup_times; /* in the arena, allocated in the parent */
enum ssb_setup_phase {
    SSB_PHASE_MALLOC = 0,
    SSB_PHASE_DONORS,
    SSB_PHASE_TAKE_OVER,
    SSB_PHASE_HEAP,
    SSB_PHASE_PREEMPT,
    SSB_PHASE_FINGERPRINT_PREPARE,
    SSB_PHASE_FINGERPRINT_FREEZE,
    SSB_N_PHASES,
};
extern const char *const ssb_phase_names[SSB_N_PHASES];

int ssb_attach(unsigned long long table, unsigned long long arena);
PyObject *ssb_fork(void);
/* From now on what this process forks is an ordinary process. 0 or -errno. */
int ssb_let_fork(void);

/* -- code.c: positions ------------------------------------------------------------ */

/* The instruction to which a code unit belongs, -1 before the first. Of a call in progress it is the same however often the
 * code has run: specialised, a frame stands at the end of the instruction's caches or, on 3.11, at the PRECALL. */
int ssb_instruction_at(PyCodeObject *code, int unit);

#endif
