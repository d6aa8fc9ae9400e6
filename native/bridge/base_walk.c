/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ base_walk.c — one walk over all objects of the base state.                 │
 * │                                                                            │
 * │ All objects the collector knows and what they refer to. Each is looked at  │
 * │ once, while its header is in the processor's caches: what it refers to, of │
 * │ what kind it is, and which memory outside of it belongs to it. Nothing is  │
 * │ written to them: a page that is written here would be copied.              │
 * │                                                                            │
 * │ It takes as long as memory takes to answer, so several questions are under │
 * │ way at a time: the collector's list is followed while objects are looked   │
 * │ at, and the headers of the next ones are fetched ahead.                    │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "base_index.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>

#define TYPES 256 /* power of two: types whose properties are at hand */
#define AHEAD 8   /* objects whose headers are fetched before they are looked at */

/* Objects whose parts are named one by one. */
enum shape { ORDINARY, A_TYPE, A_CODE, A_FUNCTION, A_WEAK_REFERENCE, A_BUILTIN };

/* What the walk needs of a type, computed once while it stays at hand. */
typedef struct type_facts {
    PyTypeObject *type;
    const ssbf_handler *handler; /* of its instances */
    traverseproc traverse;       /* NULL: the collector does not know them */
    inquiry is_collected;        /* asked for each, if not NULL */
    enum shape shape;
    int may_be_atom, has_managed_dict, has_weak_references;
} type_facts;

typedef struct item {
    uintptr_t object;
    uint32_t kind; /* SSBF_TYPE ... | number of the handler of instances << 8 */
} item;

static struct {
    ssbf_growing items, blocks, hidden;
    uint32_t n_items;
    uint32_t next; /* the first item that was not looked at */
    type_facts facts[TYPES];
    int failed;
} walk;

/* ---- collecting ---------------------------------------------------------------------- */

static item *item_at(uint32_t i) { return (item *)walk.items.at + i; }

static void add_object(PyObject *o)
{
    int added = ssbf_mark((uintptr_t)o);
    if (added <= 0) {
        walk.failed |= added < 0;
        return;
    }
    item *place = ssbf_grow(&walk.items, sizeof *place);
    if (!place || walk.n_items == SS_NONE / 4) {
        walk.failed = 1;
        return;
    }
    *place = (item){(uintptr_t)o, 0};
    walk.n_items++;
}

static int add_visited(PyObject *o, void *unused)
{
    (void)unused;
    add_object(o);
    return 0;
}

void ssbf_add_block(const void *lo, size_t bytes, int32_t owner)
{
    if (!lo || !bytes)
        return;
    ssbf_block *block = ssbf_grow(&walk.blocks, sizeof *block);
    if (block)
        *block = (ssbf_block){(uintptr_t)lo, (uintptr_t)lo + bytes, owner};
    else
        walk.failed = 1;
}

void ssbf_hide(PyObject *o)
{
    PyObject **place = o ? ssbf_grow(&walk.hidden, sizeof *place) : NULL;
    if (place)
        *place = o;
    else
        walk.failed |= o != NULL;
}

static void add_referents_of_type(PyTypeObject *t)
{
    PyObject *parts[] = {ssb_type_dict(t), ssb_type_bases(t), ssb_type_mro(t), ssb_type_subclasses(t), (PyObject *)t->tp_base};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        add_object(parts[i]);
    if (t->tp_flags & Py_TPFLAGS_HEAPTYPE) {
        PyHeapTypeObject *h = (PyHeapTypeObject *)t;
        add_object(h->ht_name);
        add_object(h->ht_qualname);
        add_object(h->ht_slots);
        add_object(h->ht_module);
    }
}

static void add_parts(PyObject *o, enum shape shape)
{
    if (shape == A_TYPE) {
        add_referents_of_type((PyTypeObject *)o);
    } else if (shape == A_CODE) {
        PyCodeObject *c = (PyCodeObject *)o;
        PyObject *parts[] = {c->co_consts, c->co_names, c->co_exceptiontable, c->co_localsplusnames, c->co_localspluskinds,
                             c->co_filename, c->co_name, c->co_qualname, c->co_linetable};
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            add_object(parts[i]);
    } else if (shape == A_FUNCTION) {
        PyFunctionObject *f = (PyFunctionObject *)o;
        PyObject *parts[] = {f->func_globals, f->func_builtins, f->func_name, f->func_qualname, f->func_code, f->func_defaults,
                             f->func_kwdefaults, f->func_closure, f->func_doc, f->func_dict, f->func_module, f->func_annotations};
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            add_object(parts[i]);
    } else if (shape == A_WEAK_REFERENCE) {
        PyWeakReference *w = (PyWeakReference *)o;
        add_object(ssb_weakref_object(w));
        add_object(w->wr_callback);
    } else {
        add_object(((PyCFunctionObject *)o)->m_module);
        add_object(((PyCFunctionObject *)o)->m_self);
    }
}

static void add_referents(PyObject *o, const type_facts *facts)
{
    if (facts->shape != ORDINARY)
        add_parts(o, facts->shape);
    if (facts->traverse && (!facts->is_collected || facts->is_collected(o)))
        facts->traverse(o, add_visited, NULL);
    /* 3.13 visits the values and not the dictionary that holds them as well, and the collector does not track that if they are
     * plain: nobody else names it. */
    if (facts->has_managed_dict && !ssb_instance_values(o))
        add_object(ssb_instance_dict(o));
    if (facts->has_weak_references)
        for (PyWeakReference *w = ssb_object_weakrefs(o); w; w = w->wr_next)
            add_object((PyObject *)w);
}

/* Frames that wait below the exploration: they do not run while it lasts. */
static void add_frames(PyThreadState *ts)
{
    for (ssb_frame *f = ssb_thread_frame(ts); f; f = ssb_frame_previous(f)) {
        PyCodeObject *code = ssb_frame_code(f);
        int top = ssb_frame_stacktop(f), n = top >= 0 ? top : code->co_nlocalsplus;
        add_object((PyObject *)code);
        add_object(ssb_frame_function(f));
        add_object(ssb_frame_locals(f));
        add_object((PyObject *)ssb_frame_object(f));
        for (int i = 0; i < n; i++)
            add_object(ssb_frame_value(f, i));
    }
}

static void ignore_number(uint64_t n) { (void)n; }

static void look_at_next(void);

/* The collector knows it. */
static void add_listed(PyObject *o)
{
    add_object(o);
    look_at_next();
}

static void add_roots(void)
{
    PyObject *singletons[] = {Py_None, Py_True, Py_False, Py_Ellipsis, Py_NotImplemented, (PyObject *)&PyType_Type,
                              (PyObject *)&PyBaseObject_Type};
    ssb_each_gc_object(add_listed);
    ssb_each_interpreter_object(add_object);
    for (size_t i = 0; i < sizeof singletons / sizeof *singletons; i++)
        add_object(singletons[i]);
    add_frames(PyThreadState_Get());
    ssb_thread_tokens(PyThreadState_Get(), ignore_number, add_object); /* the collector ignores dictionaries of plain values */
}

/* ---- looking at an object -------------------------------------------------------------- */

static enum shape shape_of(PyTypeObject *t)
{
    if (PyType_FastSubclass(t, Py_TPFLAGS_TYPE_SUBCLASS))
        return A_TYPE;
    if (t == &PyCode_Type)
        return A_CODE;
    if (t == &PyFunction_Type)
        return A_FUNCTION;
    if (PyType_IsSubtype(t, &_PyWeakref_RefType) || t == &_PyWeakref_ProxyType || t == &_PyWeakref_CallableProxyType)
        return A_WEAK_REFERENCE;
    return PyType_IsSubtype(t, &PyCFunction_Type) ? A_BUILTIN : ORDINARY;
}

static const type_facts *facts_of(PyTypeObject *t)
{
    type_facts *f = &walk.facts[((uintptr_t)t >> 4 ^ (uintptr_t)t >> 12) % TYPES];
    if (f->type == t)
        return f;
    add_object((PyObject *)t);
    *f = (type_facts){
        .type = t,
        .handler = ssbf_registered(t),
        .traverse = PyType_IS_GC(t) ? t->tp_traverse : NULL,
        .is_collected = t->tp_is_gc,
        .shape = shape_of(t),
        .may_be_atom = t == &PyUnicode_Type || t == &PyLong_Type || t == &PyComplex_Type || t == &PyBytes_Type,
        .has_managed_dict = ssb_type_has_managed_dict(t),
        .has_weak_references = t->tp_weaklistoffset != 0,
    };
    return f;
}

static uint32_t handler_number(const ssbf_handler *handler)
{
    uint32_t i = 0;
    while (i < ssbf->n_handlers && ssbf->handlers[i] != handler)
        i++;
    if (i == ssbf->n_handlers)
        ssbf->handlers[ssbf->n_handlers++] = handler;
    return i;
}

static uint32_t kind_of(PyObject *o, const type_facts *facts)
{
    if (facts->shape == A_TYPE)
        return SSBF_TYPE | handler_number(ssbf_registered((PyTypeObject *)o)) << 8;
    if (facts->shape == A_CODE)
        return SSBF_CODE;
    if (!facts->may_be_atom) /* numbers with a point are not: their memory is used again */
        return 0;
    return ssbf_is_atom(o) ? SSBF_ATOM : SSBF_UNREADY;
}

/* Memory outside of the object, or too much of it to be found from its neighbours. */
static void add_memory(PyObject *o, const type_facts *facts, int32_t owner)
{
    PyTypeObject *t = facts->type;
    size_t in_front, bytes = (size_t)t->tp_basicsize;
    if (facts->has_managed_dict && ssbf_bytes_before(o, &in_front)) {
        PyDictValues *values = ssb_instance_values(o);
        PyDictKeysObject *keys = ssb_type_keys(t);
        if (values && keys) {
            const void *start;
            size_t n = ssb_values_memory(values, keys, &start);
            ssbf_add_block(start, n, owner);
        }
    }
    if (t->tp_itemsize)
        bytes = (size_t)ssbf_object_bytes(o);
    if (bytes > SSBF_LARGE_BLOCK)
        ssbf_add_block((char *)o + SSB_COUNT_BYTES, bytes - SSB_COUNT_BYTES, owner);
    if (facts->handler && facts->handler->buffers)
        facts->handler->buffers(o, owner);
}

static void look_at_next(void)
{
    if (walk.next == walk.n_items || walk.failed)
        return;
    uint32_t i = walk.next++;
    PyObject *o = (PyObject *)item_at(i)->object;
    if (i + AHEAD < walk.n_items)
        __builtin_prefetch((void *)item_at(i + AHEAD)->object);
    const type_facts *facts = facts_of(Py_TYPE(o));
    uint32_t kind = kind_of(o, facts);
    item_at(i)->kind = kind;
    add_referents(o, facts);
    add_memory(o, facts, kind & (SSBF_ATOM | SSBF_CODE) ? -1 : (int32_t)i);
}

/* ---- numbers instead of items -------------------------------------------------------------- */

static void note_kinds(void)
{
    ssbf->kinds = ssb_scratch((size_t)ssbf->n_objects * sizeof *ssbf->kinds);
    for (uint32_t i = 0; i < walk.n_items; i++)
        if (item_at(i)->kind & ~SSBF_ATOM) /* few: and to find an object's number takes as long as to look at it */
            ssbf->kinds[ssbf_find_object(item_at(i)->object)] = (uint16_t)item_at(i)->kind;
    for (size_t i = 0; i < walk.hidden.used / sizeof(PyObject *); i++) {
        int b = ssbf_find_object(((uintptr_t *)walk.hidden.at)[i]);
        if (b >= 0)
            ssbf->kinds[b] |= SSBF_HIDDEN;
    }
}

/* A type's table of subclasses: its memory is its type's. */
static void add_subclasses(void)
{
    for (uint32_t i = 0; i < walk.n_items; i++) {
        if (!(item_at(i)->kind & SSBF_TYPE))
            continue;
        PyDictObject *d = (PyDictObject *)ssb_type_subclasses((PyTypeObject *)item_at(i)->object);
        int at = d ? ssbf_find_object((uintptr_t)d) : -1;
        if (at < 0)
            continue;
        ssbf->kinds[at] |= SSBF_SUBCLASSES;
        ssbf_add_block((char *)d + sizeof(PyObject), sizeof *d - sizeof(PyObject), (int32_t)i);
        ssbf_add_block(d->ma_keys, sizeof *d->ma_keys + ((size_t)1 << d->ma_keys->dk_log2_index_bytes) +
                                       (size_t)(d->ma_keys->dk_nentries + d->ma_keys->dk_usable) * sizeof(PyDictKeyEntry),
                       (int32_t)i);
    }
}

static int keep_blocks(void)
{
    ssbf_block *blocks = (ssbf_block *)walk.blocks.at;
    uint32_t n = (uint32_t)(walk.blocks.used / sizeof *blocks);
    for (uint32_t i = 0; i < n; i++)
        if (blocks[i].owner >= 0)
            blocks[i].owner = ssbf_find_object(item_at((uint32_t)blocks[i].owner)->object);
    if (ssbf_sort_blocks(blocks, n))
        return -1;
    ssbf->n_blocks = n;
    ssbf->blocks = ssb_scratch((size_t)n * sizeof *blocks + 1);
    if (n)
        memcpy(ssbf->blocks, blocks, (size_t)n * sizeof *blocks);
    return 0;
}

int ssbf_walk_base(void)
{
    memset(&walk, 0, sizeof walk);
    ssbf->handlers[0] = NULL;
    ssbf->n_handlers = 1;
    add_roots();
    while (walk.next < walk.n_items && !walk.failed) /* more come while it runs */
        look_at_next();
    if (!walk.failed) {
        ssbf_number_objects();
        note_kinds();
        add_subclasses();
        walk.failed |= keep_blocks() < 0;
    }
    ssbf_release(&walk.items);
    ssbf_release(&walk.blocks);
    ssbf_release(&walk.hidden);
    int failed = walk.failed;
    memset(&walk, 0, sizeof walk);
    return failed ? -1 : 0;
}

#endif
