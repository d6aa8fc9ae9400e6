/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ preempt_values.c — who can reach a value, who can change it.               │
 * │                                                                            │
 * │ Two proofs that an operation commutes with everything other threads do:    │
 * │ the values are immutable, or all references to them lie in frames of this  │
 * │ thread (reference count = references found there). The second also holds   │
 * │ for objects that will be shared later: publishing them is a visible access │
 * │ of its own, and comes after.                                               │
 * │                                                                            │
 * │ The dictionary of an instance is the one thing that others can hold        │
 * │ without holding the instance: then its attributes are anybody's.           │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "compat.h" /* first: it decides how Python.h is read */

#include "preempt_internal.h"

#include "footprint.h"

#include <string.h>

#define MAX_FRAMES 48
#define MAX_REFERENCES 64
#define MAX_ELEMENTS 64
#define MAX_DEPTH 3

static int is_harmless(PyObject *value, int depth)
{
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyLong_Type || type == &PyUnicode_Type || type == &PyBool_Type || value == Py_None ||
        type == &PyFloat_Type || type == &PyBytes_Type || type == &PyFunction_Type || type == &PyComplex_Type ||
        type == &PyRange_Type || type == &PyCode_Type || type == &PyModule_Type || value == Py_Ellipsis ||
        value == Py_NotImplemented)
        return 1;
    if (type == &PyType_Type || type == &PyMethodDescr_Type || type == &PyWrapperDescr_Type || type == &PyGetSetDescr_Type ||
        type == &PyMemberDescr_Type || type == &PyClassMethodDescr_Type)
        return 1;
    if (PyType_Check(value))
        return 1;
    if (type == &PyTuple_Type) {
        Py_ssize_t n = PyTuple_GET_SIZE(value);
        if (depth >= MAX_DEPTH || n > MAX_ELEMENTS)
            return 0;
        for (Py_ssize_t i = 0; i < n; i++)
            if (!is_harmless(PyTuple_GET_ITEM(value, i), depth + 1))
                return 0;
        return 1;
    }
    if (type == &PySlice_Type) {
        const PySliceObject *slice = (const PySliceObject *)value;
        return is_harmless(slice->start, depth + 1) && is_harmless(slice->stop, depth + 1) &&
               is_harmless(slice->step, depth + 1);
    }
    if (type == &PyCFunction_Type) {
        PyObject *self = PyCFunction_GET_SELF(value);
        return self == NULL || (depth < MAX_DEPTH && is_harmless(self, depth + 1));
    }
    return 0;
}

int ssbp_is_harmless(PyObject *value) { return is_harmless(value, 0); }

int ssbp_compares_by_identity(PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    return !ssbp.slots_stored && type->tp_richcompare == PyBaseObject_Type.tp_richcompare &&
           type->tp_hash == PyBaseObject_Type.tp_hash;
}

/* -- locality ----------------------------------------------------------------------- */

static int has_weak_references(PyObject *value)
{
    Py_ssize_t offset = Py_TYPE(value)->tp_weaklistoffset;
    return offset != 0 && *(PyObject **)((char *)value + offset) != NULL;
}

int ssbp_dies_visibly(PyObject *value)
{
    if (value != NULL && PyCell_Check(value) && Py_REFCNT(value) == 1)
        value = PyCell_GET(value);
    return value != NULL && Py_REFCNT(value) == 1 && (PyMemoryView_Check(value) || has_weak_references(value));
}

int ssbp_dict_is_shared(PyObject *owner)
{
    PyTypeObject *type = Py_TYPE(owner);
    PyObject *dict = NULL;
    if (ssb_type_has_managed_dict(type)) {
        dict = ssb_instance_dict(owner);
    } else if (type->tp_dictoffset != 0) {
        PyObject **at = _PyObject_GetDictPtr(owner);
        dict = at != NULL ? *at : NULL;
    }
    return dict != NULL && Py_REFCNT(dict) > 1;
}

/* During T(...) type.__call__ itself holds one reference to the new object while
 * __init__ runs: true for the frame of that __init__. */
static int is_being_constructed(ssbp_frame *frame, const PyCodeObject *code, PyObject *value)
{
    if (code->co_nlocalsplus < 1 || ssbp_local(frame, 0) != value || !ssbp_frame_entered_from_c(frame) ||
        code->co_name != ssbp_names[SSBP_NAME_INIT])
        return 0;
    PyTypeObject *type = Py_TYPE(value);
    ssbp_frame *caller = ssbp_frame_back(frame);
    if (caller == NULL || type->tp_new != PyBaseObject_Type.tp_new || Py_TYPE(type)->tp_call != PyType_Type.tp_call)
        return 0;
    PyCodeObject *caller_code = ssbp_frame_code(caller);
    const ssbp_code *entry = ssbp_find_code(caller_code, caller->f_globals);
    if (entry == NULL) {
        PyErr_Clear();
        return 0;
    }
    int unit = ssbp_frame_unit(caller, caller_code);
    if (entry->records == NULL || unit < 0 || (uint32_t)unit >= entry->units)
        return 0;
    const ssbp_record *record = &entry->records[unit];
    int callable = record->height - record->operand - (SSBP_CALLABLE_FIRST ? 2 : 1);
    if (!(record->flags & SSBP_CALLS) || callable < 0)
        return 0;
    return ssbp_local(caller, caller_code->co_nlocalsplus + callable) == (PyObject *)type;
}

int ssbp_is_local(const ssbp_view *view, PyObject *value, Py_ssize_t extra)
{
    Py_ssize_t references = Py_REFCNT(value) - extra;
    if (!ssbp.locality || references > MAX_REFERENCES || has_weak_references(value) || ssbp_dict_is_shared(value))
        return 0;
    Py_ssize_t found = 0;
    int depth = 0;
    for (ssbp_frame *frame = view->frame; frame != NULL && depth < MAX_FRAMES; frame = frame->previous, depth++) {
        PyCodeObject *code = ssbp_frame_code(frame);
        if (code == NULL && !ssbp_frame_is_shim(frame))
            continue;
        const ssbp_slot *end = frame == view->frame ? view->top : ssbp_caller_top(frame);
        if (end == NULL) /* inside a C call: which stack slots still own their values is unknown */
            end = frame->localsplus + (code != NULL ? code->co_nlocalsplus : 0);
        for (const ssbp_slot *slot = frame->localsplus; slot < end; slot++)
            found += ssbp_value(*slot) == value && ssbp_owns(*slot);
        if (found < references && code != NULL && is_being_constructed(frame, code, value))
            found++;
        if (found >= references) {
            if (found == references && ssb.footprints) /* now: others may have held it before */
                ssb_touch(value, 0, SSBP_BOTH);
            return found == references;
        }
    }
    return 0;
}

/* -- containers ---------------------------------------------------------------------- */

static int is_deque(PyTypeObject *type)
{
    return strcmp(type->tp_name, "collections.deque") == 0;
}

int ssbp_is_container(PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    return type == &PyList_Type || type == &PyDict_Type || type == &PySet_Type || type == &PyFrozenSet_Type ||
           type == &PyByteArray_Type || type == &PyTuple_Type || is_deque(type);
}

static int holds_harmless_only(PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyByteArray_Type)
        return 1;
    if (type == &PyList_Type) {
        Py_ssize_t n = PyList_GET_SIZE(value);
        for (Py_ssize_t i = 0; i < n; i++)
            if (n > MAX_ELEMENTS || !ssbp_is_harmless(PyList_GET_ITEM(value, i)))
                return 0;
        return 1;
    }
    PyObject *key, *item;
    Py_ssize_t position = 0;
    if (type == &PyDict_Type) {
        if (PyDict_GET_SIZE(value) > MAX_ELEMENTS)
            return 0;
        while (PyDict_Next(value, &position, &key, &item))
            if (!ssbp_is_harmless(key) || !ssbp_is_harmless(item))
                return 0;
        return 1;
    }
    if (type == &PySet_Type || type == &PyFrozenSet_Type) {
        const PySetObject *set = (const PySetObject *)value;
        if (set->mask >= MAX_ELEMENTS * 4)
            return 0;
        for (Py_ssize_t i = 0; i <= set->mask; i++)
            if (set->table[i].key != NULL && set->table[i].hash != -1 && !ssbp_is_harmless(set->table[i].key))
                return 0;
        return 1;
    }
    return 0;
}

int ssbp_is_quiet(const ssbp_view *view, PyObject *value)
{
    if (ssbp_is_harmless(value))
        return 1;
    return ssbp_is_container(value) && ssbp_is_local(view, value, 0) && holds_harmless_only(value);
}

/* -- the rest --------------------------------------------------------------------------- */

int ssbp_special_is_traced(PyObject *value, enum ssbp_name name)
{
    if (ssbp.slots_stored || !(Py_TYPE(value)->tp_flags & Py_TPFLAGS_HEAPTYPE))
        return 0;
    PyObject *method = _PyType_Lookup(Py_TYPE(value), ssbp_names[name]);
    return method != NULL && PyFunction_Check(method) && ssbp_function_needs(method) == 0;
}

uint32_t ssbp_part(PyObject *name)
{
    Py_ssize_t n = 0;
    long long number = 0;
    int overflow = 1;
    const void *bytes = PyUnicode_Check(name) ? PyUnicode_AsUTF8AndSize(name, &n) : NULL;
    if (PyLong_CheckExact(name))
        number = PyLong_AsLongLongAndOverflow(name, &overflow);
    if (overflow == 0) {
        bytes = &number;
        n = sizeof number;
    }
    if (bytes == NULL) {
        PyErr_Clear();
        return 1;
    }
    uint32_t part = (uint32_t)ssb.engine->hash64(bytes, (size_t)n);
    return part != 0 ? part : 1;
}

int ssbp_dict_has(PyObject *dict, PyObject *key)
{
    if (PyDict_GET_SIZE(dict) > MAX_ELEMENTS)
        return -1;
    PyObject *other, *value;
    Py_ssize_t position = 0;
    int found = 0;
    while (PyDict_Next(dict, &position, &other, &value)) {
        PyTypeObject *type = Py_TYPE(other);
        if (type != &PyLong_Type && type != &PyUnicode_Type && type != &PyTuple_Type && other != Py_None)
            return -1; /* True is 1, and an instance can be what it likes */
        if (type != Py_TYPE(key))
            continue;
        int same = PyObject_RichCompareBool(other, key, Py_EQ);
        if (same < 0)
            PyErr_Clear();
        found |= same != 0;
    }
    return found;
}

int ssbp_others_alive(void)
{
    for (uint32_t i = 0; i < ssb.n_threads; i++)
        if (i != ssb.current && ssb.threads[i].status != SSB_DONE && ssb.threads[i].status != SSB_FREE)
            return 1;
    return 0;
}
