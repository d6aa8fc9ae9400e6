/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ runtime_layout.c — is this the interpreter it was compiled for?            │
 * │                                                                            │
 * │ The accessors of compat_3xx.h read structs that CPython may change without │
 * │ notice. Before anything relies on them they are asked about live objects   │
 * │ whose answers are known. One wrong answer, and no states are compared.     │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>

static const char sample[] =
    "class C:\n"
    "    pass\n"
    "class N(int):\n"
    "    pass\n"
    "plain, shown = C(), C()\n"
    "plain.first = 'x'; plain.second = 'y'\n"
    "class S:\n"
    "    __slots__ = ('slot', '__dict__')\n"
    "slotted = S()\n"
    "slotted.slot = 'z'; slotted.first = 'x'; slotted.second = 'y'\n"
    "shown.first = 'x'; shown.second = 'y'\n"
    "shown_dict = shown.__dict__\n"
    "reference = __import__('weakref').ref(plain)\n"
    "def g(a, b):\n"
    "    yield a\n"
    "    yield b\n"
    "generator = g(plain, shown)\n"
    "next(generator)\n"
    "code = g.__code__\n"
    "big = -(1 << 65) - 3\n";

static int is_text(PyObject *o, const char *text) { return o && PyUnicode_Check(o) && PyUnicode_CompareWithASCIIString(o, text) == 0; }

/* Two attributes, in the object itself. */
static int values_are_known(PyObject *o)
{
    PyDictKeysObject *keys = ssb_type_keys(Py_TYPE(o));
    PyDictValues *values = ssb_instance_values(o);
    const void *start;
    if (!keys || !values || ssb_values_size(values) != 2 || ssb_values_memory(values, keys, &start) < 2 * sizeof(PyObject *))
        return 0;
    for (int i = 0; i < 2; i++) {
        int e = ssb_values_entry(values, i);
        if (e > 1 || !is_text(DK_UNICODE_ENTRIES(keys)[e].me_key, i ? "second" : "first") || !is_text(values->values[e], i ? "y" : "x"))
            return 0;
    }
    return 1;
}

/* The same behind slots; some versions give such an object a dictionary at once. */
static int slots_are_known(PyObject *o)
{
    if (!ssb_type_has_managed_dict(Py_TYPE(o)))
        return 1;
    PyObject *dict = ssb_instance_dict(o);
    return ssb_instance_values(o) ? values_are_known(o) : dict && PyDict_CheckExact(dict) && PyDict_GET_SIZE(dict) == 2;
}

static int instances_are_known(PyObject *names)
{
    PyObject *plain = PyDict_GetItemString(names, "plain"), *shown = PyDict_GetItemString(names, "shown");
    PyTypeObject *c = (PyTypeObject *)PyDict_GetItemString(names, "C");
    if (!ssb_type_has_managed_dict(c) || !ssb_type_is_python_class(c) || !values_are_known(plain) ||
        !slots_are_known(PyDict_GetItemString(names, "slotted")))
        return 0;
    return !ssb_instance_values(shown) && ssb_instance_dict(shown) == PyDict_GetItemString(names, "shown_dict") &&
           (PyObject *)ssb_object_weakrefs(plain) == PyDict_GetItemString(names, "reference") && !ssb_object_weakrefs(shown);
}

static int types_are_known(PyObject *names)
{
    PyObject *n = PyDict_GetItemString(names, "N"), *table = ssb_type_subclasses(&PyLong_Type), *key, *reference;
    PyObject *dict = ssb_type_dict(&PyLong_Type);
    Py_ssize_t position = 0;
    int found = 0;
    if (!table || !PyDict_CheckExact(table) || !dict || !PyDict_CheckExact(dict) || !PyDict_GetItemString(dict, "bit_length"))
        return 0;
    while (PyDict_Next(table, &position, &key, &reference))
        found |= PyWeakref_CheckRef(reference) && ssb_weakref_object((PyWeakReference *)reference) == n;
    dict = ssb_type_dict((PyTypeObject *)n);
    return found && dict && PyDict_CheckExact(dict) && PyDict_GetItemString(dict, "__module__") != NULL;
}

static int numbers_are_known(PyObject *names)
{
    const void *data;
    int sign;
    digit big[3] = {3, 0, (digit)1 << (65 - 2 * PyLong_SHIFT)};
    PyObject *zero = PyLong_FromLong(0), *n = PyDict_GetItemString(names, "big");
    int known = zero && ssb_long_digits(zero, &data, &sign) == 0 && !sign;
    Py_XDECREF(zero);
    return known && ssb_long_digits(n, &data, &sign) == sizeof big && sign == 1 && !memcmp(data, big, sizeof big) &&
           ssb_var_items(n) == 3;
}

static int frames_are_known(PyObject *names)
{
    PyObject *g = PyDict_GetItemString(names, "generator"), *code = PyDict_GetItemString(names, "code");
    PyFrameObject *here = PyEval_GetFrame();
    ssb_frame *inner = ssb_thread_frame(PyThreadState_Get());
    if (here && (!inner || ssb_frame_object(inner) != here || !PyCode_Check(ssb_frame_code(inner))))
        return 0;
    if (!ssb_generator_has_frame(g) || (PyObject *)ssb_generator_code(g) != code)
        return 0;
    ssb_frame *f = ssb_generator_frame(g);
    int unit = ssb_frame_unit(f);
    return ssb_frame_code(f) == (PyCodeObject *)code && ssb_frame_function(f) == PyDict_GetItemString(names, "g") &&
           ssb_frame_is_generators(f) && ssb_frame_generator(f) == g && unit > 0 && unit < Py_SIZE(code) &&
           ssb_frame_stacktop(f) >= ((PyCodeObject *)code)->co_nlocalsplus &&
           ssb_frame_value(f, 0) == PyDict_GetItemString(names, "plain") &&
           ssb_frame_value(f, 1) == PyDict_GetItemString(names, "shown");
}

int ssbf_layout_is_known(void)
{
    static int known = -1;
    if (known >= 0)
        return known;
    known = 0;
    if (!ssb_runtime_is_known())
        return 0;
    PyObject *names = Py_BuildValue("{s:O}", "__builtins__", PyEval_GetBuiltins());
    PyObject *made = names ? PyRun_String(sample, Py_file_input, names, names) : NULL;
    known = made && instances_are_known(names) && types_are_known(names) && numbers_are_known(names) && frames_are_known(names);
    Py_XDECREF(made);
    Py_XDECREF(names);
    PyErr_Clear();
    return known;
}

#endif
