/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ handlers_streams.c — io.StringIO: text and position, however it is kept.   │
 * │                                                                            │
 * │ What is written at the end is collected first, in lists or in a writer     │
 * │ (by version); anything else moves it into a buffer.                        │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>

#ifndef SSB_STRING_IO_HAS_LISTS
#define SSB_STRING_IO_HAS_LISTS 0
#endif
#ifndef SSB_STRING_IO_WRITER_IS_APART
#define SSB_STRING_IO_WRITER_IS_APART 0
#endif

enum { REALIZED = 1, ACCUMULATING = 2 };

typedef struct string_io {
    PyObject_HEAD
    Py_UCS4 *buffer;
    Py_ssize_t position, size;
    size_t allocated;
    int state;
#if SSB_STRING_IO_HAS_LISTS
    PyObject *joined, *pieces; /* lists of texts, or NULL */
#elif SSB_STRING_IO_WRITER_IS_APART
    _PyUnicodeWriter *writer; /* NULL when the text is in the buffer */
#else
    _PyUnicodeWriter writer;
#endif
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

#if SSB_STRING_IO_HAS_LISTS
static void spell_collected(speller *s, const string_io *o)
{
    PyObject *lists[] = {o->joined, o->pieces};
    for (int l = 0; l < 2; l++)
        for (Py_ssize_t i = 0; lists[l] && i < PyList_GET_SIZE(lists[l]); i++) {
            PyObject *text = PyList_GET_ITEM(lists[l], i);
            for (Py_ssize_t k = 0; k < PyUnicode_GET_LENGTH(text); k++)
                spell(s, PyUnicode_READ_CHAR(text, k));
        }
}

/* The lists are nobody else's: what changes in them changes the stream. */
static void collected_buffers(string_io *o, int32_t owner)
{
    PyObject *lists[] = {o->joined, o->pieces};
    for (int i = 0; i < 2; i++)
        if (lists[i]) {
            ssbf_hide(lists[i]);
            ssbf_add_block((char *)lists[i] + sizeof(PyObject), sizeof(PyListObject) - sizeof(PyObject), owner);
        }
}

static int collected_is_known(const string_io *read, const string_io *written)
{
    return !read->joined && !read->pieces && !written->joined && written->pieces && PyList_CheckExact(written->pieces) &&
           PyList_GET_SIZE(written->pieces) == 1 && PyUnicode_Check(PyList_GET_ITEM(written->pieces, 0));
}
#else
static const _PyUnicodeWriter *writer_of(const string_io *o)
{
#if SSB_STRING_IO_WRITER_IS_APART
    return o->writer;
#else
    return &o->writer;
#endif
}

static void spell_collected(speller *s, const string_io *o)
{
    const _PyUnicodeWriter *w = writer_of(o);
    for (Py_ssize_t i = 0; i < o->size && w && w->buffer; i++)
        spell(s, PyUnicode_READ(w->kind, w->data, i));
}

/* The text under construction is nobody else's, unless what was written is kept as it is. */
static void collected_buffers(string_io *o, int32_t owner)
{
    const _PyUnicodeWriter *w = writer_of(o);
    PyObject *text = w ? w->buffer : NULL;
    if (SSB_STRING_IO_WRITER_IS_APART && w)
        ssbf_add_block(w, sizeof *w, owner);
    if (o->state == ACCUMULATING && text && !w->readonly)
        ssbf_add_block((char *)text + SSB_COUNT_BYTES,
                       (size_t)((const char *)w->data - (char *)text) - SSB_COUNT_BYTES + (size_t)(w->size + 1) * (size_t)w->kind,
                       owner);
}

static int collected_is_known(const string_io *read, const string_io *written)
{
    const _PyUnicodeWriter *unused = writer_of(read), *w = writer_of(written);
    return (!unused || !unused->buffer) && w && w->buffer && PyUnicode_Check(w->buffer) && w->pos == 2 &&
           PyUnicode_READ(w->kind, w->data, 1) == 'r';
}
#endif

static void text(const string_io *s)
{
    speller speller = {0, 0};
    ssbf_count((uint64_t)s->size);
    if (s->state == ACCUMULATING) {
        spell_collected(&speller, s);
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

static void string_io_buffers(PyObject *o, int32_t owner)
{
    string_io *s = (string_io *)o;
    ssbf_add_block(s->buffer, s->allocated * sizeof *s->buffer, owner);
    collected_buffers(s, owner);
}

/* One stream of each kind. */
static int layout_is_known(PyTypeObject *type)
{
    PyObject *read = type ? PyObject_CallFunction((PyObject *)type, "s", "xyz") : NULL;
    PyObject *written = type ? PyObject_CallNoArgs((PyObject *)type) : NULL;
    PyObject *two = read ? PyObject_CallMethod(read, "read", "i", 2) : NULL;
    PyObject *put = written ? PyObject_CallMethod(written, "write", "s", "qr") : NULL;
    int known = 0;
    if (two && put && type->tp_basicsize >= (Py_ssize_t)sizeof(string_io) && type->tp_dictoffset == offsetof(string_io, dict)) {
        string_io *a = (string_io *)read, *b = (string_io *)written;
        known = a->state == REALIZED && a->position == 2 && a->size == 3 && a->buffer[0] == 'x' && a->ok == 1 && a->closed == 0 &&
                b->state == ACCUMULATING && b->position == 2 && b->size == 2 && collected_is_known(a, b);
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
