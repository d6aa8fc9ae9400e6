/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ layouts.c — which handlers may look into structs that are private.         │
 * │                                                                            │
 * │ Such a handler comes with a check on live objects: does each field it      │
 * │ reads hold what Python says it holds? Where the answer is no, the type is  │
 * │ walked word by word as any other, and is named in the list that Python     │
 * │ shows the user. All checks together take about a millisecond, so they are  │
 * │ done in each process and never trusted from an earlier one.                │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>

#define MAX_LAYOUTS 64

static struct {
    const char *name;
    int is_known;
} layouts[MAX_LAYOUTS];
static int n_layouts;

PyTypeObject *ssbf_type_of(const char *module, const char *name)
{
    PyObject *key = PyUnicode_FromString(module), *m = key ? PyImport_GetModule(key) : NULL;
    PyObject *t = m ? PyObject_GetAttrString(m, name) : NULL;
    Py_XDECREF(m);
    Py_XDECREF(key);
    PyErr_Clear();
    if (t && !PyType_Check(t)) {
        Py_DECREF(t);
        return NULL;
    }
    return (PyTypeObject *)t; /* kept for the rest of the process */
}

void ssbf_register_layout(const char *name, PyTypeObject *type, int is_known, const ssbf_handler *handler)
{
    if (!type)
        return;
    int i = 0;
    while (i < n_layouts && strcmp(layouts[i].name, name) != 0)
        i++;
    if (i == MAX_LAYOUTS)
        return;
    n_layouts = i == n_layouts ? n_layouts + 1 : n_layouts;
    layouts[i].name = name;
    layouts[i].is_known = is_known;
    if (is_known)
        ssbf_register(type, handler);
    else
        ssbf_unregister(type);
}

int ssbf_register_all(void)
{
    int (*const families[])(void) = {ssbf_register_containers, ssbf_register_collections, ssbf_register_code,
                                     ssbf_register_threading,  ssbf_register_cached,      ssbf_register_context,
                                     ssbf_register_streams,    ssbf_register_functools,   ssbf_register_local,
                                     ssbf_register_queue};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (families[i]())
            return -1;
    return 0;
}

PyObject *ssb_layouts(void)
{
    PyObject *result = ssbf_register_all() ? NULL : PyDict_New();
    for (int i = 0; result && i < n_layouts; i++)
        if (PyDict_SetItemString(result, layouts[i].name, layouts[i].is_known ? Py_True : Py_False) < 0)
            Py_CLEAR(result);
    return result;
}

#else

PyObject *ssb_layouts(void) { return PyDict_New(); }

#endif
