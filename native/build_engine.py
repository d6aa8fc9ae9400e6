"""Generate the C source of ``_engine``: the only list of what Python sees of the engine.

Run by CMake: ``python build_engine.py OUTPUT``. The declarations repeat those of
``engine/engine.h``; the C compiler checks the two against each other.
"""

from __future__ import annotations

import sys

import cffi

CDEF = """
#define SS_ENGINE_VERSION ...
#define SS_MAX_THREADS ...
#define SS_MAX_PATH ...
#define SS_MAX_SCHEDULE ...
#define SS_OUTBOX_BYTES ...
#define SS_DETAIL_BYTES ...
#define SS_NONE ...
#define SS_STATE_HASHED ...
#define SS_STATE_VISITED ...
#define SS_STATE_ENDLESS ...
#define SS_STATE_EXTRA ...

typedef struct ss_arena ss_arena;

enum ss_choice_kind { SS_CHOICE_BEGIN, SS_CHOICE_THREAD, SS_CHOICE_DATA, SS_CHOICE_TIMEOUT, ... };
enum ss_run_flags {
    SS_RUN_SNAPSHOT, SS_RUN_FINGERPRINT, SS_RUN_PRUNE, SS_RUN_KEY_LAST_THREAD, SS_RUN_ASK, SS_RUN_REBUILD, SS_RUN_STOP,
    SS_RUN_ONCE, SS_RUN_EXTRA, SS_RUN_EAGER, ...
};
enum ss_end {
    SS_END_NONE, SS_END_FINISHED, SS_END_FAILED, SS_END_DEADLOCK, SS_END_VISITED, SS_END_UNSUPPORTED, SS_END_MEMORY,
    SS_END_DIVERGED, SS_END_RESTART, SS_END_LIMIT, SS_END_ERROR, SS_END_ASKING, SS_END_LOST, SS_END_STOPPED,
    SS_END_FULL, ...
};
enum ss_region_kind {
    SS_REGION_OTHER, SS_REGION_FILE, SS_REGION_HEAP, SS_REGION_STACK, SS_REGION_DONOR_STACK, SS_REGION_CODE, ...
};

typedef struct ss_alternative {
    uint16_t thread;
    uint8_t operation;
    uint8_t access;
    uint32_t part;
    uint64_t object;
} ss_alternative;

typedef struct ss_context { void *sp; uintptr_t tls; } ss_context;

typedef struct ss_state {
    uint32_t root;
    uint32_t parent;
    uint32_t arrived_by;
    uint32_t taken;
    uint16_t kind, current;
    uint32_t n;
    uint32_t flags;
    uint32_t preemptions;
    uint32_t depth;
    uint32_t visit;
    uint32_t note_bytes;
    uint64_t note_at;
    uint64_t label;
    uint64_t fingerprint[2];
    ss_context context;
    ss_alternative alternatives[128];
} ss_state;

typedef struct ss_command { uint32_t state, alternative, flags, n_forced, n_following, deepest; } ss_command;
typedef struct ss_start { uint32_t state, alternative; } ss_start;

typedef struct ss_result {
    uint32_t end;
    uint32_t n_states;
    uint32_t runs;
    uint32_t transitions;
    uint32_t outbox_bytes;
    const uint32_t *states;
    const uint8_t *outbox;
    const char *detail;
} ss_result;

typedef struct ss_statistics {
    uint64_t checkpoints, restores, dirty_pages, changed_pages, restored_pages, rearmed_pages;
    uint64_t ns_checkpoint, ns_scan, ns_fingerprint, ns_restore;
    uint64_t stored_pages, stored_nodes, stored_bytes, peak_stored_bytes;
    uint64_t packed_pages, packs, unpacks;
    uint64_t tracked_pages, tracked_regions, naive_bytes;
    uint64_t base_pages_fetched, frozen_calls;
    uint64_t states, visited_hits, unhashable_states;
} ss_statistics;

typedef struct ss_region {
    uintptr_t lo, hi;
    uint32_t first_page;
    uint32_t kind;
    char name[104];
} ss_region;

/* explorer side */
int ss_set_hash(void *xxh3_64, void *xxh3_128);
int ss_arena_create(size_t store_bytes, ss_arena **out);
int ss_arena_destroy(ss_arena *arena);
int ss_arena_reset(ss_arena *arena);
int ss_wait_result(ss_arena *arena, uint32_t timeout_ms);
int ss_set_forced(ss_arena *arena, const uint32_t *choices, const uint64_t *labels, uint32_t n);
int ss_set_following(ss_arena *arena, const ss_start *starts, uint32_t n);
int ss_send(ss_arena *arena, const ss_command *command);
int ss_answer(ss_arena *arena, uint32_t alternative);
int ss_go_on(ss_arena *arena);
int ss_send_quit(ss_arena *arena);
int ss_get_result(ss_arena *arena, ss_result *out);
const ss_state *ss_get_state(ss_arena *arena, uint32_t state);
const uint8_t *ss_get_note(ss_arena *arena, uint32_t state, uint32_t *bytes);
int ss_state_release(ss_arena *arena, uint32_t state);
int ss_visited_clear(ss_arena *arena);
int ss_find_endless(ss_arena *arena, uint64_t *endless, uint64_t *timed);
int ss_get_statistics(ss_arena *arena, ss_statistics *out);
const char *ss_tracker_name(ss_arena *arena);
const char *ss_tracker_reason(ss_arena *arena);
const char *ss_last_error(ss_arena *arena);
int ss_do_without(ss_arena *arena, uint32_t without);

/* inside the child: what Python code of the runtime needs without the bridge */
int ss_outbox_write(ss_arena *arena, const void *data, size_t bytes);
void ss_end_path(ss_arena *arena, uint32_t end, const char *detail);
int ss_capture_append(int stream, const void *data, size_t bytes);
int ss_capture_read(int stream, const uint8_t **data, size_t *bytes);

/* snapshots, tests and diagnosis */
uint32_t ss_base_root(ss_arena *arena);
int ss_snapshot_read(ss_arena *arena, uint32_t root, uintptr_t address, void *out, size_t bytes);
const uint8_t *ss_page_data(ss_arena *arena, uint32_t page);
uint64_t ss_page_serial(ss_arena *arena, uint32_t page);
uint32_t ss_page_limit(ss_arena *arena);
uintptr_t ss_page_address(ss_arena *arena, uint32_t page_index);
uint32_t ss_page_index(ss_arena *arena, uintptr_t address);
uint32_t ss_region_count(ss_arena *arena);
const ss_region *ss_get_region(ss_arena *arena, uint32_t i);
int ss_arena_is_valid(ss_arena *arena);
uint64_t ss_count_differences(ss_arena *arena, uint32_t root);
const char *ss_tracker_names(void);
int ss_tracker_probe(const char *name, char *reason, size_t bytes);

/* for the bridge: its address is what attach() takes */
typedef struct ss_engine_table ss_engine_table;
const ss_engine_table *ss_engine_get_table(void);
"""

SOURCE = '#include "engine.h"'


def main(output: str) -> None:
    """Write the C source of the extension module to ``output``."""
    ffi = cffi.FFI()
    ffi.cdef(CDEF)
    ffi.set_source("pytest_statespace._native._engine", SOURCE)
    ffi.emit_c_code(output)


if __name__ == "__main__":
    main(sys.argv[1])
