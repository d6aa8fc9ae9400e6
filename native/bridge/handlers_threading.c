/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ handlers_threading.c — locks: held or not, without the semaphore below.    │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include <pythread.h>

#include "compat_locks.h"

#define SEMAPHORE_BYTES 32

static void lock_content(PyObject *o) { ssbf_count((uint64_t)ssb_lock_layout_locked((const ssb_lock_layout *)o)); }

static void lock_buffers(PyObject *o, int32_t owner)
{
    (void)owner;
    ssbf_add_block(ssb_lock_layout_memory((const ssb_lock_layout *)o), SEMAPHORE_BYTES, -1);
}

static unsigned long owner_of(PyObject *o) { return ssb_rlock_layout_owner((const ssb_rlock_layout *)o); }
static unsigned long depth_of(PyObject *o) { return ssb_rlock_layout_count((const ssb_rlock_layout *)o); }

/* The owner is a thread identity: the same number for the same simulated thread in every execution. */
static void rlock_content(PyObject *o)
{
    ssbf_raw(depth_of(o) ? owner_of(o) : 0);
    ssbf_raw(depth_of(o));
}

static void rlock_buffers(PyObject *o, int32_t owner)
{
    (void)owner;
    ssbf_add_block(ssb_rlock_layout_memory((const ssb_rlock_layout *)o), SEMAPHORE_BYTES, -1);
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
    const ssb_lock_layout *l = (const ssb_lock_layout *)o;
    *known = type && type->tp_basicsize == sizeof *l && ssb_lock_layout_locked(l) == 0 && call(o, "acquire") &&
             ssb_lock_layout_locked(l) == 1 && call(o, "release") && ssb_lock_layout_locked(l) == 0;
    Py_XDECREF(o);
    return type;
}

static PyTypeObject *checked_rlock_type(PyObject *module, int *known)
{
    PyObject *o = PyObject_CallMethod(module, "RLock", NULL);
    PyTypeObject *type = o ? Py_TYPE(o) : NULL;
    *known = type && type->tp_basicsize == sizeof(ssb_rlock_layout) && depth_of(o) == 0 && call(o, "acquire") &&
             call(o, "acquire") && depth_of(o) == 2 && owner_of(o) == PyThread_get_thread_ident() && call(o, "release") &&
             call(o, "release") && depth_of(o) == 0;
    Py_XDECREF(o);
    return type;
}

int ssbf_register_threading(void)
{
    static const ssbf_handler lock_handler = {"lock", lock_content, lock_buffers, sizeof(ssb_lock_layout)};
    static const ssbf_handler rlock_handler = {"RLock", rlock_content, rlock_buffers, sizeof(ssb_rlock_layout)};
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
