/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ opcodes.h — reading instructions, for files that do not hold the tables.   │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSB_OPCODES_H
#define SSB_OPCODES_H

#include "compat.h"

/* Opcode of a code unit without specialisation, and its argument byte. */
int ssbf_opcode_at(PyCodeObject *code, int unit);
int ssbf_argument_at(PyCodeObject *code, int unit);
/* The code unit behind the instruction at `unit`. */
int ssbf_next_unit(PyCodeObject *code, int unit);

/* What an instruction says about switching threads under the GIL. */
enum ssbf_switching {
    SSBF_NO_SWITCH = 0,
    SSBF_PREFIX,        /* EXTENDED_ARG: see the instruction behind it */
    SSBF_SWITCH_AFTER,  /* the interpreter may switch when it is done; a Python function called switches when it begins instead */
    SSBF_SWITCH_JUMP,   /* the same when it jumps back */
    SSBF_SILENT_RESUME, /* a frame goes on here without that the interpreter may switch, unlike everywhere else */
};
enum ssbf_switching ssbf_switching_at(PyCodeObject *code, int unit);

#endif
