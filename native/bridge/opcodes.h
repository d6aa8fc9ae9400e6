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

#endif
