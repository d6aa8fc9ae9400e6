/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ handlers_containers.c — tuple, list, dict, set, OrderedDict, dict          │
 * │ iterators: capacity, holes and hash tables are left out; order stays in.   │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "runs.h"
#include "explain.h"
#include "orders.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>

/* ---- tuple and list ---------------------------------------------------------------- */

static void references(PyObject *const *items, Py_ssize_t n)
{
    if (ssbf_is_run(n))
        ssbf_run_of(items, n);
    else
        for (Py_ssize_t i = 0; i < n; i++) {
            SSBF_EDGE_INDEX(i);
            ssbf_reference(items[i]);
        }
}

/* Types whose hash runs no code of the program, or leaves that to a hash that it keeps. */
static int hashes_quietly(PyObject *o)
{
    if (!o) /* C is still making the tuple */
        return 1;
    hashfunc hash = Py_TYPE(o)->tp_hash;
    return ssbf_is_atom(o) || hash == PyBaseObject_Type.tp_hash || hash == PyTuple_Type.tp_hash || hash == PyLong_Type.tp_hash ||
           hash == PyUnicode_Type.tp_hash || o == Py_None;
}

int ssbf_hash_matters(PyObject *o)
{
    Py_ssize_t n = Py_SIZE(o), i = 0;
    while (SSB_TUPLES_KEEP_HASHES && i < n && hashes_quietly(((PyTupleObject *)o)->ob_item[i]))
        i++;
    return SSB_TUPLES_KEEP_HASHES && i < n;
}

static void tuple_content(PyObject *o)
{
    Py_ssize_t n = Py_SIZE(o);
    ssbf_count((uint64_t)n);
    if (ssbf_hash_matters(o))
        ssbf_count((uint64_t)ssb_tuple_keeps_hash(o));
    references(((PyTupleObject *)o)->ob_item, n);
    if (Py_TYPE(o) == &PyTuple_Type)
        return;
    /* Subclass: hidden items of a struct sequence, an attribute dict behind the items. */
    char *end = (char *)&((PyTupleObject *)o)->ob_item[n], *stop = (char *)o + ssbf_object_bytes(o);
    uintptr_t start;
    uint32_t bytes;
    if (ssb_heap_is_new((uintptr_t)o) && ssb_heap_find((uintptr_t)o, &start, &bytes))
        stop = (char *)start + bytes;
    if (Py_TYPE(o)->tp_dictoffset < 0)
        ssbf_fields(o, end - (char *)o, ssbf_object_bytes(o));
    else
        ssbf_words(end, stop);
    ssbf_managed_attributes(o);
}

static void list_content(PyObject *o)
{
    Py_ssize_t n = Py_SIZE(o);
    ssbf_count((uint64_t)n);
    references(((PyListObject *)o)->ob_item, n);
    if (((PyListObject *)o)->allocated < 0) /* it is being sorted, and nobody has touched it: list.sort looks at the end */
        ssbf_token(SSBF_TOKEN(SSBF_T_DEAD, 4));
}

static void list_buffers(PyObject *o, int32_t owner)
{
    ssbf_add_block(((PyListObject *)o)->ob_item, (size_t)((PyListObject *)o)->allocated * sizeof(PyObject *), owner);
}

static int is_live(const setentry *e) { return e->key && e->hash != -1; }

/* ---- dict ------------------------------------------------------------------------------ */

/* Whether it is long says the number of its entries: holes are no state. */
static void run_of_entries(PyDictKeysObject *keys)
{
    int of_names = DK_IS_UNICODE(keys);
    ssbf_span s = {of_names ? (const char *)DK_UNICODE_ENTRIES(keys) : (const char *)DK_ENTRIES(keys), keys->dk_nentries,
                   of_names ? sizeof(PyDictUnicodeEntry) : sizeof(PyDictKeyEntry),
                   of_names ? offsetof(PyDictUnicodeEntry, me_key) : offsetof(PyDictKeyEntry, me_key),
                   of_names ? offsetof(PyDictUnicodeEntry, me_value) : offsetof(PyDictKeyEntry, me_value)};
    ssbf_run_begin();
    ssbf_run_part(&s);
    ssbf_run_end();
}

int ssbf_hash_is_kept(PyObject *key)
{
    if (!key || Py_TYPE(key) == &PyUnicode_Type || Py_TYPE(key) == &PyLong_Type)
        return 0;
    if (ssbf_hash_is_python(Py_TYPE(key)))
        return 1;
    int found = 0;
    if (PyTuple_Check(key) && Py_TYPE(key)->tp_hash == PyTuple_Type.tp_hash)
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(key) && !found; i++)
            found = ssbf_hash_is_kept(PyTuple_GET_ITEM(key, i));
    if (PyFrozenSet_Check(key) && Py_TYPE(key)->tp_hash == PyFrozenSet_Type.tp_hash) {
        PySetObject *s = (PySetObject *)key;
        for (Py_ssize_t i = 0; i <= s->mask && !found; i++)
            found = is_live(&s->table[i]) && ssbf_hash_is_kept(s->table[i].key);
    }
    return found && !ssbf_hash_uses_address(key, 0);
}

/* A program may change what its __hash__ returns. The table goes by the hash of then. */
static void kept_hashes(PyDictKeysObject *keys)
{
    PyDictKeyEntry *entries = DK_ENTRIES(keys);
    for (Py_ssize_t i = 0; i < keys->dk_nentries; i++)
        if (entries[i].me_value && ssbf_hash_is_kept(entries[i].me_key))
            ssbf_raw((uint64_t)entries[i].me_hash);
}

void ssbf_attribute_items(PyDictObject *d, PyObject *owner)
{
    PyDictKeysObject *keys = d->ma_keys;
    uint64_t weak = ssbf_weakened() ? ssbf_weak_attributes(owner, (PyObject *)d) : 0;
    if (weak)
        ssbf_weak_names(weak);
    ssbf_count((uint64_t)d->ma_used - (weak ? ssbf_left_out_of(weak, d) : 0));
    if (!weak && !d->ma_values && ssbf_is_run(d->ma_used)) {
        run_of_entries(keys);
    } else if (d->ma_values) {
        PyDictUnicodeEntry *entries = DK_UNICODE_ENTRIES(keys);
        for (int i = 0; i < ssb_values_size(d->ma_values); i++) {
            int e = ssb_values_entry(d->ma_values, i);
            if (d->ma_values->values[e] && !ssbf_left_out(weak, entries[e].me_key)) {
                ssbf_reference(entries[e].me_key);
                SSBF_EDGE_KEY(entries[e].me_key);
                ssbf_reference(d->ma_values->values[e]);
            }
        }
    } else if (DK_IS_UNICODE(keys)) {
        PyDictUnicodeEntry *entries = DK_UNICODE_ENTRIES(keys);
        for (Py_ssize_t i = 0; i < keys->dk_nentries; i++)
            if (entries[i].me_value && !ssbf_left_out(weak, entries[i].me_key)) {
                ssbf_reference(entries[i].me_key);
                SSBF_EDGE_KEY(entries[i].me_key);
                ssbf_reference(entries[i].me_value);
            }
    } else {
        PyDictKeyEntry *entries = DK_ENTRIES(keys);
        for (Py_ssize_t i = 0; i < keys->dk_nentries; i++)
            if (entries[i].me_value && !ssbf_left_out(weak, entries[i].me_key)) {
                ssbf_reference(entries[i].me_key);
                SSBF_EDGE_KEY(entries[i].me_key);
                ssbf_reference(entries[i].me_value);
            }
    }
    if (!d->ma_values && !DK_IS_UNICODE(keys))
        kept_hashes(keys);
}

void ssbf_dict_items(PyDictObject *d) { ssbf_attribute_items(d, NULL); }

static void dict_content(PyObject *o) { ssbf_dict_items((PyDictObject *)o); }

static size_t keys_bytes(const PyDictKeysObject *keys)
{
    size_t entry = DK_IS_UNICODE(keys) ? sizeof(PyDictUnicodeEntry) : sizeof(PyDictKeyEntry);
    return sizeof *keys + ((size_t)1 << keys->dk_log2_index_bytes) + (size_t)(keys->dk_nentries + keys->dk_usable) * entry;
}

static void dict_buffers(PyObject *o, int32_t owner)
{
    PyDictObject *d = (PyDictObject *)o;
    if (d->ma_values) {
        const void *start;
        size_t bytes = ssb_values_memory(d->ma_values, d->ma_keys, &start);
        ssbf_add_block(start, bytes, owner);
    } else {
        ssbf_add_block(d->ma_keys, keys_bytes(d->ma_keys), owner);
    }
}

#ifdef SSB_DICTS_FREEZE
/* Values may have a hash that runs code, once: then it is kept. */
static void frozen_dict_content(PyObject *o)
{
    ssbf_dict_items((PyDictObject *)o);
    ssbf_count(((PyFrozenDictObject *)o)->ma_hash != -1);
}
#endif

/* An iterator sees holes and when the table will be rebuilt: while one lives, both are part of the state. */
void ssbf_dict_layout(PyDictObject *d)
{
    PyDictKeysObject *keys = d->ma_keys;
    ssbf_count(d->ma_values != NULL);
    if (d->ma_values) /* no holes: positions count values, and the keys are the class's */
        return;
    ssbf_count((uint64_t)keys->dk_nentries);
    ssbf_count((uint64_t)keys->dk_usable);
    ssbf_count(keys->dk_log2_size);
    for (Py_ssize_t i = 0; i < keys->dk_nentries; i++)
        if (!(DK_IS_UNICODE(keys) ? DK_UNICODE_ENTRIES(keys)[i].me_value : DK_ENTRIES(keys)[i].me_value))
            ssbf_token(SSBF_TOKEN(SSBF_T_DEAD, i));
}

PyObject *ssbf_object_at(uintptr_t address, size_t least)
{
    uintptr_t start;
    uint32_t bytes;
    if (address < 65536 || address & 7 || address >> 47)
        return NULL;
    if (ssb_heap_is_new(address)) {
        if (ssb_heap_find(address, &start, &bytes) != 3 || bytes < address - start + least || !ssbf_is_type(Py_TYPE((PyObject *)address)))
            return NULL;
    } else if (ssbf_find_object(address) < 0) {
        return NULL;
    }
    return Py_REFCNT((PyObject *)address) > 0 ? (PyObject *)address : NULL;
}

int ssbf_is_dict(uintptr_t address)
{
    PyObject *o = ssbf_object_at(address, sizeof(PyDictObject));
    return o && PyDict_Check(o);
}

typedef struct dict_iterator {
    PyObject_HEAD
    PyDictObject *dict;
    Py_ssize_t used, position;
    PyObject *result;
    Py_ssize_t left;
} dict_iterator;

static void dict_iterator_content(PyObject *o)
{
    dict_iterator *it = (dict_iterator *)o;
    ssbf_reference((PyObject *)it->dict);
    if (!it->dict)
        return;
    ssbf_raw((uint64_t)it->used);
    ssbf_raw((uint64_t)it->position);
    ssbf_raw((uint64_t)it->left);
    ssbf_dict_layout(it->dict);
}

/* One step of each kind: forwards the position is the next entry's, backwards as well. */
static int dict_iterator_layout_is_known(PyTypeObject *type)
{
    const char *name = type->tp_name;
    PyObject *d = Py_BuildValue("{s:i,s:i,s:i}", "a", 1, "b", 2, "c", 3);
    PyObject *view = !d ? NULL : PyObject_CallMethod(d, strstr(name, "key") ? "keys" : strstr(name, "item") ? "items" : "values", NULL);
    int backwards = strstr(name, "reverse") != NULL;
    PyObject *o = view ? PyObject_CallMethod(view, backwards ? "__reversed__" : "__iter__", NULL) : NULL;
    PyObject *first = o ? PyIter_Next(o) : NULL;
    int known = 0;
    if (first && Py_TYPE(o) == type && type->tp_basicsize == sizeof(dict_iterator)) {
        dict_iterator *it = (dict_iterator *)o;
        known = it->dict == (PyDictObject *)d && it->used == 3 && it->left == 2 && it->position == 1;
    }
    Py_XDECREF(first);
    Py_XDECREF(o);
    Py_XDECREF(view);
    Py_XDECREF(d);
    PyErr_Clear();
    return known;
}

/* ---- OrderedDict ------------------------------------------------------------------------ */

typedef struct ordered_node {
    PyObject *key;
    Py_hash_t hash;
    struct ordered_node *next, *previous;
} ordered_node;

typedef struct ordered_dict {
    PyDictObject dict;
    ordered_node *first, *last;
    ordered_node **fast_nodes;
    Py_ssize_t fast_nodes_size;
    void *resize_sentinel;
    size_t state; /* counts changes: only iterators compare it */
    PyObject *instance_dict, *weak_references;
} ordered_dict;

static void ordered_content(PyObject *o)
{
    ordered_dict *od = (ordered_dict *)o;
    ssbf_dict_items(&od->dict);
    for (ordered_node *n = od->first; n; n = n->next)
        ssbf_reference(n->key);
    ssbf_attribute_dict(od->instance_dict, o);
}

static void ordered_buffers(PyObject *o, int32_t owner)
{
    ordered_dict *od = (ordered_dict *)o;
    dict_buffers(o, owner);
    for (ordered_node *n = od->first; n; n = n->next)
        ssbf_add_block(n, sizeof *n, owner);
    ssbf_add_block(od->fast_nodes, (size_t)od->fast_nodes_size * sizeof *od->fast_nodes, owner);
}

typedef struct ordered_iterator {
    PyObject_HEAD
    int kind;
    ordered_dict *dict;
} ordered_iterator;

static void ordered_iterator_content(PyObject *o)
{
    ssbf_fields(o, sizeof(PyObject), ssbf_object_bytes(o));
    ordered_dict *dict = ((ordered_iterator *)o)->dict;
    if (dict)
        ssbf_raw(dict->state);
}

/* The struct is private to CPython: check that it is the one we know. */
static int ordered_layout_is_known(void)
{
    PyObject *od = PyObject_CallNoArgs((PyObject *)&PyODict_Type), *key = PyUnicode_FromString("key");
    int known = PyODict_Type.tp_basicsize == sizeof(ordered_dict) && od && key && PyObject_SetItem(od, key, Py_None) == 0;
    if (known) {
        ordered_dict *d = (ordered_dict *)od;
        known = d->first && d->first == d->last && d->first->key == key && !d->first->next;
    }
    Py_XDECREF(od);
    Py_XDECREF(key);
    PyErr_Clear();
    return known;
}

/* ---- sets --------------------------------------------------------------------------------- */

/* Order of elements that does not depend on addresses: by number if met, else by what they contain. */
static uint64_t element_key(PyObject *o, uint64_t hash[2])
{
    uint32_t from = ssbf->n_tokens;
    int outer = ssbf->probing;
    if (!outer)
        ssbf->probe_end = from + SSBF_PROBE_TOKENS;
    ssbf->probing = outer ? outer : 1;
    ssbf_reference(o);
    ssbf->probing = outer;
    ssbf_hash(from, hash);
    ssbf->n_tokens = from;
    return hash[0];
}

static void sort_elements(uint32_t n)
{
    for (uint32_t gap = n / 2; gap; gap /= 2)
        for (uint32_t i = gap; i < n; i++) {
            uint64_t key = ssbf->element_keys[i];
            PyObject *element = ssbf->elements[i];
            uint32_t j = i;
            for (; j >= gap && ssbf->element_keys[j - gap] > key; j -= gap) {
                ssbf->element_keys[j] = ssbf->element_keys[j - gap];
                ssbf->elements[j] = ssbf->elements[j - gap];
            }
            ssbf->element_keys[j] = key;
            ssbf->elements[j] = element;
        }
}

/* Where other elements lie by their addresses, this says with which hashes some were put in. */
static void kept_hashes_of_elements(PySetObject *s)
{
    uint64_t hash[2], sum = 0;
    for (Py_ssize_t i = 0; i <= s->mask; i++)
        if (is_live(&s->table[i]) && ssbf_hash_is_kept(s->table[i].key))
            sum += (element_key(s->table[i].key, hash) ^ (uint64_t)s->table[i].hash) * 0x9E3779B97F4A7C15ull;
    ssbf_raw(sum);
}

/* Elements whose place in the table follows from addresses: as a multiset. */
static void unordered_elements(PySetObject *s)
{
    uint64_t hash[2];
    if (ssbf->probing) { /* nothing may be numbered: order-free sums */
        uint64_t sums[2] = {0, 0};
        for (Py_ssize_t i = 0; i <= s->mask && ssbf->probing < SSBF_PROBE_DEPTH; i++)
            if (is_live(&s->table[i])) {
                element_key(s->table[i].key, hash);
                sums[0] += hash[0];
                sums[1] += hash[1];
            }
        ssbf_raw(sums[0]);
        ssbf_raw(sums[1]);
        return;
    }
    uint32_t n = 0;
    for (Py_ssize_t i = 0; i <= s->mask; i++)
        if (is_live(&s->table[i])) {
            if (n == SSBF_SET_ELEMENTS) {
                ssbf_fail("a set has too many elements");
                return;
            }
            ssbf->elements[n++] = s->table[i].key;
        }
    for (uint32_t i = 0; i < n; i++)
        ssbf->element_keys[i] = element_key(ssbf->elements[i], hash);
    sort_elements(n);
    for (uint32_t i = 0; i < n; i++)
        ssbf_reference(ssbf->elements[i]);
    kept_hashes_of_elements(s);
}

static void set_content(PyObject *o)
{
    PySetObject *s = (PySetObject *)o;
    ssbf_count((uint64_t)s->used);
    int by_address = ssbf_set_uses_addresses(s) && !(ssb.addresses_observed & SSB_OBSERVED_ADDRESSES);
    if (ssb.addresses_observed) { /* a program looked: everything that decides the order from now on */
        ssbf_count((uint64_t)s->fill);
        ssbf_count((uint64_t)(s->finger & s->mask));
    }
    ssbf_count((uint64_t)by_address);
    if (PySet_CheckExact(o) && !ssbf->probing)
        ssbf_order_tokens(s);
    if (by_address && !ssbf->in_base && !ssbf->probing && ssbf->deferring) {
        if (ssbf->n_deferred < SSBF_DEFERRED)
            ssbf->deferred[ssbf->n_deferred++] = o;
        else
            ssbf_fail("too many sets");
        return;
    }
    if (by_address) {
        unordered_elements(s);
        return;
    }
    ssbf_count((uint64_t)s->mask);
    for (Py_ssize_t i = 0; i <= s->mask; i++)
        if (is_live(&s->table[i])) {
            ssbf_count((uint64_t)i);
            ssbf_reference(s->table[i].key);
            if (ssbf_hash_is_kept(s->table[i].key))
                ssbf_raw((uint64_t)s->table[i].hash);
        } else if (s->table[i].key && ssb.addresses_observed) {
            ssbf_token(SSBF_TOKEN(SSBF_T_DEAD, i));
        }
}

static void set_buffers(PyObject *o, int32_t owner)
{
    PySetObject *s = (PySetObject *)o;
    if (s->table != s->smalltable)
        ssbf_add_block(s->table, (size_t)(s->mask + 1) * sizeof(setentry), owner);
}

/* An iterator that stands in an address-hashed set has seen part of its order. */
static int is_irrelevant_loop(const ssbf_set_iterator *it)
{
    for (uint32_t i = 0; i < ssbf->n_loops; i++)
        if (ssbf->loops[i] == (const PyObject *)it)
            return 1;
    return 0;
}

/* Where it stands follows from addresses; what comes next is all that matters to a loop that nobody else sees. */
static void what_is_left(const ssbf_set_iterator *it)
{
    if (!is_irrelevant_loop(it))
        ssbf_fail("an iterator stands in a set ordered by addresses");
    ssbf_raw((uint64_t)it->used);
    ssbf_raw((uint64_t)it->left);
    for (Py_ssize_t i = it->position; i <= it->set->mask; i++)
        if (is_live(&it->set->table[i]))
            ssbf_reference(it->set->table[i].key);
}

static void set_iterator_content(PyObject *o)
{
    ssbf_set_iterator *it = (ssbf_set_iterator *)o;
    ssbf_reference((PyObject *)it->set);
    if (!it->set)
        return;
    if (ssbf_walks_in_order(o)) {
        ssbf_walk_tokens(o);
        return;
    }
    if (!(ssb.addresses_observed & SSB_OBSERVED_ADDRESSES) && ssbf_set_uses_addresses(it->set) && !ssbf->in_base) {
        what_is_left(it);
        return;
    }
    ssbf_raw((uint64_t)it->used);
    ssbf_raw((uint64_t)it->position);
    ssbf_raw((uint64_t)it->left);
    ssbf_count((uint64_t)it->set->fill);
}

static int set_iterator_layout_is_known(PyTypeObject *type)
{
    PyObject *s = PySet_New(NULL);
    int filled = s && PySet_Add(s, Py_None) == 0 && PySet_Add(s, Py_True) == 0;
    PyObject *o = filled ? PyObject_GetIter(s) : NULL, *first = o ? PyIter_Next(o) : NULL;
    int known = 0;
    if (first && type->tp_basicsize == sizeof(ssbf_set_iterator)) {
        ssbf_set_iterator *it = (ssbf_set_iterator *)o;
        known = it->set == (PySetObject *)s && it->used == 2 && it->left == 1 && it->position >= 1 && it->position <= 8;
    }
    Py_XDECREF(first);
    Py_XDECREF(o);
    Py_XDECREF(s);
    PyErr_Clear();
    return known;
}

int ssbf_register_containers(void)
{
    static const ssbf_handler tuple = {"tuple", tuple_content, NULL, 0};
    static const ssbf_handler list = {"list", list_content, list_buffers, sizeof(PyListObject)};
    static const ssbf_handler dict = {"dict", dict_content, dict_buffers, sizeof(PyDictObject)};
    static const ssbf_handler ordered = {"OrderedDict", ordered_content, ordered_buffers, sizeof(ordered_dict)};
    static const ssbf_handler ordered_iter = {"OrderedDict iterator", ordered_iterator_content, NULL, 0};
    static const ssbf_handler set = {"set", set_content, set_buffers, sizeof(PySetObject)};
    static const ssbf_handler dict_iter = {"dict iterator", dict_iterator_content, NULL, sizeof(dict_iterator)};
    static const ssbf_handler set_iter = {"set iterator", set_iterator_content, NULL, sizeof(ssbf_set_iterator)};
    ssbf_register(&PyTuple_Type, &tuple);
    ssbf_register(&PyList_Type, &list);
    ssbf_register(&PyDict_Type, &dict);
#ifdef SSB_DICTS_FREEZE
    static const ssbf_handler frozen_dict = {"frozendict", frozen_dict_content, dict_buffers, sizeof(PyFrozenDictObject)};
    ssbf_register(&PyFrozenDict_Type, &frozen_dict);
#endif
    int ordered_is_known = ordered_layout_is_known();
    ssbf_register_layout("collections.OrderedDict", &PyODict_Type, ordered_is_known, &ordered);
    ssbf_register_layout("OrderedDict iterator", &PyODictIter_Type,
                         ordered_is_known && PyODictIter_Type.tp_basicsize >= (Py_ssize_t)sizeof(ordered_iterator), &ordered_iter);
    ssbf_register(&PySet_Type, &set);
    ssbf_register(&PyFrozenSet_Type, &set);
    PyTypeObject *dict_iterators[] = {&PyDictIterKey_Type, &PyDictIterValue_Type, &PyDictIterItem_Type, &PyDictRevIterKey_Type,
                                      &PyDictRevIterValue_Type, &PyDictRevIterItem_Type};
    for (size_t i = 0; i < sizeof dict_iterators / sizeof *dict_iterators; i++)
        ssbf_register_layout(dict_iterators[i]->tp_name, dict_iterators[i], dict_iterator_layout_is_known(dict_iterators[i]),
                             &dict_iter);
    PyObject *empty = PySet_New(NULL), *it = empty ? PyObject_GetIter(empty) : NULL;
    if (it)
        ssbf_register_layout("set iterator", Py_TYPE(it), set_iterator_layout_is_known(Py_TYPE(it)), &set_iter);
    Py_XDECREF(it);
    Py_XDECREF(empty);
    return PyErr_Occurred() ? -1 : 0;
}

#endif
