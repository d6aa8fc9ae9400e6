/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ threads.c — simulated threads: birth, life on a donor, end.                │
 * │                                                                            │
 * │ A simulated thread runs on the stack and under the thread pointer of a     │
 * │ parked pthread. To Python it is that pthread: it gets its thread state     │
 * │ when it begins and loses it at its end, which is what sets free those who  │
 * │ join it. Donors are not used twice in one execution, so identities are     │
 * │ never reused either.                                                       │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "runtime.h"

#include "compat_threads.h"
#include "footprint.h"

#include <pthread.h>
#include <stdio.h>

static PyObject *thread_failed; /* callable(exception), never returns */

void ssb_set_thread_failed(PyObject *callable) { Py_XSETREF(thread_failed, Py_NewRef(callable)); }

void ssb_thread_failed(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL)
        PyException_SetTraceback(value, traceback);
    ssb_pause();
    PyObject *result = PyObject_CallOneArg(thread_failed, value);
    if (result == NULL)
        PyErr_Clear();
    ssb_internal_error("config['thread_failed'] came back from a %s", Py_TYPE(value)->tp_name);
}

/* pthread_self() is the thread pointer plus a constant of the C library. */
unsigned long ssb_thread_ident(const ssb_thread *t)
{
    static long distance;
    static int known;
    if (!known) {
        distance = (long)((uintptr_t)pthread_self() - ssb.engine->thread_pointer());
        known = 1;
    }
    return (unsigned long)t->tls + (unsigned long)distance;
}

uint32_t ssb_thread_of_handle(PyObject *handle)
{
    for (uint32_t i = 1; i < ssb.n_threads; i++)
        if (ssb.threads[i].handle == handle)
            return i;
    return SS_NONE;
}

/* Where a simulated thread starts: on its donor's stack, without the GIL. */
static void thread_main(void)
{
    ssb_thread *t = ssb_current();
    t->tstate = ssb_thread_state_begin(t->stack_lo, t->stack_hi);
    t->operation = SSB_OP_NONE;
    t->access = 0;
    if (ssb_preempt_enter_thread() < 0)
        ssb_thread_failed();
    ssb_resumed();
    if (!t->bookkeeping)
        ssb_record(SSB_OP_BEGIN, NULL, NULL, 2, NULL, "done");

    PyObject *result = PyObject_Call(t->function, t->args, t->kwargs);
    if (result == NULL) {
        if (PyErr_ExceptionMatches(PyExc_SystemExit))
            PyErr_Clear();
        else
            ssb_report_lost_exception(t->function); /* sys.unraisablehook: ours ends the execution */
    }
    Py_XDECREF(result);
    Py_CLEAR(t->function);
    Py_CLEAR(t->args);
    Py_CLEAR(t->kwargs);
    if (!t->ended) {
        ssb_visible(SSB_OP_END, NULL, 0, 2, 0);
        ssb_record(SSB_OP_END, NULL, NULL, 2, NULL, "done");
    }
    ssb_thread_state_end(t->tstate); /* and gives up the GIL */
    t->tstate = NULL;
    t->bookkeeping = 0;
    t->status = SSB_DONE;
    ssb_leave_thread();
}

void ssb_start_thread(PyObject *function, PyObject *args, PyObject *kwargs, PyObject *handle)
{
    int bookkeeping = ssb_caller_class(NULL) == SSB_CALLER_BOOK;
    ssb_visible(SSB_OP_START, NULL, 0, 2, 0);
    if (ssb.n_threads >= ssb.max_threads) {
        char text[SS_DETAIL_BYTES];
        snprintf(text, sizeof text, "more than %u threads (--statespace-max-threads)", ssb.max_threads);
        ssb.engine->end_path(ssb.arena, SS_END_UNSUPPORTED, text);
    }
    ssb_thread *t = &ssb.threads[ssb.n_threads];
    t->function = Py_NewRef(function);
    t->args = Py_NewRef(args);
    t->kwargs = Py_XNewRef(kwargs);
    t->handle = Py_XNewRef(handle);
    t->operation = SSB_OP_BEGIN;
    t->access = 2;
    t->deadline_ns = SSB_NO_DEADLINE;
    t->bookkeeping = (uint8_t)bookkeeping;
    t->status = SSB_READY;
    ssb.engine->context_make(&t->context, t->stack_hi, t->tls, thread_main);
    ssb.n_threads++;
    ssb_record(SSB_OP_START, NULL, NULL, 2, NULL, "done");
}

static PyObject *hook_start(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    /* What the original refuses it refuses with its own words. */
    int valid = (nargs == 2 || nargs == 3) && kwnames == NULL && PyCallable_Check(args[0]) && PyTuple_Check(args[1]) &&
                (nargs == 2 || PyDict_Check(args[2]));
    if (valid && ssb_is_paused())
        return ssb_refuse_to_start();
    if (!ssb.active || !valid)
        return ssb_original(hook, self, args, nargs, kwnames);
    PyObject *kwargs = nargs == 3 ? args[2] : NULL;
    if (PySys_Audit("_thread.start_new_thread", "OOO", args[0], args[1], kwargs != NULL ? kwargs : Py_None) < 0)
        return NULL;
    ssb_start_thread(args[0], args[1], kwargs, NULL);
    return PyLong_FromUnsignedLong(ssb_thread_ident(&ssb.threads[ssb.n_threads - 1]));
}

/* 3.11, 3.12: the lock that is released when the thread state goes is what joiners wait for. */
static PyObject *hook_set_sentinel(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                   PyObject *kwnames)
{
    PyObject *lock = ssb_original(hook, self, args, nargs, kwnames);
    if (lock != NULL && ssb.active && ssb.current != 0)
        Py_XSETREF(ssb_current()->handle, Py_NewRef(lock));
    return lock;
}

static PyObject *hook_count(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (!ssb.active && !ssb_is_paused())
        return ssb_original(hook, self, args, nargs, kwnames);
    ssb_step(SSB_OP_ACCESS, NULL, 1);
    ssb_touch_everything();
    long n = 0;
    for (uint32_t i = 1; i < ssb.n_threads; i++)
        n += ssb.threads[i].status != SSB_DONE;
    return PyLong_FromLong(n);
}

/* The kernel's thread number would differ between a run and its replay. */
static PyObject *hook_native_id(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (!ssb.active && !ssb_is_paused())
        return ssb_original(hook, self, args, nargs, kwnames);
    return PyLong_FromUnsignedLong(ssb.current + 1ul);
}

/* 3.14 and later: all simulated threads are one for the kernel, and no program can ask for the name. */
static PyObject *hook_set_name(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    int plain = nargs == 1 && kwnames == NULL && PyUnicode_Check(args[0]);
    if (!plain || (!ssb.active && !ssb_is_paused()))
        return ssb_original(hook, self, args, nargs, kwnames);
    Py_RETURN_NONE;
}

SSB_HOOK(start_new_thread, "start_new_thread", hook_start);
SSB_HOOK(start_new, "start_new", hook_start);
SSB_HOOK_OPTIONAL(set_sentinel, "_set_sentinel", hook_set_sentinel);
SSB_HOOK(count, "_count", hook_count);
SSB_HOOK(native_id, "get_native_id", hook_native_id);
SSB_HOOK_OPTIONAL(set_name, "set_name", hook_set_name);

int ssb_threads_take_over(PyObject *thread_module)
{
    ssb_hook *hooks[] = {&start_new_thread, &start_new, &set_sentinel, &count, &native_id, &set_name};
    for (size_t i = 0; i < sizeof hooks / sizeof hooks[0]; i++)
        if (ssb_take_over_function(thread_module, hooks[i]) < 0)
            return -1;
    return 0;
}
