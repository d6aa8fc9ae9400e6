/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ handlers_collections.c — deque, array, bytearray, BytesIO,                │
 * │ Decimal, ABC data, context variables: structs private to their modules.    │
 * │                                                                            │
 * │ Each layout is checked on a live object before its handler is used; where  │
 * │ it differs the type is walked word by word, as any other.                  │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "runs.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>

/* A type of a module that is loaded already; NULL if it is not. Nothing is imported on the program's behalf. */
static PyTypeObject *type_of(const char *module, const char *name)
{
    PyObject *key = PyUnicode_FromString(module), *m = key ? PyImport_GetModule(key) : NULL;
    Py_XDECREF(key);
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
    size_t state; /* counts changes: iterators compare it, and what C does by itself (ssbf_deque_changes) */
    Py_ssize_t maxlen;
} deque;

static PyTypeObject *deque_type; /* NULL: its layout is not known */

/* C code that goes through a deque compares the number of changes with that of its beginning, which it holds itself. */
void ssbf_deque_changes(uintptr_t address)
{
    PyObject *o = deque_type ? ssbf_object_at(address, sizeof(deque)) : NULL;
    if (o && PyType_IsSubtype(Py_TYPE(o), deque_type))
        ssbf_raw(((deque *)o)->state);
}

static void deque_content(PyObject *o)
{
    deque *d = (deque *)o;
    ssbf_count((uint64_t)Py_SIZE(o));
    ssbf_raw((uint64_t)d->maxlen);
    deque_block *block = d->leftmost;
    Py_ssize_t at = d->left;
    if (ssbf_is_run(Py_SIZE(o))) {
        ssbf_run_begin();
        for (Py_ssize_t left = Py_SIZE(o), n; left > 0; left -= n, block = block->right, at = 0) {
            n = left < DEQUE_BLOCK - at ? left : DEQUE_BLOCK - at;
            ssbf_span s = {(const char *)&block->items[at], n, sizeof *block->items, -1, 0};
            ssbf_run_part(&s);
        }
        ssbf_run_end();
        return;
    }
    for (Py_ssize_t i = 0; i < Py_SIZE(o); i++) {
        ssbf_reference(block->items[at]);
        if (++at == DEQUE_BLOCK) {
            block = block->right;
            at = 0;
        }
    }
}

/* Behind the fields above: blocks kept for later, behind or before the weak references. */
typedef struct deque_spare {
    Py_ssize_t n;
    deque_block *blocks[16];
} deque_spare;

static void deque_buffers(PyObject *o, int32_t owner)
{
    deque *d = (deque *)o;
    PyTypeObject *type = Py_TYPE(o);
    while (type->tp_itemsize == 0 && type->tp_base && type->tp_base != &PyBaseObject_Type)
        type = type->tp_base;
    if (type->tp_basicsize == sizeof(deque) + sizeof(deque_spare) + sizeof(PyObject *)) {
        size_t at = type->tp_weaklistoffset == sizeof(deque) ? sizeof(deque) + sizeof(PyObject *) : sizeof(deque);
        const deque_spare *spare = (const deque_spare *)((char *)d + at);
        for (Py_ssize_t i = 0; i < spare->n && i < 16; i++)
            ssbf_add_block(spare->blocks[i], sizeof(deque_block), -1);
    }
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
    deque_block *block;
    Py_ssize_t index;
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

static int deque_iterator_layout_is_known(PyObject *o, PyObject *empty)
{
    deque_iterator *it = (deque_iterator *)o;
    return Py_TYPE(o)->tp_basicsize == sizeof(deque_iterator) && it->deque == (deque *)empty && it->left == 0 &&
           it->state == ((deque *)empty)->state && it->block == ((deque *)empty)->leftmost;
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

/* ---- io.BytesIO -------------------------------------------------------------------------------------- */

typedef struct bytes_io {
    PyObject_HEAD
    PyObject *buffer;
    Py_ssize_t position, size;
    PyObject *dict, *weak_references;
    Py_ssize_t exports;
} bytes_io;

static void bytes_io_content(PyObject *o)
{
    bytes_io *b = (bytes_io *)o;
    ssbf_count((uint64_t)b->position);
    ssbf_count((uint64_t)b->exports);
    ssbf_count(b->buffer != NULL); /* NULL: closed */
    if (b->buffer)
        ssbf_bytes(PyBytes_AS_STRING(b->buffer), (size_t)b->size);
    if (b->exports) /* views into the buffer itself */
        ssbf_reference(b->buffer);
    ssbf_attribute_dict(b->dict, o);
}

/* The buffer belongs to this stream as long as nobody else has it. */
static void bytes_io_buffers(PyObject *o, int32_t owner)
{
    bytes_io *b = (bytes_io *)o;
    if (b->buffer && Py_REFCNT(b->buffer) == 1)
        ssbf_add_block((char *)b->buffer + sizeof(PyObject), (size_t)ssbf_object_bytes(b->buffer) - sizeof(PyObject), owner);
}

static int bytes_io_layout_is_known(PyTypeObject *type)
{
    PyObject *o = type ? PyObject_CallFunction((PyObject *)type, "y", "abc") : NULL, *r = o ? PyObject_CallMethod(o, "read", "i", 2) : NULL;
    int known = r && type->tp_basicsize == sizeof(bytes_io) && PyBytes_CheckExact(((bytes_io *)o)->buffer) &&
                ((bytes_io *)o)->position == 2 && ((bytes_io *)o)->size == 3 && ((bytes_io *)o)->exports == 0;
    Py_XDECREF(r);
    Py_XDECREF(o);
    PyErr_Clear();
    return known;
}

/* ---- decimal.Decimal ---------------------------------------------------------------------------------- */

typedef struct decimal {
    PyObject_HEAD
    Py_hash_t hash;
    uint8_t flags;
    Py_ssize_t exponent, digits, n_words, allocated;
    uint64_t *words;
    uint64_t inline_words[4];
} decimal;

#define DECIMAL_VALUE_FLAGS 0x0f /* sign, infinity, NaN, signalling NaN; the others say who owns the words */

static void decimal_content(PyObject *o)
{
    decimal *d = (decimal *)o;
    ssbf_count(d->flags & DECIMAL_VALUE_FLAGS);
    ssbf_raw((uint64_t)d->exponent);
    ssbf_count((uint64_t)d->digits);
    ssbf_bytes(d->words, (size_t)d->n_words * sizeof *d->words);
}

static int decimal_layout_is_known(PyTypeObject *type)
{
    PyObject *o = type ? PyObject_CallFunction((PyObject *)type, "s", "-123.45") : NULL;
    int known = 0;
    if (o && type->tp_basicsize == sizeof(decimal)) {
        decimal *d = (decimal *)o;
        known = d->exponent == -2 && d->digits == 5 && d->n_words == 1 && d->words == d->inline_words && d->words[0] == 12345 &&
                (d->flags & DECIMAL_VALUE_FLAGS) == 1;
    }
    Py_XDECREF(o);
    PyErr_Clear();
    return known;
}

/* ---- abc: registry only, caches are left out ----------------------------------------------------- */

typedef struct abc_data {
    PyObject_HEAD
    PyObject *registry;
    PyObject *cache, *negative_cache;
    unsigned long long negative_cache_version;
} abc_data;

static void abc_content(PyObject *o) { ssbf_reference(((abc_data *)o)->registry); }

/* The caches and what they hold are nobody's. */
static void abc_buffers(PyObject *o, int32_t owner)
{
    (void)owner;
    ssbf_hide(((abc_data *)o)->cache);
    ssbf_hide(((abc_data *)o)->negative_cache);
}

static PyTypeObject *abc_data_type(int *known)
{
    PyTypeObject *abc = type_of("abc", "ABC");
    PyObject *data = abc ? PyObject_GetAttrString((PyObject *)abc, "_abc_impl") : NULL;
    PyTypeObject *type = data ? Py_TYPE(data) : NULL;
    *known = 0;
    if (type && type->tp_basicsize == sizeof(abc_data)) { /* sets, or not made yet */
        abc_data *d = (abc_data *)data;
        *known = (!d->registry || PySet_CheckExact(d->registry)) && (!d->cache || PySet_CheckExact(d->cache)) &&
                 (!d->negative_cache || PySet_CheckExact(d->negative_cache));
    }
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
    static ssbf_handler deque_handler = {"deque", deque_content, deque_buffers, 0};
    static const ssbf_handler deque_iter = {"deque iterator", deque_iterator_content, NULL, sizeof(deque_iterator)};
    static const ssbf_handler array_handler = {"array", array_content, array_buffers, sizeof(array)};
    static const ssbf_handler byte_array = {"bytearray", bytearray_content, bytearray_buffers, sizeof(PyByteArrayObject)};
    static const ssbf_handler stream = {"BytesIO", bytes_io_content, bytes_io_buffers, sizeof(bytes_io)};
    static const ssbf_handler decimal_handler = {"Decimal", decimal_content, NULL, sizeof(decimal)};
    static const ssbf_handler abc = {"_abc_data", abc_content, abc_buffers, 0};
    static const ssbf_handler context_var = {"ContextVar", contextvar_content, NULL, 0};
    PyTypeObject *type = type_of("collections", "deque");
    int known = deque_layout_is_known(type);
    if (type)
        deque_handler.covered = (size_t)type->tp_basicsize;
    ssbf_register_layout("collections.deque", type, known, &deque_handler);
    if (known) {
        deque_type = type;
        PyObject *empty = PyObject_CallNoArgs((PyObject *)type), *it = empty ? PyObject_GetIter(empty) : NULL;
        if (it)
            ssbf_register_layout("deque iterator", Py_TYPE(it), deque_iterator_layout_is_known(it, empty), &deque_iter);
        Py_XDECREF(it);
        type = type_of("_collections", "_deque_reverse_iterator");
        it = type ? PyObject_CallMethod(empty, "__reversed__", NULL) : NULL;
        if (it)
            ssbf_register_layout("reversed deque iterator", type, Py_TYPE(it) == type && deque_iterator_layout_is_known(it, empty),
                                 &deque_iter);
        Py_XDECREF(it);
        Py_XDECREF(empty);
    }
    type = type_of("array", "array");
    ssbf_register_layout("array.array", type, array_layout_is_known(type), &array_handler);
    ssbf_register(&PyByteArray_Type, &byte_array);
    type = type_of("io", "BytesIO");
    ssbf_register_layout("io.BytesIO", type, bytes_io_layout_is_known(type), &stream);
    type = type_of("_decimal", "Decimal");
    ssbf_register_layout("decimal.Decimal", type, decimal_layout_is_known(type), &decimal_handler);
    type = abc_data_type(&known);
    ssbf_register_layout("abc data", type, known, &abc);
    ssbf_register(&PyContextVar_Type, &context_var);
    return PyErr_Occurred() ? -1 : 0;
}

#endif
