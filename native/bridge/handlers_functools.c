/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ handlers_functools.c — functools.lru_cache: what is cached, in the order   │
 * │ of use, without hashes (which may be addresses) and hash tables.            │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

typedef struct lru_link {
    PyObject_HEAD
    struct lru_link *previous, *next;
    Py_hash_t hash;
    PyObject *key, *result;
} lru_link;

typedef struct lru_cache {
    lru_link root;
    void *wrapper;
    int typed;
    PyObject *cache;
    Py_ssize_t hits;
    PyObject *function;
    Py_ssize_t maxsize, misses;
    PyObject *keyword_mark;
    PyTypeObject *link_type;
    PyObject *info_type;
    PyObject *dict, *weak_references;
} lru_cache;

static int is_bounded(const lru_cache *c) { return c->root.next != &c->root || c->maxsize > 0; }

static void lru_cache_content(PyObject *o)
{
    lru_cache *c = (lru_cache *)o;
    PyObject *held[] = {c->function, c->keyword_mark, c->info_type};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        ssbf_reference(held[i]);
    ssbf_raw((uint64_t)(uintptr_t)c->wrapper);
    ssbf_count((uint64_t)c->typed);
    ssbf_raw((uint64_t)c->maxsize);
    ssbf_raw((uint64_t)c->hits);
    ssbf_raw((uint64_t)c->misses);
    if (is_bounded(c)) {
        for (lru_link *l = c->root.next; l && l != &c->root; l = l->next) {
            ssbf_reference(l->key);
            if (ssbf_hash_is_kept(l->key))
                ssbf_raw((uint64_t)l->hash);
            ssbf_reference(l->result);
        }
        ssbf_count((uint64_t)PyDict_GET_SIZE(c->cache)); /* during a call it may differ from the list */
    } else {
        ssbf_dict_items((PyDictObject *)c->cache);
    }
    ssbf_attribute_dict(c->dict, o);
}

/* Of a cache that existed before: the list goes through its links and its table. */
static void lru_cache_buffers(PyObject *o, int32_t owner)
{
    lru_cache *c = (lru_cache *)o;
    for (lru_link *l = c->root.next; l && l != &c->root; l = l->next)
        ssbf_add_block((char *)l + sizeof(PyObject), sizeof *l - sizeof(PyObject), owner);
}

static int calls(PyObject *o, int argument)
{
    PyObject *r = PyObject_CallFunction(o, "i", argument);
    Py_XDECREF(r);
    return r != NULL;
}

/* int is a function of one argument as good as any. */
static int layout_is_known(PyTypeObject *type)
{
    PyObject *o = type ? PyObject_CallFunction((PyObject *)type, "OiOO", &PyLong_Type, 2, Py_False, &PyTuple_Type) : NULL;
    int known = 0;
    if (o && type->tp_basicsize == sizeof(lru_cache) && type->tp_dictoffset == offsetof(lru_cache, dict) && calls(o, 5) &&
        calls(o, 6) && calls(o, 5)) {
        lru_cache *c = (lru_cache *)o;
        lru_link *older = c->root.next, *newer = c->root.previous;
        known = PyDict_CheckExact(c->cache) && PyDict_GET_SIZE(c->cache) == 2 && c->hits == 1 && c->misses == 2 && c->maxsize == 2 &&
                c->function == (PyObject *)&PyLong_Type && Py_TYPE(older) == c->link_type && older->next == newer &&
                newer->next == &c->root && PyLong_AsLong(older->key) == 6 && PyLong_AsLong(newer->result) == 5;
    }
    Py_XDECREF(o);
    PyErr_Clear();
    return known;
}

int ssbf_register_functools(void)
{
    static const ssbf_handler handler = {"lru_cache", lru_cache_content, lru_cache_buffers, sizeof(lru_cache)};
    PyTypeObject *type = ssbf_type_of("functools", "_lru_cache_wrapper");
    ssbf_register_layout("functools.lru_cache", type, layout_is_known(type), &handler);
    return PyErr_Occurred() ? -1 : 0;
}

#endif
