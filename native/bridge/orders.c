/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ orders.c — sets of new objects are walked in every order.                  │
 * │                                                                            │
 * │ Where an object hashed by its address lies in the table of a set follows   │
 * │ from bits that nothing promises, and that are others in every run. So the  │
 * │ order in which such a set is walked is an alternative to be chosen, like a │
 * │ value of choose(): at the first walk, element by element.                  │
 * │                                                                            │
 * │ Programs rely on it that a set is walked in one order as long as nobody    │
 * │ adds to it. Each set remembers its own, as slots of its table, in the hash │
 * │ that only frozen sets have. What is added later may come anywhere between  │
 * │ the others; when the table is rebuilt, or the set is cleared, all of it is │
 * │ forgotten. The order is part of the set's content for state equality.      │
 * │                                                                            │
 * │ Small tables only, with room for four elements: orders multiply. What does │
 * │ not qualify is walked as the table has it, see observe.c.                  │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "orders.h"

#if SSB_CAN_FINGERPRINT

#include "footprint.h"
#include "runtime.h"

#include <string.h>

#define MASK (PySet_MINSIZE - 1)
#define WALKING ((Py_ssize_t)1 << 40) /* positions from here on are those of walks in a chosen order: behind which place + 1 */
#define NO_SLOT (MASK + 1)

enum { PLACES = 8 };

/* A place outlives its element, for walks may stand there. */
typedef struct place {
    int name; /* below PLACES; no two places of a set have the same */
    int slot; /* of its element, if that is still there; NO_SLOT: another one has taken the slot */
} place;

typedef struct order {
    int n;
    int pops_follow; /* pop() takes the elements in this order */
    place places[PLACES + 1];
} order;

static int sets_are_known; /* as far as all of this depends on it */

/* ---- what a set remembers ------------------------------------------------------------------ */

/* From the lowest bit: 4 for the number of places, 1 for pops, 3 + 4 for each place. Above them, that there is an order at all. */
#define HAS_ORDER ((Py_hash_t)1 << 62)

static order order_of(const PySetObject *s)
{
    order o = {.n = 0};
    if (!sets_are_known || !PySet_CheckExact(s) || s->hash == -1 || !(s->hash & HAS_ORDER) || s->mask != MASK)
        return o;
    o.n = (int)(s->hash & 15);
    o.pops_follow = (int)(s->hash >> 4 & 1);
    for (int i = 0; i < o.n; i++)
        o.places[i] = (place){(int)(s->hash >> (5 + 7 * i)) & 7, (int)(s->hash >> (8 + 7 * i)) & 15};
    return o;
}

static void remember(PySetObject *s, const order *o)
{
    Py_hash_t hash = HAS_ORDER | o->n | (Py_hash_t)o->pops_follow << 4;
    for (int i = 0; i < o->n; i++)
        hash |= (Py_hash_t)(o->places[i].name | o->places[i].slot << 3) << (5 + 7 * i);
    s->hash = hash;
}

static int is_live(const PySetObject *s, int slot) { return slot <= MASK && s->table[slot].key && s->table[slot].hash != -1; }

static int index_of_slot(const order *o, int slot)
{
    for (int i = 0; i < o->n; i++)
        if (o->places[i].slot == slot)
            return i;
    return -1;
}

static int index_of_name(const order *o, int name)
{
    for (int i = 0; i < o->n; i++)
        if (o->places[i].name == name)
            return i;
    return -1;
}

/* A walk that stands in a place that is given up loses its way. */
static void give_up_empty_places(const PySetObject *s, order *o)
{
    int n = 0;
    for (int i = 0; i < o->n; i++)
        if (is_live(s, o->places[i].slot))
            o->places[n++] = o->places[i];
    o->n = n;
}

static void insert(const PySetObject *s, order *o, int at, int slot)
{
    int name = 0;
    while (index_of_name(o, name) >= 0)
        name++;
    memmove(&o->places[at + 1], &o->places[at], (size_t)(o->n - at) * sizeof o->places[0]);
    o->places[at] = (place){name, slot};
    if (++o->n == PLACES)
        give_up_empty_places(s, o);
}

/* ---- which sets ------------------------------------------------------------------------------ */

static int has_place_by_address(PyObject *element)
{
    return ssb_heap_is_new((uintptr_t)element) && Py_TYPE(element)->tp_hash == PyBaseObject_Type.tp_hash &&
           PyObject_IS_GC(element) && PyObject_GC_IsTracked(element);
}

int ssbf_order_is_open(PySetObject *s)
{
    if (!sets_are_known || !PySet_CheckExact(s) || s->mask != MASK || !s->used)
        return 0;
    for (int slot = 0; slot <= MASK; slot++)
        if (is_live(s, slot) && !has_place_by_address(s->table[slot].key))
            return 0;
    return 1;
}

/* ---- choosing -------------------------------------------------------------------------------- */

static uint32_t choose(uint32_t n)
{
    if (n < 2)
        return 0;
    ssb_touch_everything(); /* whoever comes first decides for all others */
    uint32_t k = ssb_choose_data(n);
    ssb_touch_everything();
    return k;
}

static struct {
    const PySetObject *set;
    order known;
    int slot;
} search;

static void compare(PyObject *o)
{
    for (int slot = 0; search.slot < 0 && slot <= MASK; slot++)
        if (is_live(search.set, slot) && search.set->table[slot].key == o && index_of_slot(&search.known, slot) < 0)
            search.slot = slot;
}

static void no_number(uint64_t unused) { (void)unused; }

/* Of the elements without a place in the order the one that was made first, -1: none. The collector's lists say which that is,
 * in a replay too. */
static int next_without_place(const PySetObject *s, const order *o)
{
    int any = -1;
    for (int slot = 0; any < 0 && slot <= MASK; slot++)
        if (is_live(s, slot) && index_of_slot(o, slot) < 0)
            any = slot;
    if (any < 0)
        return -1;
    search.set = s;
    search.known = *o;
    search.slot = -1;
    ssb_each_young_object(PyInterpreterState_Get(), compare, no_number);
    return search.slot < 0 ? any : search.slot;
}

int ssbf_order_is_complete(const PySetObject *s)
{
    order o = order_of(s);
    int n = 0;
    for (int i = 0; i < o.n; i++)
        n += is_live(s, o.places[i].slot);
    return o.n && n == s->used;
}

/* One at a time, each remembered before the next is asked for: what has been chosen so far is nowhere else. */
void ssbf_choose_order(PySetObject *s)
{
    for (;;) {
        order o = order_of(s);
        int slot = next_without_place(s, &o);
        if (slot < 0)
            return;
        int at = (int)choose((uint32_t)o.n + 1);
        o.pops_follow = s->finger == 0 && (o.pops_follow || !o.n);
        insert(s, &o, at, slot);
        remember(s, &o);
    }
}

/* ---- walking ------------------------------------------------------------------------------------ */

static iternextfunc original_next;

void ssbf_walk_in_order(PyObject *iterator) { ((ssbf_set_iterator *)iterator)->position = WALKING; }

int ssbf_is_walk(Py_ssize_t position) { return position >= WALKING; }

int ssbf_walks_in_order(const PyObject *iterator) { return ssbf_is_walk(((const ssbf_set_iterator *)iterator)->position); }

/* The index of the next element of the order. If there is no telling how far the walk has come, it goes on anywhere. */
static int index_behind(const order *o, Py_ssize_t position)
{
    if (position == WALKING)
        return 0;
    int i = index_of_name(o, (int)(position - WALKING - 1));
    return i >= 0 ? i + 1 : (int)choose((uint32_t)o->n + 1);
}

int ssbf_next_in_order(PySetObject *s, Py_ssize_t *position)
{
    if (ssb.active)
        ssbf_choose_order(s);
    order o = order_of(s);
    for (int i = *position < WALKING ? 0 : index_behind(&o, *position); i < o.n; i++)
        if (is_live(s, o.places[i].slot)) {
            *position = WALKING + o.places[i].name + 1;
            return o.places[i].slot;
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

int ssbf_is_set_iterator(const PyObject *o) { return Py_TYPE(o)->tp_iternext == next_element; }

/* The next pop takes what it finds from the finger on. */
void ssbf_choose_pop(PySetObject *s)
{
    order o = order_of(s);
    int live[MASK + 1], n = 0;
    if (o.pops_follow && ssbf_order_is_complete(s)) {
        for (int i = o.n; i-- > 0;)
            if (is_live(s, o.places[i].slot))
                s->finger = o.places[i].slot;
        return;
    }
    for (order taken = {.n = 0}; n < s->used; n++) {
        live[n] = next_without_place(s, &taken);
        taken.places[taken.n++].slot = live[n];
    }
    s->finger = live[choose((uint32_t)n)];
}

/* ---- state equality ------------------------------------------------------------------------------- */

void ssbf_order_tokens(const PySetObject *s)
{
    order o = order_of(s);
    ssbf_count((uint64_t)o.n << 2 | (uint64_t)o.pops_follow << 1 | (s->finger == 0));
    if (o.n) /* the table is built anew when it is full, and the order forgotten */
        ssbf_count((uint64_t)s->fill);
    for (int i = 0; i < o.n; i++)
        if (is_live(s, o.places[i].slot))
            ssbf_reference(s->table[o.places[i].slot].key);
        else
            ssbf_token(SSBF_TOKEN(SSBF_T_DEAD, i));
}

void ssbf_walk_tokens(const PyObject *iterator)
{
    const ssbf_set_iterator *it = (const ssbf_set_iterator *)iterator;
    order o = order_of(it->set);
    ssbf_raw((uint64_t)it->used);
    ssbf_raw((uint64_t)it->left);
    ssbf_count(it->position == WALKING ? 0 : (uint64_t)(2 + index_of_name(&o, (int)(it->position - WALKING - 1))));
}

/* ---- when an order ends ------------------------------------------------------------------------------ */

/* Clearing a set and exchanging its table forget the hash themselves. */

/* Around a call that may rebuild the table, and in whose middle others may do anything: an order outlasts it only if the table
 * is what it was. */
typedef struct outlasting {
    Py_hash_t hash;
    setentry table[MASK + 1];
} outlasting;

static outlasting set_aside(PyObject *set)
{
    PySetObject *s = (PySetObject *)set;
    outlasting before = {.hash = -1};
    if (order_of(s).n) {
        before.hash = s->hash;
        memcpy(before.table, s->table, sizeof before.table);
        s->hash = -1;
    }
    return before;
}

static void put_back(PyObject *set, const outlasting *before)
{
    PySetObject *s = (PySetObject *)set;
    if (before->hash != -1 && s->hash == -1 && s->mask == MASK && !memcmp(before->table, s->table, sizeof before->table))
        s->hash = before->hash;
}

static PyCFunction original_add, original_update, original_difference, original_symmetric;
static binaryfunc original_or, original_subtract, original_xor;

#define OUTLASTING(call)                   \
    outlasting before = set_aside(set);    \
    PyObject *result = (call);             \
    put_back(set, &before);                \
    return result

static PyObject *add(PyObject *set, PyObject *element)
{
    if (Py_TYPE(element)->tp_hash != PyBaseObject_Type.tp_hash) {
        OUTLASTING(original_add(set, element));
    }
    PySetObject *s = (PySetObject *)set;
    order o = order_of(s);
    Py_ssize_t fill = s->fill;
    for (int i = 0; i < o.n; i++)
        if (!is_live(s, o.places[i].slot))
            o.places[i].slot = NO_SLOT; /* it may be taken */
    PyObject *result = original_add(set, element);
    if (o.n && (s->fill < fill || s->mask != MASK)) /* the table has been built anew */
        s->hash = -1;
    else if (o.n)
        remember(s, &o);
    return result;
}

typedef PyObject *(*fast_function)(PyObject *, PyObject *const *, Py_ssize_t);

static PyObject *update(PyObject *set, PyObject *others) { OUTLASTING(original_update(set, others)); }
static PyObject *update_fast(PyObject *set, PyObject *const *others, Py_ssize_t n)
{
    OUTLASTING(((fast_function)(void (*)(void))original_update)(set, others, n));
}
static PyObject *difference(PyObject *set, PyObject *others) { OUTLASTING(original_difference(set, others)); }
static PyObject *difference_fast(PyObject *set, PyObject *const *others, Py_ssize_t n)
{
    OUTLASTING(((fast_function)(void (*)(void))original_difference)(set, others, n));
}
static PyObject *symmetric(PyObject *set, PyObject *other) { OUTLASTING(original_symmetric(set, other)); }
static PyObject *in_place_or(PyObject *set, PyObject *other) { OUTLASTING(original_or(set, other)); }
static PyObject *in_place_subtract(PyObject *set, PyObject *other) { OUTLASTING(original_subtract(set, other)); }
static PyObject *in_place_xor(PyObject *set, PyObject *other) { OUTLASTING(original_xor(set, other)); }

int ssbf_order_call_goes_on(PyCFunction function)
{
    const PyCFunction calls[] = {add, update, (PyCFunction)(void (*)(void))update_fast, difference,
                                 (PyCFunction)(void (*)(void))difference_fast, symmetric};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (function == calls[i])
            return 1;
    return 0;
}

/* ---- installation --------------------------------------------------------------------------------------- */

static int watch_method(const char *name, int flags, PyCFunction *original, PyCFunction ours)
{
    return ssbf_replace(ssbf_method_of(&PySet_Type, name), flags, original, ours);
}

static int watch_either(const char *name, PyCFunction *original, PyCFunction ours, fast_function fast)
{
    return watch_method(name, METH_VARARGS, original, ours) &&
           watch_method(name, METH_FASTCALL, original, (PyCFunction)(void (*)(void))fast);
}

static void watch_operator(const char *name, binaryfunc *slot, binaryfunc *original, binaryfunc ours)
{
    *original = *slot;
    *slot = ours;
    ssbf_replace_wrapper(&PySet_Type, name, (void *)*original, (void *)ours);
}

/* Of a set with an order: what the rest of this file takes for granted about tables and the unused hash. */
static int behaves(void)
{
    PyObject *made = PySet_New(NULL), *numbers[5] = {NULL};
    PySetObject *s = (PySetObject *)made;
    int right = made && s->mask == MASK && s->hash == -1 && s->finger == 0;
    for (int i = 0; i < 5; i++)
        right = right && (numbers[i] = PyLong_FromLong(i + 1));
    right = right && !PySet_Add(made, numbers[0]);
    if (right)
        s->hash = HAS_ORDER;
    right = right && !PySet_Clear(made) && s->hash == -1;
    if (right) {
        s->hash = HAS_ORDER;
        PyObject *same = PyNumber_InPlaceAnd(made, made);
        right = same == made && s->hash == -1;
        Py_XDECREF(same);
    }
    /* Four fit into the small table, five do not. */
    for (int i = 0; i < 5; i++)
        right = right && !PySet_Add(made, numbers[i]) && (s->mask == MASK) == (i < 4);
    for (int i = 0; i < 5; i++)
        Py_XDECREF(numbers[i]);
    Py_XDECREF(made);
    PyErr_Clear();
    return right;
}

int ssbf_orders_install(PyTypeObject *iterator_type)
{
    if (original_next)
        return 0;
    PyNumberMethods *slots = PySet_Type.tp_as_number;
    if (!behaves() || watch_method("add", METH_O, &original_add, add) ||
        watch_either("update", &original_update, update, update_fast) ||
        watch_either("difference_update", &original_difference, difference, difference_fast) ||
        watch_method("symmetric_difference_update", METH_O, &original_symmetric, symmetric))
        return -1;
    watch_operator("__ior__", &slots->nb_inplace_or, &original_or, in_place_or);
    watch_operator("__isub__", &slots->nb_inplace_subtract, &original_subtract, in_place_subtract);
    watch_operator("__ixor__", &slots->nb_inplace_xor, &original_xor, in_place_xor);
    original_next = iterator_type->tp_iternext;
    iterator_type->tp_iternext = next_element;
    ssbf_replace_wrapper(iterator_type, "__next__", (void *)original_next, (void *)next_element);
    sets_are_known = 1;
    return 0;
}

#endif
