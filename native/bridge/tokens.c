/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ tokens.c — the token stream: values, references, numbering of new objects. │
 * │                                                                            │
 * │ The stream can be parsed back: a reference is a token with a tag in its    │
 * │ top byte, a value gives its length first, an unknown number that looks     │
 * │ like a tag is escaped. Different states so give different streams; equal   │
 * │ ones differ only in what tokens leave out on purpose.                      │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "runs.h"
#include "explain.h"

#if SSB_CAN_FINGERPRINT

#include <math.h>
#include <string.h>

ssbf_tables *ssbf;

void ssbf_fail(const char *reason)
{
    if (!ssbf->failed)
        ssbf->failure = reason;
    ssbf->failed = 1;
}

void ssbf_raw(uint64_t value)
{
    uint64_t top = value >> 56;
    if (top && top < SSBF_T_LAST)
        ssbf_token(SSBF_TOKEN(SSBF_T_RAW, 0));
    ssbf_token(value);
}

void ssbf_bytes(const void *data, size_t bytes)
{
    ssbf_count(bytes);
    if (bytes <= 16) {
        uint64_t words[2] = {0, 0};
        memcpy(words, data, bytes);
        ssbf_token(words[0]);
        ssbf_token(words[1]);
    } else {
        uint64_t hash[2];
        ssb.engine->hash128(data, bytes, hash);
        ssbf_token(hash[0]);
        ssbf_token(hash[1]);
    }
}

/* ---- values ------------------------------------------------------------------- */

static int value_tokens(unsigned kind, const void *data, size_t bytes, uint64_t tokens[3])
{
    tokens[0] = SSBF_TOKEN(SSBF_T_ATOM, (uint64_t)kind << 48 | (bytes & 0xffffffffffffull));
    tokens[1] = tokens[2] = 0;
    if (bytes <= 16)
        memcpy(tokens + 1, data, bytes);
    else
        ssb.engine->hash128(data, bytes, tokens + 1);
    return 1;
}

/* Containers find such a number by its identity, for it equals nothing: it is an object like any other. */
static int is_nan(PyObject *o)
{
    if (Py_TYPE(o) == &PyFloat_Type)
        return isnan(((PyFloatObject *)o)->ob_fval);
    return Py_TYPE(o) == &PyComplex_Type && (isnan(((PyComplexObject *)o)->cval.real) || isnan(((PyComplexObject *)o)->cval.imag));
}

int ssbf_is_atom(PyObject *o)
{
    PyTypeObject *t = Py_TYPE(o);
    if (is_nan(o))
        return 0;
    return (t == &PyUnicode_Type && ssb_unicode_is_value(o)) || t == &PyLong_Type || t == &PyFloat_Type || t == &PyComplex_Type ||
           t == &PyBytes_Type;
}

int ssbf_atom(PyObject *o, uint64_t tokens[3])
{
    PyTypeObject *t = Py_TYPE(o);
    if (t == &PyUnicode_Type) {
        if (!ssb_unicode_is_value(o))
            return 0;
        unsigned kind = PyUnicode_KIND(o);
        return value_tokens(kind, PyUnicode_DATA(o), (size_t)PyUnicode_GET_LENGTH(o) * kind, tokens);
    }
    if (t == &PyLong_Type) {
        const void *digits;
        int sign;
        size_t bytes = ssb_long_digits(o, &digits, &sign);
        return value_tokens(8 + (unsigned)sign, digits, bytes, tokens);
    }
    if (is_nan(o))
        return 0;
    if (t == &PyFloat_Type)
        return value_tokens(10, &((PyFloatObject *)o)->ob_fval, sizeof(double), tokens);
    if (t == &PyComplex_Type)
        return value_tokens(11, &((PyComplexObject *)o)->cval, sizeof(Py_complex), tokens);
    if (t == &PyBytes_Type)
        return value_tokens(12, PyBytes_AS_STRING(o), (size_t)Py_SIZE(o), tokens);
    return 0;
}

/* ---- numbering ------------------------------------------------------------------ */

static ssbf_number *find_number(uintptr_t key)
{
    uint32_t i = (uint32_t)(((key >> 4) * 0x9E3779B97F4A7C15ull) >> (64 - ssbf->number_bits));
    for (;; i = (i + 1) & ((1u << ssbf->number_bits) - 1)) {
        ssbf_number *n = &ssbf->numbers[i];
        if (n->generation != ssbf->generation || n->key == key)
            return n;
    }
}

uint32_t ssbf_known(uintptr_t address)
{
    if (ssbf->in_base) /* nothing is numbered */
        return 0;
    const ssbf_number *n = find_number(address);
    return n->generation == ssbf->generation ? n->number : 0;
}

static void next_generation(void)
{
    if (++ssbf->generation == SSBF_NO_GENERATION) { /* numbers of 2^32 states ago must not look current */
        memset(ssbf->numbers, 0, sizeof ssbf->numbers);
        ssbf->generation = 1;
    }
}

static void enlarge_numbers(void)
{
    ssbf->number_bits++;
    next_generation();
    for (uint32_t i = 0; i < ssbf->n_entries; i++) {
        ssbf->entries[i].generation = ssbf->generation;
        *find_number(ssbf->entries[i].key) = ssbf->entries[i];
    }
}

/* A place for `key`, which has no number yet; NULL when there are too many. */
static ssbf_number *add_number(ssbf_number *place, uintptr_t key, uint32_t number)
{
    if (ssbf->n_entries >= 1u << (ssbf->number_bits - 1)) {
        if (ssbf->number_bits == SSBF_NUMBER_BITS) {
            ssbf_fail("too many new objects");
            return NULL;
        }
        enlarge_numbers();
        place = find_number(key);
    }
    *place = (ssbf_number){key, ssbf->generation, number};
    ssbf->entries[ssbf->n_entries++] = *place;
    return place;
}

void ssbf_predefine(uintptr_t address, uint32_t number)
{
    ssbf_number *n = find_number(address);
    if (n->generation != ssbf->generation)
        add_number(n, address, number | SSBF_PREDEFINED);
}

/* Number of a new object or block; the first visit puts it into the queue. */
static uint32_t number_of(uintptr_t address, uint32_t is_memory, int *first)
{
    ssbf_number *n = find_number(address);
    *first = 0;
    if (n->generation == ssbf->generation)
        return n->number;
    if (ssbf->queue_tail == SSBF_QUEUE) {
        ssbf_fail("too many new objects");
        return 0;
    }
    if (!add_number(n, address, ssbf->n_numbers + 1))
        return 0;
    ssbf->queue[ssbf->queue_tail++] = (ssbf_item){address, is_memory};
    *first = 1;
    return ++ssbf->n_numbers;
}

static void reference_memory(uintptr_t start, uintptr_t address)
{
    if (ssbf->probing) {
        ssbf_token(SSBF_TOKEN(SSBF_T_PROBE, 0));
        return;
    }
    int first;
    ssbf_token(SSBF_TOKEN(SSBF_T_MEMORY, number_of(start, 1, &first)));
    ssbf_raw(address - start);
    if (first && ssb.addresses_observed)
        ssbf_raw(start);
}

static void reference_base(const ssbf_object *b)
{
    uint64_t tokens[3];
    PyObject *o = b->object;
    if (b->flags & SSBF_ATOM) {
        ssbf_know((uint32_t)(b - ssbf->objects));
        ssbf_token(b->atom);
        ssbf_token(b->shallow[0]);
        ssbf_token(b->shallow[1]);
    } else if (Py_TYPE(o) == &PyFloat_Type && ssbf_atom(o, tokens)) { /* free list: its memory may hold another value now */
        for (int i = 0; i < 3; i++)
            ssbf_token(tokens[i]);
    } else if (Py_REFCNT(o) == 0) {
        ssbf_token(SSBF_TOKEN(SSBF_T_DEAD, 0));
    } else {
        uint32_t known = ssbf->in_base ? 0 : ssbf_known((uintptr_t)o);
        if (known & SSBF_PREDEFINED)
            ssbf_token(SSBF_TOKEN(SSBF_T_FRAME, known));
        else
            ssbf_token(SSBF_TOKEN(SSBF_T_BASE, (uintptr_t)o));
        if (!ssbf->in_base && ssbf_weakened())
            ssbf_weak_met(o);
    }
}

static void reference(PyObject *o)
{
    uintptr_t address = (uintptr_t)o, start;
    uint32_t bytes;
    if (!o) {
        ssbf_token(SSBF_TOKEN(SSBF_T_NULL, 0));
        return;
    }
    if (!ssb_heap_is_new(address)) {
        int b = ssbf_find_object(address);
        uint64_t value[3];
        if (b >= 0) {
            reference_base(ssbf_base((uint32_t)b));
        } else if (ssbf_atom(o, value)) { /* only C knows it: not in the index */
            for (int i = 0; i < 3; i++)
                ssbf_token(value[i]);
        } else {
            ssbf_token(SSBF_TOKEN(SSBF_T_RAW, 1));
            ssbf_token(address);
        }
        return;
    }
    if (!ssb_heap_find(address, &start, &bytes)) {
        ssbf_token(SSBF_TOKEN(SSBF_T_DEAD, 1));
        return;
    }
    if (bytes < address - start + sizeof(PyObject) || !ssbf_is_type(Py_TYPE(o))) {
        reference_memory(start, address);
        return;
    }
    if (Py_REFCNT(o) == 0) {
        ssbf_token(SSBF_TOKEN(SSBF_T_DEAD, 2));
        return;
    }
    uint64_t tokens[3];
    if (ssbf_atom(o, tokens)) {
        PyObject *local = ssbf_named_local(o);
        if (local) {
            ssbf_token(SSBF_TOKEN(SSBF_T_ATTRIBUTES, 2));
            ssbf_reference(local);
            return;
        }
        for (int i = 0; i < 3; i++)
            ssbf_token(tokens[i]);
        return;
    }
    if (ssbf->probing) {
        uint32_t known = ssbf_known(address);
        if (known) {
            ssbf_token(SSBF_TOKEN(SSBF_T_NEW, known));
        } else if (ssbf->probing < SSBF_PROBE_DEPTH && ssbf->n_tokens < ssbf->probe_end) {
            ssbf->probing++;
            ssbf_content(o);
            ssbf->probing--;
        } else {
            ssbf_token(SSBF_TOKEN(SSBF_T_PROBE, 1));
        }
        return;
    }
    int first;
    uint32_t n = number_of(address, 0, &first);
    ssbf_token(n & SSBF_PREDEFINED ? SSBF_TOKEN(SSBF_T_FRAME, n) : SSBF_TOKEN(SSBF_T_NEW, n));
    if (first && ssb.addresses_observed)
        ssbf_raw(address);
}

void ssbf_reference(PyObject *o)
{
    uint32_t from = ssbf->n_tokens;
    reference(o);
    if (ssbf_explaining)
        ssbf_explain_reference(from, o);
}

/* ---- words of unknown meaning ----------------------------------------------------- */

/* The object that lies in a block, behind the headers objects may have. */
static PyObject *object_in(uintptr_t start, uint32_t bytes)
{
    for (uint32_t skip = 0; skip <= 32 && bytes >= skip + sizeof(PyObject); skip += 16) {
        PyObject *o = (PyObject *)(start + skip);
        if (ssbf_is_type(Py_TYPE(o)))
            return o;
    }
    return NULL;
}

void ssbf_word(uintptr_t value)
{
    uintptr_t start;
    uint32_t bytes;
    if (value < 65536 || value >> 47) {
        ssbf_raw(value);
        return;
    }
    if (!ssb_heap_is_new(value)) {
        if (!(value & 7) && ssbf_find_object(value) >= 0)
            ssbf_reference((PyObject *)value);
        else
            ssbf_raw(value);
        return;
    }
    int domain = ssb_heap_find(value, &start, &bytes);
    if (!domain) {
        ssbf_token(SSBF_TOKEN(SSBF_T_DEAD, 3));
        return;
    }
    uint32_t known = ssbf_known(start);
    if (known & SSBF_PREDEFINED) {
        ssbf_token(SSBF_TOKEN(SSBF_T_FRAME, known));
        ssbf_raw(value - start);
        return;
    }
    PyObject *o = domain == 3 ? object_in(start, bytes) : NULL;
    if (o) {
        ssbf_note_borrowed(o);
        ssbf_reference(o);
        ssbf_raw(value - (uintptr_t)o);
    } else {
        reference_memory(start, value);
    }
}

void ssbf_words(const void *from, const void *to)
{
    for (const uintptr_t *w = from; w < (const uintptr_t *)to; w++)
        ssbf_word(*w);
}

/* ---- the walk ------------------------------------------------------------------------ */

void ssbf_drain(void)
{
    while (ssbf->queue_head < ssbf->queue_tail && !ssbf->failed) {
        ssbf_item item = ssbf->queue[ssbf->queue_head++];
        ssbf_token(SSBF_TOKEN(SSBF_T_COUNT, ssbf->queue_head | 1ull << 40));
        uintptr_t start;
        uint32_t bytes;
        if (ssbf_explaining)
            ssbf_explain_owner(SSBX_NEW, ssbf->queue_head, item.is_memory ? NULL : (PyObject *)item.address);
        if (!item.is_memory)
            ssbf_content((PyObject *)item.address);
        else if (ssb_heap_find(item.address, &start, &bytes))
            ssbf_words((const void *)start, (const void *)(start + bytes));
    }
}

void ssbf_begin_state(void)
{
    next_generation();
    ssbf->pass++;
    if (!ssbf->number_bits || ssbf->n_entries < 1u << (ssbf->number_bits - 3))
        ssbf->number_bits = ssbf->number_bits > SSBF_NUMBER_BITS_LEAST ? ssbf->number_bits - 1 : SSBF_NUMBER_BITS_LEAST;
    ssbf->n_numbers = ssbf->n_entries = ssbf->n_tokens = ssbf->queue_head = ssbf->queue_tail = 0;
    ssbf->n_candidates = ssbf->n_unexplained = ssbf->n_deferred = ssbf->n_loops = 0;
    ssbf->in_base = ssbf->probing = ssbf->failed = 0;
    ssbf->deferring = 1;
    ssbf->failure = NULL;
}

void ssbf_hash(uint32_t from, uint64_t out[2])
{
    ssb.engine->hash128(ssbf->tokens + from, (ssbf->n_tokens - from) * sizeof(uint64_t), out);
}

#endif
