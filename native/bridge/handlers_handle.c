/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ handlers_handle.c — _thread._ThreadHandle, CPython 3.13 and later.         │
 * │                                                                            │
 * │ All handles are linked in the order in which they were made, for the sake  │
 * │ of fork: left out, no program sees it. The rest of the struct says whether │
 * │ a thread of the fixtures is done; which simulated thread a handle belongs  │
 * │ to is the scheduler's table's to say (frames.c).                           │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#ifdef SSB_THREADS_HAVE_HANDLES

typedef struct node {
    struct node *next, *previous;
} node;

typedef struct shared_handle {
    node all, running;
    uint64_t identity, thread;
    int has_thread, state;
    uint8_t mutex, is_exiting, once;
    Py_ssize_t references;
} shared_handle;

typedef struct handle {
    PyObject_HEAD
    shared_handle *shared;
} handle;

static void handle_content(PyObject *o)
{
    const shared_handle *h = ((handle *)o)->shared;
    uint64_t parts[] = {h->identity, h->thread, (uint64_t)h->has_thread, (uint64_t)h->state, h->mutex, h->is_exiting, h->once};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        ssbf_raw(parts[i]);
}

static void handle_buffers(PyObject *o, int32_t owner) { ssbf_add_block(((handle *)o)->shared, sizeof(shared_handle), owner); }

/* A new handle, one of a thread that the caller names, and what becomes of that when it is said to be done. */
static int layout_is_known(PyObject *thread_module, PyTypeObject *type)
{
    PyObject *fresh = PyObject_CallNoArgs((PyObject *)type);
    PyObject *named = fresh ? PyObject_CallMethod(thread_module, "_make_thread_handle", "i", 12345) : NULL;
    int known = named && Py_TYPE(named) == type && type->tp_basicsize == sizeof(handle);
    if (known) {
        shared_handle *a = ((handle *)fresh)->shared, *b = ((handle *)named)->shared;
        int fresh_state = a->state, running_state = b->state, once = b->once;
        known = a->all.next == &b->all && b->all.previous == &a->all && b->all.next->previous == &b->all && a->identity == 0 &&
                b->identity == 12345 && !a->has_thread && !b->has_thread && !a->mutex && !b->mutex && !a->is_exiting &&
                !b->is_exiting && a->references == 1 && b->references == 1 && fresh_state != running_state;
        PyObject *done = known ? PyObject_CallMethod(named, "_set_done", NULL) : NULL;
        known = done && b->state != running_state && b->state != fresh_state && b->once != once && a->state == fresh_state;
        Py_XDECREF(done);
    }
    Py_XDECREF(named);
    Py_XDECREF(fresh);
    PyErr_Clear();
    return known;
}

int ssbf_register_handles(PyObject *thread_module)
{
    static const ssbf_handler thread_handle = {"_ThreadHandle", handle_content, handle_buffers, sizeof(handle)};
    PyObject *type = PyObject_GetAttrString(thread_module, "_ThreadHandle"); /* kept for the rest of the process */
    if (type && PyType_Check(type))
        ssbf_register_layout("thread handle", (PyTypeObject *)type, layout_is_known(thread_module, (PyTypeObject *)type), &thread_handle);
    PyErr_Clear();
    return 0;
}

#else

int ssbf_register_handles(PyObject *thread_module)
{
    (void)thread_module;
    return 0;
}

#endif
#endif
