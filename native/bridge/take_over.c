/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ take_over.c — our code behind existing methods and functions.              │
 * │                                                                            │
 * │ Only the function pointer of the PyMethodDef is replaced, in this process  │
 * │ only. Every object of the type, whenever and under whatever name it was    │
 * │ made or imported, then takes part. Descriptors and specialised             │
 * │ instructions remember the calling convention, so it stays what it was:     │
 * │ each hook has one entry per convention, all leading to one implementation. │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "runtime.h"

#include <string.h>

#define CONVENTION (METH_VARARGS | METH_KEYWORDS | METH_NOARGS | METH_O | METH_FASTCALL | METH_METHOD)
#define N_SLOTS 512u /* a power of two, several times the number of hooks */

static PyCFunction hooked[N_SLOTS];
static unsigned n_hooked;

static unsigned slot_of(PyCFunction function)
{
    return (unsigned)(((uintptr_t)function >> 4) * 0x9E3779B1u) & (N_SLOTS - 1);
}

int ssb_is_hooked(PyCFunction function)
{
    for (unsigned i = slot_of(function); hooked[i] != NULL; i = (i + 1) & (N_SLOTS - 1))
        if (hooked[i] == function)
            return 1;
    return 0;
}

static int take(PyMethodDef *entry, PyTypeObject *owner, ssb_hook *hook)
{
    if (hook->taken == entry)
        return 0;
    if (hook->taken != NULL || n_hooked >= N_SLOTS / 2) {
        PyErr_Format(PyExc_RuntimeError, "can't take over '%s' a second time", hook->name);
        return -1;
    }
    PyCFunction ours;
    switch (entry->ml_flags & CONVENTION) {
    case METH_VARARGS: ours = hook->varargs; break;
    case METH_VARARGS | METH_KEYWORDS: ours = hook->varargs_keywords; break;
    case METH_NOARGS: ours = hook->no_arguments; break;
    case METH_O: ours = hook->one_argument; break;
    case METH_FASTCALL: ours = hook->fast; break;
    case METH_FASTCALL | METH_KEYWORDS: ours = hook->fast_keywords; break;
    case METH_METHOD | METH_FASTCALL | METH_KEYWORDS: ours = hook->method; break;
    default:
        PyErr_Format(PyExc_RuntimeError, "'%s' has an unknown calling convention (%d)", hook->name, entry->ml_flags);
        return -1;
    }
    hook->taken = entry;
    hook->original = entry->ml_meth;
    hook->flags = entry->ml_flags;
    hook->owner = owner;
    entry->ml_meth = ours;
    unsigned i = slot_of(ours);
    while (hooked[i] != NULL)
        i = (i + 1) & (N_SLOTS - 1);
    hooked[i] = ours;
    n_hooked++;
    return 0;
}

int ssb_take_over_method(PyTypeObject *type, ssb_hook *hook)
{
    for (PyMethodDef *entry = type->tp_methods; entry != NULL && entry->ml_name != NULL; entry++)
        if (strcmp(entry->ml_name, hook->name) == 0)
            return take(entry, type, hook);
    if (hook->optional)
        return 0;
    PyErr_Format(PyExc_RuntimeError, "%s has no method '%s' to take over", type->tp_name, hook->name);
    return -1;
}

int ssb_take_over_function(PyObject *module, ssb_hook *hook)
{
    PyObject *function = PyObject_GetAttrString(module, hook->name);
    if (function == NULL) {
        if (!hook->optional || !PyErr_ExceptionMatches(PyExc_AttributeError))
            return -1;
        PyErr_Clear();
        return 0;
    }
    int result = 0;
    if (PyCFunction_Check(function))
        result = take(((PyCFunctionObject *)function)->m_ml, NULL, hook);
    else if (!hook->optional) { /* somebody replaced it (a time-freezing tool, say): theirs stays */
        PyErr_Format(PyExc_RuntimeError, "'%s' of module %R was replaced by %R, which can't be taken over", hook->name,
                     module, function);
        result = -1;
    }
    Py_DECREF(function);
    return result;
}

PyObject *ssb_hook_from_dict(ssb_hook *hook, ssb_hook_function function, PyObject *self, PyObject *args, PyObject *kwargs)
{
    Py_ssize_t n = PyTuple_GET_SIZE(args);
    if (kwargs == NULL || PyDict_GET_SIZE(kwargs) == 0)
        return function(hook, self, ((PyTupleObject *)args)->ob_item, n, NULL);
    Py_ssize_t n_named = PyDict_GET_SIZE(kwargs);
    PyObject *names = PyTuple_New(n_named), *all = PyTuple_New(n + n_named), *result = NULL;
    if (names != NULL && all != NULL) {
        for (Py_ssize_t i = 0; i < n; i++)
            PyTuple_SET_ITEM(all, i, Py_NewRef(PyTuple_GET_ITEM(args, i)));
        PyObject *name, *value;
        Py_ssize_t position = 0, i = 0;
        while (PyDict_Next(kwargs, &position, &name, &value)) {
            PyTuple_SET_ITEM(names, i, Py_NewRef(name));
            PyTuple_SET_ITEM(all, n + i, Py_NewRef(value));
            i++;
        }
        result = function(hook, self, ((PyTupleObject *)all)->ob_item, n, names);
    }
    Py_XDECREF(names);
    Py_XDECREF(all);
    return result;
}

static PyObject *call_with_tuple(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *tuple = PyTuple_New(nargs), *kwargs = NULL, *result = NULL;
    if (tuple == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < nargs; i++)
        PyTuple_SET_ITEM(tuple, i, Py_NewRef(args[i]));
    if (kwnames != NULL && PyTuple_GET_SIZE(kwnames) > 0) {
        if ((kwargs = PyDict_New()) == NULL)
            goto done;
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(kwnames); i++)
            if (PyDict_SetItem(kwargs, PyTuple_GET_ITEM(kwnames, i), args[nargs + i]) < 0)
                goto done;
    }
    if (hook->flags & METH_KEYWORDS)
        result = ((PyCFunctionWithKeywords)(void (*)(void))hook->original)(self, tuple, kwargs);
    else
        result = hook->original(self, tuple);
done:
    Py_DECREF(tuple);
    Py_XDECREF(kwargs);
    return result;
}

/* The class that the method belongs to. A module that was imported a second time has a class of its own, with
 * the same table of methods. */
static PyTypeObject *owner_of(const ssb_hook *hook, PyObject *self)
{
    for (PyTypeObject *type = Py_TYPE(self); type != NULL; type = type->tp_base)
        if (type->tp_methods == hook->owner->tp_methods)
            return type;
    return hook->owner;
}

PyObject *ssb_original(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    switch (hook->flags & CONVENTION) {
    case METH_VARARGS:
    case METH_VARARGS | METH_KEYWORDS:
        return call_with_tuple(hook, self, args, nargs, kwnames);
    case METH_NOARGS:
        return hook->original(self, NULL);
    case METH_O:
        return hook->original(self, args[0]);
    case METH_FASTCALL:
        return ((_PyCFunctionFast)(void (*)(void))hook->original)(self, args, nargs);
    case METH_FASTCALL | METH_KEYWORDS:
        return ((_PyCFunctionFastWithKeywords)(void (*)(void))hook->original)(self, args, nargs, kwnames);
    default: /* take() let nothing else in */
        return ((PyCMethod)(void (*)(void))hook->original)(self, owner_of(hook, self), args, (size_t)nargs, kwnames);
    }
}
