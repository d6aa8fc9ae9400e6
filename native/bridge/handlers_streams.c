/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ handlers_streams.c — io.StringIO: text and position, however it is kept.   │
 * │                                                                            │
 * │ Writing at the end collects pieces in two lists; anything else joins them  │
 * │ in a buffer first. (Other versions of CPython collect differently: there   │
 * │ the check of the layout says no.)                                           │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>

enum { REALIZED = 1, ACCUMULATING = 2 };

typedef struct string_io {
    PyObject_HEAD
    Py_UCS4 *buffer;
    Py_ssize_t position, size;
    size_t allocated;
    int state;
    PyObject *joined, *pieces; /* lists of texts, or NULL */
    char ok, closed, universal, translates;
    PyObject *decoder, *read_newline, *write_newline;
    PyObject *dict, *weak_references;
} string_io;

/* Characters as tokens, two in each, whatever they are stored in. */
typedef struct speller {
    uint64_t half;
    Py_ssize_t n;
} speller;

static void spell(speller *s, Py_UCS4 character)
{
    if (s->n++ % 2 == 0)
        s->half = character;
    else
        ssbf_raw(s->half | (uint64_t)character << 32);
}

static void spell_texts(speller *s, PyObject *list)
{
    for (Py_ssize_t i = 0; list && i < PyList_GET_SIZE(list); i++) {
        PyObject *text = PyList_GET_ITEM(list, i);
        for (Py_ssize_t k = 0; k < PyUnicode_GET_LENGTH(text); k++)
            spell(s, PyUnicode_READ_CHAR(text, k));
    }
}

static void text(const string_io *s)
{
    speller speller = {0, 0};
    ssbf_count((uint64_t)s->size);
    if (s->state == ACCUMULATING) {
        spell_texts(&speller, s->joined);
        spell_texts(&speller, s->pieces);
    } else {
        for (Py_ssize_t i = 0; i < s->size; i++)
            spell(&speller, s->buffer[i]);
    }
    if (speller.n % 2)
        ssbf_raw(speller.half);
}

static void string_io_content(PyObject *o)
{
    string_io *s = (string_io *)o;
    ssbf_count((uint64_t)(unsigned char)s->ok | (uint64_t)(unsigned char)s->closed << 8 |
               (uint64_t)(unsigned char)s->universal << 16 | (uint64_t)(unsigned char)s->translates << 24);
    ssbf_count((uint64_t)s->position);
    if (s->ok > 0 && !s->closed)
        text(s);
    ssbf_reference(s->decoder);
    ssbf_reference(s->read_newline);
    ssbf_reference(s->write_newline);
    ssbf_attribute_dict(s->dict, o);
}

/* The lists are nobody else's: what changes in them changes the stream. */
static void string_io_buffers(PyObject *o, int32_t owner)
{
    string_io *s = (string_io *)o;
    ssbf_add_block(s->buffer, s->allocated * sizeof *s->buffer, owner);
    PyObject *lists[] = {s->joined, s->pieces};
    for (int i = 0; i < 2; i++)
        if (lists[i]) {
            ssbf_hide(lists[i]);
            ssbf_add_block((char *)lists[i] + sizeof(PyObject), sizeof(PyListObject) - sizeof(PyObject), owner);
        }
}

/* One stream of each kind. */
static int layout_is_known(PyTypeObject *type)
{
    PyObject *read = type ? PyObject_CallFunction((PyObject *)type, "s", "xyz") : NULL;
    PyObject *written = type ? PyObject_CallNoArgs((PyObject *)type) : NULL;
    PyObject *two = read ? PyObject_CallMethod(read, "read", "i", 2) : NULL;
    PyObject *put = written ? PyObject_CallMethod(written, "write", "s", "qr") : NULL;
    int known = 0;
    if (two && put && type->tp_basicsize == sizeof(string_io) && type->tp_dictoffset == offsetof(string_io, dict)) {
        string_io *a = (string_io *)read, *b = (string_io *)written;
        known = a->state == REALIZED && a->position == 2 && a->size == 3 && a->buffer[0] == 'x' && a->ok == 1 && a->closed == 0 &&
                !a->joined && !a->pieces && b->state == ACCUMULATING && b->position == 2 && b->size == 2 && !b->joined &&
                b->pieces && PyList_CheckExact(b->pieces) && PyList_GET_SIZE(b->pieces) == 1 &&
                PyUnicode_Check(PyList_GET_ITEM(b->pieces, 0));
    }
    Py_XDECREF(put);
    Py_XDECREF(two);
    Py_XDECREF(written);
    Py_XDECREF(read);
    PyErr_Clear();
    return known;
}

int ssbf_register_streams(void)
{
    static const ssbf_handler string_io_handler = {"StringIO", string_io_content, string_io_buffers, sizeof(string_io)};
    PyTypeObject *type = ssbf_type_of("_io", "StringIO");
    ssbf_register_layout("io.StringIO", type, layout_is_known(type), &string_io_handler);
    return PyErr_Occurred() ? -1 : 0;
}

#endif
