/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ preempt_calls.c — does a call need a choice point?                         │
 * │                                                                            │
 * │ A traced Python function makes its own. Hooked primitives make their own.  │
 * │ Library functions and C code run as one step: a choice point comes before  │
 * │ them unless they are known to touch nothing but quiet arguments.           │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "preempt_internal.h"

#include <stdlib.h>
#include <string.h>

static int compare_names(const void *a, const void *b) { return strcmp(a, *(const char *const *)b); }

#define IS_ONE_OF(name, table) (bsearch(name, table, sizeof(table) / sizeof *(table), sizeof *(table), compare_names) != NULL)

/* Methods of builtin containers that look at references only, never into the elements. Sorted. */
static const char *const shallow[] = {
    "append", "appendleft", "clear", "copy",    "extend",  "extendleft", "insert",
    "items",  "keys",       "pop",   "popleft", "reverse", "rotate",     "values",
};
/* Of these the ones that only read. Sorted. */
static const char *const reading[] = {"copy", "count", "get", "index", "items", "keys", "values"};
/* Methods that read and write the container only, if their arguments are harmless: items are compared with those at most. Sorted. */
static const char *const contained[] = {
    "add",   "append", "appendleft", "clear",     "copy",   "count",  "discard",  "extend", "extendleft", "get",     "index",
    "insert", "items", "keys",       "pop",       "popitem", "popleft", "remove", "reverse", "rotate",   "setdefault", "values",
};
/* Methods that keep their arguments without looking at them. Sorted. */
static const char *const storing[] = {"append", "appendleft", "insert"};
/* Methods that change a module's namespace in ways that can't be named beforehand. Sorted. */
static const char *const rebinding[] = {
    "__delitem__", "__ior__", "__setitem__", "clear", "pop", "popitem", "setdefault", "update",
};

/* Of a module, or of functions that exec() or types.FunctionType made in a dictionary: those can be told by what it holds. */
int ssbp_is_namespace(PyObject *dict)
{
    return ssbp_set_contains(SSBP_SET_NAMESPACES, dict) ||
           PyDict_GetItemWithError(dict, ssbp_names[SSBP_NAME_BUILTINS]) != NULL;
}

int ssbp_function_needs(PyObject *function)
{
    PyFunctionObject *f = (PyFunctionObject *)function;
    const ssbp_code *entry = ssbp_find_code((PyCodeObject *)f->func_code, f->func_globals);
    if (entry == NULL) {
        PyErr_Clear();
        return 1;
    }
    if (ssbp.functions_stored) /* its code or defaults may be others by then */
        return 1;
    if (f->func_kwdefaults != NULL && Py_REFCNT(f->func_kwdefaults) > 1) /* others may change what it is called with */
        return 1;
    if (entry->records != NULL || ssbp_set_contains(SSBP_SET_PLAIN, function))
        return 0;
    if (ssbp_set_contains(SSBP_SET_READERS, function))
        return 1;
    return !ssbp_module_is_plain(f->func_globals);
}

static int all_quiet(const ssbp_view *view, PyObject *const *args, Py_ssize_t n)
{
    for (Py_ssize_t i = 0; i < n; i++)
        if (!ssbp_is_quiet(view, args[i]))
            return 0;
    return 1;
}

static int all_harmless(PyObject *const *args, Py_ssize_t n)
{
    for (Py_ssize_t i = 0; i < n; i++)
        if (!ssbp_is_harmless(args[i]))
            return 0;
    return 1;
}

/* A namespace of a module is about to be changed behind the back of STORE_GLOBAL. */
static void check_namespace_call(const char *method, PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    if (!IS_ONE_OF(method, rebinding))
        return;
    ssbp_refuse_frame_locals(self);
    if (!PyDict_CheckExact(self) || !ssbp_is_namespace(self))
        return;
    if (n > 0 && PyUnicode_Check(args[0]))
        ssbp_check_global_store(args[0]);
    else if (ssbp_others_alive())
        ssb.engine->end_path(ssb.arena, SS_END_UNSUPPORTED, "changing a module's namespace through its dictionary");
}

/* Functions that don't ask what a class, module or function has. Sorted. */
static const char *const outside[] = {"callable", "hash", "id", "is_", "is_not", "next"};

/* Is the value of an attribute asked for that others may set? Of classes, modules and functions they can, though nothing else that
 * is done with these depends on others. */
static int looks_inside(const char *name, PyObject *const *args, Py_ssize_t n)
{
    if (IS_ONE_OF(name, outside))
        return 0;
    int names_it = n >= 2 && PyUnicode_Check(args[1]) && (strcmp(name, "getattr") == 0 || strcmp(name, "hasattr") == 0);
    if (names_it && !ssbp.classes_stored && !ssbp_set_contains(SSBP_SET_STORED, args[1]) &&
        !ssbp_set_contains(SSBP_SET_REBOUND, args[1]))
        return 0;
    for (Py_ssize_t i = 0; i < n; i++)
        if (PyModule_Check(args[i]) || PyFunction_Check(args[i]) ||
            (PyType_Check(args[i]) && !(((PyTypeObject *)args[i])->tp_flags & Py_TPFLAGS_IMMUTABLETYPE)))
            return 1;
    return 0;
}

/* A C method of `self`, arguments without it. */
static int method_needs(const ssbp_view *view, const char *name, PyObject *self, PyObject *const *args, Py_ssize_t n,
                        ssbp_access *out)
{
    check_namespace_call(name, self, args, n);
    int harmless = all_harmless(args, n), container = ssbp_is_container(self), is_shallow = IS_ONE_OF(name, shallow);
    if (container && is_shallow && (harmless || IS_ONE_OF(name, storing))) {
        if (ssbp_is_local(view, self, 0))
            return 0;
        out->object = self;
        out->access = IS_ONE_OF(name, reading) ? SSBP_READ : SSBP_BOTH;
        ssbp_place_method(out, view, name, self, args, n, out->access);
        return 1;
    }
    if (ssbp_is_quiet(view, self) && all_quiet(view, args, n) && !(PyUnicode_CheckExact(self) && looks_inside(name, args, n)))
        return 0;
    if (container && harmless && !PyTuple_CheckExact(self)) {
        out->object = IS_ONE_OF(name, contained) ? self : NULL;
        out->access = IS_ONE_OF(name, reading) ? SSBP_READ : SSBP_BOTH;
        ssbp_place_method(out, view, name, self, args, n, out->access);
    }
    return 1;
}

static int builtin_needs(const ssbp_view *view, PyObject *callable, PyObject *const *args, Py_ssize_t n, ssbp_access *out)
{
    PyMethodDef *method = ((PyCFunctionObject *)callable)->m_ml;
    if (ssb_is_hooked(method->ml_meth))
        return 0;
    if (ssbp_set_contains(SSBP_SET_PLAIN, callable))
        return ssbp.classes_stored; /* isinstance() of what may have another class by now */
    PyObject *self = PyCFunction_GET_SELF(callable);
    if (self != NULL && !PyModule_Check(self))
        return method_needs(view, method->ml_name, self, args, n, out);
    if (!ssbp_set_contains(SSBP_SET_PURE, callable) || looks_inside(method->ml_name, args, n))
        return 1;
    if (all_quiet(view, args, n))
        return 0;
    if (n == 1 && strcmp(method->ml_name, "len") == 0) {
        if (ssbp_special_is_traced(args[0], SSBP_NAME_LEN) ||
            (ssbp_is_container(args[0]) && ssbp_is_local(view, args[0], 0)))
            return 0;
        out->object = ssbp_is_container(args[0]) ? args[0] : NULL;
        out->access = SSBP_READ;
        if (out->object != NULL)
            ssbp_place(out, SSB_PLACE_SIZE, args[0], NULL, SSBP_READ);
    }
    return 1;
}

static int static_method_needs(PyObject *value)
{
    if (Py_TYPE(value) != &PyStaticMethod_Type)
        return PyFunction_Check(value) ? ssbp_function_needs(value) : 0;
    PyObject *function = PyObject_GetAttr(value, ssbp_names[SSBP_NAME_FUNC]);
    if (function == NULL) {
        PyErr_Clear();
        return 1;
    }
    int needs = PyFunction_Check(function) ? ssbp_function_needs(function) : !PyCFunction_Check(function);
    Py_DECREF(function);
    return needs;
}

static int type_needs(const ssbp_view *view, PyTypeObject *type, PyObject *const *args, Py_ssize_t n)
{
    if (ssbp_set_contains(SSBP_SET_PLAIN, type) || type == &PySuper_Type || (type == &PyType_Type && n == 1))
        return ssbp.classes_stored;
    if (Py_TYPE(type)->tp_call != PyType_Type.tp_call)
        return !ssbp_special_is_traced((PyObject *)type, SSBP_NAME_CALL);
    if (ssbp.slots_stored)
        return 1;
    PyObject *init = _PyType_Lookup(type, ssbp_names[SSBP_NAME_INIT]);
    PyObject *new = _PyType_Lookup(type, ssbp_names[SSBP_NAME_NEW]);
    if (init == NULL || new == NULL)
        return 1;
    int python_init = PyFunction_Check(init), python_new = Py_TYPE(new) == &PyStaticMethod_Type || PyFunction_Check(new);
    if (python_init && ssbp_function_needs(init))
        return 1;
    if (python_new && static_method_needs(new))
        return 1;
    int plain_init = python_init || type->tp_init == PyBaseObject_Type.tp_init;
    int plain_new = python_new || type->tp_new == PyBaseObject_Type.tp_new;
    return !(plain_init && plain_new) && !all_quiet(view, args, n);
}

int ssbp_call_examine(const ssbp_view *view, PyObject *callable, PyObject *const *args, Py_ssize_t n, PyObject *named,
                      ssbp_access *out)
{
    out->operation = SSB_OP_CALL;
    out->access = SSBP_BOTH;
    out->object = NULL;
    out->name = NULL;
    PyTypeObject *type = Py_TYPE(callable);
    if (type == &PyFunction_Type)
        return ssbp_function_needs(callable);
    if (type == &PyMethod_Type) {
        PyObject *function = PyMethod_GET_FUNCTION(callable);
        return PyFunction_Check(function) ? ssbp_function_needs(function) : 1;
    }
    if (named != NULL && PyDict_GET_SIZE(named) > 0) {
        PyObject *key, *value;
        Py_ssize_t position = 0;
        while (PyDict_Next(named, &position, &key, &value))
            if (!ssbp_is_harmless(value))
                return !ssbp_set_contains(SSBP_SET_PLAIN, callable);
    }
    if (type == &PyCFunction_Type || type == &PyCMethod_Type)
        return builtin_needs(view, callable, args, n, out);
    if (ssbp_set_contains(SSBP_SET_PLAIN, callable))
        return ssbp.classes_stored;
    if (type == &PyMethodDescr_Type && n > 0) {
        PyMethodDef *method = ((PyMethodDescrObject *)callable)->d_method;
        if (ssb_is_hooked(method->ml_meth))
            return 0;
        return method_needs(view, method->ml_name, args[0], args + 1, n - 1, out);
    }
    if (type == &PyWrapperDescr_Type && n >= 2) {
        const char *name = ((PyWrapperDescrObject *)callable)->d_base->name;
        if (strcmp(name, "__setattr__") == 0 || strcmp(name, "__delattr__") == 0)
            ssbp_check_attribute_store(args[0], args[1]);
        check_namespace_call(name, args[0], args + 1, n - 1);
        return 1;
    }
    if (PyType_Check(callable))
        return type_needs(view, (PyTypeObject *)callable, args, n);
    if (strcmp(type->tp_name, "method-wrapper") == 0 && n >= 1 && PyUnicode_Check(args[0]) &&
        PySet_Contains(ssbp.stored_names, args[0]) == 0 && ssbp_breaks_for_others())
        ssbp_restart("attribute", NULL, args[0]); /* obj.__setattr__(name, ...): only its argument can be seen */
    return !ssbp_special_is_traced(callable, SSBP_NAME_CALL);
}
