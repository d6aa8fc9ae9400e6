/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ compat_312.h — CPython 3.12: frames, dictionaries, opcodes, interpreter.   │
 * │                                                                            │
 * │ What moved since 3.11: an evaluation loop puts a frame of its own on the C │
 * │ stack below the Python frames it runs; parts of static types, the table of │
 * │ interned strings and most caches lie in the interpreter state; tracing     │
 * │ rewrites instructions and keeps the originals beside the code.             │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSB_COMPAT_312_H
#define SSB_COMPAT_312_H

#include <frameobject.h>
#include <structmember.h>
#include "internal/pycore_code.h"
#include "internal/pycore_context.h"
#include "internal/pycore_dict.h"
#include "internal/pycore_frame.h"
#include "internal/pycore_gc.h"
#include "internal/pycore_global_objects.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_long.h"
#include "internal/pycore_object.h"
#include "internal/pycore_runtime.h"
#include "internal/pycore_typeobject.h"

/* ---- frames ---- */

typedef _PyInterpreterFrame ssb_frame;

/* Frames of evaluation loops have no code of the program. */
static inline ssb_frame *ssb_frame_real(ssb_frame *f)
{
    while (f && f->owner == FRAME_OWNED_BY_CSTACK)
        f = f->previous;
    return f;
}

static inline PyCodeObject *ssb_frame_code(const ssb_frame *f) { return f->f_code; }
static inline PyObject *ssb_frame_function(const ssb_frame *f) { return f->f_funcobj; }
static inline PyObject *ssb_frame_locals(const ssb_frame *f) { return f->f_locals; }
static inline PyFrameObject *ssb_frame_object(const ssb_frame *f) { return f->frame_obj; }
static inline ssb_frame *ssb_frame_previous(const ssb_frame *f) { return ssb_frame_real(f->previous); }
static inline ssb_frame *ssb_thread_frame(const PyThreadState *ts) { return ssb_frame_real(ts->cframe->current_frame); }
/* Code unit the frame is in or has just finished; -1 before the first. */
static inline int ssb_frame_unit(const ssb_frame *f) { return _PyInterpreterFrame_LASTI(f); }
/* Values on localsplus while the frame is not executing, -1 while it is (then the depth must be computed). */
static inline int ssb_frame_stacktop(const ssb_frame *f) { return f->stacktop; }
/* One of them. */
static inline PyObject *ssb_frame_value(const ssb_frame *f, int i) { return f->localsplus[i]; }
static inline uintptr_t ssb_frame_word(const ssb_frame *f, int i) { return (uintptr_t)f->localsplus[i]; }
/* The number that a slot holds instead of an object: never. */
static inline int ssb_frame_number(const ssb_frame *Py_UNUSED(f), int Py_UNUSED(i), uint64_t *Py_UNUSED(number)) { return 0; }
/* A value that an instruction began with. */
static inline PyObject *ssb_frame_operand(const ssb_frame *f, int i) { return ssb_frame_value(f, i); }
/* Bits of a word that may be set in a reference. */
#define SSB_REFERENCE_TAGS ((uintptr_t)0)
static inline int ssb_frame_is_generators(const ssb_frame *f) { return f->owner == FRAME_OWNED_BY_GENERATOR; }
static inline int ssb_frame_is_in_object(const ssb_frame *f) { return f->owner == FRAME_OWNED_BY_FRAME_OBJECT; }
/* Called from C: an evaluation loop of its own runs it. */
static inline int ssb_frame_is_entry(const ssb_frame *f) { return f->previous && f->previous->owner == FRAME_OWNED_BY_CSTACK; }
static inline PyObject *ssb_frame_generator(ssb_frame *f) { return (PyObject *)_PyFrame_GetGenerator(f); }
static inline ssb_frame *ssb_generator_frame(PyObject *g) { return (ssb_frame *)((PyGenObject *)g)->gi_iframe; }
static inline PyCodeObject *ssb_generator_code(PyObject *g) { return ssb_generator_frame(g)->f_code; }
static inline int ssb_generator_has_frame(PyObject *g) { return ((PyGenObject *)g)->gi_frame_state < FRAME_CLEARED; }
/* Slots of a frame behind its fixed part. */
#define SSB_FRAME_EXTRA_SLOTS 0
/* What a frame object adds to its frame. */
static inline void ssb_frame_object_tokens(PyFrameObject *o, void (*reference)(PyObject *))
{
    (void)o;
    (void)reference;
}

/* Evaluation loops on a C stack, innermost first; an entry lies inside the loop's own C frame: the frame it puts there. */
static inline const void *ssb_entry_at(const ssb_frame *f)
{
    while (f && f->owner != FRAME_OWNED_BY_CSTACK)
        f = f->previous;
    return f;
}
static inline const void *ssb_thread_entry(const PyThreadState *ts) { return ssb_entry_at(ts->cframe->current_frame); }
static inline const void *ssb_entry_previous(const void *entry) { return ssb_entry_at(((const ssb_frame *)entry)->previous); }
static inline uintptr_t ssb_entry_end(const void *entry) { return (uintptr_t)entry + sizeof(ssb_frame); }
/* While __enter__ runs, the value stack holds the manager; its __exit__ lies in a local variable of the loop. */
#define SSB_EXIT_METHOD_IS_ON_STACK 0
#define SSB_LOOPS_COUNT 0

/* ---- objects ---- */

#define SSB_UNION_PARAMETERS (sizeof(PyObject) + sizeof(PyObject *))
#define SSB_GC_HEADER sizeof(PyGC_Head)
/* Bytes before the GC header that hold attributes and weak references. */
static inline size_t ssb_type_header(const PyTypeObject *t) { return t->tp_flags & Py_TPFLAGS_PREHEADER ? 2 * sizeof(void *) : 0; }

static inline PyDictValues *ssb_instance_values(PyObject *o)
{
    PyDictOrValues attributes = *_PyObject_DictOrValuesPointer(o);
    return _PyDictOrValues_IsValues(attributes) ? _PyDictOrValues_GetValues(attributes) : NULL;
}
static inline PyObject *ssb_instance_dict(PyObject *o)
{
    PyDictOrValues attributes = *_PyObject_DictOrValuesPointer(o);
    return _PyDictOrValues_IsValues(attributes) ? NULL : _PyDictOrValues_GetDict(attributes);
}
static inline int ssb_type_has_managed_dict(const PyTypeObject *t) { return (t->tp_flags & Py_TPFLAGS_MANAGED_DICT) != 0; }
static inline PyDictKeysObject *ssb_type_keys(PyTypeObject *t)
{
    return t->tp_flags & Py_TPFLAGS_HEAPTYPE ? ((PyHeapTypeObject *)t)->ht_cached_keys : NULL;
}
/* Insertion order of values: entry numbers, i < size. */
static inline int ssb_values_size(const PyDictValues *v) { return ((const uint8_t *)v)[-2]; }
static inline int ssb_values_entry(const PyDictValues *v, int i) { return ((const uint8_t *)v)[-3 - i]; }
static inline size_t ssb_values_memory(const PyDictValues *v, const PyDictKeysObject *keys, const void **start)
{
    size_t prefix = ((const uint8_t *)v)[-1];
    *start = (const char *)v - prefix;
    return prefix + (size_t)(keys->dk_nentries + keys->dk_usable) * sizeof(PyObject *);
}
/* Made by a class statement, not by C: its methods are visible as frames. */
static inline int ssb_type_is_python_class(const PyTypeObject *t)
{
    return (t->tp_flags & Py_TPFLAGS_HEAPTYPE) && !((const PyHeapTypeObject *)t)->_ht_tpname;
}

/* What a static builtin type has in each interpreter: its number + 1 stands where subclasses were. NULL: not such a type. */
static inline static_builtin_state *ssb_builtin_state(const PyTypeObject *t)
{
    if (!(t->tp_flags & _Py_TPFLAGS_STATIC_BUILTIN))
        return NULL;
    size_t i = (size_t)t->tp_subclasses - 1;
    static_builtin_state *state = i < _Py_MAX_STATIC_BUILTIN_TYPES ? &_PyRuntime._main_interpreter.types.builtins[i] : NULL;
    return state && state->type == t ? state : NULL;
}
static inline PyObject *ssb_type_subclasses(PyTypeObject *t)
{
    if (t->tp_flags & _Py_TPFLAGS_STATIC_BUILTIN) {
        static_builtin_state *state = ssb_builtin_state(t);
        return state ? state->tp_subclasses : NULL;
    }
    return t->tp_subclasses;
}
static inline PyObject *ssb_type_dict(PyTypeObject *t)
{
    static_builtin_state *state = ssb_builtin_state(t);
    return state ? state->tp_dict : t->tp_dict;
}
static inline PyObject *ssb_type_bases(PyTypeObject *t) { return t->tp_bases; }
static inline PyObject *ssb_type_mro(PyTypeObject *t) { return t->tp_mro; }
/* Memory of a type outside of it, dictionary and table of subclasses in it; NULL if it has none. */
static inline void *ssb_type_state(PyTypeObject *t, size_t *bytes)
{
    *bytes = sizeof(static_builtin_state);
    return ssb_builtin_state(t);
}

#define SSB_TUPLES_KEEP_HASHES 0
static inline int ssb_tuple_keeps_hash(PyObject *Py_UNUSED(o)) { return 0; }
/* Items of a variable-size object. */
static inline Py_ssize_t ssb_var_items(PyObject *o)
{
    return PyLong_Check(o) ? (Py_ssize_t)(((PyLongObject *)o)->long_value.lv_tag >> _PyLong_NON_SIZE_BITS) : Py_SIZE(o);
}
static inline size_t ssb_long_digits(PyObject *o, const void **data, int *sign)
{
    *data = ((PyLongObject *)o)->long_value.ob_digit;
    *sign = (((PyLongObject *)o)->long_value.lv_tag & _PyLong_SIGN_MASK) == 2;
    return (size_t)ssb_var_items(o) * sizeof(digit);
}
static inline int ssb_unicode_is_value(PyObject *o)
{
    (void)o;
    return 1;
}
static inline PyObject *ssb_weakref_object(PyWeakReference *w) { return w->wr_object; }
/* First of an object's weak references. Those of static builtin types lie elsewhere and never call back: such types do not die. */
static inline PyWeakReference *ssb_object_weakrefs(PyObject *o)
{
    Py_ssize_t offset = Py_TYPE(o)->tp_weaklistoffset;
    return offset > 0 || offset == MANAGED_WEAKREF_OFFSET ? *(PyWeakReference **)((char *)o + offset) : NULL;
}
#define SSB_FUNCTION_END offsetof(PyFunctionObject, func_version)

/* Memory of a code object outside of it: what tracing keeps, and values asked for before. */
static inline void ssb_each_code_block(PyCodeObject *code, void (*visit)(const void *, size_t))
{
    size_t units = (size_t)Py_SIZE(code);
    const _PyCoMonitoringData *m = code->_co_monitoring;
    if (m) {
        visit(m, sizeof *m);
        visit(m->tools, units);
        visit(m->lines, units * sizeof *m->lines);
        visit(m->line_tools, units);
        visit(m->per_instruction_opcodes, units);
        visit(m->per_instruction_tools, units);
    }
    visit(code->_co_cached, sizeof *code->_co_cached);
}

/* ---- opcodes ---- */

#ifdef SSB_NEED_OPCODES
#define NEED_OPCODE_TABLES
#define _PyOpcode_Jump ssb_opcode_jump_bits
#define _PyOpcode_Caches ssb_opcode_caches
#define _PyOpcode_Deopt ssb_opcode_deopt
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-const-variable"
#include "internal/pycore_opcode.h"
#include <opcode.h>
#pragma GCC diagnostic pop

/* An instruction that reports events, without that. */
static inline int ssb_opcode_without_events(int op)
{
    switch (op) {
    case INSTRUMENTED_LOAD_SUPER_ATTR: return LOAD_SUPER_ATTR;
    case INSTRUMENTED_POP_JUMP_IF_NONE: return POP_JUMP_IF_NONE;
    case INSTRUMENTED_POP_JUMP_IF_NOT_NONE: return POP_JUMP_IF_NOT_NONE;
    case INSTRUMENTED_RESUME: return RESUME;
    case INSTRUMENTED_CALL: return CALL;
    case INSTRUMENTED_RETURN_VALUE: return RETURN_VALUE;
    case INSTRUMENTED_YIELD_VALUE: return YIELD_VALUE;
    case INSTRUMENTED_CALL_FUNCTION_EX: return CALL_FUNCTION_EX;
    case INSTRUMENTED_JUMP_FORWARD: return JUMP_FORWARD;
    case INSTRUMENTED_JUMP_BACKWARD: return JUMP_BACKWARD;
    case INSTRUMENTED_RETURN_CONST: return RETURN_CONST;
    case INSTRUMENTED_FOR_ITER: return FOR_ITER;
    case INSTRUMENTED_POP_JUMP_IF_FALSE: return POP_JUMP_IF_FALSE;
    case INSTRUMENTED_POP_JUMP_IF_TRUE: return POP_JUMP_IF_TRUE;
    case INSTRUMENTED_END_FOR: return END_FOR;
    case INSTRUMENTED_END_SEND: return END_SEND;
    default: return op;
    }
}
/* Opcode of a code unit, without specialisation and events. */
static inline int ssb_unit_opcode(PyCodeObject *code, int unit)
{
    int op = _PyCode_CODE(code)[unit].op.code;
    if (op == INSTRUMENTED_LINE)
        op = code->_co_monitoring->lines[unit].original_opcode;
    if (op == INSTRUMENTED_INSTRUCTION)
        op = code->_co_monitoring->per_instruction_opcodes[unit];
    return ssb_opcode_deopt[ssb_opcode_without_events(op)];
}
static inline int ssb_unit_argument(PyCodeObject *code, int unit) { return _PyCode_CODE(code)[unit].op.arg; }
static inline int ssb_code_units(PyCodeObject *code) { return (int)Py_SIZE(code); }
static inline int ssb_opcode_is_extended(int op) { return op == EXTENDED_ARG; }
static inline int ssb_opcode_jumps(int op) { return (ssb_opcode_jump_bits[op >> 5] >> (op & 31) & 1) != 0; }
static inline int ssb_opcode_jumps_back(int op) { return op == JUMP_BACKWARD || op == JUMP_BACKWARD_NO_INTERRUPT; }
static inline int ssb_opcode_ends_block(int op)
{
    return op == JUMP_FORWARD || op == JUMP_BACKWARD || op == JUMP_BACKWARD_NO_INTERRUPT || op == RETURN_VALUE ||
           op == RETURN_CONST || op == RAISE_VARARGS || op == RERAISE || op == INTERPRETER_EXIT;
}
/* Where this interpreter looks whether another thread wants the GIL (CHECK_EVAL_BREAKER in bytecodes.c), in the ordinary or
 * any specialised form of the instruction. RESUME looks first thing in a frame, unless what goes on is an await or yield from. */
static inline int ssb_opcode_checks_after(int op) { return op == CALL || op == CALL_FUNCTION_EX; }
static inline int ssb_opcode_hushes(int Py_UNUSED(op)) { return 0; }
static inline int ssb_opcode_checks_jumping(int op) { return op == JUMP_BACKWARD; }
static inline int ssb_opcode_is_silent_resume(int op, int argument) { return op == RESUME && argument >= 2; }
/* Change of the stack depth. The public function is right except for these: a generator is entered with a value. */
static inline int ssb_stack_effect(int op, int argument, int jump)
{
    return op == RETURN_GENERATOR ? 1 : PyCompile_OpcodeStackEffectWithJump(op, op >= HAVE_ARGUMENT ? argument : 0, jump);
}
/* Depth of the stack where a code object begins. */
static inline int ssb_code_first_depth(PyCodeObject *code)
{
    (void)code;
    return 0;
}
static inline int ssb_instruction_of_call(PyCodeObject *code, int unit)
{
    (void)code;
    return unit;
}
#endif

#ifdef SSB_NEED_CALLS
#include <opcode.h>

/* How far below the top of the stack lies what an instruction calls; 0 if it calls nothing. */
static inline int ssb_callable_below(int op, int argument)
{
    return op == CALL ? argument + 2 : op == CALL_FUNCTION_EX ? (argument & 1) + 2 : op == WITH_EXCEPT_START ? 4 : 0;
}
/* Is it one nearer to the top where that is empty? */
static inline int ssb_callable_may_be_above(int op) { return op == CALL; }
/* Arguments of CALL_FUNCTION_EX: is there a place for named ones on top? It may be empty. */
static inline int ssb_call_has_names(int argument) { return argument & 1; }
/* A binary operation that is a subscript. */
static inline int ssb_operator_subscripts(int Py_UNUSED(argument)) { return 0; }
#endif

/* ---- interpreter ---- */

/* Sizes of the interpreter's own structs: nothing at run time tells. */
static inline int ssb_runtime_is_known(void) { return 1; }

static inline void ssb_each_gc_object(void (*visit)(PyObject *))
{
    PyInterpreterState *is = PyInterpreterState_Get();
    for (int g = 0; g <= NUM_GENERATIONS; g++) {
        PyGC_Head *head = g < NUM_GENERATIONS ? &is->gc.generations[g].head : &is->gc.permanent_generation.head;
        for (PyGC_Head *h = _PyGCHead_NEXT(head); h != head; h = _PyGCHead_NEXT(h)) {
            __builtin_prefetch(_PyGCHead_NEXT(h)); /* far from this one, as a rule */
            visit((PyObject *)(h + 1));
        }
    }
}

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

static inline void ssb_each_interpreter_object(void (*visit)(PyObject *))
{
    PyInterpreterState *is = PyInterpreterState_Get();
    PyObject *roots[] = {is->imports.modules, is->imports.modules_by_index, is->imports.importlib, is->imports.import_func,
                         is->sysdict, is->builtins, is->sysdict_copy, is->builtins_copy, is->dict, is->codec_search_path,
                         is->codec_search_cache, is->codec_error_registry, is->before_forkers, is->after_forkers_parent,
                         is->after_forkers_child, is->audit_hooks, is->warnings.filters, is->warnings.once_registry,
                         is->warnings.default_action, is->exc_state.errnomap, is->exc_state.PyExc_ExceptionGroup,
                         (PyObject *)is->interpreter_trampoline, is->cached_objects.objreduce,
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
    for (int i = 0; i < _PY_NSMALLNEGINTS + _PY_NSMALLPOSINTS; i++)
        visit((PyObject *)&_PyRuntime.static_objects.singletons.small_ints[i]);
}

/* The table of interned strings. */
static inline PyObject *ssb_interned_strings(void) { return PyInterpreterState_Get()->cached_objects.interned_strings; }

/* Memory of the interpreter that changes without meaning: locks, caches, free lists, counters. The rest of it stays in. */
static inline void ssb_each_noise_range(void (*mask)(const void *, size_t))
{
    PyInterpreterState *is = PyInterpreterState_Get();
#define SSB_NOISE(field) mask(&(field), sizeof(field))
    SSB_NOISE(_PyRuntime.gilstate);
    SSB_NOISE(_PyRuntime.unicode_state);
    SSB_NOISE(_PyRuntime.types);
    SSB_NOISE(_PyRuntime.static_objects);
    SSB_NOISE(is->monitoring_version); /* counts changes of what is traced; code catches up when it is entered */
    SSB_NOISE(is->last_restart_version);
    SSB_NOISE(is->threads);
    SSB_NOISE(is->ceval.eval_breaker);
    SSB_NOISE(is->ceval.gil_drop_request);
    SSB_NOISE(is->_gil);
    SSB_NOISE(is->gc);
    SSB_NOISE(is->unicode);
    SSB_NOISE(is->float_state);
    SSB_NOISE(is->dtoa);
    SSB_NOISE(is->func_state);
    SSB_NOISE(is->slice_cache);
    SSB_NOISE(is->tuple);
    SSB_NOISE(is->list);
    SSB_NOISE(is->dict_state);
    SSB_NOISE(is->async_gen);
    SSB_NOISE(is->context);
    SSB_NOISE(is->exc_state);
    SSB_NOISE(is->ast);
    SSB_NOISE(is->types.next_version_tag);
    SSB_NOISE(is->types.type_cache);
    SSB_NOISE(is->callable_cache);
    SSB_NOISE(is->cached_objects);
    for (size_t i = 0; i < is->types.num_builtins_initialized; i++)
        SSB_NOISE(is->types.builtins[i].tp_weaklist);
#undef SSB_NOISE
    for (PyThreadState *t = is->threads.head; t; t = t->next) {
        mask(t, sizeof *t);
        for (_PyStackChunk *c = t->datastack_chunk; c; c = c->previous)
            mask(c, c->size);
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
    number((uint64_t)_Py_atomic_load_relaxed(&_PyRuntime.ceval.signals_pending));
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
    PyObject *held[] = {ts->current_exception, ts->dict, ssb_own_context(ts), ts->async_exc, (PyObject *)ts->on_delete_data,
                        ts->async_gen_firstiter, ts->async_gen_finalizer, ts->c_profileobj, ts->c_traceobj,
                        ts->trash.delete_later};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        reference(held[i]);
    number((uint64_t)ts->tracing);
    number((uint64_t)ts->what_event);
    number((uint64_t)ts->coroutine_origin_tracking_depth);
    number((uint64_t)ts->py_recursion_limit);
    number((uint64_t)(uintptr_t)ts->c_profilefunc);
    number((uint64_t)(uintptr_t)ts->c_tracefunc);
    number((uint64_t)(uintptr_t)ts->on_delete);
}

/* Tasks of the loop that a thread runs, linked through themselves: asyncio keeps them itself. */
static inline void ssb_each_task(PyThreadState *Py_UNUSED(ts), void (*word)(uintptr_t)) { (void)word; }

/* Blocks that the next objects of some types will be made of, in order. */
static inline void ssb_free_list_tokens(PyInterpreterState *is, void (*number)(uint64_t))
{
#define SSB_FREE_LIST(list, n)                 \
    number((uint64_t)(n));                     \
    for (int i = 0; i < (n); i++)              \
        number((uint64_t)(uintptr_t)(list)[i])
    SSB_FREE_LIST(is->list.free_list, is->list.numfree);
    SSB_FREE_LIST(is->dict_state.free_list, is->dict_state.numfree);
    SSB_FREE_LIST(is->dict_state.keys_free_list, is->dict_state.keys_numfree);
    SSB_FREE_LIST(is->async_gen.value_freelist, is->async_gen.value_numfree);
    SSB_FREE_LIST(is->async_gen.asend_freelist, is->async_gen.asend_numfree);
#undef SSB_FREE_LIST
    for (PyFloatObject *f = is->float_state.free_list; f; f = (PyFloatObject *)Py_TYPE(f))
        number((uint64_t)(uintptr_t)f);
    for (int i = 0; i < PyTuple_NFREELISTS; i++) {
        number((uint64_t)is->tuple.numfree[i]);
        for (PyTupleObject *t = is->tuple.free_list[i]; t; t = (PyTupleObject *)t->ob_item[0])
            number((uint64_t)(uintptr_t)t);
    }
    for (PyContext *c = is->context.freelist; c; c = (PyContext *)c->ctx_weakreflist)
        number((uint64_t)(uintptr_t)c);
    number((uint64_t)(uintptr_t)is->slice_cache);
    for (int k = 0; k <= Bigint_Kmax; k++)
        for (struct Bigint *b = is->dtoa.freelist[k]; b; b = b->next)
            number((uint64_t)(uintptr_t)b);
}

/* Free lists hold base blocks that new objects would then be made of: empty them. */
static inline void ssb_drain_free_lists(void)
{
    PyInterpreterState *is = PyInterpreterState_Get();
    while (is->list.numfree)
        PyObject_GC_Del(is->list.free_list[--is->list.numfree]);
    while (is->dict_state.numfree)
        PyObject_GC_Del(is->dict_state.free_list[--is->dict_state.numfree]);
    while (is->dict_state.keys_numfree)
        PyObject_Free(is->dict_state.keys_free_list[--is->dict_state.keys_numfree]);
    while (is->float_state.free_list) {
        PyFloatObject *f = is->float_state.free_list;
        is->float_state.free_list = (PyFloatObject *)Py_TYPE(f);
        PyObject_Free(f);
    }
    is->float_state.numfree = 0;
    for (int i = 0; i < PyTuple_NFREELISTS; i++) {
        PyTupleObject *next = is->tuple.free_list[i];
        is->tuple.free_list[i] = NULL;
        is->tuple.numfree[i] = 0;
        while (next) {
            PyTupleObject *t = next;
            next = (PyTupleObject *)t->ob_item[0];
            PyObject_GC_Del(t);
        }
    }
    while (is->async_gen.value_numfree)
        PyObject_GC_Del(is->async_gen.value_freelist[--is->async_gen.value_numfree]);
    while (is->async_gen.asend_numfree)
        PyObject_GC_Del(is->async_gen.asend_freelist[--is->async_gen.asend_numfree]);
    while (is->context.freelist) {
        PyContext *c = is->context.freelist;
        is->context.freelist = (PyContext *)c->ctx_weakreflist;
        PyObject_GC_Del(c);
    }
    is->context.numfree = 0;
    if (is->slice_cache) {
        PyObject_GC_Del(is->slice_cache);
        is->slice_cache = NULL;
    }
}

#endif
