/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ preempt_examine.c — does this instruction need a choice point now?         │
 * │                                                                            │
 * │ The record of the instruction says where its operands are; their types and │
 * │ reference counts decide. Whatever is not understood needs one.             │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "preempt_internal.h"

#include "footprint.h"

#include <stdio.h>
#include <string.h>

#define MAX_ARGUMENTS 64 /* of calls that are examined */

/* -- broken assumptions ----------------------------------------------------------- */

static const char *text_of(PyObject *name)
{
    const char *text = name != NULL && PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;
    if (text == NULL)
        PyErr_Clear();
    return text != NULL ? text : "?";
}

/* What library code has broken since code under test ran, a line each: dozens, sometimes, and each restart costs a start. */
static char broken[SS_DETAIL_BYTES];

void ssb_end_if_broken(void)
{
    if (broken[0] != '\0')
        ssb.engine->end_path(ssb.arena, SS_END_RESTART, broken);
}

void ssbp_restart(const char *kind, PyObject *scope, PyObject *name)
{
    char line[SS_DETAIL_BYTES / 2];
    size_t used = strlen(broken);
    size_t bytes = (size_t)snprintf(line, sizeof line, "%s %s%s%s\n", kind, scope != NULL ? text_of(scope) : "",
                                    scope != NULL ? "." : "", text_of(name));
    if (bytes >= sizeof line)
        bytes = sizeof line - 1;
    if (strstr(broken, line) != NULL)
        return;
    if (used + bytes >= sizeof broken)
        ssb_end_if_broken();
    memcpy(broken + used, line, bytes + 1);
}

/* Assumptions are about what happens while others run: stores before that are part of everybody's past. */
int ssbp_breaks_for_others(void)
{
    if (ssbp_others_alive())
        return 1;
    if (ssb.n_threads > 1) /* in another order they may be */
        ssb_touch_everything();
    return 0;
}

void ssbp_check_global_store(PyObject *name)
{
    if (ssbp_examines() && PyUnicode_Check(name) && PySet_Contains(ssbp.rebound, name) == 0 &&
        ssbp_breaks_for_others())
        ssbp_restart("global", NULL, name);
    PyErr_Clear();
}

void ssbp_check_attribute_store(PyObject *owner, PyObject *name)
{
    if (PyModule_Check(owner)) {
        ssbp_check_global_store(name);
        return;
    }
    if (ssbp_examines() && PyUnicode_Check(name) && PySet_Contains(ssbp.stored_names, name) == 0 &&
        ssbp_breaks_for_others())
        ssbp_restart("attribute", NULL, name);
    PyErr_Clear();
}

/* -- answers -------------------------------------------------------------------------- */

static int at(ssbp_access *out, PyObject *object, PyObject *name, int access, PyObject *value)
{
    out->object = ssbp.aliased ? NULL : object;
    out->name = name;
    out->part = out->object != NULL && name != NULL ? ssbp_part(name) : 0;
    out->access = (uint8_t)access;
    out->value = value;
    return 1;
}

static int anywhere(ssbp_access *out) { return at(out, NULL, NULL, SSBP_BOTH, NULL); }

/* -- variables --------------------------------------------------------------------------- */

static int global_access(const ssbp_view *view, int access, ssbp_access *out)
{
    PyObject *name = PyTuple_GET_ITEM(view->code->co_names, view->record->operand);
    PyObject *globals = view->frame->f_globals, *value = NULL;
    if (access == SSBP_WRITE) {
        ssbp_check_global_store(name);
        if (view->top != NULL && !(view->record->flags & SSBP_DELETE))
            value = SSBP_PEEK(view, 0);
    } else if (PyDict_CheckExact(globals)) {
        value = PyDict_GetItemWithError(globals, name);
        if (value == NULL)
            return anywhere(out); /* a builtin, which may be set in another dictionary */
    }
    ssbp_place(out, SSB_PLACE_ENTRY, globals, name, access);
    return at(out, globals, name, access, value);
}

/* Of a class body, that is: code that exec() runs may have been given a dictionary that others hold. */
static int is_own_namespace(PyObject *locals) { return locals == NULL || (PyDict_CheckExact(locals) && Py_REFCNT(locals) == 1); }

static int cell_access(const ssbp_view *view, ssbp_access *out)
{
    int slot = view->record->operand, check = view->record->check;
    PyObject *cell = ssbp_local(view->frame, slot);
    PyObject *name = PyTuple_GET_ITEM(view->code->co_localsplusnames, slot);
    if (cell == NULL || !PyCell_Check(cell))
        return anywhere(out);
    if (check == SSBP_CELL_CONSTANT) {
        if (PyCell_GET(cell) == NULL && !ssbp_is_local(view, cell, 0) && ssbp_breaks_for_others())
            ssbp_restart("cell", view->code->co_qualname, name);
        return 0;
    }
    if (ssbp_is_local(view, cell, 0))
        return 0;
    ssbp_place(out, SSB_PLACE_CELL, cell, name, check == SSBP_CELL_READ ? SSBP_READ : SSBP_WRITE);
    if (check == SSBP_CELL_READ)
        return at(out, cell, name, SSBP_READ, PyCell_GET(cell)), out->part = 0, 1;
    PyObject *value = view->top != NULL && !(view->record->flags & SSBP_DELETE) ? SSBP_PEEK(view, 0) : NULL;
    return at(out, cell, name, SSBP_WRITE, value), out->part = 0, 1;
}

/* -- attributes --------------------------------------------------------------------------- */

/* What a class attribute gives is fixed as long as nobody stores the name. */
static int is_method_like(PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    return type == &PyFunction_Type || type == &PyMethodDescr_Type || type == &PyWrapperDescr_Type ||
           type == &PyCFunction_Type || type == &PyStaticMethod_Type || type == &PyClassMethod_Type ||
           type == &PyClassMethodDescr_Type || PyType_Check(value);
}

static int property_needs(PyObject *property, const char *accessor)
{
    PyObject *function = PyObject_GetAttrString(property, accessor);
    int needs = 1;
    if (function == NULL)
        PyErr_Clear();
    else if (PyFunction_Check(function))
        needs = ssbp_function_needs(function);
    Py_XDECREF(function);
    return needs;
}

static int found_in_traced_class(PyTypeObject *type, PyObject *name)
{
    PyObject *mro = type->tp_mro;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(mro); i++) {
        PyTypeObject *base = (PyTypeObject *)PyTuple_GET_ITEM(mro, i);
        if (base->tp_flags & Py_TPFLAGS_HEAPTYPE && PyDict_GetItemWithError(base->tp_dict, name) != NULL)
            return ssbp_set_contains(SSBP_SET_CLASSES, base);
    }
    return 0;
}

static int module_read(PyObject *module, PyObject *name, ssbp_access *out)
{
    PyObject *dict = PyModule_GetDict(module);
    PyObject *value = dict != NULL ? PyDict_GetItemWithError(dict, name) : NULL;
    if (value == NULL)
        return anywhere(out);
    ssbp_place(out, SSB_PLACE_ENTRY, dict, name, SSBP_READ);
    if (ssbp_set_contains(SSBP_SET_REBOUND, name) || !ssbp_set_contains(SSBP_SET_NAMESPACES, dict))
        return at(out, dict, name, SSBP_READ, value);
    /* Traced modules are rebound by traced code only; others may rebind their own data. */
    const void *is_traced = ssbp_set_contains(SSBP_SET_CLASSES, module) ? module : NULL;
    if (is_traced || is_method_like(value) || PyModule_Check(value))
        return 0;
    return at(out, dict, name, SSBP_READ, value);
}

static int type_read(PyTypeObject *owner, PyObject *name, ssbp_access *out)
{
    PyObject *meta = _PyType_Lookup(Py_TYPE(owner), name);
    if (Py_TYPE(owner)->tp_getattro == PyType_Type.tp_getattro && (meta == NULL || Py_TYPE(meta)->tp_descr_set == NULL))
        ssbp_place_of_class(out, owner, name, SSBP_READ);
    if (Py_TYPE(owner)->tp_getattro != PyType_Type.tp_getattro || ssbp_set_contains(SSBP_SET_STORED, name) || ssbp.classes_stored)
        return anywhere(out);
    if (meta != NULL && Py_TYPE(meta)->tp_descr_set != NULL)
        return PyUnicode_CompareWithASCIIString(name, "__name__") == 0 ||
                       PyUnicode_CompareWithASCIIString(name, "__qualname__") == 0
                   ? 0
                   : anywhere(out);
    PyObject *value = _PyType_Lookup(owner, name);
    if (value == NULL)
        return anywhere(out);
    if (is_method_like(value))
        return 0;
    if (found_in_traced_class(owner, name) && Py_TYPE(value)->tp_descr_get == NULL)
        return 0;
    return anywhere(out);
}

/* An attribute of an instance. If others hold its dictionary, the instance does not identify what is touched. */
static int instance_access(ssbp_access *out, PyObject *owner, PyObject *name, int access, PyObject *value)
{
    at(out, owner, name, access, value);
    if (ssbp_dict_is_shared(owner)) {
        out->object = NULL;
        out->part = 0;
    }
    return 1;
}

/* Does the class answer for an instance, or nobody? Then it makes no difference who can reach the instance. */
static int is_read_from_class(PyObject *owner, PyObject *name, PyObject *found)
{
    if (found != NULL && (Py_TYPE(found) == &PyMemberDescr_Type || Py_TYPE(found) == &PyGetSetDescr_Type))
        return 0;
    if (found != NULL && Py_TYPE(found)->tp_descr_get != NULL)
        return 1; /* or an attribute of the instance that hides it */
    PyObject *value = PyObject_GetAttr(owner, name); /* runs nothing: no descriptor, and the plain protocol */
    PyErr_Clear();
    Py_XDECREF(value);
    return value == found;
}

static int attribute_read(const ssbp_view *view, ssbp_access *out)
{
    PyObject *owner = SSBP_PEEK(view, 0), *name = PyTuple_GET_ITEM(view->code->co_names, view->record->operand);
    PyTypeObject *type = Py_TYPE(owner);
    if (type == &PyModule_Type)
        return module_read(owner, name, out);
    if (PyType_Check(owner))
        return type_read((PyTypeObject *)owner, name, out);
    int stored = ssbp_set_contains(SSBP_SET_STORED, name) || ssbp.classes_stored; /* its class may be another one */
    if (type == &PySuper_Type)
        return stored ? anywhere(out) : 0;
    if (!stored && type != &PyFunction_Type && ssbp_is_harmless(owner))
        return 0;
    if (type->tp_getattro != PyObject_GenericGetAttr) {
        if (strcmp(type->tp_name, "_thread._local") == 0 && !ssbp.aliased)
            return 0; /* every thread has its own */
        return anywhere(out);
    }
    PyObject *found = _PyType_Lookup(type, name);
    if (found != NULL && Py_TYPE(found) == &PyProperty_Type && !stored)
        return property_needs(found, "fget") ? anywhere(out) : 0;
    int aliased = ssbp.aliased || ssbp_dict_is_shared(owner);
    if (found != NULL && !stored && is_method_like(found) && !aliased)
        return 0;
    if (found != NULL && Py_TYPE(found)->tp_descr_set != NULL && Py_TYPE(found) != &PyMemberDescr_Type)
        return ssbp_is_local(view, owner, 0) && Py_TYPE(found) == &PyGetSetDescr_Type ? 0 : anywhere(out);
    if (found != NULL && !stored && !aliased && Py_TYPE(found)->tp_descr_get == NULL &&
        found_in_traced_class(type, name))
        return 0;
    if (found != NULL && Py_TYPE(found)->tp_descr_get != NULL && !is_method_like(found) &&
        Py_TYPE(found) != &PyMemberDescr_Type)
        return anywhere(out); /* some other descriptor: cached_property and the like */
    if (ssbp_is_local(view, owner, 0) && !(stored && is_read_from_class(owner, name, found)))
        return 0;
    ssbp_place(out, SSB_PLACE_ATTRIBUTE, owner, name, SSBP_READ);
    return instance_access(out, owner, name, SSBP_READ, NULL);
}

static int attribute_write(const ssbp_view *view, ssbp_access *out)
{
    PyObject *owner = SSBP_PEEK(view, 0), *name = PyTuple_GET_ITEM(view->code->co_names, view->record->operand);
    PyObject *value = view->record->flags & SSBP_DELETE ? NULL : SSBP_PEEK(view, 1);
    PyTypeObject *type = Py_TYPE(owner);
    ssbp_check_attribute_store(owner, name);
    if (type == &PyModule_Type) {
        ssbp_place(out, SSB_PLACE_ENTRY, PyModule_GetDict(owner), name, SSBP_WRITE);
        return at(out, PyModule_GetDict(owner), name, SSBP_WRITE, value);
    }
    if (PyType_Check(owner)) {
        if (type->tp_setattro == PyType_Type.tp_setattro)
            ssbp_place(out, SSB_PLACE_ATTRIBUTE, owner, name, SSBP_WRITE);
        anywhere(out); /* its instances see it too */
        out->name = name;
        out->value = value;
        return 1;
    }
    if (strcmp(type->tp_name, "_thread._local") == 0 && !ssbp.aliased)
        return 0;
    if (type->tp_setattro != PyObject_GenericSetAttr)
        return anywhere(out);
    PyObject *found = _PyType_Lookup(type, name);
    if (found != NULL && Py_TYPE(found) == &PyProperty_Type)
        return property_needs(found, value != NULL ? "fset" : "fdel") ? anywhere(out) : 0;
    if (found != NULL && Py_TYPE(found)->tp_descr_set != NULL && Py_TYPE(found) != &PyMemberDescr_Type)
        return anywhere(out);
    if (ssbp_is_local(view, owner, 0))
        return 0;
    ssbp_place(out, SSB_PLACE_ATTRIBUTE, owner, name, SSBP_WRITE);
    return instance_access(out, owner, name, SSBP_WRITE, value);
}

/* -- items and operands --------------------------------------------------------------------- */

static int key_is_quiet(const ssbp_view *view, PyObject *key)
{
    return ssbp_is_quiet(view, key) || ssbp_compares_by_identity(key);
}

/* For searches that reduce: the part of a container that an item access touches, or 0 for all of it. Reading an item leaves
 * all others alone, and so does replacing one. What changes size or order touches all: deletions, new keys, indices that
 * count from the end or lie behind it. What others did to it since then: ssbp_footprint_item(). */
static uint32_t item_part(PyObject *container, PyObject *key, int write, int deletes)
{
    int overflow;
    if (!ssb.footprints || deletes)
        return 0;
    if (PyList_CheckExact(container) && PyLong_CheckExact(key)) {
        long long index = PyLong_AsLongLongAndOverflow(key, &overflow);
        return overflow == 0 && index >= 0 && index < PyList_GET_SIZE(container) ? ssbp_part(key) : 0;
    }
    if (PyDict_CheckExact(container) && (PyLong_CheckExact(key) || PyUnicode_CheckExact(key)))
        return ssbp_dict_has(container, key) >= write ? ssbp_part(key) : 0;
    return 0;
}

void ssbp_refuse_frame_locals(PyObject *container)
{
    if (strcmp(Py_TYPE(container)->tp_name, "FrameLocalsProxy") == 0 && ssbp_others_alive())
        ssb.engine->end_path(ssb.arena, SS_END_UNSUPPORTED, "changing local variables through f_locals");
}

static int item_access(const ssbp_view *view, int write, ssbp_access *out)
{
    PyObject *key = SSBP_PEEK(view, 0), *container = SSBP_PEEK(view, 1);
    int quiet = key_is_quiet(view, key);
    if (write && PyDict_CheckExact(container) && ssbp_is_namespace(container))
        ssbp_check_global_store(key);
    if (quiet && (PyTuple_CheckExact(container) || ssbp_is_harmless(container)))
        return 0;
    if (!ssbp_is_container(container)) {
        if (write)
            ssbp_refuse_frame_locals(container);
        enum ssbp_name special = !write                                ? SSBP_NAME_GETITEM
                                 : view->record->flags & SSBP_DELETE ? SSBP_NAME_DELITEM
                                                                       : SSBP_NAME_SETITEM;
        return ssbp_special_is_traced(container, special) ? 0 : anywhere(out);
    }
    ssbp_place_item(out, view, container, key, write ? SSBP_WRITE : SSBP_READ, view->record->flags & SSBP_DELETE);
    if (!quiet)
        return anywhere(out);
    PyObject *value = write && !(view->record->flags & SSBP_DELETE) ? SSBP_PEEK(view, 2) : NULL;
    if (value != NULL && PySlice_Check(key) && !ssbp_is_quiet(view, value))
        return anywhere(out); /* the value is read item by item */
    if (ssbp_is_local(view, container, 0))
        return 0;
    at(out, container, key, write ? SSBP_WRITE : SSBP_READ, value);
    out->part = out->object != NULL ? item_part(container, key, write, view->record->flags & SSBP_DELETE) : 0;
    return 1;
}

static int contains(const ssbp_view *view, ssbp_access *out)
{
    PyObject *container = SSBP_PEEK(view, 0), *element = SSBP_PEEK(view, 1);
    int quiet = key_is_quiet(view, element);
    if (quiet && ssbp_is_quiet(view, container))
        return 0;
    if (!ssbp_is_container(container))
        return ssbp_special_is_traced(container, SSBP_NAME_CONTAINS) ? 0 : anywhere(out);
    if (PyDict_CheckExact(container) || PyAnySet_CheckExact(container))
        ssbp_place_item(out, view, container, element, SSBP_READ, 0);
    else
        ssbp_place(out, SSB_PLACE_WHOLE, container, NULL, SSBP_READ);
    if (!quiet)
        return anywhere(out);
    int hashed = PyDict_CheckExact(container) || PyAnySet_CheckExact(container);
    if (!hashed && !ssbp_is_harmless(element) && !ssbp_compares_by_identity(element))
        return anywhere(out); /* items are compared by what they contain */
    return at(out, container, NULL, SSBP_READ, NULL);
}

static int operands(const ssbp_view *view, int n, ssbp_access *out)
{
    for (int i = 0; i < n; i++)
        if (!ssbp_is_quiet(view, SSBP_PEEK(view, i)))
            return anywhere(out);
    return 0;
}

static int compared(const ssbp_view *view, ssbp_access *out)
{
    for (int i = 0; i < 2; i++)
        if (!key_is_quiet(view, SSBP_PEEK(view, i)))
            return anywhere(out);
    return 0;
}

static int truth(const ssbp_view *view, ssbp_access *out)
{
    PyObject *value = SSBP_PEEK(view, 0);
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyBool_Type || type == &PyTuple_Type || ssbp_is_harmless(value))
        return 0;
    if (ssbp_is_container(value)) {
        ssbp_place(out, SSB_PLACE_SIZE, value, NULL, SSBP_READ);
        return ssbp_is_local(view, value, 0) ? 0 : at(out, value, NULL, SSBP_READ, NULL);
    }
    if (ssbp.slots_stored)
        return anywhere(out);
    int has_bool = type->tp_as_number != NULL && type->tp_as_number->nb_bool != NULL;
    int has_length = (type->tp_as_mapping != NULL && type->tp_as_mapping->mp_length != NULL) ||
                     (type->tp_as_sequence != NULL && type->tp_as_sequence->sq_length != NULL);
    if (!has_bool && !has_length)
        return 0;
    return ssbp_special_is_traced(value, has_bool ? SSBP_NAME_BOOL : SSBP_NAME_LEN) ? 0 : anywhere(out);
}

/* -- iteration -------------------------------------------------------------------------------- */

static int iterate(const ssbp_view *view, ssbp_access *out)
{
    PyObject *value = SSBP_PEEK(view, 0);
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyList_Type || type == &PyTuple_Type || type == &PyRange_Type || type == &PyUnicode_Type ||
        type == &PyBytes_Type || type->tp_iter == PyObject_SelfIter)
        return 0; /* makes an iterator without looking at the elements */
    if (ssbp_is_container(value)) {
        ssbp_place(out, SSB_PLACE_SIZE, value, NULL, SSBP_READ); /* the iterator remembers it */
        return ssbp_is_local(view, value, 0) ? 0 : at(out, value, NULL, SSBP_READ, NULL);
    }
    return ssbp_special_is_traced(value, SSBP_NAME_ITER) ? 0 : anywhere(out);
}

static int generator_is_traced(PyObject *value)
{
    if (!PyGen_CheckExact(value) && !PyCoro_CheckExact(value))
        return 0;
    ssbp_frame *frame = ssbp_generator_frame(value);
    PyCodeObject *code = ssbp_frame_code(frame);
    if (code == NULL || ssbp_generator_is_finished(value))
        return 0;
    const ssbp_code *entry = ssbp_find_code(code, frame->f_globals);
    if (entry == NULL)
        PyErr_Clear();
    return entry != NULL && entry->records != NULL;
}

/* The iterator is this thread's alone and what it runs over can't be changed by others. */
static int is_private_iterator(const ssbp_view *view, PyObject *iterator)
{
    PyTypeObject *type = Py_TYPE(iterator);
    if (!ssbp_is_local(view, iterator, 0))
        return 0;
    if (type == &PyRangeIter_Type || type == &PyLongRangeIter_Type || type == &PyTupleIter_Type ||
        type == &PyBytesIter_Type || type == &PyUnicodeIter_Type || strcmp(type->tp_name, "str_ascii_iterator") == 0)
        return 1;
    if (type == &PyListIter_Type) {
        PyObject *list = ((ssbp_list_iterator *)iterator)->list;
        return list == NULL || ssbp_is_local(view, list, 1);
    }
    return generator_is_traced(iterator);
}

static int next_of(const ssbp_view *view, ssbp_access *out)
{
    int below = view->record->operand;
    PyObject *iterator = SSBP_PEEK(view, below);
    Py_ssize_t index;
    if (below > 0 && ssbp_counts(view->top[-below], &index)) { /* a sequence; all but lists are immutable */
        if (!PyList_CheckExact(iterator) || ssbp_is_local(view, iterator, 0))
            return 0;
        ssbp_place_index(out, iterator, index, SSBP_READ);
        return at(out, iterator, NULL, SSBP_READ, NULL);
    }
    if (is_private_iterator(view, iterator) || ssbp_special_is_traced(iterator, SSBP_NAME_NEXT))
        return 0;
    ssbp_place_next(out, view, iterator);
    return anywhere(out);
}

static int source(const ssbp_view *view, ssbp_access *out)
{
    PyObject *value = SSBP_PEEK(view, 0);
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyTuple_Type || type == &PyRange_Type || ssbp_is_harmless(value) || is_private_iterator(view, value))
        return 0;
    if (!ssbp_is_container(value))
        return anywhere(out);
    ssbp_place(out, SSB_PLACE_WHOLE, value, NULL, SSBP_READ);
    return ssbp_is_local(view, value, 0) ? 0 : at(out, value, NULL, SSBP_READ, NULL);
}

/* -- calls ------------------------------------------------------------------------------------- */

static int call(const ssbp_view *view, int n, int below, ssbp_access *out)
{
    PyObject *args[MAX_ARGUMENTS + 1], *first = SSBP_PEEK(view, below + n + 1), *second = SSBP_PEEK(view, below + n);
    PyObject *callable = SSBP_CALLABLE_FIRST || first != NULL ? first : second;
    int with_self = SSBP_CALLABLE_FIRST ? second != NULL : first != NULL;
    if (n > MAX_ARGUMENTS) {
        out->operation = SSB_OP_CALL;
        return anywhere(out);
    }
    args[0] = second;
    for (int i = 0; i < n; i++)
        args[with_self + i] = SSBP_PEEK(view, below + n - 1 - i);
    return ssbp_call_examine(view, callable, args, n + with_self, NULL, out);
}

static int call_unpacked(const ssbp_view *view, ssbp_access *out)
{
    int with_names = view->record->operand;
    PyObject *named = with_names ? SSBP_PEEK(view, 0) : NULL, *args = SSBP_PEEK(view, with_names);
    PyObject *callable = SSBP_PEEK(view, with_names + 1 + SSBP_CALLABLE_FIRST);
    if (!PyTuple_CheckExact(args) || (named != NULL && !PyDict_CheckExact(named))) {
        out->operation = SSB_OP_CALL;
        return anywhere(out);
    }
    return ssbp_call_examine(view, callable, ((PyTupleObject *)args)->ob_item, PyTuple_GET_SIZE(args), named, out);
}

static int enter(const ssbp_view *view, ssbp_access *out)
{
    PyObject *manager = SSBP_PEEK(view, 0);
    PyObject *method = _PyType_Lookup(Py_TYPE(manager), ssbp_names[SSBP_NAME_ENTER]);
    if (method == NULL || (method != NULL && Py_TYPE(method) == &PyMethodDescr_Type &&
                           ssb_is_hooked(((PyMethodDescrObject *)method)->d_method->ml_meth)))
        return 0;
    if (PyFunction_Check(method) && !ssbp.slots_stored && !ssbp_function_needs(method))
        return 0;
    out->operation = SSB_OP_CALL;
    return anywhere(out);
}

static int leave(const ssbp_view *view, ssbp_access *out)
{
    int callable = view->record->operand;
    PyObject *self = SSBP_EXIT_HAS_SELF ? SSBP_PEEK(view, callable - 1) : NULL;
    return ssbp_call_examine(view, SSBP_PEEK(view, callable), &self, self != NULL, NULL, out);
}

/* A frame gives control back, and its local variables go if it returns. C code that called it may have more to do, which others
 * must be able to come before; if the frame did nothing that they could see, they could have done so when it began. */
static int goes_back(const ssbp_view *view, ssbp_access *out)
{
    int inside = ssb_current()->fresh_frame != view->frame ? ssbp_opaque_entered(view->frame) : 0;
    if (inside != 0)
        return inside < 0 ? -1 : anywhere(out);
    for (int i = 0; view->record->operand != 0 && i < view->code->co_nlocalsplus; i++)
        if (ssbp_dies_visibly(ssbp_local(view->frame, i)))
            return anywhere(out);
    return 0;
}

int ssbp_examine(const ssbp_view *view, ssbp_access *out)
{
    *out = (ssbp_access){.operation = SSB_OP_ACCESS};
    int check = view->record->check;
    if (check >= SSBP_ATTRIBUTE_READ && view->top == NULL)
        return anywhere(out);
    switch (check) {
    case SSBP_NONE: return 0;
    case SSBP_GLOBAL_READ: return global_access(view, SSBP_READ, out);
    case SSBP_GLOBAL_WRITE: return global_access(view, SSBP_WRITE, out);
    case SSBP_NAME_WRITE:
        if (view->frame->f_locals == view->frame->f_globals)
            return global_access(view, SSBP_WRITE, out);
        return view->code->co_flags & CO_OPTIMIZED || is_own_namespace(view->frame->f_locals) ? 0 : anywhere(out);
    case SSBP_CELL_READ:
    case SSBP_CELL_WRITE:
    case SSBP_CELL_CONSTANT: return cell_access(view, out);
    case SSBP_RELEASE: return ssbp_dies_visibly(ssbp_local(view->frame, view->record->operand)) ? anywhere(out) : 0;
    case SSBP_LEAVE: return goes_back(view, out);
    case SSBP_DISCARD: return ssbp_dies_visibly(SSBP_PEEK(view, 0)) ? anywhere(out) : 0;
    case SSBP_ATTRIBUTE_READ: return attribute_read(view, out);
    case SSBP_ATTRIBUTE_WRITE: return attribute_write(view, out);
    case SSBP_ITEM_READ: return item_access(view, 0, out);
    case SSBP_ITEM_WRITE: return item_access(view, 1, out);
    case SSBP_CONTAINS: return contains(view, out);
    case SSBP_OPERANDS: return operands(view, view->record->operand, out);
    case SSBP_COMPARE: return compared(view, out);
    case SSBP_TRUTH: return truth(view, out);
    case SSBP_ITERATE: return iterate(view, out);
    case SSBP_NEXT: return next_of(view, out);
    case SSBP_SOURCE: return source(view, out);
    case SSBP_CALL: return call(view, view->record->operand, 0, out);
    case SSBP_CALL_KEYWORDS: return call(view, view->record->operand, 1, out);
    case SSBP_CALL_UNPACKED: return call_unpacked(view, out);
    case SSBP_ENTER: return enter(view, out);
    case SSBP_EXIT: return leave(view, out);
    default: return anywhere(out);
    }
}
