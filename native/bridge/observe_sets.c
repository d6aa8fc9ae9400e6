/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ observe_sets.c — programs that walk sets.                                  │
 * │                                                                            │
 * │ What a set contains is state, where it lies in the table is not if that    │
 * │ follows from addresses. Small sets of new objects are walked in an order   │
 * │ that is chosen (orders.c), in replays as well. To walk another set is a    │
 * │ look at its table, unless it is as it was before the exploration, or the   │
 * │ library walks it without consequence (observe_library.c).                  │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "orders.h"

#if SSB_CAN_FINGERPRINT

int ssbf_set_uses_addresses(PySetObject *s)
{
    for (Py_ssize_t i = 0; i <= s->mask; i++)
        if (s->table[i].key && s->table[i].hash != -1 && ssbf_hash_uses_address(s->table[i].key, 0))
            return 1;
    return 0;
}

uint64_t ssbf_set_table(PySetObject *s)
{
    uint64_t parts[4] = {(uint64_t)s->fill, (uint64_t)s->finger, (uint64_t)s->mask,
                         ssb.engine->hash64(s->table, (size_t)(s->mask + 1) * sizeof(setentry))};
    return ssb.engine->hash64(parts, sizeof parts);
}

/* ---- looks ---------------------------------------------------------------------------------------- */

static uint32_t n_looks;

/* Does it come in the order of its table? */
static void look_at_table(PyObject *o)
{
    PySetObject *s = (PySetObject *)o;
    n_looks++;
    if (!ssbf_looking_matters() || s->used < 2)
        return;
    int b = ssbf_find_object((uintptr_t)o);
    if (b >= 0 && ssbf_base_set_table((uint32_t)b) == ssbf_set_table(s))
        return; /* as it was before the exploration: the same in every execution */
    uint32_t what = ssbf_set_uses_addresses(s) ? SSB_OBSERVED_ORDERS | SSB_OBSERVED_SETS | SSB_OBSERVED_ADDRESSES : SSB_OBSERVED_SETS;
    if (what & ~ssb.addresses_observed && !ssbf_order_is_irrelevant(o))
        ssb_observe(what);
}

/* It is about to be walked: 1 in the order that was chosen for it, 0 in that of its table. */
static int look_at_order(PyObject *o)
{
    PySetObject *s = (PySetObject *)o;
    if (!ssbf_order_is_open(s)) {
        look_at_table(o);
        return 0;
    }
    n_looks++;
    if (ssb.active && !ssbf_order_is_complete(s)) {
        if (ssbf_order_is_irrelevant(o) || ssbf_describes_a_failure())
            return 0;
        ssbf_choose_order(s);
    }
    return ssbf_order_is_complete(s);
}

static getiterfunc original_set_iter;
static reprfunc original_set_repr;
static PyCFunction original_set_pop, original_fromkeys;

static PyObject *look_set_iter(PyObject *o)
{
    int in_order = look_at_order(o);
    PyObject *iterator = original_set_iter(o);
    if (iterator && in_order)
        ssbf_walk_in_order(iterator);
    return iterator;
}

static int repr_reads_tables; /* as later versions do; others make a list */

static PyObject *look_set_repr(PyObject *o)
{
    if (repr_reads_tables)
        look_at_table(o);
    return original_set_repr(o);
}

static PyObject *look_set_pop(PyObject *o, PyObject *unused)
{
    PySetObject *s = (PySetObject *)o;
    if (!ssbf_order_is_open(s))
        look_at_table(o);
    else if (ssb.active)
        ssbf_choose_pop(s);
    return original_set_pop(o, unused);
}

static PyObject *look_fromkeys(PyObject *type, PyObject *const *args, Py_ssize_t n)
{
    if (n > 0 && PyAnySet_Check(args[0]))
        look_at_table(args[0]);
    return ((_PyCFunctionFast)(void (*)(void))original_fromkeys)(type, args, n);
}

/* As ssbf_look_calls_on. */
int ssbf_set_look_calls_on(PyCFunction function)
{
    return function == (PyCFunction)(void (*)(void))look_fromkeys || ssbf_order_call_goes_on(function);
}

/* ---- installation ----------------------------------------------------------------------------------- */

void ssbf_watch_sets_of(PyTypeObject *t)
{
    if (t->tp_iter == original_set_iter)
        t->tp_iter = look_set_iter;
    if (t->tp_repr == original_set_repr)
        t->tp_repr = look_set_repr;
}

/* Does each way to see the order of a set come past us? */
static int ways_are_watched(void)
{
    static const char *const ways[] = {"list(s)", "sorted(s)", "[*s]", "tuple(s)", "''.join(s)", "repr(s)", "[e for e in s]",
                                       "dict.fromkeys(s)", "[].extend(s)", "set(s).pop()"};
    PyObject *names = Py_BuildValue("{s:O}", "__builtins__", PyEval_GetBuiltins());
    PyObject *made = names ? PyRun_String("s = {'a', 'b'}", Py_single_input, names, names) : NULL;
    int watched = made != NULL;
    Py_XDECREF(made);
    for (size_t i = 0; watched && i < sizeof ways / sizeof *ways; i++) {
        PyObject *code = Py_CompileString(ways[i], "ways", Py_eval_input); /* the compiler looks at sets of its own */
        uint32_t before = n_looks;
        PyObject *r = code ? PyEval_EvalCode(code, names, names) : NULL;
        watched = r && n_looks != before;
        Py_XDECREF(r);
        Py_XDECREF(code);
    }
    Py_XDECREF(names);
    PyErr_Clear();
    return watched;
}

static int shows_a_list(void)
{
    uint32_t before = n_looks;
    PyObject *made = PySet_New(NULL), *text = NULL;
    if (made && !PySet_Add(made, Py_None))
        text = original_set_repr(made);
    Py_XDECREF(text);
    Py_XDECREF(made);
    PyErr_Clear();
    return n_looks != before;
}

static int entries_are_missed, pops_are_missed;

int ssb_sets_install(void)
{
    if (original_set_iter)
        return 0;
    original_set_iter = PySet_Type.tp_iter;
    original_set_repr = PySet_Type.tp_repr;
    ssbf_find_library();
    ssbf_watch_sets_of(&PySet_Type);
    ssbf_replace_wrapper(&PySet_Type, "__iter__", original_set_iter, look_set_iter);
    ssbf_replace_wrapper(&PySet_Type, "__repr__", original_set_repr, look_set_repr);
    pops_are_missed = ssbf_replace(ssbf_method_of(&PySet_Type, "pop"), METH_NOARGS, &original_set_pop, look_set_pop);
    entries_are_missed = ssbf_watch_entries(look_at_order);
    repr_reads_tables = !shows_a_list();
    if (!pops_are_missed && !entries_are_missed)
        ssbf_orders_install();
    return PyErr_Occurred() ? -1 : 0;
}

int ssbf_observe_sets(void)
{
    ssbf_replace_wrapper(&PyFrozenSet_Type, "__iter__", original_set_iter, look_set_iter);
    ssbf_replace_wrapper(&PyFrozenSet_Type, "__repr__", original_set_repr, look_set_repr);
    int missed = ssbf_replace(ssbf_method_of(&PyDict_Type, "fromkeys"), METH_FASTCALL | METH_CLASS, &original_fromkeys,
                              (PyCFunction)(void (*)(void))look_fromkeys);
    return missed || pops_are_missed || entries_are_missed || !ways_are_watched();
}

#else

int ssb_sets_install(void) { return 0; }

#endif
