/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ compat_locks.h — _thread.lock and RLock: with a semaphore up to 3.13, one  │
 * │ byte in the object from 3.14 on. Private structs: those who read them      │
 * │ check them against the methods first.                                      │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSB_COMPAT_LOCKS_H
#define SSB_COMPAT_LOCKS_H

#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#endif
#include <Python.h>
#if PY_VERSION_HEX >= 0x030E0000
#include "internal/pycore_lock.h"
#endif

#if PY_VERSION_HEX >= 0x030E0000
typedef struct ssb_lock_layout {
    PyObject_HEAD
    PyMutex mutex;
} ssb_lock_layout;
static inline int ssb_lock_layout_locked(const ssb_lock_layout *l) { return l->mutex._bits & _Py_LOCKED; }

typedef struct ssb_rlock_layout {
    PyObject_HEAD
    _PyRecursiveMutex mutex;
} ssb_rlock_layout;
static inline unsigned long ssb_rlock_layout_owner(const ssb_rlock_layout *l) { return (unsigned long)l->mutex.thread; }
static inline unsigned long ssb_rlock_layout_count(const ssb_rlock_layout *l) /* level 0: taken once, or free */
{
    return l->mutex.mutex._bits & _Py_LOCKED ? (unsigned long)l->mutex.level + 1 : 0;
}
static inline const void *ssb_lock_layout_memory(const ssb_lock_layout *Py_UNUSED(l)) { return NULL; }
static inline const void *ssb_rlock_layout_memory(const ssb_rlock_layout *Py_UNUSED(l)) { return NULL; }
#else
typedef struct ssb_lock_layout {
    PyObject_HEAD
    void *lock;
    PyObject *weak_references;
    char locked;
} ssb_lock_layout;
static inline int ssb_lock_layout_locked(const ssb_lock_layout *l) { return l->locked; }

typedef struct ssb_rlock_layout {
    PyObject_HEAD
    void *lock;
    unsigned long owner;
    unsigned long count;
    PyObject *weak_references;
} ssb_rlock_layout;
static inline unsigned long ssb_rlock_layout_owner(const ssb_rlock_layout *l) { return l->owner; }
static inline unsigned long ssb_rlock_layout_count(const ssb_rlock_layout *l) { return l->count; }
/* The semaphore below. */
static inline const void *ssb_lock_layout_memory(const ssb_lock_layout *l) { return l->lock; }
static inline const void *ssb_rlock_layout_memory(const ssb_rlock_layout *l) { return l->lock; }
#endif

#endif
