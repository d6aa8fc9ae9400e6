/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ handlers.c — content of an object: its handler, or word by word.           │
 * │                                                                            │
 * │ A type without a handler is walked as it lies in memory. That is sound for │
 * │ every type: a handler only lets more states be recognised as equal.        │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"
#include "explain.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>

#define MAX_HANDLERS 128

static struct {
    PyTypeObject *type;
    const ssbf_handler *handler;
} registered[MAX_HANDLERS];
static int n_registered;

void ssbf_register(PyTypeObject *type, const ssbf_handler *handler)
{
    ssbf_unregister(type);
    if (type && n_registered < MAX_HANDLERS) {
        registered[n_registered].type = type;
        registered[n_registered++].handler = handler;
    }
}

void ssbf_unregister(PyTypeObject *type)
{
    for (int i = 0; i < n_registered; i++)
        if (registered[i].type == type)
            registered[i--] = registered[--n_registered];
}

const ssbf_handler *ssbf_registered(PyTypeObject *type)
{
    for (PyTypeObject *t = type; t; t = t->tp_base)
        for (int i = 0; i < n_registered; i++)
            if (registered[i].type == t)
                return registered[i].handler;
    return NULL;
}

const ssbf_handler *ssbf_handler_of(PyTypeObject *type)
{
    for (PyTypeObject *t = type; t; t = t->tp_base) {
        int b = ssbf_find_object((uintptr_t)t);
        if (b >= 0 && ssbf->kinds[b] & SSBF_TYPE)
            return ssbf->handlers[ssbf->kinds[b] >> 8];
    }
    return NULL;
}

PyObject *ssb_handlers(void)
{
    PyObject *result = ssbf_register_all() ? NULL : PyList_New(0);
    for (int i = 0; result && i < n_registered; i++) {
        PyObject *entry = Py_BuildValue("(Os)", registered[i].type, registered[i].handler->name);
        if (!entry || PyList_Append(result, entry) < 0)
            Py_CLEAR(result);
        Py_XDECREF(entry);
    }
    return result;
}

/* ---- sizes and fields ----------------------------------------------------------- */

Py_ssize_t ssbf_object_bytes(PyObject *o)
{
    PyTypeObject *t = Py_TYPE(o);
    if (PyType_Check(o) && !(((PyTypeObject *)o)->tp_flags & Py_TPFLAGS_HEAPTYPE))
        return sizeof(PyTypeObject);
    if (PyUnicode_CheckExact(o))
        return sizeof(PyUnicodeObject);
    Py_ssize_t bytes = t->tp_basicsize;
    if (t->tp_itemsize) {
        Py_ssize_t n = ssb_var_items(o);
        if (PyFrame_Check(o)) {
            PyCodeObject *code = ssb_frame_code(((PyFrameObject *)o)->f_frame);
            n = code->co_nlocalsplus + code->co_stacksize + SSB_FRAME_EXTRA_SLOTS;
        } else if (PyGen_Check(o) || PyCoro_CheckExact(o) || PyAsyncGen_CheckExact(o)) {
            PyCodeObject *code = ssb_generator_code(o);
            n = code->co_nlocalsplus + code->co_stacksize + SSB_FRAME_EXTRA_SLOTS;
        }
        bytes += n * t->tp_itemsize;
    }
    return (bytes + 7) & ~(Py_ssize_t)7;
}

/* Later references to an attribute dict name its owner: whether it was ever materialised makes no difference. */
static void name_dict(PyObject *dict, PyObject *owner)
{
    if (ssbf->in_base || ssbf->probing)
        return;
    int b = ssbf_find_object((uintptr_t)owner);
    ssbf_predefine((uintptr_t)dict, b >= 0 ? 0x60000000u | (uint32_t)b : 0x40000000u | ssbf_known((uintptr_t)owner));
}

void ssbf_attribute_dict(PyObject *dict, PyObject *owner)
{
    int plain = dict && Py_TYPE(dict) == &PyDict_Type;
    int is_base = dict && ssbf_find_object((uintptr_t)dict) >= 0;
    if (!dict || (plain && !is_base && ((PyDictObject *)dict)->ma_used == 0 && !ssbf_known((uintptr_t)dict))) {
        ssbf_token(SSBF_TOKEN(SSBF_T_ATTRIBUTES, 0));
        ssbf_count(0);
        if (dict)
            name_dict(dict, owner);
        return;
    }
    if (!plain || is_base || ssbf_known((uintptr_t)dict)) {
        ssbf_token(SSBF_TOKEN(SSBF_T_ATTRIBUTES, 1));
        ssbf_reference(dict);
        return;
    }
    name_dict(dict, owner);
    ssbf_token(SSBF_TOKEN(SSBF_T_ATTRIBUTES, 0));
    ssbf_attribute_items((PyDictObject *)dict, owner);
}

/* Values that lie with the instance; the type's shared keys name them. */
static void inline_values(PyObject *o, PyDictValues *values)
{
    PyDictKeysObject *keys = ssb_type_keys(Py_TYPE(o));
    PyDictUnicodeEntry *entries = DK_UNICODE_ENTRIES(keys);
    int n = ssb_values_size(values), used = 0;
    uint64_t weak = ssbf_weakened() ? ssbf_weak_attributes(o, NULL) : 0;
    for (int i = 0; i < n; i++) {
        int e = ssb_values_entry(values, i);
        used += values->values[e] && !ssbf_left_out(weak, entries[e].me_key);
    }
    ssbf_token(SSBF_TOKEN(SSBF_T_ATTRIBUTES, 0));
    ssbf_count((uint64_t)used);
    for (int i = 0; i < n; i++) {
        int e = ssb_values_entry(values, i);
        if (values->values[e] && !ssbf_left_out(weak, entries[e].me_key)) {
            ssbf_reference(entries[e].me_key);
            SSBF_EDGE_KEY(entries[e].me_key);
            ssbf_reference(values->values[e]);
        }
    }
}

void ssbf_managed_attributes(PyObject *o)
{
    if (!ssb_type_has_managed_dict(Py_TYPE(o)))
        return;
    PyDictValues *values = ssb_instance_values(o);
    if (values)
        inline_values(o, values);
    else
        ssbf_attribute_dict(ssb_instance_dict(o), o);
}

void ssbf_fields(PyObject *o, Py_ssize_t from, Py_ssize_t to)
{
    PyTypeObject *t = Py_TYPE(o);
    Py_ssize_t dict = ssb_type_has_managed_dict(t) ? 0 : t->tp_dictoffset;
    uint64_t weak = ssbf_weakened() ? ssbf_weak_attributes(o, NULL) : 0;
    if (dict < 0) /* behind the items */
        dict += ssbf_object_bytes(o);
    for (Py_ssize_t at = from; at < to; at += sizeof(void *)) {
        if (weak && ssbf_slot_left_out(weak, at))
            continue;
        if (t->tp_weaklistoffset > 0 && at == t->tp_weaklistoffset)
            continue;
        if (dict > 0 && at == dict)
            ssbf_attribute_dict(*(PyObject **)((char *)o + at), o);
        else
            ssbf_word(*(uintptr_t *)((char *)o + at));
    }
}

/* ---- content ----------------------------------------------------------------------- */

/* Caches of abstract base classes forget a class when it dies: no program notices. */
static int is_cache_callback(PyObject *callback)
{
    return PyCFunction_CheckExact(callback) && !strcmp(((PyCFunctionObject *)callback)->m_ml->ml_name, "_destroy");
}

PyWeakReference *ssbf_calls_back(PyWeakReference *w)
{
    while (w && (!w->wr_callback || is_cache_callback(w->wr_callback)))
        w = w->wr_next;
    return w;
}

/* Weak references that will call back when the object dies, in calling order. */
static void callbacks(PyObject *o)
{
    if (Py_TYPE(o)->tp_weaklistoffset == 0)
        return;
    for (PyWeakReference *w = ssbf_calls_back(ssb_object_weakrefs(o)); w; w = ssbf_calls_back(w->wr_next))
        ssbf_reference((PyObject *)w);
    ssbf_count(0);
}

int ssbf_counts_as_finalized(PyObject *o)
{
    PyTypeObject *t = Py_TYPE(o);
    return t->tp_finalize && PyType_IS_GC(t) && !PyType_Check(o);
}

void ssbf_content(PyObject *o)
{
    PyTypeObject *t = Py_TYPE(o);
    ssbf_reference((PyObject *)t);
    if (ssbf_weakened()) {
        uint64_t weak = ssbf_weak_attributes(o, NULL);
        if (ssbf_weak_content(o))
            return;
        if (weak)
            ssbf_weak_names(weak);
    }
    const ssbf_handler *handler = ssbf_handler_of(t);
    if (!handler) {
        ssbf_fields(o, sizeof(PyObject), ssbf_object_bytes(o));
        ssbf_managed_attributes(o);
    } else {
        handler->content(o);
        if (handler->covered && t->tp_basicsize > (Py_ssize_t)handler->covered)
            ssbf_fields(o, (Py_ssize_t)handler->covered, ssbf_object_bytes(o));
        if (handler->covered)
            ssbf_managed_attributes(o);
    }
    if (ssbf_counts_as_finalized(o))
        ssbf_count((uint64_t)PyObject_GC_IsFinalized(o));
    callbacks(o);
}

#else

PyObject *ssb_handlers(void) { return PyList_New(0); }

#endif
