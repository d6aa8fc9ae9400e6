/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ survey.c — which functions, classes and modules exist, without touching    │
 * │ them.                                                                      │
 * │                                                                            │
 * │ gc.get_objects() counts a reference to every object there is; in a freshly │
 * │ forked child that copies nearly every page of the process. Here the        │
 * │ collector's lists are only read, and one answer serves all functions with  │
 * │ the same file and namespace.                                               │
 * │                                                                            │
 * │ The code of functions that are not under test is handed on by address: no  │
 * │ code object may die between the survey and the installation of the tables. │
 * │ In a child none does; the parent asks to keep them alive (keep_code.c).    │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "compat.h"
#include "runtime.h"

#include <string.h>

/* Functions of one file in one namespace. All borrowed. */
typedef struct group {
    PyObject *file, *globals, *code;
    int answer; /* -1: not asked yet */
} group;

static struct {
    PyObject **functions;
    size_t n_functions, max_functions;
    group *groups; /* open addressing */
    size_t n_groups, mask;
    int failed;
} found;

static PyObject *wanted, *classes, *module_key; /* names of modules; classes that may be theirs; "__module__" */

static group *find_group(group *groups, size_t mask, PyObject *file, PyObject *globals)
{
    uint64_t key = ((uintptr_t)file >> 4) * UINT64_C(0x9E3779B97F4A7C15) + ((uintptr_t)globals >> 4) * UINT64_C(0xC2B2AE3D27D4EB4F);
    size_t i = (size_t)(key >> 32) & mask;
    while (groups[i].file != NULL && (groups[i].file != file || groups[i].globals != globals))
        i = (i + 1) & mask;
    return &groups[i];
}

static int grow_groups(void)
{
    size_t mask = found.groups == NULL ? 1023 : found.mask * 2 + 1;
    group *groups = PyMem_RawCalloc(mask + 1, sizeof *groups);
    if (groups == NULL)
        return -1;
    for (size_t i = 0; found.groups != NULL && i <= found.mask; i++)
        if (found.groups[i].file != NULL)
            *find_group(groups, mask, found.groups[i].file, found.groups[i].globals) = found.groups[i];
    PyMem_RawFree(found.groups);
    found.groups = groups;
    found.mask = mask;
    return 0;
}

static PyCodeObject *code_of(PyObject *function) { return (PyCodeObject *)((PyFunctionObject *)function)->func_code; }

static group *group_of(PyObject *function)
{
    return find_group(found.groups, found.mask, code_of(function)->co_filename, ((PyFunctionObject *)function)->func_globals);
}

static void note_function(PyObject *o)
{
    if (found.failed)
        return;
    if (found.n_functions == found.max_functions) {
        size_t most = found.max_functions ? 2 * found.max_functions : 1u << 14;
        PyObject **functions = PyMem_RawRealloc(found.functions, most * sizeof *functions);
        if (functions == NULL) {
            found.failed = 1;
            return;
        }
        found.functions = functions;
        found.max_functions = most;
    }
    found.functions[found.n_functions++] = o;
    if (2 * found.n_groups >= found.mask && grow_groups() < 0) {
        found.failed = 1;
        return;
    }
    group *g = group_of(o);
    if (g->file == NULL) {
        *g = (group){code_of(o)->co_filename, ((PyFunctionObject *)o)->func_globals, (PyObject *)code_of(o), -1};
        found.n_groups++;
    }
}

static int ask_all(PyObject *is_traced)
{
    for (size_t i = 0; i <= found.mask; i++) {
        group *g = &found.groups[i];
        if (g->file == NULL)
            continue;
        PyObject *answer = PyObject_CallFunctionObjArgs(is_traced, g->code, g->globals, NULL);
        g->answer = answer == NULL ? -1 : PyObject_IsTrue(answer);
        Py_XDECREF(answer);
        if (g->answer < 0)
            return -1;
    }
    return 0;
}

static PyObject *sort_out(PyObject *is_traced, int keep)
{
    if (found.failed || (found.groups == NULL && grow_groups() < 0))
        return PyErr_NoMemory();
    if (ask_all(is_traced) < 0)
        return NULL;
    PyObject *traced = PyList_New(0), *others = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(found.n_functions * sizeof(uintptr_t)));
    uint64_t number = keep ? ssb_keep_begin() : 0;
    Py_ssize_t bytes = 0;
    int failed = traced == NULL || others == NULL;
    for (size_t i = 0; !failed && i < found.n_functions; i++) {
        uintptr_t code = (uintptr_t)code_of(found.functions[i]);
        if (group_of(found.functions[i])->answer) {
            failed = PyList_Append(traced, found.functions[i]) < 0;
        } else {
            memcpy(PyBytes_AS_STRING(others) + bytes, &code, sizeof code);
            bytes += (Py_ssize_t)sizeof code;
            if (keep && ssb_keep((PyObject *)code) < 0) {
                PyErr_NoMemory();
                failed = 1;
            }
        }
    }
    PyObject *result = NULL;
    if (!failed && _PyBytes_Resize(&others, bytes) == 0)
        result = Py_BuildValue("(OOKO)", traced, others, (unsigned long long)number, classes);
    Py_XDECREF(traced);
    Py_XDECREF(others);
    return result;
}

/* The collector must not run meanwhile: functions are borrowed. */
static int suspend_collector(void) { return PyGC_Disable(); }

static void resume_collector(int was_enabled)
{
    if (was_enabled)
        PyGC_Enable();
}

/* -- classes --------------------------------------------------------------------------- */

static int may_be_of_module(PyTypeObject *type)
{
    if (Py_TYPE(type) != &PyType_Type) /* a metaclass may have its own idea of __module__ */
        return 1;
    PyObject *namespace = ssb_type_dict(type), *name = namespace != NULL ? PyDict_GetItemWithError(namespace, module_key) : NULL;
    return name == NULL || !PyUnicode_CheckExact(name) || PySet_Contains(wanted, name) != 0;
}

static void note_class(PyObject *type)
{
    if (classes != NULL && may_be_of_module((PyTypeObject *)type) && PyList_Append(classes, type) < 0)
        Py_CLEAR(classes);
}

/* -- both in one walk -------------------------------------------------------------------- */

static void note(PyObject *o)
{
    if (PyFunction_Check(o))
        note_function(o);
    else if (PyType_Check(o))
        note_class(o);
}

PyObject *ssb_survey(PyObject *is_traced, PyObject *modules, int keep)
{
    if (!PyAnySet_Check(modules)) {
        PyErr_SetString(PyExc_TypeError, "survey: modules must be a set of their names");
        return NULL;
    }
    wanted = modules;
    module_key = PyUnicode_InternFromString("__module__");
    classes = module_key != NULL ? PyList_New(0) : NULL;
    memset(&found, 0, sizeof found);
    int was_enabled = suspend_collector();
    ssb_each_gc_object(note);
    PyObject *result = classes != NULL && !PyErr_Occurred() ? sort_out(is_traced, keep) : NULL;
    if (result != NULL && keep)
        ssb_keep_end();
    PyMem_RawFree(found.functions);
    PyMem_RawFree(found.groups);
    Py_CLEAR(module_key);
    Py_CLEAR(classes);
    resume_collector(was_enabled);
    return result;
}

/* -- modules --------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t stamp, const void *address)
{
    stamp = (stamp ^ (uintptr_t)address) * UINT64_C(0x9E3779B97F4A7C15);
    return stamp ^ stamp >> 29;
}

PyObject *ssb_module_stamp(void)
{
    PyObject *name = PyUnicode_InternFromString("__name__"), *file = PyUnicode_InternFromString("__file__"), *key, *module;
    PyObject *modules = PyImport_GetModuleDict();
    Py_ssize_t position = 0;
    uint64_t stamp = 0;
    while (name != NULL && file != NULL && PyDict_Next(modules, &position, &key, &module)) {
        stamp = mix(stamp, module);
        if (!PyModule_Check(module))
            continue;
        PyObject *namespace = PyModule_GetDict(module);
        stamp = mix(mix(stamp, PyDict_GetItemWithError(namespace, name)), PyDict_GetItemWithError(namespace, file));
    }
    Py_XDECREF(name);
    Py_XDECREF(file);
    return PyErr_Occurred() ? NULL : PyLong_FromUnsignedLongLong(stamp);
}
