/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ handlers_code.c — classes, functions, code, generators, frames, traceback, │
 * │ weak references: what runs, without caches, versions and specialisation.   │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

/* ---- classes --------------------------------------------------------------------------------- */

/* Subclasses in order of creation; the table that holds them is keyed by address. */
static void subclasses(PyTypeObject *t)
{
    PyObject *table = ssb_type_subclasses(t);
    uint64_t n = 0;
    if (table && PyDict_CheckExact(table)) {
        PyDictObject *d = (PyDictObject *)table;
        PyDictKeysObject *keys = d->ma_keys;
        for (Py_ssize_t i = 0; i < keys->dk_nentries; i++) {
            PyObject *reference = DK_IS_UNICODE(keys) ? DK_UNICODE_ENTRIES(keys)[i].me_value : DK_ENTRIES(keys)[i].me_value;
            if (reference && PyWeakref_CheckRef(reference) && ssb_weakref_object((PyWeakReference *)reference) != Py_None) {
                ssbf_reference(ssb_weakref_object((PyWeakReference *)reference));
                n++;
            }
        }
    }
    ssbf_count(n);
}

static void type_content(PyObject *o)
{
    PyTypeObject *t = (PyTypeObject *)o;
    ssbf_reference(ssb_type_dict(t));
    ssbf_reference((PyObject *)t->tp_base);
    ssbf_reference(ssb_type_bases(t));
    ssbf_reference(ssb_type_mro(t));
    ssbf_raw(t->tp_flags & ~(unsigned long)Py_TPFLAGS_VALID_VERSION_TAG);
    ssbf_count((uint64_t)t->tp_basicsize);
    ssbf_raw((uint64_t)t->tp_dictoffset);
    /* A __new__ that was set and taken back leaves a slot that its base has not. Of all slots only this one is kept so. */
    ssbf_count(t->tp_base && t->tp_new == t->tp_base->tp_new);
    if (t->tp_flags & Py_TPFLAGS_HEAPTYPE) {
        PyHeapTypeObject *h = (PyHeapTypeObject *)t;
        ssbf_reference(h->ht_name);
        ssbf_reference(h->ht_qualname);
        ssbf_reference(h->ht_slots);
        ssbf_reference(h->ht_module);
    }
    subclasses(t);
}

static void type_buffers(PyObject *o, int32_t owner)
{
    PyTypeObject *t = (PyTypeObject *)o;
    PyDictKeysObject *keys = ssb_type_keys(t);
    size_t bytes;
    void *state = ssb_type_state(t, &bytes);
    ssbf_add_block(state, bytes, owner);
    if (keys) /* shared keys: each instance says which of them it uses */
        ssbf_add_block(keys, sizeof *keys + ((size_t)1 << keys->dk_log2_index_bytes) +
                                 (size_t)(keys->dk_nentries + keys->dk_usable) * sizeof(PyDictUnicodeEntry), -1);
}

/* ---- functions and code ------------------------------------------------------------------------- */

static void function_content(PyObject *o) { ssbf_fields(o, sizeof(PyObject), SSB_FUNCTION_END); }

static void code_content(PyObject *o)
{
    PyCodeObject *c = (PyCodeObject *)o;
    PyObject *parts[] = {c->co_name, c->co_qualname, c->co_filename, c->co_consts, c->co_names, c->co_linetable,
                         c->co_exceptiontable, c->co_localsplusnames, c->co_localspluskinds};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        ssbf_reference(parts[i]);
    int numbers[] = {c->co_firstlineno, c->co_flags, c->co_argcount, c->co_posonlyargcount, c->co_kwonlyargcount, c->co_stacksize};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        ssbf_raw((uint64_t)numbers[i]);
    ssbf_code_units(c);
}

static void add_code_block(const void *lo, size_t bytes) { ssbf_add_block(lo, bytes, -1); }

static void code_buffers(PyObject *o, int32_t owner)
{
    (void)owner;
    ssb_each_code_block((PyCodeObject *)o, add_code_block);
}

/* ---- generators, coroutines ----------------------------------------------------------------------- */

static void generator_content(PyObject *o)
{
    PyGenObject *g = (PyGenObject *)o;
    ssbf_raw((uint64_t)g->gi_frame_state);
    ssbf_reference((PyObject *)ssb_generator_code(o));
    ssbf_reference(g->gi_name);
    ssbf_reference(g->gi_qualname);
    ssbf_reference(g->gi_exc_state.exc_value);
    if (!PyGen_CheckExact(o)) { /* plain generators leave these fields uninitialised */
        ssbf_reference(g->gi_origin_or_finalizer);
        ssbf_count((uint64_t)(unsigned char)g->gi_hooks_inited | (uint64_t)(unsigned char)g->gi_closed << 8 |
                   (uint64_t)(unsigned char)g->gi_running_async << 16);
    }
    if (ssb_generator_has_frame(o))
        ssbf_frame(ssb_generator_frame(o));
}

/* ---- frame objects and tracebacks -------------------------------------------------------------------- */

static void frame_content(PyObject *o)
{
    PyFrameObject *f = (PyFrameObject *)o;
    ssbf_count((uint64_t)(unsigned char)f->f_trace_lines | (uint64_t)(unsigned char)f->f_trace_opcodes << 8);
    ssbf_reference(f->f_trace);
    ssbf_raw((uint64_t)f->f_lineno);
    ssbf_reference((PyObject *)f->f_back);
    ssb_frame_object_tokens(f, ssbf_reference);
    ssb_frame *frame = f->f_frame;
    if (ssb_frame_is_in_object(frame) || ssb_frame_is_generators(frame))
        ssbf_frame(frame);
}

static void traceback_content(PyObject *o)
{
    PyTracebackObject *t = (PyTracebackObject *)o;
    ssbf_reference((PyObject *)t->tb_next);
    ssbf_reference((PyObject *)t->tb_frame);
    ssbf_raw((uint64_t)t->tb_lineno);
    ssbf_raw((uint64_t)ssbf_normal_unit(ssb_frame_code(t->tb_frame->f_frame), t->tb_lasti / (int)sizeof(_Py_CODEUNIT)));
}

/* ---- weak references ------------------------------------------------------------------------------------ */

/* A reference hashes its object once, and keeps that when the object dies; one that never did can't be hashed then.
 * Of classes from before the exploration the interpreter keeps references itself, and hashes them in passing. */
static void hash_of_reference(PyWeakReference *w)
{
    PyObject *o = ssb_weakref_object(w);
    int lives = o != Py_None;
    if (w->hash == -1 || (lives && PyType_Check(o) && ssbf_find_object((uintptr_t)o) >= 0)) {
        ssbf_count(0);
    } else if (lives && ssbf_hash_uses_address(o, 0)) {
        ssbf_count(1);
    } else {
        ssbf_count(2);
        ssbf_raw((uint64_t)w->hash);
    }
}

/* References to one object are chained. A new one behind another from before the exploration changes that one only,
 * and the object does not look changed: so each says who follows, in calling order. */
static void weakref_content(PyObject *o)
{
    PyWeakReference *w = (PyWeakReference *)o;
    ssbf_reference(ssb_weakref_object(w));
    ssbf_reference(w->wr_callback);
    ssbf_reference((PyObject *)ssbf_calls_back(w->wr_next));
    hash_of_reference(w);
}

int ssbf_register_code(void)
{
    static const ssbf_handler type = {"type", type_content, type_buffers, 0};
    static const ssbf_handler function = {"function", function_content, NULL, 0};
    static const ssbf_handler code = {"code", code_content, code_buffers, 0};
    static const ssbf_handler generator = {"generator", generator_content, NULL, 0};
    static const ssbf_handler frame = {"frame", frame_content, NULL, 0};
    static const ssbf_handler traceback = {"traceback", traceback_content, NULL, 0};
    static const ssbf_handler weakref = {"weakref", weakref_content, NULL, sizeof(PyWeakReference)};
    ssbf_register(&PyType_Type, &type);
    ssbf_register(&PyFunction_Type, &function);
    ssbf_register(&PyCode_Type, &code);
    ssbf_register(&PyGen_Type, &generator);
    ssbf_register(&PyCoro_Type, &generator);
    ssbf_register(&PyAsyncGen_Type, &generator);
    ssbf_register(&PyFrame_Type, &frame);
    ssbf_register(&PyTraceBack_Type, &traceback);
    ssbf_register(&_PyWeakref_RefType, &weakref);
    ssbf_register(&_PyWeakref_ProxyType, &weakref);
    ssbf_register(&_PyWeakref_CallableProxyType, &weakref);
    return 0;
}

#endif
