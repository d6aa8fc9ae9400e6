/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ base_index.c — everything that existed when the exploration began.         │
 * │                                                                            │
 * │ All objects the collector knows and what they refer to, found by address,  │
 * │ and all memory that belongs to them. Both only help to explain changes:    │
 * │ memory that is not in the index is compared as raw words. base_hash.c      │
 * │ gives hashes of their contents.                                            │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

/* ---- lookup ------------------------------------------------------------------------ */

static inline ssbf_slot *slot_of(uintptr_t address)
{
    uint32_t i = (uint32_t)((address >> 3) * 0x9E3779B97F4A7C15ull >> 32) & ssbf->slot_mask;
    while (ssbf->slots[i].number && ssbf->slots[i].address != address)
        i = (i + 1) & ssbf->slot_mask;
    return &ssbf->slots[i];
}

static int search_object(uintptr_t address) { return (int)slot_of(address)->number - 1; }

/* The tables are larger than the processor's caches, and a state asks for the same few objects again and again. */
int ssbf_find_object(uintptr_t address)
{
    ssbf_answer *recent = &ssbf->recent[(address >> 4 ^ address >> 13) % SSBF_RECENT];
    if (!ssbf->index_is_final || ssbf->afresh || !address)
        return search_object(address);
    if (recent->address != address)
        *recent = (ssbf_answer){address, search_object(address)};
    return recent->object;
}

const ssbf_block *ssbf_find_block(uintptr_t address)
{
    uint32_t lo = 0, hi = ssbf->n_blocks;
    while (lo < hi) { /* first block that begins above the address */
        uint32_t middle = (lo + hi) / 2;
        if (ssbf->blocks[middle].lo <= address)
            lo = middle + 1;
        else
            hi = middle;
    }
    for (int back = 0; back < 3 && lo > 0; back++) /* blocks may lie inside one another */
        if (address < ssbf->blocks[--lo].hi)
            return &ssbf->blocks[lo];
    return NULL;
}

int ssbf_is_type(PyTypeObject *t)
{
    uintptr_t address = (uintptr_t)t, start;
    uint32_t bytes;
    for (int depth = 0; depth < 8; depth++) {
        if (address < 65536 || address & 7 || address >> 47)
            return 0;
        if (!ssb_heap_is_new(address)) {
            int b = ssbf_find_object(address);
            if (b < 0 || !(ssbf->objects[b].flags & SSBF_TYPE))
                return 0;
            return depth == 0 || (((PyTypeObject *)address)->tp_flags & Py_TPFLAGS_TYPE_SUBCLASS) != 0;
        }
        if (ssb_heap_find(address, &start, &bytes) != 3 || address - start != SSB_GC_HEADER || bytes < sizeof(PyHeapTypeObject))
            return 0;
        if (depth && !(((PyTypeObject *)address)->tp_flags & Py_TPFLAGS_TYPE_SUBCLASS))
            return 0;
        address = (uintptr_t)Py_TYPE((PyObject *)address); /* a class is an object whose type is a metaclass */
    }
    return 0;
}

/* ---- collecting objects --------------------------------------------------------------- */

static int index_full;

/* Memory that is about to be filled: in one go, not by a fault for each page. */
static void *filled_soon(void *at, size_t bytes)
{
    uintptr_t lo = ((uintptr_t)at + SS_PAGE - 1) & ~(uintptr_t)(SS_PAGE - 1), hi = ((uintptr_t)at + bytes) & ~(uintptr_t)(SS_PAGE - 1);
    if (lo < hi)
        madvise((void *)lo, hi - lo, MADV_POPULATE_WRITE); /* where it fails it is only slower */
    return at;
}

static void make_slots(uint32_t least)
{
    uint32_t n = 1u << 12;
    while (n < least)
        n *= 2;
    ssbf->slot_mask = n - 1;
    ssbf->slots = filled_soon(ssb_scratch(n * sizeof *ssbf->slots), n * sizeof *ssbf->slots);
    for (uint32_t b = 0; b < ssbf->n_objects; b++) {
        uintptr_t address = (uintptr_t)ssbf->objects[b].object;
        *slot_of(address) = (ssbf_slot){address, b + 1};
    }
}

static void add_object(PyObject *o)
{
    uintptr_t address = (uintptr_t)o;
    ssbf_slot *slot = o ? slot_of(address) : NULL;
    if (!slot || slot->number)
        return;
    if (ssbf->n_objects == ssbf->max_objects) {
        index_full = 1;
        return;
    }
    ssbf->objects[ssbf->n_objects].object = o;
    *slot = (ssbf_slot){address, ++ssbf->n_objects};
    if (ssbf->n_objects > ssbf->slot_mask / 2)
        make_slots(2 * (ssbf->slot_mask + 1));
}

static int add_visited(PyObject *o, void *unused)
{
    (void)unused;
    add_object(o);
    return 0;
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

static void add_referents(PyObject *o)
{
    PyTypeObject *t = Py_TYPE(o);
    add_object((PyObject *)t);
    if (PyType_Check(o))
        add_referents_of_type((PyTypeObject *)o);
    if (PyCode_Check(o)) {
        PyCodeObject *c = (PyCodeObject *)o;
        PyObject *parts[] = {c->co_consts, c->co_names, c->co_exceptiontable, c->co_localsplusnames, c->co_localspluskinds,
                             c->co_filename, c->co_name, c->co_qualname, c->co_linetable};
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            add_object(parts[i]);
    } else if (PyFunction_Check(o)) {
        PyFunctionObject *f = (PyFunctionObject *)o;
        PyObject *parts[] = {f->func_globals, f->func_builtins, f->func_name, f->func_qualname, f->func_code, f->func_defaults,
                             f->func_kwdefaults, f->func_closure, f->func_doc, f->func_dict, f->func_module, f->func_annotations};
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            add_object(parts[i]);
    } else if (PyWeakref_Check(o)) {
        PyWeakReference *w = (PyWeakReference *)o;
        add_object(ssb_weakref_object(w));
        add_object(w->wr_callback);
    } else if (PyCFunction_Check(o)) {
        add_object(((PyCFunctionObject *)o)->m_module);
        add_object(((PyCFunctionObject *)o)->m_self);
    }
    if (PyType_IS_GC(t) && t->tp_traverse && PyObject_IS_GC(o))
        t->tp_traverse(o, add_visited, NULL);
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
            add_object(ssb_frame_values(f)[i]);
    }
}

static void ignore_number(uint64_t n) { (void)n; }

static uint32_t n_tracked;
static void count_object(PyObject *o)
{
    (void)o;
    n_tracked++;
}

static void collect_objects(void)
{
    PyObject *singletons[] = {Py_None, Py_True, Py_False, Py_Ellipsis, Py_NotImplemented, (PyObject *)&PyType_Type,
                              (PyObject *)&PyBaseObject_Type};
    ssb_each_gc_object(add_object);
    ssb_each_interpreter_object(add_object);
    for (size_t i = 0; i < sizeof singletons / sizeof *singletons; i++)
        add_object(singletons[i]);
    add_frames(PyThreadState_Get());
    ssb_thread_tokens(PyThreadState_Get(), ignore_number, add_object); /* the collector ignores dictionaries of plain values */
    for (uint32_t i = 0; i < ssbf->n_objects; i++) /* grows while it runs */
        add_referents(ssbf->objects[i].object);
}

#define LARGE_VALUE 4096 /* bytes: such values are read when they are first met (base_hash.c) */

static size_t value_bytes(PyObject *o)
{
    if (PyBytes_CheckExact(o))
        return (size_t)PyBytes_GET_SIZE(o);
    return PyUnicode_CheckExact(o) && ssb_unicode_is_value(o) ? (size_t)PyUnicode_GET_LENGTH(o) * PyUnicode_KIND(o) : 0;
}

static void classify_objects(void)
{
    for (uint32_t b = 0; b < ssbf->n_objects; b++) {
        ssbf_object *entry = &ssbf->objects[b];
        PyObject *o = entry->object;
        uint64_t tokens[3];
        if (PyType_Check(o)) {
            entry->flags |= SSBF_TYPE;
            entry->instances = ssbf_registered((PyTypeObject *)o);
        } else if (PyCode_Check(o)) {
            entry->flags |= SSBF_CODE;
        } else if (value_bytes(o) > LARGE_VALUE) {
            entry->flags |= SSBF_ATOM;
        } else if (!PyFloat_CheckExact(o) && ssbf_atom(o, tokens)) {
            entry->flags |= SSBF_ATOM | SSBF_HASHED;
            entry->atom = tokens[0];
            entry->shallow[0] = tokens[1];
            entry->shallow[1] = tokens[2];
        }
    }
    for (uint32_t b = 0; b < ssbf->n_objects; b++)
        if (ssbf->objects[b].flags & SSBF_TYPE) {
            PyObject *table = ssb_type_subclasses((PyTypeObject *)ssbf->objects[b].object);
            int at = table ? ssbf_find_object((uintptr_t)table) : -1;
            if (at >= 0) {
                PyDictObject *d = (PyDictObject *)table;
                ssbf->objects[at].flags |= SSBF_SUBCLASSES;
                ssbf_add_block((char *)d + sizeof(PyObject), sizeof *d - sizeof(PyObject), (int32_t)b);
                ssbf_add_block(d->ma_keys, sizeof *d->ma_keys + ((size_t)1 << d->ma_keys->dk_log2_index_bytes) +
                                               (size_t)(d->ma_keys->dk_nentries + d->ma_keys->dk_usable) * sizeof(PyDictKeyEntry),
                               (int32_t)b);
            }
        }
}

/* ---- memory of objects --------------------------------------------------------------------- */

void ssbf_add_block(const void *lo, size_t bytes, int32_t owner)
{
    if (!lo || !bytes)
        return;
    if (ssbf->n_blocks == ssbf->max_blocks) {
        index_full = 1;
        return;
    }
    ssbf->blocks[ssbf->n_blocks++] = (ssbf_block){(uintptr_t)lo, (uintptr_t)lo + bytes, owner, 0};
}

/* As above; the first `skipped` bytes are no program state. */
static void add_block_behind(const void *lo, size_t skipped, size_t bytes, int32_t owner)
{
    uint32_t n = ssbf->n_blocks;
    ssbf_add_block(lo, skipped + bytes, owner);
    if (ssbf->n_blocks > n)
        ssbf->blocks[n].skipped = (uint32_t)skipped;
}

void ssbf_hide(PyObject *o)
{
    int b = o ? ssbf_find_object((uintptr_t)o) : -1;
    if (b >= 0)
        ssbf->objects[b].flags |= SSBF_HIDDEN;
}

static void add_memory(uint32_t b)
{
    const ssbf_object *entry = &ssbf->objects[b];
    PyObject *o = entry->object;
    PyTypeObject *t = Py_TYPE(o);
    int32_t owner = entry->flags & (SSBF_ATOM | SSBF_CODE) ? -1 : (int32_t)b;
    int is_static_type = entry->flags & SSBF_TYPE && !(((PyTypeObject *)o)->tp_flags & Py_TPFLAGS_HEAPTYPE);
    if (entry->flags & SSBF_SUBCLASSES) { /* its memory is its type's */
        ssbf_add_block((char *)o - SSB_GC_HEADER, SSB_GC_HEADER + sizeof o->ob_refcnt, -1);
        return;
    }
    size_t before = 0;
    if (!is_static_type && PyType_IS_GC(t) && PyObject_IS_GC(o)) {
        before = SSB_GC_HEADER;
        ssbf_add_block((char *)o - SSB_GC_HEADER - ssb_type_header(t), ssb_type_header(t), owner);
        if (ssb_type_has_managed_dict(t)) {
            PyDictValues *values = ssb_instance_values(o);
            PyDictKeysObject *keys = ssb_type_keys(t);
            if (values && keys) {
                const void *start;
                size_t bytes = ssb_values_memory(values, keys, &start);
                ssbf_add_block(start, bytes, owner);
            }
        }
    }
    size_t count = sizeof o->ob_refcnt, bytes = (size_t)ssbf_object_bytes(o);
    if (owner < 0)
        ssbf_add_block((char *)o - before, before + bytes, -1);
    else
        add_block_behind((char *)o - before, before + count, bytes - count, owner);
    const ssbf_handler *handler = ssbf_handler_of(t);
    if (handler && handler->buffers)
        handler->buffers(o, owner);
}

/* ---- sorting blocks -------------------------------------------------------------------------- */

#define CHUNK_SHIFT 27 /* memory lies in few chunks of 128 MiB: key = number of the chunk and word in it */
#define MAX_CHUNKS 256
#define DIGIT 11

typedef struct sort_key {
    uint32_t key, block;
} sort_key;

static uintptr_t chunks[MAX_CHUNKS];
static int n_chunks;

static int find_chunk(uintptr_t chunk)
{
    int lo = 0, hi = n_chunks;
    while (lo < hi) {
        int middle = (lo + hi) / 2;
        if (chunks[middle] < chunk)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo;
}

static int find_chunks(void)
{
    uintptr_t last = UINTPTR_MAX;
    n_chunks = 0;
    for (uint32_t i = 0; i < ssbf->n_blocks; i++) {
        uintptr_t chunk = ssbf->blocks[i].lo >> CHUNK_SHIFT;
        if (chunk == last)
            continue;
        last = chunk;
        int at = find_chunk(chunk);
        if (at < n_chunks && chunks[at] == chunk)
            continue;
        if (n_chunks == MAX_CHUNKS)
            return -1;
        memmove(&chunks[at + 1], &chunks[at], (size_t)(n_chunks++ - at) * sizeof *chunks);
        chunks[at] = chunk;
    }
    return 0;
}

static void sort_keys(sort_key *keys, sort_key *spare, uint32_t n)
{
    for (int shift = 0; shift < 32; shift += DIGIT) {
        uint32_t starts[1u << DIGIT] = {0}, next = 0;
        for (uint32_t i = 0; i < n; i++)
            starts[keys[i].key >> shift & ((1u << DIGIT) - 1)]++;
        for (uint32_t d = 0; d < 1u << DIGIT; d++) {
            uint32_t count = starts[d];
            starts[d] = next;
            next += count;
        }
        for (uint32_t i = 0; i < n; i++)
            spare[starts[keys[i].key >> shift & ((1u << DIGIT) - 1)]++] = keys[i];
        sort_key *swapped = keys;
        keys = spare;
        spare = swapped;
    }
}

/* Ascending, of equal addresses the one added last comes last: it lies inside the others. */
static void order_blocks(ssbf_block *to, sort_key *keys, sort_key *spare)
{
    uint32_t n = ssbf->n_blocks;
    uintptr_t last = UINTPTR_MAX;
    uint32_t number = 0;
    for (uint32_t i = 0; i < n; i++) {
        uintptr_t lo = ssbf->blocks[i].lo;
        if (lo >> CHUNK_SHIFT != last) {
            last = lo >> CHUNK_SHIFT;
            number = (uint32_t)find_chunk(last);
        }
        keys[i] = (sort_key){number << (CHUNK_SHIFT - 3) | (uint32_t)(lo >> 3 & ((1u << (CHUNK_SHIFT - 3)) - 1)), i};
    }
    sort_keys(keys, spare, n); /* three passes: the result is in the spare */
    for (uint32_t i = 0; i < n; i++) {
        ssbf_block block = ssbf->blocks[spare[i].block];
        uint32_t at = i;
        for (; at && to[at - 1].lo > block.lo; at--) /* within one word */
            to[at] = to[at - 1];
        to[at] = block;
    }
}

static int sort_blocks(void)
{
    if (find_chunks())
        return -1;
    size_t n = ssbf->n_blocks + 1, bytes = n * (sizeof(ssbf_block) + 2 * sizeof(sort_key));
    char *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); /* nothing shall be left of it */
    if (room == MAP_FAILED)
        return -1;
    sort_key *keys = (sort_key *)(room + n * sizeof(ssbf_block));
    order_blocks((ssbf_block *)room, keys, keys + n);
    memcpy(ssbf->blocks, room, ssbf->n_blocks * sizeof(ssbf_block));
    munmap(room, bytes);
    return 0;
}

int ssbf_index_build(void)
{
    PyThreadState *ts = PyThreadState_Get();
    n_tracked = 0;
    ssb_each_gc_object(count_object);
    ssbf->max_objects = 8 * n_tracked + (1u << 17);
    ssbf->max_blocks = 4 * ssbf->max_objects;
    size_t objects = ssbf->max_objects * sizeof *ssbf->objects, blocks = ssbf->max_blocks * sizeof *ssbf->blocks;
    size_t usual = 4 * (size_t)n_tracked; /* as many objects as the collector knows and three times as many that it does not */
    ssbf->objects = filled_soon(ssb_scratch(objects), usual * sizeof *ssbf->objects);
    ssbf->blocks = filled_soon(ssb_scratch(blocks), usual * sizeof *ssbf->blocks);
    make_slots((uint32_t)(2 * usual));
    index_full = 0;
    collect_objects();
    classify_objects();
    for (uint32_t b = 0; b < ssbf->n_objects; b++)
        add_memory(b);
    if (sort_blocks())
        return -1;
    ssbf->candidates = ssb_scratch((size_t)ssbf->n_objects * sizeof *ssbf->candidates);
    ssbf->base_frame = ssb_thread_frame(ts);
    ssbf->base_entry = ssb_thread_entry(ts);
    ssbf->base_tstate = ts;
    ssbf->index_is_final = 1;
    return index_full ? -1 : 0;
}

#endif
