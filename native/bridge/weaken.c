/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ weaken.c — declarations of what is left out of state equality.             │
 * │                                                                            │
 * │ The user takes the responsibility: states that differ only there are       │
 * │ merged. So every declaration has a label, and the parent reports each that │
 * │ left anything out of any state.                                            │
 * │                                                                            │
 * │ A view is evaluated where invariants are: by the thread that is about to   │
 * │ make a choice point. Nothing runs between that and the fingerprint. Choice │
 * │ points without an evaluation (a thread that has ended) compare everything. │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "compat.h"
#include "runtime.h"
#include "weaken.h"

#include <string.h>

ssb_weakenings ssb_weak;
ssb_labels *ssb_weak_labels;

/* -- labels ------------------------------------------------------------------------- */

/* The last place is shared by all that found none of their own. */
static uint32_t label_number(const char *text)
{
    ssb_labels *labels = ssb_weak_labels;
    char cut[SSB_LABEL_BYTES];
    snprintf(cut, sizeof cut, "%s", text);
    for (uint32_t i = 0; i < labels->n; i++)
        if (!strcmp(labels->text[i], cut))
            return i;
    if (labels->n == SSB_LABELS - 1)
        snprintf(cut, sizeof cut, "further declarations");
    uint32_t i = labels->n < SSB_LABELS ? labels->n++ : SSB_LABELS - 1;
    memcpy(labels->text[i], cut, sizeof cut);
    return i;
}

PyObject *ssb_weakened(void)
{
    PyObject *list = PyList_New(0);
    for (uint32_t i = 0; list != NULL && ssb_weak_labels != NULL && i < ssb_weak_labels->n; i++) {
        if (!ssb_weak_labels->effective[i])
            continue;
        const char *text = ssb_weak_labels->text[i];
        PyObject *label = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
        if (label == NULL || PyList_Append(list, label) < 0)
            Py_CLEAR(list);
        Py_XDECREF(label);
    }
    return list;
}

/* -- ignore --------------------------------------------------------------------------- */

#if SSB_CAN_FINGERPRINT

static PyObject *owner_of(const ssb_ignored *e)
{
    PyObject *o = ssb_weakref_object((PyWeakReference *)e->owner);
    return o == Py_None ? NULL : o;
}

static void forget_the_dead(void)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < ssb_weak.n_ignored; i++) {
        ssb_ignored e = ssb_weak.ignored[i];
        if (owner_of(&e) != NULL) {
            ssb_weak.ignored[n++] = e;
            continue;
        }
        Py_DECREF(e.owner);
        Py_DECREF(e.name);
    }
    ssb_weak.n_ignored = n;
}

/* Where a class with __slots__ keeps the attribute, 0 if nowhere. */
static Py_ssize_t slot_of(PyTypeObject *type, PyObject *name)
{
    PyObject *found = _PyType_Lookup(type, name);
    if (found == NULL || Py_TYPE(found) != &PyMemberDescr_Type)
        return 0;
    PyMemberDef *member = ((PyMemberDescrObject *)found)->d_member;
    return member->type == T_OBJECT || member->type == T_OBJECT_EX ? member->offset : 0;
}

int ssb_ignore(PyObject *owner, PyObject *name, int of_instances, const char *label)
{
    forget_the_dead();
    for (uint32_t i = 0; i < ssb_weak.n_ignored; i++) {
        const ssb_ignored *e = &ssb_weak.ignored[i];
        if (owner_of(e) == owner && PyUnicode_Compare(e->name, name) == 0)
            return 0;
    }
    if (ssb_weak.n_ignored == SSB_WEAKENINGS) {
        PyErr_Format(PyExc_ValueError, "ignore: more than %u objects at a time; name their class instead", SSB_WEAKENINGS);
        return -1;
    }
    PyObject *reference = PyWeakref_NewRef(owner, NULL);
    if (reference == NULL)
        return -1;
    ssb_ignored *e = &ssb_weak.ignored[ssb_weak.n_ignored];
    *e = (ssb_ignored){
        .owner = reference,
        .name = Py_NewRef(name),
        .slot = slot_of(of_instances ? (PyTypeObject *)owner : Py_TYPE(owner), name),
        .of_instances = (uint8_t)of_instances,
        .late = (uint8_t)(ssb.active || ssb_is_paused()),
        .label = label_number(label),
    };
    PyUnicode_InternInPlace(&e->name);
    ssb_weak.n_ignored++;
    ssbf_hide_ignored(e);
    return 0;
}

/* -- view -------------------------------------------------------------------------------- */

int ssb_declare_view(PyObject *function, PyObject *objects, const char *label)
{
    if (ssb_weak.n_views == SSB_WEAKENINGS) {
        PyErr_Format(PyExc_ValueError, "view: more than %u views; let one function speak for several objects", SSB_WEAKENINGS);
        return -1;
    }
    ssb_view *v = &ssb_weak.views[ssb_weak.n_views++];
    *v = (ssb_view){Py_NewRef(function), Py_NewRef(objects), Py_NewRef(Py_None), label_number(label)};
    ssbf_hide_viewed(v);
    return 0;
}

void ssb_evaluate_views(void)
{
    for (uint32_t i = 0; i < ssb_weak.n_views; i++) {
        PyObject *result = PyObject_CallNoArgs(ssb_weak.views[i].function);
        if (result == NULL)
            ssb_thread_failed();
        Py_SETREF(ssb_weak.views[i].result, result);
    }
    ssb_weak.fresh = 1;
}

#else /* states are never merged: there is nothing to leave out of their comparison */

int ssb_ignore(PyObject *owner, PyObject *name, int of_instances, const char *label)
{
    (void)owner;
    (void)name;
    (void)of_instances;
    (void)label_number(label);
    return 0;
}

int ssb_declare_view(PyObject *function, PyObject *objects, const char *label)
{
    (void)function;
    (void)objects;
    (void)label_number(label);
    return 0;
}

void ssb_evaluate_views(void) {}

#endif

int ssb_ignore_all(PyObject *list)
{
    for (Py_ssize_t i = 0; list != NULL && i < PyList_GET_SIZE(list); i++) {
        PyObject *owner, *name;
        int of_instances;
        const char *label;
        if (!PyArg_ParseTuple(PyList_GET_ITEM(list, i), "OUps", &owner, &name, &of_instances, &label) ||
            ssb_ignore(owner, name, of_instances, label) < 0)
            return -1;
    }
    return 0;
}
