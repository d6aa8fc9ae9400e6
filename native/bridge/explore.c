/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ explore.c — turning the forked child into one that can be explored.        │
 * │                                                                            │
 * │ Everything that allocates, imports or maps memory happens before the base  │
 * │ snapshot, each step timed. Then the agent runs the body once per path, as  │
 * │ simulated thread 0, from that one memory image.                            │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "runtime.h"

#include "compat_threads.h"
#include "explain.h"
#include "footprint.h"
#include "weaken.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const char *const ssb_phase_names[SSB_N_PHASES] = {
    "malloc", "donors", "take_over", "heap", "preempt", "fingerprint_prepare", "fingerprint_freeze",
};

typedef struct settings {
    long max_threads, granularity;
    int explain, races, footprints, timeouts_any, lends_time, guard, fingerprint, check;
    size_t heap_bytes, brk_bytes, stack_bytes;
    long long epoch_ns;
    const char *tracker;
    PyObject *tables, *recorder, *invariants, *thread_failed, *ignored; /* borrowed from the config; the last may be NULL */
} settings;

static PyObject *body;      /* for the life of the child */
static ss_setup setup;
static int begin_error, verify_base;
static uint64_t phase_start;

/* -- settings ---------------------------------------------------------------------- */

static PyObject *need(PyObject *config, const char *key)
{
    PyObject *value = PyDict_GetItemString(config, key);
    if (value == NULL && !PyErr_Occurred())
        PyErr_Format(PyExc_ValueError, "config['%s'] is missing", key);
    return value;
}

static long long need_int(PyObject *config, const char *key, long long least, long long most)
{
    PyObject *value = need(config, key);
    long long number = value != NULL ? PyLong_AsLongLong(value) : -1;
    if (!PyErr_Occurred() && (number < least || number > most))
        PyErr_Format(PyExc_ValueError, "config['%s'] is %lld; it must lie in %lld..%lld", key, number, least, most);
    return number;
}

static int need_bool(PyObject *config, const char *key)
{
    PyObject *value = need(config, key);
    return value != NULL ? PyObject_IsTrue(value) : 0;
}

static int read_settings(PyObject *config, settings *s)
{
    if (!PyDict_Check(config)) {
        PyErr_SetString(PyExc_ValueError, "config must be a dict");
        return -1;
    }
    s->max_threads = (long)need_int(config, "max_threads", 1, SS_MAX_THREADS);
    s->granularity = PyErr_Occurred() ? 0 : (long)need_int(config, "granularity", SSB_SYNC, SSB_GIL);
    s->heap_bytes = PyErr_Occurred() ? 0 : (size_t)need_int(config, "heap_bytes", 1 << 20, INT64_MAX);
    s->brk_bytes = PyErr_Occurred() ? 0 : (size_t)need_int(config, "brk_bytes", 0, INT64_MAX);
    s->stack_bytes = PyErr_Occurred() ? 0 : (size_t)need_int(config, "stack_bytes", 64 << 10, INT64_MAX);
    s->epoch_ns = PyErr_Occurred() ? 0 : need_int(config, "epoch_ns", 0, INT64_MAX / 2);
    if (PyErr_Occurred())
        return -1;
    PyObject *explain = PyDict_GetItemString(config, "explain");
    s->explain = explain != NULL && PyObject_IsTrue(explain) == 1;
    PyObject *races = PyDict_GetItemString(config, "races");
    s->races = races != NULL && PyObject_IsTrue(races) == 1;
    PyObject *footprints = PyDict_GetItemString(config, "footprints");
    s->footprints = footprints != NULL && PyObject_IsTrue(footprints) == 1;
    PyObject *lends_time = PyDict_GetItemString(config, "lends_time");
    s->lends_time = lends_time != NULL && PyObject_IsTrue(lends_time) == 1;
    s->timeouts_any = need_bool(config, "timeouts_any");
    s->guard = need_bool(config, "guard");
    s->fingerprint = need_bool(config, "fingerprint");
    PyObject *check = PyDict_GetItemString(config, "check");
    s->check = check != NULL && PyObject_IsTrue(check) == 1;
    PyObject *tracker = need(config, "tracker");
    s->tracker = tracker != NULL ? PyUnicode_AsUTF8(tracker) : NULL;
    s->tables = need(config, "tables");
    s->recorder = need(config, "recorder");
    s->invariants = need(config, "invariants");
    s->thread_failed = need(config, "thread_failed");
    s->ignored = PyDict_GetItemString(config, "ignored");
    if (PyErr_Occurred())
        return -1;
    if (s->ignored != NULL && !PyList_Check(s->ignored)) {
        PyErr_SetString(PyExc_ValueError, "config: 'ignored' must be a list");
        return -1;
    }
    if (!PyList_Check(s->invariants) || !PyDict_Check(s->tables) || !PyCallable_Check(s->thread_failed)) {
        PyErr_SetString(PyExc_ValueError,
                        "config: 'invariants' must be a list, 'tables' a dict and 'thread_failed' callable");
        return -1;
    }
    return 0;
}

/* -- phases --------------------------------------------------------------------------- */

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void phase_done(enum ssb_setup_phase phase)
{
    uint64_t t = now();
    ssb_setup_times[phase] += t - phase_start;
    phase_start = t;
}

static int failed(const char *step, int error)
{
    PyErr_Format(PyExc_RuntimeError, "%s failed: %s", step, strerror(-error));
    return -1;
}

static int make_threads(const settings *s)
{
    uint32_t n_donors = (uint32_t)s->max_threads - 1;
    if (n_donors > 0) {
        int error = ssb.engine->donors_create(ssb.arena, n_donors, s->stack_bytes);
        if (error < 0)
            return failed("creating the threads' stacks", error);
    }
    for (uint32_t i = 0; i < n_donors; i++) {
        ssb_thread *t = &ssb.threads[i + 1];
        int error = ssb.engine->donor_stack(ssb.arena, i, &t->stack_lo, &t->stack_hi, &t->tls);
        if (error < 0)
            return failed("asking for a thread's stack", error);
    }
    ssb_thread *main_thread = &ssb.threads[0];
    int error = ssb.engine->main_stack(ssb.arena, &main_thread->stack_lo, &main_thread->stack_hi);
    if (error < 0)
        return failed("asking for the main stack", error);
    main_thread->tls = ssb.engine->thread_pointer();
    main_thread->context.tls = main_thread->tls;
    main_thread->tstate = PyThreadState_Get();
    main_thread->status = SSB_READY;
    main_thread->deadline_ns = SSB_NO_DEADLINE;
    ssb.max_threads = (uint32_t)s->max_threads;
    ssb.n_threads = 1;
    ssb.current = 0;
    return 0;
}

static int take_over(const settings *s)
{
    PyObject *thread_module = PyImport_ImportModule("_thread");
    if (thread_module == NULL)
        return -1;
    PyObject *codes = need(s->tables, "bookkeeping");
    int result = codes == NULL || ssb_bookkeeping_install(codes) < 0 || ssb_locks_take_over(thread_module) < 0 ||
                         ssb_rlocks_take_over(thread_module) < 0 || ssb_simplequeues_take_over() < 0 ||
                         ssb_threads_take_over(thread_module) < 0 || ssb_handles_take_over(thread_module) < 0 ||
                         ssb_time_take_over() < 0 || ssb_randomness_take_over() < 0
                     ? -1
                     : 0;
    Py_DECREF(thread_module);
    return result;
}

/* The standard library, installed packages and our own: not where the user can change anything. */
static int is_library(ssb_frame *frame)
{
    PyObject *path = ssb_frame_code(frame)->co_filename;
    if (!PyUnicode_IS_COMPACT_ASCII(path))
        return 0;
    const char *text = PyUnicode_DATA(path);
    return text[0] == '<' || strstr(text, "/lib/python3") != NULL || strstr(text, "/site-packages/") != NULL ||
           strstr(text, "/pytest_statespace/") != NULL;
}

void ssb_describe_line(char *text, size_t bytes)
{
    PyThreadState *tstate = ssb_current()->tstate;
    ssb_frame *innermost = tstate != NULL ? ssb_frame_top(tstate) : NULL, *frame = innermost;
    text[0] = '\0';
    if (innermost == NULL)
        return;
    while (frame != NULL && is_library(frame))
        frame = ssb_frame_back(frame);
    if (frame == NULL)
        frame = innermost;
    PyObject *path = ssb_frame_code(frame)->co_filename;
    if (PyUnicode_IS_COMPACT_ASCII(path))
        snprintf(text, bytes, "%s:%d", (const char *)PyUnicode_DATA(path), ssb_frame_line(frame));
    else
        snprintf(text, bytes, "line %d", ssb_frame_line(frame));
}

/* ss_setup.describe: which line led to a refused system call? */
static void describe(void *Py_UNUSED(user), char *text, size_t bytes) { ssb_describe_line(text, bytes); }

/* On the main simulated stack. */
static void run_paths(void)
{
    const ssb_thread *self = ssb_current();
    ssb_thread_state_moved(self->tstate, self->stack_lo, self->stack_hi);
    begin_error = ssb.engine->begin(ssb.arena, &setup);
    if (begin_error < 0) {
        ssb_thread_state_moved_back(self->tstate);
        return;
    }
    /* From here on once per path, each time from the base snapshot. */
    if (setup.fingerprint != NULL)
        ssb_fingerprint_base(verify_base);
    PyObject *result = ssb_preempt_enter_thread() == 0 ? Py_NewRef(Py_None) : NULL;
    ssb.active = 1;
    if (result != NULL)
        Py_SETREF(result, PyObject_CallNoArgs(body));
    if (result != NULL)
        ssb_internal_error("the body returned instead of calling end_execution");
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *text = value != NULL ? PyObject_Str(value) : NULL;
    const char *message = text != NULL ? PyUnicode_AsUTF8(text) : NULL;
    ssb_internal_error("the body raised %s: %s", ((PyTypeObject *)type)->tp_name, message != NULL ? message : "?");
}

PyObject *ssb_explore(PyObject *callable, PyObject *config)
{
    settings s;
    if (ssb.engine == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "explore: attach() was not called");
        return NULL;
    }
    if (read_settings(config, &s) < 0)
        return NULL;
    phase_start = now();
    memset(ssb_setup_times, 0, SSB_N_PHASES * sizeof *ssb_setup_times);
    body = Py_NewRef(callable);
    ssb.granularity = (int)s.granularity;
    ssb.timeouts_any = s.timeouts_any;
    ssb.lends_time = s.lends_time;
    ssb.finding_races = s.races;
    ssb.footprints = s.footprints && (ssb.granularity == SSB_ACCESS || ssb.granularity == SSB_OPCODE);
    ssb.epoch_ns = s.epoch_ns;
    ssb_set_invariants(s.invariants);
    ssb_set_recorder(s.recorder);
    ssb_set_thread_failed(s.thread_failed);

    int error = s.guard ? 0 : ssb_let_fork();
    if (error < 0) {
        failed("preparing forks", error);
        return NULL;
    }
    error = ssb_tune_malloc(s.brk_bytes);
    if (error < 0) {
        failed("preparing malloc", error);
        return NULL;
    }
    phase_done(SSB_PHASE_MALLOC);
    if (make_threads(&s) < 0)
        return NULL;
    phase_done(SSB_PHASE_DONORS);
    if (take_over(&s) < 0)
        return NULL;
    phase_done(SSB_PHASE_TAKE_OVER);
    if ((error = ssb_heap_install(s.heap_bytes)) < 0) {
        failed("reserving the heap", error);
        return NULL;
    }
    phase_done(SSB_PHASE_HEAP);
    if (ssb_preempt_install(s.tables) < 0)
        return NULL;
    phase_done(SSB_PHASE_PREEMPT);
    PyObject *promoted = PyDict_GetItemString(s.tables, "promoted");
    if (promoted != NULL)
        ssb.addresses_observed = ssb_observed_from(promoted);
    if (ssb_sets_install() < 0 || (s.fingerprint && ssb_fingerprint_prepare() < 0))
        return NULL;
    if (s.fingerprint && s.explain)
        ssb_explain_begin();
    ssb_fingerprint_check(s.check && !s.explain);
    if (ssb_ignore_all(s.ignored) < 0)
        return NULL;
    phase_done(SSB_PHASE_FINGERPRINT_PREPARE);
    PyGC_Disable();
    PyObject *verify = PyDict_GetItemString(config, "verify_base"); /* tests only */
    verify_base = verify != NULL && PyObject_IsTrue(verify) == 1;
    setup = (ss_setup){
        .tracker = s.tracker,
        .guard = (uint32_t)s.guard,
        .fingerprint = s.fingerprint ? ssb_fingerprint : NULL,
        .note = ssb.footprints ? ssb_footprint_write : NULL,
        .describe = describe,
    };
    ssb_heap_switch_on();
    if (s.fingerprint && ssb_fingerprint_freeze() < 0)
        return NULL;
    phase_done(SSB_PHASE_FINGERPRINT_FREEZE);
    ssb.engine->call_on_main_stack(ssb.arena, run_paths);
    failed("taking the base snapshot", begin_error);
    return NULL;
}
