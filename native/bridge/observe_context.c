/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ observe_context.c — programs that look at the order of a context.          │
 * │                                                                            │
 * │ contextvars.Context keeps its variables in the order of their hashes, and  │
 * │ the hash of a variable comes from its address. States leave that out: two  │
 * │ that are equal may hold variables that a context made later puts in        │
 * │ different orders. So whoever goes through a context looks at addresses, if │
 * │ it has two variables or more and one of them is new. Going through it is   │
 * │ asking for an iterator, or for its keys, values or items.                  │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>

static getiterfunc original_iter;

static int has_a_new_variable(PyObject *context)
{
    PyObject *iterator = original_iter(context), *variable;
    int found = iterator == NULL; /* cannot tell */
    while (iterator != NULL && (variable = PyIter_Next(iterator)) != NULL) {
        found |= ssb_heap_is_new((uintptr_t)variable);
        Py_DECREF(variable);
    }
    Py_XDECREF(iterator);
    return found || PyErr_Occurred() != NULL;
}

static void look_at_order(PyObject *context)
{
    if (!ssb.active || ssb.addresses_observed & SSB_OBSERVED_ORDERS || PyObject_Length(context) < 2)
        return;
    if (has_a_new_variable(context))
        ssb_observe(SSB_OBSERVED_ORDERS);
}

static PyObject *look_iter(PyObject *context)
{
    look_at_order(context);
    return original_iter(context);
}

static const char *const methods[] = {"keys", "values", "items"};
enum { N_METHODS = sizeof methods / sizeof *methods };
static PyCFunction original_methods[N_METHODS];

static PyObject *look_method(int which, PyObject *context, PyObject *unused)
{
    look_at_order(context);
    return original_methods[which](context, unused);
}

static PyObject *look_keys(PyObject *context, PyObject *unused) { return look_method(0, context, unused); }
static PyObject *look_values(PyObject *context, PyObject *unused) { return look_method(1, context, unused); }
static PyObject *look_items(PyObject *context, PyObject *unused) { return look_method(2, context, unused); }

static const PyCFunction looks[N_METHODS] = {look_keys, look_values, look_items};

int ssbf_observe_contexts(void)
{
    if (original_iter != NULL)
        return 0;
    PyObject *wrapper = PyDict_GetItemString(ssb_type_dict(&PyContext_Type), "__iter__");
    if (PyContext_Type.tp_iter == NULL || wrapper == NULL || Py_TYPE(wrapper) != &PyWrapperDescr_Type)
        return -1;
    original_iter = PyContext_Type.tp_iter;
    PyContext_Type.tp_iter = look_iter;
    ((PyWrapperDescrObject *)wrapper)->d_wrapped = (void *)look_iter;
    int found = 0;
    for (PyMethodDef *method = PyContext_Type.tp_methods; method != NULL && method->ml_name != NULL; method++)
        for (int i = 0; i < N_METHODS; i++)
            if (!strcmp(method->ml_name, methods[i]) && method->ml_flags == METH_NOARGS) {
                original_methods[i] = method->ml_meth;
                method->ml_meth = looks[i];
                found++;
            }
    return found == N_METHODS ? 0 : -1;
}

#endif
