/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ scratch.c — memory that survives restores.                                 │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "runtime.h"

void *ssb_scratch(size_t bytes)
{
    void *memory = ssb.engine->scratch_alloc(ssb.arena, bytes);
    if (memory == NULL)
        ssb.engine->end_path(ssb.arena, SS_END_MEMORY, "the arena has no scratch memory left");
    return memory;
}
