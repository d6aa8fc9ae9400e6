/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ explain.c — notes of where every token of a state comes from.              │
 * │                                                                            │
 * │ Runs on the agent's stack and writes arena memory only. The first states   │
 * │ are noted until the table is full; the search goes on without notes then.  │
 * │ What is no reference (sizes, the state of a lock, raw words) is kept as one│
 * │ hash for each owner.                                                       │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"
#include "explain.h"

#include <string.h>

#define ENTRIES (1u << 20)
#define STATES 2000u
#define LABELS (1u << 13)
#define LABEL_SLOTS (1u << 14) /* power of two, twice the labels */
#define LABEL_BYTES 64

struct ssbx_table {
    ssbx_entry entries[ENTRIES];
    uint32_t n_entries;
    struct {
        uint32_t from, to;
        uint64_t alike, hash[2];
    } states[STATES];
    uint32_t n_states;
    char labels[LABELS][LABEL_BYTES];
    uint32_t n_labels, slots[LABEL_SLOTS];
    /* the state at work */
    uint32_t from, owner_from, owner, owner_label, plain, rest_from, edge;
    int owner_kind, edge_kind, full;
    uint64_t alike, rest;
    uintptr_t owner_address;
};

ssbx_header *ssb_explain_header;
int ssbf_explaining;

/* -- parent ------------------------------------------------------------------------ */

static PyObject *label_text(const struct ssbx_table *x, uint32_t label)
{
    return PyUnicode_DecodeLatin1(x->labels[label], (Py_ssize_t)strlen(x->labels[label]), NULL);
}

static PyObject *entry_tuple(const struct ssbx_table *x, const ssbx_entry *e)
{
    PyObject *edge = e->edge_kind == SSBX_KEY || e->edge_kind == SSBX_LOCAL ? label_text(x, e->edge) : PyLong_FromUnsignedLong(e->edge);
    return Py_BuildValue("(iIiNN(KKK))", e->owner_kind, e->owner, e->edge_kind, edge, label_text(x, e->label), e->value[0],
                         e->value[1], e->value[2]);
}

PyObject *ssb_explained(void)
{
    const struct ssbx_table *x = ssb_explain_header != NULL ? ssb_explain_header->table : NULL;
    PyObject *states = PyList_New(0);
    for (uint32_t i = 0; states != NULL && x != NULL && i < x->n_states; i++) {
        uint32_t from = x->states[i].from, n = x->states[i].to - from;
        PyObject *entries = PyList_New(n), *state;
        for (uint32_t k = 0; entries != NULL && k < n; k++) {
            PyObject *entry = entry_tuple(x, &x->entries[from + k]);
            if (entry == NULL)
                Py_CLEAR(entries);
            else
                PyList_SET_ITEM(entries, k, entry);
        }
        state = entries != NULL ? Py_BuildValue("(KN)", x->states[i].alike, entries) : NULL;
        if (state == NULL || PyList_Append(states, state) < 0)
            Py_CLEAR(states);
        Py_XDECREF(state);
    }
    return states;
}

/* -- agent --------------------------------------------------------------------------- */

#if SSB_CAN_FINGERPRINT

static struct ssbx_table *x;

void ssb_explain_begin(void)
{
    x = ssb_scratch(sizeof *x);
    x->n_labels = 1; /* 0: the empty text */
    ssb_explain_header->table = x;
    ssbf_explaining = 1;
}

static uint32_t label_of(const char *text, size_t bytes)
{
    char cut[LABEL_BYTES] = {0};
    memcpy(cut, text, bytes < LABEL_BYTES - 1 ? bytes : LABEL_BYTES - 1);
    uint32_t i = (uint32_t)ssb.engine->hash64(cut, sizeof cut) & (LABEL_SLOTS - 1);
    for (; x->slots[i]; i = (i + 1) & (LABEL_SLOTS - 1))
        if (!memcmp(x->labels[x->slots[i]], cut, sizeof cut))
            return x->slots[i];
    if (x->n_labels == LABELS)
        return 0;
    memcpy(x->labels[x->n_labels], cut, sizeof cut);
    return x->slots[i] = x->n_labels++;
}

static uint32_t label_of_name(PyObject *name)
{
    const void *digits;
    int sign;
    if (PyLong_CheckExact(name) && ssb_long_digits(name, &digits, &sign) <= sizeof(digit)) {
        char text[16];
        uint32_t at = sizeof text, value = ssb_long_digits(name, &digits, &sign) ? *(const digit *)digits : 0;
        do
            text[--at] = (char)('0' + value % 10);
        while (value /= 10);
        if (sign)
            text[--at] = '-';
        return label_of(text + at, sizeof text - at);
    }
    if (!PyUnicode_Check(name) || !ssb_unicode_is_value(name) || PyUnicode_KIND(name) != PyUnicode_1BYTE_KIND)
        return label_of("?", 1);
    return label_of(PyUnicode_DATA(name), (size_t)PyUnicode_GET_LENGTH(name));
}

static uint32_t label_of_type(PyObject *o)
{
    const char *name = Py_TYPE(o)->tp_name, *dot = strrchr(name, '.');
    name = dot ? dot + 1 : name;
    return label_of(name, strlen(name));
}

static ssbx_entry *new_entry(int edge_kind, uint32_t edge)
{
    if (x->n_entries == ENTRIES) {
        x->full = 1;
        return NULL;
    }
    ssbx_entry *e = &x->entries[x->n_entries++];
    *e = (ssbx_entry){.owner = x->owner, .owner_kind = (uint8_t)x->owner_kind, .edge_kind = (uint8_t)edge_kind, .edge = edge};
    return e;
}

/* Tokens up to here that are no references. */
static void fold_rest(uint32_t to)
{
    if (to <= x->rest_from || to > SSBF_TOKENS)
        return;
    for (uint32_t i = x->rest_from; i < to; i++) {
        uint64_t token = ssbf->tokens[i], top = token >> 56;
        /* Numbers of objects shift when something else comes or goes. */
        uint64_t parts[2] = {x->rest, top == SSBF_T_NEW || top == SSBF_T_MEMORY || top == SSBF_T_FRAME ? top : token};
        x->rest = ssb.engine->hash64(parts, sizeof parts);
    }
}

static void end_owner(void)
{
    if (x->owner_kind == SSBX_NOWHERE)
        return;
    fold_rest(ssbf->n_tokens);
    ssbx_entry *e = new_entry(SSBX_REST, 0);
    if (e) {
        e->label = x->owner_label;
        e->value[0] = x->rest;
        e->value[1] = x->owner_address;
    }
    x->owner_kind = SSBX_NOWHERE;
}

static int noting(void) { return ssbf_explaining && x->n_states < STATES && !x->full && !ssbf->in_base && !ssbf->probing; }

void ssbf_explain_state(void)
{
    if (!ssbf_explaining)
        return;
    x->from = x->n_entries;
    x->owner_kind = SSBX_NOWHERE;
    x->edge_kind = SSBX_PLAIN;
    x->alike = 0;
}

void ssbf_explain_end(int compared)
{
    if (!ssbf_explaining)
        return;
    uint64_t hash[2];
    end_owner();
    ssbf_hash(0, hash);
    int keep = compared && !x->full && x->n_states < STATES;
    for (uint32_t i = 0; keep && i < x->n_states; i++)
        keep = x->states[i].hash[0] != hash[0] || x->states[i].hash[1] != hash[1];
    if (!keep) {
        x->n_entries = x->from;
        return;
    }
    x->states[x->n_states].from = x->from;
    x->states[x->n_states].to = x->n_entries;
    x->states[x->n_states].alike = x->alike;
    memcpy(x->states[x->n_states++].hash, hash, sizeof hash);
}

void ssbf_explain_owner(int kind, uint32_t owner, PyObject *named)
{
    if (!noting())
        return;
    end_owner();
    x->owner_kind = kind;
    x->owner = owner;
    x->owner_label = kind == SSBX_FRAME ? label_of_name(named) : named ? label_of_type(named) : 0;
    x->owner_from = x->n_entries;
    x->owner_address = kind == SSBX_BASE ? (uintptr_t)named : 0;
    x->plain = 0;
    x->rest = 0;
    x->rest_from = ssbf->n_tokens;
    x->edge_kind = SSBX_PLAIN;
}

void ssbf_explain_drop(void)
{
    if (!ssbf_explaining || x->owner_kind == SSBX_NOWHERE)
        return;
    x->n_entries = x->owner_from;
    x->owner_kind = SSBX_NOWHERE;
}

void ssbf_explain_edge(int kind, PyObject *name, uint32_t index)
{
    if (!noting())
        return;
    x->edge_kind = kind;
    x->edge = name ? label_of_name(name) : index;
}

void ssbf_explain_alike(uint64_t value)
{
    uint64_t parts[2] = {x->alike, value};
    x->alike = ssb.engine->hash64(parts, sizeof parts);
}

void ssbf_explain_reference(uint32_t from, PyObject *o)
{
    if (!noting() || x->owner_kind == SSBX_NOWHERE)
        return;
    fold_rest(from);
    x->rest_from = ssbf->n_tokens;
    int kind = x->edge_kind;
    ssbx_entry *e = new_entry(kind, kind == SSBX_PLAIN ? x->plain++ : x->edge);
    x->edge_kind = SSBX_PLAIN;
    if (!e)
        return;
    uint32_t n = ssbf->n_tokens - from;
    memcpy(e->value, ssbf->tokens + from, (n < 3 ? n : 3) * sizeof(uint64_t));
    uint64_t top = e->value[0] >> 56;
    if (o && top == SSBF_T_NEW)
        e->label = label_of_type(o);
    char text[LABEL_BYTES - 1];
    if (o && (top == SSBF_T_BASE || top == SSBF_T_ATOM))
        e->label = label_of(text, top == SSBF_T_BASE ? ssbx_base_name(o, text, sizeof text) : ssbx_long_text(o, text, sizeof text));
}

#else

void ssb_explain_begin(void) {}

#endif
