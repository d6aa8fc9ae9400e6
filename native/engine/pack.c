/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ pack.c — pages of the store that are kept as differences.                  │
 * │                                                                            │
 * │ When memory is nearly used up, pages that the present state does not have  │
 * │ are packed: what tells them apart from the base content of their place     │
 * │ (delta.c) goes into units of 64 bytes, and the slot is free. The number    │
 * │ stays, so trees, hashes and serials know nothing of it. Base content is    │
 * │ never packed: a page is put together from one other page, not from a chain.│
 * │                                                                            │
 * │ Whoever asks for the content of a packed page gets a copy of it from a     │
 * │ small table of pages put together lately. The page stays packed.           │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "engine_internal.h"

#define PAYS (SS_PAGE * 3 / 4) /* what does not become shorter than this stays as it is */

/* ---- units --------------------------------------------------------------------------- */

static uint8_t *unit_at(const ssi_store *s, uint32_t unit) { return s->units + (size_t)unit * SSI_UNIT; }

static uint32_t take_unit(ssi_store *s) {
    uint32_t unit = s->unit_free;
    if (unit)
        s->unit_free = s->unit_next[unit];
    else
        unit = s->unit_fresh++;
    s->units_live++;
    return unit;
}

static void free_units(ssi_store *s, uint32_t unit) {
    while (unit) {
        uint32_t next = s->unit_next[unit];
        s->unit_next[unit] = s->unit_free;
        s->unit_free = unit;
        s->units_live--;
        unit = next;
    }
}

static uint32_t units_for(uint32_t bytes) { return (bytes + SSI_UNIT - 1) / SSI_UNIT; }

/* First of a chain that holds the code. */
static uint32_t put_into_units(ssi_store *s, const uint8_t *code, uint32_t bytes) {
    uint32_t first = 0;
    for (uint32_t n = units_for(bytes); n-- > 0;) { /* from the end */
        uint32_t unit = take_unit(s), from = n * SSI_UNIT;
        memcpy(unit_at(s, unit), code + from, bytes - from < SSI_UNIT ? bytes - from : SSI_UNIT);
        s->unit_next[unit] = first;
        first = unit;
    }
    return first;
}

/* ---- one page ------------------------------------------------------------------------------- */

int ssi_page_pack(ss_arena *arena, uint32_t page, uint32_t reference) {
    ssi_store *s = &arena->store;
    ssi_body *body = &s->body[page];
    uint8_t code[SSI_DELTA_MOST];
    if (page == reference || body->form != SSI_PLAIN || s->body[reference].form == SSI_PACKED) return 0;
    uint32_t bytes = ssi_delta_code(ssi_slot_at(s, s->at[page]), ssi_slot_at(s, s->at[reference]), code);
    if (bytes > PAYS) {
        body->form = SSI_FIXED;
        return 0;
    }
    if (s->units_live + units_for(bytes) >= s->n_units) return 0; /* unit 0 is none */
    ssi_slot_free(s, s->at[page]);
    s->at[page] = put_into_units(s, code, bytes) | SSI_IN_UNITS;
    body->form = SSI_PACKED;
    body->reference = reference;
    s->body[reference].form = SSI_FIXED;
    s->ref[reference]++;
    s->packed++;
    arena->statistics.packs++;
    return 1;
}

uint32_t ssi_page_put_together(const ss_arena *arena, uint32_t page, uint8_t *out) {
    const ssi_store *s = &arena->store;
    uint8_t code[PAYS + SSI_UNIT], *end = code;
    memcpy(out, ssi_slot_at(s, s->at[s->body[page].reference]), SS_PAGE);
    for (uint32_t unit = ssi_first_unit(s, page); unit; unit = s->unit_next[unit], end += SSI_UNIT) {
        SS_ASSERT(end + SSI_UNIT <= code + sizeof code);
        memcpy(end, unit_at(s, unit), SSI_UNIT);
    }
    return ssi_delta_apply(code, out);
}

/* It has no content of its own any more. */
static void forget(ss_arena *arena, uint32_t page) {
    ssi_store *s = &arena->store;
    free_units(s, ssi_first_unit(s, page));
    s->packed--;
    ssi_page_release(arena, s->body[page].reference);
}

void ssi_page_drop_content(ss_arena *arena, uint32_t page) {
    ssi_store *s = &arena->store;
    if (s->body[page].form == SSI_PACKED)
        forget(arena, page);
    else
        ssi_slot_free(s, s->at[page]);
}

int ssi_page_fix(ss_arena *arena, uint32_t page) {
    ssi_body *body = &arena->store.body[page];
    if (body->form == SSI_PACKED) {
        uint32_t slot = ssi_slot_take(arena);
        if (slot == SS_NONE) return -ENOMEM;
        ssi_page_put_together(arena, page, ssi_slot_at(&arena->store, slot));
        forget(arena, page);
        arena->store.at[page] = slot;
    }
    body->form = SSI_FIXED;
    return 0;
}

const uint8_t *ssi_page_unpacked(ss_arena *arena, uint32_t page) {
    ssi_store *s = &arena->store;
    ssi_unpacked *entry = &s->unpacked[page % SSI_UNPACKED];
    if (entry->serial == s->serial[page]) return entry->content;
    entry->serial = 0; /* should the process be killed now */
    atomic_signal_fence(memory_order_seq_cst);
    ssi_page_put_together(arena, page, entry->content);
    atomic_signal_fence(memory_order_seq_cst);
    entry->serial = s->serial[page];
    arena->statistics.unpacks++;
    return entry->content;
}

/* ---- which ones -------------------------------------------------------------------------------- */

static int mark(void *user, uint32_t index, uint32_t page_base, uint32_t page) {
    (void)index;
    (void)page_base;
    uint64_t *marks = ((ss_arena *)user)->store.marks;
    if (!(page & SSI_BASE_PAGE)) marks[page / 64] |= UINT64_C(1) << (page % 64);
    return 0;
}

/* The base content of the place where the page was met first, as far as it lies in the store. */
static uint32_t reference_of(ss_arena *arena, uint32_t page) {
    uint32_t home = arena->store.body[page].home;
    if (home == SS_NONE) return 0;
    uint32_t base = ssi_tree_get(arena, arena->base, home);
    if (!(base & SSI_BASE_PAGE)) return base;
    return arena->frozen.pages[home] ? arena->frozen.pages[home] - 1 : 0;
}

uint32_t ssi_pack(ss_arena *arena, uint64_t until_bytes, int also_current) {
    ssi_store *s = &arena->store;
    uint32_t packed = 0;
    memset(s->marks, 0, (s->fresh / 64 + 1) * sizeof *s->marks);
    if (!also_current) ss_tree_diff(arena, arena->base, arena->current, mark, arena);
    for (uint32_t left = s->fresh; left-- > 1 && ssi_stored_bytes(arena) > until_bytes;) {
        uint32_t page = s->hand = s->hand + 1 < s->fresh ? s->hand + 1 : 1;
        if (s->ref[page] && s->body[page].form == SSI_PLAIN && !(s->marks[page / 64] >> (page % 64) & 1))
            packed += (uint32_t)ssi_page_pack(arena, page, reference_of(arena, page));
    }
    uint64_t near = ssi_near(arena), again = ssi_stored_bytes(arena) + arena->store_bytes / 16;
    s->pack_at = again > near ? again : near; /* where little can be packed it is not tried all the time */
    return packed;
}

void ssi_pack_when_near(ss_arena *arena) {
    uint64_t stored = ssi_stored_bytes(arena);
    if (stored > ssi_near(arena) && stored > arena->store.pack_at) ssi_pack(arena, arena->store_bytes / 4 * 3, 0);
}
