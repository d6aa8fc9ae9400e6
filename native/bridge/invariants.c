/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ invariants.c — callables that are checked at every choice point.           │
 * │                                                                            │
 * │ The list belongs to the runtime's Python side and grows while a path runs. │
 * │ A callable whose invariant is broken ends the execution itself or raises.  │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "runtime.h"
#include "weaken.h"

static PyObject *invariants; /* list, shared with Python */
static int checking;
static int paused;
static int active_before;

/* -- pause ------------------------------------------------------------------------- */

void ssb_pause(void)
{
    if (paused++ == 0) {
        active_before = ssb.active;
        ssb.active = 0;
    }
}

void ssb_resume(void)
{
    if (paused > 0 && --paused == 0)
        ssb.active = active_before;
}

void ssb_forget_pause(void) { paused = active_before = 0; }

int ssb_is_paused(void) { return paused != 0 && active_before; }

PyObject *ssb_refuse_to_wait(void)
{
    PyErr_SetString(PyExc_RuntimeError,
                    "an invariant or recorder callback would have to wait for another thread, which can't run meanwhile; "
                    "read the shared data without taking locks");
    return NULL;
}

PyObject *ssb_refuse_to_start(void)
{
    PyErr_SetString(PyExc_RuntimeError, "an invariant or recorder callback can't start a thread");
    return NULL;
}

/* -- invariants ---------------------------------------------------------------------- */

void ssb_set_invariants(PyObject *list) { Py_XSETREF(invariants, Py_NewRef(list)); }

int ssb_invariants_exist(void) { return invariants != NULL && PyList_GET_SIZE(invariants) != 0; }

void ssb_check_invariants(void)
{
    if (invariants == NULL || (PyList_GET_SIZE(invariants) == 0 && ssb_weak.n_views == 0) || checking)
        return;
    /* An operation may be made while an exception is being handled by C code. */
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    checking = 1;
    ssb_pause();
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(invariants); i++) {
        PyObject *invariant = Py_NewRef(PyList_GET_ITEM(invariants, i));
        PyObject *result = PyObject_CallNoArgs(invariant);
        Py_DECREF(invariant);
        if (result == NULL)
            ssb_thread_failed();
        Py_DECREF(result);
    }
    ssb_evaluate_views();
    ssb_resume();
    checking = 0;
    PyErr_Restore(type, value, traceback);
}
