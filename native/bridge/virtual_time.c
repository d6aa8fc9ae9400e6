/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ virtual_time.c — clocks that move only when the scheduler moves them.      │
 * │                                                                            │
 * │ Wall clocks start at the configured epoch in every execution; the others   │
 * │ at the time of attach() rounded up to a second: differences to what        │
 * │ fixtures measured are never negative, and sums of floats round the same    │
 * │ way whatever the second (while its power of two is the same).              │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "runtime.h"

#include "footprint.h"

#include <math.h>
#include <time.h>

static const int64_t second = 1000000000;
static int64_t monotonic_base; /* ns */

void ssb_time_attach(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    monotonic_base = ((int64_t)now.tv_sec + 1) * second;
}

static int64_t now(void)
{
    ssb.time_matters = 1;
    ssb_touch_everything();
    return ssb.clock_ns;
}

static int64_t wall(void) { return ssb.epoch_ns + now(); }
static int64_t monotonic(void) { return monotonic_base + now(); }

/* Whole seconds and the rest apart: exact for small times. */
static PyObject *as_seconds(int64_t ns) { return PyFloat_FromDouble((double)(ns / second) + (double)(ns % second) / 1e9); }

#define CLOCK_HOOK(id, name, value)                                                                                    \
    static PyObject *hook_##id(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs,                \
                               PyObject *kwnames)                                                                      \
    {                                                                                                                  \
        return ssb.active || ssb_is_paused() ? (value) : ssb_original(hook, self, args, nargs, kwnames);               \
    }                                                                                                                  \
    SSB_HOOK_OPTIONAL(id, name, hook_##id)

CLOCK_HOOK(time_seconds, "time", as_seconds(wall()));
CLOCK_HOOK(time_nanoseconds, "time_ns", PyLong_FromLongLong(wall()));
CLOCK_HOOK(monotonic_seconds, "monotonic", as_seconds(monotonic()));
CLOCK_HOOK(monotonic_nanoseconds, "monotonic_ns", PyLong_FromLongLong(monotonic()));
CLOCK_HOOK(counter_seconds, "perf_counter", as_seconds(monotonic()));
CLOCK_HOOK(counter_nanoseconds, "perf_counter_ns", PyLong_FromLongLong(monotonic()));
CLOCK_HOOK(process_seconds, "process_time", as_seconds(monotonic()));
CLOCK_HOOK(process_nanoseconds, "process_time_ns", PyLong_FromLongLong(monotonic()));
CLOCK_HOOK(thread_seconds, "thread_time", as_seconds(monotonic()));
CLOCK_HOOK(thread_nanoseconds, "thread_time_ns", PyLong_FromLongLong(monotonic()));

static int64_t of_clock(PyObject *clock)
{
    long number = PyLong_AsLong(clock);
    int is_wall = number == CLOCK_REALTIME || number == CLOCK_REALTIME_COARSE || number == CLOCK_TAI;
    return is_wall ? wall() : monotonic();
}

static int can_answer(PyObject *const *args, Py_ssize_t nargs)
{
    return (ssb.active || ssb_is_paused()) && nargs == 1 && PyLong_Check(args[0]);
}

static PyObject *hook_gettime(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    return can_answer(args, nargs) ? as_seconds(of_clock(args[0])) : ssb_original(hook, self, args, nargs, kwnames);
}

static PyObject *hook_gettime_ns(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                 PyObject *kwnames)
{
    return can_answer(args, nargs) ? PyLong_FromLongLong(of_clock(args[0]))
                                   : ssb_original(hook, self, args, nargs, kwnames);
}

/* localtime, gmtime, ctime: without an argument they mean now. */
static PyObject *hook_calendar(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    int now = nargs == 0 || (nargs == 1 && args[0] == Py_None);
    if (!now || !(ssb.active || ssb_is_paused()))
        return ssb_original(hook, self, args, nargs, kwnames);
    PyObject *seconds = as_seconds(wall());
    PyObject *result = seconds != NULL ? ssb_original(hook, self, &seconds, 1, NULL) : NULL;
    Py_XDECREF(seconds);
    return result;
}

SSB_HOOK(clock_gettime_seconds, "clock_gettime", hook_gettime);
SSB_HOOK(clock_gettime_nanoseconds, "clock_gettime_ns", hook_gettime_ns);
SSB_HOOK(local_time, "localtime", hook_calendar);
SSB_HOOK(gm_time, "gmtime", hook_calendar);
SSB_HOOK(c_time, "ctime", hook_calendar);

/* strftime(format) and asctime(): the missing tuple is localtime(). */
static PyObject *hook_with_local_time(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                      PyObject *kwnames)
{
    Py_ssize_t without = hook->name[0] == 's' ? 1 : 0;
    if (nargs != without || !(ssb.active || ssb_is_paused()))
        return ssb_original(hook, self, args, nargs, kwnames);
    PyObject *now = hook_calendar(&local_time, self, NULL, 0, NULL);
    if (now == NULL)
        return NULL;
    PyObject *all[2] = {without == 1 ? args[0] : now, now};
    PyObject *result = ssb_original(hook, self, all, without + 1, NULL);
    Py_DECREF(now);
    return result;
}

static PyObject *hook_sleep(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (!ssb.active && !ssb_is_paused())
        return ssb_original(hook, self, args, nargs, kwnames);
    double seconds = PyFloat_AsDouble(args[0]);
    if (!(seconds >= 0.0 && seconds <= 9223372036.0)) { /* the original says what is wrong */
        PyErr_Clear();
        return ssb_original(hook, self, args, nargs, kwnames);
    }
    if (!ssb.active)
        return ssb_refuse_to_wait();
    ssb_block(SSB_OP_SLEEP, NULL, ssb_deadline((int64_t)ceil(seconds * 1e9)));
    ssb_record(SSB_OP_SLEEP, NULL, NULL, 0, args[0], "done");
    Py_RETURN_NONE;
}

SSB_HOOK(string_time, "strftime", hook_with_local_time);
SSB_HOOK(ascii_time, "asctime", hook_with_local_time);
SSB_HOOK(sleep_seconds, "sleep", hook_sleep);

/* -- datetime reads the clock in C ------------------------------------------------- */

static PyObject *hook_now(ssb_hook *hook, PyObject *class, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    int one = nargs + (kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0) <= 1;
    if (!(ssb.active || ssb_is_paused()) || !one)
        return ssb_original(hook, class, args, nargs, kwnames);
    int has_zone = nargs == 1 || kwnames != NULL;
    if (kwnames != NULL && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(kwnames, 0), "tz") != 0)
        return ssb_original(hook, class, args, nargs, kwnames);
    PyObject *seconds = as_seconds(wall());
    if (seconds == NULL)
        return NULL;
    PyObject *result = PyObject_CallMethod(class, "fromtimestamp", "OO", seconds, has_zone ? args[0] : Py_None);
    Py_DECREF(seconds);
    return result;
}

static PyObject *hook_utcnow(ssb_hook *hook, PyObject *class, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (!(ssb.active || ssb_is_paused()))
        return ssb_original(hook, class, args, nargs, kwnames);
    PyObject *now = ssb_original(hook, class, args, nargs, kwnames); /* for its warning, where it gives one */
    if (now == NULL)
        return NULL;
    Py_DECREF(now);
    int64_t ns = wall();
    PyObject *epoch = PyObject_CallFunction(class, "iii", 1970, 1, 1);
    PyObject *module = PyImport_ImportModule("datetime");
    PyObject *since = module == NULL ? NULL
                                     : PyObject_CallMethod(module, "timedelta", "iLL", 0, (long long)(ns / second),
                                                           (long long)(ns % second / 1000));
    PyObject *result = epoch != NULL && since != NULL ? PyNumber_Add(epoch, since) : NULL;
    Py_XDECREF(epoch);
    Py_XDECREF(module);
    Py_XDECREF(since);
    return result;
}

SSB_HOOK(datetime_now, "now", hook_now);
SSB_HOOK(datetime_utcnow, "utcnow", hook_utcnow);

static int take_over_datetime(void)
{
    /* Only if it is loaded: importing a C extension is not possible while exploring. */
    PyObject *module = PyDict_GetItemString(PyImport_GetModuleDict(), "_datetime");
    if (module == NULL)
        return 0;
    PyObject *type = PyObject_GetAttrString(module, "datetime");
    int result = type == NULL || ssb_take_over_method((PyTypeObject *)type, &datetime_now) < 0 ||
                         ssb_take_over_method((PyTypeObject *)type, &datetime_utcnow) < 0
                     ? -1
                     : 0;
    Py_XDECREF(type);
    return result;
}

int ssb_time_take_over(void)
{
    PyObject *module = PyImport_ImportModule("time");
    if (module == NULL)
        return -1;
    ssb_hook *hooks[] = {
        &time_seconds,   &time_nanoseconds, &monotonic_seconds,   &monotonic_nanoseconds, &counter_seconds,
        &counter_nanoseconds, &process_seconds, &process_nanoseconds, &thread_seconds,   &thread_nanoseconds,
        &clock_gettime_seconds, &clock_gettime_nanoseconds, &local_time, &gm_time, &c_time, &string_time,
        &ascii_time,     &sleep_seconds,
    };
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof hooks / sizeof hooks[0]; i++)
        result = ssb_take_over_function(module, hooks[i]);
    Py_DECREF(module);
    return result < 0 ? -1 : take_over_datetime();
}
