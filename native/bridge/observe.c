/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ observe.c — programs that look at what the fingerprint leaves out.         │
 * │                                                                            │
 * │ Addresses of new objects, dummies in hash tables of sets and unreachable   │
 * │ objects are left out of states, and most programs never see them: leaving  │
 * │ them out is what makes interleavings meet. A program that does look (id(), │
 * │ hash() or repr() of an object without its own, the order of a set,         │
 * │ gc.collect()) breaks the assumption under which states were merged so far. │
 * │ Its path then ends with SS_END_RESTART, and the search begins again with   │
 * │ the property in every state. It is never only switched on from there on:   │
 * │ what was merged before would stay lost.                                    │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include <stdio.h>
#include <string.h>

static int looking_matters; /* states are compared in this process */

void ssbf_observe_begin(void) { looking_matters = 1; }

int ssbf_looking_matters(void) { return ssb.active && looking_matters; }

/* By bit. The last one stands for the first two as well. */
static const char *const details[] = {"observe addresses", "observe sets", "observe garbage", "observe sizes and counts",
                                      "observe orders"};
#define N_DETAILS (sizeof details / sizeof details[0])

void ssb_observe(uint32_t what)
{
    uint32_t missing = what & ~ssb.addresses_observed;
    if (!missing || !ssbf_looking_matters())
        return;
    int first = missing & SSB_OBSERVED_ORDERS ? (int)N_DETAILS - 1 : __builtin_ctz(missing);
    char detail[SS_DETAIL_BYTES], where[SS_DETAIL_BYTES / 2];
    ssb_describe_line(where, sizeof where);
    snprintf(detail, sizeof detail, "%s%s%s", details[first], where[0] != '\0' ? " at " : "", where);
    ssb.engine->end_path(ssb.arena, SS_END_RESTART, detail);
}

uint32_t ssb_observed_from(PyObject *promoted)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < N_DETAILS; i++) {
        PyObject *detail = PyUnicode_FromString(details[i]);
        if (detail && PySequence_Contains(promoted, detail) == 1)
            bits |= 1u << i;
        Py_XDECREF(detail);
    }
    PyErr_Clear();
    if (bits & SSB_OBSERVED_ORDERS)
        bits |= SSB_OBSERVED_SETS | SSB_OBSERVED_ADDRESSES;
    return bits;
}

int ssb_address_matters(PyObject *o) { return ssb_heap_is_new((uintptr_t)o); }

/* ---- whose hash depends on an address --------------------------------------------------- */

#define MAX_VALUE_HASHES 24
static hashfunc value_hashes[MAX_VALUE_HASHES]; /* of types that hash what they contain, and nothing else */
static int n_value_hashes;

static void add_value_hash(PyTypeObject *type)
{
    if (type && n_value_hashes < MAX_VALUE_HASHES)
        value_hashes[n_value_hashes++] = type->tp_hash;
}

static void add_value_hash_of(const char *module, const char *name)
{
    PyObject *key = PyUnicode_FromString(module), *m = key ? PyImport_GetModule(key) : NULL;
    PyObject *type = m ? PyObject_GetAttrString(m, name) : NULL;
    if (type && PyType_Check(type))
        add_value_hash((PyTypeObject *)type);
    Py_XDECREF(type);
    Py_XDECREF(m);
    Py_XDECREF(key);
    PyErr_Clear();
}

static void find_value_hashes(void)
{
    PyTypeObject *types[] = {&PyUnicode_Type, &PyLong_Type, &PyFloat_Type, &PyComplex_Type, &PyBytes_Type, &PyMemoryView_Type,
                             &PyRange_Type};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        add_value_hash(types[i]);
    static const char *const names[] = {"date", "time", "datetime", "timedelta", "timezone"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        add_value_hash_of("_datetime", names[i]);
    add_value_hash_of("_decimal", "Decimal");
    add_value_hash_of("re", "Pattern");
}

static int hashes_its_value(const PyTypeObject *type)
{
    for (int i = 0; i < n_value_hashes; i++)
        if (type->tp_hash == value_hashes[i])
            return 1;
    return 0;
}

int ssbf_hash_uses_address(PyObject *o, int depth)
{
    if (!ssb_heap_is_new((uintptr_t)o) || hashes_its_value(Py_TYPE(o)))
        return 0;
    if (depth > 6)
        return 1;
    hashfunc hash = Py_TYPE(o)->tp_hash;
    if (PyTuple_Check(o) && hash == PyTuple_Type.tp_hash) {
        for (Py_ssize_t i = 0; i < Py_SIZE(o); i++)
            if (ssbf_hash_uses_address(PyTuple_GET_ITEM(o, i), depth + 1))
                return 1;
        return 0;
    }
    if (PyFrozenSet_Check(o) && hash == PyFrozenSet_Type.tp_hash) {
        PySetObject *s = (PySetObject *)o;
        for (Py_ssize_t i = 0; i <= s->mask; i++)
            if (s->table[i].key && s->table[i].hash != -1 && ssbf_hash_uses_address(s->table[i].key, depth + 1))
                return 1;
        return 0;
    }
    return !ssbf_hash_is_python(Py_TYPE(o));
}

/* ---- id, hash, repr --------------------------------------------------------------------------------- */

static PyCFunction original_id, original_hash;
static reprfunc original_repr;

static PyObject *look_id(PyObject *module, PyObject *o)
{
    if (ssb_heap_is_new((uintptr_t)o) && ssbf_looking_matters() && !ssbf_addresses_are_forgotten() && !ssbf_describes_a_failure())
        ssb_observe(SSB_OBSERVED_ADDRESSES);
    return original_id(module, o);
}

static PyCFunction original_addressof, original_buffer_info;

static PyObject *look_addressof(PyObject *module, PyObject *o)
{
    if (ssb_heap_is_new((uintptr_t)o))
        ssb_observe(SSB_OBSERVED_ADDRESSES);
    return original_addressof(module, o);
}

static PyObject *look_buffer_info(PyObject *array, PyObject *unused)
{
    if (ssb_heap_is_new((uintptr_t)array))
        ssb_observe(SSB_OBSERVED_ADDRESSES);
    return original_buffer_info(array, unused);
}

static PyObject *look_hash(PyObject *module, PyObject *o)
{
    if (ssbf_hash_uses_address(o, 0))
        ssb_observe(SSB_OBSERVED_ADDRESSES);
    return original_hash(module, o);
}

static PyObject *look_repr(PyObject *o)
{
    if (ssb_heap_is_new((uintptr_t)o) && ssbf_looking_matters() && !ssbf_describes_a_failure())
        ssb_observe(SSB_OBSERVED_ADDRESSES);
    return original_repr(o);
}

/* ---- garbage -------------------------------------------------------------------------------------------- */

static PyCFunction original_collect, original_get_objects, original_enable, original_referrers;

static PyObject *look_collect(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    ssb_observe(SSB_OBSERVED_GARBAGE);
    return ((_PyCFunctionFastWithKeywords)(void (*)(void))original_collect)(module, args, n, names);
}

static PyObject *look_get_objects(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    ssb_observe(SSB_OBSERVED_GARBAGE);
    return ((_PyCFunctionFastWithKeywords)(void (*)(void))original_get_objects)(module, args, n, names);
}

static PyObject *look_enable(PyObject *module, PyObject *unused)
{
    ssb_observe(SSB_OBSERVED_GARBAGE);
    return original_enable(module, unused);
}

static PyObject *look_referrers(PyObject *module, PyObject *objects)
{
    ssb_observe(SSB_OBSERVED_GARBAGE);
    return original_referrers(module, objects);
}

static PyObject *look_referrers_fast(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    ssb_observe(SSB_OBSERVED_GARBAGE);
    return ((_PyCFunctionFast)(void (*)(void))original_referrers)(module, args, n);
}

/* ---- sizes and counts: of memory that states leave out ------------------------------------------------------ */

static PyCFunction original_sizeof;

/* A function of no or one argument that is a look. */
#define LOOK_AT_COUNTS(name)                                             \
    static PyCFunction original_##name;                                  \
    static PyObject *look_##name(PyObject *module, PyObject *argument)   \
    {                                                                    \
        ssb_observe(SSB_OBSERVED_COUNTS);                                \
        return original_##name(module, argument);                        \
    }

LOOK_AT_COUNTS(count)
LOOK_AT_COUNTS(stats)
LOOK_AT_COUNTS(tracked)
LOOK_AT_COUNTS(freeze)
LOOK_AT_COUNTS(unfreeze)
LOOK_AT_COUNTS(frozen)
LOOK_AT_COUNTS(refcount)
LOOK_AT_COUNTS(blocks)
/* Which references to an object there are, also such that nothing would ever notice. */
LOOK_AT_COUNTS(weak_count)
LOOK_AT_COUNTS(weak_list)

static PyObject *look_sizeof(PyObject *module, PyObject *args, PyObject *kwargs)
{
    ssb_observe(SSB_OBSERVED_COUNTS);
    return ((PyCFunctionWithKeywords)(void (*)(void))original_sizeof)(module, args, kwargs);
}

/* ---- pickle: goes through the table of a set without asking for an iterator ----------------------------------- */

static PyCFunction original_dumps, original_dump;

static PyObject *look_dumps(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    PyObject *data = ((_PyCFunctionFastWithKeywords)(void (*)(void))original_dumps)(module, args, n, names);
    /* 0x8f begins a set. That byte may be there for another reason: then a search is longer than it had to be. */
    if (data && PyBytes_Check(data) && memchr(PyBytes_AS_STRING(data), 0x8f, (size_t)PyBytes_GET_SIZE(data)))
        ssb_observe(SSB_OBSERVED_SETS | SSB_OBSERVED_ADDRESSES);
    return data;
}

static PyObject *look_dump(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    ssb_observe(SSB_OBSERVED_SETS | SSB_OBSERVED_ADDRESSES);
    return ((_PyCFunctionFastWithKeywords)(void (*)(void))original_dump)(module, args, n, names);
}

/* Is it one of ours, and does the original that it calls go through what it was given, maybe as far as to a choice point? */
int ssbf_look_calls_on(PyCFunction function)
{
    const PyCFunction looks[] = {look_hash, (PyCFunction)(void (*)(void))look_collect, (PyCFunction)(void (*)(void))look_dumps,
                                 (PyCFunction)(void (*)(void))look_dump};
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
        if (function == looks[i])
            return 1;
    return ssbf_set_look_calls_on(function);
}

/* ---- installation ----------------------------------------------------------------------------------------- */

int ssbf_replace(PyMethodDef *method, int flags, PyCFunction *original, PyCFunction ours)
{
    if (!method || method->ml_flags != flags || *original)
        return -1; /* another convention: this look is not noticed, see ssbf_observe_install */
    *original = method->ml_meth;
    method->ml_meth = ours;
    return 0;
}

PyMethodDef *ssbf_method_of(PyTypeObject *type, const char *name)
{
    for (PyMethodDef *m = type->tp_methods; m && m->ml_name; m++)
        if (!strcmp(m->ml_name, name))
            return m;
    return NULL;
}

static PyMethodDef *function_of(const char *module, const char *name)
{
    PyObject *m = PyImport_ImportModule(module), *f = m ? PyObject_GetAttrString(m, name) : NULL;
    PyMethodDef *found = f && PyCFunction_CheckExact(f) ? ((PyCFunctionObject *)f)->m_ml : NULL;
    Py_XDECREF(f);
    Py_XDECREF(m);
    PyErr_Clear();
    return found;
}

/* What a module that is loaded already has under a name; NULL if it is not. Extensions can't be loaded later: the guard refuses. */
static PyObject *loaded(const char *module, const char *name)
{
    PyObject *m = PyDict_GetItemString(PyImport_GetModuleDict(), module);
    PyObject *found = m ? PyObject_GetAttrString(m, name) : NULL;
    PyErr_Clear();
    return found;
}

static int observe_buffers(void)
{
    PyObject *addressof = loaded("_ctypes", "addressof"), *array = loaded("array", "array");
    int missed = 0;
    if (addressof && PyCFunction_CheckExact(addressof))
        missed |= ssbf_replace(((PyCFunctionObject *)addressof)->m_ml, METH_O, &original_addressof, look_addressof);
    PyMethodDef *info = array && PyType_Check(array) ? ssbf_method_of((PyTypeObject *)array, "buffer_info") : NULL;
    if (info)
        missed |= ssbf_replace(info, METH_NOARGS, &original_buffer_info, look_buffer_info);
    Py_XDECREF(addressof);
    Py_XDECREF(array);
    return missed;
}

/* The method that shows a slot to Python calls it directly. */
void ssbf_replace_wrapper(PyTypeObject *type, const char *name, void *original, void *ours)
{
    PyObject *wrapper = PyDict_GetItemString(ssb_type_dict(type), name);
    if (wrapper && Py_TYPE(wrapper) == &PyWrapperDescr_Type && ((PyWrapperDescrObject *)wrapper)->d_wrapped == original)
        ((PyWrapperDescrObject *)wrapper)->d_wrapped = ours;
}

/* Classes that inherited the slots. */
static void replace_inherited(PyObject *o)
{
    if (!PyType_Check(o))
        return;
    PyTypeObject *t = (PyTypeObject *)o;
    ssbf_watch_sets_of(t);
    if (t->tp_repr == original_repr)
        t->tp_repr = look_repr;
}

/* Static types are unknown to the collector: reach them over their base classes. One walk for all: it writes to nearly
 * every class, and the child copies their pages. */
static void replace_below(PyTypeObject *type)
{
    replace_inherited((PyObject *)type);
    ssbf_observe_text_of(type);
    PyObject *table = ssb_type_subclasses(type), *key, *reference;
    Py_ssize_t position = 0;
    while (table && PyDict_Next(table, &position, &key, &reference)) {
        PyObject *subclass = ssb_weakref_object((PyWeakReference *)reference);
        if (subclass != Py_None && PyType_Check(subclass))
            replace_below((PyTypeObject *)subclass);
    }
}

int ssbf_observe_install(void)
{
    if (original_repr)
        return 0;
    original_repr = PyBaseObject_Type.tp_repr;
    find_value_hashes();
    int missed = ssbf_observe_texts();
    replace_inherited((PyObject *)&PySet_Type); /* before a class that inherits from another one as well is come to */
    replace_inherited((PyObject *)&PyFrozenSet_Type);
    replace_below(&PyBaseObject_Type);
    missed |= ssbf_texts_are_missed();
    ssbf_replace_wrapper(&PyBaseObject_Type, "__repr__", original_repr, look_repr);
    const int fast_keywords = METH_FASTCALL | METH_KEYWORDS;
    missed |= ssbf_replace(function_of("builtins", "id"), METH_O, &original_id, look_id);
    missed |= ssbf_replace(function_of("builtins", "hash"), METH_O, &original_hash, look_hash);
    missed |= ssbf_replace(function_of("gc", "collect"), fast_keywords, &original_collect, (PyCFunction)(void (*)(void))look_collect);
    missed |= ssbf_replace(function_of("gc", "get_objects"), fast_keywords, &original_get_objects,
                      (PyCFunction)(void (*)(void))look_get_objects);
    missed |= ssbf_replace(function_of("gc", "enable"), METH_NOARGS, &original_enable, look_enable);
    missed |= ssbf_replace(function_of("gc", "get_referrers"), METH_VARARGS, &original_referrers, look_referrers) && /* up to 3.12 */
              ssbf_replace(function_of("gc", "get_referrers"), METH_FASTCALL, &original_referrers,
                      (PyCFunction)(void (*)(void))look_referrers_fast);
    missed |= ssbf_replace(function_of("gc", "get_count"), METH_NOARGS, &original_count, look_count);
    missed |= ssbf_replace(function_of("gc", "get_stats"), METH_NOARGS, &original_stats, look_stats);
    missed |= ssbf_replace(function_of("gc", "is_tracked"), METH_O, &original_tracked, look_tracked);
    missed |= ssbf_replace(function_of("_weakref", "getweakrefcount"), METH_O, &original_weak_count, look_weak_count);
    missed |= ssbf_replace(function_of("_weakref", "getweakrefs"), METH_O, &original_weak_list, look_weak_list);
    missed |= ssbf_replace(function_of("gc", "freeze"), METH_NOARGS, &original_freeze, look_freeze);
    missed |= ssbf_replace(function_of("gc", "unfreeze"), METH_NOARGS, &original_unfreeze, look_unfreeze);
    missed |= ssbf_replace(function_of("gc", "get_freeze_count"), METH_NOARGS, &original_frozen, look_frozen);
    missed |= ssbf_replace(function_of("sys", "getrefcount"), METH_O, &original_refcount, look_refcount);
    missed |= ssbf_replace(function_of("sys", "getallocatedblocks"), METH_NOARGS, &original_blocks, look_blocks);
    missed |= ssbf_replace(function_of("sys", "getsizeof"), METH_VARARGS | METH_KEYWORDS, &original_sizeof,
                      (PyCFunction)(void (*)(void))look_sizeof);
    missed |= ssbf_replace(function_of("_pickle", "dumps"), fast_keywords, &original_dumps, (PyCFunction)(void (*)(void))look_dumps);
    missed |= ssbf_replace(function_of("_pickle", "dump"), fast_keywords, &original_dump, (PyCFunction)(void (*)(void))look_dump);
    missed |= observe_buffers();
    missed |= ssbf_observe_contexts();
    missed |= ssbf_observe_sets();
    if (missed) /* cannot tell whether a program looks: count with it */
        ssb.addresses_observed |= SSB_OBSERVED_ADDRESSES | SSB_OBSERVED_SETS | SSB_OBSERVED_GARBAGE;
    return 0;
}

#else

void ssb_observe(uint32_t what) { (void)what; }
int ssb_address_matters(PyObject *o)
{
    (void)o;
    return 0;
}
uint32_t ssb_observed_from(PyObject *promoted)
{
    (void)promoted;
    return 0;
}

#endif
