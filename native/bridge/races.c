/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ races.c — data races: accesses to one place that nothing orders.           │
 * │                                                                            │
 * │ Two threads that can go on both stand right before an access to the same   │
 * │ part of an object, and one of them writes: either may come first. That is  │
 * │ a fact about one state, so it is found however the state was reached, and  │
 * │ no pair that a lock orders is ever met.                                    │
 * │                                                                            │
 * │ Of any pair, one came to its access last: it is current then. So comparing │
 * │ the current thread with the others at each choice point finds all pairs,   │
 * │ but for those that others make one: whose index stands for another item    │
 * │ since the size has changed. Such an index is compared each time.           │
 * │                                                                            │
 * │ What is found goes to the arena, once for each pair of places in the code, │
 * │ as text: the objects are gone when the parent reads it. Only reads Python  │
 * │ objects; nothing is allocated, for that would be part of the state.        │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "preempt_internal.h"

#include <stdio.h>
#include <string.h>

#define RACES 256u
#define SLOTS 1024u /* power of two */
#define FILE_BYTES 400
#define NAME_BYTES 120

typedef struct side {
    char file[FILE_BYTES], function[NAME_BYTES];
    int line, end_line, column, end_column;
    int access;
} side;

typedef struct race {
    int kind;
    char owner[NAME_BYTES], part[NAME_BYTES];
    side sides[2];
} race;

struct ssb_race_table {
    uint64_t slots[SLOTS]; /* keys, 0: empty */
    race races[RACES];
    uint32_t n, overflowed;
};

ssb_race_table *ssb_race_found;

int ssb_races_attach(void)
{
    ssb_race_found = ssb.engine->scratch_alloc(ssb.arena, sizeof *ssb_race_found);
    return ssb_race_found != NULL ? 0 : -1;
}

/* -- do they conflict? ------------------------------------------------------------- */

static Py_ssize_t size_of(PyObject *sequence) { return Py_SIZE(sequence); }

/* Does what an index stands for depend on how many items there are? */
static int needs_size(const ssb_place *p) { return p->index < 0 || p->index >= size_of(p->object); }

static Py_ssize_t position(const ssb_place *p) { return p->index < 0 ? p->index + size_of(p->object) : p->index; }

static int same_part(const ssb_place *a, const ssb_place *b)
{
    if (a->kind > b->kind) {
        const ssb_place *swapped = a;
        a = b;
        b = swapped;
    }
    if (b->kind == SSB_PLACE_WHOLE)
        return 1;
    if (a->kind != b->kind) {
        if (b->kind != SSB_PLACE_SIZE)
            return 0;
        if (a->kind == SSB_PLACE_ENTRY)
            return (a->access & SSBP_WRITE) != 0; /* it may be a new one */
        return a->kind == SSB_PLACE_INDEX && (b->access & SSBP_WRITE) && needs_size(a);
    }
    switch (a->kind) {
    case SSB_PLACE_ATTRIBUTE: return a->part == b->part || PyUnicode_Compare(a->part, b->part) == 0;
    case SSB_PLACE_ENTRY: return ssbp_same_key(a->part, b->part);
    case SSB_PLACE_INDEX: return position(a) == position(b);
    default: return 1;
    }
}

static int conflict(const ssb_place *a, const ssb_place *b)
{
    return a->object == b->object && ((a->access | b->access) & SSBP_WRITE) && !(a->method && b->method) && same_part(a, b);
}

/* -- names --------------------------------------------------------------------------- */

/* A str as UTF-8, cut at a character if it is too long. */
static void put(char *out, size_t bytes, PyObject *text)
{
    size_t n = strlen(out);
    if (text == NULL || !PyUnicode_Check(text))
        return;
    for (Py_ssize_t i = 0; i < PyUnicode_GET_LENGTH(text) && n + 5 < bytes; i++) {
        Py_UCS4 c = PyUnicode_READ_CHAR(text, i);
        if (c >= 0xD800 && c < 0xE000) /* half a surrogate pair is no text */
            c = '?';
        if (c < 0x80) {
            out[n++] = (char)c;
        } else if (c < 0x800) {
            out[n++] = (char)(0xC0 | c >> 6);
            out[n++] = (char)(0x80 | (c & 0x3F));
        } else if (c < 0x10000) {
            out[n++] = (char)(0xE0 | c >> 12);
            out[n++] = (char)(0x80 | (c >> 6 & 0x3F));
            out[n++] = (char)(0x80 | (c & 0x3F));
        } else {
            out[n++] = (char)(0xF0 | c >> 18);
            out[n++] = (char)(0x80 | (c >> 12 & 0x3F));
            out[n++] = (char)(0x80 | (c >> 6 & 0x3F));
            out[n++] = (char)(0x80 | (c & 0x3F));
        }
    }
    out[n] = '\0';
}

static void put_type(char *out, PyTypeObject *type)
{
    if (type->tp_flags & Py_TPFLAGS_HEAPTYPE)
        put(out, NAME_BYTES, ((PyHeapTypeObject *)type)->ht_qualname);
    else
        snprintf(out, NAME_BYTES, "%s", type->tp_name);
}

static void put_key(char *out, PyObject *key)
{
    int overflow = 0;
    if (PyUnicode_CheckExact(key)) {
        strcpy(out, "'");
        put(out, NAME_BYTES - 1, key);
        strcat(out, "'");
    } else if (PyBool_Check(key) || key == Py_None) {
        strcpy(out, key == Py_None ? "None" : key == Py_True ? "True" : "False");
    } else if (PyLong_CheckExact(key)) {
        long long value = PyLong_AsLongLongAndOverflow(key, &overflow);
        snprintf(out, NAME_BYTES, overflow ? "..." : "%lld", value);
    } else {
        snprintf(out, NAME_BYTES, "<%s>", Py_TYPE(key)->tp_name);
    }
}

static void name(race *r, const ssb_place *p)
{
    PyObject *object = p->object;
    r->kind = p->kind;
    if (p->kind == SSB_PLACE_ENTRY && PyDict_CheckExact(object) && ssbp_set_contains(SSBP_SET_NAMESPACES, object)) {
        r->kind = SSB_PLACE_ATTRIBUTE; /* a global is an attribute of its module */
        put(r->owner, NAME_BYTES, PyDict_GetItemWithError(object, ssbp_names[SSBP_NAME_MODULE_NAME]));
        put(r->part, NAME_BYTES, p->part);
        return;
    }
    put_type(r->owner, PyType_Check(object) ? (PyTypeObject *)object : Py_TYPE(object));
    if (p->kind == SSB_PLACE_ATTRIBUTE || p->kind == SSB_PLACE_CELL)
        put(r->part, NAME_BYTES, p->part);
    else if (p->kind == SSB_PLACE_ENTRY)
        put_key(r->part, p->part);
    else if (p->kind == SSB_PLACE_INDEX)
        snprintf(r->part, NAME_BYTES, "%zd", position(p));
}

static void describe(side *s, const ssb_place *p)
{
    int offset = p->unit * (int)sizeof(_Py_CODEUNIT);
    put(s->file, FILE_BYTES, p->code->co_filename);
    put(s->function, NAME_BYTES, p->code->co_qualname);
    if (!PyCode_Addr2Location(p->code, offset, &s->line, &s->column, &s->end_line, &s->end_column))
        s->line = PyCode_Addr2Line(p->code, offset);
    s->access = p->access;
}

/* -- noting ------------------------------------------------------------------------------ */

/* The slot of a pair of positions in the code; the same whichever of the two is current. */
static uint64_t *slot_of(const ssb_place *a, const ssb_place *b)
{
    if ((uintptr_t)a->code > (uintptr_t)b->code || (a->code == b->code && a->unit > b->unit)) {
        const ssb_place *swapped = a;
        a = b;
        b = swapped;
    }
    uint64_t words[] = {
        (uintptr_t)a->code, (uint64_t)a->unit,
        (uintptr_t)b->code, (uint64_t)b->unit,
        a->kind == SSB_PLACE_ATTRIBUTE ? (uintptr_t)(PyType_Check(a->object) ? a->object : (PyObject *)Py_TYPE(a->object)) : 0,
    };
    uint64_t key = ssb.engine->hash64(words, sizeof words) | 1;
    for (uint64_t i = key >> 1;; i++) {
        uint64_t *slot = &ssb_race_found->slots[i & (SLOTS - 1)];
        if (*slot == key)
            return NULL;
        if (*slot == 0) {
            if (ssb_race_found->n == RACES) {
                ssb_race_found->overflowed = 1;
                return NULL;
            }
            *slot = key;
            return slot;
        }
    }
}

static void look_from(uint32_t from)
{
    const ssb_place *mine = &ssb.threads[from].place;
    for (uint32_t i = 0; i < ssb.n_threads; i++) {
        const ssb_thread *other = &ssb.threads[i];
        if (i == from || other->status != SSB_READY || other->place.kind == SSB_PLACE_NONE || !conflict(mine, &other->place) ||
            slot_of(mine, &other->place) == NULL)
            continue;
        race *r = &ssb_race_found->races[ssb_race_found->n];
        name(r, mine->kind <= other->place.kind ? mine : &other->place); /* the narrower of the two */
        describe(&r->sides[0], mine);
        describe(&r->sides[1], &other->place);
        ssb_race_found->n++;
    }
}

void ssb_races_look(void)
{
    for (uint32_t i = 0; i < ssb.n_threads; i++) {
        const ssb_thread *thread = &ssb.threads[i];
        int is_fixed = thread->place.kind != SSB_PLACE_INDEX || !needs_size(&thread->place);
        if (thread->place.kind != SSB_PLACE_NONE && (i == ssb.current || (thread->status == SSB_READY && !is_fixed)))
            look_from(i);
    }
}

/* -- the parent ---------------------------------------------------------------------------- */

static PyObject *side_tuple(const side *s)
{
    return Py_BuildValue("(ssiiiii)", s->file, s->function, s->access, s->line, s->end_line, s->column, s->end_column);
}

PyObject *ssb_races_list(void)
{
    const ssb_race_table *t = ssb_race_found;
    uint32_t n = t != NULL ? t->n : 0;
    PyObject *list = PyList_New(n);
    for (uint32_t i = 0; list != NULL && i < n; i++) {
        const race *r = &t->races[i];
        PyObject *entry = Py_BuildValue("(iss(NN))", r->kind, r->owner, r->part, side_tuple(&r->sides[0]), side_tuple(&r->sides[1]));
        if (entry == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, entry);
    }
    return list != NULL ? Py_BuildValue("(NO)", list, t != NULL && t->overflowed ? Py_True : Py_False) : NULL;
}
