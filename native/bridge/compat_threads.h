/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ compat_threads.h — what the runtime must know of one CPython version.      │
 * │                                                                            │
 * │ Layouts of the primitives that threads wait for, and a walk over the       │
 * │ running Python frames that allocates nothing. The layouts are checked      │
 * │ against the primitives' own methods when they are taken over.              │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSB_COMPAT_THREADS_H
#define SSB_COMPAT_THREADS_H

#include "bridge.h"

#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#endif
#include "internal/pycore_frame.h"
#include "internal/pycore_code.h"
#if PY_VERSION_HEX >= 0x030E0000
#include "internal/pycore_interpframe.h"
#endif

#include "compat_locks.h"

#if PY_VERSION_HEX >= 0x03100000
#error "compat_threads.h describes CPython 3.11 to 3.15"
#endif

#if PY_VERSION_HEX >= 0x030D0000
typedef struct ssb_simplequeue_layout {
    PyObject_HEAD
    bool has_threads_waiting;
    Py_ssize_t put_index, get_index;
    PyObject **items;
    Py_ssize_t capacity, n_items;
} ssb_simplequeue_layout;
static inline int ssb_simplequeue_layout_empty(const ssb_simplequeue_layout *q) { return q->n_items == 0; }
#else
typedef struct ssb_simplequeue_layout {
    PyObject_HEAD
    void *lock;
    int locked;
    PyObject *list;
    Py_ssize_t position;
} ssb_simplequeue_layout;
static inline int ssb_simplequeue_layout_empty(const ssb_simplequeue_layout *q)
{
    return q->position == PyList_GET_SIZE(q->list);
}
#endif

/* What _thread does with an exception that leaves the function of a thread. */
/* The one whose code runs; NULL if none does. */
static inline PyInterpreterState *ssb_running_interpreter(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    const PyThreadState *tstate = PyThreadState_GetUnchecked();
#else
    const PyThreadState *tstate = _PyThreadState_UncheckedGet();
#endif
    return tstate != NULL ? tstate->interp : NULL;
}

static inline void ssb_report_lost_exception(PyObject *function)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyErr_FormatUnraisable("Exception ignored in thread started by %R", function);
#else
    _PyErr_WriteUnraisableMsg("in thread started by", function);
#endif
}

/* -- the thread state of a thread that begins, without the GIL, and that of one that is over ------ */

#if PY_VERSION_HEX >= 0x030E0000
#define SSB_LEAST_PROTECTED_STACK ((uintptr_t)512 << 10)

/* A thread state knows the stack that it runs on. On any other, no object with a finalizer dies: that waits until less of the
 * stack is in use, for ever. */
static inline void ssb_thread_state_moved(PyThreadState *tstate, uintptr_t stack_lo, uintptr_t stack_hi)
{
    if (stack_hi - stack_lo >= SSB_LEAST_PROTECTED_STACK)
        (void)PyUnstable_ThreadState_SetStackProtection(tstate, (void *)stack_lo, stack_hi - stack_lo);
}
static inline void ssb_thread_state_moved_back(PyThreadState *tstate) { PyUnstable_ThreadState_ResetStackProtection(tstate); }

/* Told about its stack, it does not ask the C library, which allocates memory for the answer. */
static inline PyThreadState *ssb_thread_state_begin(uintptr_t stack_lo, uintptr_t stack_hi)
{
    PyThreadState *tstate = PyThreadState_New(PyInterpreterState_Main());
    if (tstate == NULL)
        Py_FatalError("pytest-statespace: no memory for a thread state");
    ssb_thread_state_moved(tstate, stack_lo, stack_hi);
    PyEval_AcquireThread(tstate);
    return tstate;
}
static inline void ssb_thread_state_end(PyThreadState *tstate)
{
    PyThreadState_Clear(tstate);
    PyThreadState_DeleteCurrent();
}
#else
static inline void ssb_thread_state_moved(PyThreadState *Py_UNUSED(tstate), uintptr_t Py_UNUSED(lo), uintptr_t Py_UNUSED(hi)) {}
static inline void ssb_thread_state_moved_back(PyThreadState *Py_UNUSED(tstate)) {}
static inline PyThreadState *ssb_thread_state_begin(uintptr_t Py_UNUSED(stack_lo), uintptr_t Py_UNUSED(stack_hi))
{
    PyGILState_Ensure();
    return PyThreadState_Get();
}
static inline void ssb_thread_state_end(PyThreadState *Py_UNUSED(tstate)) { PyGILState_Release(PyGILState_UNLOCKED); }
#endif

/* -- frames of Python functions, innermost first; what the interpreter puts between them is left out -- */

typedef struct _PyInterpreterFrame ssb_frame;

static inline ssb_frame *ssb_frame_real(ssb_frame *frame)
{
#if PY_VERSION_HEX >= 0x030E0000
    while (frame != NULL && (frame->owner >= FRAME_OWNED_BY_INTERPRETER ||
                             ((PyCodeObject *)PyStackRef_AsPyObjectBorrow(frame->f_executable))->co_flags & CO_NO_MONITORING_EVENTS))
        frame = frame->previous;
#elif PY_VERSION_HEX >= 0x030D0000
    /* Only the code of frames below an __init__ (compat_preempt.h: shims) has the flag. */
    while (frame != NULL && (frame->owner == FRAME_OWNED_BY_CSTACK ||
                             ((PyCodeObject *)frame->f_executable)->co_flags & CO_NO_MONITORING_EVENTS))
        frame = frame->previous;
#elif PY_VERSION_HEX >= 0x030C0000
    while (frame != NULL && frame->owner == FRAME_OWNED_BY_CSTACK)
        frame = frame->previous;
#endif
    return frame;
}

static inline ssb_frame *ssb_frame_top(PyThreadState *tstate)
{
#if PY_VERSION_HEX >= 0x030D0000
    return ssb_frame_real(tstate->current_frame);
#else
    return ssb_frame_real(tstate->cframe->current_frame);
#endif
}

static inline ssb_frame *ssb_frame_back(ssb_frame *frame) { return ssb_frame_real(frame->previous); }

static inline PyCodeObject *ssb_frame_code(ssb_frame *frame)
{
#if PY_VERSION_HEX >= 0x030E0000
    return (PyCodeObject *)PyStackRef_AsPyObjectBorrow(frame->f_executable);
#elif PY_VERSION_HEX >= 0x030D0000
    return (PyCodeObject *)frame->f_executable;
#else
    return frame->f_code;
#endif
}

/* Byte offset of the instruction being executed. */
static inline int ssb_frame_offset(ssb_frame *frame)
{
#if PY_VERSION_HEX >= 0x030D0000
    return (int)((const char *)frame->instr_ptr - (const char *)_PyCode_CODE(ssb_frame_code(frame)));
#else
    return (int)((const char *)frame->prev_instr - (const char *)_PyCode_CODE(ssb_frame_code(frame)));
#endif
}

static inline int ssb_frame_line(ssb_frame *frame) { return PyCode_Addr2Line(ssb_frame_code(frame), ssb_frame_offset(frame)); }

#endif
