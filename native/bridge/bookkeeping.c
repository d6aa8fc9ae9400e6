/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ bookkeeping.c — is a lock operation the program's, or threading's own?     │
 * │                                                                            │
 * │ What threading does inside start(), at a thread's end and in join() is one │
 * │ visible operation each. Which one is decided by the code objects of the    │
 * │ callers: helpers (Condition, Event) are looked through, and the first      │
 * │ other caller's class decides. Nothing is remembered between operations.    │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "runtime.h"

#include "compat_threads.h"

#define N_SLOTS 512u /* a power of two; the table holds some sixty code objects */

static struct {
    PyCodeObject *code;
    int class;
} slots[N_SLOTS];

static unsigned slot_of(const PyCodeObject *code)
{
    unsigned i = (unsigned)(((uintptr_t)code >> 4) * 0x9E3779B1u) & (N_SLOTS - 1);
    while (slots[i].code != NULL && slots[i].code != code)
        i = (i + 1) & (N_SLOTS - 1);
    return i;
}

int ssb_bookkeeping_install(PyObject *codes)
{
    if (!PyDict_Check(codes) || PyDict_GET_SIZE(codes) > N_SLOTS / 2) {
        PyErr_SetString(PyExc_ValueError, "tables['bookkeeping'] must be a dict of at most 256 code objects");
        return -1;
    }
    PyObject *code, *class;
    Py_ssize_t position = 0;
    while (PyDict_Next(codes, &position, &code, &class)) {
        long number = PyLong_AsLong(class);
        if (number == -1 && PyErr_Occurred())
            return -1;
        if (!PyCode_Check(code) || number < SSB_CALLER_BOOK || number > SSB_CALLER_IS_OWNED) {
            PyErr_Format(PyExc_ValueError, "tables['bookkeeping']: %R -> %R is not code -> 1..8", code, class);
            return -1;
        }
        unsigned i = slot_of((PyCodeObject *)code);
        slots[i].code = (PyCodeObject *)Py_NewRef(code); /* for the life of the child */
        slots[i].class = (int)number;
    }
    return 0;
}

static int class_of(ssb_frame *frame) { return slots[slot_of(ssb_frame_code(frame))].class; }

static int is_helper(int class)
{
    return class == SSB_CALLER_HELPER || class == SSB_CALLER_CONDITION_WAIT || class == SSB_CALLER_IS_OWNED;
}

int ssb_caller_class(int *direct)
{
    ssb_frame *frame = ssb_frame_top(PyThreadState_Get());
    int class = frame != NULL ? class_of(frame) : SSB_CALLER_ORDINARY;
    if (direct != NULL)
        *direct = class;
    while (is_helper(class)) {
        frame = ssb_frame_back(frame);
        class = frame != NULL ? class_of(frame) : SSB_CALLER_ORDINARY;
    }
    return class;
}

void ssb_step(int operation, PyObject *object, int access)
{
    switch (ssb_caller_class(NULL)) {
    case SSB_CALLER_ORDINARY:
        ssb_visible(operation, object, 0, access, 0);
        ssb_record(operation, object, NULL, access, NULL, "done");
        break;
    case SSB_CALLER_END:
        if (!ssb_current()->ended && ssb.current != 0) {
            ssb_visible(SSB_OP_END, NULL, 0, 2, 0);
            ssb_record(SSB_OP_END, NULL, NULL, 2, NULL, "done");
        }
        break;
    default:
        break;
    }
}

void ssb_after_release(void)
{
    ssb_thread *t = ssb_current();
    if (!t->bookkeeping || ssb.current == 0)
        return;
    int direct;
    ssb_caller_class(&direct);
    if (direct == SSB_CALLER_BOOTSTRAP) {
        ssb_visible(SSB_OP_BEGIN, NULL, 0, 2, 0);
        ssb_record(SSB_OP_BEGIN, NULL, NULL, 2, NULL, "done");
    }
}
