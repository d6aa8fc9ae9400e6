/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ orders_end.c — what ends the order that was chosen for a set.              │
 * │                                                                            │
 * │ Its order stands where frozen sets have their hash (orders.c). Whatever    │
 * │ may add to a set, and so rebuild its table, is called through a function   │
 * │ here, and so are comparisons, which would take an order for a hash. All of │
 * │ them may run any code in their middle: an order outlasts them only if the  │
 * │ table is what it was, and nobody has chosen another one.                   │
 * │                                                                            │
 * │ Clearing a set and exchanging its table forget the hash themselves. C code │
 * │ that adds by PySet_Add is not seen; the next walk finds an element without │
 * │ a place, and begins a new order.                                           │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "orders.h"

#if SSB_CAN_FINGERPRINT

typedef struct outlasting {
    Py_hash_t hash;
    uint64_t table;
} outlasting;

static outlasting set_aside(PyObject *set)
{
    PySetObject *s = (PySetObject *)set;
    outlasting before = {-1, 0};
    if (ssbf_has_order(s)) {
        before = (outlasting){s->hash, ssbf_set_table(s)};
        s->hash = -1;
    }
    return before;
}

static void put_back(PyObject *set, const outlasting *before)
{
    PySetObject *s = (PySetObject *)set;
    if (before->hash != -1 && s->hash == -1 && before->table == ssbf_set_table(s))
        s->hash = before->hash;
}

static PyCFunction original_add, original_update, original_difference, original_symmetric;
static binaryfunc original_or, original_subtract, original_xor;
static richcmpfunc original_compare;

#define OUTLASTING(call)                   \
    outlasting before = set_aside(set);    \
    PyObject *result = (call);             \
    put_back(set, &before);                \
    return result

static PyObject *add(PyObject *set, PyObject *element) { OUTLASTING(original_add(set, element)); }

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

/* Sets with different hashes are not equal. */
static PyObject *compare(PyObject *set, PyObject *other, int operator)
{
    outlasting before = set_aside(set), others = set_aside(other);
    PyObject *result = original_compare(set, other, operator);
    put_back(other, &others);
    put_back(set, &before);
    return result;
}

int ssbf_order_call_goes_on(PyCFunction function)
{
    const PyCFunction calls[] = {add, update, (PyCFunction)(void (*)(void))update_fast, difference,
                                 (PyCFunction)(void (*)(void))difference_fast, symmetric};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (function == calls[i])
            return 1;
    return 0;
}

/* ---- installation ----------------------------------------------------------------------------------- */

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

static void watch_comparisons(PyTypeObject *type)
{
    static const char *const names[] = {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"};
    if (type->tp_richcompare != original_compare)
        return;
    type->tp_richcompare = compare;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ssbf_replace_wrapper(type, names[i], (void *)original_compare, (void *)compare);
    PyObject *table = ssb_type_subclasses(type), *key, *reference;
    Py_ssize_t position = 0;
    while (table && PyDict_Next(table, &position, &key, &reference)) {
        PyObject *subclass = ssb_weakref_object((PyWeakReference *)reference);
        if (subclass != Py_None && PyType_Check(subclass))
            watch_comparisons((PyTypeObject *)subclass);
    }
}

/* Do clearing a set and exchanging its table forget the hash? */
static int behaves(void)
{
    PyObject *made = PySet_New(NULL), *same = NULL;
    PySetObject *s = (PySetObject *)made;
    int right = made && s->hash == -1 && s->finger == 0 && !PySet_Add(made, Py_None);
    if (right)
        s->hash = 0;
    right = right && !PySet_Clear(made) && s->hash == -1;
    if (right)
        s->hash = 0;
    right = right && (same = PyNumber_InPlaceAnd(made, made)) && s->hash == -1;
    Py_XDECREF(same);
    Py_XDECREF(made);
    PyErr_Clear();
    return right;
}

int ssbf_watch_ends_of_orders(void)
{
    PyNumberMethods *slots = PySet_Type.tp_as_number;
    if (!behaves() || watch_method("add", METH_O, &original_add, add) ||
        watch_either("update", &original_update, update, update_fast) ||
        watch_either("difference_update", &original_difference, difference, difference_fast) ||
        watch_method("symmetric_difference_update", METH_O, &original_symmetric, symmetric))
        return -1;
    watch_operator("__ior__", &slots->nb_inplace_or, &original_or, in_place_or);
    watch_operator("__isub__", &slots->nb_inplace_subtract, &original_subtract, in_place_subtract);
    watch_operator("__ixor__", &slots->nb_inplace_xor, &original_xor, in_place_xor);
    original_compare = PySet_Type.tp_richcompare;
    watch_comparisons(&PySet_Type);
    watch_comparisons(&PyFrozenSet_Type);
    return 0;
}

#endif
