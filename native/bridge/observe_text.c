/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ observe_text.c — addresses that a program sees in texts and as hashes.     │
 * │                                                                            │
 * │ Any type written in C may show an address in its repr: functions, locks,   │
 * │ generators, hash objects of C libraries. So every such repr is replaced,   │
 * │ and what it returns is searched for addresses of new objects. There is one │
 * │ function of ours for each of theirs: a repr may call that of a base class. │
 * │                                                                            │
 * │ hash() is taken over in observe.c; here it is the slot wrappers, by which  │
 * │ o.__hash__() and super().__hash__() reach the same number.                 │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>

#define REPRS 512u

static reprfunc originals[REPRS];
static uint32_t n_originals;

/* ---- texts ------------------------------------------------------------------------- */

static int digit_of(Py_UCS4 c)
{
    return c >= '0' && c <= '9' ? (int)(c - '0') : c >= 'a' && c <= 'f' ? (int)(c - 'a') + 10 : -1;
}

/* Is there a hexadecimal number in it that is the address of something new? */
static int shows_address(PyObject *text)
{
    Py_ssize_t n = PyUnicode_GET_LENGTH(text);
    int kind = PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    for (Py_ssize_t i = 0; i + 2 < n; i++) {
        if (PyUnicode_READ(kind, data, i) != '0' || PyUnicode_READ(kind, data, i + 1) != 'x')
            continue;
        uintptr_t address = 0;
        for (Py_ssize_t k = i + 2; k < n && k < i + 18; k++) {
            int digit = digit_of(PyUnicode_READ(kind, data, k));
            if (digit < 0)
                break;
            address = address << 4 | (uintptr_t)digit;
        }
        if (ssb_heap_is_new(address))
            return 1;
    }
    return 0;
}

static PyObject *look(uint32_t number, PyObject *o)
{
    PyObject *text = originals[number](o);
    if (text && ssb.active && PyUnicode_Check(text) && !(ssb.addresses_observed & SSB_OBSERVED_ADDRESSES) && shows_address(text) &&
        !ssbf_describes_a_failure() && !ssbf_text_is_dropped())
        ssb_observe(SSB_OBSERVED_ADDRESSES);
    return text;
}

/* One function for each number. */
#define EACH_8(X, n) X(n##0) X(n##1) X(n##2) X(n##3) X(n##4) X(n##5) X(n##6) X(n##7)
#define EACH_64(X, n) EACH_8(X, n##0) EACH_8(X, n##1) EACH_8(X, n##2) EACH_8(X, n##3) EACH_8(X, n##4) EACH_8(X, n##5) EACH_8(X, n##6) EACH_8(X, n##7)
#define EACH_512(X) EACH_64(X, 00) EACH_64(X, 01) EACH_64(X, 02) EACH_64(X, 03) EACH_64(X, 04) EACH_64(X, 05) EACH_64(X, 06) EACH_64(X, 07)
#define DEFINE(octal) static PyObject *look_##octal(PyObject *o) { return look(octal, o); }
#define NAME(octal) look_##octal,
EACH_512(DEFINE)
static const reprfunc ours[REPRS] = {EACH_512(NAME)};

static int is_ours(reprfunc f)
{
    for (uint32_t i = 0; i < n_originals; i++)
        if (ours[i] == f)
            return 1;
    return 0;
}

/* Values, and containers that ask their elements: no address of their own. Often used. */
static int shows_nothing(const PyTypeObject *t)
{
    const PyTypeObject *const types[] = {&PyUnicode_Type, &PyLong_Type, &PyBool_Type, &PyFloat_Type, &PyComplex_Type, &PyBytes_Type,
                                         &PyList_Type, &PyTuple_Type, &PyDict_Type, &PySet_Type, &PyType_Type, &PyBaseObject_Type};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (t->tp_repr == types[i]->tp_repr)
            return 1;
    return 0;
}

static reprfunc python_repr; /* of classes that define __repr__: their code is seen to do what it does */
static hashfunc python_hash;
static int watching, too_many;

static reprfunc replacement_of(reprfunc original)
{
    for (uint32_t i = 0; i < n_originals; i++)
        if (originals[i] == original)
            return ours[i];
    if (n_originals == REPRS) {
        too_many = 1;
        return original;
    }
    originals[n_originals] = original;
    return ours[n_originals++];
}

void ssbf_observe_text_of(PyTypeObject *t)
{
    reprfunc original = t->tp_repr;
    if (!watching || !original || original == python_repr || is_ours(original) || shows_nothing(t))
        return;
    t->tp_repr = replacement_of(original);
    PyObject *wrapper = PyDict_GetItemString(ssb_type_dict(t), "__repr__"); /* classes made later inherit by it */
    if (wrapper && Py_TYPE(wrapper) == &PyWrapperDescr_Type && ((PyWrapperDescrObject *)wrapper)->d_wrapped == (void *)original)
        ((PyWrapperDescrObject *)wrapper)->d_wrapped = (void *)t->tp_repr;
    PyErr_Clear();
}

/* ---- hashes ---------------------------------------------------------------------------- */

int ssbf_hash_is_python(PyTypeObject *t) { return python_hash && t->tp_hash == python_hash; }

/* [].__len__: private to CPython, checked on a live one. */
typedef struct bound_wrapper {
    PyObject_HEAD
    PyWrapperDescrObject *descriptor;
    PyObject *self;
} bound_wrapper;

static PyTypeObject *bound_type; /* has a name in C up to 3.12 only */
static ternaryfunc original_descriptor_call, original_bound_call;

static void look_at_hash(const PyWrapperDescrObject *d, PyObject *o)
{
    if (!ssb.active || !o || strcmp(d->d_base->name, "__hash__") || d->d_wrapped == (void *)python_hash)
        return;
    int is_address = d->d_wrapped == (void *)PyBaseObject_Type.tp_hash; /* whatever the object's own class says */
    if (is_address ? ssb_heap_is_new((uintptr_t)o) : ssbf_hash_uses_address(o, 0))
        ssb_observe(SSB_OBSERVED_ADDRESSES);
}

static PyObject *descriptor_call(PyObject *descriptor, PyObject *args, PyObject *kwargs)
{
    if (PyTuple_GET_SIZE(args) > 0)
        look_at_hash((PyWrapperDescrObject *)descriptor, PyTuple_GET_ITEM(args, 0));
    return original_descriptor_call(descriptor, args, kwargs);
}

static PyObject *bound_call(PyObject *bound, PyObject *args, PyObject *kwargs)
{
    look_at_hash(((bound_wrapper *)bound)->descriptor, ((bound_wrapper *)bound)->self);
    return original_bound_call(bound, args, kwargs);
}

static int bound_layout_is_known(void)
{
    PyObject *self = PyList_New(0), *bound = self ? PyObject_GetAttrString(self, "__len__") : NULL;
    bound_type = bound ? Py_TYPE(bound) : NULL;
    int known = bound && !strcmp(bound_type->tp_name, "method-wrapper") && bound_type->tp_call &&
                bound_type->tp_basicsize >= (Py_ssize_t)sizeof(bound_wrapper) && ((bound_wrapper *)bound)->self == self &&
                Py_TYPE(((bound_wrapper *)bound)->descriptor) == &PyWrapperDescr_Type;
    Py_XDECREF(bound);
    Py_XDECREF(self);
    PyErr_Clear();
    return known;
}

/* ---- installation -------------------------------------------------------------------------- */

static void find_python_slots(void)
{
    PyObject *len = PyDict_GetItemString(PyEval_GetBuiltins(), "len");
    PyObject *type = len ? PyObject_CallFunction((PyObject *)&PyType_Type, "s(){s:O,s:O}", "T", "__hash__", len, "__repr__", len) : NULL;
    if (type) {
        python_hash = ((PyTypeObject *)type)->tp_hash;
        python_repr = ((PyTypeObject *)type)->tp_repr;
    }
    Py_XDECREF(type);
    PyErr_Clear();
}

int ssbf_observe_texts(void)
{
    if (watching)
        return 0;
    find_python_slots();
    if (!python_repr || !python_hash || !bound_layout_is_known())
        return -1;
    original_descriptor_call = PyWrapperDescr_Type.tp_call;
    original_bound_call = bound_type->tp_call;
    PyWrapperDescr_Type.tp_call = descriptor_call;
    bound_type->tp_call = bound_call;
    watching = 1;
    return 0;
}

int ssbf_texts_are_missed(void) { return too_many; }

#endif
