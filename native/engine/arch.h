/* arch.h — picks the header of the machine this is compiled for. */
#ifndef SSI_ARCH_H
#define SSI_ARCH_H

#if defined(__x86_64__)
#include "arch_x86_64.h"
#elif defined(__aarch64__)
#include "arch_aarch64.h"
#else
#error "pytest-statespace supports x86-64 and AArch64 only"
#endif

#endif
