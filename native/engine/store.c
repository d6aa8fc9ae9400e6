/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ store.c — content-addressed pages with reference counts.                   │
 * │                                                                            │
 * │ Equal content has one number: XXH3-128 finds the candidates and memcmp     │
 * │ decides. The hash is kept, so that freeing does not hash again. References │
 * │ lie apart from the rest: copying a tree node counts 64 of them up.         │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "engine_internal.h"

#define POPULATE_PAGES 256u /* first touch of shared memory costs more than the copy */

static inline uint8_t *page_at(ssi_store *s, uint32_t page) { return s->data + (size_t)page * SS_PAGE; }

static uint32_t take_number(ss_arena *arena) {
    ssi_store *s = &arena->store;
    if (ssi_stored_bytes(arena) + SS_PAGE > arena->store_bytes && !arena->frozen.fetching) return SS_NONE;
    uint32_t page = s->free_head;
    if (page) {
        s->free_head = s->next[page];
        return page;
    }
    if (s->fresh == s->capacity) return SS_NONE;
    if (s->fresh >= s->populated) {
        uint32_t n = s->capacity - s->fresh < POPULATE_PAGES ? s->capacity - s->fresh : POPULATE_PAGES;
        ssi_populate(page_at(s, s->fresh), (size_t)n * SS_PAGE);
        s->populated = s->fresh + n;
    }
    return s->fresh++;
}

uint32_t ssi_page_intern(ss_arena *arena, const void *content) {
    if (*(const uint64_t *)content == 0 && ssi_page_is_zero(content)) return 0;
    ssi_store *s = &arena->store;
    ssi_hash128 hash = ssi_hash128_of(content, SS_PAGE);
    uint32_t *bucket = &s->buckets[hash.low & s->bucket_mask];
    for (uint32_t page = *bucket; page; page = s->next[page])
        if (s->hash[page].low == hash.low && s->hash[page].high == hash.high && !memcmp(page_at(s, page), content, SS_PAGE)) {
            s->ref[page]++;
            return page;
        }
    uint32_t page = take_number(arena);
    if (page == SS_NONE) return SS_NONE;
    memcpy(page_at(s, page), content, SS_PAGE);
    s->hash[page] = hash;
    s->serial[page] = s->next_serial++;
    s->ref[page] = 1;
    s->next[page] = *bucket;
    *bucket = page;
    s->live++;
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
    s->next[page] = s->free_head;
    s->free_head = page;
    s->live--;
}

static uint32_t in_store(ss_arena *arena, uint32_t page) { return page & SSI_BASE_PAGE ? ssi_base_page_number(arena, page) : page; }

const uint8_t *ss_page_data(ss_arena *arena, uint32_t page) { return page_at(&arena->store, in_store(arena, page)); }
uint64_t ss_page_serial(ss_arena *arena, uint32_t page) { return arena->store.serial[page]; }
uint32_t ss_page_limit(ss_arena *arena) { return arena->store.fresh; }
