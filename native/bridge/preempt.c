/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ preempt.c — choice points inside the code under test.                      │
 * │                                                                            │
 * │ Every simulated thread has a C trace function. At the start of a frame it  │
 * │ decides by the code object whether the frame is traced; in traced frames   │
 * │ it is called before each instruction (or line) and suspends the thread     │
 * │ there when somebody else might see a difference.                           │
 * │                                                                            │
 * │ Granularity "access" leaves choice points out where it can show that the   │
 * │ instruction commutes with everything other threads may do next, given that │
 * │ some names are never rebound. A store that breaks such an assumption while │
 * │ other threads run ends the path with SS_END_RESTART and the search begins  │
 * │ anew without it: the last search ran under assumptions that held.          │
 * │ Granularity "gil" has the same choice points, and skips those before which │
 * │ a real interpreter would not have switched (preempt_gil.c).                │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "preempt_internal.h"

#include "compat_events.h"
#include "footprint.h"
#include "runtime.h"

static int is_installed;

/* -- choice points ----------------------------------------------------------------- */

static uint64_t label_at(const ssbp_code *entry, int unit, int operation)
{
    return (entry->label ^ ((uint64_t)unit << 8 | (uint64_t)operation) ^ (uint64_t)ssb.current << 48) *
           UINT64_C(0x9E3779B97F4A7C15);
}

/* The value of an attribute or item that is about to be read, for reports. Only
 * where looking it up runs no Python code. New reference or NULL. */
static PyObject *value_to_read(const ssbp_view *view, const ssbp_access *access)
{
    PyObject *value = NULL;
    if (access->value != NULL)
        return Py_NewRef(access->value);
    if (view->top == NULL || access->name == NULL)
        return NULL;
    if (view->record->check == SSBP_ATTRIBUTE_READ)
        value = PyObject_GenericGetAttr(SSBP_PEEK(view, 0), access->name);
    else if (view->record->check == SSBP_ITEM_READ)
        value = PyObject_GetItem(SSBP_PEEK(view, 1), access->name);
    PyErr_Clear();
    return value;
}

/* The thread has been chosen and is about to perform the access. */
static void record(const ssbp_view *view, const ssbp_access *access, int operation)
{
    int check = view->record->check;
    PyObject *object = access->object;
    if (object == NULL && (check == SSBP_ATTRIBUTE_READ || check == SSBP_ATTRIBUTE_WRITE))
        object = SSBP_PEEK(view, 0);
    ssb_pause();
    int is_item = check == SSBP_ITEM_READ || check == SSBP_ITEM_WRITE;
    PyObject *value = value_to_read(view, access);
    PyObject *name = is_item ? PyUnicode_FromFormat("[%R]", access->name) : Py_NewRef(access->name);
    PyErr_Clear();
    ssb_resume();
    ssb_record_step(operation, object, name, access->access, value);
    Py_XDECREF(name);
    Py_XDECREF(value);
}

static int suspend(const ssbp_view *view, const ssbp_access *access, int operation, int unit)
{
    ssb_thread *self = ssb_current();
    self->in_hook = 1;
    if (ssb.finding_races && access->place.kind != SSB_PLACE_NONE) {
        self->place = access->place;
        self->place.code = view->code;
        self->place.unit = unit;
    }
    int result = ssb_visible(operation, access->object, access->part, access->access, label_at(view->entry, unit, operation));
    self->place.kind = SSB_PLACE_NONE;
    self->in_hook = 0;
    if (ssb.recording && ssb.active && access->name != NULL)
        record(view, access, operation);
    return result < 0 ? -1 : 0;
}

static int before_line(PyFrameObject *object)
{
    ssbp_frame *frame = object->f_frame;
    PyCodeObject *code = ssbp_frame_code(frame);
    const ssbp_code *entry = ssbp_find_code(code, frame->f_globals);
    if (entry == NULL)
        return -1;
    if (entry->records == NULL)
        return 0;
    ssbp_view view = {.frame = frame, .code = code, .entry = entry, .record = entry->records};
    ssbp_access access = {.access = SSBP_BOTH};
    return suspend(&view, &access, SSB_OP_LINE, ssbp_frame_unit(frame, code));
}

static int before_instruction(PyFrameObject *object)
{
    ssb_end_if_broken(); /* it might wait for ever for what it now has no choice points for */
    ssbp_frame *frame = object->f_frame;
    PyCodeObject *code = ssbp_frame_code(frame);
    const ssbp_code *entry = ssbp_find_code(code, frame->f_globals);
    if (entry == NULL)
        return -1;
    int unit = ssbp_frame_unit(frame, code);
    if (entry->records == NULL || unit < 0 || (uint32_t)unit >= entry->units)
        return 0;
    const ssbp_record *record = &entry->records[unit];
    int every = ssb.granularity == SSB_OPCODE;
    if (ssbp_tracks_switches)
        ssbp_gil_before(frame, unit, record);
    if (!every && (record->check == SSBP_NONE || (record->check == SSBP_RELEASE && !ssbp_dies_visibly(ssbp_local(frame, record->operand)))))
        return 0;
    ssbp_view view = {.frame = frame, .code = code, .entry = entry, .record = record};
    view.top = ssbp_frame_top(frame);
    if (view.top == NULL && record->height >= 0)
        view.top = frame->localsplus + code->co_nlocalsplus + record->height;
    ssbp_access access;
    ssb_carried carried = {0};
    ssb_touch_mark mark = ssb_touch_begin();
    int needed = ssbp_examine(&view, &access);
    ssb_touch_end(mark, &carried);
    if (needed < 0)
        return -1;
    if (!needed) {
        if (!every)
            return 0;
        access = (ssbp_access){0};
    }
    if (ssbp_tracks_switches && needed)
        ssbp_gil_access(&view);
    int result = suspend(&view, &access, every ? SSB_OP_OPCODE : access.operation, unit);
    ssb_touch_again(&carried);
    if (ssb.footprints && access.part != 0)
        ssbp_footprint_item(&view, &access);
    if (!every && (record->check == SSBP_ALWAYS || (record->check >= SSBP_ATTRIBUTE_READ && record->check != SSBP_DISCARD)))
        ssbp_opaque_push(frame, unit);
    return result;
}

static int enter_frame(PyFrameObject *object)
{
    ssbp_frame *frame = object->f_frame;
    PyCodeObject *code = ssbp_frame_code(frame);
    if (code == NULL)
        return 0;
    const ssbp_code *entry = ssbp_find_code(code, frame->f_globals);
    if (entry == NULL)
        return -1;
    int footprint = ssb.footprints && ssb.active ? ssbp_footprint_enter(frame, code, entry->records != NULL) : 0;
    if (footprint < 0)
        return -1;
    int traced = entry->records != NULL, lines = ssb.granularity == SSB_LINE;
    int active = ssb.active;
    ssb.active = 0; /* the request may go through functions that we have taken over */
    int requested = ssbp_frame_request(object, traced && !lines, traced && lines);
    ssb.active = active;
    if (requested < 0)
        return -1;
    if (ssbp_tracks_switches && ssb.active)
        ssbp_gil_enter(frame, code, entry);
    if (!traced || !ssb.active || !ssbp_examines())
        return 0;
    int inside = ssbp_opaque_entered(frame);
    if (inside <= 0)
        return inside;
    ssbp_view view = {.frame = frame, .code = code, .entry = entry, .record = entry->records};
    ssbp_access access = {.access = SSBP_BOTH};
    int result = suspend(&view, &access, SSB_OP_CALL, ssbp_frame_unit(frame, code));
    ssb_current()->fresh_frame = frame;
    return result;
}

static int leave_frame(PyFrameObject *object)
{
    ssbp_frame *frame = object->f_frame;
    if (ssb.footprints && ssbp_footprint_leave(frame) < 0)
        return -1;
    if (!ssbp_tracks_switches)
        return 0;
    PyCodeObject *code = ssbp_frame_code(frame);
    const ssbp_code *entry = code != NULL ? ssbp_find_code(code, frame->f_globals) : NULL;
    if (entry != NULL)
        ssbp_gil_leave(frame, code, entry);
    return code != NULL && entry == NULL ? -1 : 0;
}

static int hook(PyObject *Py_UNUSED(user), PyFrameObject *frame, int what, PyObject *Py_UNUSED(argument))
{
    switch (what) {
    case PyTrace_OPCODE: return ssb.active ? before_instruction(frame) : 0;
    case PyTrace_CALL: return enter_frame(frame);
    case PyTrace_RETURN: return ssb.active && (ssbp_tracks_switches || ssb.footprints) ? leave_frame(frame) : 0;
    case PyTrace_LINE: return ssb.active && ssb.granularity == SSB_LINE ? before_line(frame) : 0;
    default: return 0;
    }
}

/* Where instructions are reported by themselves, also those of threads that are not traced. */
static int on_instruction(PyFrameObject *frame)
{
    return ssb.active && PyThreadState_Get()->c_tracefunc == hook ? before_instruction(frame) : 0;
}

/* -- functions that would pull the carpet away ----------------------------------------- */

static PyObject *refuse_tracer(ssb_hook *self, PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    if (!ssb.active)
        return ssb_original(self, module, args, n, names);
    if (ssb.granularity == SSB_SYNC) { /* where nothing of ours is traced; what tracers keep is not compared */
        ssb.traced |= n == 1 && args[0] != Py_None;
        return ssb_original(self, module, args, n, names);
    }
    if (n == 1 && args[0] == Py_None) /* taking tracers away: there are none but ours, which stay */
        Py_RETURN_NONE;
    ssb.engine->end_path(ssb.arena, SS_END_UNSUPPORTED, self->name);
}

/* What would leave instructions unreported (compat_events.h). */
static PyObject *change_tool(ssb_hook *self, PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    if (ssb.active && n > 0 && PyLong_Check(args[0])) {
        int overflow;
        if (PyLong_AsLongAndOverflow(args[0], &overflow) == ssb.own_tool && !overflow)
            ssb.engine->end_path(ssb.arena, SS_END_UNSUPPORTED, "sys.monitoring of another's tool");
        ssb_step(SSB_OP_ACCESS, NULL, SSBP_BOTH);
    }
    return ssb_original(self, module, args, n, names);
}

/* Is this a call that library code makes? It is part of that code's step, as an assignment there is. */
static int called_by_library(void)
{
    ssbp_frame *frame = ssbp_current_frame();
    PyCodeObject *code = frame != NULL ? ssbp_frame_code(frame) : NULL;
    const ssbp_code *entry = code != NULL ? ssbp_find_code(code, frame->f_globals) : NULL;
    PyErr_Clear();
    return entry != NULL && entry->records == NULL;
}

static PyObject *store_attribute(ssb_hook *self, PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    if (ssb.active && n >= 2) {
        ssbp_check_attribute_store(args[0], args[1]);
        if (ssb.granularity != SSB_SYNC && !called_by_library())
            ssb_step(SSB_OP_ACCESS, NULL, SSBP_BOTH);
    }
    return ssb_original(self, module, args, n, names);
}

SSB_HOOK(settrace_hook, "settrace", refuse_tracer);
SSB_HOOK(setprofile_hook, "setprofile", refuse_tracer);
SSB_HOOK_OPTIONAL(settrace_all_hook, "_settraceallthreads", refuse_tracer); /* from 3.12 on */
SSB_HOOK_OPTIONAL(setprofile_all_hook, "_setprofileallthreads", refuse_tracer);
SSB_HOOK(register_callback_hook, "register_callback", change_tool);
SSB_HOOK(set_local_events_hook, "set_local_events", change_tool);
SSB_HOOK(free_tool_hook, "free_tool_id", change_tool);
SSB_HOOK(setattr_hook, "setattr", store_attribute);
SSB_HOOK(delattr_hook, "delattr", store_attribute);

static int take_over(const char *module_name, ssb_hook *first, ssb_hook *second)
{
    PyObject *module = PyImport_ImportModule(module_name);
    if (module == NULL)
        return -1;
    int result = ssb_take_over_function(module, first) < 0 || ssb_take_over_function(module, second) < 0 ? -1 : 0;
    Py_DECREF(module);
    return result;
}

/* Where instructions are reported to a tool of our own. */
static int keep_tool(void)
{
    PyObject *module = PySys_GetObject("monitoring");
    ssb_hook *hooks[] = {&register_callback_hook, &set_local_events_hook, &free_tool_hook};
    ssb.own_tool = ssbp_own_tool();
    for (size_t i = 0; ssb.own_tool >= 0 && i < sizeof hooks / sizeof *hooks; i++)
        if (ssb_take_over_function(module, hooks[i]) < 0)
            return -1;
    return 0;
}

/* Tools that trace every new thread (coverage) registered themselves with threading. */
static int forget_thread_tracers(void)
{
    PyObject *threading = PyImport_ImportModule("threading");
    if (threading == NULL)
        return -1;
    int result = PyObject_SetAttrString(threading, "_trace_hook", Py_None);
    if (result == 0)
        result = PyObject_SetAttrString(threading, "_profile_hook", Py_None);
    Py_DECREF(threading);
    return result;
}

/* -- what the bridge calls ----------------------------------------------------------------- */

int ssb_preempt_install(PyObject *tables)
{
    if (!PyDict_Check(tables)) {
        PyErr_Format(PyExc_TypeError, "tables must be a dict, not %.100s", Py_TYPE(tables)->tp_name);
        return -1;
    }
    ssb.own_tool = -1;
    if (forget_thread_tracers() < 0 || take_over("sys", &settrace_hook, &setprofile_hook) < 0 ||
        take_over("sys", &settrace_all_hook, &setprofile_all_hook) < 0)
        return -1;
    if (ssb.granularity == SSB_SYNC)
        return 0;
    /* A replay of granularity "access" says at which of its switches the GIL would have allowed one. */
    ssbp_tracks_switches = ssb.granularity == SSB_GIL || (ssb.granularity == SSB_ACCESS && ssb.recording);
    if (ssbp_footprint_prepare() < 0 || take_over("builtins", &setattr_hook, &delattr_hook) < 0 || ssbp_tables_install(tables) < 0)
        return -1;
    if (ssbp_events_start(ssb.granularity != SSB_LINE, on_instruction) < 0 || keep_tool() < 0)
        return -1;
    is_installed = 1;
    return 0;
}

int ssb_preempt_enter_thread(void)
{
    if (is_installed)
        PyEval_SetTrace(hook, NULL);
    return 0;
}
