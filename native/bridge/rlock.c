/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ rlock.c — _thread.RLock.                                                   │
 * │                                                                            │
 * │ Only the outermost acquire and release are visible operations: what the    │
 * │ owner does in between no other thread can notice or prevent.               │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "footprint.h"
#include "runtime.h"

#include "compat_threads.h"

PyTypeObject *ssb_rlock_type;

static const ssb_rlock_layout *layout(PyObject *rlock) { return (const ssb_rlock_layout *)rlock; }

int ssb_rlock_can_acquire(PyObject *rlock, const ssb_thread *by)
{
    return ssb_rlock_layout_count(layout(rlock)) == 0 || ssb_rlock_layout_owner(layout(rlock)) == ssb_thread_ident(by);
}

static int is_free(PyObject *rlock) { return ssb_rlock_layout_count(layout(rlock)) == 0; }
static int is_mine(PyObject *rlock)
{
    return !is_free(rlock) && ssb_rlock_layout_owner(layout(rlock)) == ssb_thread_ident(ssb_current());
}

static PyObject *try_acquire(ssb_hook *hook, PyObject *self)
{
    PyObject *no = Py_False;
    return ssb_original(hook, self, &no, 1, NULL);
}

/* Wait until the lock is free. 0: it is; 1: the deadline passed first. */
static int wait_for(PyObject *self, int64_t deadline)
{
    switch (ssb_caller_class(NULL)) {
    case SSB_CALLER_ORDINARY:
    case SSB_CALLER_JOIN: {
        int timed_out = ssb_block(SSB_OP_ACQUIRE, self, deadline);
        ssb_record(SSB_OP_ACQUIRE, self, NULL, 3, NULL, timed_out ? "timed out" : "done");
        return timed_out;
    }
    case SSB_CALLER_END:
        ssb_step(SSB_OP_END, NULL, 2);
        break;
    default:
        break;
    }
    if (!is_free(self))
        ssb_block_quietly(SSB_OP_ACQUIRE, self, ssb_caller_class(NULL) != SSB_CALLER_ATOMIC);
    return 0;
}

static PyObject *hook_acquire(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if ((!ssb.active && !ssb_is_paused()) || is_mine(self))
        return ssb_original(hook, self, args, nargs, kwnames);
    int blocking = 1;
    int64_t deadline = SSB_NO_DEADLINE;
    int parsed = ssb_parse_wait("blocking", args, nargs, kwnames, 0, &blocking, &deadline);
    if (parsed < 0)
        return NULL;
    if (parsed == 0)
        return ssb_original(hook, self, args, nargs, kwnames);
    if (!ssb.active)
        return blocking && !is_free(self) ? ssb_refuse_to_wait() : try_acquire(hook, self);
    if (!blocking)
        ssb_step(SSB_OP_TRY_ACQUIRE, self, 3);
    else if (wait_for(self, deadline))
        Py_RETURN_FALSE;
    PyObject *result = try_acquire(hook, self);
    if (blocking && result == Py_False)
        ssb_internal_error("an RLock was taken although the scheduler had found it free");
    return result;
}

static PyObject *hook_enter(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
SSB_HOOK(acquire_method, "acquire", hook_acquire);
SSB_HOOK(enter, "__enter__", hook_enter);

static PyObject *hook_enter(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (nargs != 0 || kwnames != NULL)
        return ssb_original(hook, self, args, nargs, kwnames);
    return hook_acquire(&acquire_method, self, NULL, 0, NULL);
}

/* Condition.wait takes the lock back as deep as it was. */
static PyObject *hook_acquire_restore(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                      PyObject *kwnames)
{
    if (ssb.active && !is_mine(self))
        wait_for(self, SSB_NO_DEADLINE);
    else if (ssb_is_paused() && !is_free(self) && !is_mine(self))
        return ssb_refuse_to_wait();
    return ssb_original(hook, self, args, nargs, kwnames);
}

static PyObject *hook_release(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (ssb.active && is_mine(self) && ssb_rlock_layout_count(layout(self)) == 1)
        ssb_step(SSB_OP_RELEASE, self, 3);
    PyObject *result = ssb_original(hook, self, args, nargs, kwnames);
    if (result != NULL && ssb.active)
        ssb_after_release();
    return result;
}

static PyObject *hook_release_save(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                   PyObject *kwnames)
{
    if (ssb.active && is_mine(self))
        ssb_step(SSB_OP_RELEASE, self, 3);
    return ssb_original(hook, self, args, nargs, kwnames);
}

/* 3.14 and later. */
static PyObject *hook_locked(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (ssb.active && !is_mine(self))
        ssb_step(SSB_OP_LOCKED, self, 1);
    return ssb_original(hook, self, args, nargs, kwnames);
}

SSB_HOOK(acquire_restore, "_acquire_restore", hook_acquire_restore);
SSB_HOOK(release_method, "release", hook_release);
SSB_HOOK(leave, "__exit__", hook_release);
SSB_HOOK(release_save, "_release_save", hook_release_save);
SSB_HOOK_OPTIONAL(locked, "locked", hook_locked);

/* Does the layout say what the methods do? */
static int check_layout(void)
{
    PyObject *rlock = PyObject_CallNoArgs((PyObject *)ssb_rlock_type);
    if (rlock == NULL)
        return -1;
    int as_expected = is_free(rlock);
    for (unsigned long depth = 1; depth <= 2; depth++) {
        PyObject *result = PyObject_CallMethod(rlock, "acquire", NULL);
        as_expected = as_expected && ssb_rlock_layout_count(layout(rlock)) == depth &&
                      ssb_rlock_layout_owner(layout(rlock)) == PyThread_get_thread_ident();
        Py_XDECREF(result);
    }
    for (int depth = 0; depth < 2; depth++)
        Py_XDECREF(PyObject_CallMethod(rlock, "release", NULL));
    as_expected = as_expected && is_free(rlock);
    Py_DECREF(rlock);
    if (PyErr_Occurred())
        return -1;
    if (!as_expected) {
        PyErr_SetString(PyExc_RuntimeError, "_thread.RLock is laid out differently in this interpreter");
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

int ssb_rlocks_take_over(PyObject *thread_module)
{
    ssb_rlock_type = (PyTypeObject *)PyObject_GetAttrString(thread_module, "RLock");
    if (ssb_rlock_type == NULL || check_layout() < 0)
        return -1;
    ssb_hook *hooks[] = {&acquire_method, &enter, &acquire_restore, &release_method, &leave, &release_save, &locked};
    for (size_t i = 0; i < sizeof hooks / sizeof hooks[0]; i++)
        if (ssb_take_over_method(ssb_rlock_type, hooks[i]) < 0)
            return -1;
    original_dealloc = ssb_rlock_type->tp_dealloc;
    ssb_rlock_type->tp_dealloc = hook_dealloc;
    return 0;
}
