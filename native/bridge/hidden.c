/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ hidden.c — program state in C stack frames.                                │
 * │                                                                            │
 * │ list.sort calling a key function, sum() pulling from a generator: what C   │
 * │ has done so far lies in its local variables only. Evaluation loops cut the │
 * │ C stack into segments, one for each Python frame that was entered from C.  │
 * │ Where the instruction of the calling frame and what it calls are on the    │
 * │ list below, C holds nothing that the frames do not show, and the segment   │
 * │ is skipped. Everywhere else its words are tokens. That is sound and merges │
 * │ less.                                                                      │
 * │                                                                            │
 * │ The list. A Python class here is one made by a class statement whose bases │
 * │ are such classes down to object: its slots only look up and call methods,  │
 * │ and which method runs is visible as a frame.                               │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#define SSB_NEED_CALLS
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include <link.h>
#include <opcode.h>
#include <string.h>

#include "opcodes.h"
#include "orders.h"

#define LOOP_BYTES 4096 /* no evaluation loop has a larger C frame above its entry */

enum { BUT_FOR_AN_EXCEPTION = 2 }; /* between transparent and not: an exception may be held by C alone */

static PyTypeObject *partial_type;
static PyCFunction context_run; /* contextvars.Context.run */

/* A partial object called by its fast protocol overwrites the slot of the callable with its first argument
 * for as long as the call lasts, and the slot is all we have to tell what was called. Its slow protocol does not. */
static void forbid_fast_calls(PyTypeObject *type)
{
    type->tp_flags &= ~Py_TPFLAGS_HAVE_VECTORCALL;
    PyObject *table = ssb_type_subclasses(type), *key, *reference;
    Py_ssize_t position = 0;
    while (table && PyDict_Next(table, &position, &key, &reference)) {
        PyObject *subclass = ssb_weakref_object((PyWeakReference *)reference);
        if (PyType_Check(subclass))
            forbid_fast_calls((PyTypeObject *)subclass);
    }
    PyType_Modified(type);
}

/* Our own functions (choose and the like) keep nothing to themselves. */
static uintptr_t own_lo, own_hi;

static int find_own_library(struct dl_phdr_info *info, size_t bytes, void *unused)
{
    (void)bytes;
    (void)unused;
    uintptr_t lo = UINTPTR_MAX, hi = 0;
    for (int k = 0; k < info->dlpi_phnum; k++)
        if (info->dlpi_phdr[k].p_type == PT_LOAD) {
            uintptr_t at = info->dlpi_addr + info->dlpi_phdr[k].p_vaddr;
            lo = at < lo ? at : lo;
            hi = at + info->dlpi_phdr[k].p_memsz > hi ? at + info->dlpi_phdr[k].p_memsz : hi;
        }
    if ((uintptr_t)&ssb < lo || (uintptr_t)&ssb >= hi)
        return 0;
    own_lo = lo;
    own_hi = hi;
    return 1;
}

static int is_ours(PyCFunction function)
{
    int is_own = (uintptr_t)function >= own_lo && (uintptr_t)function < own_hi;
    return (is_own && !ssbf_look_calls_on(function)) || ssb_is_hooked(function);
}

int ssbf_hidden_prepare(void)
{
    dl_iterate_phdr(find_own_library, NULL);
    PyObject *functools = PyImport_ImportModule("functools");
    partial_type = functools ? (PyTypeObject *)PyObject_GetAttrString(functools, "partial") : NULL;
    Py_XDECREF(functools);
    if (!partial_type)
        return -1;
    forbid_fast_calls(partial_type);
    PyObject *run = PyObject_GetAttrString((PyObject *)&PyContext_Type, "run");
    if (!run)
        return -1;
    context_run = Py_TYPE(run) == &PyMethodDescr_Type ? ((PyMethodDescrObject *)run)->d_method->ml_meth : NULL;
    Py_DECREF(run);
    return ssbf_hidden_tasks_prepare(PyImport_GetModuleDict());
}

int ssbf_is_python_class(PyTypeObject *t)
{
    for (; t && t != &PyBaseObject_Type; t = t->tp_base)
        if (!ssb_type_is_python_class(t))
            return 0;
    return t != NULL;
}

/* A slot may still point to what an instruction has given up: from 3.12 on, operands are dropped before they are popped. */
static int is_plain_instance(PyObject *o) { return o && ssbf_is_type(Py_TYPE(o)) && ssbf_is_python_class(Py_TYPE(o)); }

/* A generator runs, and the frame is its own. */
static int generator_runs(PyObject *o, ssb_frame *callee)
{
    return o && callee && (Py_TYPE(o) == &PyGen_Type || Py_TYPE(o) == &PyCoro_Type) && ssb_generator_frame(o) == callee;
}

/* What a class has under a name, without the caches of the interpreter. */
static PyObject *class_attribute(PyTypeObject *type, const char *name)
{
    PyObject *mro = ssb_type_mro(type);
    for (Py_ssize_t i = 0; mro && i < PyTuple_GET_SIZE(mro); i++) {
        PyDictObject *d = (PyDictObject *)ssb_type_dict((PyTypeObject *)PyTuple_GET_ITEM(mro, i));
        PyDictKeysObject *keys = d->ma_keys;
        for (Py_ssize_t e = 0; DK_IS_UNICODE(keys) && !d->ma_values && e < keys->dk_nentries; e++) {
            PyDictUnicodeEntry *entry = &DK_UNICODE_ENTRIES(keys)[e];
            if (entry->me_value && PyUnicode_IS_ASCII(entry->me_key) && !strcmp(PyUnicode_DATA(entry->me_key), name))
                return entry->me_value;
        }
    }
    return NULL;
}

/* Under how many names does a class have this function? */
static int times_bound(PyTypeObject *type, PyObject *function)
{
    PyObject *mro = ssb_type_mro(type);
    int n = 0;
    for (Py_ssize_t i = 0; mro && i < PyTuple_GET_SIZE(mro); i++) {
        PyDictObject *d = (PyDictObject *)ssb_type_dict((PyTypeObject *)PyTuple_GET_ITEM(mro, i));
        PyDictKeysObject *keys = d->ma_keys;
        if (!DK_IS_UNICODE(keys) || d->ma_values)
            return 2;
        for (Py_ssize_t e = 0; e < keys->dk_nentries; e++)
            n += DK_UNICODE_ENTRIES(keys)[e].me_value == function;
    }
    return n;
}

/* The first argument of a function that runs, wherever the function keeps it; NULL when it let go of it. */
static PyObject *first_argument(ssb_frame *frame)
{
    PyCodeObject *code = ssb_frame_code(frame);
    PyObject *first = code->co_argcount > 0 && code->co_nlocalsplus > 0 ? ssb_frame_value(frame, 0) : NULL;
    return first && PyCell_Check(first) ? PyCell_GET(first) : first;
}

/* Does the function ever bind its first argument anew, or delete it? */
static int first_argument_is_kept(PyCodeObject *code)
{
    for (int unit = 0; unit < (int)Py_SIZE(code); unit = ssbf_next_unit(code, unit)) {
        int op = ssbf_opcode_at(code, unit); /* a prefix is ignored: more functions look as if they did */
        if (ssbf_argument_at(code, unit) == 0 && (op == STORE_FAST || op == DELETE_FAST))
            return 0;
    }
    return 1;
}

/* A class is called, and the frame is that of its __new__ or __init__. While __init__ runs, C holds the new object:
 * it must be an argument of the frame as well, for as long as that runs. */
static int class_call_is_transparent(PyTypeObject *type, ssb_frame *callee)
{
    PyObject *function = ssb_frame_function(callee), *new_function = class_attribute(type, "__new__");
    if (!ssbf_is_python_class(type))
        return 0;
    if (class_attribute(type, "__init__") == function) {
        PyCodeObject *code = ssb_frame_code(callee);
        PyObject *self = code->co_argcount > 0 ? ssb_frame_value(callee, 0) : NULL; /* in a cell others could change it */
        return self && Py_TYPE(self) == type && first_argument_is_kept(code);
    }
    return new_function && Py_TYPE(new_function) == &PyStaticMethod_Type && ssb_staticmethod_callable(new_function) == function;
}

static int is_alive(PyObject *o)
{
    uintptr_t start;
    uint32_t bytes;
    if (!ssb_heap_is_new((uintptr_t)o))
        return ssbf_find_object((uintptr_t)o) >= 0 && Py_REFCNT(o) > 0;
    return ssb_heap_find((uintptr_t)o, &start, &bytes) == 3 && start + bytes >= (uintptr_t)o + sizeof(PyObject) &&
           ssbf_is_type(Py_TYPE(o)) && Py_REFCNT(o) > 0;
}

/* callee: the frame that was entered, or NULL if C itself is at the choice point; then only our hooks may be called.
 * first: the first argument, NULL if there is none or it is not known. */
static int callable_is_transparent(PyObject *c, PyObject *first, ssb_frame *callee)
{
    for (int depth = 0; c && depth < 8; depth++) {
        PyTypeObject *t = Py_TYPE(c);
        if (t == &PyMethod_Type) {
            first = PyMethod_GET_SELF(c);
            c = PyMethod_GET_FUNCTION(c);
            continue;
        }
        if (t == partial_type && callee) {
            PyObject *const *parts = (PyObject *const *)((char *)c + sizeof(PyObject)); /* what it calls, and with what */
            if (PyTuple_GET_SIZE(parts[1]) > 0)
                first = PyTuple_GET_ITEM(parts[1], 0);
            c = parts[0];
            continue;
        }
        if (t == &PyFunction_Type)
            return callee && ssb_frame_function(callee) == c;
        if (callee && (t == &PyCFunction_Type || t == &PyMethodDescr_Type)) {
            /* It calls its first argument. The context that it will leave is the thread's. */
            PyMethodDef *method = t == &PyCFunction_Type ? ((PyCFunctionObject *)c)->m_ml : ((PyMethodDescrObject *)c)->d_method;
            if (!context_run || method->ml_meth != context_run || !first || !is_alive(first))
                return 0;
            if (ssbf_task_step_runs(first, callee))
                return BUT_FOR_AN_EXCEPTION;
            c = first;
            first = NULL;
            continue;
        }
        if (t == &PyCFunction_Type)
            return is_ours(((PyCFunctionObject *)c)->m_ml->ml_meth);
        if (t == &PyMethodDescr_Type)
            return is_ours(((PyMethodDescrObject *)c)->d_method->ml_meth);
        return t == &PyType_Type && callee && class_call_is_transparent((PyTypeObject *)c, callee);
    }
    return 0;
}

/* The call at the end of a with block. While a bound method runs, its slot holds the instance. */
static int exit_call_is_transparent(PyObject *slot, ssb_frame *callee)
{
    if (is_plain_instance(slot))
        return callee && ssb_frame_function(callee) == class_attribute(Py_TYPE(slot), "__exit__");
    return callable_is_transparent(slot, NULL, callee);
}

/* __enter__ runs: of one of our locks, or of an instance of a Python class. The slot holds the exit method or the manager. */
static int enter_is_transparent(PyObject *slot, ssb_frame *callee)
{
    if (!SSB_EXIT_METHOD_IS_ON_STACK)
        return callee ? is_plain_instance(slot) && ssb_frame_function(callee) == class_attribute(Py_TYPE(slot), "__enter__")
                      : Py_TYPE(slot) == ssb_lock_type || Py_TYPE(slot) == ssb_rlock_type;
    PyObject *exit_method = slot;
    if (Py_TYPE(exit_method) == &PyMethod_Type)
        return callee && is_plain_instance(PyMethod_GET_SELF(exit_method)) &&
               ssb_frame_function(callee) == class_attribute(Py_TYPE(PyMethod_GET_SELF(exit_method)), "__enter__");
    return callable_is_transparent(exit_method, NULL, NULL);
}

/* Operand of an operator: a plain instance, or a number (which leaves the work to the other side). */
static int operands_are_transparent(PyObject *left, PyObject *right)
{
    int plain_left = is_plain_instance(left), plain_right = is_plain_instance(right);
    int number_left = left && (PyLong_CheckExact(left) || PyFloat_CheckExact(left));
    int number_right = right && (PyLong_CheckExact(right) || PyFloat_CheckExact(right));
    return (plain_left && (plain_right || number_right)) || (number_left && plain_right);
}

/* Not any method: an operand that goes when the result is there calls one as well. */
static int is_operator(PyTypeObject *type, PyObject *function)
{
#define SSBF_OPERATOR(name) "__" name "__", "__r" name "__", "__i" name "__"
    static const char *const names[] = {
        SSBF_OPERATOR("add"), SSBF_OPERATOR("sub"), SSBF_OPERATOR("mul"), SSBF_OPERATOR("matmul"), SSBF_OPERATOR("truediv"),
        SSBF_OPERATOR("floordiv"), SSBF_OPERATOR("mod"), SSBF_OPERATOR("pow"), SSBF_OPERATOR("lshift"), SSBF_OPERATOR("rshift"),
        SSBF_OPERATOR("and"), SSBF_OPERATOR("xor"), SSBF_OPERATOR("or"), "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__",
    };
#undef SSBF_OPERATOR
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (class_attribute(type, names[i]) == function)
            return 1;
    return 0;
}

/* One operator asks several methods in turn, on either side. Which of them runs must be visible in its frame: by its
 * first argument, and where one side is asked twice, by the function. */
static int operator_is_transparent(PyObject *left, PyObject *right, ssb_frame *callee, int compares, int in_place)
{
    if (!callee || !operands_are_transparent(left, right) || (compares && left == right))
        return 0;
    PyObject *self = first_argument(callee), *function = ssb_frame_function(callee);
    if (!self || (self != left && self != right) || !is_operator(Py_TYPE(self), function))
        return 0;
    if (Py_TYPE(left) != Py_TYPE(right) && PyType_IsSubtype(Py_TYPE(right), Py_TYPE(left))) /* it was asked first, or not */
        return 0;
    return !in_place || times_bound(Py_TYPE(self), function) == 1;
}

static int method_runs(PyObject *o, const char *name, ssb_frame *callee)
{
    return callee && is_plain_instance(o) && class_attribute(Py_TYPE(o), name) == ssb_frame_function(callee);
}

/* A property with the function as getter or setter (its first fields), or a descriptor made in Python. */
static int is_accessor(PyObject *value, PyObject *function)
{
    if (value && Py_TYPE(value) == &PyProperty_Type) {
        PyObject *const *parts = (PyObject *const *)((char *)value + sizeof(PyObject));
        return parts[0] == function || parts[1] == function;
    }
    return is_plain_instance(value) && (class_attribute(Py_TYPE(value), "__get__") == function ||
                                        class_attribute(Py_TYPE(value), "__set__") == function);
}

/* Attribute access: __getattribute__ first, then __getattr__; they must not be one function. Or what the class has under
 * some name runs. Anything else is not the access: what goes when it is over, say. */
static int access_is_transparent(PyObject *o, ssb_frame *callee)
{
    static const char *const names[] = {"__getattribute__", "__getattr__", "__setattr__"};
    if (!callee || !is_plain_instance(o))
        return 0;
    PyObject *function = ssb_frame_function(callee), *mro = ssb_type_mro(Py_TYPE(o));
    if (class_attribute(Py_TYPE(o), "__getattr__") && !method_runs(o, "__getattr__", callee) && !method_runs(o, "__setattr__", callee))
        return 0; /* it was looked up before, and C holds what was found */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (method_runs(o, names[i], callee))
            return times_bound(Py_TYPE(o), function) == 1;
    for (Py_ssize_t i = 0; mro && i < PyTuple_GET_SIZE(mro); i++) {
        PyDictObject *d = (PyDictObject *)ssb_type_dict((PyTypeObject *)PyTuple_GET_ITEM(mro, i));
        PyDictKeysObject *keys = d->ma_keys;
        for (Py_ssize_t e = 0; DK_IS_UNICODE(keys) && !d->ma_values && e < keys->dk_nentries; e++)
            if (is_accessor(DK_UNICODE_ENTRIES(keys)[e].me_value, function))
                return 1;
    }
    return 0;
}

/* The value stack of a frame, as the instruction that it is in found it. */
typedef struct operands {
    ssb_frame *frame;
    int bottom, depth;
} operands;

/* NULL: there is none, or it has been given up. */
static PyObject *below(operands s, int n) { return n <= s.depth ? ssb_frame_operand(s.frame, s.bottom + s.depth - n) : NULL; }

/* The first argument of a call, behind the instance of a method. */
static PyObject *first_operand(int op, int argument, operands s)
{
    if (op == CALL)
        return argument > 0 ? below(s, argument) : NULL;
    if (op != CALL_FUNCTION_EX)
        return NULL;
    PyObject *arguments = below(s, ssb_call_has_names(argument) + 1);
    return PyTuple_GET_SIZE(arguments) > 0 ? PyTuple_GET_ITEM(arguments, 0) : NULL;
}

/* CALL_FUNCTION_EX makes a tuple of other sequences first. */
static int has_plain_arguments(int argument, operands s)
{
    int named = ssb_call_has_names(argument);
    PyObject *arguments = below(s, named + 1), *names = named ? below(s, 1) : NULL;
    return arguments && PyTuple_CheckExact(arguments) && (!names || PyDict_CheckExact(names));
}

/* What the instruction calls, NULL if it calls nothing that is known. */
static PyObject *called(int op, int argument, operands s)
{
    int n = ssb_callable_below(op, argument);
    PyObject *callable = n && s.depth >= n ? below(s, n) : NULL;
    return !callable && n > 1 && s.depth >= n && ssb_callable_may_be_above(op) ? below(s, n - 1) : callable;
}

/* chooses: C chooses the order of a set that is about to be walked, or goes on in it. */
static int frame_is_transparent(ssb_frame *frame, ssb_frame *callee, int chooses)
{
    PyCodeObject *code = ssb_frame_code(frame);
    int depth, unit = ssbf_instruction(frame, &depth);
    if (unit < 0)
        return 0;
    int op = ssbf_opcode_at(code, unit), argument = ssbf_argument_at(code, unit);
    const int16_t *depths = ssbf_depths(code);
    if (unit > 0 && depths && depths[unit - 1] >= 0 && ssbf_opcode_at(code, unit - 1) == EXTENDED_ARG) /* a larger argument */
        return 0;
    operands s = {frame, code->co_nlocalsplus, depth};
    PyObject *callable = called(op, argument, s);
    if (op == CALL && argument == 2 && callable && callable == below(s, 4) && below(s, 3) == Py_None && below(s, 2) == Py_None &&
        below(s, 1) == Py_None)
        return exit_call_is_transparent(callable, callee);
    if (op == CALL_FUNCTION_EX && callable && !has_plain_arguments(argument, s))
        return 0;
    if (callable)
        return callable_is_transparent(callable, first_operand(op, argument, s), callee);
#define SSBF_HAS(n) (depth >= (n) && below(s, n))
    const int iterator = SSB_LOOPS_COUNT ? 2 : 1; /* a number above it, or its empty place */
    switch (op) {
    case BEFORE_WITH:
        return SSBF_HAS(1) && enter_is_transparent(below(s, 1), callee);
    case SEND:
        return SSBF_HAS(iterator + 1) &&
               (generator_runs(below(s, iterator + 1), callee) || method_runs(below(s, iterator + 1), "__next__", callee) ||
                method_runs(below(s, iterator + 1), "send", callee));
    case FOR_ITER:
        return SSBF_HAS(iterator) &&
               (generator_runs(below(s, iterator), callee) || method_runs(below(s, iterator), "__next__", callee) ||
                (chooses && Py_IS_TYPE(below(s, iterator), &PySetIter_Type)));
    case GET_ITER:
        return SSBF_HAS(1) && ((chooses && PySet_CheckExact(below(s, 1))) || method_runs(below(s, 1), "__iter__", callee));
    case LOAD_ATTR:
    case LOAD_METHOD:
        return SSBF_HAS(1) && access_is_transparent(below(s, 1), callee);
    case STORE_ATTR:
        return SSBF_HAS(2) && access_is_transparent(below(s, 1), callee);
    case BINARY_SUBSCR:
        return SSBF_HAS(2) && method_runs(below(s, 2), "__getitem__", callee);
    case STORE_SUBSCR:
        return SSBF_HAS(3) && method_runs(below(s, 2), "__setitem__", callee);
    case CONTAINS_OP: /* without the method, the iterator is in C only */
        return SSBF_HAS(2) && method_runs(below(s, 1), "__contains__", callee);
    case COMPARE_OP:
        return SSBF_HAS(2) && operator_is_transparent(below(s, 2), below(s, 1), callee, 1, 0);
    case BINARY_OP:
        if (ssb_operator_subscripts(argument))
            return SSBF_HAS(2) && method_runs(below(s, 2), "__getitem__", callee);
        return SSBF_HAS(2) && operator_is_transparent(below(s, 2), below(s, 1), callee, 0, argument >= NB_INPLACE_ADD);
    default:
        return 0;
    }
#undef SSBF_HAS
}

/* Unpacking puts items where the stack will be, last one first, while it still asks for more of them. */
static void unpacked_items(ssb_frame *frame)
{
    PyCodeObject *code = ssb_frame_code(frame);
    int depth, unit = ssbf_instruction(frame, &depth);
    if (unit < 0)
        return;
    int op = ssbf_opcode_at(code, unit);
    if (op != UNPACK_SEQUENCE && op != UNPACK_EX)
        return;
    for (int i = depth > 0 ? depth - 1 : 0; i < code->co_stacksize; i++)
        ssbf_word(ssb_frame_word(frame, code->co_nlocalsplus + i));
}

/* The words of a segment. Addresses on the stack itself count from its top: threads differ in where it lies. */
static void raw_segment(const ssb_thread *t, uintptr_t lo, uintptr_t hi)
{
    lo &= ~(uintptr_t)7;
    if (lo >= hi || lo < t->stack_lo || hi > t->stack_hi) {
        ssbf_fail("a C stack is not where it should be");
        return;
    }
    ssbf_count(hi - lo);
    for (uintptr_t at = lo; at + sizeof(uintptr_t) <= hi; at += sizeof(uintptr_t)) {
        uintptr_t value = *(const uintptr_t *)at;
        if (value >= t->stack_lo && value <= t->stack_hi) {
            ssbf_token(SSBF_TOKEN(SSBF_T_RAW, 2));
            ssbf_token(t->stack_hi - value);
        } else {
            ssbf_word(value);
            value &= ~SSB_REFERENCE_TAGS;
            if (ssbf_is_dict(value)) /* a position in it counts entries */
                ssbf_dict_layout((PyDictObject *)value);
            ssbf_deque_changes(value);
        }
    }
}

/* A method of the manager's lies somewhere on the C stack. */
static int stack_holds_method(uintptr_t lo, uintptr_t hi, PyObject *manager, PyObject *function)
{
    for (uintptr_t at = lo & ~(uintptr_t)7; at + sizeof(uintptr_t) <= hi; at += sizeof(uintptr_t)) {
        uintptr_t value = *(const uintptr_t *)at, start;
        uint32_t bytes;
        if (!(value & 7) && ssb_heap_is_new(value) && ssb_heap_find(value, &start, &bytes) == 3 &&
            start + bytes >= value + sizeof(PyMethodObject) && Py_TYPE((PyObject *)value) == &PyMethod_Type &&
            PyMethod_GET_SELF((PyObject *)value) == manager && PyMethod_GET_FUNCTION((PyObject *)value) == function)
            return 1;
    }
    return 0;
}

/* __enter__ runs, and which method will be called at the end was decided before. Where only C knows it, it must be
 * the one that the class has now: found in the loop's part of the C stack, whatever the compiler made of that. */
static void check_exit_method(const ssb_thread *t, ssb_frame *frame, uintptr_t lo, const void *loop)
{
    PyCodeObject *code = ssb_frame_code(frame);
    int depth, unit = ssbf_instruction(frame, &depth), op = unit < 0 ? -1 : ssbf_opcode_at(code, unit);
    if (SSB_EXIT_METHOD_IS_ON_STACK || depth < 1 || (op != BEFORE_WITH && op != BEFORE_ASYNC_WITH))
        return;
    PyObject *manager = ssb_frame_value(frame, code->co_nlocalsplus + depth - 1);
    uintptr_t hi = (uintptr_t)loop + LOOP_BYTES;
    if (!is_alive(manager))
        ssbf_fail("the manager of a with statement is gone");
    else if (!(Py_TYPE(manager)->tp_flags & Py_TPFLAGS_IMMUTABLETYPE) &&
             !stack_holds_method(lo, hi < t->stack_hi ? hi : t->stack_hi, manager,
                                 class_attribute(Py_TYPE(manager), op == BEFORE_WITH ? "__exit__" : "__aexit__")))
        ssbf_fail("the exit method of a with statement is unknown");
}

/* The exceptions that a part of the C stack refers to: more than C still needs, never less. */
static void exceptions(uintptr_t lo, uintptr_t hi)
{
    for (uintptr_t at = (lo + 7) & ~(uintptr_t)7; at + sizeof(uintptr_t) <= hi; at += sizeof(uintptr_t)) {
        PyObject *o = (PyObject *)(*(const uintptr_t *)at & ~SSB_REFERENCE_TAGS);
        if (!((uintptr_t)o & 7) && is_alive(o) && PyExceptionInstance_Check(o))
            ssbf_reference(o);
    }
}

/* What C has done between a frame and what it entered. */
static void segment(const ssb_thread *t, ssb_frame *frame, ssb_frame *callee, uintptr_t lo, const void *loop)
{
    check_exit_method(t, frame, lo, loop);
    int transparent = frame_is_transparent(frame, callee, !callee && ssbf_chooses_order(t));
    if (transparent == BUT_FOR_AN_EXCEPTION) {
        exceptions(lo, (uintptr_t)loop);
    } else if (!transparent) {
        unpacked_items(frame);
        raw_segment(t, lo, (uintptr_t)loop);
    }
}

/* What C has done between the beginning of a thread and its outermost frame, NULL if there is none: the function that
 * the thread was started with may be one of C. */
static void root_segment(const ssb_thread *t, ssb_frame *outermost, uintptr_t lo)
{
    if (!t->function)
        return;
    PyObject *first = PyTuple_GET_SIZE(t->args) > 0 ? PyTuple_GET_ITEM(t->args, 0) : NULL;
    int transparent = callable_is_transparent(t->function, first, outermost);
    if (transparent == BUT_FOR_AN_EXCEPTION)
        exceptions(lo, t->stack_hi);
    else if (!transparent && !method_runs(t->function, "__call__", outermost))
        raw_segment(t, lo, t->stack_hi);
}

void ssbf_hidden(uint32_t thread, ssb_frame **frames, uint32_t n)
{
    const ssb_thread *t = &ssb.threads[thread];
    const void *entry = ssb_thread_entry(t->tstate);
    if (!n) {
        if (!t->in_hook)
            root_segment(t, NULL, (uintptr_t)t->context.sp);
        return;
    }
    if (!t->in_hook)
        segment(t, frames[0], NULL, (uintptr_t)t->context.sp, entry);
    for (uint32_t k = 0; k < n; k++) {
        if (!ssb_frame_is_entry(frames[k]))
            continue;
        const void *outer = ssb_entry_previous(entry);
        if (k + 1 < n && outer && outer != ssbf->base_entry)
            segment(t, frames[k + 1], frames[k], ssb_entry_end(entry), outer);
        if (k + 1 == n && thread)
            root_segment(t, frames[k], ssb_entry_end(entry));
        entry = outer ? outer : entry;
    }
}

#endif
