/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ compat_queue.h — _queue.SimpleQueue: a list up to 3.12, a ring from 3.13.  │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSB_COMPAT_QUEUE_H
#define SSB_COMPAT_QUEUE_H

#include "compat.h"

#if PY_VERSION_HEX >= 0x030D0000
typedef struct ssb_queue {
    PyObject_HEAD
    bool is_waited_for;
    Py_ssize_t put, get;
    PyObject **ring;
    Py_ssize_t capacity, n;
    PyObject *weak_references;
} ssb_queue;
/* Somebody waits for an item inside of C. */
static inline int ssb_queue_waiting(const ssb_queue *q) { return q->is_waited_for; }
static inline Py_ssize_t ssb_queue_size(const ssb_queue *q) { return q->n; }
static inline PyObject *ssb_queue_item(const ssb_queue *q, Py_ssize_t i) { return q->ring[(q->get + i) % q->capacity]; }
static inline void ssb_queue_memory(const ssb_queue *q, ssb_memory_visitor add, int32_t owner)
{
    add(q->ring, (size_t)q->capacity * sizeof(PyObject *), owner);
}
static inline int ssb_queue_is_sane(const ssb_queue *q)
{
    return q->capacity >= q->n && q->n >= 0 && q->get >= 0 && q->get < q->capacity && q->ring;
}
#else
typedef struct ssb_queue {
    PyObject_HEAD
    PyThread_type_lock lock;
    int locked;
    PyListObject *list;
    Py_ssize_t first;
    PyObject *weak_references;
} ssb_queue;
static inline int ssb_queue_waiting(const ssb_queue *q) { return q->locked; }
static inline Py_ssize_t ssb_queue_size(const ssb_queue *q) { return Py_SIZE(q->list) - q->first; }
static inline PyObject *ssb_queue_item(const ssb_queue *q, Py_ssize_t i) { return q->list->ob_item[q->first + i]; }
static inline void ssb_queue_memory(const ssb_queue *q, ssb_memory_visitor add, int32_t owner)
{
    add(q->list->ob_item, (size_t)q->list->allocated * sizeof(PyObject *), owner);
    add((const char *)q->list + sizeof(PyObject), sizeof *q->list - sizeof(PyObject), owner);
}
static inline int ssb_queue_is_sane(const ssb_queue *q) { return q->list && PyList_CheckExact((PyObject *)q->list) && q->first >= 0; }
#endif

#endif
