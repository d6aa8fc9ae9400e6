/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ compat_preempt.h — what preemption needs to know about frames, per version.│
 * │                                                                            │
 * │ Read-only views of interpreter frames. 3.11 keeps the value stack's height │
 * │ in the frame while a tracer runs; later versions do not, there it comes    │
 * │ from the static tables. compat_events.h asks for events.                   │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSB_COMPAT_PREEMPT_H
#define SSB_COMPAT_PREEMPT_H

#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#endif
#include <Python.h>
#include "internal/pycore_code.h"
#include "internal/pycore_frame.h"
#include "internal/pycore_interp.h"
#if PY_VERSION_HEX >= 0x030E0000
#include "internal/pycore_genobject.h"
#include "internal/pycore_interpframe.h"
#include "internal/pycore_stackref.h"
#endif

#if PY_VERSION_HEX < 0x030B0000 || PY_VERSION_HEX >= 0x03100000
#error "preemption is written for CPython 3.11 to 3.15"
#endif

typedef struct _PyInterpreterFrame ssbp_frame;

/* A slot of a frame: a local variable or an entry of the value stack. From 3.14 on the lowest bits say whether it owns a
 * reference. It does not where a local variable of the same frame, or of a calling one, does (or where the object never dies);
 * and it may be an integer that is no object, which nothing that is examined looks at. */
#if PY_VERSION_HEX >= 0x030E0000
typedef _PyStackRef ssbp_slot;
static inline PyObject *ssbp_value(ssbp_slot slot)
{
    return PyStackRef_IsNullOrInt(slot) ? NULL : PyStackRef_AsPyObjectBorrow(slot);
}
static inline int ssbp_owns(ssbp_slot slot) { return PyStackRef_RefcountOnObject(slot); }
#else
typedef PyObject *ssbp_slot;
static inline PyObject *ssbp_value(ssbp_slot slot) { return slot; }
static inline int ssbp_owns(ssbp_slot Py_UNUSED(slot)) { return 1; }
#endif
/* Loops over lists, tuples, strings and bytes have no iterator on 3.15: these lie on the value stack themselves, and the slot
 * above counts. For each other iterator it is empty. */
static inline int ssbp_counts(ssbp_slot slot, Py_ssize_t *n)
{
#if PY_VERSION_HEX >= 0x030F0000
    *n = PyStackRef_IsTaggedInt(slot) ? PyStackRef_UntagInt(slot) : 0;
    return PyStackRef_IsTaggedInt(slot);
#else
    (void)slot;
    *n = 0;
    return 0;
#endif
}
static inline PyObject *ssbp_local(const ssbp_frame *frame, int i) { return ssbp_value(frame->localsplus[i]); }

static inline PyObject *ssbp_frame_executable(const ssbp_frame *frame)
{
#if PY_VERSION_HEX >= 0x030E0000
    return PyStackRef_AsPyObjectBorrow(frame->f_executable);
#elif PY_VERSION_HEX >= 0x030D0000
    return frame->f_executable;
#else
    return (PyObject *)frame->f_code;
#endif
}

/* Put between Python code and C, or between an evaluation loop and the frame that it began with. */
static inline int ssbp_frame_is_entry(const ssbp_frame *frame)
{
#if PY_VERSION_HEX >= 0x030E0000
    return frame->owner >= FRAME_OWNED_BY_INTERPRETER;
#elif PY_VERSION_HEX >= 0x030C0000
    return frame->owner == FRAME_OWNED_BY_CSTACK;
#else
    (void)frame;
    return 0;
#endif
}

/* 3.13 calls a class from Python code without C in between, once the call is specialised. Then the frame of __init__ lies
 * on one that only looks at what it returns. It holds the new object; its globals were never set: whatever lay there. */
static inline int ssbp_frame_is_shim(const ssbp_frame *frame)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyObject *code = ssbp_frame_executable(frame);
    return frame->owner == FRAME_OWNED_BY_THREAD && PyCode_Check(code) && ((PyCodeObject *)code)->co_flags & CO_NO_MONITORING_EVENTS;
#else
    (void)frame;
    return 0;
#endif
}

/* NULL for the frames that are no Python function's: those 3.12+ puts between Python code and C, and shims. */
static inline PyCodeObject *ssbp_frame_code(const ssbp_frame *frame)
{
    PyObject *code = ssbp_frame_executable(frame);
    if (ssbp_frame_is_entry(frame) || ssbp_frame_is_shim(frame))
        return NULL;
    return code != NULL && PyCode_Check(code) ? (PyCodeObject *)code : NULL;
}

static inline PyObject *ssbp_frame_function(const ssbp_frame *frame)
{
#if PY_VERSION_HEX >= 0x030E0000
    return PyStackRef_AsPyObjectBorrow(frame->f_funcobj);
#elif PY_VERSION_HEX >= 0x030C0000
    return frame->f_funcobj;
#else
    return (PyObject *)frame->f_func;
#endif
}

/* Index of the code unit that is executed, or is about to be in a tracer. */
static inline int ssbp_frame_unit(const ssbp_frame *frame, const PyCodeObject *code)
{
#if PY_VERSION_HEX >= 0x030D0000
    return (int)(frame->instr_ptr - (const _Py_CODEUNIT *)code->co_code_adaptive);
#else
    return (int)(frame->prev_instr - (const _Py_CODEUNIT *)code->co_code_adaptive);
#endif
}

/* The frame was entered from C: between it and its caller lies a C call. */
static inline int ssbp_frame_entered_from_c(const ssbp_frame *frame)
{
#if PY_VERSION_HEX >= 0x030C0000
    return frame->previous != NULL && ssbp_frame_is_entry(frame->previous);
#else
    return frame->is_entry;
#endif
}

/* The innermost frame of the current thread that has code, or NULL. */
static inline ssbp_frame *ssbp_current_frame(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    ssbp_frame *frame = PyThreadState_Get()->current_frame;
#else
    ssbp_frame *frame = PyThreadState_Get()->cframe->current_frame;
#endif
    while (frame != NULL && ssbp_frame_code(frame) == NULL)
        frame = frame->previous;
    return frame;
}

/* The calling frame that has code, or NULL. */
static inline ssbp_frame *ssbp_frame_back(const ssbp_frame *frame)
{
    ssbp_frame *back = frame->previous;
    while (back != NULL && ssbp_frame_code(back) == NULL)
        back = back->previous;
    return back;
}

/* Index of `callable or NULL` and `self or callable` below n arguments differ. */
#if PY_VERSION_HEX >= 0x030D0000
#define SSBP_CALLABLE_FIRST 1 /* callable, self or NULL, arguments */
#else
#define SSBP_CALLABLE_FIRST 0 /* method or NULL, self or callable, arguments */
#endif

/* Is there a place for self behind what WITH_EXCEPT_START calls? It may be empty. */
#define SSBP_EXIT_HAS_SELF (PY_VERSION_HEX >= 0x030E0000)

static inline Py_ssize_t ssbp_code_extra_index(freefunc release)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyUnstable_Eval_RequestCodeExtraIndex(release);
#else
    return _PyEval_RequestCodeExtraIndex(release);
#endif
}

static inline void *ssbp_code_extra(PyCodeObject *code, Py_ssize_t index)
{
    void *extra = NULL;
#if PY_VERSION_HEX >= 0x030C0000
    if (PyUnstable_Code_GetExtra((PyObject *)code, index, &extra) < 0)
#else
    if (_PyCode_GetExtra((PyObject *)code, index, &extra) < 0)
#endif
        PyErr_Clear();
    return extra;
}

static inline int ssbp_set_code_extra(PyCodeObject *code, Py_ssize_t index, void *extra)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyUnstable_Code_SetExtra((PyObject *)code, index, extra);
#else
    return _PyCode_SetExtra((PyObject *)code, index, extra);
#endif
}

/* listobject.c; the same in all versions. */
typedef struct ssbp_list_iterator {
    PyObject_HEAD
    Py_ssize_t index;
    PyObject *list; /* NULL at the end */
} ssbp_list_iterator;

/* The value stack of the frame that is traced is valid up to here; NULL if the version does not know now. */
static inline ssbp_slot *ssbp_frame_top(ssbp_frame *frame)
{
#if PY_VERSION_HEX >= 0x030E0000
    return frame->stackpointer; /* written before anything is called */
#else
    return frame->stacktop >= 0 ? frame->localsplus + frame->stacktop : NULL;
#endif
}

/* The same for a frame that has called another one, or C. NULL: unknown, or some slots may have been given away. */
static inline const ssbp_slot *ssbp_caller_top(ssbp_frame *frame)
{
    return PY_VERSION_HEX < 0x030E0000 || ssbp_frame_is_shim(frame) ? ssbp_frame_top(frame) : NULL;
}

static inline ssbp_frame *ssbp_generator_frame(PyObject *generator)
{
#if PY_VERSION_HEX >= 0x030E0000
    return &((PyGenObject *)generator)->gi_iframe;
#else
    return (ssbp_frame *)((PyGenObject *)generator)->gi_iframe;
#endif
}

static inline int ssbp_generator_is_finished(PyObject *generator)
{
#if PY_VERSION_HEX >= 0x030F0000
    return FRAME_STATE_FINISHED(((PyGenObject *)generator)->gi_frame_state);
#else
    return ((PyGenObject *)generator)->gi_frame_state >= FRAME_COMPLETED;
#endif
}

#endif
