/* pack.c — pages that are kept as differences have the content they had, whatever becomes of the others.
 *
 * The functions at the end are for a model in Python (test_packing.py). */
#include "emulation.h"

#define POOL 48u
#define HELD 60u /* few, so that contents come and go */
#define STEPS 12000u

static uint8_t contents[POOL][SS_PAGE] __attribute__((aligned(64)));
static uint32_t kind_of[POOL]; /* contents of a kind differ little */

/* ---- the code ------------------------------------------------------------------------------ */

static void fill(uint64_t *seed, uint8_t *page) {
    for (uint32_t i = 0; i < SS_PAGE; i += 8) memcpy(page + i, &(uint64_t){next_random(seed)}, 8);
}

static void change(uint64_t *seed, uint8_t *page, uint32_t places) {
    while (places--) {
        uint32_t at = below(seed, SS_PAGE), n = 1 + below(seed, below(seed, 4) ? 8 : 200);
        for (uint32_t i = at; i < at + n && i < SS_PAGE; i++) page[i] = below(seed, 3) ? (uint8_t)next_random(seed) : 0;
    }
}

static uint32_t plain_length(const uint8_t *page, const uint8_t *reference) {
    uint32_t n = 8;
    for (uint32_t line = 0; line < SS_PAGE; line += 64) {
        n += memcmp(page + line, reference + line, 64) != 0;
        for (uint32_t word = line; word < line + 64; word += 8) n += memcmp(page + word, reference + word, 8) != 0;
    }
    for (uint32_t i = 0; i < SS_PAGE; i++) n += page[i] != reference[i];
    return n;
}

static void test_code(uint64_t seed) {
    static _Alignas(64) uint8_t page[SS_PAGE], reference[SS_PAGE], again[SS_PAGE], code[SSI_DELTA_MOST + 8];
    for (uint32_t step = 0; step < 4000; step++) {
        memset(reference, 0, SS_PAGE);
        if (step % 3) fill(&seed, reference);
        memcpy(page, reference, SS_PAGE);
        if (step % 50 == 0)
            fill(&seed, page);
        else if (step % 50 == 1)
            for (uint32_t i = 0; i < SS_PAGE; i++) page[i] = (uint8_t)~reference[i];
        else
            change(&seed, page, below(&seed, 30));
        memset(code, 0xa5, sizeof code);
        uint32_t bytes = ssi_delta_code(page, reference, code);
        CHECK(bytes == plain_length(page, reference) && bytes <= SSI_DELTA_MOST);
        for (uint32_t i = SSI_DELTA_MOST; i < sizeof code; i++) CHECK(code[i] == 0xa5);
        memcpy(again, reference, SS_PAGE);
        CHECK(ssi_delta_apply(code, again) == bytes && !memcmp(again, page, SS_PAGE));
    }
}

/* ---- the store ------------------------------------------------------------------------------- */

typedef struct holding {
    uint32_t page, content;
} holding;

static void make_contents(uint64_t *seed) {
    for (uint32_t i = 1; i < POOL; i++) {
        kind_of[i] = i > 3 && i % 16 ? below(seed, 4) : i;
        if (kind_of[i] == i)
            fill(seed, contents[i]);
        else
            memcpy(contents[i], contents[kind_of[i]], SS_PAGE);
        change(seed, contents[i], 1 + below(seed, 12));
        contents[i][SS_PAGE - 1] = (uint8_t)i;
        contents[i][0] = (uint8_t)(i | 128);
    }
}

static void test_store(uint64_t seed) {
    ss_arena *arena = new_arena(4 << 20);
    static holding held[HELD];
    uint32_t n = 0, packed = 0, refused = 0, references[POOL] = {0}, fixed = 0;
    uint64_t serial[POOL] = {0};
    make_contents(&seed);
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t what = below(&seed, 100);
        if (n < HELD && what < 45) {
            uint32_t c = below(&seed, POOL), page = ssi_page_intern(arena, contents[c]);
            CHECK(page != SS_NONE && (page == 0) == (c == 0));
            if (references[c]++) CHECK(ss_page_serial(arena, page) == serial[c]); /* found, packed or not */
            serial[c] = ss_page_serial(arena, page);
            held[n++] = (holding){page, c};
        } else if (n && what < 75) {
            uint32_t i = below(&seed, n);
            ssi_page_release(arena, held[i].page);
            references[held[i].content]--;
            held[i] = held[--n];
        } else if (n && what < 98) {
            holding one = held[below(&seed, n)], other = held[below(&seed, n)];
            uint32_t page = one.page, reference = other.page;
            if (kind_of[one.content] != kind_of[other.content] && below(&seed, 30)) continue;
            int was_packed = page && arena->store.body[page].form == SSI_PACKED;
            int done = ssi_page_pack(arena, page, reference);
            if (done) CHECK(page != reference && !was_packed && arena->store.body[page].form == SSI_PACKED);
            done ? packed++ : refused++;
        } else if (n) {
            uint32_t page = held[below(&seed, n)].page;
            CHECK(ssi_page_fix(arena, page) == 0);
            CHECK(ssi_page_pack(arena, page, 0) == 0);
            fixed++;
        }
        for (uint32_t k = 0; n && k < 3; k++) {
            uint32_t i = below(&seed, n);
            CHECK(!memcmp(ss_page_data(arena, held[i].page), contents[held[i].content], SS_PAGE));
        }
        if (step % 20 == 0) { /* as trees would hold them: the validator counts references */
            ssi_change all[HELD];
            arena->forest.levels = ssi_tree_levels(HELD);
            for (uint32_t i = 0; i < n; i++) all[i] = (ssi_change){i, held[i].page};
            uint32_t slot = ssi_state_alloc(arena);
            CHECK(ssi_tree_update(arena, 0, all, n, &arena->states[slot].root) == 0);
            for (uint32_t i = 0; i < n; i++) ssi_page_release(arena, held[i].page);
            CHECK_VALID(arena);
            for (uint32_t i = 0; i < n; i++)
                if (held[i].page) arena->store.ref[held[i].page]++;
            CHECK(ss_state_release(arena, slot) == 0);
        }
    }
    CHECK(packed > 100 && refused > 100 && fixed > 50);
    while (n) ssi_page_release(arena, held[--n].page);
    CHECK(arena->store.live == 0 && arena->store.slots_live == 0 && arena->store.units_live == 0 && arena->store.packed == 0);
    CHECK_VALID(arena);
}

/* The hash says nothing: contents of packed pages are compared. */
static uint64_t same_64(const void *data, size_t bytes) { return bytes ? 42 : ((void)data, UINT64_C(0x2d06800538d394c2)); }
static ssi_hash128 same_128(const void *data, size_t bytes) {
    (void)data;
    return bytes ? (ssi_hash128){1, 2} : (ssi_hash128){UINT64_C(0x6001c324468d497f), UINT64_C(0x99aa06d3014798d8)};
}

/* ---- when it is done, and with what ------------------------------------------------------------- */

/* A store that is filled: near its limit pages are packed that `current` does not have, oldest first. */
static void test_near(uint64_t seed) {
    ss_arena *arena = new_arena(4 << 20);
    static _Alignas(64) uint8_t page[SS_PAGE];
    uint32_t root = 0;
    arena->forest.levels = ssi_tree_levels(4096);
    for (uint32_t i = 0; i < 900; i++) {
        memset(page, 0, SS_PAGE);
        memcpy(page + below(&seed, 500) * 8, &(uint64_t){i + 1}, 8);
        ssi_change change = {i, ssi_page_intern_at(arena, page, i)};
        CHECK(change.page != SS_NONE && ssi_tree_update(arena, arena->current, &change, 1, &root) == 0);
        ssi_page_release(arena, change.page);
        ssi_root_release(arena, arena->current);
        arena->current = root;
        ssi_pack_when_near(arena);
        CHECK(arena->statistics.packs == 0); /* `current` has them all */
    }
    ss_root_hold(arena, root);
    ssi_root_release(arena, arena->current);
    arena->current = 0;
    uint64_t before = ssi_stored_bytes(arena);
    arena->store.pack_at = before;
    ssi_pack_when_near(arena);
    CHECK(arena->statistics.packs == 0); /* tried before, for nothing */
    arena->store.pack_at = 0;
    ssi_pack_when_near(arena);
    CHECK(arena->statistics.packs > 0 && ssi_stored_bytes(arena) <= arena->store_bytes / 4 * 3);
    CHECK(ssi_stored_bytes(arena) + 2 * SS_PAGE > arena->store_bytes / 4 * 3);
    CHECK(ssi_pack(arena, 0, 0) > 0 && ssi_stored_bytes(arena) < before / 6 && arena->store.packed == 900);
    CHECK(ssi_pack(arena, 0, 1) == 0);
    ss_root_hold(arena, 0);
    CHECK(arena->store.live == 0 && arena->store.units_live == 0);
    CHECK_VALID(arena);
}

/* Packed from the content that the place has in the base state: little is left of pages that are full. */
static void test_bases(uint64_t seed) {
    ss_arena *arena = new_arena(4 << 20);
    static _Alignas(64) uint8_t pages[64][SS_PAGE];
    ssi_change changes[64];
    arena->forest.levels = 1;
    for (uint32_t i = 0; i < 64; i++) {
        fill(&seed, pages[i]);
        changes[i] = (ssi_change){i, ssi_page_intern_at(arena, pages[i], i)};
        CHECK(ssi_page_fix(arena, changes[i].page) == 0);
    }
    CHECK(ssi_tree_update(arena, 0, changes, 64, &arena->base) == 0);
    for (uint32_t i = 0; i < 64; i++) {
        ssi_page_release(arena, changes[i].page);
        pages[i][below(&seed, SS_PAGE)] ^= 1;
        changes[i] = (ssi_change){i, ssi_page_intern_at(arena, pages[i], i)};
    }
    CHECK(ssi_pack(arena, 0, 0) == 64 && arena->store.units_live == 64 && arena->store.slots_live == 64);
    for (uint32_t i = 0; i < 64; i++) {
        CHECK(!memcmp(ss_page_data(arena, changes[i].page), pages[i], SS_PAGE));
        ssi_page_release(arena, changes[i].page);
    }
    ssi_root_release(arena, arena->base);
    CHECK(arena->store.live == 0 && arena->store.units_live == 0);
}

/* ---- the validator ---------------------------------------------------------------------------------- */

#define NOTICED(change, back)                     \
    do {                                          \
        change;                                   \
        CHECK(ss_arena_is_valid(arena) == -EINVAL); \
        back;                                     \
        CHECK_VALID(arena);                       \
    } while (0)

static void test_validator(uint64_t seed) {
    ss_arena *arena = new_arena(4 << 20);
    ssi_store *s = &arena->store;
    make_contents(&seed);
    arena->forest.levels = 1;
    ssi_change changes[] = {{3, ssi_page_intern(arena, contents[1])}, {5, 0}, {6, 0}};
    for (uint32_t i = 1; i < 3; i++) {
        memcpy(contents[2], contents[1], SS_PAGE);
        change(&seed, contents[2], 20);
        changes[i].page = ssi_page_intern(arena, contents[2]);
    }
    uint32_t slot = ssi_state_alloc(arena), page = changes[1].page;
    CHECK(ssi_tree_update(arena, 0, changes, 3, &arena->states[slot].root) == 0);
    for (uint32_t i = 0; i < 3; i++) ssi_page_release(arena, changes[i].page);
    CHECK_VALID(arena);
    CHECK(ssi_page_pack(arena, page, changes[0].page) && ssi_page_pack(arena, changes[2].page, changes[0].page));
    CHECK_VALID(arena);
    uint32_t first = ssi_first_unit(s, page), second = s->unit_next[first];
    uint8_t *unit = s->units + (size_t)first * SSI_UNIT;
    CHECK(second);
    NOTICED(unit[12] ^= 1, unit[12] ^= 1);
    NOTICED(s->at[page] = second | SSI_IN_UNITS, s->at[page] = first | SSI_IN_UNITS);
    NOTICED(s->at[page] = first, s->at[page] = first | SSI_IN_UNITS);
    NOTICED(s->unit_next[first] = 0, s->unit_next[first] = second);
    NOTICED(s->unit_next[first] = ssi_first_unit(s, changes[2].page), s->unit_next[first] = second);
    NOTICED(s->body[page].reference = 0, s->body[page].reference = changes[0].page);
    NOTICED(s->body[changes[0].page].form = SSI_PLAIN, s->body[changes[0].page].form = SSI_FIXED);
    NOTICED(s->ref[changes[0].page]--, s->ref[changes[0].page]++);
    NOTICED(s->units_live++, s->units_live--);
    NOTICED(s->slots_live++, s->slots_live--);
    NOTICED(s->packed++, s->packed--);
    NOTICED(s->unit_fresh++, s->unit_fresh--);
    NOTICED(s->slot_free = 0, s->slot_free = s->slot_fresh - 1);
    CHECK(!memcmp(ss_page_data(arena, changes[2].page), contents[2], SS_PAGE));
    uint8_t *lately = s->unpacked[changes[2].page % SSI_UNPACKED].content;
    NOTICED(lately[9] ^= 4, lately[9] ^= 4);
    CHECK(ss_state_release(arena, slot) == 0 && s->live == 0);
    CHECK_VALID(arena);
}

/* ---- a search ------------------------------------------------------------------------------------------ */

#define PAGES 400u
#define ROUNDS 40u
static _Alignas(SS_PAGE) uint8_t nibbled[PAGES][SS_PAGE];
static ss_arena *arena;

static uint64_t value(uint32_t round, uint32_t i) { return (uint64_t)(round + 1) * 0x9e3779b97f4a7c15u + i; }
static uint64_t *place(uint32_t round, uint32_t i) { return (uint64_t *)nibbled[i] + (round * 37 + i * 11) % 512; }

/* Each round writes one word to each page; what is there must always be what the rounds so far wrote, and nothing else. */
static void nibble(void) {
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < PAGES; i++) *place(round, i) = value(round, i);
        ss_choice choice = {.kind = SS_CHOICE_DATA, .n = 2, .label = round + 1};
        ss_choose(arena, &choice);
        for (uint32_t i = 0; i < PAGES; i++) {
            uint64_t sum = 0;
            for (uint32_t k = 0; k < 512; k++) sum += ((uint64_t *)nibbled[i])[k];
            for (uint32_t r = 0; r <= round; r++) {
                CHECK(*place(r, i) == value(r, i));
                sum -= value(r, i);
            }
            CHECK(sum == 0);
        }
    }
}

static void check_reading(uint32_t state, uint32_t round) {
    uint64_t found;
    for (uint32_t i = 0; i < PAGES; i += 7) {
        CHECK(ss_snapshot_read(arena, ss_get_state(arena, state)->root, (uintptr_t)place(round, i), &found, 8) == 0);
        CHECK(found == value(round, i));
        if (round + 1 == ROUNDS) continue;
        CHECK(ss_snapshot_read(arena, ss_get_state(arena, state)->root, (uintptr_t)place(round + 1, i), &found, 8) == 0 && !found);
    }
}

/* A path with more snapshots than there is room for, but for packed ones; then all of them in any order. */
static void test_search(const char *tracker, uint64_t seed) {
    arena = new_arena((size_t)48 << 20);
    pid_t child = start_child(arena, (child_options){.tracker = tracker, .body = nibble});
    CHECK(wait_for_result(arena, child, NULL) == 0);
    ss_result r = run_path(arena, child, 0, 0, SS_RUN_SNAPSHOT, 0);
    CHECK(r.end == SS_END_FINISHED && r.n_states == ROUNDS);
    ss_statistics s;
    for (uint32_t i = 0; arena->frozen.pages && i < arena->tracked.n_pages; i++)
        if (arena->frozen.pages[i]) CHECK(arena->store.body[arena->frozen.pages[i] - 1].form == SSI_FIXED);
    ss_get_statistics(arena, &s);
    CHECK(s.packs > 4000 && s.packed_pages > 4000 && s.peak_stored_bytes <= (48u << 20));
    CHECK_VALID(arena);
    uint32_t states[ROUNDS];
    memcpy(states, r.states, sizeof states);
    for (uint32_t n = 0; n < 60; n++) {
        uint32_t round = below(&seed, ROUNDS), other = below(&seed, ROUNDS);
        r = run_path(arena, child, states[round], 1, n % 3 ? 0 : SS_RUN_SNAPSHOT, 0);
        CHECK(r.end == SS_END_FINISHED && r.n_states == ROUNDS - 1 - round);
        for (uint32_t i = 0; i < r.n_states; i++) CHECK(ss_state_release(arena, r.states[i]) == 0);
        check_reading(states[other], other);
    }
    ss_get_statistics(arena, &s);
    CHECK(s.unpacks > 1000);
    CHECK_VALID(arena);
    stop_child(arena, child);
}

/* No room for two snapshots side by side: what memory has now is packed as well. */
static void test_brim(const char *tracker) {
    arena = new_arena((size_t)3 << 20);
    CHECK(2 * sizeof nibbled > 3u << 20);
    pid_t child = start_child(arena, (child_options){.tracker = tracker, .body = nibble});
    CHECK(wait_for_result(arena, child, NULL) == 0);
    ss_result r = run_path(arena, child, 0, 0, SS_RUN_SNAPSHOT, 0);
    CHECK(r.end == SS_END_MEMORY && r.n_states > 3);
    CHECK_VALID(arena);
    uint32_t states[ROUNDS], n = r.n_states;
    memcpy(states, r.states, n * sizeof *states);
    for (uint32_t i = 0; i < n; i++) check_reading(states[i], i);
    for (uint32_t i = n; i-- > 0;) {
        r = run_path(arena, child, states[i], 1, 0, 0);
        CHECK(r.end == SS_END_FINISHED && r.n_states == ROUNDS - 1 - i);
        for (uint32_t k = 0; k < r.n_states; k++) CHECK(ss_state_release(arena, r.states[k]) == 0);
    }
    CHECK_VALID(arena);
    stop_child(arena, child);
}

int run(void *xxh3_64, void *xxh3_128, const char *name, uint64_t seed) {
    CHECK(ss_set_hash(xxh3_64, xxh3_128) == 0);
    emulate_soft_dirty();
    if (!strcmp(name, "code")) test_code(seed);
    else if (!strcmp(name, "store")) test_store(seed);
    else if (!strcmp(name, "collisions")) {
        CHECK(ss_set_hash((void *)(uintptr_t)same_64, (void *)(uintptr_t)same_128) == 0);
        test_store(seed);
    } else if (!strcmp(name, "near")) test_near(seed);
    else if (!strcmp(name, "bases")) test_bases(seed);
    else if (!strcmp(name, "validator")) test_validator(seed);
    else if (!strncmp(name, "search:", 7)) test_search(name + 7, seed);
    else if (!strncmp(name, "brim:", 5)) test_brim(name + 5);
    else return 2;
    return 0;
}

/* ---- for the model in Python --------------------------------------------------------------------------- */

SS_EXPORT ss_arena *model_new(void *xxh3_64, void *xxh3_128, size_t bytes) {
    ss_arena *made = NULL;
    if (ss_set_hash(xxh3_64, xxh3_128) || ss_arena_create(bytes, &made)) return NULL;
    made->forest.levels = ssi_tree_levels(SSI_FANOUT * SSI_FANOUT);
    return made;
}
SS_EXPORT uint32_t model_intern(ss_arena *a, const void *content, uint32_t index) { return ssi_page_intern_at(a, content, index); }
SS_EXPORT void model_release(ss_arena *a, uint32_t page) { ssi_page_release(a, page); }
SS_EXPORT int model_fix(ss_arena *a, uint32_t page) { return ssi_page_fix(a, page); }
SS_EXPORT int model_pack(ss_arena *a, uint32_t page, uint32_t reference) { return ssi_page_pack(a, page, reference); }
SS_EXPORT uint32_t model_pack_all(ss_arena *a, uint64_t until) { return ssi_pack(a, until, 0); }
SS_EXPORT uint32_t model_form(ss_arena *a, uint32_t page) { return a->store.body[page].form; }
SS_EXPORT uint64_t model_stored(ss_arena *a) { return ssi_stored_bytes(a); }
/* The base state and the present one, as roots of the pages given; 0 ends. */
SS_EXPORT uint32_t model_root(ss_arena *a, const uint32_t *pages, uint32_t n) {
    ssi_change changes[SSI_FANOUT];
    uint32_t root;
    for (uint32_t i = 0; i < n; i++) changes[i] = (ssi_change){i, pages[i]};
    return ssi_tree_update(a, 0, changes, n, &root) ? SS_NONE : root;
}
SS_EXPORT void model_set_base(ss_arena *a, uint32_t root) { a->base = root; }
SS_EXPORT void model_set_current(ss_arena *a, uint32_t root) { a->current = root; }
SS_EXPORT void model_release_root(ss_arena *a, uint32_t root) { ssi_root_release(a, root); }
/* Valid if these references are all that there are. */
SS_EXPORT int model_is_valid(ss_arena *a, const uint32_t *pages, uint32_t n) {
    uint32_t slot = ssi_state_alloc(a), rc;
    ssi_change *changes = calloc(n + 1, sizeof *changes);
    for (uint32_t i = 0; i < n; i++) changes[i] = (ssi_change){i, pages[i]};
    if (ssi_tree_update(a, 0, changes, n, &a->states[slot].root)) ssi_panic("no room to look whether all is valid");
    for (uint32_t i = 0; i < n; i++) ssi_page_release(a, pages[i]);
    static const ssi_tracker none = {.name = "none"};
    a->tracker = a->base || a->current ? &none : NULL; /* then these are counted too */
    rc = (uint32_t)ss_arena_is_valid(a);
    for (uint32_t i = 0; i < n; i++)
        if (pages[i]) a->store.ref[pages[i]]++;
    ss_state_release(a, slot);
    free(changes);
    return (int)rc;
}
