/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ compat_preempt.h — what preemption needs to know about frames, per version.│
 * │                                                                            │
 * │ Read-only views of interpreter frames and how to ask for events of one     │
 * │ frame. 3.11 keeps the value stack's height in the frame while a tracer     │
 * │ runs; later versions do not, there it comes from the static tables.        │
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

#if PY_VERSION_HEX < 0x030B0000 || PY_VERSION_HEX >= 0x030E0000
#error "preemption is written for CPython 3.11 to 3.13"
#endif

typedef struct _PyInterpreterFrame ssbp_frame;

/* 3.13 calls a class from Python code without C in between, once the call is specialised. Then the frame of __init__ lies
 * on one that only looks at what it returns. It holds the new object; its globals were never set: whatever lay there. */
static inline int ssbp_frame_is_shim(const ssbp_frame *frame)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyObject *code = frame->f_executable;
    return frame->owner == FRAME_OWNED_BY_THREAD && PyCode_Check(code) && ((PyCodeObject *)code)->co_flags & CO_NO_MONITORING_EVENTS;
#else
    (void)frame;
    return 0;
#endif
}

/* NULL for the frames that are no Python function's: those 3.12+ puts between Python code and C, and shims. */
static inline PyCodeObject *ssbp_frame_code(const ssbp_frame *frame)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyObject *code = frame->f_executable;
#else
    PyObject *code = (PyObject *)frame->f_code;
#endif
#if PY_VERSION_HEX >= 0x030C0000
    if (frame->owner == FRAME_OWNED_BY_CSTACK || ssbp_frame_is_shim(frame))
        return NULL;
#endif
    return code != NULL && PyCode_Check(code) ? (PyCodeObject *)code : NULL;
}

static inline PyObject *ssbp_frame_function(const ssbp_frame *frame)
{
#if PY_VERSION_HEX >= 0x030C0000
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
    return frame->previous != NULL && frame->previous->owner == FRAME_OWNED_BY_CSTACK;
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

/* Ask for events of one frame: per instruction or per line. 0, or -1 with an exception. */
static inline int ssbp_frame_request(PyFrameObject *frame, int opcodes, int lines)
{
    frame->f_trace_lines = (char)lines;
#if PY_VERSION_HEX >= 0x030D0000
    if (opcodes) { /* the setter instruments the code object, but only of a frame that has a tracer of its own */
        Py_XSETREF(frame->f_trace, Py_NewRef(Py_None));
        return PyObject_SetAttrString((PyObject *)frame, "f_trace_opcodes", Py_True);
    }
#endif
    frame->f_trace_opcodes = (char)opcodes;
    return 0;
}

/* Before the first PyEval_SetTrace: 3.12 instruments instructions only if told so. */
static inline void ssbp_interpreter_request(int opcodes)
{
#if PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030D0000
    if (opcodes)
        PyInterpreterState_Get()->f_opcode_trace_set = true;
#else
    (void)opcodes;
#endif
}

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

/* listobject.c; the same in all three versions. */
typedef struct ssbp_list_iterator {
    PyObject_HEAD
    Py_ssize_t index;
    PyObject *list; /* NULL at the end */
} ssbp_list_iterator;

/* The value stack is valid up to here; NULL if the version does not know now. */
static inline PyObject **ssbp_frame_top(ssbp_frame *frame)
{
    return frame->stacktop >= 0 ? frame->localsplus + frame->stacktop : NULL;
}

#endif
