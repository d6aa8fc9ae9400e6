/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ module.c — what Python sees of the bridge.                                 │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "runtime.h"
#include "explain.h"
#include "weaken.h"

static PyObject *py_attach(PyObject *Py_UNUSED(module), PyObject *args)
{
    unsigned long long table, arena;
    if (!PyArg_ParseTuple(args, "KK:attach", &table, &arena) || ssb_attach(table, arena) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *py_fork(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) { return ssb_fork(); }

static PyObject *py_supported(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    const char *reason = "";
    int error = ssb_fingerprint_supported(&reason);
    return Py_BuildValue("(Os)", error == 0 ? Py_True : Py_False, error == 0 ? "" : reason);
}

static PyObject *py_layouts(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) { return ssb_layouts(); }
static PyObject *py_handlers(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) { return ssb_handlers(); }

static PyObject *py_explore(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *body, *config;
    if (!PyArg_ParseTuple(args, "OO!:explore", &body, &PyDict_Type, &config))
        return NULL;
    return ssb_explore(body, config);
}

static int in_path(void) { return ssb.active || ssb_is_paused(); }

static PyObject *py_end_execution(PyObject *Py_UNUSED(module), PyObject *args)
{
    unsigned int end;
    Py_buffer payload;
    const char *detail;
    if (!PyArg_ParseTuple(args, "Iy*s:end_execution", &end, &payload, &detail))
        return NULL;
    if (!in_path()) {
        PyBuffer_Release(&payload);
        PyErr_SetString(PyExc_RuntimeError, "end_execution: no path is running");
        return NULL;
    }
    ssb_end_if_broken();
    if (ssb.engine->outbox_write(ssb.arena, payload.buf, (size_t)payload.len) < 0)
        ssb_internal_error("the description of this execution's end has %zd bytes; %u fit", payload.len, SS_OUTBOX_BYTES);
    ssb.engine->end_path(ssb.arena, end, detail);
}

static PyObject *py_choose(PyObject *Py_UNUSED(module), PyObject *argument)
{
    long n = PyLong_AsLong(argument);
    if (n == -1 && PyErr_Occurred())
        return NULL;
    if (n < 2 || n > UINT32_MAX) {
        PyErr_Format(PyExc_ValueError, "choose: n is %ld; it must be at least 2", n);
        return NULL;
    }
    if (!ssb.active) {
        PyErr_SetString(PyExc_RuntimeError, "choose: no path is running, or an invariant or recorder callback is");
        return NULL;
    }
    uint32_t chosen = ssb_choose_data((uint32_t)n);
    PyObject *result = PyLong_FromUnsignedLong(chosen);
    if (result != NULL)
        ssb_record(SSB_OP_CHOOSE, NULL, NULL, 0, result, "done");
    return result;
}

static PyObject *py_may_choose(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) { return PyBool_FromLong(ssb.active); }

static PyObject *py_in_exploration(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(in_path());
}

static PyObject *py_current_thread(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromUnsignedLong(ssb.current);
}

static PyObject *py_thread_count(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromUnsignedLong(ssb.n_threads);
}

static PyObject *py_clock_ns(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLongLong(ssb.clock_ns);
}

static PyObject *py_thread_table(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) { return ssb_thread_table(); }

static PyObject *py_captured(PyObject *Py_UNUSED(module), PyObject *argument)
{
    const uint8_t *data;
    size_t bytes;
    long stream = PyLong_AsLong(argument);
    if (stream == -1 && PyErr_Occurred())
        return NULL;
    if (ssb.engine == NULL || ssb.engine->capture_read((int)stream, &data, &bytes) < 0)
        return PyErr_Format(PyExc_ValueError, "captured: stream is %ld; it must be 1 or 2, after attach()", stream);
    return PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)bytes);
}

static PyObject *py_capture_write(PyObject *Py_UNUSED(module), PyObject *args)
{
    int stream;
    Py_buffer data;
    if (!PyArg_ParseTuple(args, "iy*:capture_write", &stream, &data))
        return NULL;
    int error = ssb.engine != NULL ? ssb.engine->capture_append(stream, data.buf, (size_t)data.len) : -1;
    PyBuffer_Release(&data);
    if (error < 0)
        return PyErr_Format(PyExc_ValueError, "capture_write: stream %d is not 1 or 2, or its buffer is full", stream);
    Py_RETURN_NONE;
}

static PyObject *py_pause(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    ssb_pause();
    Py_RETURN_NONE;
}

static PyObject *py_resume(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    ssb_resume();
    Py_RETURN_NONE;
}

static PyObject *py_ignore(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *owner, *name;
    int of_instances;
    const char *label;
    if (!PyArg_ParseTuple(args, "OUps:ignore", &owner, &name, &of_instances, &label))
        return NULL;
    if (of_instances && !PyType_Check(owner))
        return PyErr_Format(PyExc_TypeError, "ignore: of_instances needs a class, not a %s", Py_TYPE(owner)->tp_name);
    if (ssb_ignore(owner, name, of_instances, label) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *py_view(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *function, *objects;
    const char *label;
    if (!PyArg_ParseTuple(args, "OO!s:view", &function, &PyTuple_Type, &objects, &label) ||
        ssb_declare_view(function, objects, label) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *py_explained(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) { return ssb_explained(); }

static PyObject *py_races(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) { return ssb_races_list(); }

static PyObject *py_weakened(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) { return ssb_weakened(); }

static PyObject *py_uncompared(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyUnicode_FromString(ssb_uncompared ? ssb_uncompared : "");
}

static PyObject *py_setup_times(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    if (ssb_setup_times == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "setup_times: attach() was not called");
        return NULL;
    }
    PyObject *times = PyDict_New();
    for (int i = 0; times != NULL && i < SSB_N_PHASES; i++) {
        PyObject *ns = PyLong_FromUnsignedLongLong(ssb_setup_times[i]);
        if (ns == NULL || PyDict_SetItemString(times, ssb_phase_names[i], ns) < 0)
            Py_CLEAR(times);
        Py_XDECREF(ns);
    }
    return times;
}

static PyObject *py_keep_calibration(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    ssb_calibration_keep();
    Py_RETURN_NONE;
}

static PyObject *py_survey(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *is_traced, *modules;
    int keep = 0;
    if (!PyArg_ParseTuple(args, "OO|p:survey", &is_traced, &modules, &keep))
        return NULL;
    return ssb_survey(is_traced, modules, keep);
}

static PyObject *py_kept_for(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromUnsignedLongLong(ssb_kept_for());
}

static PyObject *py_module_stamp(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) { return ssb_module_stamp(); }

static PyMethodDef methods[] = {
    {"attach", py_attach, METH_VARARGS,
     "attach(table_address, arena_address, /)\n--\n\nMeet the engine; in the parent, before the fork."},
    {"fork", py_fork, METH_NOARGS,
     "fork()\n--\n\nFork a child that dies with this process and ignores SIGINT. The pid, or 0 in the child."},
    {"supported", py_supported, METH_NOARGS,
     "supported()\n--\n\n(can states be compared on this interpreter, the reason if not)."},
    {"layouts", py_layouts, METH_NOARGS,
     "layouts()\n--\n\nPrivate structs that state equality looks into: {name: is it as expected?}."},
    {"handlers", py_handlers, METH_NOARGS,
     "handlers()\n--\n\nTypes that state equality knows how to read: [(type, name of the handler)]."},
    {"explore", py_explore, METH_VARARGS,
     "explore(body, config, /)\n--\n\nRun body() once per path the explorer commands. Returns only by raising: set-up failed."},
    {"end_execution", py_end_execution, METH_VARARGS,
     "end_execution(end, payload, detail, /)\n--\n\nEnd the running path. Never returns."},
    {"choose", py_choose, METH_O, "choose(n, /)\n--\n\nA data choice point: an int in range(n), every one in some path."},
    {"may_choose", py_may_choose, METH_NOARGS, "may_choose()\n--\n\nIs a path running, and not paused?"},
    {"in_exploration", py_in_exploration, METH_NOARGS, "in_exploration()\n--\n\nIs a path running?"},
    {"current_thread", py_current_thread, METH_NOARGS, "current_thread()\n--\n\nOrdinal of the running simulated thread."},
    {"thread_count", py_thread_count, METH_NOARGS, "thread_count()\n--\n\nSimulated threads made so far, main included."},
    {"clock_ns", py_clock_ns, METH_NOARGS, "clock_ns()\n--\n\nVirtual nanoseconds since the start of the execution."},
    {"thread_table", py_thread_table, METH_NOARGS, "thread_table()\n--\n\nOne dict per simulated thread."},
    {"captured", py_captured, METH_O, "captured(stream, /)\n--\n\nBytes written to stream 1 or 2 in this execution."},
    {"capture_write", py_capture_write, METH_VARARGS,
     "capture_write(stream, data, /)\n--\n\nAppend to this execution's captured output."},
    {"pause", py_pause, METH_NOARGS, "pause()\n--\n\nMake no choice points until the matching resume()."},
    {"resume", py_resume, METH_NOARGS, "resume()\n--\n\nEnd the matching pause()."},
    {"ignore", py_ignore, METH_VARARGS,
     "ignore(owner, name, of_instances, label, /)\n--\n\nLeave an attribute out of state equality, from now on."},
    {"view", py_view, METH_VARARGS,
     "view(function, objects, label, /)\n--\n\nLet what function() returns stand for the objects in state equality."},
    {"explained", py_explained, METH_NOARGS,
     "explained()\n--\n\nThe states noted with config['explain'], for the parent: see explain.h."},
    {"races", py_races, METH_NOARGS,
     "races()\n--\n\n(data races found so far, were there more than could be noted?). For the parent: see bridge.h."},
    {"uncompared", py_uncompared, METH_NOARGS,
     "uncompared()\n--\n\nWhy the first state could not be compared of which that is so, or ''. For the parent, too."},
    {"weakened", py_weakened, METH_NOARGS,
     "weakened()\n--\n\nLabels of what was left out of some state. For the parent, too."},
    {"setup_times", py_setup_times, METH_NOARGS, "setup_times()\n--\n\nNanoseconds of each phase of the last set-up."},
    {"keep_calibration", py_keep_calibration, METH_NOARGS,
     "keep_calibration()\n--\n\nHand on to later children what this one found out about the interpreter. For the parent."},
    {"survey", py_survey, METH_VARARGS,
     "survey(is_traced, modules, keep=False, /)\n--\n\n(functions under test, packed addresses of the code of all others, number "
     "under which that code is kept alive or 0, classes that may belong to a module of these names)."},
    {"kept_for", py_kept_for, METH_NOARGS, "kept_for()\n--\n\nNumber of the survey that came across all the code that is kept alive."},
    {"module_stamp", py_module_stamp, METH_NOARGS,
     "module_stamp()\n--\n\nThe same number for the same modules with the same names and files, if these are kept alive."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "pytest_statespace._native._bridge",
    .m_doc = "The part of the child that knows CPython: simulated threads, locks, time, state equality.",
    .m_size = -1,
    .m_methods = methods,
};

static PyObject *operation_names(void)
{
    PyObject *names = PyTuple_New(ssb_n_operations);
    for (int i = 0; names != NULL && i < ssb_n_operations; i++) {
        PyObject *name = PyUnicode_FromString(ssb_operation_names[i]);
        if (name == NULL)
            Py_CLEAR(names);
        else
            PyTuple_SET_ITEM(names, i, name);
    }
    return names;
}

PyMODINIT_FUNC PyInit__bridge(void)
{
    PyObject *module = PyModule_Create(&definition);
    PyObject *names = operation_names();
    PyObject *granularities = Py_BuildValue("{s:i,s:i,s:i,s:i,s:i}", "sync", SSB_SYNC, "access", SSB_ACCESS, "line", SSB_LINE,
                                            "opcode", SSB_OPCODE, "gil", SSB_GIL);
    if (module != NULL && (PyModule_AddObjectRef(module, "operation_names", names) < 0 ||
                           PyModule_AddObjectRef(module, "GRANULARITIES", granularities) < 0))
        Py_CLEAR(module);
    Py_XDECREF(names);
    Py_XDECREF(granularities);
    return module;
}
