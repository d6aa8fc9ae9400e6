/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ thread_handle.c — joinable thread handles, CPython 3.13 and later.         │
 * │                                                                            │
 * │ threading.Thread makes a _thread._ThreadHandle and gives it to             │
 * │ start_joinable_thread. The handle of a simulated thread is the same object │
 * │ with the methods taken over: it is found by address in the scheduler's     │
 * │ table, which also answers whether the thread is done. Handles made in a    │
 * │ fixture and started in the test therefore work as well.                    │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "runtime.h"

#if PY_VERSION_HEX >= 0x030D0000

#include <math.h>
#include <string.h>

static PyTypeObject *handle_type;
static getter original_ident;

int ssb_is_handle(PyObject *object) { return handle_type != NULL && Py_IS_TYPE(object, handle_type); }

static PyObject *hook_start_joinable(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                     PyObject *kwnames)
{
    PyObject *function = NULL, *handle = NULL;
    int known = nargs <= 3;
    for (Py_ssize_t i = 0; known && i < nargs; i++)
        if (i == 0)
            function = args[i];
        else if (i == 1)
            handle = args[i];
    for (Py_ssize_t i = 0; known && kwnames != NULL && i < PyTuple_GET_SIZE(kwnames); i++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, i);
        if (PyUnicode_CompareWithASCIIString(name, "function") == 0 && function == NULL)
            function = args[nargs + i];
        else if (PyUnicode_CompareWithASCIIString(name, "handle") == 0 && handle == NULL)
            handle = args[nargs + i];
        else
            known = PyUnicode_CompareWithASCIIString(name, "daemon") == 0;
    }
    if (handle == Py_None)
        handle = NULL;
    int valid = known && function != NULL && PyCallable_Check(function) &&
                (handle == NULL || (ssb_is_handle(handle) && ssb_thread_of_handle(handle) == SS_NONE));
    if (valid && ssb_is_paused())
        return ssb_refuse_to_start();
    if (!ssb.active)
        return ssb_original(hook, self, args, nargs, kwnames);
    if (handle != NULL && ssb_is_handle(handle) && ssb_thread_of_handle(handle) != SS_NONE) {
        PyErr_SetString(PyExc_RuntimeError, "thread already started");
        return NULL;
    }
    if (!valid) /* it refuses with its own words */
        return ssb_original(hook, self, args, nargs, kwnames);
    if (PySys_Audit("_thread.start_joinable_thread", "OiO", function, 1, handle != NULL ? handle : Py_None) < 0)
        return NULL;
    PyObject *empty = PyTuple_New(0), *made = NULL;
    if (empty == NULL)
        return NULL;
    made = handle != NULL ? Py_NewRef(handle) : PyObject_CallNoArgs((PyObject *)handle_type);
    if (made != NULL)
        ssb_start_thread(function, empty, NULL, made);
    Py_DECREF(empty);
    return made;
}

static PyObject *hook_join(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    uint32_t other = ssb_thread_of_handle(self);
    if (!ssb.active && other != SS_NONE && ssb.threads[other].status == SSB_DONE)
        Py_RETURN_NONE;
    if (!ssb.active || other == SS_NONE || nargs > 1 || kwnames != NULL)
        return ssb_original(hook, self, args, nargs, kwnames);
    int64_t deadline = SSB_NO_DEADLINE;
    if (nargs == 1 && args[0] != Py_None) {
        double seconds = PyFloat_AsDouble(args[0]);
        if (seconds == -1.0 && PyErr_Occurred())
            return NULL;
        if (seconds >= 0 && seconds < 9e9)
            deadline = ssb_deadline((int64_t)ceil(seconds * 1e9));
    }
    if (other == ssb.current) {
        PyErr_SetString(PyExc_RuntimeError, "Cannot join current thread");
        return NULL;
    }
    int timed_out = ssb_block(SSB_OP_JOIN, self, deadline);
    ssb_record(SSB_OP_JOIN, self, NULL, 1, NULL, timed_out ? "timed out" : "done");
    Py_RETURN_NONE;
}

static PyObject *hook_is_done(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    uint32_t other = ssb_thread_of_handle(self);
    if (other == SS_NONE)
        return ssb_original(hook, self, args, nargs, kwnames);
    int asked = ssb.active && ssb_caller_class(NULL) == SSB_CALLER_ORDINARY;
    if (asked)
        ssb_visible(SSB_OP_LOCKED, self, 0, 1, 0);
    else if (ssb.active)
        ssb_step(SSB_OP_LOCKED, self, 1);
    PyObject *done = PyBool_FromLong(ssb.threads[other].status == SSB_DONE);
    if (asked)
        ssb_record(SSB_OP_LOCKED, self, NULL, 1, done, "done");
    return done;
}

static PyObject *get_ident(PyObject *self, void *closure)
{
    uint32_t other = ssb_thread_of_handle(self);
    if (other == SS_NONE)
        return original_ident(self, closure);
    return PyLong_FromUnsignedLong(ssb_thread_ident(&ssb.threads[other]));
}

SSB_HOOK(start_joinable, "start_joinable_thread", hook_start_joinable);
SSB_HOOK(join, "join", hook_join);
SSB_HOOK(is_done, "is_done", hook_is_done);

int ssb_handles_take_over(PyObject *thread_module)
{
    handle_type = (PyTypeObject *)PyObject_GetAttrString(thread_module, "_ThreadHandle");
    if (handle_type == NULL || ssb_take_over_function(thread_module, &start_joinable) < 0 ||
        ssb_take_over_method(handle_type, &join) < 0 || ssb_take_over_method(handle_type, &is_done) < 0)
        return -1;
    for (PyGetSetDef *entry = handle_type->tp_getset; entry != NULL && entry->name != NULL; entry++)
        if (strcmp(entry->name, "ident") == 0) {
            original_ident = entry->get;
            entry->get = get_ident;
            return 0;
        }
    PyErr_SetString(PyExc_RuntimeError, "_thread._ThreadHandle has no attribute 'ident' to take over");
    return -1;
}

#else /* threads have no handles */

int ssb_is_handle(PyObject *Py_UNUSED(object)) { return 0; }
int ssb_handles_take_over(PyObject *Py_UNUSED(thread_module)) { return 0; }

#endif
