/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ attach.c — meeting the engine: its table of functions and its arena.       │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "runtime.h"
#include "explain.h"
#include "weaken.h"

_Alignas(SS_PAGE) ssb_runtime ssb;
uint64_t *ssb_setup_times;
char *ssb_uncompared;

int ssb_attach(unsigned long long table_address, unsigned long long arena_address)
{
    const ss_engine_table *table = (const ss_engine_table *)(uintptr_t)table_address;
    if (table == NULL || arena_address == 0) {
        PyErr_SetString(PyExc_ValueError, "attach: table_address and arena_address must not be 0");
        return -1;
    }
    if (table->version != SS_ENGINE_VERSION || table->bytes != sizeof *table) {
        PyErr_Format(PyExc_RuntimeError,
                     "attach: the engine has interface version %u (%u bytes), the bridge was built for %u (%zu bytes); "
                     "reinstall pytest-statespace",
                     table->version, table->bytes, SS_ENGINE_VERSION, sizeof *table);
        return -1;
    }
    ssb.engine = table;
    ssb.arena = (ss_arena *)(uintptr_t)arena_address;
    ssb_time_attach();
    ssb_find_interned();
    /* Allocated before the fork: the parent reads what the child measured and left out. */
    ssb_setup_times = table->scratch_alloc(ssb.arena, SSB_N_PHASES * sizeof *ssb_setup_times);
    ssb_uncompared = table->scratch_alloc(ssb.arena, SSB_UNCOMPARED_BYTES);
    ssb_weak_labels = table->scratch_alloc(ssb.arena, sizeof *ssb_weak_labels);
    ssb_explain_header = table->scratch_alloc(ssb.arena, sizeof *ssb_explain_header);
    if (ssb_setup_times == NULL || ssb_uncompared == NULL || ssb_weak_labels == NULL || ssb_explain_header == NULL || ssb_races_attach() < 0 ||
        ssb_calibration_attach() < 0) {
        PyErr_SetString(PyExc_RuntimeError, "attach: the arena has no scratch memory left");
        return -1;
    }
    return 0;
}
