/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ handlers_queue.c — _queue.SimpleQueue: its items in order, without where   │
 * │ they lie.                                                                  │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include "compat_queue.h"

static void queue_content(PyObject *o)
{
    const ssb_queue *q = (const ssb_queue *)o;
    ssbf_count((uint64_t)ssb_queue_waiting(q));
    ssbf_count((uint64_t)ssb_queue_size(q));
    for (Py_ssize_t i = 0; i < ssb_queue_size(q); i++)
        ssbf_reference(ssb_queue_item(q, i));
}

static void queue_buffers(PyObject *o, int32_t owner) { ssb_queue_memory((const ssb_queue *)o, ssbf_add_block, owner); }

static int holds(PyObject *o, long first, Py_ssize_t n)
{
    const ssb_queue *q = (const ssb_queue *)o;
    int as_expected = ssb_queue_is_sane(q) && ssb_queue_size(q) == n && !ssb_queue_waiting(q);
    for (Py_ssize_t i = 0; as_expected && i < n; i++)
        as_expected = PyLong_AsLong(ssb_queue_item(q, i)) == first + i;
    return as_expected;
}

/* The struct is private to its module: does it say what the methods do? Also when items were taken from the front. */
static int layout_is_known(PyTypeObject *type)
{
    PyObject *o = type->tp_basicsize == sizeof(ssb_queue) ? PyObject_CallNoArgs((PyObject *)type) : NULL;
    int known = o && holds(o, 0, 0);
    for (int i = 0; known && i < 12; i++) {
        PyObject *r = PyObject_CallMethod(o, "put", "i", i);
        known = r && holds(o, 0, i + 1);
        Py_XDECREF(r);
    }
    for (int i = 0; known && i < 9; i++) {
        PyObject *r = PyObject_CallMethod(o, "get_nowait", NULL);
        known = r && holds(o, i + 1, 11 - i);
        Py_XDECREF(r);
    }
    Py_XDECREF(o);
    PyErr_Clear();
    return known;
}

int ssbf_register_queue(void)
{
    static const ssbf_handler queue = {"SimpleQueue", queue_content, queue_buffers, sizeof(ssb_queue)};
    PyObject *name = PyUnicode_FromString("_queue"), *module = name ? PyImport_GetModule(name) : NULL;
    PyObject *type = module ? PyObject_GetAttrString(module, "SimpleQueue") : NULL; /* kept for the rest of the process */
    Py_XDECREF(name);
    Py_XDECREF(module);
    PyErr_Clear();
    if (type && PyType_Check(type))
        ssbf_register_layout("queue.SimpleQueue", (PyTypeObject *)type, layout_is_known((PyTypeObject *)type), &queue);
    return 0;
}

#endif
