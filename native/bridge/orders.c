/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ orders.c — sets of new objects are walked in every order.                  │
 * │                                                                            │
 * │ Where an object hashed by its address lies in the table of a set follows   │
 * │ from bits that nothing promises, and that are others in every run. So the  │
 * │ order in which such a set is walked is an alternative to be chosen, like a │
 * │ value of choose(), at the first walk.                                      │
 * │                                                                            │
 * │ Programs rely on it that a set is walked in one order as long as nobody    │
 * │ adds to it. Each set remembers its own, as slots of its table, in the hash │
 * │ that only frozen sets have. What is removed leaves the others where they   │
 * │ are. What is added may have the table built anew, when depends on          │
 * │ addresses as well: the order is forgotten, and a walk that was under way   │
 * │ goes on anywhere in the next. The order is part of the set's content for   │
 * │ state equality.                                                            │
 * │                                                                            │
 * │ Orders multiply: this is for sets of at most four. What does not qualify   │
 * │ is walked as the table has it, see observe.c.                              │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "orders.h"

#if SSB_CAN_FINGERPRINT

#include "footprint.h"
#include "runtime.h"

#include <string.h>

enum { MOST = 4, SLOTS = 32, SLOT_BITS = 5 };

typedef struct order {
    int n;
    int pops_follow; /* pop() takes the elements in this order */
    int slots[MOST]; /* may have been left by their elements */
} order;

static int sets_are_known; /* as far as all of this depends on it */

/* ---- what a set remembers ------------------------------------------------------------------ */

/* From the lowest bit: 3 for the number of slots, 1 for pops, 5 for each slot. Above them, that there is an order at all. */
#define HAS_ORDER ((Py_hash_t)1 << 62)

static order order_of(const PySetObject *s)
{
    order o = {.n = 0};
    if (!sets_are_known || !PySet_CheckExact(s) || s->hash == -1 || !(s->hash & HAS_ORDER))
        return o;
    o.n = (int)(s->hash & 7);
    o.pops_follow = (int)(s->hash >> 3 & 1);
    for (int i = 0; i < o.n; i++)
        o.slots[i] = (int)(s->hash >> (4 + SLOT_BITS * i)) & (SLOTS - 1);
    return o;
}

static void remember(PySetObject *s, const order *o)
{
    s->hash = HAS_ORDER | o->n | (Py_hash_t)o->pops_follow << 3;
    for (int i = 0; i < o->n; i++)
        s->hash |= (Py_hash_t)o->slots[i] << (4 + SLOT_BITS * i);
}

static int is_live(const PySetObject *s, int slot) { return slot <= s->mask && s->table[slot].key && s->table[slot].hash != -1; }

static int has_slot(const order *o, int slot)
{
    for (int i = 0; i < o->n; i++)
        if (o->slots[i] == slot)
            return 1;
    return 0;
}

int ssbf_has_order(const PySetObject *s) { return order_of(s).n != 0; }

/* Has each of its elements been given a place? */
int ssbf_order_is_complete(const PySetObject *s)
{
    order o = order_of(s);
    int n = 0;
    for (int i = 0; i < o.n; i++)
        n += is_live(s, o.slots[i]);
    return o.n && n == s->used;
}

/* ---- which sets ------------------------------------------------------------------------------ */

static int is_hashed_by_address(PyObject *o)
{
    return o && ssb_heap_is_new((uintptr_t)o) && Py_TYPE(o)->tp_hash == PyBaseObject_Type.tp_hash;
}

/* Weak references have the hash of what they refer to, and methods that of their instance in theirs. */
static int has_place_by_address(PyObject *element)
{
    if (!ssb_heap_is_new((uintptr_t)element) || !PyObject_IS_GC(element) || !PyObject_GC_IsTracked(element))
        return 0;
    if (PyWeakref_CheckRef(element))
        return Py_TYPE(element)->tp_hash == _PyWeakref_RefType.tp_hash && is_hashed_by_address(ssb_weakref_object((PyWeakReference *)element));
    if (PyMethod_Check(element))
        return is_hashed_by_address(PyMethod_GET_SELF(element));
    return is_hashed_by_address(element);
}

int ssbf_order_is_open(PySetObject *s)
{
    if (!sets_are_known || !PySet_CheckExact(s) || s->mask >= SLOTS || !s->used || s->used > MOST)
        return 0;
    for (int slot = 0; slot <= s->mask; slot++)
        if (is_live(s, slot) && !has_place_by_address(s->table[slot].key))
            return 0;
    return 1;
}

/* ---- walks ----------------------------------------------------------------------------------- */

/* Positions of iterators from here on are those of walks in a chosen order: how many of its slots are behind them. */
#define WALKING ((Py_ssize_t)1 << 40)
#define LOST (WALKING + MOST + 1)

static iternextfunc original_next;

int ssbf_is_walk(Py_ssize_t position) { return position >= WALKING; }

int ssbf_walks_in_order(const PyObject *iterator) { return ssbf_is_walk(((const ssbf_set_iterator *)iterator)->position); }

void ssbf_walk_in_order(PyObject *iterator) { ((ssbf_set_iterator *)iterator)->position = WALKING; }

/* ---- choosing -------------------------------------------------------------------------------- */

static int choosing; /* the current thread, here */

int ssbf_chooses_order(const ssb_thread *t) { return choosing && t->operation == SSB_OP_CHOOSE; }

static uint32_t choose(uint32_t n)
{
    if (n < 2 || !ssb.active)
        return 0;
    ssb_touch_everything(); /* whoever comes first decides for all others */
    choosing = 1;
    uint32_t k = ssb_choose_data(n);
    choosing = 0;
    ssb_touch_everything();
    return k;
}

static struct {
    const PySetObject *set;
    order order;
    int slot;
} search; /* through the collector's lists, for what visitors see of it */

static void compare_walk(PyObject *o)
{
    ssbf_set_iterator *it = (ssbf_set_iterator *)o;
    if (Py_IS_TYPE(o, &PySetIter_Type) && it->set == search.set && it->position > WALKING)
        it->position = LOST;
}

static void compare_element(PyObject *o)
{
    for (int slot = 0; search.slot < 0 && slot <= search.set->mask; slot++)
        if (is_live(search.set, slot) && search.set->table[slot].key == o && !has_slot(&search.order, slot))
            search.slot = slot;
}

static void no_number(uint64_t unused) { (void)unused; }

static void each_new_object(void (*visit)(PyObject *)) { ssb_each_young_object(PyInterpreterState_Get(), visit, no_number); }

/* Of the elements without a place in the order the one that was made first, -1: none. The collector's lists say which that is,
 * in a replay too. */
static int next_without_place(const PySetObject *s, const order *o)
{
    int any = -1;
    for (int slot = 0; any < 0 && slot <= s->mask; slot++)
        if (is_live(s, slot) && !has_slot(o, slot))
            any = slot;
    if (any < 0)
        return -1;
    search.set = s;
    search.order = *o;
    search.slot = -1;
    each_new_object(compare_element);
    return search.slot < 0 ? any : search.slot;
}

/* For a report: the elements in the order that was chosen, by when they were made. */
static void tell(PySetObject *s, const int *slots, int n)
{
    if (!ssb.recording || s->used < 2)
        return;
    PyObject *numbers = PyTuple_New(n);
    order taken = {.n = 0};
    for (int number = 1; numbers && taken.n < s->used; number++) {
        int slot = taken.slots[taken.n] = next_without_place(s, &taken);
        taken.n++;
        for (int i = 0; i < n; i++)
            if (slots[i] == slot)
                PyTuple_SET_ITEM(numbers, i, PyLong_FromLong(number));
    }
    if (numbers)
        ssb_record(SSB_OP_CHOOSE, (PyObject *)s, NULL, 0, numbers, "done");
    Py_XDECREF(numbers);
    PyErr_Clear();
}

static void begin_order(PySetObject *s)
{
    order o = {.n = 0, .pops_follow = s->finger == 0};
    remember(s, &o);
    search.set = s;
    each_new_object(compare_walk);
}

/* One at a time, each remembered before the next is asked for: what has been chosen so far is nowhere else. */
void ssbf_choose_order(PySetObject *s)
{
    if (ssbf_order_is_complete(s))
        return;
    begin_order(s);
    for (;;) {
        order o = order_of(s);
        int slot = next_without_place(s, &o);
        if (slot < 0) {
            tell(s, o.slots, o.n);
            return;
        }
        int at = (int)choose((uint32_t)o.n + 1);
        memmove(&o.slots[at + 1], &o.slots[at], (size_t)(o.n - at) * sizeof o.slots[0]);
        o.slots[at] = slot;
        o.n++;
        remember(s, &o);
    }
}

/* Who has lost his way goes on anywhere. */
int ssbf_next_in_order(PySetObject *s, Py_ssize_t *position)
{
    if (s->used <= MOST)
        ssbf_choose_order(s);
    order o = order_of(s);
    Py_ssize_t behind = *position < WALKING ? 0 : *position - WALKING;
    for (int i = *position == LOST ? (int)choose((uint32_t)o.n + 1) : (int)behind; i < o.n; i++)
        if (is_live(s, o.slots[i])) {
            *position = WALKING + i + 1;
            return o.slots[i];
        }
    return -1;
}

static PyObject *next_element(PyObject *iterator)
{
    ssbf_set_iterator *it = (ssbf_set_iterator *)iterator;
    if (!it->set || !ssbf_walks_in_order(iterator) || it->used != it->set->used)
        return original_next(iterator);
    int slot = ssbf_next_in_order(it->set, &it->position);
    if (slot < 0) {
        Py_CLEAR(it->set);
        return NULL;
    }
    it->left--;
    return Py_NewRef(it->set->table[slot].key);
}

/* The next pop takes what it finds from the finger on. */
void ssbf_choose_pop(PySetObject *s)
{
    order o = order_of(s);
    int live[MOST], n = 0;
    if (o.pops_follow && ssbf_order_is_complete(s)) {
        for (int i = o.n; i-- > 0;)
            if (is_live(s, o.slots[i]))
                s->finger = o.slots[i];
        return;
    }
    for (order taken = {.n = 0}; n < s->used; n++)
        taken.slots[taken.n++] = live[n] = next_without_place(s, &taken);
    int slot = live[choose((uint32_t)n)];
    tell(s, &slot, 1);
    s->finger = slot;
}

/* ---- state equality ------------------------------------------------------------------------------- */

void ssbf_order_tokens(const PySetObject *s)
{
    order o = order_of(s);
    ssbf_count((uint64_t)o.n << 2 | (uint64_t)o.pops_follow << 1 | (s->finger == 0));
    for (int i = 0; i < o.n; i++)
        if (is_live(s, o.slots[i]))
            ssbf_reference(s->table[o.slots[i]].key);
        else
            ssbf_token(SSBF_TOKEN(SSBF_T_DEAD, i));
}

void ssbf_walk_tokens(const PyObject *iterator)
{
    const ssbf_set_iterator *it = (const ssbf_set_iterator *)iterator;
    ssbf_raw((uint64_t)it->used);
    ssbf_raw((uint64_t)it->left);
    ssbf_raw((uint64_t)it->position);
}

/* ---- installation -------------------------------------------------------------------------------- */

int ssbf_orders_install(void)
{
    if (original_next)
        return 0;
    if (ssbf_watch_ends_of_orders())
        return -1;
    original_next = PySetIter_Type.tp_iternext;
    PySetIter_Type.tp_iternext = next_element;
    ssbf_replace_wrapper(&PySetIter_Type, "__next__", (void *)original_next, (void *)next_element);
    sets_are_known = 1;
    return 0;
}

#endif
