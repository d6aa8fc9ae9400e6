/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ handlers_collections.c — deque, SimpleQueue, array, bytearray, ABC data,   │
 * │ context variables: structs that are private to their modules.              │
 * │                                                                            │
 * │ Each layout is checked on a live object before its handler is used; where  │
 * │ it differs the type is walked word by word, as any other.                  │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>

/* Attribute of a module, as a type; NULL if it is not there. */
static PyTypeObject *type_of(const char *module, const char *name)
{
    PyObject *m = PyImport_ImportModule(module);
    PyObject *t = m ? PyObject_GetAttrString(m, name) : NULL;
    Py_XDECREF(m);
    PyErr_Clear();
    if (t && !PyType_Check(t)) {
        Py_DECREF(t);
        return NULL;
    }
    return (PyTypeObject *)t; /* kept for the rest of the process */
}

/* ---- deque ------------------------------------------------------------------------------ */

#define DEQUE_BLOCK 64
typedef struct deque_block {
    struct deque_block *left;
    PyObject *items[DEQUE_BLOCK];
    struct deque_block *right;
} deque_block;

typedef struct deque {
    PyObject_VAR_HEAD
    deque_block *leftmost, *rightmost;
    Py_ssize_t left, right;
    size_t state; /* counts changes: only iterators compare it */
    Py_ssize_t maxlen;
} deque;

static void deque_content(PyObject *o)
{
    deque *d = (deque *)o;
    ssbf_count((uint64_t)Py_SIZE(o));
    ssbf_raw((uint64_t)d->maxlen);
    deque_block *block = d->leftmost;
    Py_ssize_t at = d->left;
    for (Py_ssize_t i = 0; i < Py_SIZE(o); i++) {
        ssbf_reference(block->items[at]);
        if (++at == DEQUE_BLOCK) {
            block = block->right;
            at = 0;
        }
    }
}

static void deque_buffers(PyObject *o, int32_t owner)
{
    deque *d = (deque *)o;
    for (deque_block *b = d->leftmost;; b = b->right) {
        ssbf_add_block(b, sizeof *b, owner);
        if (b == d->rightmost)
            break;
    }
}

static int deque_layout_is_known(PyTypeObject *type)
{
    PyObject *o = type ? PyObject_CallFunction((PyObject *)type, "(iii)i", 7, 8, 9, 5) : NULL;
    PyObject *gone = o ? PyObject_CallMethod(o, "popleft", NULL) : NULL;
    int known = 0;
    if (gone) {
        deque *d = (deque *)o;
        known = Py_SIZE(o) == 2 && d->maxlen == 5 && d->leftmost == d->rightmost && d->right - d->left == 1 && d->left >= 0 &&
                d->right < DEQUE_BLOCK && PyLong_AsLong(d->leftmost->items[d->left]) == 8 &&
                PyLong_AsLong(d->rightmost->items[d->right]) == 9;
    }
    Py_XDECREF(gone);
    Py_XDECREF(o);
    PyErr_Clear();
    return known;
}

typedef struct deque_iterator {
    PyObject_HEAD
    Py_ssize_t index;
    deque_block *block;
    deque *deque;
    size_t state;
    Py_ssize_t left;
} deque_iterator;

static void deque_iterator_content(PyObject *o)
{
    deque_iterator *it = (deque_iterator *)o;
    ssbf_raw((uint64_t)it->left);
    ssbf_reference((PyObject *)it->deque);
    if (it->deque)
        ssbf_raw(it->deque->state - it->state);
}

/* ---- _queue.SimpleQueue --------------------------------------------------------------------- */

typedef struct simple_queue {
    PyObject_HEAD
    PyThread_type_lock lock;
    int locked;
    PyObject *list;
    Py_ssize_t first;
    PyObject *weak_references;
} simple_queue;

static void simple_queue_content(PyObject *o)
{
    simple_queue *q = (simple_queue *)o;
    ssbf_count((uint64_t)q->locked);
    ssbf_count((uint64_t)(Py_SIZE(q->list) - q->first));
    for (Py_ssize_t i = q->first; i < Py_SIZE(q->list); i++)
        ssbf_reference(PyList_GET_ITEM(q->list, i));
}

static void simple_queue_buffers(PyObject *o, int32_t owner)
{
    PyListObject *list = (PyListObject *)((simple_queue *)o)->list;
    ssbf_add_block(list->ob_item, (size_t)list->allocated * sizeof(PyObject *), owner);
    ssbf_add_block((char *)list + sizeof(PyObject), sizeof *list - sizeof(PyObject), owner);
}

static int simple_queue_layout_is_known(PyTypeObject *type)
{
    PyObject *o = type ? PyObject_CallNoArgs((PyObject *)type) : NULL, *r = NULL;
    int known = o && type->tp_basicsize == sizeof(simple_queue) && (r = PyObject_CallMethod(o, "put", "s", "x")) != NULL;
    if (known) {
        simple_queue *q = (simple_queue *)o;
        known = PyList_CheckExact(q->list) && Py_SIZE(q->list) == 1 && q->first == 0 && q->locked == 0;
    }
    Py_XDECREF(r);
    Py_XDECREF(o);
    PyErr_Clear();
    return known;
}

/* ---- array, bytearray ------------------------------------------------------------------------- */

typedef struct array_type {
    char code;
    int item_bytes;
} array_type;

typedef struct array {
    PyObject_VAR_HEAD
    char *items;
    Py_ssize_t allocated;
    const array_type *type;
    PyObject *weak_references;
    Py_ssize_t exports;
} array;

static void array_content(PyObject *o)
{
    array *a = (array *)o;
    ssbf_raw((uint64_t)(uintptr_t)a->type);
    ssbf_count((uint64_t)a->exports);
    ssbf_bytes(a->items, (size_t)(Py_SIZE(o) * a->type->item_bytes));
}

static void array_buffers(PyObject *o, int32_t owner)
{
    array *a = (array *)o;
    ssbf_add_block(a->items, (size_t)(a->allocated * a->type->item_bytes), owner);
}

static int array_layout_is_known(PyTypeObject *type)
{
    PyObject *o = type ? PyObject_CallFunction((PyObject *)type, "s(ii)", "i", 5, 6) : NULL;
    int known = 0;
    if (o && type->tp_basicsize == sizeof(array)) {
        array *a = (array *)o;
        int values[2] = {5, 6};
        known = Py_SIZE(o) == 2 && a->allocated >= 2 && a->exports == 0 && !memcmp(a->items, values, sizeof values) &&
                a->type->code == 'i' && a->type->item_bytes == (int)sizeof(int);
    }
    Py_XDECREF(o);
    PyErr_Clear();
    return known;
}

static void bytearray_content(PyObject *o)
{
    ssbf_count((uint64_t)((PyByteArrayObject *)o)->ob_exports);
    ssbf_bytes(PyByteArray_AS_STRING(o), (size_t)Py_SIZE(o));
}

static void bytearray_buffers(PyObject *o, int32_t owner)
{
    PyByteArrayObject *b = (PyByteArrayObject *)o;
    ssbf_add_block(b->ob_bytes, (size_t)b->ob_alloc, owner);
}

/* ---- abc: registry only, caches are left out ----------------------------------------------------- */

typedef struct abc_data {
    PyObject_HEAD
    PyObject *registry;
    PyObject *cache, *negative_cache;
    unsigned long long negative_cache_version;
} abc_data;

static void abc_content(PyObject *o) { ssbf_reference(((abc_data *)o)->registry); }

static PyTypeObject *abc_data_type(void)
{
    PyTypeObject *abc = type_of("abc", "ABC");
    PyObject *data = abc ? PyObject_GetAttrString((PyObject *)abc, "_abc_impl") : NULL;
    PyTypeObject *type = data && Py_TYPE(data)->tp_basicsize == sizeof(abc_data) ? Py_TYPE(data) : NULL;
    Py_XDECREF(data);
    PyErr_Clear();
    return type;
}

/* ---- contextvars ------------------------------------------------------------------------------------ */

static void contextvar_content(PyObject *o)
{
    PyContextVar *v = (PyContextVar *)o;
    ssbf_reference(v->var_name);
    ssbf_reference(v->var_default);
}

int ssbf_register_collections(void)
{
    static const ssbf_handler deque_handler = {"deque", deque_content, deque_buffers, sizeof(deque) + sizeof(PyObject *)};
    static const ssbf_handler deque_iter = {"deque iterator", deque_iterator_content, NULL, sizeof(deque_iterator)};
    static const ssbf_handler queue = {"SimpleQueue", simple_queue_content, simple_queue_buffers, sizeof(simple_queue)};
    static const ssbf_handler array_handler = {"array", array_content, array_buffers, sizeof(array)};
    static const ssbf_handler byte_array = {"bytearray", bytearray_content, bytearray_buffers, sizeof(PyByteArrayObject)};
    static const ssbf_handler abc = {"_abc_data", abc_content, NULL, 0};
    static const ssbf_handler context_var = {"ContextVar", contextvar_content, NULL, 0};
    PyTypeObject *type = type_of("collections", "deque");
    if (deque_layout_is_known(type)) {
        ssbf_register(type, &deque_handler);
        PyObject *empty = PyObject_CallNoArgs((PyObject *)type), *it = empty ? PyObject_GetIter(empty) : NULL;
        if (it && Py_TYPE(it)->tp_basicsize == sizeof(deque_iterator) && ((deque_iterator *)it)->deque == (deque *)empty)
            ssbf_register(Py_TYPE(it), &deque_iter);
        Py_XDECREF(it);
        Py_XDECREF(empty);
        type = type_of("_collections", "_deque_reverse_iterator");
        if (type && type->tp_basicsize == sizeof(deque_iterator))
            ssbf_register(type, &deque_iter);
    }
    type = type_of("_queue", "SimpleQueue");
    if (simple_queue_layout_is_known(type))
        ssbf_register(type, &queue);
    type = type_of("array", "array");
    if (array_layout_is_known(type))
        ssbf_register(type, &array_handler);
    ssbf_register(&PyByteArray_Type, &byte_array);
    ssbf_register(abc_data_type(), &abc);
    ssbf_register(&PyContextVar_Type, &context_var);
    return PyErr_Occurred() ? -1 : 0;
}

#endif
