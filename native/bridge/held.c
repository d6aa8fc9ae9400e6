/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ held.c — which simulated thread holds which plain lock.                    │
 * │                                                                            │
 * │ A _thread.lock has no owner; reports of deadlocks need one, and so does    │
 * │ Condition, which asks by trying. A thread holds few locks at a time: one   │
 * │ short table, searched from its end. When it is full, holders are unknown.  │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "runtime.h"

#define CAPACITY 1024u

static struct {
    PyObject *lock; /* borrowed: held by whoever will release it, or gone with it */
    uint32_t owner;
} held[CAPACITY];

void ssb_held_add(PyObject *lock)
{
    ssb_held_remove(lock); /* a stale entry of a lock that died locked */
    if (ssb.n_held < CAPACITY) {
        held[ssb.n_held].lock = lock;
        held[ssb.n_held++].owner = ssb.current;
    }
}

void ssb_held_remove(PyObject *lock)
{
    for (uint32_t i = ssb.n_held; i-- > 0;)
        if (held[i].lock == lock) {
            for (ssb.n_held--; i < ssb.n_held; i++)
                held[i] = held[i + 1];
            return;
        }
}

uint32_t ssb_held_by(PyObject *lock)
{
    for (uint32_t i = ssb.n_held; i-- > 0;)
        if (held[i].lock == lock)
            return held[i].owner;
    return SS_NONE;
}
