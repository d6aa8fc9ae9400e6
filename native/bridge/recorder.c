/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ recorder.c — telling Python what happens, in a replay that makes a report. │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "runtime.h"

#include "compat_threads.h"

static PyObject *recorder; /* callable(event: dict), or NULL */

const char *const ssb_operation_names[] = {
    "none",    "begin", "start", "end",     "join",  "acquire", "try_acquire", "release", "locked", "put",
    "get",     "try_get", "sleep", "choose", "access", "line",    "opcode",      "call",    "resume",
};
const int ssb_n_operations = sizeof ssb_operation_names / sizeof ssb_operation_names[0];
_Static_assert(sizeof ssb_operation_names / sizeof ssb_operation_names[0] == SSB_OP_RESUME + 1,
               "one name for each operation");

void ssb_set_recorder(PyObject *recorder_or_none)
{
    Py_XSETREF(recorder, recorder_or_none == Py_None ? NULL : Py_NewRef(recorder_or_none));
    ssb.recording = recorder != NULL;
}

/* Calls the recorder with choice points off; steals the event. */
static void emit(PyObject *event)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (event == NULL)
        ssb_thread_failed();
    ssb_pause();
    PyObject *result = PyObject_CallOneArg(recorder, event);
    if (result == NULL)
        ssb_thread_failed();
    ssb_resume();
    Py_DECREF(result);
    Py_DECREF(event);
    PyErr_Restore(type, value, traceback);
}

static PyObject *or_none(PyObject *object) { return object != NULL ? object : Py_None; }

void ssb_record(int operation, PyObject *object, PyObject *name, int access, PyObject *value, const char *outcome)
{
    if (recorder == NULL || !ssb.active)
        return;
    PyObject *event = Py_BuildValue("{s:s,s:I,s:s,s:O,s:O,s:i,s:O,s:s}", "kind", "step", "thread", ssb.current, "operation",
                                    ssb_operation_names[operation], "object", or_none(object), "name", or_none(name),
                                    "access", access, "frame", or_none((PyObject *)PyEval_GetFrame()), "outcome", outcome);
    if (event != NULL && value != NULL && PyDict_SetItemString(event, "value", value) < 0)
        Py_CLEAR(event);
    emit(event);
}

void ssb_record_step(int operation, PyObject *object, PyObject *name, int access, PyObject *value_or_null)
{
    ssb_record(operation, object, name, access, value_or_null, "done");
}

static int thread_of(const ss_choice *choice, uint32_t alternative)
{
    return choice->alternatives != NULL ? choice->alternatives[alternative].thread : choice->current;
}

void ssb_record_switch(const ss_choice *choice, uint32_t chosen, int due)
{
    if (recorder == NULL || !ssb.active)
        return;
    PyGILState_STATE gil = PyGILState_Ensure(); /* the current thread may be over and without a thread state */
    PyObject *ordinals = PyList_New(choice->n);
    /* However a data choice ends, the same thread goes on. */
    for (uint32_t i = 0; ordinals != NULL && i < choice->n; i++)
        PyList_SET_ITEM(ordinals, i, PyLong_FromLong(thread_of(choice, i)));
    if (ordinals != NULL)
        emit(Py_BuildValue("{s:s,s:i,s:i,s:N,s:I,s:K,s:i}", "kind", "switch", "from", (int)choice->current, "to",
                           thread_of(choice, chosen), "alternatives", ordinals, "chosen", chosen, "label",
                           (unsigned long long)choice->label, "due", due));
    PyGILState_Release(gil);
}

void ssb_record_deadlock(void)
{
    if (recorder != NULL && ssb.active)
        emit(Py_BuildValue("{s:s,s:N}", "kind", "deadlock", "threads", ssb_thread_table()));
}

/* Ordinal of the thread that holds what t waits for, or None. */
static PyObject *holder_of(const ssb_thread *t)
{
    uint32_t holder = SS_NONE;
    if (t->object != NULL && Py_IS_TYPE(t->object, ssb_lock_type)) {
        holder = t->operation == SSB_OP_JOIN ? ssb_thread_of_handle(t->object) : ssb_held_by(t->object);
    } else if (t->object != NULL && PyType_IsSubtype(Py_TYPE(t->object), ssb_rlock_type)) {
        for (uint32_t i = 0; i < ssb.n_threads; i++)
            if (ssb_thread_ident(&ssb.threads[i]) == ssb_rlock_layout_owner((const ssb_rlock_layout *)t->object))
                holder = i;
    } else if (t->object != NULL && ssb_is_handle(t->object)) {
        holder = ssb_thread_of_handle(t->object);
    }
    return holder == SS_NONE ? Py_NewRef(Py_None) : PyLong_FromUnsignedLong(holder);
}

PyObject *ssb_thread_table(void)
{
    static const char *const names[] = {"free", "ready", "blocked", "done"};
    PyObject *table = PyList_New(ssb.n_threads);
    for (uint32_t i = 0; table != NULL && i < ssb.n_threads; i++) {
        const ssb_thread *t = &ssb.threads[i];
        PyObject *frame = t->tstate != NULL ? (PyObject *)PyThreadState_GetFrame(t->tstate) : NULL;
        PyObject *deadline = t->deadline_ns == SSB_NO_DEADLINE ? Py_NewRef(Py_None) : PyLong_FromLongLong(t->deadline_ns);
        PyObject *row = Py_BuildValue("{s:I,s:s,s:s,s:O,s:N,s:N,s:N}", "ordinal", i, "status", names[t->status], "operation",
                                      ssb_operation_names[t->operation], "object", or_none(t->object), "holder",
                                      holder_of(t), "deadline", deadline, "frame", frame != NULL ? frame : Py_NewRef(Py_None));
        if (row == NULL)
            Py_CLEAR(table);
        else
            PyList_SET_ITEM(table, i, row);
    }
    return table;
}
