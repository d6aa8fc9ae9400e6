/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ syscall.h — system calls without libc.                                     │
 * │                                                                            │
 * │ The agent runs under the thread pointer of whatever thread it suspended:   │
 * │ errno would be that thread's memory. All its calls go through one          │
 * │ instruction; the guard exempts exactly that address.                       │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSI_SYSCALL_H
#define SSI_SYSCALL_H

#include <stdint.h>
#include <sys/syscall.h>

/* Result, or the negative errno. */
long ssi_syscall(long number, long a, long b, long c, long d, long e, long f);
/* The address right after the system-call instruction (what seccomp sees). */
extern const char ssi_syscall_return[];

#define SSI_SYSCALL_(n, a, b, c, d, e, f, ...) \
    ssi_syscall((long)(n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define SSI_SYSCALL(...) SSI_SYSCALL_(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

#endif
