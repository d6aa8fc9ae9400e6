/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ handlers_cached.c — immutable objects that compute a field when it is      │
 * │ first asked for (a hash, a tuple of positions), and subclasses of str and  │
 * │ bytes. Whether somebody asked is no part of the state.                     │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include <datetime.h>
#include <string.h>

/* ---- fields filled later ------------------------------------------------------------ */

#define MAX_CACHED 16

static struct {
    PyTypeObject *type;
    Py_ssize_t offset;
    int has_zone; /* its objects may have a time zone */
} cached[MAX_CACHED];
static int n_cached;

/* 0: the field counts. What a time zone, which may be a program's own, said of a time when that was hashed does not
 * follow from what it would say now. */
static Py_ssize_t cached_offset(PyObject *o)
{
    for (PyTypeObject *t = Py_TYPE(o); t; t = t->tp_base)
        for (int i = 0; i < n_cached; i++)
            if (cached[i].type == t)
                return cached[i].has_zone && ((_PyDateTime_BaseTZInfo *)o)->hastzinfo ? 0 : cached[i].offset;
    return 0;
}

/* Word by word, without the cached one. */
static void cached_content(PyObject *o)
{
    Py_ssize_t offset = cached_offset(o), rest = offset ? offset + (Py_ssize_t)sizeof(void *) : (Py_ssize_t)sizeof(PyObject);
    ssbf_fields(o, sizeof(PyObject), offset);
    ssbf_fields(o, rest, ssbf_object_bytes(o));
    ssbf_managed_attributes(o);
}

/* Does the word hold what the object computes, and held it nothing before? */
static int is_cached_hash(PyObject *o, Py_ssize_t offset)
{
    const Py_hash_t *field = (const Py_hash_t *)((char *)o + offset);
    return *field == -1 && PyObject_Hash(o) != -1 && *field == PyObject_Hash(o);
}

static int is_cached_attribute(PyObject *o, Py_ssize_t offset, const char *attribute)
{
    PyObject *const *field = (PyObject *const *)((char *)o + offset);
    int empty = *field == NULL;
    PyObject *value = PyObject_GetAttrString(o, attribute);
    int known = empty && value && *field == value;
    Py_XDECREF(value);
    return known;
}

/* An example of the type tells whether its layout is known. */
static void register_cached(const char *name, const char *example, Py_ssize_t offset, const char *attribute, int has_zone)
{
    static const ssbf_handler handler = {"cached field", cached_content, NULL, 0};
    PyObject *globals = PyDict_New();
    PyObject *o = globals && PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins()) == 0
                      ? PyRun_String(example, Py_eval_input, globals, globals)
                      : NULL;
    PyErr_Clear();
    if (o && o != Py_None && n_cached < MAX_CACHED) {
        int known = offset + (Py_ssize_t)sizeof(void *) <= Py_TYPE(o)->tp_basicsize &&
                    (attribute ? is_cached_attribute(o, offset, attribute) : is_cached_hash(o, offset));
        PyErr_Clear();
        if (known) {
            cached[n_cached].type = Py_TYPE(o);
            cached[n_cached].has_zone = has_zone;
            cached[n_cached++].offset = offset;
        }
        ssbf_register_layout(name, Py_TYPE(o), known, &handler);
    }
    Py_XDECREF(o);
    Py_XDECREF(globals);
}

/* ---- subclasses of str and bytes ------------------------------------------------------- */

/* Without the hash and the encoded form. */
static void text_content(PyObject *o)
{
    if (!ssb_unicode_is_value(o)) {
        ssbf_fields(o, sizeof(PyObject), ssbf_object_bytes(o));
        return;
    }
    unsigned kind = PyUnicode_KIND(o);
    ssbf_count(kind);
    ssbf_bytes(PyUnicode_DATA(o), (size_t)PyUnicode_GET_LENGTH(o) * kind);
}

static void text_buffers(PyObject *o, int32_t owner)
{
    if (ssb_unicode_is_value(o) && !PyUnicode_IS_COMPACT(o))
        ssbf_add_block(PyUnicode_DATA(o), (size_t)(PyUnicode_GET_LENGTH(o) + 1) * PyUnicode_KIND(o), owner);
}

static void bytes_content(PyObject *o)
{
    ssbf_bytes(PyBytes_AS_STRING(o), (size_t)Py_SIZE(o));
    Py_ssize_t end = (Py_ssize_t)(offsetof(PyBytesObject, ob_sval) + (size_t)Py_SIZE(o) + 1 + 7) & ~(Py_ssize_t)7;
    ssbf_fields(o, end, ssbf_object_bytes(o));
    ssbf_managed_attributes(o);
}

int ssbf_register_cached(void)
{
    static const ssbf_handler text = {"str", text_content, text_buffers, sizeof(PyUnicodeObject)};
    static const ssbf_handler bytes = {"bytes", bytes_content, NULL, 0};
    static const char *const loaded = "__import__('sys').modules.get";
    char example[160];
    n_cached = 0;
    ssbf_register(&PyUnicode_Type, &text);
    ssbf_register(&PyBytes_Type, &bytes);
    static const struct {
        const char *name, *arguments;
        Py_ssize_t offset;
        int has_zone;
    } times[] = {{"date", "(2020, 1, 2)", offsetof(PyDateTime_Date, hashcode), 0},
                 {"time", "(1, 2)", offsetof(PyDateTime_Time, hashcode), 1},
                 {"datetime", "(2020, 1, 2)", offsetof(PyDateTime_DateTime, hashcode), 1},
                 {"timedelta", "(1, 2)", offsetof(PyDateTime_Delta, hashcode), 0}};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        snprintf(example, sizeof example, "(m := %s('_datetime')) and m.%s%s", loaded, times[i].name, times[i].arguments);
        register_cached(times[i].name, example, times[i].offset, NULL, times[i].has_zone);
    }
    snprintf(example, sizeof example, "(m := %s('re')) and m.compile('a').match('a')", loaded);
    register_cached("re.Match", example, sizeof(PyVarObject) + sizeof(PyObject *), "regs", 0); /* behind the text */
    register_cached("types.GenericAlias", "list[int]", sizeof(PyObject) + 2 * sizeof(PyObject *), "__parameters__", 0);
    register_cached("types.UnionType", "int | str", SSB_UNION_PARAMETERS, "__parameters__", 0);
    return PyErr_Occurred() ? -1 : 0;
}

#endif
