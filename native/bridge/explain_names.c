/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ explain_names.c — what an object is called in an explanation.              │
 * │                                                                            │
 * │ "A function from before, and a function from before" says nothing: what    │
 * │ has a name of its own (functions, classes, members of enumerations, None)  │
 * │ is called by it, and text that is too long for the tokens of a state is    │
 * │ copied. On the agent's stack: reads objects, calls nothing of Python.      │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"
#include "explain.h"

#include <string.h>

#if SSB_CAN_FINGERPRINT

typedef struct writer {
    char *at, *end;
} writer;

static void put(writer *w, const char *text, size_t bytes)
{
    size_t room = (size_t)(w->end - w->at);
    memcpy(w->at, text, bytes < room ? bytes : room);
    w->at += bytes < room ? bytes : room;
}

static void put_text(writer *w, const char *text) { put(w, text, strlen(text)); }

static const char *last_part(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

static int is_plain(PyObject *o) { return o && PyUnicode_CheckExact(o) && PyUnicode_IS_COMPACT_ASCII(o); }

static void put_object(writer *w, PyObject *text)
{
    if (is_plain(text))
        put(w, PyUnicode_DATA(text), (size_t)PyUnicode_GET_LENGTH(text));
    else
        put_text(w, "?");
}

static int is_called(PyObject *key, const char *name)
{
    return is_plain(key) && !strcmp(PyUnicode_DATA(key), name);
}

static PyObject *in_dict(PyObject *dict, const char *name)
{
    if (!dict || !PyDict_CheckExact(dict) || ((PyDictObject *)dict)->ma_values || !DK_IS_UNICODE(((PyDictObject *)dict)->ma_keys))
        return NULL;
    PyDictKeysObject *keys = ((PyDictObject *)dict)->ma_keys;
    PyDictUnicodeEntry *entries = DK_UNICODE_ENTRIES(keys);
    for (Py_ssize_t i = 0; i < keys->dk_nentries; i++)
        if (entries[i].me_value && is_called(entries[i].me_key, name))
            return entries[i].me_value;
    return NULL;
}

/* A member of an enumeration says so itself: `_name_`. */
static PyObject *member_name(PyObject *o)
{
    PyTypeObject *t = Py_TYPE(o);
    PyDictValues *values = ssb_type_has_managed_dict(t) ? ssb_instance_values(o) : NULL;
    if (strcmp(Py_TYPE(t)->tp_name, "EnumType") || !ssb_type_has_managed_dict(t))
        return NULL;
    if (!values)
        return in_dict(ssb_instance_dict(o), "_name_");
    PyDictUnicodeEntry *entries = DK_UNICODE_ENTRIES(ssb_type_keys(t));
    for (int i = 0; i < ssb_values_size(values); i++) {
        int e = ssb_values_entry(values, i);
        if (values->values[e] && is_called(entries[e].me_key, "_name_"))
            return values->values[e];
    }
    return NULL;
}

size_t ssbx_base_name(PyObject *o, char *text, size_t room)
{
    writer w = {text, text + room};
    PyObject *name = member_name(o);
    if (o == Py_None || o == Py_True || o == Py_False || o == Py_Ellipsis) {
        put_text(&w, o == Py_None ? "None" : o == Py_True ? "True" : o == Py_False ? "False" : "...");
    } else if (name) {
        put_text(&w, last_part(Py_TYPE(o)->tp_name));
        put_text(&w, ".");
        put_object(&w, name);
    } else if (Py_TYPE(o) == &PyFunction_Type) {
        put_text(&w, "function ");
        put_object(&w, ((PyFunctionObject *)o)->func_qualname);
    } else if (Py_TYPE(o) == &PyCFunction_Type) {
        put_text(&w, "function ");
        put_text(&w, ((PyCFunctionObject *)o)->m_ml->ml_name);
    } else if (PyType_Check(o)) {
        put_text(&w, "class ");
        put_text(&w, last_part(((PyTypeObject *)o)->tp_name));
    } else {
        put_text(&w, "a ");
        put_text(&w, last_part(Py_TYPE(o)->tp_name));
        put_text(&w, " from before");
    }
    return (size_t)(w.at - text);
}

size_t ssbx_long_text(PyObject *o, char *text, size_t room)
{
    if (!is_plain(o) || PyUnicode_GET_LENGTH(o) <= 16)
        return 0;
    size_t length = (size_t)PyUnicode_GET_LENGTH(o);
    writer w = {text, text + room - 4};
    put_text(&w, "'");
    put_object(&w, o);
    w.end = text + room;
    put_text(&w, length + 1 > room - 4 ? "..." : "'");
    return (size_t)(w.at - text);
}

#endif
