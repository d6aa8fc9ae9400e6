/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ scheduler.c — which simulated thread runs next.                            │
 * └──────────────────────────────────────────────────────────────────────────┘
 *
 * All simulated threads share one kernel thread. A thread gives up control only
 * in this file, at a choice point *before* a visible operation; what follows the
 * operation, up to the thread's next one, runs with it as one transition.
 *
 * An operation that may have to wait (acquire, get, join, sleep) is ssb_block:
 * the thread is then BLOCKED with the object it needs, and an alternative only
 * while that object lets it proceed. Nobody runs between the choice and the
 * operation, so the original, called without blocking, then succeeds. One choice
 * point therefore serves both the first attempt and the end of the wait.
 *
 * Time. A wait may have a deadline on the virtual clock. Usually the clock moves
 * only when nothing can proceed, to the earliest deadline; with timeouts_any a
 * timed wait may end at any choice point. A wait that could both proceed and time
 * out gives two alternatives; the timeout has part == 1. Nothing times out that
 * could have proceeded ever since it was asked for.
 *
 * Starting a threading.Thread is one visible operation. The choice point lies in
 * start_new_thread, before the new thread exists. Thread.start then waits for the
 * new thread to announce itself; both are `bookkeeping` from there on. A thread
 * in bookkeeping goes on as soon as it can, before any other and without a choice
 * point, until it makes an ordinary visible operation: the new one until it is
 * about to call run(), where its BEGIN is pending, the starter until whatever
 * follows start(). What is left to choose from is what a plain
 * _thread.start_new_thread leaves: the starter's next operation, or BEGIN.
 *
 * The end of a thread is one visible operation too (END, before threading forgets
 * the thread), from there until its thread state is gone and its joiners can go on.
 *
 * Everything here reads and writes ordinary memory only, so a restore puts the
 * scheduler back as well: engine->choose may return many times.
 */
#include "runtime.h"

#include "compat_threads.h"
#include "footprint.h"
#include "weaken.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int switch_is_due = 1; /* at the choice point being made (ssb_switch_is_due) */

/* -- errors --------------------------------------------------------------------- */

void ssb_internal_error(const char *format, ...)
{
    char text[SS_DETAIL_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ssb.engine->end_path(ssb.arena, SS_END_ERROR, text);
}

void ssb_append(char *text, size_t bytes, const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, bytes - used, format, arguments);
    va_end(arguments);
}

/* -- enabledness ---------------------------------------------------------------- */

/* Would t not have to wait for the object? NULL: it waits for nothing but a deadline. */
static int lets_proceed(PyObject *object, const ssb_thread *t, int operation)
{
    if (object == NULL)
        return 0;
    if (Py_IS_TYPE(object, ssb_lock_type))
        return !ssb_lock_is_locked(object);
    if (ssb_is_handle(object)) {
        uint32_t other = ssb_thread_of_handle(object);
        return other != SS_NONE && ssb.threads[other].status == SSB_DONE;
    }
    if (PyType_IsSubtype(Py_TYPE(object), ssb_rlock_type))
        return ssb_rlock_can_acquire(object, t);
    if (operation == SSB_OP_GET) /* not asked by type: a second copy of _queue has another one */
        return !ssb_simplequeue_is_empty(object);
    return 0;
}

/* Could t perform its operation without waiting? */
static int can_proceed(const ssb_thread *t)
{
    return t->status == SSB_READY || (t->status == SSB_BLOCKED && lets_proceed(t->object, t, t->operation));
}

/* May t's wait end by its deadline now? */
static int can_time_out(const ssb_thread *t)
{
    return t->status == SSB_BLOCKED && t->deadline_ns != SSB_NO_DEADLINE &&
           (ssb.timeouts_any || t->deadline_ns <= ssb.clock_ns) &&
           (t->operation == SSB_OP_SLEEP || t->timed_out == SSB_HAS_WAITED);
}

/* A first attempt that succeeds at once never times out: a timeout counts only
 * from the first choice point on at which the thread could not have proceeded. */
static void note_waits(void)
{
    for (uint32_t i = 0; i < ssb.n_threads; i++) {
        ssb_thread *t = &ssb.threads[i];
        if (t->status == SSB_BLOCKED && t->deadline_ns != SSB_NO_DEADLINE && !can_proceed(t))
            t->timed_out = SSB_HAS_WAITED;
    }
}

int ssb_enabled(const ssb_thread *t) { return can_proceed(t) || can_time_out(t); }

/* -- alternatives --------------------------------------------------------------- */

uint64_t ssb_identity_of(const ssb_thread *t)
{
    const uint64_t thread_bit = 1ull << 63;
    if (t->operation == SSB_OP_BEGIN || t->operation == SSB_OP_END)
        return thread_bit | (uint64_t)(t - ssb.threads);
    if (t->operation == SSB_OP_START)
        return thread_bit | ssb.n_threads;
    if ((t->operation == SSB_OP_JOIN || t->operation == SSB_OP_LOCKED) && t->object != NULL) {
        uint32_t joined = ssb_thread_of_handle(t->object);
        if (joined != SS_NONE)
            return thread_bit | joined;
    }
    return (uint64_t)(uintptr_t)t->object;
}

static uint32_t add_alternative(uint32_t n, const ssb_thread *t, uint32_t part)
{
    if (n == SS_MAX_ALTERNATIVES)
        ssb.engine->end_path(ssb.arena, SS_END_UNSUPPORTED, "more than 128 ways to go on in one state");
    ssb.alternatives[n] = (ss_alternative){
        .thread = (uint16_t)(t - ssb.threads),
        .operation = t->operation,
        .access = t->access,
        .part = part,
        .object = ssb_identity_of(t),
    };
    return n + 1;
}

/* The current thread first, so that index 0 never preempts; then by ordinal; timeouts last. */
static uint32_t collect(void)
{
    uint32_t n = 0;
    const ssb_thread *current = ssb_current();
    if (can_proceed(current))
        n = add_alternative(n, current, current->part);
    for (uint32_t i = 0; i < ssb.n_threads; i++)
        if (i != ssb.current && can_proceed(&ssb.threads[i]))
            n = add_alternative(n, &ssb.threads[i], ssb.threads[i].part);
    for (uint32_t i = 0; i < ssb.n_threads; i++) {
        const ssb_thread *t = &ssb.threads[i];
        if (can_time_out(t)) /* the end of a sleep that is due is no timeout */
            n = add_alternative(n, t, t->operation != SSB_OP_SLEEP || t->deadline_ns > ssb.clock_ns);
    }
    return n;
}

/* -- labels ----------------------------------------------------------------------- */

/* Hash of thread, operation and the innermost positions in the code; stable over processes, and over how warm the code is. */
static uint64_t make_label(const ssb_thread *t, int operation)
{
    enum { DEPTH = 3 };
    uint64_t words[2 + 2 * DEPTH] = {(uint64_t)(t - ssb.threads), (uint64_t)operation};
    int n = 2;
    ssb_frame *frame = t->tstate != NULL ? ssb_frame_top(t->tstate) : NULL;
    for (int depth = 0; frame != NULL && depth < DEPTH; depth++, frame = ssb_frame_back(frame)) {
        PyObject *name = ssb_frame_code(frame)->co_qualname;
        words[n++] = ssb.engine->hash64(PyUnicode_DATA(name), (size_t)PyUnicode_GET_LENGTH(name) * PyUnicode_KIND(name));
        words[n++] = (uint64_t)ssb_instruction_at(ssb_frame_code(frame), ssb_frame_offset(frame) / (int)sizeof(_Py_CODEUNIT));
    }
    return ssb.engine->hash64(words, (size_t)n * sizeof words[0]);
}

/* -- choosing ------------------------------------------------------------------------ */

static void __attribute__((noinline)) note_stack_pointer(ssb_thread *t)
{
    /* This frame lies below every live word of the callers' frames. */
    t->context.sp = __builtin_frame_address(0);
}

/* Hand the choice to the agent. The registers a caller may keep values in are
 * spilled into this frame first, where the fingerprint can see them. */
static uint32_t __attribute__((noinline)) ask(const ss_choice *choice)
{
    __builtin_unwind_init();
    note_stack_pointer(ssb_current());
    uint32_t k = ssb.engine->choose(ssb.arena, choice);
    ssb_footprint_begin();
    if (k >= choice->n)
        ssb_internal_error("the engine chose alternative %u of %u", k, choice->n);
    return k;
}

/* Other processes know nothing of virtual time: where there may be some, they are lent a little of the real one. */
static void move_clock(int64_t to)
{
    if (to <= ssb.clock_ns)
        return;
    const int64_t most = 10000000, ns = to - ssb.clock_ns;
    ssb.clock_ns = to;
    if (ssb.lends_time)
        nanosleep(&(struct timespec){.tv_nsec = ns < most ? ns : most}, NULL);
}

static void grant(uint32_t ordinal, int by_timeout)
{
    ssb_thread *t = &ssb.threads[ordinal];
    t->timed_out = by_timeout ? SSB_TIMED_OUT : 0;
    if (by_timeout)
        move_clock(t->deadline_ns);
    t->deadline_ns = SSB_NO_DEADLINE;
    t->status = SSB_READY;
}

static int advance_clock(void)
{
    int64_t earliest = SSB_NO_DEADLINE;
    for (uint32_t i = 0; i < ssb.n_threads; i++)
        if (ssb.threads[i].status == SSB_BLOCKED && ssb.threads[i].deadline_ns < earliest)
            earliest = ssb.threads[i].deadline_ns;
    if (earliest == SSB_NO_DEADLINE)
        return 0;
    move_clock(earliest);
    return 1;
}

static const char *base_name(PyObject *path)
{
    const char *text = PyUnicode_AsUTF8(path);
    if (text == NULL) {
        PyErr_Clear();
        return "?";
    }
    const char *slash = strrchr(text, '/');
    return slash != NULL ? slash + 1 : text;
}

static void __attribute__((noreturn)) deadlock(void)
{
    char text[SS_DETAIL_BYTES] = "";
    for (uint32_t i = 0; i < ssb.n_threads; i++) {
        const ssb_thread *t = &ssb.threads[i];
        if (t->status != SSB_BLOCKED)
            continue;
        ssb_append(text, sizeof text, "%sthread %u waits in %s", text[0] ? "; " : "", i, ssb_operation_names[t->operation]);
        if (t->object != NULL)
            ssb_append(text, sizeof text, " of a %s", Py_TYPE(t->object)->tp_name);
        ssb_frame *frame = t->tstate != NULL ? ssb_frame_top(t->tstate) : NULL;
        if (frame != NULL)
            ssb_append(text, sizeof text, " (%s:%d)", base_name(ssb_frame_code(frame)->co_filename), ssb_frame_line(frame));
    }
    ssb_record_deadlock();
    ssb.engine->end_path(ssb.arena, SS_END_DEADLOCK, text);
}

/* Usually who is alone goes on without a choice point. But a loop that waits for what nobody does any more must be seen
 * to repeat its state: so there are some after 1024 steps alone, and again after twice as many. */
static int is_due_alone(uint32_t n)
{
    enum { FIRST = 1024, IN_A_ROW = 256 };
    return n >= FIRST && n - (1u << (31 - __builtin_clz(n))) < IN_A_ROW;
}

/* Does it depend on time that passes what happens next, although none of the alternatives lets it pass? */
static uint32_t choice_flags(void)
{
    int depends = ssb.time_matters;
    ssb.time_matters = 0;
    for (uint32_t i = 0; i < ssb.n_threads && !depends; i++) {
        const ssb_thread *t = &ssb.threads[i];
        depends = t->status == SSB_BLOCKED && t->deadline_ns != SSB_NO_DEADLINE && !can_proceed(t) && !can_time_out(t);
    }
    return depends ? SS_CHOICE_TIME : 0;
}

/* A search that reduces runs one alternative first and the others only where their order turns out to matter. Who starts threads,
 * begins or ends rarely stands in another's way: if those steps are behind all threads, there are fewer states to come to. */
static uint32_t first_of(uint32_t n)
{
    static const uint8_t eager[] = {SSB_OP_START, SSB_OP_END, SSB_OP_BEGIN};
    for (size_t i = 0; i < sizeof eager; i++)
        for (uint32_t k = 0; k < n; k++)
            if (ssb.alternatives[k].operation == eager[i])
                return k;
    return 0;
}

/* Decide who goes on and mark it ready. label 0: made from the current position. */
static uint32_t pick(uint64_t label)
{
    ssb_end_if_broken();
    for (uint32_t i = 0; i < ssb.n_threads; i++)
        if (ssb.threads[i].bookkeeping && can_proceed(&ssb.threads[i])) {
            grant(i, 0);
            return i;
        }
    note_waits();
    uint32_t n = collect();
    while (n == 0) {
        if (!advance_clock()) {
            if (PyGILState_Check())
                deadlock();
            PyGILState_Ensure(); /* the current thread is over: a thread state for the report */
            deadlock();
        }
        n = collect();
    }
    uint32_t k = 0;
    ssb.alone = n > 1 ? 0 : ssb.alone + 1;
    int is_due = n > 1 || is_due_alone(ssb.alone);
    if (is_due || ssb.footprints || ssb.engine->wants_extra(ssb.arena)) {
        const ssb_thread *current = ssb_current();
        ssb_races_look();
        ss_choice choice = {
            .kind = SS_CHOICE_THREAD,
            .current = (uint16_t)ssb.current,
            .n = n,
            .flags = choice_flags() | (is_due ? 0 : SS_CHOICE_EXTRA),
            .label = label != 0 ? label : make_label(current, current->operation),
            .alternatives = ssb.alternatives,
            .first = first_of(n),
        };
        k = ask(&choice);
        if (ssb.recording)
            ssb_record_switch(&choice, k, switch_is_due);
    }
    uint32_t next = ssb.alternatives[k].thread;
    /* A timeout's entry comes after the thread's other one, if it has both. */
    int by_timeout = !can_proceed(&ssb.threads[next]);
    for (uint32_t i = 0; i < k && !by_timeout; i++)
        by_timeout = ssb.alternatives[i].thread == next;
    grant(next, by_timeout);
    return next;
}

void ssb_resumed(void)
{
    if (ssb.invariants_due) {
        ssb.invariants_due = 0;
        ssb_check_invariants();
        ssb_expire_views();
    }
}

/* Let `next` run; returns when the current thread is chosen again. */
static void switch_to(uint32_t next)
{
    uint32_t self = ssb.current;
    if (next == self)
        return;
    PyThreadState *tstate = PyEval_SaveThread();
    ssb.current = next;
    ssb.engine->switch_to(&ssb.threads[self].context, &ssb.threads[next].context);
    PyEval_RestoreThread(tstate);
    ssb_resumed();
}

/* A subinterpreter has a `threading` of its own, whose main thread is not the simulated one. */
static void refuse_subinterpreters(void)
{
    const PyInterpreterState *running = ssb_running_interpreter();
    if (running != NULL && running != PyInterpreterState_Main())
        ssb.engine->end_path(ssb.arena, SS_END_UNSUPPORTED, "threads, locks and shared data in a subinterpreter");
}

static void set_operation(ssb_thread *t, int operation, PyObject *object, uint32_t part, int access)
{
    refuse_subinterpreters();
    t->operation = (uint8_t)operation;
    t->access = (uint8_t)access;
    t->part = part;
    t->object = Py_XNewRef(object);
}

static void clear_operation(ssb_thread *t)
{
    t->operation = SSB_OP_NONE;
    t->access = 0;
    t->part = 0;
    Py_CLEAR(t->object);
}

/* With granularity "gil" nobody else can run here, if the current thread can go on. */
static int keeps_the_gil(void)
{
    switch_is_due = ssb_switch_is_due();
    return ssb.granularity == SSB_GIL && !switch_is_due;
}

/* -- what hooks call ---------------------------------------------------------------------- */

int ssb_visible(int operation, PyObject *object, uint32_t part, int access, uint64_t label)
{
    if (!ssb.active)
        return 0;
    ssb_thread *t = ssb_current();
    t->fresh_frame = NULL;
    if (operation == SSB_OP_END)
        t->ended = 1;
    if (keeps_the_gil())
        return 0;
    t->bookkeeping = 0;
    ssb_check_invariants();
    if (ssb.n_threads == 1 && !is_due_alone(ssb.alone + 1)) {
        ssb.alone++;
    } else { /* somebody else could run */
        set_operation(t, operation, object, part, access);
        switch_to(pick(label));
        clear_operation(t);
        if (ssb.footprints)
            ssbp_footprint_resume();
    }
    ssb_expire_views();
    return 0;
}

static int block(int operation, PyObject *object, int64_t deadline_ns)
{
    ssb_thread *t = ssb_current();
    set_operation(t, operation, object, 0, operation == SSB_OP_SLEEP ? 0 : 3);
    t->deadline_ns = deadline_ns;
    t->timed_out = 0;
    t->status = SSB_BLOCKED;
    if (!t->bookkeeping && operation != SSB_OP_SLEEP && !can_proceed(t))
        ssb_record(operation, object, NULL, t->access, NULL, "blocked");
    switch_to(pick(0));
    clear_operation(t);
    if (ssb.footprints)
        ssbp_footprint_resume();
    int timed_out = t->timed_out == SSB_TIMED_OUT;
    t->timed_out = 0;
    return timed_out;
}

int ssb_block(int operation, PyObject *object, int64_t deadline_ns)
{
    ssb_thread *t = ssb_current();
    t->fresh_frame = NULL;
    if (keeps_the_gil() && lets_proceed(object, t, operation))
        return 0;
    t->bookkeeping = 0;
    ssb_check_invariants();
    int timed_out = block(operation, object, deadline_ns);
    ssb_expire_views();
    return timed_out;
}

int ssb_block_quietly(int operation, PyObject *object, int prefer)
{
    ssb_thread *t = ssb_current();
    t->bookkeeping = (uint8_t)prefer;
    return block(operation, object, SSB_NO_DEADLINE);
}

void ssb_leave_thread(void)
{
    static ss_context nobody; /* nothing ever returns to an ended thread */
    ssb.invariants_due = 1;
    uint32_t next = pick(0);
    ssb.current = next;
    ssb.engine->switch_to(&nobody, &ssb.threads[next].context);
    __builtin_unreachable();
}

uint32_t ssb_choose_data(uint32_t n)
{
    ssb_thread *t = ssb_current();
    ssb_end_if_broken();
    ssb_check_invariants();
    t->operation = SSB_OP_CHOOSE;
    ss_choice choice = {
        .kind = SS_CHOICE_DATA,
        .current = (uint16_t)ssb.current,
        .n = n,
        .flags = choice_flags(),
        .label = make_label(t, SSB_OP_CHOOSE),
        .alternatives = NULL,
    };
    uint32_t k = ask(&choice);
    ssb_record_switch(&choice, k, 1);
    ssb_expire_views();
    t->operation = SSB_OP_NONE;
    if (ssb.footprints)
        ssbp_footprint_resume();
    return k;
}

int64_t ssb_deadline(int64_t ns)
{
    int64_t deadline;
    if (__builtin_add_overflow(ssb.clock_ns, ns, &deadline))
        return SSB_NO_DEADLINE - 1;
    return deadline;
}
