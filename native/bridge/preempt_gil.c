/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ preempt_gil.c — where an interpreter with a GIL switches threads.          │
 * │                                                                            │
 * │ A running thread gives the GIL up where the evaluation loop looks at its   │
 * │ breaker (when a frame begins, after a call of C code, when jumping back;   │
 * │ compat_3xx.h), where it blocks, and inside C code that releases the GIL.   │
 * │ What lies between two such places is one step for all others.              │
 * │                                                                            │
 * │ A switch at such a place is the same as one right before the next access   │
 * │ to shared data, since nothing in between can be seen. So the choice points │
 * │ of granularity "gil" are those of "access" at which may_switch is set: the │
 * │ thread passed such a place since its last access. It is set too often      │
 * │ where things are not known, never too rarely, but for two exceptions:      │
 * │ library code is one step as it is at "access", and C objects that release  │
 * │ the GIL while they are destroyed (open files) are not noticed.             │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "compat.h" /* first: it decides how Python.h is read */

#include "opcodes.h"
#include "preempt_internal.h"

#include <stdlib.h>
#include <string.h>

int ssbp_tracks_switches;

enum ssbp_event {
    NOTHING = 0, /* another instruction of last_frame, or an untraced frame that began */
    CALLING,     /* an instruction that ends with a check if it calls C code */
    JUMPING,
    CHOSEN,   /* a call with a choice point that stands for the check at the callee's beginning */
    LEFT,     /* a frame that Python code had called */
    LEFT_TO_C,
};

/* Modules whose functions and types never release the GIL. Sorted. */
static const char *const keeping[] = {
    "_abc",     "_asyncio", "_bisect",  "_collections", "_contextvars", "_datetime", "_decimal", "_functools", "_heapq",
    "_json",    "_operator", "_random", "_sre",         "_statistics",  "_string",   "_struct",  "_thread",    "_typing",
    "_weakref", "array",    "builtins", "cmath",        "collections",  "datetime",  "decimal",  "functools",  "itertools",
    "math",     "operator", "re",       "sys",          "time",         "types",     "typing",   "unicodedata", "weakref",
};
/* Functions of builtins that do, or that run code which begins with a check. Sorted. */
static const char *const releasing[] = {"__import__", "breakpoint", "eval", "exec", "input", "open", "print"};

static int compare_names(const void *a, const void *b) { return strcmp(a, *(const char *const *)b); }
#define IS_ONE_OF(name, table) (bsearch(name, table, sizeof(table) / sizeof *(table), sizeof *(table), compare_names) != NULL)

/* -- what is known about C code --------------------------------------------------------- */

static int module_keeps(const char *name, size_t n)
{
    char copy[32];
    if (n >= sizeof copy)
        return 0;
    memcpy(copy, name, n);
    copy[n] = 0;
    return IS_ONE_OF(copy, keeping);
}

/* Do the C functions of such objects keep the GIL? Methods in Python are frames of their own. */
static int type_keeps(const PyTypeObject *type)
{
    while (type != NULL && (type->tp_flags & Py_TPFLAGS_HEAPTYPE) && strchr(type->tp_name, '.') == NULL)
        type = type->tp_base; /* made by a class statement */
    if (type == NULL)
        return 1;
    const char *dot = strchr(type->tp_name, '.');
    return dot == NULL ? 1 : module_keeps(type->tp_name, (size_t)(dot - type->tp_name));
}

static int function_keeps(PyObject *function)
{
    PyObject *self = PyCFunction_GET_SELF(function), *module = ((PyCFunctionObject *)function)->m_module;
    const char *name = ((PyCFunctionObject *)function)->m_ml->ml_name;
    if (self != NULL && !PyModule_Check(self))
        return PyType_Check(self) ? type_keeps((PyTypeObject *)self) : type_keeps(Py_TYPE(self));
    if (module == NULL || !PyUnicode_Check(module))
        return 0;
    Py_ssize_t n;
    const char *text = PyUnicode_AsUTF8AndSize(module, &n);
    if (text == NULL) {
        PyErr_Clear();
        return 0;
    }
    return module_keeps(text, (size_t)n) && !(strcmp(text, "builtins") == 0 && IS_ONE_OF(name, releasing));
}

/* Calling it runs C code that keeps the GIL, and no frame before that. */
static int callable_keeps(PyObject *callable)
{
    PyTypeObject *type = Py_TYPE(callable);
    if (type == &PyCFunction_Type || type == &PyCMethod_Type)
        return function_keeps(callable);
    if (type == &PyMethodDescr_Type || type == &PyClassMethodDescr_Type || type == &PyWrapperDescr_Type)
        return type_keeps(PyDescr_TYPE(callable));
    if (PyType_Check(callable)) /* type_needs found nothing of the library's in it, or it is a C type */
        return !(((PyTypeObject *)callable)->tp_flags & Py_TPFLAGS_HEAPTYPE) && type_keeps((PyTypeObject *)callable);
    return 0;
}

/* The object that a call instruction is about to call. */
static PyObject *callable_of(const ssbp_view *view)
{
    int n = view->record->operand;
    switch (view->record->check) {
    case SSBP_CALL: break;
    case SSBP_CALL_KEYWORDS: n++; break;
    case SSBP_CALL_UNPACKED: return SSBP_PEEK(view, n + 1 + SSBP_CALLABLE_FIRST);
    default: return SSBP_PEEK(view, n); /* of EXIT; of ENTER the manager */
    }
    PyObject *first = SSBP_PEEK(view, n + 1), *second = SSBP_PEEK(view, n);
    return SSBP_CALLABLE_FIRST || first != NULL ? first : second;
}

/* Looking up an attribute runs nothing but the generic C code. */
static int lookup_keeps(PyObject *owner, PyObject *name)
{
    PyTypeObject *type = Py_TYPE(owner);
    if (type->tp_getattro != PyObject_GenericGetAttr && type->tp_getattro != PyType_Type.tp_getattro &&
        type->tp_getattro != PyModule_Type.tp_getattro && type->tp_getattro != PySuper_Type.tp_getattro)
        return 0;
    PyObject *found = _PyType_Lookup(type, name);
    if (found == NULL && PyType_Check(owner))
        found = _PyType_Lookup((PyTypeObject *)owner, name);
    if (found == NULL)
        return 1;
    type = Py_TYPE(found);
    if (type == &PyGetSetDescr_Type)
        return type_keeps(PyDescr_TYPE(found));
    return (type->tp_descr_get == NULL && type->tp_descr_set == NULL) || type == &PyFunction_Type ||
           type == &PyMemberDescr_Type || type == &PyMethodDescr_Type || type == &PyWrapperDescr_Type ||
           type == &PyClassMethod_Type || type == &PyStaticMethod_Type || type == &PyClassMethodDescr_Type;
}

/* The instruction, which needs a choice point, is C code that keeps the GIL until its access is done. */
static int instruction_keeps(const ssbp_view *view)
{
    int check = view->record->check, n;
    if (view->top == NULL && check >= SSBP_ATTRIBUTE_READ)
        return 0;
    switch (check) {
    case SSBP_GLOBAL_READ: case SSBP_GLOBAL_WRITE: case SSBP_NAME_WRITE: case SSBP_CELL_READ: case SSBP_CELL_WRITE:
    case SSBP_CELL_CONSTANT: return 1;
    case SSBP_ATTRIBUTE_READ: case SSBP_ATTRIBUTE_WRITE:
        return lookup_keeps(SSBP_PEEK(view, 0), PyTuple_GET_ITEM(view->code->co_names, view->record->operand));
    case SSBP_ITEM_READ: case SSBP_ITEM_WRITE: return type_keeps(Py_TYPE(SSBP_PEEK(view, 1)));
    case SSBP_CONTAINS: case SSBP_TRUTH: case SSBP_ITERATE: case SSBP_SOURCE: n = 1; break;
    case SSBP_COMPARE: n = 2; break;
    case SSBP_OPERANDS: n = view->record->operand; break;
    case SSBP_NEXT: return type_keeps(Py_TYPE(SSBP_PEEK(view, view->record->operand)));
    case SSBP_CALL: case SSBP_CALL_KEYWORDS: case SSBP_CALL_UNPACKED: case SSBP_EXIT: return callable_keeps(callable_of(view));
    default: return 0;
    }
    for (int i = 0; i < n; i++)
        if (!type_keeps(Py_TYPE(SSBP_PEEK(view, i))))
            return 0;
    return 1;
}

/* -- marks in the records of traced code ------------------------------------------------------ */

void ssbp_gil_mark(PyCodeObject *code, ssbp_record *records)
{
    int units = (int)Py_SIZE(code), argument = 0, after_call = 0, first = 0;
    for (int at = 0; at < units; at = ssbf_next_unit(code, at)) {
        enum ssbf_switching what = ssbf_switching_at(code, at);
        argument = argument << 8 | ssbf_argument_at(code, at);
        if (what == SSBF_PREFIX)
            continue; /* `first` stays at the foremost prefix */
        for (int i = first; i <= at; i++) {
            records[i].flags |= (uint8_t)(after_call ? SSBP_FOLLOWS_CALL : 0);
            records[i].flags |= (uint8_t)(what == SSBF_SWITCH_AFTER ? SSBP_SWITCH_AFTER : 0);
            records[i].flags |= (uint8_t)(what == SSBF_SWITCH_JUMP ? SSBP_SWITCH_JUMP : 0);
            records[i].flags |= (uint8_t)(what == SSBF_SILENT_RESUME ? SSBP_SILENT : 0);
        }
        int next = ssbf_next_unit(code, at);
        if (what == SSBF_SWITCH_JUMP && next - argument >= 0 && next - argument < units)
            records[next - argument].flags |= SSBP_LOOP_HEAD;
        after_call = what == SSBF_SWITCH_AFTER;
        first = next;
        argument = 0;
    }
}

int ssbp_gil_switches_inside(PyCodeObject *code)
{
    for (int at = 0, units = (int)Py_SIZE(code); at < units; at = ssbf_next_unit(code, at)) {
        enum ssbf_switching what = ssbf_switching_at(code, at);
        if (what == SSBF_SWITCH_AFTER || what == SSBF_SWITCH_JUMP)
            return 1;
    }
    return 0;
}

/* -- what the tracer tells ----------------------------------------------------------------------- */

void ssbp_gil_enter(const ssbp_frame *frame, PyCodeObject *code, const ssbp_code *entry)
{
    ssb_thread *t = ssb_current();
    int unit = ssbp_frame_unit(frame, code);
    int silent = entry->records != NULL && unit >= 0 && (uint32_t)unit < entry->units && (entry->records[unit].flags & SSBP_SILENT);
    if (!silent && t->last_event != CHOSEN)
        t->may_switch = 1;
    t->last_event = NOTHING;
    t->last_frame = frame;
}

void ssbp_gil_leave(const ssbp_frame *frame, PyCodeObject *code, const ssbp_code *entry)
{
    ssb_thread *t = ssb_current();
    if (entry->records == NULL && ssbp_gil_switches_inside(code))
        t->may_switch = 1;
    t->last_event = ssbp_frame_entered_from_c(frame) ? LEFT_TO_C : LEFT;
    t->last_frame = frame;
}

void ssbp_gil_before(const ssbp_frame *frame, int unit, const ssbp_record *record)
{
    ssb_thread *t = ssb_current();
    int flags = record->flags, same = t->last_frame == frame, nested = !same || t->last_event == LEFT || t->last_event == LEFT_TO_C;
    if ((flags & SSBP_FOLLOWS_CALL) &&
        ((same && (t->last_event == CALLING || t->last_event == CHOSEN)) || (nested && t->last_event != LEFT)))
        t->may_switch = 1;
    if ((flags & SSBP_LOOP_HEAD) && (nested || (t->last_event == JUMPING && unit <= t->last_unit)))
        t->may_switch = 1;
    t->last_event = flags & SSBP_SWITCH_AFTER ? CALLING : flags & SSBP_SWITCH_JUMP ? JUMPING : NOTHING;
    t->last_frame = frame;
    t->last_unit = unit;
}

void ssbp_gil_access(const ssbp_view *view)
{
    if (instruction_keeps(view))
        return;
    ssb_thread *t = ssb_current();
    t->may_switch = 1;
    t->last_event = CHOSEN;
}

int ssb_switch_is_due(void)
{
    if (!ssbp_tracks_switches)
        return 1;
    ssb_thread *t = ssb_current();
    int due = t->may_switch;
    t->may_switch = 0;
    PyThreadState *tstate = t->tstate;
    ssbp_frame *frame = tstate != NULL ? (ssbp_frame *)ssb_thread_frame(tstate) : NULL;
    while (frame != NULL && ssbp_frame_code(frame) == NULL)
        frame = frame->previous;
    if (due || frame == NULL)
        return 1;
    const ssbp_code *entry = ssbp_find_code(ssbp_frame_code(frame), frame->f_globals);
    if (entry == NULL) {
        PyErr_Clear();
        return 1;
    }
    return entry->records == NULL;
}
