/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ compat_events.h — how the events of instructions are asked for, per version│
 * │                                                                            │
 * │ 3.11 traces instructions of frames that say so. From 3.13 on a frame that  │
 * │ says so has its code object instrumented. 3.12 knows only all code or none,│
 * │ which makes library code three times as slow; so there a tool of our own   │
 * │ (sys.monitoring) is told of the instructions of some code objects. Where   │
 * │ no tool is free all code is traced.                                        │
 * │                                                                            │
 * │ Included by preempt.c alone.                                               │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSB_COMPAT_EVENTS_H
#define SSB_COMPAT_EVENTS_H

#include "compat_preempt.h"

#if PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030D0000

static int (*ssbp_before)(PyFrameObject *);
static int ssbp_tool = -1;
static PyObject *ssbp_callback, *ssbp_set_local_events; /* ours, and that of sys.monitoring */

static PyObject *ssbp_on_instruction(PyObject *Py_UNUSED(self), PyObject *const *Py_UNUSED(args), Py_ssize_t Py_UNUSED(n))
{
    PyFrameObject *frame = PyEval_GetFrame();
    if (frame != NULL && ssbp_before(frame) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef ssbp_on_instruction_definition = {"on_instruction", (PyCFunction)(void (*)(void))ssbp_on_instruction, METH_FASTCALL, NULL};

static int ssbp_take_tool(PyObject *monitoring)
{
    static const int wanted[] = {4, 3, 5, 2, 0, 1}; /* those without a purpose first */
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted && ssbp_tool < 0; i++) {
        PyObject *taken = PyObject_CallMethod(monitoring, "use_tool_id", "is", wanted[i], "pytest-statespace");
        if (taken != NULL)
            ssbp_tool = wanted[i];
        else if (!PyErr_ExceptionMatches(PyExc_ValueError))
            return -1;
        Py_XDECREF(taken);
        PyErr_Clear();
    }
    return 0;
}

/* Before the first PyEval_SetTrace. `before` is called before each instruction of code that asked for it, also in threads that are
 * not traced. 0, or -1 with an exception. */
static inline int ssbp_events_start(int opcodes, int (*before)(PyFrameObject *))
{
    PyObject *monitoring = PySys_GetObject("monitoring");
    ssbp_before = before;
    if (!opcodes)
        return 0;
    if (monitoring == NULL || ssbp_take_tool(monitoring) < 0)
        return -1;
    if (ssbp_tool < 0) {
        PyInterpreterState_Get()->f_opcode_trace_set = true;
        return 0;
    }
    ssbp_callback = PyCFunction_New(&ssbp_on_instruction_definition, NULL);
    ssbp_set_local_events = PyObject_GetAttrString(monitoring, "set_local_events");
    if (ssbp_callback == NULL || ssbp_set_local_events == NULL)
        return -1;
    PyObject *replaced = PyObject_CallMethod(monitoring, "register_callback", "iiO", ssbp_tool, 1 << PY_MONITORING_EVENT_INSTRUCTION, ssbp_callback);
    Py_XDECREF(replaced);
    return replaced == NULL ? -1 : 0;
}

/* The tool of sys.monitoring that is ours, or -1. */
static inline int ssbp_own_tool(void) { return ssbp_tool; }

/* From now on the instructions of this code are reported. 0, or -1 with an exception. */
static inline int ssbp_events_of_code(PyCodeObject *code)
{
    const _PyCoMonitoringData *known = code->_co_monitoring;
    if (known != NULL && known->local_monitors.tools[PY_MONITORING_EVENT_INSTRUCTION] >> ssbp_tool & 1)
        return 0;
    PyObject *done = PyObject_CallFunction(ssbp_set_local_events, "iOi", ssbp_tool, code, 1 << PY_MONITORING_EVENT_INSTRUCTION);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

/* Ask for events of one frame: per instruction or per line. 0, or -1 with an exception. */
static inline int ssbp_frame_request(PyFrameObject *frame, int opcodes, int lines)
{
    frame->f_trace_lines = (char)lines;
    if (ssbp_tool >= 0)
        return opcodes ? ssbp_events_of_code(frame->f_frame->f_code) : 0;
    frame->f_trace_opcodes = (char)opcodes;
    return 0;
}

#else

static inline int ssbp_events_start(int Py_UNUSED(opcodes), int (*before)(PyFrameObject *))
{
    (void)before; /* all events come through the tracer */
    return 0;
}
static inline int ssbp_own_tool(void) { return -1; }

/* Ask for events of one frame: per instruction or per line. 0, or -1 with an exception. */
static inline int ssbp_frame_request(PyFrameObject *frame, int opcodes, int lines)
{
    frame->f_trace_lines = (char)lines;
#if PY_VERSION_HEX >= 0x030D0000
    if (opcodes) { /* the setter instruments the code object, but only of a frame that has a tracer of its own */
        Py_XSETREF(frame->f_trace, Py_NewRef(Py_None));
        return PyObject_SetAttrString((PyObject *)frame, "f_trace_opcodes", Py_True);
    }
#endif
    frame->f_trace_opcodes = (char)opcodes;
    return 0;
}

#endif
#endif
