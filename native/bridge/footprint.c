/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ footprint.c — what a transition touched besides its operation.             │
 * │                                                                            │
 * │ For searches that leave out orders of independent transitions. The pending │
 * │ operation of a thread is known before it runs; what the thread does after  │
 * │ it, up to its next choice point, nobody else was to see. Not quite: an     │
 * │ object that only this thread holds *now* may have been anybody's before,   │
 * │ library code runs without choice points, and finalizers run wherever the   │
 * │ last reference goes. All that is noted here while the transition runs.     │
 * │                                                                            │
 * │ What is not known is noted as *everything*: it commutes with nothing.      │
 * │                                                                            │
 * │ The notes are ordinary memory, so that they rewind. At each choice point   │
 * │ the agent has them written out, with the pending operations of all threads │
 * │ and the numbers that the fingerprint gave to new objects: two visits of    │
 * │ one state may find an object at different addresses, never under           │
 * │ different numbers.                                                         │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "footprint.h"

#include "runtime.h"

#include "heap.h"

#include <string.h>

#define MOST 64u

static ssb_touched touched[MOST];
static uint32_t n_touched, from; /* entries before `from` are of earlier instructions */
static int everything;

/* The numbers of native/engine/engine.h's ss_alternative.access, and beyond. */
enum { WRITE = 2, ALL = 4, HELD = 8, NEW = 16, FREED = 32 };

typedef struct header {
    uint32_t everything, numbered, n_pending, n_touched, n_objects, unused;
} header;

/* -- while a transition runs -------------------------------------------------------- */

void ssb_touch_everything(void)
{
    if (ssb.footprints)
        everything = 1;
}

void ssb_touch(const void *object, uint32_t part, int access)
{
    if (!ssb.footprints || everything || !ssb.active)
        return;
    uint64_t identity = (uint64_t)(uintptr_t)object;
    for (uint32_t i = from; i < n_touched; i++)
        if (touched[i].object == identity && touched[i].part == part && (touched[i].access & (uint32_t)access) == (uint32_t)access)
            return;
    if (n_touched == MOST) {
        everything = 1;
        return;
    }
    uint32_t new = ssb_heap_is_new((uintptr_t)object) ? NEW : 0;
    touched[n_touched++] = (ssb_touched){identity, part, (uint32_t)access | new};
}

void ssb_touch_freed(const void *lock) { ssb_touch(lock, 0, WRITE | FREED); }

ssb_touch_mark ssb_touch_begin(void)
{
    if (!ssb.footprints)
        return (ssb_touch_mark){0, 0};
    ssb_touch_mark mark = {n_touched, everything};
    from = n_touched;
    everything = 0;
    return mark;
}

/* Entries from `first` on that were there before are dropped. */
static void settle(uint32_t first)
{
    uint32_t n = first;
    for (uint32_t i = first; i < n_touched; i++) {
        uint32_t k = 0;
        while (k < first && memcmp(&touched[k], &touched[i], sizeof *touched) != 0)
            k++;
        if (k == first)
            touched[n++] = touched[i];
    }
    n_touched = n;
}

void ssb_touch_end(ssb_touch_mark mark, ssb_carried *carried)
{
    if (!ssb.footprints)
        return;
    uint32_t n = n_touched - mark.n;
    carried->everything = everything || n > SSB_CARRIED;
    carried->n = carried->everything ? 0 : n;
    memcpy(carried->touched, touched + mark.n, carried->n * sizeof *touched);
    everything |= mark.everything;
    from = 0;
    settle(mark.n);
}

void ssb_touch_again(const ssb_carried *carried)
{
    if (!ssb.footprints)
        return;
    if (carried->everything || n_touched + carried->n > MOST) {
        everything = 1;
        return;
    }
    memcpy(touched + n_touched, carried->touched, carried->n * sizeof *touched);
    n_touched += carried->n;
}

void ssb_footprint_begin(void)
{
    if (!ssb.footprints)
        return;
    n_touched = from = 0;
    everything = 0;
}

/* -- at a choice point ---------------------------------------------------------------- */

/* Does the order of this operation and any other matter, whatever they touch? */
static int is_about_everything(const ssb_thread *t)
{
    if (t->deadline_ns != SSB_NO_DEADLINE || t->operation == SSB_OP_SLEEP)
        return 1; /* time passes when all others wait, or at any moment */
    if (t->operation == SSB_OP_START || t->operation == SSB_OP_BEGIN || t->operation == SSB_OP_END)
        return 0;
    return t->access != 0 && t->object == NULL;
}

static int is_held(const ssb_thread *t)
{
    if (t->operation != SSB_OP_RELEASE || t->object == NULL)
        return 0;
    if (Py_IS_TYPE(t->object, ssb_lock_type))
        return ssb_lock_is_locked(t->object);
    return PyType_IsSubtype(Py_TYPE(t->object), ssb_rlock_type);
}

static ss_alternative pending(uint32_t ordinal)
{
    const ssb_thread *t = &ssb.threads[ordinal];
    uint64_t object = ssb_identity_of(t);
    unsigned access = t->access;
    if (is_about_everything(t) || ssb.addresses_observed || ssb_invariants_exist())
        access |= ALL;
    if (is_held(t))
        access |= HELD;
    if (object == (uint64_t)(uintptr_t)t->object && ssb_heap_is_new((uintptr_t)t->object))
        access |= NEW;
    return (ss_alternative){
        .thread = (uint16_t)ordinal,
        .operation = t->operation,
        .access = (uint8_t)access,
        .part = t->part,
        .object = object,
    };
}

size_t ssb_footprint_write(void *user, int hashed, uint8_t *out, size_t room)
{
    (void)user;
    header h = {.everything = (uint32_t)everything, .n_touched = n_touched};
    size_t used = sizeof h;
    if (room < used + SS_MAX_THREADS * sizeof(ss_alternative) + sizeof touched)
        return 0;
    for (uint32_t i = 0; i < ssb.n_threads; i++) {
        if (ssb.threads[i].status != SSB_READY && ssb.threads[i].status != SSB_BLOCKED)
            continue;
        ss_alternative entry = pending(i);
        memcpy(out + used, &entry, sizeof entry);
        used += sizeof entry;
        h.n_pending++;
    }
    memcpy(out + used, touched, n_touched * sizeof *touched);
    used += n_touched * sizeof *touched;
    if (hashed) /* else the numbers are those of another state */
        h.n_objects = ssb_fingerprint_numbers(out + used, room - used, &h.numbered);
    used += h.n_objects * SSB_NUMBER_BYTES;
    memcpy(out, &h, sizeof h);
    return used;
}
