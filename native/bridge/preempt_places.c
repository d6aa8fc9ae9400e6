/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ preempt_places.c — which data an instruction is about to touch.            │
 * │                                                                            │
 * │ For data races only, where the other direction is the careful one: what is │
 * │ not known is no place, and never everything. So this is kept apart from    │
 * │ the object and part that say what commutes.                                │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "preempt_internal.h"

#include <string.h>

void ssbp_place(ssbp_access *out, enum ssb_place_kind kind, PyObject *object, PyObject *part, int access)
{
    out->place = (ssb_place){.object = object, .part = part, .kind = (uint8_t)kind, .access = (uint8_t)access};
}

static int is_sequence(PyObject *container)
{
    return PyList_CheckExact(container) || PyByteArray_CheckExact(container) ||
           strcmp(Py_TYPE(container)->tp_name, "collections.deque") == 0;
}

void ssbp_place_item(ssbp_access *out, const ssbp_view *view, PyObject *container, PyObject *key, int access, int deletes)
{
    int has_entries = PyDict_CheckExact(container) || PyAnySet_CheckExact(container);
    if (has_entries && (ssbp_is_harmless(key) || ssbp_compares_by_identity(key) || ssbp_is_quiet(view, key))) {
        ssbp_place(out, SSB_PLACE_ENTRY, container, key, access);
    } else if (is_sequence(container) && !deletes && (PyLong_CheckExact(key) || PyBool_Check(key))) {
        ssbp_place(out, SSB_PLACE_INDEX, container, NULL, access);
        out->place.index = PyLong_AsSsize_t(key);
        if (out->place.index == -1 && PyErr_Occurred()) {
            PyErr_Clear();
            out->place.kind = SSB_PLACE_NONE; /* an IndexError whatever others do */
        }
    } else {
        ssbp_place(out, SSB_PLACE_WHOLE, container, NULL, access);
    }
}

static int is_one_of(const char *name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(name, *names) == 0)
            return 1;
    return 0;
}

void ssbp_place_method(ssbp_access *out, const ssbp_view *view, const char *name, PyObject *self, PyObject *const *args,
                       Py_ssize_t n, int access)
{
    static const char *const of_entries[] = {"get", "setdefault", "pop", "add", "discard", "remove", NULL};
    static const char *const at_the_end[] = {"append", "extend", NULL};
    if (n >= 1 && (PyDict_CheckExact(self) || PyAnySet_CheckExact(self)) && is_one_of(name, of_entries))
        ssbp_place_item(out, view, self, args[0], access, 0);
    else if (is_sequence(self) && is_one_of(name, at_the_end))
        ssbp_place(out, SSB_PLACE_SIZE, self, NULL, access); /* items that are there stay as they are */
    else
        ssbp_place(out, SSB_PLACE_WHOLE, self, NULL, access);
    out->place.method = 1;
}

void ssbp_place_index(ssbp_access *out, PyObject *sequence, Py_ssize_t index, int access)
{
    ssbp_place(out, SSB_PLACE_INDEX, sequence, NULL, access);
    out->place.index = index;
}

void ssbp_place_next(ssbp_access *out, const ssbp_view *view, PyObject *iterator)
{
    if (Py_TYPE(iterator) != &PyListIter_Type || !ssbp_is_local(view, iterator, 0))
        return;
    const ssbp_list_iterator *of_list = (const ssbp_list_iterator *)iterator;
    if (of_list->list == NULL)
        return;
    ssbp_place_index(out, of_list->list, of_list->index, SSBP_READ);
}

void ssbp_place_of_class(ssbp_access *out, PyTypeObject *owner, PyObject *name, int access)
{
    PyObject *mro = owner->tp_mro;
    for (Py_ssize_t i = 0; mro != NULL && i < PyTuple_GET_SIZE(mro); i++) {
        PyTypeObject *base = (PyTypeObject *)PyTuple_GET_ITEM(mro, i);
        if (base->tp_flags & Py_TPFLAGS_HEAPTYPE && PyDict_GetItemWithError(base->tp_dict, name) != NULL) {
            ssbp_place(out, SSB_PLACE_ATTRIBUTE, (PyObject *)base, name, access);
            return;
        }
    }
}

int ssbp_same_key(PyObject *a, PyObject *b)
{
    if (a == b)
        return 1;
    if (PyType_Check(a) || PyType_Check(b) || ssbp_compares_by_identity(a) || ssbp_compares_by_identity(b))
        return 0;
    if (!ssbp_is_harmless(a) || !ssbp_is_harmless(b))
        return 1;
    int same = PyObject_RichCompareBool(a, b, Py_EQ);
    if (same < 0)
        PyErr_Clear();
    return same != 0;
}
