/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ preempt_tables.c — what is known about code objects and names.             │
 * │                                                                            │
 * │ Open-addressing tables in scratch memory, keyed by address: the objects    │
 * │ exist before the base snapshot and never die, so that an entry, once made, │
 * │ holds on every path. Code made while exploring is no such thing: what is   │
 * │ known about it hangs on the code object itself (co_extra).                 │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "preempt_internal.h"

#include <string.h>

ssbp_state ssbp;
PyObject *ssbp_names[SSBP_N_NAMES];

typedef struct {
    const void **slots;
    size_t mask;
} pointer_set;

static pointer_set sets[SSBP_N_SETS];
static pointer_set untraced; /* code of the base state that is not under test; an entry is made when it first runs */
static ssbp_code *codes; /* open addressing by code address */
static size_t codes_mask;
static uint64_t *n_codes; /* scratch: grows on every path alike */
static const ssbp_code **recent;
static Py_ssize_t extra_index = -1;
static PyObject *plain_modules; /* tuple of str */
static PyObject *watched;       /* frozenset of str */

static size_t slot_of(const void *p, size_t mask) { return (size_t)(((uintptr_t)p >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 20) & mask; }

static size_t capacity_for(Py_ssize_t n)
{
    size_t capacity = 64;
    while (capacity < (size_t)n * 2 + 32)
        capacity *= 2;
    return capacity;
}

/* -- sets ------------------------------------------------------------------------- */

static int contains(const pointer_set *s, const void *object)
{
    for (size_t i = slot_of(object, s->mask); s->slots[i] != NULL; i = (i + 1) & s->mask)
        if (s->slots[i] == object)
            return 1;
    return 0;
}

int ssbp_set_contains(enum ssbp_set set, const void *object) { return contains(&sets[set], object); }

static void set_add(pointer_set *s, const void *object)
{
    size_t i = slot_of(object, s->mask);
    while (s->slots[i] != NULL && s->slots[i] != object)
        i = (i + 1) & s->mask;
    s->slots[i] = object;
}

static PyObject *required(PyObject *tables, const char *key)
{
    PyObject *value = PyDict_GetItemString(tables, key);
    if (value == NULL)
        PyErr_Format(PyExc_ValueError, "tables has no entry '%s'", key);
    return value;
}

static int set_from(enum ssbp_set which, PyObject *tables, const char *key)
{
    PyObject *values = required(tables, key);
    if (values == NULL)
        return -1;
    PyObject *sequence = PySequence_Fast(values, "tables: a set or sequence is expected");
    if (sequence == NULL)
        return -1;
    Py_ssize_t n = PySequence_Fast_GET_SIZE(sequence);
    size_t capacity = capacity_for(n);
    sets[which] = (pointer_set){ssb_scratch(capacity * sizeof(void *)), capacity - 1};
    for (Py_ssize_t i = 0; i < n; i++)
        set_add(&sets[which], PySequence_Fast_GET_ITEM(sequence, i));
    Py_DECREF(sequence);
    return 0;
}

/* -- code objects ------------------------------------------------------------------- */

static uint64_t label_of(PyCodeObject *code)
{
    Py_ssize_t n;
    const char *text = PyUnicode_AsUTF8AndSize(code->co_qualname, &n);
    if (text == NULL) {
        PyErr_Clear();
        return 0;
    }
    return ssb.engine->hash64(text, (size_t)n);
}

static ssbp_code *code_slot(const PyCodeObject *code)
{
    size_t i = slot_of(code, codes_mask);
    while (codes[i].code != NULL && codes[i].code != code)
        i = (i + 1) & codes_mask;
    return &codes[i];
}

static int fill(ssbp_code *entry, PyCodeObject *code, PyObject *records, void *copy)
{
    *entry = (ssbp_code){.code = code, .units = (uint32_t)Py_SIZE(code), .label = label_of(code)};
    if (records == Py_None)
        return 0;
    if (!PyBytes_Check(records) || (size_t)PyBytes_GET_SIZE(records) != entry->units * sizeof(ssbp_record)) {
        PyErr_Format(PyExc_ValueError, "tables: the records of %U do not fit its %u code units", code->co_qualname,
                     entry->units);
        return -1;
    }
    memcpy(copy, PyBytes_AS_STRING(records), (size_t)PyBytes_GET_SIZE(records));
    entry->records = copy;
    if (ssbp_tracks_switches)
        ssbp_gil_mark(code, copy);
    return 0;
}

static int add_base_code(PyCodeObject *code, PyObject *records)
{
    if (*n_codes + *n_codes / 2 >= codes_mask) {
        PyErr_SetString(PyExc_RuntimeError, "the table of code objects is full");
        return -1;
    }
    ssbp_code *slot = code_slot(code), entry;
    if (slot->code != NULL)
        return 0;
    void *copy = records == Py_None ? NULL : ssb_scratch((size_t)PyBytes_GET_SIZE(records) + sizeof(ssbp_record));
    if (fill(&entry, code, records, copy) < 0)
        return -1;
    *slot = entry;
    ++*n_codes;
    return 0;
}

/* Python code decides about code never seen before; it runs as a tracer's code
 * does, untraced, and without choice points. */
static PyObject *ask(PyCodeObject *code, PyObject *globals)
{
    int active = ssb.active;
    ssb.active = 0;
    PyThreadState *tstate = PyThreadState_Get();
    PyThreadState_EnterTracing(tstate);
    PyObject *records = PyObject_CallFunctionObjArgs(ssbp.classify, (PyObject *)code, globals, NULL);
    PyThreadState_LeaveTracing(tstate);
    ssb.active = active;
    return records;
}

/* Names by which code gets at data of others, in code that nobody knew of. */
static void check_names(PyCodeObject *code)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(code->co_names); i++) {
        PyObject *name = PyTuple_GET_ITEM(code->co_names, i);
        if (PySet_Contains(watched, name) == 1)
            ssbp_restart("name", NULL, name);
    }
    PyErr_Clear();
}

const ssbp_code *ssbp_find_code(PyCodeObject *code, PyObject *globals)
{
    const ssbp_code *cached = *recent;
    if (cached != NULL && cached->code == code)
        return cached;
    const ssbp_code *slot = code_slot(code);
    if (slot->code != NULL) {
        *recent = slot;
        return slot;
    }
    int fresh = ssb_heap_contains((uintptr_t)code);
    if (fresh) {
        const ssbp_code *extra = ssbp_code_extra(code, extra_index);
        if (extra != NULL)
            return extra;
    }
    PyObject *records = !fresh && contains(&untraced, code) ? Py_NewRef(Py_None) : ask(code, globals);
    if (records == NULL)
        return NULL;
    if (ssb.active && records != Py_None)
        check_names(code);
    if (!fresh) {
        int failed = add_base_code(code, records);
        Py_DECREF(records);
        return failed < 0 ? NULL : code_slot(code);
    }
    size_t bytes = records == Py_None ? 0 : (size_t)PyBytes_GET_SIZE(records);
    ssbp_code *entry = PyMem_RawCalloc(1, sizeof *entry + bytes);
    int failed = entry == NULL || fill(entry, code, records, entry + 1) < 0 || ssbp_set_code_extra(code, extra_index, entry) < 0;
    Py_DECREF(records);
    if (failed) {
        PyMem_RawFree(entry);
        if (!PyErr_Occurred())
            PyErr_NoMemory();
        return NULL;
    }
    return entry;
}

int ssbp_module_is_plain(PyObject *globals)
{
    PyObject *name = PyDict_GetItemWithError(globals, ssbp_names[SSBP_NAME_MODULE_NAME]);
    if (name == NULL || !PyUnicode_Check(name))
        return 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(plain_modules); i++) {
        PyObject *module = PyTuple_GET_ITEM(plain_modules, i);
        Py_ssize_t n = PyUnicode_GET_LENGTH(module);
        if (PyUnicode_Tailmatch(name, module, 0, n, -1) == 1 &&
            (PyUnicode_GET_LENGTH(name) == n || PyUnicode_READ_CHAR(name, n) == '.'))
            return 1;
    }
    return 0;
}

static int codes_from(PyObject *tables)
{
    PyObject *traced = required(tables, "codes"), *others = required(tables, "untraced");
    if (traced == NULL || others == NULL)
        return -1;
    if (!PyBytes_Check(others) || (size_t)PyBytes_GET_SIZE(others) % sizeof(uintptr_t)) {
        PyErr_SetString(PyExc_TypeError, "tables['untraced'] must be packed addresses, as survey() gives them");
        return -1;
    }
    Py_ssize_t n_others = PyBytes_GET_SIZE(others) / (Py_ssize_t)sizeof(uintptr_t);
    /* Room for base code that only shows up later. */
    size_t capacity = capacity_for(PyDict_Size(traced) + n_others * 2 + 8192);
    codes = ssb_scratch(capacity * sizeof *codes);
    codes_mask = capacity - 1;
    n_codes = ssb_scratch(sizeof *n_codes);
    recent = ssb_scratch(sizeof *recent);
    PyObject *code, *records;
    Py_ssize_t position = 0;
    int failed = 0;
    while (!failed && PyDict_Next(traced, &position, &code, &records))
        failed = !PyBytes_Check(records) || add_base_code((PyCodeObject *)code, records) < 0;
    size_t most = capacity_for(n_others);
    untraced = (pointer_set){ssb_scratch(most * sizeof(void *)), most - 1};
    for (Py_ssize_t i = 0; i < n_others; i++) {
        const void *other;
        memcpy(&other, PyBytes_AS_STRING(others) + i * (Py_ssize_t)sizeof other, sizeof other);
        set_add(&untraced, other);
    }
    if (failed && !PyErr_Occurred())
        PyErr_SetString(PyExc_TypeError, "tables['codes'] must map code objects to bytes");
    return failed ? -1 : 0;
}

static int flag_from(PyObject *tables, const char *key, int *out)
{
    PyObject *value = required(tables, key);
    if (value == NULL || (*out = PyObject_IsTrue(value)) < 0)
        return -1;
    return 0;
}

int ssbp_tables_install(PyObject *tables)
{
    static const char *const names[SSBP_N_SETS] = {
        [SSBP_SET_STORED] = "stored_names",  [SSBP_SET_REBOUND] = "rebound", [SSBP_SET_PLAIN] = "plain_calls",
        [SSBP_SET_PURE] = "pure_calls",      [SSBP_SET_READERS] = "readers", [SSBP_SET_CLASSES] = "classes",
        [SSBP_SET_NAMESPACES] = "namespaces", [SSBP_SET_OWN] = "library_own", [SSBP_SET_SELF] = "library_self",
        [SSBP_SET_REGISTRY] = "library_registry", [SSBP_SET_CALLING] = "library_calling",
    };
    static const char *const special[SSBP_N_NAMES] = {
        "__init__", "__new__",  "__call__", "__getitem__", "__setitem__", "__delitem__", "__contains__",
        "__bool__", "__len__",  "__iter__", "__next__",    "__enter__",   "__func__",    "__name__",
        "__del__", "__builtins__",
    };
    for (int i = 0; i < SSBP_N_NAMES; i++)
        if ((ssbp_names[i] = PyUnicode_InternFromString(special[i])) == NULL)
            return -1;
    for (int set = 0; set < SSBP_N_SETS; set++)
        if (set_from((enum ssbp_set)set, tables, names[set]) < 0)
            return -1;
    if ((ssbp.classify = required(tables, "classify")) == NULL ||
        (ssbp.stored_names = required(tables, "stored_names")) == NULL ||
        (ssbp.rebound = required(tables, "rebound")) == NULL ||
        (plain_modules = required(tables, "plain_modules")) == NULL || (watched = required(tables, "watched")) == NULL ||
        flag_from(tables, "locality", &ssbp.locality) < 0 ||
        flag_from(tables, "slots_stored", &ssbp.slots_stored) < 0 ||
        flag_from(tables, "classes_stored", &ssbp.classes_stored) < 0 ||
        flag_from(tables, "functions_stored", &ssbp.functions_stored) < 0 || flag_from(tables, "aliased", &ssbp.aliased) < 0)
        return -1;
    ssbp.tables = Py_NewRef(tables);
    extra_index = ssbp_code_extra_index(PyMem_RawFree);
    if (extra_index < 0) {
        PyErr_SetString(PyExc_RuntimeError, "no room to remember facts about code objects (co_extra is used up)");
        return -1;
    }
    return codes_from(tables);
}
