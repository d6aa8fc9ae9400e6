/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ hidden_tasks.c — steps of asyncio's C tasks.                               │
 * │                                                                            │
 * │ An event loop calls Context.run with a step or a wake-up of a task, and    │
 * │ that sends to the task's coroutine. All that C needs afterwards is the     │
 * │ task, which the callback refers to, and the exception that it threw in, if │
 * │ it did: that may be the last reference to it.                              │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>

static PyTypeObject *task_type, *step_type; /* NULL: not imported when the test begins, and not known then */
static PyCFunction wake_up;

typedef struct search {
    ssb_frame *frame;
    PyObject *found;
} search;

static int visit_task(PyObject *o, void *user)
{
    search *s = user;
    if (task_type && Py_TYPE(o) == task_type)
        s->found = o;
    return 0;
}

static int visit_coroutine(PyObject *o, void *user)
{
    search *s = user;
    if ((Py_TYPE(o) == &PyCoro_Type || Py_TYPE(o) == &PyGen_Type) && ssb_generator_frame(o) == s->frame)
        s->found = o;
    return 0;
}

/* The callbacks' types have no names in the module: learn them from a task that is never run. */
int ssbf_hidden_tasks_prepare(PyObject *modules)
{
    PyObject *module = PyDict_GetItemString(modules, "_asyncio"), *names = NULL, *result = NULL;
    task_type = step_type = NULL;
    wake_up = NULL;
    if (!module)
        return 0;
    static const char *const source =
        "class Loop:\n"
        "    callbacks = []\n"
        "    def get_debug(self): return False\n"
        "    def is_running(self): return True\n"
        "    def call_exception_handler(self, context): pass\n"
        "    def call_soon(self, callback, *arguments, context=None): self.callbacks.append(callback)\n"
        "async def wait(future): await future\n"
        "loop = Loop()\n"
        "future = module.Future(loop=loop)\n"
        "task = module.Task(wait(future), loop=loop)\n"
        "running = module._get_running_loop()\n"
        "module._set_running_loop(loop)\n"
        "try:\n"
        "    loop.callbacks[0]()\n"
        "    future.set_result(None)\n"
        "    loop.callbacks[1](future)\n"
        "finally:\n"
        "    module._set_running_loop(running)\n";
    names = PyDict_New();
    if (!names || PyDict_SetItemString(names, "module", module) < 0 ||
        PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins()) < 0)
        goto done;
    result = PyRun_String(source, Py_file_input, names, names);
    PyObject *loop = result ? PyDict_GetItemString(names, "loop") : NULL;
    PyObject *callbacks = loop ? PyObject_GetAttrString(loop, "callbacks") : NULL;
    if (!callbacks)
        goto done;
    if (PyList_GET_SIZE(callbacks) >= 2) {
        PyObject *step = PyList_GET_ITEM(callbacks, 0), *waker = PyList_GET_ITEM(callbacks, 1);
        task_type = Py_TYPE(PyDict_GetItemString(names, "task"));
        step_type = Py_TYPE(step);
        wake_up = Py_TYPE(waker) == &PyCFunction_Type ? PyCFunction_GET_FUNCTION(waker) : NULL;
    }
    Py_DECREF(callbacks);
done:
    Py_XDECREF(result);
    Py_XDECREF(names);
    return PyErr_Occurred() ? -1 : 0;
}

int ssbf_task_step_runs(PyObject *callback, ssb_frame *frame)
{
    search s = {frame, NULL};
    if (step_type && Py_TYPE(callback) == step_type)
        step_type->tp_traverse(callback, visit_task, &s);
    else if (wake_up && Py_TYPE(callback) == &PyCFunction_Type && PyCFunction_GET_FUNCTION(callback) == wake_up)
        visit_task(PyCFunction_GET_SELF(callback), &s);
    if (!s.found)
        return 0;
    PyObject *task = s.found;
    s.found = NULL;
    task_type->tp_traverse(task, visit_coroutine, &s);
    return s.found != NULL;
}

#endif
