/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ quiet.c — mappings that nobody writes are left out of the scans.           │
 * │                                                                            │
 * │ Of the seventy writable mappings of a pytest process most are data of      │
 * │ libraries that a test never writes, and a scan costs a microsecond for     │
 * │ each. So a mapping starts without write permission, as does the reserve    │
 * │ behind the heap. The first write faults (guard.c has the handler), gives   │
 * │ it back, and from then on the memory is scanned: for the tracker it was    │
 * │ write-protected all the time, so the write is noticed like any other.      │
 * │                                                                            │
 * │ Writes by the kernel do not fault, they fail with EFAULT. Therefore every  │
 * │ system call that writes memory passes through the guard's handler, which   │
 * │ wakes everything and repeats the call.                                     │
 * │                                                                            │
 * │ Awake is for ever, also across restores: the table lies in the arena.      │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include <sys/mman.h>

#include "engine_internal.h"
#include "syscall.h"

typedef struct part {
    uintptr_t lo, hi;
} part;

/* Part 2 * i is what was there of region i when tracking began, part 2 * i + 1 is reserve. */
static part part_of(const ss_arena *arena, uint32_t index) {
    const ss_region *r = &arena->regions[index / 2];
    uintptr_t middle = r->lo + (uintptr_t)arena->tracked.dense[index / 2] * SS_PAGE;
    return index % 2 ? (part){middle, r->hi} : (part){r->lo, middle};
}

static long protect(part p, int protection) { return SSI_SYSCALL(SYS_mprotect, p.lo, p.hi - p.lo, protection); }

/* The kernel pushes a signal's frame on the running stack, and can't do so on a quiet one. */
static int may_be_quiet(const ss_region *r) { return r->kind != SS_REGION_DONOR_STACK && r->kind != SS_REGION_CODE; }

void ssi_quiet_start(ss_arena *arena) {
    if (!arena->tracker || !arena->tracker->leaves_out_quiet) return;
    for (uint32_t i = 0; i < 2 * arena->tracked.n_regions; i++) {
        part p = part_of(arena, i);
        if (p.lo < p.hi && may_be_quiet(&arena->regions[i / 2]) && !protect(p, PROT_READ)) arena->quiet[i] = 1;
    }
    arena->tracked.quiet_changed = 1;
}

static int wake(ss_arena *arena, uint32_t index) {
    if (!arena->quiet[index]) return 0;
    if (protect(part_of(arena, index), PROT_READ | PROT_WRITE)) ssi_panic("memory can't be made writable again");
    arena->quiet[index] = 0;
    arena->tracked.quiet_changed = 1;
    return 1;
}

int ssi_quiet_wake(ss_arena *arena, uintptr_t address) {
    for (uint32_t i = 0; i < 2 * arena->tracked.n_regions; i++) {
        part p = part_of(arena, i);
        if (address >= p.lo && address < p.hi) return wake(arena, i);
    }
    return 0;
}

int ssi_quiet_wake_all(ss_arena *arena) {
    int any = 0;
    for (uint32_t i = 0; i < 2 * arena->tracked.n_regions; i++) any |= wake(arena, i);
    return any;
}
