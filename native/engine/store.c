/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ store.c — content-addressed pages with reference counts.                   │
 * │                                                                            │
 * │ Equal content has one number: XXH3-128 finds the candidates and memcmp     │
 * │ decides. The hash is kept, so that freeing does not hash again. References │
 * │ lie apart from the rest: copying a tree node counts 64 of them up. Where   │
 * │ the content lies is another matter: in a slot, or packed (pack.c).         │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "engine_internal.h"

#define POPULATE_PAGES 256u /* first touch of shared memory costs more than the copy */

uint32_t ssi_slot_take(ss_arena *arena) {
    ssi_store *s = &arena->store;
    if (ssi_stored_bytes(arena) + SS_PAGE > arena->store_bytes && !arena->frozen.fetching) return SS_NONE;
    uint32_t slot = s->slot_free;
    if (slot)
        s->slot_free = s->slot_next[slot];
    else if (s->slot_fresh == s->slots)
        return SS_NONE;
    else {
        if (s->slot_fresh >= s->populated) {
            uint32_t n = s->slots - s->slot_fresh < POPULATE_PAGES ? s->slots - s->slot_fresh : POPULATE_PAGES;
            ssi_populate(ssi_slot_at(s, s->slot_fresh), (size_t)n * SS_PAGE);
            s->populated = s->slot_fresh + n;
        }
        slot = s->slot_fresh++;
    }
    s->slots_live++;
    return slot;
}

void ssi_slot_free(ssi_store *s, uint32_t slot) {
    s->slot_next[slot] = s->slot_free;
    s->slot_free = slot;
    s->slots_live--;
}

static uint32_t take_number(ss_arena *arena) {
    ssi_store *s = &arena->store;
    if (!s->free_head && s->fresh == s->capacity) return SS_NONE;
    uint32_t slot = ssi_slot_take(arena);
    if (slot == SS_NONE) return SS_NONE;
    uint32_t page = s->free_head;
    if (page)
        s->free_head = s->next[page];
    else
        page = s->fresh++;
    s->at[page] = slot;
    s->body[page] = (ssi_body){.home = SS_NONE};
    return page;
}

static const uint8_t *content_of(ss_arena *arena, uint32_t page) {
    uint32_t at = arena->store.at[page];
    return at & SSI_IN_UNITS ? ssi_page_unpacked(arena, page) : ssi_slot_at(&arena->store, at);
}

/* What pages are found by: without merging it is never the same twice. */
static ssi_hash128 key_of(const ss_arena *arena, const void *content) {
    if (arena->without & SS_WITHOUT_MERGING) return (ssi_hash128){arena->store.next_serial, 0};
    return ssi_hash128_of(content, SS_PAGE);
}

uint32_t ssi_page_intern(ss_arena *arena, const void *content) {
    if (ssi_page_is_zero(content)) return 0;
    ssi_store *s = &arena->store;
    ssi_hash128 hash = key_of(arena, content);
    uint32_t *bucket = &s->buckets[hash.low & s->bucket_mask];
    for (uint32_t page = *bucket; page; page = s->next[page])
        if (s->hash[page].low == hash.low && s->hash[page].high == hash.high && !memcmp(content_of(arena, page), content, SS_PAGE)) {
            s->ref[page]++;
            return page;
        }
    uint32_t page = take_number(arena);
    if (page == SS_NONE) return SS_NONE;
    memcpy(ssi_slot_at(s, s->at[page]), content, SS_PAGE);
    s->hash[page] = hash;
    s->serial[page] = s->next_serial++;
    s->ref[page] = 1;
    s->next[page] = *bucket;
    *bucket = page;
    s->live++;
    return page;
}

uint32_t ssi_page_intern_at(ss_arena *arena, const void *content, uint32_t index) {
    uint32_t page = ssi_page_intern(arena, content);
    if (page && page != SS_NONE && arena->store.body[page].home == SS_NONE) arena->store.body[page].home = index;
    return page;
}

void ssi_page_release(ss_arena *arena, uint32_t page) {
    ssi_store *s = &arena->store;
    if (!page || page & SSI_BASE_PAGE || --s->ref[page]) return;
    uint32_t *link = &s->buckets[s->hash[page].low & s->bucket_mask];
    while (*link != page) {
        SS_ASSERT(*link);
        link = &s->next[*link];
    }
    *link = s->next[page];
    ssi_page_drop_content(arena, page);
    s->next[page] = s->free_head;
    s->free_head = page;
    s->live--;
}

static uint32_t in_store(ss_arena *arena, uint32_t page) { return page & SSI_BASE_PAGE ? ssi_base_page_number(arena, page) : page; }

const uint8_t *ss_page_data(ss_arena *arena, uint32_t page) { return content_of(arena, in_store(arena, page)); }
uint64_t ss_page_serial(ss_arena *arena, uint32_t page) { return arena->store.serial[page]; }
uint32_t ss_page_limit(ss_arena *arena) { return arena->store.fresh; }
