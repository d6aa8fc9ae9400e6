/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ handlers_context.c — contextvars.Context: variables and values.            │
 * │                                                                            │
 * │ The tree that holds them is made anew with each change; its shape follows  │
 * │ from hashes of addresses. A program sees the order of its leaves only.      │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>

/* Private to hamt.c; confirmed on live contexts. */
typedef struct bitmap_node {
    PyObject_VAR_HEAD
    uint32_t bitmap;
    PyObject *pairs[1]; /* key and value, or NULL and a node */
} bitmap_node;

typedef struct array_node {
    PyObject_HEAD
    PyObject *nodes[32];
    Py_ssize_t n;
} array_node;

typedef struct collision_node {
    PyObject_VAR_HEAD
    int32_t hash;
    PyObject *pairs[1];
} collision_node;

enum node_kind { NODE_BITMAP, NODE_ARRAY, NODE_COLLISION, NODE_KINDS };
static PyTypeObject *node_types[NODE_KINDS]; /* NULL: the layout check met none */
static int is_learning; /* the frozen copy must not write */
static const char *const node_names[NODE_KINDS] = {"hamt_bitmap_node", "hamt_array_node", "hamt_collision_node"};

static int kind_of(PyObject *node)
{
    for (int k = 0; k < NODE_KINDS; k++)
        if (Py_TYPE(node) == node_types[k] || (!node_types[k] && !strcmp(Py_TYPE(node)->tp_name, node_names[k]))) {
            if (is_learning)
                node_types[k] = Py_TYPE(node);
            return k;
        }
    return -1;
}

/* Visits the leaves in order. Not 0 where the tree is not what it should be. */
static int leaves(PyObject *node, int depth, int (*visit)(PyObject *key, PyObject *value, void *user), void *user)
{
    int kind = depth < _Py_HAMT_MAX_TREE_DEPTH + 1 ? kind_of(node) : -1;
    if (kind == NODE_ARRAY) {
        array_node *a = (array_node *)node;
        for (int i = 0; i < 32; i++)
            if (a->nodes[i] && leaves(a->nodes[i], depth + 1, visit, user))
                return -1;
        return 0;
    }
    if (kind < 0)
        return -1;
    PyObject **pairs = kind == NODE_BITMAP ? ((bitmap_node *)node)->pairs : ((collision_node *)node)->pairs;
    for (Py_ssize_t i = 0; i + 1 < Py_SIZE(node); i += 2)
        if (pairs[i] ? visit(pairs[i], pairs[i + 1], user) : leaves(pairs[i + 1], depth + 1, visit, user))
            return -1;
    return 0;
}

static int leaf_tokens(PyObject *key, PyObject *value, void *unused)
{
    (void)unused;
    ssbf_reference(key);
    ssbf_reference(value);
    return 0;
}

static void context_content(PyObject *o)
{
    PyContext *c = (PyContext *)o;
    ssbf_reference((PyObject *)c->ctx_prev);
    ssbf_count((uint64_t)c->ctx_entered);
    ssbf_count(c->ctx_vars ? (uint64_t)c->ctx_vars->h_count : 0);
    if (c->ctx_vars && leaves((PyObject *)c->ctx_vars->h_root, 0, leaf_tokens, NULL))
        ssbf_fail("a context is laid out in an unknown way");
}

/* ---- layout -------------------------------------------------------------------------------- */

typedef struct found {
    PyObject *context;
    Py_ssize_t n;
} found;

static int leaf_is_right(PyObject *key, PyObject *value, void *user)
{
    found *f = user;
    PyObject *held = PyContextVar_CheckExact(key) ? PyObject_GetItem(f->context, key) : NULL;
    Py_XDECREF(held); /* the context holds it as well */
    f->n++;
    return held != value;
}

static int tree_is_known(PyObject *context)
{
    PyContext *c = (PyContext *)context;
    found f = {context, 0};
    return c->ctx_vars && c->ctx_entered == 0 && !c->ctx_prev && c->ctx_vars->h_count == PyObject_Size(context) &&
           leaves((PyObject *)c->ctx_vars->h_root, 0, leaf_is_right, &f) == 0 && f.n == PyObject_Size(context);
}

/* Contexts of one and of many variables: each kind of node but collisions, which take equal hashes. */
static int layout_is_known(void)
{
    static const char make[] =
        "import contextvars\n"
        "one, many = contextvars.Context(), contextvars.Context()\n"
        "for i in range(40):\n"
        "    v = contextvars.ContextVar('v%d' % i)\n"
        "    many.run(v.set, i)\n"
        "one.run(v.set, 1)\n";
    PyObject *globals = PyDict_New();
    PyObject *done = globals && PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins()) == 0
                         ? PyRun_String(make, Py_file_input, globals, globals)
                         : NULL;
    PyObject *one = done ? PyDict_GetItemString(globals, "one") : NULL, *many = done ? PyDict_GetItemString(globals, "many") : NULL;
    is_learning = 1;
    int known = PyContext_Type.tp_basicsize == sizeof(PyContext) && one && many && tree_is_known(one) && tree_is_known(many) &&
                node_types[NODE_ARRAY] && node_types[NODE_BITMAP];
    is_learning = 0;
    if (globals)
        PyDict_Clear(globals);
    Py_XDECREF(done);
    Py_XDECREF(globals);
    PyErr_Clear();
    return known;
}

int ssbf_register_context(void)
{
    static const ssbf_handler context = {"Context", context_content, NULL, 0};
    ssbf_register_layout("contextvars.Context", &PyContext_Type, layout_is_known(), &context);
    return PyErr_Occurred() ? -1 : 0;
}

#endif
