/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ handlers_local.c — threading.local, which names itself by its address.     │
 * │                                                                            │
 * │ Until 3.12 each thread's dictionary holds its part of a local object under │
 * │ the text "thread.local.0x…": such a text stands for the object.             │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>

typedef struct local {
    PyObject_HEAD
    PyObject *key, *args, *kwargs;
    PyObject *weak_references;
    PyObject *parts;    /* weak reference to a thread's mark → that thread's attributes */
    PyObject *callback; /* takes a part out when its thread ends */
} local;

static const char prefix[] = "thread.local.0x";

static void local_content(PyObject *o)
{
    local *l = (local *)o;
    ssbf_reference(l->args);
    ssbf_reference(l->kwargs);
    ssbf_reference(l->parts);
}

static const ssbf_handler handler = {"local", local_content, NULL, sizeof(local)};

/* The address a text names; 0 if it is no such text. */
static uintptr_t named_address(PyObject *text)
{
    size_t n = sizeof prefix - 1, length = (size_t)PyUnicode_GET_LENGTH(text);
    if (!PyUnicode_IS_COMPACT_ASCII(text) || length <= n || length > n + 12)
        return 0;
    const char *at = PyUnicode_DATA(text);
    if (memcmp(at, prefix, n) != 0)
        return 0;
    uintptr_t address = 0;
    for (at += n; *at; at++) {
        int digit = *at >= '0' && *at <= '9' ? *at - '0' : *at >= 'a' && *at <= 'f' ? *at - 'a' + 10 : -1;
        if (digit < 0)
            return 0;
        address = address << 4 | (uintptr_t)digit;
    }
    return address;
}

PyObject *ssbf_named_local(PyObject *text)
{
    uintptr_t start, address = Py_TYPE(text) == &PyUnicode_Type && ssb_unicode_is_value(text) ? named_address(text) : 0;
    uint32_t bytes;
    if (!address || address & 7 || !ssb_heap_is_new(address) || ssb_heap_find(address, &start, &bytes) != 3 ||
        bytes < address - start + sizeof(local))
        return NULL;
    PyObject *o = (PyObject *)address;
    return ssbf_is_type(Py_TYPE(o)) && Py_REFCNT(o) > 0 && ssbf_handler_of(Py_TYPE(o)) == &handler ? o : NULL;
}

/* Without attributes nothing but the key and the callback is there; one attribute makes one part. */
static int layout_is_known(PyTypeObject *type)
{
    PyObject *o = type ? PyObject_CallNoArgs((PyObject *)type) : NULL;
    int known = 0;
    if (o && type->tp_basicsize == sizeof(local) && type->tp_weaklistoffset == offsetof(local, weak_references)) {
        local *l = (local *)o;
        known = l->key && PyUnicode_CheckExact(l->key) && named_address(l->key) == (uintptr_t)o && l->parts &&
                PyDict_CheckExact(l->parts) && l->callback && PyCFunction_CheckExact(l->callback) &&
                PyObject_SetAttrString(o, "x", Py_None) == 0 && PyDict_GET_SIZE(l->parts) == 1;
    }
    Py_XDECREF(o);
    PyErr_Clear();
    return known;
}

/* From 3.13 on nothing is named by an address. */
int ssbf_register_local(void)
{
    if (PY_VERSION_HEX < 0x030d0000) {
        PyTypeObject *type = ssbf_type_of("_thread", "_local");
        ssbf_register_layout("threading.local", type, layout_is_known(type), &handler);
    }
    return PyErr_Occurred() ? -1 : 0;
}

#endif
