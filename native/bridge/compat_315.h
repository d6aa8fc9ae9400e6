/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ compat_315.h — CPython 3.15: frames, dictionaries, opcodes, interpreter.   │
 * │                                                                            │
 * │ The accessors of compat_314.h. What is new since then:                     │
 * │   frames     a last one, in the thread state and in no evaluation loop     │
 * │   loops      over lists, tuples, strings and bytes have no iterator: these │
 * │              lie on the value stack themselves, below a number             │
 * │   imports    may be lazy: a name is bound to what imports it when it is    │
 * │              read                                                          │
 * │   collector  its statistics lie outside of the interpreter's own struct    │
 * │   JIT        thread states of builds that can have one are a word longer,  │
 * │              which no header tells                                         │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSB_COMPAT_315_H
#define SSB_COMPAT_315_H

#include <frameobject.h>
#include <string.h>
#include <structmember.h>
#include "internal/pycore_ceval.h"
#include "internal/pycore_code.h"
#include "internal/pycore_context.h"
#include "internal/pycore_dict.h"
#include "internal/pycore_frame.h"
#include "internal/pycore_gc.h"
#include "internal/pycore_genobject.h"
#include "internal/pycore_global_objects.h"
#include "internal/pycore_instruments.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_interpframe.h"
#include "internal/pycore_object.h"
#include "internal/pycore_runtime.h"
#include "internal/pycore_stackref.h"

/* ---- frames ---- */

typedef _PyInterpreterFrame ssb_frame;

/* Frames of Python code only, without the entries between them. */
static inline ssb_frame *ssb_python_frame(ssb_frame *f)
{
    while (f && f->owner >= FRAME_OWNED_BY_INTERPRETER)
        f = f->previous;
    return f;
}
static inline PyObject *ssb_slot_object(_PyStackRef slot)
{
    return PyStackRef_IsNullOrInt(slot) ? NULL : PyStackRef_AsPyObjectBorrow(slot);
}
static inline PyCodeObject *ssb_frame_code(const ssb_frame *f) { return (PyCodeObject *)ssb_slot_object(f->f_executable); }
static inline PyObject *ssb_frame_function(const ssb_frame *f) { return ssb_slot_object(f->f_funcobj); }
static inline PyObject *ssb_frame_locals(const ssb_frame *f) { return f->f_locals; }
static inline PyFrameObject *ssb_frame_object(const ssb_frame *f) { return f->frame_obj; }
static inline ssb_frame *ssb_frame_previous(const ssb_frame *f) { return ssb_python_frame(f->previous); }
static inline ssb_frame *ssb_thread_frame(const PyThreadState *ts) { return ssb_python_frame(ts->current_frame); }
/* Code unit of the instruction the frame is in, or will go on with. */
static inline int ssb_frame_unit(const ssb_frame *f) { return (int)(f->instr_ptr - _PyCode_CODE(ssb_frame_code(f))); }
/* Values on localsplus. */
static inline int ssb_frame_stacktop(const ssb_frame *f) { return (int)(f->stackpointer - f->localsplus); }
/* One of them; NULL also if it is an integer without an object. Whether the slot owns its reference follows from the
 * instructions of the code, or from whether the object can die: it makes no difference to any program. */
static inline PyObject *ssb_frame_value(const ssb_frame *f, int i) { return ssb_slot_object(f->localsplus[i]); }
static inline uintptr_t ssb_frame_word(const ssb_frame *f, int i) { return f->localsplus[i].bits; }
/* The number that a slot holds instead of an object: where an exception came from. */
static inline int ssb_frame_number(const ssb_frame *f, int i, uint64_t *number)
{
    *number = f->localsplus[i].bits;
    return PyStackRef_IsTaggedInt(f->localsplus[i]);
}
/* A value that an instruction began with; NULL if it has given it up. */
static inline PyObject *ssb_frame_operand(const ssb_frame *f, int i) { return i < ssb_frame_stacktop(f) ? ssb_frame_value(f, i) : NULL; }
/* Bits of a word that may be set in a reference. */
#define SSB_REFERENCE_TAGS ((uintptr_t)3)
static inline int ssb_frame_is_generators(const ssb_frame *f) { return f->owner == FRAME_OWNED_BY_GENERATOR; }
static inline int ssb_frame_is_in_object(const ssb_frame *f) { return f->owner == FRAME_OWNED_BY_FRAME_OBJECT; }
/* Called from C: an evaluation loop of its own runs it. */
static inline int ssb_frame_is_entry(const ssb_frame *f) { return f->previous && f->previous->owner >= FRAME_OWNED_BY_INTERPRETER; }
static inline PyObject *ssb_frame_generator(ssb_frame *f) { return (PyObject *)((char *)f - offsetof(PyGenObject, gi_iframe)); }
static inline ssb_frame *ssb_generator_frame(PyObject *g) { return &((PyGenObject *)g)->gi_iframe; }
static inline PyCodeObject *ssb_generator_code(PyObject *g) { return ssb_frame_code(ssb_generator_frame(g)); }
static inline int ssb_generator_has_frame(PyObject *g) { return ((PyGenObject *)g)->gi_frame_state < FRAME_CLEARED; }
/* Slots of a frame behind its fixed part: the basic size counts them. */
#define SSB_FRAME_EXTRA_SLOTS 0
/* What a frame object adds to its frame: variables that a debugger made, a copy that C asked for, what it overwrote (others
 * may still use that). Mostly nothing: whether anybody ever asked for the object makes no difference then. */
static inline void ssb_frame_object_tokens(PyFrameObject *o, void (*reference)(PyObject *))
{
    if (!o->f_extra_locals && !o->f_locals_cache && !o->f_overwritten_fast_locals)
        return;
    reference(o->f_extra_locals);
    reference(o->f_locals_cache);
    reference(o->f_overwritten_fast_locals);
}

/* Evaluation loops on a C stack, innermost first; an entry lies inside the loop's own C frame. */
static inline const void *ssb_entry_from(const ssb_frame *f)
{
    while (f && f->owner < FRAME_OWNED_BY_INTERPRETER)
        f = f->previous;
    return f && f->previous ? f : NULL; /* the last one lies in the thread state */
}
static inline const void *ssb_thread_entry(const PyThreadState *ts) { return ssb_entry_from(ts->current_frame); }
static inline const void *ssb_entry_previous(const void *entry) { return ssb_entry_from(((const ssb_frame *)entry)->previous); }
static inline uintptr_t ssb_entry_end(const void *entry) { return (uintptr_t)entry + sizeof(ssb_frame); }
/* While __enter__ runs, its __exit__ lies on the value stack. */
#define SSB_EXIT_METHOD_IS_ON_STACK 1
/* What is iterated over has a slot above it: where a loop is in a list, tuple, string or bytes, without an iterator. */
#define SSB_LOOPS_COUNT 1

/* ---- objects ---- */

#define SSB_THREADS_HAVE_HANDLES 1
#define SSB_SETS_ARE_READ_DIRECTLY 1
#define SSB_DICTS_FREEZE 1

#define SSB_STRING_IO_WRITER_IS_APART 1
#define SSB_UNION_PARAMETERS (sizeof(PyObject) + 3 * sizeof(PyObject *))

#define SSB_GC_HEADER sizeof(PyGC_Head)

/* Bytes before the GC header that hold attributes and weak references. */
static inline size_t ssb_type_header(const PyTypeObject *t) { return t->tp_flags & Py_TPFLAGS_PREHEADER ? 2 * sizeof(void *) : 0; }
static inline int ssb_type_has_managed_dict(const PyTypeObject *t) { return (t->tp_flags & Py_TPFLAGS_MANAGED_DICT) != 0; }
static inline PyObject *ssb_instance_dict(PyObject *o) { return (PyObject *)_PyObject_ManagedDictPointer(o)->dict; }
static inline PyDictValues *ssb_values_in_object(PyObject *o)
{
    return Py_TYPE(o)->tp_flags & Py_TPFLAGS_INLINE_VALUES ? (PyDictValues *)((char *)o + Py_TYPE(o)->tp_basicsize) : NULL;
}
/* Values without a dict that speaks for them. */
static inline PyDictValues *ssb_instance_values(PyObject *o)
{
    PyDictValues *values = ssb_values_in_object(o);
    return values && values->valid && !ssb_instance_dict(o) ? values : NULL;
}
static inline PyDictKeysObject *ssb_type_keys(PyTypeObject *t)
{
    return t->tp_flags & Py_TPFLAGS_HEAPTYPE ? ((PyHeapTypeObject *)t)->ht_cached_keys : NULL;
}
/* Insertion order of values: entry numbers, i < size. */
static inline int ssb_values_size(const PyDictValues *v) { return v->size; }
static inline int ssb_values_entry(const PyDictValues *v, int i) { return ((const uint8_t *)&v->values[v->capacity])[i]; }
static inline size_t ssb_values_memory(const PyDictValues *v, const PyDictKeysObject *keys, const void **start)
{
    (void)keys;
    *start = v;
    return offsetof(PyDictValues, values) + v->capacity * sizeof(PyObject *) + ((v->capacity + 7u) & ~(size_t)7);
}
/* The hash of a tuple is computed once. */
#define SSB_TUPLES_KEEP_HASHES 1
static inline int ssb_tuple_keeps_hash(PyObject *o) { return ((PyTupleObject *)o)->ob_hash != -1; }
/* Items of a variable-size object. */
static inline Py_ssize_t ssb_var_items(PyObject *o)
{
    if (PyLong_Check(o))
        return (Py_ssize_t)(((PyLongObject *)o)->long_value.lv_tag >> _PyLong_NON_SIZE_BITS);
    Py_ssize_t n = ((PyVarObject *)o)->ob_size;
    return n < 0 ? -n : n;
}

/* Made by a class statement, not by C: its methods are visible as frames. */
static inline int ssb_type_is_python_class(const PyTypeObject *t)
{
    return (t->tp_flags & Py_TPFLAGS_HEAPTYPE) && !((const PyHeapTypeObject *)t)->_ht_tpname;
}
/* What the interpreter keeps for a static type of its own; NULL for all others. */
static inline managed_static_type_state *ssb_static_state(const PyTypeObject *t)
{
    if (!(t->tp_flags & _Py_TPFLAGS_STATIC_BUILTIN))
        return NULL;
    struct types_state *types = &_PyRuntime.interpreters.main->types;
    size_t index = (size_t)(uintptr_t)t->tp_subclasses - 1; /* the field is used for a number */
    if (index < _Py_MAX_MANAGED_STATIC_BUILTIN_TYPES && types->builtins.initialized[index].type == t)
        return &types->builtins.initialized[index];
    if (index < _Py_MAX_MANAGED_STATIC_EXT_TYPES && types->for_extensions.initialized[index].type == t)
        return &types->for_extensions.initialized[index];
    return NULL;
}
static inline PyObject *ssb_type_subclasses(PyTypeObject *t)
{
    managed_static_type_state *state = ssb_static_state(t);
    return state ? state->tp_subclasses : t->tp_flags & _Py_TPFLAGS_STATIC_BUILTIN ? NULL : (PyObject *)t->tp_subclasses;
}
static inline PyObject *ssb_type_dict(PyTypeObject *t)
{
    managed_static_type_state *state = ssb_static_state(t);
    return state ? state->tp_dict : t->tp_dict;
}
static inline PyObject *ssb_type_bases(PyTypeObject *t) { return t->tp_bases; }
static inline PyObject *ssb_type_mro(PyTypeObject *t) { return t->tp_mro; }
/* Memory of a type outside of it, dictionary and table of subclasses in it; NULL if it has none. */
static inline void *ssb_type_state(PyTypeObject *t, size_t *bytes)
{
    *bytes = sizeof(managed_static_type_state);
    return ssb_static_state(t);
}
/* First of an object's weak references. Those of static types lie elsewhere and never call back: such types do not die. */
static inline PyWeakReference *ssb_object_weakrefs(PyObject *o)
{
    Py_ssize_t offset = Py_TYPE(o)->tp_weaklistoffset;
    if (PyType_Check(o) && ssb_static_state((PyTypeObject *)o))
        return NULL;
    return offset > 0 || offset == MANAGED_WEAKREF_OFFSET ? *(PyWeakReference **)((char *)o + offset) : NULL;
}
/* Memory of a code object outside of it: what tracing keeps, and values asked for before. */
static inline void ssb_each_code_block(PyCodeObject *code, void (*visit)(const void *, size_t))
{
    size_t units = (size_t)Py_SIZE(code);
    const _PyCoMonitoringData *m = code->_co_monitoring;
    if (m) {
        visit(m, sizeof *m);
        visit(m->tools, units);
        if (m->lines)
            visit(m->lines, 1 + units * m->lines->bytes_per_entry);
        visit(m->line_tools, units);
        visit(m->per_instruction_opcodes, units);
        visit(m->per_instruction_tools, units);
    }
    visit(code->_co_cached, sizeof *code->_co_cached);
}

static inline size_t ssb_long_digits(PyObject *o, const void **data, int *sign)
{
    const _PyLongValue *value = &((PyLongObject *)o)->long_value;
    *data = value->ob_digit;
    *sign = (value->lv_tag & _PyLong_SIGN_MASK) == 2;
    return (value->lv_tag >> _PyLong_NON_SIZE_BITS) * sizeof(digit);
}
static inline int ssb_unicode_is_value(PyObject *Py_UNUSED(o)) { return 1; }
static inline PyObject *ssb_weakref_object(PyWeakReference *w) { return w->wr_object; }
#define SSB_FUNCTION_END offsetof(PyFunctionObject, func_version)

/* ---- opcodes ---- */

#ifdef SSB_NEED_OPCODES
#define NEED_OPCODE_METADATA
#define _PyOpcode_num_popped ssb_opcode_num_popped
#define _PyOpcode_num_pushed ssb_opcode_num_pushed
#define _PyOpcode_opcode_metadata ssb_opcode_metadata
#define _PyOpcode_macro_expansion ssb_opcode_macro_expansion
#define _PyOpcode_OpName ssb_opcode_name
#define _PyOpcode_Caches ssb_opcode_caches
#define _PyOpcode_Deopt ssb_opcode_deopt
#define _PyOpcode_PseudoTargets ssb_opcode_pseudo_targets
#include "internal/pycore_opcode_metadata.h"
#include <opcode.h>

/* The instruction that monitoring has put another one in the place of. */
static inline int ssb_opcode_behind(int op)
{
    switch (op) {
    case INSTRUMENTED_RESUME: return RESUME;
    case INSTRUMENTED_END_FOR: return END_FOR;
    case INSTRUMENTED_POP_ITER: return POP_ITER;
    case INSTRUMENTED_END_SEND: return END_SEND;
    case INSTRUMENTED_END_ASYNC_FOR: return END_ASYNC_FOR;
    case INSTRUMENTED_NOT_TAKEN: return NOT_TAKEN;
    case INSTRUMENTED_RETURN_VALUE: return RETURN_VALUE;
    case INSTRUMENTED_YIELD_VALUE: return YIELD_VALUE;
    case INSTRUMENTED_LOAD_SUPER_ATTR: return LOAD_SUPER_ATTR;
    case INSTRUMENTED_FOR_ITER: return FOR_ITER;
    case INSTRUMENTED_CALL: return CALL;
    case INSTRUMENTED_CALL_KW: return CALL_KW;
    case INSTRUMENTED_CALL_FUNCTION_EX: return CALL_FUNCTION_EX;
    case INSTRUMENTED_JUMP_FORWARD: return JUMP_FORWARD;
    case INSTRUMENTED_JUMP_BACKWARD: return JUMP_BACKWARD;
    case INSTRUMENTED_POP_JUMP_IF_TRUE: return POP_JUMP_IF_TRUE;
    case INSTRUMENTED_POP_JUMP_IF_FALSE: return POP_JUMP_IF_FALSE;
    case INSTRUMENTED_POP_JUMP_IF_NONE: return POP_JUMP_IF_NONE;
    case INSTRUMENTED_POP_JUMP_IF_NOT_NONE: return POP_JUMP_IF_NOT_NONE;
    default: return ssb_opcode_deopt[op];
    }
}
/* Opcode of a code unit, without specialisation and monitoring. */
static inline int ssb_unit_opcode(PyCodeObject *code, int unit)
{
    int op = _PyCode_CODE(code)[unit].op.code;
    if (op == INSTRUMENTED_LINE)
        op = code->_co_monitoring->lines->data[unit * code->_co_monitoring->lines->bytes_per_entry];
    if (op == INSTRUMENTED_INSTRUCTION)
        op = code->_co_monitoring->per_instruction_opcodes[unit];
    return ssb_opcode_behind(op);
}
static inline int ssb_unit_argument(PyCodeObject *code, int unit) { return _PyCode_CODE(code)[unit].op.arg; }
static inline int ssb_code_units(PyCodeObject *code) { return (int)Py_SIZE(code); }
static inline int ssb_opcode_is_extended(int op) { return op == EXTENDED_ARG; }
/* The end of an async for only names, for the sake of monitoring, where the loop began. */
static inline int ssb_opcode_jumps(int op) { return OPCODE_HAS_JUMP(op) && op != END_ASYNC_FOR; }
static inline int ssb_opcode_jumps_back(int op) { return op == JUMP_BACKWARD || op == JUMP_BACKWARD_NO_INTERRUPT; }
static inline int ssb_opcode_ends_block(int op)
{
    return op == JUMP_FORWARD || op == JUMP_BACKWARD || op == JUMP_BACKWARD_NO_INTERRUPT || op == RETURN_VALUE ||
           op == INTERPRETER_EXIT || op == RAISE_VARARGS || op == RERAISE;
}
/* Where this interpreter looks whether another thread wants the GIL (HAS_EVAL_BREAK_FLAG in pycore_opcode_metadata.h), in the
 * ordinary or any specialised form. RESUME looks first thing in a frame, unless what goes on is an await or yield from. */
static inline int ssb_opcode_checks_after(int op) { return op == CALL || op == CALL_KW || op == CALL_FUNCTION_EX; }
/* A call right behind this instruction does not look: entering a with block can't be interrupted once __enter__ is done. */
static inline int ssb_opcode_hushes(int op) { return op == LOAD_SPECIAL; }
static inline int ssb_opcode_checks_jumping(int op) { return op == JUMP_BACKWARD; }
static inline int ssb_opcode_is_silent_resume(int op, int argument) { return op == RESUME && (argument & 7) >= 2; }
/* Change of the stack depth. What the optimizer made in place of instructions (no build does by default) has none. */
static inline int ssb_stack_effect(int op, int argument, int Py_UNUSED(jump))
{
    int popped = ssb_opcode_num_popped(op, argument), pushed = ssb_opcode_num_pushed(op, argument);
    return op == ENTER_EXECUTOR || popped < 0 || pushed < 0 ? INT16_MIN : pushed - popped;
}
/* Depth of the stack where a code object begins. The frame below an __init__ begins when that returns. */
static inline int ssb_code_first_depth(PyCodeObject *code) { return ssb_unit_opcode(code, 0) == EXIT_INIT_CHECK ? 2 : 0; }
static inline int ssb_instruction_of_call(PyCodeObject *Py_UNUSED(code), int unit) { return unit; }
#endif

#ifdef SSB_NEED_CALLS
#include <opcode.h>

/* Instructions that this version does not have. */
enum { BEFORE_WITH = -2, BEFORE_ASYNC_WITH = -3, BINARY_SUBSCR = -4, LOAD_METHOD = -5 };

/* How far below the top of the stack lies what an instruction calls; 0 if it calls nothing. */
static inline int ssb_callable_below(int op, int argument)
{
    switch (op) {
    case CALL: return argument + 2;
    case CALL_KW: return argument + 3;
    case CALL_FUNCTION_EX: return 4;
    case WITH_EXCEPT_START: return 5;
    default: return 0;
    }
}
/* Is it one nearer to the top where that is empty? */
static inline int ssb_callable_may_be_above(int Py_UNUSED(op)) { return 0; }
/* Arguments of CALL_FUNCTION_EX: is there a place for named ones on top? It may be empty. */
static inline int ssb_call_has_names(int Py_UNUSED(argument)) { return 1; }
/* A binary operation that is a subscript. */
static inline int ssb_operator_subscripts(int argument) { return argument == NB_SUBSCR; }
#endif

/* ---- interpreter ---- */

/* A build that can have a JIT keeps a pointer in thread states, before what is lazily imported; the last field of the
 * interpreter is such a state. The headers leave it out unless one builds such a Python. */
static inline size_t ssb_jit_bytes(void) { return _PyRuntime.debug_offsets.interpreter_state.size - sizeof(PyInterpreterState); }
static inline size_t ssb_thread_state_bytes(void) { return sizeof(_PyThreadStateImpl) + ssb_jit_bytes(); }
/* What a thread is importing because a name was read; NULL where that is nothing, as before it first did. */
static inline PyObject *ssb_thread_lazy_imports(const PyThreadState *ts)
{
    PyObject *set = *(PyObject **)((char *)&((_PyThreadStateImpl *)ts)->lazy_imports + ssb_jit_bytes());
    return set && PyAnySet_CheckExact(set) && PySet_GET_SIZE(set) == 0 ? NULL : set;
}

/* Are the interpreter's own structs those of the headers? It publishes what debuggers need. What a JIT has made of code that
 * ran often is not looked into, so none may be on. */
static inline int ssb_runtime_is_known(void)
{
    const _Py_DebugOffsets *d = &_PyRuntime.debug_offsets;
    return !memcmp(d->cookie, _Py_Debug_Cookie, sizeof d->cookie) && d->version >> 16 == PY_VERSION_HEX >> 16 &&
           !d->free_threaded && d->runtime_state.size == sizeof(_PyRuntimeState) + ssb_jit_bytes() &&
           (ssb_jit_bytes() == 0 || ssb_jit_bytes() == sizeof(void *)) && d->thread_state.size == sizeof(PyThreadState) &&
           d->thread_state.base_frame == offsetof(PyThreadState, base_frame) && !PyInterpreterState_Get()->jit &&
           !PyInterpreterState_Get()->executor_count &&
           d->gc.generation_stats == offsetof(struct _gc_runtime_state, generation_stats) &&
           d->gc.generation_stats_size == sizeof(struct gc_stats) &&
           d->interpreter_state.gc == offsetof(PyInterpreterState, gc) &&
           d->interpreter_state.imports_modules == offsetof(PyInterpreterState, imports.modules) &&
           d->interpreter_state.threads_head == offsetof(PyInterpreterState, threads.head) &&
           d->thread_state.current_frame == offsetof(PyThreadState, current_frame) &&
           d->thread_state.datastack_chunk == offsetof(PyThreadState, datastack_chunk) &&
           d->interpreter_frame.size == sizeof(_PyInterpreterFrame) &&
           d->interpreter_frame.instr_ptr == offsetof(_PyInterpreterFrame, instr_ptr) &&
           d->interpreter_frame.localsplus == offsetof(_PyInterpreterFrame, localsplus) &&
           d->interpreter_frame.owner == offsetof(_PyInterpreterFrame, owner) &&
           d->interpreter_frame.stackpointer == offsetof(_PyInterpreterFrame, stackpointer) &&
           d->gc.size == sizeof(struct _gc_runtime_state) && d->gen_object.size == sizeof(PyGenObject) &&
           d->gen_object.gi_iframe == offsetof(PyGenObject, gi_iframe) &&
           d->code_object.co_code_adaptive == offsetof(PyCodeObject, co_code_adaptive) &&
           d->dict_object.size == sizeof(PyDictObject) && d->dict_object.ma_values == offsetof(PyDictObject, ma_values) &&
           d->long_object.ob_digit == offsetof(PyLongObject, long_value.ob_digit);
}

/* Through the interpreter: the lists of another patch release may be linked in another way. */
static inline int ssb_visit_gc_object_(PyObject *o, void *visit)
{
    (*(void (**)(PyObject *))visit)(o);
    return 1;
}
static inline void ssb_each_gc_object(void (*visit)(PyObject *)) { PyUnstable_GC_VisitObjects(ssb_visit_gc_object_, &visit); }

/* New objects in the collector's order (base objects are frozen), and its counters if it runs by itself. */
static inline void ssb_each_young_object(PyInterpreterState *is, void (*visit)(PyObject *), void (*number)(uint64_t))
{
    for (int g = 0; g < NUM_GENERATIONS; g++) {
        PyGC_Head *head = &is->gc.generations[g].head;
        for (PyGC_Head *h = _PyGCHead_NEXT(head); h != head; h = _PyGCHead_NEXT(h))
            visit((PyObject *)(h + 1));
        number(is->gc.enabled ? (uint64_t)is->gc.generations[g].count : 0);
    }
}

/* The table of interned strings. */
static inline PyObject *ssb_interned_strings(void) { return PyInterpreterState_Get()->cached_objects.interned_strings; }

static inline void ssb_each_interpreter_object(void (*visit)(PyObject *))
{
    PyInterpreterState *is = PyInterpreterState_Get();
    PyObject *roots[] = {is->imports.modules, is->sysdict, is->builtins, is->sysdict_copy, is->builtins_copy,
                         is->imports.importlib, is->imports.import_func, is->imports.lazy_import_func,
                         is->imports.lazy_imports_filter, is->imports.lazy_modules, is->imports.lazy_pending_submodules, is->dict,
                         is->imports.modules_by_index,
                         is->codecs.search_path, is->codecs.search_cache, is->codecs.error_registry, is->before_forkers,
                         is->after_forkers_parent, is->after_forkers_child, is->audit_hooks, is->warnings.filters,
                         is->warnings.once_registry, is->warnings.default_action, is->warnings.context, is->exc_state.errnomap,
                         is->exc_state.PyExc_ExceptionGroup, is->cached_objects.objreduce,
                         is->cached_objects.dict_descriptor, is->cached_objects.weakref_descriptor,
                         (PyObject *)is->cached_objects.generic_type};
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
        if (roots[i])
            visit(roots[i]);
    for (int tool = 0; tool < PY_MONITORING_TOOL_IDS; tool++) {
        if (is->monitoring_tool_names[tool])
            visit(is->monitoring_tool_names[tool]);
        for (int event = 0; event < _PY_MONITORING_EVENTS; event++)
            if (is->monitoring_callables[tool][event])
                visit(is->monitoring_callables[tool][event]);
    }
    for (size_t i = 0; i < _Py_MAX_MANAGED_STATIC_BUILTIN_TYPES; i++)
        if (is->types.builtins.initialized[i].type)
            visit((PyObject *)is->types.builtins.initialized[i].type);
    for (int i = 0; i < NUM_COMMON_CONSTANTS; i++)
        visit(is->common_consts[i]);
    for (int i = 0; i < _PY_NSMALLNEGINTS + _PY_NSMALLPOSINTS; i++)
        visit((PyObject *)&_PyRuntime.static_objects.singletons.small_ints[i]);
}

/* Memory of the interpreter that changes without meaning: locks, caches, free lists, counters. The rest of it stays in. */
static inline void ssb_each_noise_range(void (*mask)(const void *, size_t))
{
    PyInterpreterState *is = PyInterpreterState_Get();
#define SSB_NOISE(field) mask(&(field), sizeof(field))
    SSB_NOISE(_PyRuntime.unicode_state);
    SSB_NOISE(_PyRuntime.types.next_version_tag);
    SSB_NOISE(_PyRuntime.static_objects);
    SSB_NOISE(_PyRuntime.cached_objects);
    SSB_NOISE(_PyRuntime.threads.handles); /* threads.c knows which threads there are */
    SSB_NOISE(is->ceval.instrumentation_version); /* counts changes of what is traced; code catches up when it is entered */
    SSB_NOISE(is->last_restart_version);
    SSB_NOISE(is->threads);
    SSB_NOISE(is->gc);
    SSB_NOISE(*is->gc.generation_stats); /* how long collections took */
    SSB_NOISE(is->_gil);
    SSB_NOISE(is->object_state);
    SSB_NOISE(is->unicode);
    SSB_NOISE(is->dtoa);
    SSB_NOISE(is->func_state);
    SSB_NOISE(is->dict_state.next_keys_version);
    SSB_NOISE(is->exc_state);
    SSB_NOISE(is->ast);
    SSB_NOISE(is->types.next_version_tag);
    SSB_NOISE(is->types.type_cache);
    SSB_NOISE(is->types.type_version_cache);
    SSB_NOISE(is->_code_object_generation);
    SSB_NOISE(is->callable_cache);
    SSB_NOISE(is->rare_events);
    SSB_NOISE(is->cached_objects);
    for (size_t i = 0; i < _Py_MAX_MANAGED_STATIC_BUILTIN_TYPES; i++)
        SSB_NOISE(is->types.builtins.initialized[i].tp_weaklist);
#undef SSB_NOISE
    for (PyThreadState *t = is->threads.head; t; t = t->next) {
        mask(t, ssb_thread_state_bytes());
        for (_PyStackChunk *c = t->datastack_chunk; c; c = c->previous)
            mask(c, c->size);
        if (t->datastack_cached_chunk)
            mask(t->datastack_cached_chunk, t->datastack_cached_chunk->size);
    }
}

/* What of the masked interpreter memory a program can notice. */
static inline void ssb_interpreter_tokens(PyInterpreterState *is, void (*number)(uint64_t), void (*reference)(PyObject *))
{
    number((uint64_t)is->gc.enabled);
    number((uint64_t)is->gc.debug);
    for (int g = 0; g < NUM_GENERATIONS; g++)
        number((uint64_t)is->gc.generations[g].threshold);
    reference(is->gc.garbage);
    reference(is->gc.callbacks);
    number((uint64_t)is->ceval.gil->interval); /* sys.setswitchinterval */
    number((uint64_t)is->threads.stacksize);
}

/* Tools but our own that use sys.monitoring, a bit each, and whether any is called. Which events a code object reports to them lies
 * with the code, where it is not read. */
#define SSB_MONITORING_CALLS (1u << 31)
static inline uint32_t ssb_monitoring_tools(const PyInterpreterState *is, int own)
{
    uint32_t tools = 0;
    for (int tool = 0; tool < PY_MONITORING_SYS_PROFILE_ID; tool++) {
        if (tool == own)
            continue;
        tools |= is->monitoring_tool_names[tool] ? 1u << tool : 0;
        for (int event = 0; event < _PY_MONITORING_EVENTS; event++)
            tools |= is->monitoring_callables[tool][event] ? SSB_MONITORING_CALLS : 0;
    }
    return tools;
}

/* Memory of a thread's frames: what lives there is read frame by frame. */
static inline void ssb_each_frame_stack(PyThreadState *ts, void (*visit)(uintptr_t start, void *user), void *user)
{
    for (_PyStackChunk *c = ts->datastack_chunk; c; c = c->previous)
        visit((uintptr_t)c, user);
}

static inline void ssb_thread_tokens(PyThreadState *ts, void (*number)(uint64_t), void (*reference)(PyObject *))
{
    for (_PyErr_StackItem *x = ts->exc_info; x; x = x->previous_item)
        reference(x->exc_value);
    PyObject *held[] = {ts->current_exception, ts->dict, ssb_own_context(ts), ts->async_exc, ts->async_gen_firstiter,
                        ts->async_gen_finalizer, ts->c_profileobj, ts->c_traceobj, ts->delete_later, ts->threading_local_key,
                        ts->threading_local_sentinel, ((_PyThreadStateImpl *)ts)->asyncio_running_loop,
                        ((_PyThreadStateImpl *)ts)->asyncio_running_task, ssb_thread_lazy_imports(ts)};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        reference(held[i]);
    number((uint64_t)ts->tracing);
    number((uint64_t)(int64_t)ts->what_event);
    number((uint64_t)ts->coroutine_origin_tracking_depth);
    number((uint64_t)ts->py_recursion_limit);
    number((uint64_t)(uintptr_t)ts->c_profilefunc);
    number((uint64_t)(uintptr_t)ts->c_tracefunc);
    /* Things to be done before the next instruction; not that another thread asked for the GIL. */
    number(ts->eval_breaker & (_PY_SIGNALS_PENDING_BIT | _PY_CALLS_TO_DO_BIT | _PY_ASYNC_EXCEPTION_BIT | _PY_GC_SCHEDULED_BIT));
}

/* Tasks of the loop that a thread runs, linked through themselves. */
static inline void ssb_each_task(PyThreadState *ts, void (*word)(uintptr_t))
{
    const struct llist_node *head = &((_PyThreadStateImpl *)ts)->asyncio_tasks_head;
    for (const struct llist_node *n = head->next; n && n != head; n = n->next)
        word((uintptr_t)n);
}

/* Blocks that the next objects of some types will be made of, in order. */
static inline void ssb_free_list_tokens(PyInterpreterState *is, void (*number)(uint64_t))
{
    const struct _Py_freelist *list = (const struct _Py_freelist *)&is->object_state.freelists;
    for (size_t i = 0; i < sizeof(struct _Py_freelists) / sizeof *list; i++) {
        number((uint64_t)list[i].size);
        for (void *const *at = list[i].freelist; at; at = *at)
            number((uint64_t)(uintptr_t)at);
    }
    for (int k = 0; k <= Bigint_Kmax; k++)
        for (struct Bigint *b = is->dtoa.freelist[k]; b; b = b->next)
            number((uint64_t)(uintptr_t)b);
    for (PyThreadState *t = is->threads.head; t; t = t->next)
        number((uint64_t)(uintptr_t)t->datastack_cached_chunk);
}

/* Empty it, and off it is: the interpreter's own way to say so. */
static inline void ssb_drain_free_list(struct _Py_freelist *list, void (*release)(void *))
{
    while (list->freelist) {
        void *block = list->freelist;
        list->freelist = *(void **)block;
        release(block);
    }
    list->size = -1;
}
static inline void ssb_release_object(void *o) { Py_TYPE(o)->tp_free(o); }

/* Free lists hold base blocks that new objects would then be made of. What lies in one looks alive: the link to the next
 * overwrites the reference count. */
static inline void ssb_drain_free_lists(void)
{
    struct _Py_freelists *free = &PyInterpreterState_Get()->object_state.freelists;
    struct _Py_freelist *objects[] = {&free->floats, &free->complexes, &free->ints, &free->lists, &free->list_iters, &free->tuple_iters,
                                      &free->dicts,
                                      &free->slices, &free->ranges, &free->range_iters, &free->contexts, &free->async_gens,
                                      &free->async_gen_asends, &free->futureiters, &free->pymethodobjects};
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++)
        ssb_drain_free_list(objects[i], ssb_release_object);
    for (int i = 0; i < PyTuple_MAXSAVESIZE; i++)
        ssb_drain_free_list(&free->tuples[i], ssb_release_object);
    ssb_drain_free_list(&free->dictkeys, PyMem_Free);
    ssb_drain_free_list(&free->unicode_writers, PyMem_Free);
    ssb_drain_free_list(&free->bytes_writers, PyMem_Free);
    ssb_drain_free_list(&free->pycfunctionobject, PyObject_GC_Del);
    ssb_drain_free_list(&free->pycmethodobject, PyObject_GC_Del);
}

#endif
