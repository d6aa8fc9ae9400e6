/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ runs.c — large containers, at the cost of what changed in them.            │
 * │                                                                            │
 * │ An entry of a container is *plain* if what it says does not depend on what │
 * │ was numbered before: values, objects of the base state, and small new      │
 * │ objects that nothing else refers to, which are then written out in place   │
 * │ instead of getting a number. The plain entries between two others make a   │
 * │ run, and a run is one token: the value of a polynomial whose coefficients  │
 * │ are the hashes of the entries, over the field of 2^127 - 1. Such hashes    │
 * │ can be joined, so that the runs of pieces give the run of the whole, and   │
 * │ where the pieces begin makes no difference.                                │
 * │                                                                            │
 * │ The run of a piece is remembered with the version of every page that was   │
 * │ read for it, and used again as long as all of them are the same. Not among │
 * │ them, because nothing else can come of reading them while the rest is      │
 * │ unchanged: the table of runs of the heap (freed memory is zeroed), and the │
 * │ reference counts of base objects (an entry owns its reference). Of types,  │
 * │ what matters is hashed once for each state: their pages change whenever an │
 * │ instance is made.                                                          │
 * │                                                                            │
 * │ "Nothing else refers to it" is what the reference count says. A borrowed   │
 * │ pointer could: words of unknown meaning that lead to such an object are    │
 * │ noted, and if it was written out somewhere, the state is computed again    │
 * │ with numbers for all.                                                      │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "runs.h"

#include "explain.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>

#include "polynomial.h"

#define PIECE 128u         /* entries remembered together */
#define GROUPS (1u << 14)  /* power of two: pieces remembered, by four */
#define WAYS 4u
#define PAGE_POOL (1u << 21)
#define MOST_PAGES 512u    /* read for one piece */
#define MOST_TYPES 3u
#define MOST_ITEMS 16      /* of a container that is written out */
#define MOST_DEPTH 4
#define MOST_TOKENS 256u   /* of one entry */
#define MOST_BORROWED 256u
#define MOST_SPANS 4096u
#define TYPE_FACTS 64u
#define GRANULE 16u /* of the heap: no two objects begin in one */

typedef struct page_read {
    uint64_t version;
    uint32_t page_index;
} page_read;

/* What of a type decides how its instances are written out. */
typedef struct type_facts {
    uint64_t hash[2];
    uint32_t pass;
    int32_t object;
    int is_plain; /* instances have nothing but attributes */
} type_facts;

typedef struct type_read {
    uint64_t hash[2];
    PyTypeObject *type;
} type_read;

typedef struct piece {
    uint64_t key[2]; /* place, shape and version of its first page; 0: empty */
    sum run;
    uint32_t count, n_written;
    uint32_t first, room, n_pages; /* in the pool */
    uint32_t n_types;
    uint32_t last_used; /* pass */
    type_read types[MOST_TYPES];
} piece;

typedef struct run {
    sum value;
    uint64_t count;
} run;

static struct {
    piece pieces[GROUPS][WAYS];
    page_read pool[PAGE_POOL];
    uint32_t n_pool;
    /* what was read for the piece at hand */
    page_read pages[MOST_PAGES];
    uint32_t n_pages, n_types, too_much;
    type_read types[MOST_TYPES];
    uint32_t tokens_end;
    type_facts facts[TYPE_FACTS];
    /* objects that were ever written out, by granule of the heap: a filter only */
    uint8_t *written_out;
    /* this state */
    uint32_t n_written; /* objects written out */
    uintptr_t borrowed[MOST_BORROWED];
    uint32_t n_borrowed;
    ssbf_span spans[MOST_SPANS];
    uint32_t n_spans;
    run open; /* of the container at hand */
    int numbers_for_all, seeking, found;
} *r;

/* ---- runs ------------------------------------------------------------------------------------ */

static sum powers[PIECE + 1]; /* written before the base snapshot only */

static void extend(run *to, sum value, uint32_t count)
{
    to->value = add(multiply(to->value, powers[count]), value);
    to->count += count;
}

static void end_run(run *at)
{
    if (at->count) {
        ssbf_token(SSBF_TOKEN(SSBF_T_RUN, at->count));
        ssbf_token(at->value.low);
        ssbf_token(at->value.high);
    }
    *at = (run){{0, 0}, 0};
}

/* ---- what was read --------------------------------------------------------------------------- */

static void note(uintptr_t lo, size_t bytes)
{
    for (uintptr_t page = lo & ~(uintptr_t)(SS_PAGE - 1); page < lo + bytes; page += SS_PAGE) {
        uint32_t index = ssbf_page_index(page), i = r->n_pages;
        while (i > 0 && r->pages[i - 1].page_index != index)
            i--;
        if (i)
            continue;
        if (index == SS_NONE || r->n_pages == MOST_PAGES) {
            r->too_much = 1;
            return;
        }
        r->pages[r->n_pages++] = (page_read){ssbf_page_version(index), index};
    }
}

/* The whole block that a new object or buffer lies in. */
static int note_block(uintptr_t address)
{
    uintptr_t start;
    uint32_t bytes;
    if (!ssb_heap_find(address, &start, &bytes))
        return 0;
    note(start, bytes);
    return 1;
}

static const type_facts *facts_of(PyTypeObject *type)
{
    int b = ssbf_find_object((uintptr_t)type);
    if (b < 0 || !(ssbf->kinds[b] & SSBF_TYPE))
        return NULL;
    type_facts *f = &r->facts[(uint32_t)b % TYPE_FACTS];
    if (f->pass == ssbf->pass && f->object == b)
        return f;
    uint32_t from = ssbf->n_tokens;
    int is_python = ssbf_is_python_class(type);
    f->pass = ssbf->pass;
    f->object = b;
    f->is_plain = is_python && !ssbf_handler_of(type) && !type->tp_finalize && !type->tp_del && !type->tp_itemsize;
    uint64_t parts[] = {type->tp_flags & ~(unsigned long)Py_TPFLAGS_VALID_VERSION_TAG, (uint64_t)type->tp_basicsize,
                        (uint64_t)type->tp_dictoffset, (uint64_t)type->tp_weaklistoffset, (uint64_t)f->is_plain};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        ssbf_token(parts[i]);
    PyDictKeysObject *keys = f->is_plain && ssb_type_has_managed_dict(type) ? ssb_type_keys(type) : NULL;
    for (Py_ssize_t i = 0; keys && i < keys->dk_nentries; i++) {
        uint64_t name[3];
        PyObject *key = DK_UNICODE_ENTRIES(keys)[i].me_key;
        if (key && ssbf_atom(key, name))
            for (int k = 0; k < 3; k++)
                ssbf_token(name[k]);
        else
            ssbf_token((uintptr_t)key);
    }
    ssbf_hash(from, f->hash);
    ssbf->n_tokens = from;
    return f;
}

static int note_type(PyTypeObject *type)
{
    const type_facts *f = facts_of(type);
    if (!f || !f->is_plain)
        return 0;
    for (uint32_t i = 0; i < r->n_types; i++)
        if (r->types[i].type == type)
            return 1;
    if (r->n_types == MOST_TYPES)
        r->too_much = 1;
    else
        r->types[r->n_types++] = (type_read){{f->hash[0], f->hash[1]}, type};
    return 1;
}

/* ---- plain entries: tokens without numbers ------------------------------------------------------- */

static int plain(PyObject *o, int depth);

static int plain_all(PyObject *const *items, Py_ssize_t n, int depth)
{
    ssbf_count((uint64_t)n);
    for (Py_ssize_t i = 0; i < n; i++)
        if (!plain(items[i], depth))
            return 0;
    return 1;
}

static int plain_pair(PyObject *key, PyObject *value, int depth) { return plain(key, depth) && plain(value, depth); }

/* Entries in order, as ssbf_dict_items has them. `shared`: keys whose names were noted with their type. */
static int plain_dict(PyDictObject *d, const PyDictKeysObject *shared, int depth)
{
    PyDictKeysObject *keys = d->ma_keys;
    if (keys->dk_nentries > 2 * MOST_ITEMS || d->ma_used > MOST_ITEMS)
        return 0;
    ssbf_count((uint64_t)d->ma_used);
    if (d->ma_values) {
        if (keys != shared || !note_block((uintptr_t)d->ma_values))
            return 0;
        for (int i = 0; i < ssb_values_size(d->ma_values); i++) {
            int e = ssb_values_entry(d->ma_values, i);
            if (d->ma_values->values[e] && !plain_pair(DK_UNICODE_ENTRIES(keys)[e].me_key, d->ma_values->values[e], depth))
                return 0;
        }
        return 1;
    }
    if (d->ma_used && !note_block((uintptr_t)keys)) /* an empty one may have the interpreter's */
        return 0;
    for (Py_ssize_t i = 0; d->ma_used && i < keys->dk_nentries; i++) {
        PyObject *key = DK_IS_UNICODE(keys) ? DK_UNICODE_ENTRIES(keys)[i].me_key : DK_ENTRIES(keys)[i].me_key;
        PyObject *value = DK_IS_UNICODE(keys) ? DK_UNICODE_ENTRIES(keys)[i].me_value : DK_ENTRIES(keys)[i].me_value;
        if (value && !plain_pair(key, value, depth))
            return 0;
    }
    return 1;
}

static int plain_attributes(PyObject *o, PyTypeObject *t, int depth)
{
    PyDictKeysObject *keys = ssb_type_keys(t);
    PyDictValues *values = ssb_instance_values(o);
    if (values) {
        int n = ssb_values_size(values), used = 0;
        if (n > 2 * MOST_ITEMS || !note_block((uintptr_t)values))
            return 0;
        for (int i = 0; i < n; i++)
            used += values->values[ssb_values_entry(values, i)] != NULL;
        ssbf_count((uint64_t)used);
        for (int i = 0; i < n; i++) {
            int e = ssb_values_entry(values, i);
            if (values->values[e] && !plain_pair(DK_UNICODE_ENTRIES(keys)[e].me_key, values->values[e], depth))
                return 0;
        }
        return 1;
    }
    PyObject *dict = ssb_instance_dict(o);
    if (!dict) {
        ssbf_count(0);
        return 1;
    }
    return Py_TYPE(dict) == &PyDict_Type && Py_REFCNT(dict) == 1 && ssb_heap_is_new((uintptr_t)dict) &&
           note_block((uintptr_t)dict) && plain_dict((PyDictObject *)dict, keys, depth);
}

/* Of a class made by a class statement: slots, then attributes. */
static int plain_instance(PyObject *o, PyTypeObject *t, int depth)
{
    int managed = ssb_type_has_managed_dict(t);
    if (!note_type(t) || (!managed && t->tp_dictoffset) || (t->tp_weaklistoffset && ssb_object_weakrefs(o)))
        return 0;
    for (Py_ssize_t at = sizeof(PyObject); at < t->tp_basicsize; at += sizeof(PyObject *)) {
        if (at != t->tp_weaklistoffset && !plain(*(PyObject **)((char *)o + at), depth))
            return 0;
    }
    return !managed || plain_attributes(o, t, depth);
}

static int plain_content(PyObject *o, PyTypeObject *t, int depth)
{
    if (t == &PyTuple_Type)
        return Py_SIZE(o) <= MOST_ITEMS && !ssbf_hash_matters(o) && plain_all(((PyTupleObject *)o)->ob_item, Py_SIZE(o), depth);
    if (t == &PyList_Type) {
        if (Py_SIZE(o) > MOST_ITEMS || (Py_SIZE(o) && !note_block((uintptr_t)((PyListObject *)o)->ob_item)))
            return 0;
        return plain_all(((PyListObject *)o)->ob_item, Py_SIZE(o), depth);
    }
    if (t == &PyDict_Type)
        return plain_dict((PyDictObject *)o, NULL, depth);
    return plain_instance(o, t, depth);
}

static int is_borrowed(uintptr_t address)
{
    for (uint32_t i = 0; i < r->n_borrowed && i < MOST_BORROWED; i++)
        if (r->borrowed[i] == address)
            return 1;
    return 0;
}

static void write_out(uintptr_t address)
{
    size_t granule = (address - SSB_HEAP_BASE) / GRANULE;
    r->written_out[granule / 8] |= (uint8_t)(1u << granule % 8);
    r->n_written++;
    if (r->seeking && is_borrowed(address))
        r->found = 1;
}

static int is_value_type(PyTypeObject *t)
{
    return t == &PyLong_Type || t == &PyUnicode_Type || t == &PyFloat_Type || t == &PyBytes_Type || t == &PyComplex_Type;
}

static size_t value_bytes(PyObject *o)
{
    const void *digits;
    int sign;
    if (Py_TYPE(o) == &PyUnicode_Type)
        return (size_t)((char *)PyUnicode_DATA(o) - (char *)o) + (size_t)PyUnicode_GET_LENGTH(o) * PyUnicode_KIND(o);
    if (Py_TYPE(o) == &PyLong_Type)
        return ssb_long_digits(o, &digits, &sign) + sizeof(PyLongObject);
    return (size_t)(Py_TYPE(o)->tp_basicsize + Py_SIZE(o) * Py_TYPE(o)->tp_itemsize);
}

/* Values, wherever they lie: a dictionary does not tell the collector of its names, so the index lacks many. */
static int plain_value(PyObject *o)
{
    uint64_t value[3];
    if ((Py_TYPE(o) == &PyUnicode_Type && !PyUnicode_IS_COMPACT(o)) || !ssbf_atom(o, value))
        return 0; /* of the former, the characters lie elsewhere */
    if (!ssbf->in_base)
        note((uintptr_t)o, value_bytes(o));
    for (int i = 0; i < 3; i++)
        ssbf_token(value[i]);
    return 1;
}

/* The tokens of a reference if they are the same in every context: 1. Otherwise 0, and what was written is to be taken back. */
static int plain(PyObject *o, int depth)
{
    uintptr_t address = (uintptr_t)o;
    if (ssbf->n_tokens >= r->tokens_end)
        return 0;
    if (!o) {
        ssbf_token(SSBF_TOKEN(SSBF_T_NULL, 0));
        return 1;
    }
    if (!ssb_heap_is_new(address)) {
        int b = ssbf_find_object(address);
        if (b < 0 || Py_TYPE(o) == &PyFloat_Type)
            return is_value_type(Py_TYPE(o)) && plain_value(o);
        if (!(ssbf_kind_of((uint32_t)b, o) & SSBF_ATOM) && Py_REFCNT(o) == 0)
            return 0;
        ssbf_reference(o);
        return 1;
    }
    if (ssbf->in_base || !note_block(address) || Py_REFCNT(o) == 0)
        return 0;
    PyTypeObject *t = Py_TYPE(o);
    if (is_value_type(t))
        return plain_value(o);
    if (Py_REFCNT(o) != 1 || depth == MOST_DEPTH || r->numbers_for_all || ssbf_weakened() || ssb_heap_is_new((uintptr_t)t))
        return 0;
    ssbf_token(SSBF_TOKEN(SSBF_T_WRITTEN_OUT, (uintptr_t)t));
    if (!plain_content(o, t, depth + 1))
        return 0;
    write_out(address);
    return 1;
}

/* Value of one entry, 0 if it is not plain. */
static int plain_entry(PyObject *key, PyObject *value, int has_key, sum *out)
{
    uint64_t hash[2];
    uint32_t from = ssbf->n_tokens;
    r->tokens_end = from + MOST_TOKENS;
    int is_plain = (!has_key || plain(key, 0)) && plain(value, 0);
    if (is_plain)
        ssbf_hash(from, hash);
    ssbf->n_tokens = from;
    *out = (sum){hash[0], hash[1] & (UINT64_MAX >> 1)};
    return is_plain;
}

/* ---- pieces ------------------------------------------------------------------------------------------ */

static void make_key(const ssbf_span *s, const char *entries, uint32_t n, uint64_t key[2])
{
    uint64_t parts[] = {(uintptr_t)entries, n, s->stride, (uint64_t)s->key, (uint64_t)s->value,
                        ssbf_page_version(ssbf_page_index((uintptr_t)entries))};
    ssb.engine->hash128(parts, sizeof parts, key);
    key[0] |= 1;
}

static int is_as_read(const piece *p)
{
    for (uint32_t i = 0; i < p->n_pages; i++)
        if (ssbf_page_version(r->pool[p->first + i].page_index) != r->pool[p->first + i].version)
            return 0;
    for (uint32_t i = 0; i < p->n_types; i++) {
        const type_facts *f = facts_of(p->types[i].type);
        if (!f || f->hash[0] != p->types[i].hash[0] || f->hash[1] != p->types[i].hash[1])
            return 0;
    }
    return 1;
}

static const piece *recall(const uint64_t key[2])
{
    piece *group = r->pieces[key[0] / 2 % GROUPS];
    for (uint32_t i = 0; i < WAYS; i++)
        if (group[i].key[0] == key[0] && group[i].key[1] == key[1] && is_as_read(&group[i])) {
            group[i].last_used = ssbf->pass;
            return &group[i];
        }
    return NULL;
}

/* In place of one with the same key, or of the one that was not used for the longest time. */
static piece *place_for(const uint64_t key[2])
{
    piece *group = r->pieces[key[0] / 2 % GROUPS], *oldest = group;
    for (uint32_t i = 0; i < WAYS; i++) {
        if (group[i].key[0] == key[0] && group[i].key[1] == key[1])
            return &group[i];
        if (ssbf->pass - group[i].last_used > ssbf->pass - oldest->last_used)
            oldest = &group[i];
    }
    return oldest;
}

static void remember(const uint64_t key[2], const run *found, uint32_t n_written)
{
    if (r->too_much)
        return;
    if (r->n_pool + r->n_pages > PAGE_POOL) {
        memset(r->pieces, 0, sizeof r->pieces);
        r->n_pool = 0;
    }
    piece *p = place_for(key);
    if (p->room < r->n_pages) {
        p->first = r->n_pool;
        p->room = r->n_pages;
        r->n_pool += r->n_pages;
    }
    p->key[0] = key[0];
    p->key[1] = key[1];
    p->run = found->value;
    p->count = (uint32_t)found->count;
    p->n_written = n_written;
    p->n_pages = r->n_pages;
    p->n_types = r->n_types;
    p->last_used = ssbf->pass;
    memcpy(r->pool + p->first, r->pages, r->n_pages * sizeof *r->pages);
    memcpy(p->types, r->types, r->n_types * sizeof *r->types);
}

static PyObject *at(const char *entry, int offset) { return offset < 0 ? NULL : *(PyObject *const *)(entry + offset); }

/* One piece. The run that came before it goes on in it. */
static void piece_tokens(const ssbf_span *s, const char *entries, uint32_t n, run *before)
{
    int may_remember = !ssbf->in_base && !ssbf->afresh && !r->numbers_for_all && !r->seeking && !ssbf_weakened();
    uint64_t key[2];
    if (may_remember) {
        make_key(s, entries, n, key);
        const piece *known = recall(key);
        if (known) {
            extend(before, known->run, known->count);
            r->n_written += known->n_written;
            return;
        }
    }
    run own = {{0, 0}, 0};
    int all_plain = 1, has_key = s->key >= 0;
    uint32_t written_before = r->n_written;
    r->n_pages = r->n_types = r->too_much = 0;
    if (!ssbf->in_base)
        note((uintptr_t)entries, (size_t)n * s->stride);
    for (uint32_t i = 0; i < n; i++, entries += s->stride) {
        PyObject *name = at(entries, s->key), *value = at(entries, s->value);
        sum entry;
        if (has_key && !value)
            continue; /* a hole */
        if (plain_entry(name, value, has_key, &entry)) {
            extend(&own, entry, 1);
            continue;
        }
        all_plain = 0;
        extend(before, own.value, (uint32_t)own.count);
        own = (run){{0, 0}, 0};
        end_run(before);
        if (!r->seeking) {
            if (has_key)
                ssbf_reference(name);
            ssbf_reference(value);
        }
    }
    if (all_plain && may_remember)
        remember(key, &own, r->n_written - written_before);
    extend(before, own.value, (uint32_t)own.count);
}

static void span_tokens(const ssbf_span *s)
{
    for (Py_ssize_t from = 0; from < s->n && !ssbf->failed; from += PIECE) {
        uint32_t n = s->n - from < (Py_ssize_t)PIECE ? (uint32_t)(s->n - from) : PIECE;
        piece_tokens(s, s->entries + (size_t)from * s->stride, n, &r->open);
    }
}

/* Explaining names every entry. */
int ssbf_is_run(Py_ssize_t n) { return n >= SSBF_LARGE && !ssbf->probing && !ssb.addresses_observed && !ssbf_explaining; }

void ssbf_run_begin(void) { r->open = (run){{0, 0}, 0}; }
void ssbf_run_end(void) { end_run(&r->open); }

void ssbf_run_part(const ssbf_span *s)
{
    if (!ssbf->in_base) {
        if (r->n_spans < MOST_SPANS)
            r->spans[r->n_spans] = *s;
        r->n_spans++;
    }
    span_tokens(s);
}

void ssbf_run_of(PyObject *const *items, Py_ssize_t n)
{
    ssbf_span s = {(const char *)items, n, sizeof *items, -1, 0};
    ssbf_run_begin();
    ssbf_run_part(&s);
    ssbf_run_end();
}

/* ---- borrowed pointers --------------------------------------------------------------------------------- */

void ssbf_note_borrowed(PyObject *o)
{
    if (ssbf->in_base || ssbf->probing || r->numbers_for_all || Py_REFCNT(o) != 1 || is_borrowed((uintptr_t)o))
        return;
    if (r->n_borrowed < MOST_BORROWED)
        r->borrowed[r->n_borrowed] = (uintptr_t)o;
    r->n_borrowed++;
}

static int may_be_written_out(uintptr_t address)
{
    size_t granule = (address - SSB_HEAP_BASE) / GRANULE;
    return r->written_out[granule / 8] >> granule % 8 & 1;
}

/* Is an object written out that something else refers to? */
int ssbf_runs_are_wrong(void)
{
    uint32_t suspects = 0;
    if (!r->n_written || !r->n_borrowed || r->numbers_for_all)
        return 0;
    if (r->n_borrowed > MOST_BORROWED || r->n_spans > MOST_SPANS)
        return 1;
    for (uint32_t i = 0; i < r->n_borrowed; i++)
        suspects += may_be_written_out(r->borrowed[i]);
    if (!suspects)
        return 0;
    uint32_t from = ssbf->n_tokens;
    r->seeking = 1;
    r->found = 0;
    for (uint32_t i = 0; i < r->n_spans && !r->found; i++) {
        span_tokens(&r->spans[i]);
        ssbf->n_tokens = from;
    }
    r->seeking = 0;
    return r->found;
}

/* ---- states ----------------------------------------------------------------------------------------------- */

void ssbf_runs_begin(int numbers_for_all)
{
    r->n_written = r->n_borrowed = r->n_spans = 0;
    r->numbers_for_all = numbers_for_all;
}

int ssbf_runs_prepare(void)
{
    r = ssb_scratch(sizeof *r);
    r->written_out = ssb_scratch(ssb_heap_bytes() / GRANULE / 8 + 1);
    powers[0] = (sum){1, 0};
    for (uint32_t i = 1; i <= PIECE; i++)
        powers[i] = multiply(powers[i - 1], X);
    return 0;
}

#endif
