/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ compat.h — the only place of the fingerprint that knows CPython versions.  │
 * │                                                                            │
 * │ One header per minor version with the same accessors. A version without    │
 * │ one still explores: its states are just never merged.                      │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSB_COMPAT_H
#define SSB_COMPAT_H

/* Before Python.h: some of its public names are macros that the internal headers replace. */
#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#endif
#include "bridge.h"

#if PY_VERSION_HEX >= 0x030b0000 && PY_VERSION_HEX < 0x030c0000
#define SSB_CAN_FINGERPRINT 1
#include "compat_311.h"
#elif PY_VERSION_HEX >= 0x030c0000 && PY_VERSION_HEX < 0x030d0000
#define SSB_CAN_FINGERPRINT 1
#include "compat_312.h"
#else
#define SSB_CAN_FINGERPRINT 0
#define SSB_NO_FINGERPRINT_REASON \
    "states are not compared on this version of CPython: every path is explored in full"
#endif

#endif
