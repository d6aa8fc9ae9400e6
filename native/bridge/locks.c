/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ locks.c — _thread.lock: every Lock, and all that is built on it.           │
 * │                                                                            │
 * │ The state stays in the real lock. Originals are called without blocking;   │
 * │ waiting happens in the scheduler.                                          │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "footprint.h"
#include "runtime.h"

#include "compat_threads.h"

#include <math.h>

PyTypeObject *ssb_lock_type;

int ssb_lock_is_locked(PyObject *lock) { return ssb_lock_layout_locked((const ssb_lock_layout *)lock); }

/* -- arguments of acquire, get and join ------------------------------------------- */

static int read_timeout(PyObject *timeout, int none_is_forever, int64_t *deadline)
{
    if (timeout == NULL || (timeout == Py_None && none_is_forever)) {
        *deadline = SSB_NO_DEADLINE;
        return 1;
    }
    double seconds = PyFloat_AsDouble(timeout);
    if (seconds == -1.0 && !none_is_forever) {
        if (PyErr_Occurred()) {
            PyErr_Clear();
            return 0;
        }
        *deadline = SSB_NO_DEADLINE;
        return 1;
    }
    if (PyErr_Occurred()) {
        PyErr_Clear();
        return 0;
    }
    if (!(seconds >= 0.0 && seconds <= 9223372036.0)) /* negative, too large, not a number */
        return 0;
    *deadline = ssb_deadline((int64_t)ceil(seconds * 1e9));
    return 1;
}

int ssb_parse_wait(const char *first, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames, int none_is_forever,
                   int *blocking, int64_t *deadline)
{
    PyObject *values[2] = {NULL, NULL};
    if (nargs > 2)
        return 0;
    for (Py_ssize_t i = 0; i < nargs; i++)
        values[i] = args[i];
    for (Py_ssize_t i = 0; kwnames != NULL && i < PyTuple_GET_SIZE(kwnames); i++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, i);
        int which = PyUnicode_CompareWithASCIIString(name, "timeout") == 0 ? 1
                    : PyUnicode_CompareWithASCIIString(name, first) == 0   ? 0
                                                                           : -1;
        if (which < 0 || values[which] != NULL)
            return 0;
        values[which] = args[nargs + i];
    }
    *blocking = 1;
    if (values[0] != NULL && (*blocking = PyObject_IsTrue(values[0])) < 0)
        return -1;
    if (!read_timeout(values[1], none_is_forever, deadline))
        return 0;
    if (!*blocking) {
        if (*deadline != SSB_NO_DEADLINE && !none_is_forever) /* "can't specify a timeout for a non-blocking call" */
            return 0;
        *deadline = SSB_NO_DEADLINE;
    }
    return 1;
}

/* -- the hooks ----------------------------------------------------------------------- */

static PyObject *try_acquire(ssb_hook *hook, PyObject *self)
{
    PyObject *no = Py_False;
    PyObject *result = ssb_original(hook, self, &no, 1, NULL);
    if (result == Py_True)
        ssb_held_add(self);
    return result;
}

/* After a wait that the scheduler ended because the lock is free. */
static PyObject *must_acquire(ssb_hook *hook, PyObject *self)
{
    PyObject *result = try_acquire(hook, self);
    if (result == Py_False)
        ssb_internal_error("a lock was taken although the scheduler had found it free");
    return result;
}

/* An operation of threading's own: no choice point unless it has to wait. */
static PyObject *acquire_quietly(ssb_hook *hook, PyObject *self, int blocking, int prefer)
{
    if (blocking && ssb_lock_is_locked(self))
        ssb_block_quietly(SSB_OP_ACQUIRE, self, prefer);
    return try_acquire(hook, self);
}

static PyObject *acquire(ssb_hook *hook, PyObject *self, int blocking, int64_t deadline, int operation)
{
    PyObject *result;
    if (!blocking) {
        operation = operation == SSB_OP_JOIN ? SSB_OP_LOCKED : SSB_OP_TRY_ACQUIRE;
        int access = operation == SSB_OP_LOCKED ? 1 : 3;
        ssb_visible(operation, self, 0, access, 0);
        result = try_acquire(hook, self);
        ssb_record(operation, self, NULL, access, result, "done");
        return result;
    }
    if (ssb_block(operation, self, deadline)) {
        ssb_record(operation, self, NULL, 3, NULL, "timed out");
        Py_RETURN_FALSE;
    }
    result = must_acquire(hook, self);
    ssb_record(operation, self, NULL, 3, NULL, "done");
    return result;
}

static PyObject *hook_acquire(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (!ssb.active && !ssb_is_paused())
        return ssb_original(hook, self, args, nargs, kwnames);
    int blocking = 1;
    int64_t deadline = SSB_NO_DEADLINE;
    if (nargs != 0 || kwnames != NULL) {
        int parsed = ssb_parse_wait("blocking", args, nargs, kwnames, 0, &blocking, &deadline);
        if (parsed < 0)
            return NULL;
        if (parsed == 0)
            return ssb_original(hook, self, args, nargs, kwnames);
    }
    if (!ssb.active)
        return blocking && ssb_lock_is_locked(self) ? ssb_refuse_to_wait() : try_acquire(hook, self);
    int direct;
    switch (ssb_caller_class(&direct)) {
    case SSB_CALLER_BOOK:
    case SSB_CALLER_BOOTSTRAP:
        return acquire_quietly(hook, self, blocking, 1);
    case SSB_CALLER_ATOMIC:
        return acquire_quietly(hook, self, blocking, 0);
    case SSB_CALLER_END:
        ssb_step(SSB_OP_END, NULL, 2);
        return acquire_quietly(hook, self, blocking, 1);
    case SSB_CALLER_JOIN:
        return acquire(hook, self, blocking, deadline, SSB_OP_JOIN);
    default:
        break;
    }
    /* Condition.wait: its waiter lock, free, is either fresh and nobody else's, or
     * was released by a notify and is nobody else's to take. Condition._is_owned:
     * only this thread could release the lock it holds. Neither outcome can change. */
    if (direct == SSB_CALLER_CONDITION_WAIT && !ssb_lock_is_locked(self))
        return try_acquire(hook, self);
    if (direct == SSB_CALLER_IS_OWNED && ssb_lock_is_locked(self) && ssb_held_by(self) == ssb.current)
        return try_acquire(hook, self);
    return acquire(hook, self, blocking, deadline, SSB_OP_ACQUIRE);
}

static PyObject *hook_enter(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
SSB_HOOK(acquire_method, "acquire", hook_acquire);
SSB_HOOK(acquire_lock, "acquire_lock", hook_acquire);
SSB_HOOK(enter, "__enter__", hook_enter);

/* __enter__ takes no arguments in some versions: the work is acquire's. */
static PyObject *hook_enter(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (nargs != 0 || kwnames != NULL)
        return ssb_original(hook, self, args, nargs, kwnames);
    return hook_acquire(&acquire_method, self, NULL, 0, NULL);
}

static PyObject *hook_release(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (ssb.active)
        ssb_step(SSB_OP_RELEASE, self, 3);
    PyObject *result = ssb_original(hook, self, args, nargs, kwnames);
    if (result != NULL)
        ssb_held_remove(self);
    return result;
}

static PyObject *hook_locked(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (ssb.active)
        ssb_step(SSB_OP_LOCKED, self, 1);
    return ssb_original(hook, self, args, nargs, kwnames);
}

SSB_HOOK(release_method, "release", hook_release);
SSB_HOOK(release_lock, "release_lock", hook_release);
SSB_HOOK(leave, "__exit__", hook_release);
SSB_HOOK(locked, "locked", hook_locked);
SSB_HOOK(locked_lock, "locked_lock", hook_locked);

/* Does the layout say what the methods do? */
static int check_layout(PyObject *thread_module)
{
    PyObject *lock = PyObject_CallMethod(thread_module, "allocate_lock", NULL);
    if (lock == NULL)
        return -1;
    int as_expected = Py_IS_TYPE(lock, ssb_lock_type) && !ssb_lock_is_locked(lock);
    PyObject *result = PyObject_CallMethod(lock, "acquire", NULL);
    as_expected = as_expected && ssb_lock_is_locked(lock);
    Py_XDECREF(result);
    result = PyObject_CallMethod(lock, "release", NULL);
    as_expected = as_expected && !ssb_lock_is_locked(lock);
    Py_XDECREF(result);
    Py_DECREF(lock);
    if (PyErr_Occurred())
        return -1;
    if (!as_expected) {
        PyErr_SetString(PyExc_RuntimeError, "_thread.lock is laid out differently in this interpreter");
        return -1;
    }
    return 0;
}

static destructor original_dealloc;

static void hook_dealloc(PyObject *self)
{
    ssb_touch_freed(self);
    original_dealloc(self);
}

int ssb_locks_take_over(PyObject *thread_module)
{
    ssb_lock_type = (PyTypeObject *)PyObject_GetAttrString(thread_module, "LockType");
    if (ssb_lock_type == NULL || check_layout(thread_module) < 0)
        return -1;
    ssb_hook *hooks[] = {&acquire_method, &acquire_lock, &enter, &release_method, &release_lock, &leave, &locked, &locked_lock};
    for (size_t i = 0; i < sizeof hooks / sizeof hooks[0]; i++)
        if (ssb_take_over_method(ssb_lock_type, hooks[i]) < 0)
            return -1;
    original_dealloc = ssb_lock_type->tp_dealloc;
    ssb_lock_type->tp_dealloc = hook_dealloc;
    return 0;
}
