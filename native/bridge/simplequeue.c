/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ simplequeue.c — _queue.SimpleQueue, the queue written in C.                │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "runtime.h"

#include "compat_threads.h"

PyTypeObject *ssb_simplequeue_type;

int ssb_simplequeue_is_empty(PyObject *queue) { return ssb_simplequeue_layout_empty((const ssb_simplequeue_layout *)queue); }

static PyObject *hook_put(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (ssb.active)
        ssb_step(SSB_OP_PUT, self, 2);
    return ssb_original(hook, self, args, nargs, kwnames);
}

static PyObject *hook_ask(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (ssb.active)
        ssb_step(SSB_OP_LOCKED, self, 1);
    return ssb_original(hook, self, args, nargs, kwnames);
}

static PyObject *hook_get_nowait(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                 PyObject *kwnames)
{
    if (ssb.active)
        ssb_step(SSB_OP_TRY_GET, self, 3);
    return ssb_original(hook, self, args, nargs, kwnames);
}

static PyObject *hook_get(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (!ssb.active && !ssb_is_paused())
        return ssb_original(hook, self, args, nargs, kwnames);
    int blocking = 1;
    int64_t deadline = SSB_NO_DEADLINE;
    int parsed = ssb_parse_wait("block", args, nargs, kwnames, 1, &blocking, &deadline);
    if (parsed < 0)
        return NULL;
    if (parsed == 0)
        return ssb_original(hook, self, args, nargs, kwnames);
    PyObject *no = Py_False;
    if (!ssb.active)
        return blocking && ssb_simplequeue_is_empty(self) ? ssb_refuse_to_wait() : ssb_original(hook, self, &no, 1, NULL);
    if (!blocking) {
        ssb_step(SSB_OP_TRY_GET, self, 3);
        return ssb_original(hook, self, &no, 1, NULL);
    }
    if (ssb_caller_class(NULL) != SSB_CALLER_ORDINARY) {
        if (ssb_simplequeue_is_empty(self))
            ssb_block_quietly(SSB_OP_GET, self, 0);
    } else {
        int timed_out = ssb_block(SSB_OP_GET, self, deadline);
        ssb_record(SSB_OP_GET, self, NULL, 3, NULL, timed_out ? "timed out" : "done");
        if (timed_out && !ssb_simplequeue_is_empty(self)) { /* both could happen, and the timeout did */
            PyObject *queue_module = PyImport_ImportModule("_queue");
            PyObject *empty = queue_module != NULL ? PyObject_GetAttrString(queue_module, "Empty") : NULL;
            if (empty != NULL)
                PyErr_SetNone(empty);
            Py_XDECREF(empty);
            Py_XDECREF(queue_module);
            return NULL;
        }
    }
    return ssb_original(hook, self, &no, 1, NULL); /* after a timeout: raises Empty */
}

SSB_HOOK(put, "put", hook_put);
SSB_HOOK(put_nowait, "put_nowait", hook_put);
SSB_HOOK(get, "get", hook_get);
SSB_HOOK(get_nowait, "get_nowait", hook_get_nowait);
SSB_HOOK(empty, "empty", hook_ask);
SSB_HOOK(qsize, "qsize", hook_ask);

/* Does the layout say what the methods do? Also when items were taken from the front. */
static int check_layout(void)
{
    PyObject *queue = PyObject_CallNoArgs((PyObject *)ssb_simplequeue_type);
    if (queue == NULL)
        return -1;
    int as_expected = ssb_simplequeue_is_empty(queue);
    for (int i = 0; i < 3; i++)
        Py_XDECREF(PyObject_CallMethod(queue, "put", "i", i));
    for (int i = 0; i < 3; i++) {
        as_expected = as_expected && !ssb_simplequeue_is_empty(queue);
        Py_XDECREF(PyObject_CallMethod(queue, "get_nowait", NULL));
    }
    as_expected = as_expected && ssb_simplequeue_is_empty(queue);
    Py_DECREF(queue);
    if (PyErr_Occurred())
        return -1;
    if (!as_expected) {
        PyErr_SetString(PyExc_RuntimeError, "_queue.SimpleQueue is laid out differently in this interpreter");
        return -1;
    }
    return 0;
}

int ssb_simplequeues_take_over(void)
{
    PyObject *module = PyImport_ImportModule("_queue");
    if (module == NULL)
        return -1;
    ssb_simplequeue_type = (PyTypeObject *)PyObject_GetAttrString(module, "SimpleQueue");
    Py_DECREF(module);
    if (ssb_simplequeue_type == NULL || check_layout() < 0)
        return -1;
    ssb_hook *hooks[] = {&put, &put_nowait, &get, &get_nowait, &empty, &qsize};
    for (size_t i = 0; i < sizeof hooks / sizeof hooks[0]; i++)
        if (ssb_take_over_method(ssb_simplequeue_type, hooks[i]) < 0)
            return -1;
    return 0;
}
