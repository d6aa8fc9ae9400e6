/* table.c — the function table through which the bridge calls the engine. */
#include "engine_internal.h"

static void hash128_words(const void *data, size_t bytes, uint64_t out[2]) {
    ssi_hash128 hash = ssi_hash128_of(data, bytes);
    out[0] = hash.low;
    out[1] = hash.high;
}

static const ss_engine_table table = {
    .version = SS_ENGINE_VERSION,
    .bytes = sizeof(ss_engine_table),
    .scratch_alloc = ss_scratch_alloc,
    .begin = ss_begin,
    .choose = ss_choose,
    .end_path = ss_end_path,
    .outbox_write = ss_outbox_write,
    .donors_create = ss_donors_create,
    .donor_stack = ss_donor_stack,
    .main_stack = ss_main_stack,
    .context_make = ss_context_make,
    .switch_to = ss_switch,
    .call_on_main_stack = ss_call_on_main_stack,
    .thread_pointer = ss_thread_pointer,
    .capture_append = ss_capture_append,
    .capture_read = ss_capture_read,
    .base_root = ss_base_root,
    .root_hold = ss_root_hold,
    .tree_diff = ss_tree_diff,
    .page_data = ss_page_data,
    .page_serial = ss_page_serial,
    .wants_extra = ss_wants_extra,
    .page_limit = ss_page_limit,
    .page_address = ss_page_address,
    .page_index = ss_page_index,
    .region_count = ss_region_count,
    .get_region = ss_get_region,
    .hash64 = ssi_hash64,
    .hash128 = hash128_words,
    .in_frozen_copy = ss_in_frozen_copy,
};

const ss_engine_table *ss_engine_get_table(void) { return &table; }
