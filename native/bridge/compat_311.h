/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ compat_311.h — CPython 3.11: frames, dictionaries, opcodes, interpreter.   │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSB_COMPAT_311_H
#define SSB_COMPAT_311_H

#include <frameobject.h>
#include <structmember.h>
#include "internal/pycore_code.h"
#include "internal/pycore_context.h"
#include "internal/pycore_dict.h"
#include "internal/pycore_frame.h"
#include "internal/pycore_gc.h"
#include "internal/pycore_global_objects.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_object.h"
#include "internal/pycore_runtime.h"

/* StringIO collects what is written in two lists; later versions in a writer. */
#define SSB_STRING_IO_HAS_LISTS 1

/* ---- frames ---- */

typedef _PyInterpreterFrame ssb_frame;

static inline PyCodeObject *ssb_frame_code(const ssb_frame *f) { return f->f_code; }
static inline PyObject *ssb_frame_function(const ssb_frame *f) { return (PyObject *)f->f_func; }
static inline PyObject *ssb_frame_locals(const ssb_frame *f) { return f->f_locals; }
static inline PyFrameObject *ssb_frame_object(const ssb_frame *f) { return f->frame_obj; }
static inline ssb_frame *ssb_frame_previous(const ssb_frame *f) { return f->previous; }
static inline ssb_frame *ssb_thread_frame(const PyThreadState *ts) { return ts->cframe->current_frame; }
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
static inline int ssb_frame_is_entry(const ssb_frame *f) { return f->is_entry; }
static inline PyObject *ssb_frame_generator(ssb_frame *f) { return (PyObject *)((char *)f - offsetof(PyGenObject, gi_iframe)); }
static inline ssb_frame *ssb_generator_frame(PyObject *g) { return (ssb_frame *)((PyGenObject *)g)->gi_iframe; }
static inline PyCodeObject *ssb_generator_code(PyObject *g) { return ((PyGenObject *)g)->gi_code; }
static inline int ssb_generator_has_frame(PyObject *g) { return ((PyGenObject *)g)->gi_frame_state < FRAME_CLEARED; }
/* Slots of a frame behind its fixed part. */
#define SSB_FRAME_EXTRA_SLOTS 10
/* What a frame object adds to its frame. */
static inline void ssb_frame_object_tokens(PyFrameObject *o, void (*reference)(PyObject *))
{
    (void)o;
    (void)reference;
}

/* Evaluation loops on a C stack, innermost first; an entry lies inside the loop's own C frame. */
static inline const void *ssb_thread_entry(const PyThreadState *ts) { return ts->cframe; }
static inline const void *ssb_entry_previous(const void *entry) { return ((const _PyCFrame *)entry)->previous; }
static inline uintptr_t ssb_entry_end(const void *entry) { return (uintptr_t)entry + sizeof(_PyCFrame); }
/* While __enter__ runs, the manager's __exit__ has taken its place on the value stack already. */
#define SSB_EXIT_METHOD_IS_ON_STACK 1
#define SSB_LOOPS_COUNT 0

/* ---- objects ---- */

#define SSB_UNION_PARAMETERS (sizeof(PyObject) + sizeof(PyObject *))
#define SSB_GC_HEADER sizeof(PyGC_Head)
/* Bytes before the GC header that hold attributes. */
static inline size_t ssb_type_header(const PyTypeObject *t)
{
    return t->tp_flags & Py_TPFLAGS_MANAGED_DICT ? 2 * sizeof(void *) : 0;
}

static inline PyDictValues *ssb_instance_values(PyObject *o) { return *_PyObject_ValuesPointer(o); }
static inline PyObject *ssb_instance_dict(PyObject *o) { return *_PyObject_ManagedDictPointer(o); }
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
static inline PyObject *ssb_type_subclasses(PyTypeObject *t) { return t->tp_subclasses; }
static inline PyObject *ssb_type_dict(PyTypeObject *t) { return t->tp_dict; }
static inline PyObject *ssb_type_bases(PyTypeObject *t) { return t->tp_bases; }
static inline PyObject *ssb_type_mro(PyTypeObject *t) { return t->tp_mro; }
/* Memory of a type outside of it, dictionary and table of subclasses in it; NULL if it has none. */
static inline void *ssb_type_state(PyTypeObject *t, size_t *bytes)
{
    (void)t;
    *bytes = 0;
    return NULL;
}

#define SSB_TUPLES_KEEP_HASHES 0
static inline int ssb_tuple_keeps_hash(PyObject *Py_UNUSED(o)) { return 0; }
/* Items of a variable-size object. */
static inline Py_ssize_t ssb_var_items(PyObject *o) { return Py_SIZE(o) < 0 ? -Py_SIZE(o) : Py_SIZE(o); }
static inline size_t ssb_long_digits(PyObject *o, const void **data, int *sign)
{
    *data = ((PyLongObject *)o)->ob_digit;
    *sign = Py_SIZE(o) < 0;
    return (size_t)ssb_var_items(o) * sizeof(digit);
}
static inline int ssb_unicode_is_value(PyObject *o) { return PyUnicode_IS_READY(o); }
static inline PyObject *ssb_weakref_object(PyWeakReference *w) { return w->wr_object; }
/* First of an object's weak references. */
static inline PyWeakReference *ssb_object_weakrefs(PyObject *o)
{
    Py_ssize_t offset = Py_TYPE(o)->tp_weaklistoffset;
    return offset > 0 ? *(PyWeakReference **)((char *)o + offset) : NULL;
}
#define SSB_FUNCTION_END offsetof(PyFunctionObject, func_version)

/* Memory of a code object outside of it. */
static inline void ssb_each_code_block(PyCodeObject *code, void (*visit)(const void *, size_t))
{
    (void)code;
    (void)visit;
}

/* ---- opcodes ---- */

#ifdef SSB_NEED_OPCODES
#define NEED_OPCODE_TABLES
#define _PyOpcode_Caches ssb_opcode_caches
#define _PyOpcode_Deopt ssb_opcode_deopt
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-const-variable"
#include "internal/pycore_opcode.h"
#include <opcode.h>
#pragma GCC diagnostic pop

/* Opcode of a code unit, without specialisation. */
static inline int ssb_unit_opcode(PyCodeObject *code, int unit)
{
    int raw = _Py_OPCODE(_PyCode_CODE(code)[unit]);
    return raw == EXTENDED_ARG_QUICK ? EXTENDED_ARG : ssb_opcode_deopt[raw];
}
static inline int ssb_unit_argument(PyCodeObject *code, int unit) { return _Py_OPARG(_PyCode_CODE(code)[unit]); }
static inline int ssb_code_units(PyCodeObject *code) { return (int)Py_SIZE(code); }
static inline int ssb_opcode_is_extended(int op) { return op == EXTENDED_ARG; }
static inline int ssb_opcode_jumps(int op) { return (_PyOpcode_Jump[op >> 5] >> (op & 31) & 1) != 0; }
static inline int ssb_opcode_jumps_back(int op)
{
    return op == JUMP_BACKWARD || op == JUMP_BACKWARD_NO_INTERRUPT ||
           (op >= POP_JUMP_BACKWARD_IF_NOT_NONE && op <= POP_JUMP_BACKWARD_IF_TRUE);
}
static inline int ssb_opcode_ends_block(int op)
{
    return op == JUMP_FORWARD || op == JUMP_BACKWARD || op == JUMP_BACKWARD_NO_INTERRUPT || op == RETURN_VALUE ||
           op == RAISE_VARARGS || op == RERAISE;
}
/* Where this interpreter looks whether another thread wants the GIL (CHECK_EVAL_BREAKER in ceval.c), in the ordinary or
 * any specialised form of the instruction. RESUME looks first thing in a frame, unless what goes on is an await or yield from. */
static inline int ssb_opcode_checks_after(int op) { return op == CALL || op == CALL_FUNCTION_EX; }
static inline int ssb_opcode_hushes(int Py_UNUSED(op)) { return 0; }
static inline int ssb_opcode_checks_jumping(int op)
{
    return op == JUMP_BACKWARD || (op >= POP_JUMP_BACKWARD_IF_NOT_NONE && op <= POP_JUMP_BACKWARD_IF_TRUE);
}
static inline int ssb_opcode_is_silent_resume(int op, int argument) { return op == RESUME && argument >= 2; }
/* Change of the stack depth. The public function is right except for these. */
static inline int ssb_stack_effect(int op, int argument, int jump)
{
    switch (op) {
    case CACHE: case PRECALL: return 0;
    case CALL: return -(argument + 1);
    case RETURN_GENERATOR: return 1;
    default: return PyCompile_OpcodeStackEffectWithJump(op, op >= HAVE_ARGUMENT ? argument : 0, jump);
    }
}
/* Depth of the stack where a code object begins. */
static inline int ssb_code_first_depth(PyCodeObject *code)
{
    (void)code;
    return 0;
}
/* PRECALL and CALL are one step while a call is in progress: specialisation moves between them. */
static inline int ssb_instruction_of_call(PyCodeObject *code, int unit)
{
    return ssb_unit_opcode(code, unit) == PRECALL ? unit + 1 + ssb_opcode_caches[PRECALL] : unit;
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
    PyObject *roots[] = {is->modules, is->sysdict, is->builtins, is->builtins_copy, is->importlib, is->import_func, is->dict,
                         is->modules_by_index, is->codec_search_path, is->codec_search_cache, is->codec_error_registry,
                         is->before_forkers, is->after_forkers_parent, is->after_forkers_child, is->audit_hooks,
                         is->warnings.filters, is->warnings.once_registry, is->warnings.default_action};
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
        if (roots[i])
            visit(roots[i]);
    for (int i = 0; i < _PY_NSMALLNEGINTS + _PY_NSMALLPOSINTS; i++)
        visit((PyObject *)&_PyRuntime.global_objects.singletons.small_ints[i]);
}

/* The table of interned strings has no name here: interned.c finds it. */
static inline PyObject *ssb_interned_strings(void) { return NULL; }

/* Memory of the interpreter that changes without meaning: locks, caches, free lists, counters. The rest of it stays in. */
static inline void ssb_each_noise_range(void (*mask)(const void *, size_t))
{
    PyInterpreterState *is = PyInterpreterState_Get();
#define SSB_NOISE(field) mask(&(field), sizeof(field))
    SSB_NOISE(_PyRuntime.ceval.gil);
    SSB_NOISE(_PyRuntime.gilstate);
    SSB_NOISE(_PyRuntime.unicode_ids);
    SSB_NOISE(_PyRuntime.global_objects);
    SSB_NOISE(is->threads);
    SSB_NOISE(is->ceval.eval_breaker);
    SSB_NOISE(is->ceval.gil_drop_request);
    SSB_NOISE(is->gc);
    SSB_NOISE(is->unicode);
    SSB_NOISE(is->float_state);
    SSB_NOISE(is->slice_cache);
    SSB_NOISE(is->tuple);
    SSB_NOISE(is->list);
    SSB_NOISE(is->dict_state);
    SSB_NOISE(is->async_gen);
    SSB_NOISE(is->context);
    SSB_NOISE(is->exc_state);
    SSB_NOISE(is->ast);
    SSB_NOISE(is->type_cache);
    SSB_NOISE(is->callable_cache);
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
    number((uint64_t)_PyRuntime.ceval.gil.interval); /* sys.setswitchinterval */
    number((uint64_t)is->threads.stacksize);
    number((uint64_t)_Py_atomic_load_relaxed(&_PyRuntime.ceval.signals_pending));
}

/* There is no sys.monitoring. */
#define SSB_MONITORING_CALLS (1u << 31)
static inline uint32_t ssb_monitoring_tools(const PyInterpreterState *is, int Py_UNUSED(own))
{
    (void)is;
    return 0;
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
    PyObject *held[] = {ts->curexc_type, ts->curexc_value, ts->curexc_traceback, ts->dict, ssb_own_context(ts), ts->async_exc,
                        (PyObject *)ts->on_delete_data, ts->async_gen_firstiter, ts->async_gen_finalizer, ts->c_profileobj,
                        ts->c_traceobj, ts->trash_delete_later};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        reference(held[i]);
    number((uint64_t)ts->tracing);
    number((uint64_t)ts->coroutine_origin_tracking_depth);
    number((uint64_t)ts->recursion_limit);
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
