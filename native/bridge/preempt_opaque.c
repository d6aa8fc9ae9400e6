/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ preempt_opaque.c — C and library code that calls back into traced code.    │
 * │                                                                            │
 * │ An operation on shared data that runs as one step is not one step when it  │
 * │ calls traced code in its middle: list.sort with a key function, a shared   │
 * │ generator that is running, a dictionary that compares keys. What others    │
 * │ can see then is neither before nor after. So a choice point is made when   │
 * │ traced code is entered from inside such an operation.                      │
 * │                                                                            │
 * │ Per thread a stack of the operations in progress that had a choice point,  │
 * │ as (frame, code unit). Entries of frames that are gone are dropped when    │
 * │ the next one is pushed; a stale entry can only cause one choice point more.│
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "preempt_internal.h"

#define DEPTH 64
#define WIDTH 8 /* code units from a prefix to the call it belongs to */

typedef struct {
    const ssbp_frame *frame;
    int unit;
} operation;

static struct {
    operation entries[DEPTH];
    int n;
    int overflowed; /* then every entry from outside counts as one from inside an operation */
} stacks[SS_MAX_THREADS];

static int is_below(const ssbp_frame *frame, const ssbp_frame *wanted)
{
    for (frame = frame->previous; frame != NULL; frame = frame->previous)
        if (frame == wanted)
            return 1;
    return 0;
}

void ssbp_opaque_push(const ssbp_frame *frame, int unit)
{
    operation *entries = stacks[ssb.current].entries;
    int n = stacks[ssb.current].n;
    while (n > 0 && !is_below(frame, entries[n - 1].frame))
        n--;
    if (n == DEPTH) {
        stacks[ssb.current].overflowed = 1;
        n--;
    }
    entries[n++] = (operation){frame, unit};
    stacks[ssb.current].n = n;
}

int ssbp_opaque_entered(const ssbp_frame *frame)
{
    int n = stacks[ssb.current].n;
    if (n == 0)
        return 0;
    for (const ssbp_frame *caller = ssbp_frame_back(frame); caller != NULL; caller = ssbp_frame_back(caller)) {
        PyCodeObject *code = ssbp_frame_code(caller);
        const ssbp_code *entry = ssbp_find_code(code, caller->f_globals);
        if (entry == NULL)
            return -1;
        if (entry->records == NULL)
            continue;
        if (stacks[ssb.current].overflowed)
            return 1;
        int unit = ssbp_frame_unit(caller, code);
        for (int i = n; i-- > 0;)
            if (stacks[ssb.current].entries[i].frame == caller)
                return unit >= stacks[ssb.current].entries[i].unit && unit <= stacks[ssb.current].entries[i].unit + WIDTH;
        return 0;
    }
    return 0;
}
