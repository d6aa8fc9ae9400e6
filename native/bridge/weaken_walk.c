/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ weaken_walk.c — leaving out of a state what the user said.                 │
 * │                                                                            │
 * │ New objects that only an ignored attribute reaches are never met. Base     │
 * │ objects are compared because their memory changed, however they are        │
 * │ reached, so those that nothing else refers to are found when the           │
 * │ declaration is made: by counting references, as the cyclic collector does. │
 * │ They stay hidden in states whose walk does not meet them.                  │
 * │                                                                            │
 * │ Tables that a declaration writes are ordinary memory and rewind. The walk  │
 * │ writes arena memory only.                                                  │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"
#include "weaken.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>

#define DICTS 4096u        /* attribute dictionaries of base instances of ignored classes */
#define CLOSURE (1u << 14) /* objects that the hidden are chosen from, of one declaration */
#define SLOTS (1u << 15)   /* power of two, twice the closure */
#define HIDDEN (1u << 14)
#define OBJECTS 256u       /* base objects that declarations name */

static struct {
    struct {
        PyObject *dict, *class_reference;
    } dicts[DICTS];
    uint32_t n_dicts;
    struct {
        PyObject *object;
        uint32_t label;
        int of_view;
    } hidden[SLOTS];
    uint32_t n_hidden;
} known; /* rewinds */

typedef struct member {
    PyObject *object;
    Py_ssize_t inside; /* references from the closure itself */
    int outside;       /* something else refers to it */
} member;

/* Working memory: of one declaration, and of one state. */
static struct workspace {
    member members[CLOSURE];
    uint32_t slots[SLOTS]; /* member number + 1 */
    uint32_t n_members;
    int too_large;
    uint8_t met[SLOTS / 8]; /* hidden objects this state refers to from elsewhere */
    uint32_t postponed[HIDDEN], n_postponed;
    PyObject *holders[OBJECTS];
    uint32_t n_holders;
} *work;

int ssbf_weakened(void) { return ssb_weak.n_ignored != 0 || ssb_weak.n_views != 0; }

void ssbf_weaken_prepare(void) { work = ssb_scratch(sizeof *work); }

static PyObject *owner_of(const ssb_ignored *e)
{
    PyObject *o = ssb_weakref_object((PyWeakReference *)e->owner);
    return o == Py_None ? NULL : o;
}

static void took_effect(uint32_t label)
{
    if (!ssbf->in_base)
        ssb_weak_labels->effective[label] = 1;
}

/* ---- attributes --------------------------------------------------------------------- */

/* The dictionary that holds the attributes of an object, NULL if they lie elsewhere. */
static PyObject *attributes_of(PyObject *o)
{
    PyTypeObject *t = Py_TYPE(o);
    if (PyType_Check(o))
        return ssb_type_dict((PyTypeObject *)o);
    if (ssb_type_has_managed_dict(t))
        return ssb_instance_values(o) ? NULL : ssb_instance_dict(o);
    return t->tp_dictoffset > 0 ? *(PyObject **)((char *)o + t->tp_dictoffset) : NULL;
}

static int is_of_instance(PyObject *dict, const ssb_ignored *e)
{
    for (uint32_t i = 0; i < known.n_dicts; i++)
        if (known.dicts[i].dict == dict && known.dicts[i].class_reference == e->owner)
            return 1;
    return 0;
}

uint64_t ssbf_weak_attributes(PyObject *owner, PyObject *dict)
{
    uint64_t set = 0;
    for (uint32_t i = 0; i < ssb_weak.n_ignored; i++) {
        const ssb_ignored *e = &ssb_weak.ignored[i];
        PyObject *o = owner_of(e);
        int applies = 0;
        if (o && owner)
            applies = e->of_instances ? PyType_IsSubtype(Py_TYPE(owner), (PyTypeObject *)o) : o == owner;
        if (o && dict && !applies)
            applies = attributes_of(o) == dict || (e->of_instances && is_of_instance(dict, e));
        set |= (uint64_t)applies << i;
    }
    return set;
}

static int same_name(PyObject *a, PyObject *b)
{
    return a == b || (PyUnicode_Check(b) && PyUnicode_GET_LENGTH(a) == PyUnicode_GET_LENGTH(b) &&
                      PyUnicode_KIND(a) == PyUnicode_KIND(b) &&
                      !memcmp(PyUnicode_DATA(a), PyUnicode_DATA(b), (size_t)PyUnicode_GET_LENGTH(a) * PyUnicode_KIND(a)));
}

int ssbf_left_out(uint64_t set, PyObject *name)
{
    for (; set; set &= set - 1) {
        const ssb_ignored *e = &ssb_weak.ignored[__builtin_ctzll(set)];
        if (same_name(e->name, name)) {
            took_effect(e->label);
            return 1;
        }
    }
    return 0;
}

uint64_t ssbf_left_out_of(uint64_t set, PyDictObject *d)
{
    PyObject *name, *value;
    Py_ssize_t position = 0;
    uint64_t n = 0;
    while (PyDict_Next((PyObject *)d, &position, &name, &value))
        n += (uint64_t)ssbf_left_out(set, name);
    return n;
}

int ssbf_slot_left_out(uint64_t set, Py_ssize_t at)
{
    for (; set; set &= set - 1) {
        const ssb_ignored *e = &ssb_weak.ignored[__builtin_ctzll(set)];
        if (e->slot && e->slot == at) {
            took_effect(e->label);
            return 1;
        }
    }
    return 0;
}

/* That something is left out is part of the state: it decides how later states compare. */
void ssbf_weak_names(uint64_t set)
{
    ssbf_count(1ull << 41 | (uint64_t)__builtin_popcountll(set));
    for (; set; set &= set - 1)
        ssbf_reference(ssb_weak.ignored[__builtin_ctzll(set)].name);
}

int ssbf_weak_content(PyObject *o)
{
    for (uint32_t i = 0; i < ssb_weak.n_views; i++) {
        const ssb_view *v = &ssb_weak.views[i];
        for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(v->objects); k++) {
            if (PyTuple_GET_ITEM(v->objects, k) != o)
                continue;
            ssbf_count(1ull << 42 | (uint64_t)ssb_weak.fresh);
            ssbf_reference(v->function);
            if (!ssb_weak.fresh)
                continue; /* its content says more than an old answer */
            ssbf_reference(v->result);
            took_effect(v->label);
            return 1;
        }
    }
    return 0;
}

/* ---- hidden base objects: when a declaration is made ------------------------------------- */

static uint32_t hash_of(const PyObject *o) { return (uint32_t)(((uintptr_t)o >> 4) * 0x9E3779B97F4A7C15ull >> 49) & (SLOTS - 1); }

static member *member_of(PyObject *o, int insert)
{
    uint32_t i = hash_of(o);
    for (; work->slots[i]; i = (i + 1) & (SLOTS - 1))
        if (work->members[work->slots[i] - 1].object == o)
            return &work->members[work->slots[i] - 1];
    if (!insert)
        return NULL;
    if (work->n_members == CLOSURE) {
        work->too_large = 1;
        return NULL;
    }
    member *m = &work->members[work->n_members++];
    *m = (member){.object = o};
    work->slots[i] = work->n_members;
    return m;
}

/* What holds data, and existed before: code and what it refers to is never only an attribute's. */
static int can_be_hidden(PyObject *o)
{
    return !ssb_heap_is_new((uintptr_t)o) && !ssbf_is_atom(o) && !PyType_Check(o) && !PyModule_Check(o) && !PyFunction_Check(o) &&
           !PyCode_Check(o) && !PyFrame_Check(o) && o != Py_None && o != Py_True && o != Py_False;
}

static int reached(PyObject *o, void *unused)
{
    (void)unused;
    if (can_be_hidden(o)) {
        member *m = member_of(o, 1);
        if (m)
            m->inside++;
    }
    return 0;
}

typedef struct visiting {
    visitproc visit;
    PyObject *dict; /* until it is met */
} visiting;

static int pass_on(PyObject *o, void *user)
{
    visiting *v = user;
    if (o == v->dict)
        v->dict = NULL;
    return v->visit(o, NULL);
}

/* Also the dictionary of an object whose values lie inside: 3.13 visits the values alone. */
static void referents(PyObject *o, visitproc visit)
{
    PyTypeObject *t = Py_TYPE(o);
    if (!PyType_IS_GC(t) || !t->tp_traverse || !PyObject_IS_GC(o))
        return;
    visiting v = {visit, ssb_type_has_managed_dict(t) && !ssb_instance_values(o) ? ssb_instance_dict(o) : NULL};
    t->tp_traverse(o, pass_on, &v);
    if (v.dict)
        visit(v.dict, NULL);
}

static int found_outside; /* in a pass over the members */

static int is_outside(PyObject *o, void *unused)
{
    (void)unused;
    member *m = can_be_hidden(o) ? member_of(o, 0) : NULL;
    if (m && !m->outside)
        m->outside = found_outside = 1;
    return 0;
}

static void begin_closure(void)
{
    memset(work->slots, 0, sizeof work->slots);
    work->n_members = 0;
    work->too_large = 0;
}

static void hide(PyObject *o, uint32_t label, int of_view)
{
    uint32_t i = hash_of(o);
    for (; known.hidden[i].object; i = (i + 1) & (SLOTS - 1))
        if (known.hidden[i].object == o)
            return;
    known.hidden[i].object = o;
    known.hidden[i].label = label;
    known.hidden[i].of_view = of_view;
    known.n_hidden++;
}

/* Everything reached has been counted: hide what nothing else refers to. */
static void end_closure(uint32_t label, int of_view)
{
    for (uint32_t i = 0; i < work->n_members; i++) /* grows while it runs */
        referents(work->members[i].object, reached);
    if (work->too_large)
        return;
    for (uint32_t i = 0; i < work->n_members; i++)
        work->members[i].outside = Py_REFCNT(work->members[i].object) > work->members[i].inside;
    do {
        found_outside = 0;
        for (uint32_t i = 0; i < work->n_members; i++)
            if (work->members[i].outside)
                referents(work->members[i].object, is_outside);
    } while (found_outside);
    for (uint32_t i = 0; i < work->n_members && known.n_hidden < HIDDEN; i++)
        if (!work->members[i].outside)
            hide(work->members[i].object, label, of_view);
}

/* The value of an attribute, borrowed, without running code. */
static PyObject *value_of(PyObject *o, const ssb_ignored *e)
{
    PyObject *dict = attributes_of(o);
    if (dict)
        return PyDict_Check(dict) ? PyDict_GetItemWithError(dict, e->name) : NULL;
    if (e->slot && e->slot < Py_TYPE(o)->tp_basicsize)
        return *(PyObject **)((char *)o + e->slot);
    if (!ssb_type_has_managed_dict(Py_TYPE(o)) || !ssb_instance_values(o))
        return NULL;
    PyDictValues *values = ssb_instance_values(o);
    PyDictUnicodeEntry *entries = DK_UNICODE_ENTRIES(ssb_type_keys(Py_TYPE(o)));
    for (int i = 0; i < ssb_values_size(values); i++) {
        int k = ssb_values_entry(values, i);
        if (same_name(e->name, entries[k].me_key))
            return values->values[k];
    }
    return NULL;
}

static void reach_value(PyObject *o, const ssb_ignored *e)
{
    PyObject *value = ssb_heap_is_new((uintptr_t)o) ? NULL : value_of(o, e);
    if (value)
        reached(value, NULL);
}

static const ssb_ignored *declared;

static void visit_instance(PyObject *o)
{
    if (ssb_heap_is_new((uintptr_t)o) || !PyType_IsSubtype(Py_TYPE(o), (PyTypeObject *)owner_of(declared)))
        return;
    PyObject *dict = attributes_of(o);
    if (dict && known.n_dicts < DICTS) { /* of the others everything is compared */
        known.dicts[known.n_dicts].dict = dict;
        known.dicts[known.n_dicts++].class_reference = declared->owner;
    }
    reach_value(o, declared);
}

void ssbf_hide_ignored(const ssb_ignored *entry)
{
    if (!ssbf || !work) /* recording: states are not compared */
        return;
    begin_closure();
    declared = entry;
    reach_value(owner_of(entry), entry);
    if (entry->of_instances)
        ssb_each_gc_object(visit_instance);
    end_closure(entry->label, 0);
}

void ssbf_hide_viewed(const ssb_view *view)
{
    if (!ssbf || !work)
        return;
    begin_closure();
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(view->objects); i++)
        if (!ssb_heap_is_new((uintptr_t)PyTuple_GET_ITEM(view->objects, i)))
            referents(PyTuple_GET_ITEM(view->objects, i), reached);
    end_closure(view->label, 1);
}

/* ---- base objects: in a state ---------------------------------------------------------------- */

static uint32_t hidden_at(const PyObject *o)
{
    for (uint32_t i = hash_of(o); known.hidden[i].object; i = (i + 1) & (SLOTS - 1))
        if (known.hidden[i].object == o)
            return i;
    return SS_NONE;
}

void ssbf_weak_met(PyObject *o)
{
    uint32_t i = known.n_hidden ? hidden_at(o) : SS_NONE;
    if (i != SS_NONE)
        work->met[i / 8] |= (uint8_t)(1u << (i % 8));
}

static void add_holder(PyObject *o)
{
    if (ssb_heap_is_new((uintptr_t)o) || ssbf_find_object((uintptr_t)o) < 0)
        return;
    if (work->n_holders == OBJECTS) {
        ssbf_fail("too many objects with parts left out of state equality");
        return;
    }
    uint32_t i = work->n_holders;
    for (uint32_t k = 0; k < i; k++)
        if (work->holders[k] == o)
            return;
    for (; i > 0 && work->holders[i - 1] > o; i--)
        work->holders[i] = work->holders[i - 1];
    work->holders[i] = o;
    work->n_holders++;
}

/* Base objects whose hash was made before a part was left out: always in the state. */
void ssbf_weak_begin(void)
{
    memset(work->met, 0, sizeof work->met);
    work->n_postponed = work->n_holders = 0;
    for (uint32_t i = 0; i < ssb_weak.n_ignored; i++) {
        const ssb_ignored *e = &ssb_weak.ignored[i];
        PyObject *o = e->late && !e->of_instances ? owner_of(e) : NULL;
        PyObject *dict = o ? attributes_of(o) : NULL;
        if (o)
            add_holder(dict && ssbf_find_object((uintptr_t)dict) >= 0 ? dict : o);
    }
    for (uint32_t i = 0; i < ssb_weak.n_views; i++)
        for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(ssb_weak.views[i].objects); k++)
            add_holder(PyTuple_GET_ITEM(ssb_weak.views[i].objects, k));
}

void ssbf_weak_holders(void)
{
    for (uint32_t i = 0; i < work->n_holders; i++) {
        ssbf_token(SSBF_TOKEN(SSBF_T_BASE, (uintptr_t)work->holders[i]));
        ssbf_content(work->holders[i]);
    }
}

int ssbf_weak_postpones(uint32_t b)
{
    PyObject *o = ssbf_base(b)->object;
    for (uint32_t i = 0; i < work->n_holders; i++)
        if (work->holders[i] == o)
            return 1;
    uint32_t i = known.n_hidden ? hidden_at(o) : SS_NONE;
    if (i == SS_NONE || work->met[i / 8] >> (i % 8) & 1 || (known.hidden[i].of_view && !ssb_weak.fresh) ||
        work->n_postponed == HIDDEN)
        return 0;
    work->postponed[work->n_postponed++] = b;
    return 1;
}

/* The walk may have met hidden objects after their turn, and walking those may meet more. */
void ssbf_weak_end(void (*changed)(uint32_t b))
{
    for (int again = 1; again && !ssbf->failed;) {
        again = 0;
        for (uint32_t k = 0; k < work->n_postponed; k++) {
            uint32_t b = work->postponed[k];
            if (b == SS_NONE)
                continue;
            uint32_t i = hidden_at(ssbf_base(b)->object);
            if (work->met[i / 8] >> (i % 8) & 1) {
                work->postponed[k] = SS_NONE;
                changed(b);
                ssbf_drain();
                again = 1;
            }
        }
    }
    for (uint32_t k = 0; k < work->n_postponed; k++)
        if (work->postponed[k] != SS_NONE)
            took_effect(known.hidden[hidden_at(ssbf_base(work->postponed[k])->object)].label);
}

#else

void ssbf_hide_ignored(const ssb_ignored *entry) { (void)entry; }
void ssbf_hide_viewed(const ssb_view *view) { (void)view; }

#endif
