/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ handlers_threading.c — locks: held or not, without the semaphore below.    │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include <pythread.h>

typedef struct lock {
    PyObject_HEAD
    PyThread_type_lock semaphore;
    PyObject *weak_references;
    char locked;
} lock;

typedef struct rlock {
    PyObject_HEAD
    PyThread_type_lock semaphore;
    unsigned long owner;
    unsigned long count;
    PyObject *weak_references;
} rlock;

#define SEMAPHORE_BYTES 32

static void lock_content(PyObject *o) { ssbf_count((uint64_t)(unsigned char)((lock *)o)->locked); }

static void lock_buffers(PyObject *o, int32_t owner)
{
    (void)owner;
    ssbf_add_block(((lock *)o)->semaphore, SEMAPHORE_BYTES, -1);
}

/* The owner is a thread identity: the same number for the same simulated thread in every execution. */
static void rlock_content(PyObject *o)
{
    ssbf_raw(((rlock *)o)->count ? ((rlock *)o)->owner : 0);
    ssbf_raw(((rlock *)o)->count);
}

static void rlock_buffers(PyObject *o, int32_t owner)
{
    (void)owner;
    ssbf_add_block(((rlock *)o)->semaphore, SEMAPHORE_BYTES, -1);
}

static int call(PyObject *o, const char *method)
{
    PyObject *r = PyObject_CallMethod(o, method, NULL);
    Py_XDECREF(r);
    return r != NULL;
}

static PyTypeObject *checked_lock_type(PyObject *module, int *known)
{
    PyObject *o = PyObject_CallMethod(module, "allocate_lock", NULL);
    PyTypeObject *type = o ? Py_TYPE(o) : NULL;
    *known = type && type->tp_basicsize == sizeof(lock) && ((lock *)o)->locked == 0 && call(o, "acquire") &&
             ((lock *)o)->locked == 1 && call(o, "release") && ((lock *)o)->locked == 0;
    Py_XDECREF(o);
    return type;
}

static PyTypeObject *checked_rlock_type(PyObject *module, int *known)
{
    PyObject *o = PyObject_CallMethod(module, "RLock", NULL);
    PyTypeObject *type = o ? Py_TYPE(o) : NULL;
    *known = type && type->tp_basicsize == sizeof(rlock) && ((rlock *)o)->count == 0 && call(o, "acquire") && call(o, "acquire") &&
             ((rlock *)o)->count == 2 && ((rlock *)o)->owner == PyThread_get_thread_ident() && call(o, "release") &&
             call(o, "release") && ((rlock *)o)->count == 0;
    Py_XDECREF(o);
    return type;
}

int ssbf_register_threading(void)
{
    static const ssbf_handler lock_handler = {"lock", lock_content, lock_buffers, sizeof(lock)};
    static const ssbf_handler rlock_handler = {"RLock", rlock_content, rlock_buffers, sizeof(rlock)};
    PyObject *module = PyImport_ImportModule("_thread");
    if (!module)
        return -1;
    int known;
    PyTypeObject *type = checked_lock_type(module, &known);
    ssbf_register_layout("threading.Lock", type, known, &lock_handler);
    type = checked_rlock_type(module, &known);
    ssbf_register_layout("threading.RLock", type, known, &rlock_handler);
    ssbf_register_handles(module);
    Py_DECREF(module);
    PyErr_Clear();
    return 0;
}

#endif
