/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ preempt_footprint.c — what code without choice points touches.             │
 * │                                                                            │
 * │ For footprint.c. Library code runs inside transitions of the code under    │
 * │ test. What some functions of threading and queue touch is known (dependence│
 * │ tables of runtime/footprints.py): nothing of anybody else's, the object    │
 * │ whose method they are, or the registry of threads. All other library code  │
 * │ touches everything: when it is entered, when its caller's transition goes  │
 * │ on inside it, when code under test returns to it. So do finalizers, the    │
 * │ callbacks of weak references and generators that C resumes, because which  │
 * │ transition runs them depends on who drops the last reference.              │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "preempt_internal.h"

#include "footprint.h"
#include "runtime.h"

#include <string.h>

/* Private attributes in which a method's object keeps a container, or what it calls. */
enum { WAITERS, QUEUE, N_CONTAINERS, TARGET = N_CONTAINERS, ACTION, FUNC, CALL, N_NAMES };
static PyObject *names[N_NAMES];

int ssbp_footprint_prepare(void)
{
    static const char *const texts[N_NAMES] = {"_waiters", "queue", "_target", "_action", "func", "__call__"};
    for (int i = 0; i < N_NAMES; i++)
        if ((names[i] = PyUnicode_InternFromString(texts[i])) == NULL)
            return -1;
    return 0;
}

/* New reference or NULL. */
static PyObject *attribute(PyObject *object, PyObject *name)
{
    PyObject *value = Py_TYPE(object)->tp_getattro == PyObject_GenericGetAttr ? PyObject_GenericGetAttr(object, name) : NULL;
    PyErr_Clear();
    return value;
}

/* Does calling it begin with a frame of Python code, so that what it touches is noted there? C code has no frames. */
static int is_python(PyObject *callable)
{
    if (PyFunction_Check(callable) || callable == Py_None)
        return 1;
    if (PyMethod_Check(callable))
        return PyFunction_Check(PyMethod_GET_FUNCTION(callable));
    if (strcmp(Py_TYPE(callable)->tp_name, "functools.partial") == 0) {
        PyObject *inner = attribute(callable, names[FUNC]);
        int python = inner != NULL && inner != callable && is_python(inner);
        Py_XDECREF(inner);
        return python;
    }
    PyObject *method = _PyType_Lookup(Py_TYPE(callable), names[CALL]);
    return method != NULL && PyFunction_Check(method);
}

/* Functions that call what their user gave them: is that Python code? */
static int calls_python(ssbp_frame *frame, PyCodeObject *code)
{
    PyObject *self = code->co_argcount >= 1 ? ssbp_local(frame, 0) : NULL;
    PyObject *argument = code->co_argcount >= 2 ? ssbp_local(frame, 1) : NULL;
    if (self == NULL || PyCell_Check(self) || Py_TYPE(self)->tp_getattro != PyObject_GenericGetAttr)
        return 0;
    if (argument != NULL && (PyCell_Check(argument) || !is_python(argument)))
        return 0;
    for (int i = TARGET; i <= ACTION; i++) {
        PyObject *called = attribute(self, names[i]);
        int python = called == NULL || is_python(called);
        Py_XDECREF(called);
        if (!python)
            return 0;
    }
    return 1;
}

static void touch_self(ssbp_frame *frame, PyCodeObject *code)
{
    PyObject *self = code->co_argcount >= 1 && code->co_nlocalsplus >= 1 ? ssbp_local(frame, 0) : NULL;
    if (self == NULL || PyCell_Check(self) || Py_TYPE(self)->tp_getattro != PyObject_GenericGetAttr) {
        ssb_touch_everything();
        return;
    }
    ssb_touch(self, 0, SSBP_BOTH);
    for (int i = 0; i < N_CONTAINERS; i++) {
        PyObject *container = attribute(self, names[i]);
        if (container != NULL && ssbp_is_container(container))
            ssb_touch(container, 0, SSBP_BOTH);
        Py_XDECREF(container);
    }
}

/* Code that is not under test runs, or goes on. */
static void library(ssbp_frame *frame, PyCodeObject *code)
{
    if (ssbp_set_contains(SSBP_SET_CALLING, code) && !calls_python(frame, code)) {
        ssb_touch_everything();
        return;
    }
    if (ssbp_set_contains(SSBP_SET_OWN, code))
        return;
    if (ssbp_set_contains(SSBP_SET_REGISTRY, code))
        ssb_touch(SSB_REGISTRY, 0, SSBP_BOTH);
    else if (ssbp_set_contains(SSBP_SET_SELF, code))
        touch_self(frame, code);
    else
        ssb_touch_everything();
}

/* 1, 0, or -1 with an exception. */
static int is_traced(ssbp_frame *frame, PyCodeObject *code)
{
    const ssbp_code *entry = ssbp_find_code(code, frame->f_globals);
    return entry == NULL ? -1 : entry->records != NULL;
}

void ssbp_footprint_resume(void)
{
    if (!ssb.active)
        return;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    for (ssbp_frame *frame = ssbp_current_frame(); frame != NULL; frame = ssbp_frame_back(frame)) {
        PyCodeObject *code = ssbp_frame_code(frame);
        int traced = is_traced(frame, code);
        if (traced > 0)
            break;
        if (traced < 0) {
            PyErr_Clear();
            ssb_touch_everything();
        }
        library(frame, code);
    }
    PyErr_Restore(type, value, traceback);
}

/* A key that was to be replaced may have gone: it is new now, and comes last. */
void ssbp_footprint_item(const ssbp_view *view, const ssbp_access *access)
{
    if (view->record->check == SSBP_ITEM_WRITE && PyDict_CheckExact(access->object) &&
        ssbp_dict_has(access->object, access->name) != 1)
        ssb_touch(access->object, 0, SSBP_WRITE);
}

/* Does the interpreter itself call it, because a reference has gone? */
static int may_finalize(ssbp_frame *frame, PyCodeObject *code)
{
    if (!ssbp_frame_entered_from_c(frame))
        return 0;
    if (code->co_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR))
        return PyBytes_GET_SIZE(code->co_exceptiontable) != 0; /* nothing else happens when it is closed */
    PyObject *first = code->co_argcount >= 1 ? ssbp_local(frame, 0) : NULL;
    if (first == NULL || PyWeakref_Check(first))
        return first != NULL;
    PyObject *finalizer = _PyType_Lookup(Py_TYPE(first), ssbp_names[SSBP_NAME_DEL]);
    return finalizer != NULL && (!PyFunction_Check(finalizer) || PyFunction_GET_CODE(finalizer) == (PyObject *)code);
}

int ssbp_footprint_enter(ssbp_frame *frame, PyCodeObject *code, int traced)
{
    if (!traced) {
        library(frame, code);
        return 0;
    }
    if (may_finalize(frame, code))
        ssb_touch_everything();
    ssbp_frame *caller = ssbp_frame_back(frame);
    PyCodeObject *caller_code = caller != NULL ? ssbp_frame_code(caller) : NULL;
    int from_traced = caller_code != NULL ? is_traced(caller, caller_code) : 1;
    if (from_traced < 0)
        return -1;
    if (!from_traced) /* it has gone on before it called */
        library(caller, caller_code);
    return 0;
}

int ssbp_footprint_leave(ssbp_frame *frame)
{
    ssbp_frame *caller = ssbp_frame_back(frame);
    PyCodeObject *caller_code = caller != NULL ? ssbp_frame_code(caller) : NULL;
    if (caller_code == NULL)
        return 0;
    int to_traced = is_traced(caller, caller_code);
    if (to_traced < 0)
        return -1;
    if (!to_traced)
        library(caller, caller_code);
    else if (ssbp_frame_entered_from_c(frame) && ssbp_opaque_entered(frame) != 0) /* C code goes on with shared data */
        ssb_touch_everything();
    return PyErr_Occurred() ? -1 : 0;
}
