/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ observe_library.c — who looks at addresses without consequence.            │
 * │                                                                            │
 * │ The standard library remembers objects by address, walks sets of them and  │
 * │ drops texts that name them. Where nothing that a program can see follows   │
 * │ from that, it is no look: else every test of a thread pool would have      │
 * │ addresses in its states. What is said here of a function was read in its   │
 * │ source, and holds for every order of the set and every address.            │
 * │                                                                            │
 * │ A function is the library's if its code is in the library's folder.        │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>

static const char futures[] = "/concurrent/futures/_base.py", pools[] = "/concurrent/futures/thread.py", tasks[] = "/asyncio/tasks.py",
                  threads[] = "/threading.py", weak_sets[] = "/_weakrefset.py", expression[] = ".<locals>.<genexpr>";

static PyObject *library; /* its folder; NULL: unknown, and nothing counts as part of it */
static PyObject *state_name;

void ssbf_find_library(void)
{
    PyObject *os = PyImport_ImportModule("os"), *file = os ? PyObject_GetAttrString(os, "__file__") : NULL;
    Py_ssize_t n = file && PyUnicode_Check(file) ? PyUnicode_GET_LENGTH(file) - (Py_ssize_t)strlen("os.py") : -1;
    if (n > 0 && PyUnicode_IS_ASCII(file))
        library = PyUnicode_Substring(file, 0, n);
    state_name = PyUnicode_InternFromString("_state");
    Py_XDECREF(file);
    Py_XDECREF(os);
    PyErr_Clear();
}

/* ---- functions ------------------------------------------------------------------------------ */

static int ends_with(PyObject *text, const char *end)
{
    Py_ssize_t n = PyUnicode_GET_LENGTH(text), m = (Py_ssize_t)strlen(end);
    return PyUnicode_IS_ASCII(text) && n >= m && !memcmp((const char *)PyUnicode_DATA(text) + n - m, end, (size_t)m);
}

static int starts_with(PyObject *text, const char *start)
{
    size_t n = strlen(start);
    return PyUnicode_IS_ASCII(text) && (size_t)PyUnicode_GET_LENGTH(text) >= n && !memcmp(PyUnicode_DATA(text), start, n);
}

static int is_of_library(PyCodeObject *code, const char *file)
{
    return library && ends_with(code->co_filename, file) && starts_with(code->co_filename, PyUnicode_DATA(library));
}

static int is_expression(PyCodeObject *code) { return ends_with(code->co_qualname, expression); }

/* Or is it a generator expression in it? From 3.15 on these ask for the iterator themselves. */
static int is_function(PyCodeObject *code, const char *name, const char *file)
{
    size_t n = strlen(name) + (is_expression(code) ? strlen(expression) : 0);
    return starts_with(code->co_qualname, name) && (size_t)PyUnicode_GET_LENGTH(code->co_qualname) == n && is_of_library(code, file);
}

static ssb_frame *caller(void) { return ssb_thread_frame(PyThreadState_Get()); }

static PyObject *local(ssb_frame *frame, const char *name)
{
    PyCodeObject *code = ssb_frame_code(frame);
    for (int i = 0; i < code->co_nlocalsplus; i++)
        if (!PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(code->co_localsplusnames, i), name))
            return ssb_frame_value(frame, i);
    return NULL;
}

/* ---- addresses ------------------------------------------------------------------------------ */

/* Futures are locked all at once, one after the other in the order of their addresses so that nobody waits in a circle. What
 * is seen when all are locked is the same in any order: what happens to one that is not locked yet may as well come before. */
static int locks_futures(PyCodeObject *code) { return is_function(code, "_AcquireFutures.__init__", futures); }

/* Objects are remembered by address while they are walked, and nobody is shown what is remembered: copies, encoders, guards
 * against endless repr, and exceptions that are described once. */
int ssbf_addresses_are_forgotten(void)
{
    static const char *const files[] = {"/copy.py", "/json/encoder.py", "/reprlib.py", "/dataclasses.py", "/traceback.py"};
    ssb_frame *frame = caller();
    for (size_t i = 0; frame && i < sizeof files / sizeof *files; i++)
        if (is_of_library(ssb_frame_code(frame), files[i]))
            return 1;
    return frame && locks_futures(ssb_frame_code(frame));
}

/* Condition.wait forgets a lock that somebody else has taken from its waiters already: the error that names it is dropped. */
int ssbf_text_is_dropped(void)
{
    ssb_frame *frame = caller();
    return frame && is_function(ssb_frame_code(frame), "Condition.wait", threads);
}

/* pytest describes a failed assertion: the outcome is decided. */
int ssbf_describes_a_failure(void)
{
    ssb_frame *frame = caller();
    for (int depth = 0; frame && depth < 12; depth++, frame = ssb_frame_previous(frame)) {
        PyCodeObject *code = ssb_frame_code(frame);
        if (!PyUnicode_CompareWithASCIIString(code->co_qualname, "AssertionRewritingHook.exec_module"))
            return 0; /* a module that is being imported */
        if (ends_with(code->co_filename, "_pytest/_io/saferepr.py") || ends_with(code->co_filename, "_pytest/assertion/util.py") ||
            ends_with(code->co_filename, "_pytest/assertion/rewrite.py"))
            return 1;
    }
    return 0;
}

/* ---- the order of sets ------------------------------------------------------------------------ */

static int waits_for_tasks(PyCodeObject *code) { return is_function(code, "wait", tasks) || is_function(code, "_wait", tasks); }

static int waits_for_futures(PyCodeObject *code)
{
    return is_function(code, "wait", futures) || is_function(code, "as_completed", futures) ||
           is_function(code, "_create_and_install_waiters", futures);
}

static int shuts_a_pool_down(PyCodeObject *code) { return starts_with(code->co_qualname, "ThreadPoolExecutor.shutdown") && is_of_library(code, pools); }

static int forgets_locks(PyCodeObject *code) { return starts_with(code->co_qualname, "_maintain_shutdown_locks") && is_of_library(code, threads); }

/* asyncio.all_tasks() makes a set of what is in a weak one. */
static int collects_tasks(ssb_frame *frame)
{
    ssb_frame *asking = ssb_frame_previous(frame);
    return is_function(ssb_frame_code(frame), "WeakSet.__iter__", weak_sets) && asking &&
           is_function(ssb_frame_code(asking), "all_tasks", tasks);
}

/* A new subinterpreter does something with each of its modules. */
static int makes_paths_absolute(PyCodeObject *code)
{
    return starts_with(code->co_qualname, "abs_paths") && ends_with(code->co_filename, "<frozen site>");
}

/* Does the code walk sets whose order may make no difference? */
int ssbf_may_walk_sets(PyCodeObject *code)
{
    return waits_for_futures(code) || waits_for_tasks(code) || shuts_a_pool_down(code) || forgets_locks(code);
}

/* Whoever shuts down the pool that it works for fails when it comes to itself: before or after it has waited for others. */
static int is_in_a_pool(ssb_frame *frame)
{
    for (; frame; frame = ssb_frame_previous(frame))
        if (is_function(ssb_frame_code(frame), "_worker", pools))
            return 1;
    return 0;
}

/* Is it known that nothing can happen to the future any more? Runs no Python code. */
static int is_finished(PyObject *future)
{
    PyTypeObject *type = Py_TYPE(future);
    if (type->tp_getattro != PyObject_GenericGetAttr || !state_name || _PyType_Lookup(type, state_name))
        return 0;
    PyObject *state = PyObject_GenericGetAttr(future, state_name);
    int finished = state && PyUnicode_Check(state) && (!PyUnicode_CompareWithASCIIString(state, "FINISHED") ||
                                                       !PyUnicode_CompareWithASCIIString(state, "CANCELLED_AND_NOTIFIED"));
    Py_XDECREF(state);
    PyErr_Clear();
    return finished;
}

static int is_all_but_one_finished(PySetObject *s)
{
    Py_ssize_t left = 0;
    for (Py_ssize_t i = 0; i <= s->mask; i++)
        left += s->table[i].key && s->table[i].hash != -1 && !is_finished(s->table[i].key);
    return left <= 1;
}

/* `wait` lets go of the futures in the end, one after the other, and names those that were done by then. Of two that are still
 * running the later may be among them and the earlier not, if it let go of the earlier first. */
static int lets_go_of_several(ssb_frame *frame, PyObject *set)
{
    return is_function(ssb_frame_code(frame), "wait", futures) && local(frame, "waiter") && !is_all_but_one_finished((PySetObject *)set);
}

/* The code that runs asks for an iterator. Of locked futures all are counted, or asked whether there is any of a kind. Then each is
 * given a waiter. Who waits for tasks does so without being interrupted. A pool is shut down when all its threads
 * have ended, in whatever order they are waited for. Locks that are released are taken out of a set. */
int ssbf_order_is_irrelevant(PyObject *set)
{
    ssb_frame *frame = caller();
    PyCodeObject *code = frame ? ssb_frame_code(frame) : NULL;
    if (!code)
        return 0;
    if (waits_for_futures(code) || waits_for_tasks(code))
        return is_expression(code) || (local(frame, "fs") == set && !lets_go_of_several(frame, set));
    return locks_futures(code) || forgets_locks(code) || collects_tasks(frame) || makes_paths_absolute(code) ||
           (shuts_a_pool_down(code) && !is_in_a_pool(frame));
}

#endif
