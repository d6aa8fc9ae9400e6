/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ compat.h — the only place of the fingerprint that knows CPython versions.  │
 * │                                                                            │
 * │ One header per minor version with the same accessors. A version without    │
 * │ one still explores: its states are just never merged.                      │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSB_COMPAT_H
#define SSB_COMPAT_H

/* Before Python.h: some of its public names are macros that the internal headers replace. */
#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#endif
#include "bridge.h"

#include "internal/pycore_context.h"
#include "internal/pycore_hamt.h"

/* ---- the same in all versions ---- */

/* An object begins with its reference count, and flags of the interpreter's from 3.14 on. */
#define SSB_COUNT_BYTES offsetof(PyObject, ob_type)

/* What a staticmethod wraps: first field of a private struct. */
static inline PyObject *ssb_staticmethod_callable(PyObject *o) { return *(PyObject **)(o + 1); }

/* Context of a thread: made when a variable is first set. One without variables that nobody else has is like none. */
static inline PyObject *ssb_own_context(PyThreadState *ts)
{
    PyContext *c = (PyContext *)ts->context;
    return c && Py_REFCNT(c) == 1 && !c->ctx_prev && c->ctx_vars->h_count == 0 ? NULL : ts->context;
}

/* Memory that belongs to the object with this number in the index; -1: that is no program state. */
typedef void (*ssb_memory_visitor)(const void *lo, size_t bytes, int32_t owner);

/* ---- what differs ---- */

#if PY_VERSION_HEX >= 0x030b0000 && PY_VERSION_HEX < 0x030c0000
#define SSB_CAN_FINGERPRINT 1
#include "compat_311.h"
#elif PY_VERSION_HEX >= 0x030c0000 && PY_VERSION_HEX < 0x030d0000
#define SSB_CAN_FINGERPRINT 1
#include "compat_312.h"
#elif PY_VERSION_HEX >= 0x030d0000 && PY_VERSION_HEX < 0x030e0000 && !defined(Py_GIL_DISABLED)
#define SSB_CAN_FINGERPRINT 1
#include "compat_313.h"
#elif PY_VERSION_HEX >= 0x030e0500 && PY_VERSION_HEX < 0x030f0000 && !defined(Py_GIL_DISABLED)
#define SSB_CAN_FINGERPRINT 1
#include "compat_314.h"
#elif PY_VERSION_HEX >= 0x030f0000 && PY_VERSION_HEX < 0x03100000 && !defined(Py_GIL_DISABLED)
#define SSB_CAN_FINGERPRINT 1
#include "compat_315.h"
#else
#define SSB_CAN_FINGERPRINT 0
#define SSB_NO_FINGERPRINT_REASON \
    "states are not compared on this version of CPython: every path is explored in full"

/* What the survey of functions and classes needs where nothing else is known: public API only. */
static inline int ssb_visit_gc_object_(PyObject *o, void *visit)
{
    (*(void (**)(PyObject *))visit)(o);
    return 1;
}
static inline void ssb_each_gc_object(void (*visit)(PyObject *)) { PyUnstable_GC_VisitObjects(ssb_visit_gc_object_, &visit); }
static inline PyObject *ssb_type_dict(PyTypeObject *t)
{
    PyObject *dict = PyType_GetDict(t);
    Py_XDECREF(dict); /* the class holds it */
    return dict;
}
#endif

#endif
