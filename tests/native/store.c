/* store.c — pages and trees against plain models, with random operations. */
#include "harness.h"

#define POOL 64u   /* different contents */
#define HELD 600u  /* references held at once */
#define STEPS 20000u

static uint8_t contents[POOL][SS_PAGE];

static void make_contents(uint64_t *seed) {
    for (uint32_t i = 1; i < POOL; i++) { /* 0 stays all zero; many differ in one byte only */
        if (i % 2) memset(contents[i], (int)i, SS_PAGE / 2);
        contents[i][below(seed, SS_PAGE)] ^= (uint8_t)(i + 1);
        contents[i][SS_PAGE - 1] = (uint8_t)i;
    }
}

static void test_store(uint64_t seed) {
    ss_arena *arena = new_arena(4 << 20);
    uint32_t held[HELD], content_of[HELD], n = 0, references[POOL] = {0}, number[POOL] = {0};
    uint64_t serial[POOL] = {0}, last_serial = 0;
    make_contents(&seed);
    for (uint32_t step = 0; step < STEPS; step++) {
        if (n < HELD && below(&seed, 100) < 52) {
            uint32_t c = below(&seed, POOL), page = ssi_page_intern(arena, contents[c]);
            CHECK(page != SS_NONE && (page == 0) == (c == 0));
            CHECK(!memcmp(ss_page_data(arena, page), contents[c], SS_PAGE));
            if (references[c]++) {
                CHECK(page == number[c] && ss_page_serial(arena, page) == serial[c]);
            } else if (c) {
                CHECK(ss_page_serial(arena, page) > last_serial); /* a reused number has a new serial */
                last_serial = ss_page_serial(arena, page);
            }
            number[c] = page;
            serial[c] = ss_page_serial(arena, page);
            held[n] = page;
            content_of[n++] = c;
        } else if (n) {
            uint32_t i = below(&seed, n);
            ssi_page_release(arena, held[i]);
            references[content_of[i]]--;
            held[i] = held[--n];
            content_of[i] = content_of[n];
        }
        uint32_t live = 0;
        for (uint32_t c = 1; c < POOL; c++) live += references[c] != 0;
        CHECK(arena->store.live == live);
    }
    while (n) ssi_page_release(arena, held[--n]);
    CHECK(arena->store.live == 0);
    CHECK_VALID(arena);
}

/* Two contents whose hashes are made to collide: memcmp must tell them apart. */
static uint64_t same_64(const void *data, size_t bytes) { return bytes ? 42 : ((void)data, UINT64_C(0x2d06800538d394c2)); }
static ssi_hash128 same_128(const void *data, size_t bytes) {
    (void)data;
    return bytes ? (ssi_hash128){1, 2} : (ssi_hash128){UINT64_C(0x6001c324468d497f), UINT64_C(0x99aa06d3014798d8)};
}

static uint64_t (*real_64)(const void *, size_t);
static uint64_t few_64(const void *data, size_t bytes) { return bytes ? real_64(data, bytes) % 256 : real_64(data, 0); }

static void test_collisions(uint64_t seed) {
    CHECK(ss_set_hash((void *)(uintptr_t)same_64, (void *)(uintptr_t)same_128) == 0);
    test_store(seed);
}

/* ---- trees -------------------------------------------------------------------------- */

#define TREE_PAGES 70000u /* more than 64^2: four levels with sparse use */
#define TREES 12u

static uint32_t (*model)[TREE_PAGES]; /* content index per page and tree */

typedef struct seen {
    ss_arena *arena;
    const uint32_t *a, *b;
    uint32_t next, count;
} seen;

static int see(void *user, uint32_t index, uint32_t page_a, uint32_t page_b) {
    seen *s = user;
    for (; s->next < index; s->next++) CHECK(s->a[s->next] == s->b[s->next]);
    CHECK(s->a[index] != s->b[index]);
    CHECK(!memcmp(ss_page_data(s->arena, page_a), contents[s->a[index]], SS_PAGE));
    CHECK(!memcmp(ss_page_data(s->arena, page_b), contents[s->b[index]], SS_PAGE));
    s->next = index + 1;
    s->count++;
    return 0;
}

static void check_difference(ss_arena *arena, uint32_t root_a, uint32_t root_b, const uint32_t *a, const uint32_t *b) {
    seen s = {.arena = arena, .a = a, .b = b};
    CHECK(ss_tree_diff(arena, root_a, root_b, see, &s) == 0);
    for (; s.next < TREE_PAGES; s.next++) CHECK(a[s.next] == b[s.next]);
    CHECK((root_a == root_b) == (s.count == 0)); /* equal memory, equal root */
}

static uint32_t random_changes(ss_arena *arena, uint64_t *seed, uint32_t *pages, ssi_change *changes) {
    uint32_t n = 0, wanted = 1 + below(seed, below(seed, 8) ? 40 : 4000), run = below(seed, 3);
    uint32_t index = below(seed, 500), spread = TREE_PAGES / wanted;
    while (index < TREE_PAGES) {
        uint32_t c = below(seed, 3) ? below(seed, POOL) : 0;
        uint32_t page = ssi_page_intern(arena, contents[c]);
        CHECK(page != SS_NONE);
        pages[index] = c;
        changes[n++] = (ssi_change){index, page};
        index += run ? 1 + below(seed, 3) : 1 + below(seed, 2 * spread);
        if (run && n >= wanted) break;
    }
    return n;
}

static void test_tree(uint64_t seed) {
    static ssi_change changes[TREE_PAGES];
    ss_arena *arena = new_arena(64 << 20);
    uint32_t roots[TREES] = {0};
    make_contents(&seed);
    model = calloc(TREES, sizeof *model);
    arena->forest.levels = ssi_tree_levels(TREE_PAGES);
    CHECK(ssi_tree_levels(64) == 1 && ssi_tree_levels(65) == 2 && ssi_tree_levels(4096) == 2 && ssi_tree_levels(4097) == 3);
    for (uint32_t step = 0; step < 300; step++) {
        uint32_t from = below(&seed, TREES), to = below(&seed, TREES), old = roots[to];
        if (to != from) memcpy(model[to], model[from], sizeof *model);
        uint32_t n = random_changes(arena, &seed, model[to], changes);
        CHECK(ssi_tree_update(arena, roots[from], changes, n, &roots[to]) == 0);
        for (uint32_t i = 0; i < n; i++) ssi_page_release(arena, changes[i].page);
        ssi_root_release(arena, old);
        ss_root_hold(arena, roots[below(&seed, TREES)]); /* now and then the same again, or one that nothing else keeps */
        uint32_t other = below(&seed, TREES);
        check_difference(arena, roots[to], roots[other], model[to], model[other]);
        uint32_t index = below(&seed, TREE_PAGES);
        CHECK(!memcmp(ss_page_data(arena, ssi_tree_get(arena, roots[to], index)), contents[model[to][index]], SS_PAGE));
    }
    /* The same content reached another way: all at once, from nothing. */
    for (uint32_t t = 0; t < TREES; t++) {
        uint32_t n = 0, root;
        for (uint32_t i = 0; i < TREE_PAGES; i++)
            if (model[t][i]) changes[n++] = (ssi_change){i, ssi_page_intern(arena, contents[model[t][i]])};
        CHECK(ssi_tree_update(arena, 0, changes, n, &root) == 0 && root == roots[t]);
        for (uint32_t i = 0; i < n; i++) ssi_page_release(arena, changes[i].page);
        ssi_root_release(arena, root);
    }
    for (uint32_t t = 0; t < TREES; t++) ssi_root_release(arena, roots[t]);
    if (arena->held) CHECK(arena->forest.ref[arena->held] == 1);
    ss_root_hold(arena, 0);
    CHECK(arena->forest.live == 0 && arena->store.live == 0);
    CHECK_VALID(arena);
}

/* Filling it to the brim leaves everything as it was before the call that failed. */
static void test_full(uint64_t seed) {
    ss_arena *arena = new_arena(1 << 20);
    uint8_t page[SS_PAGE];
    uint32_t root = 0, next, failures = 0;
    arena->forest.levels = ssi_tree_levels(TREE_PAGES);
    for (uint32_t step = 0; step < 3000; step++) {
        for (uint32_t i = 0; i < SS_PAGE; i += 8) memcpy(page + i, &(uint64_t){next_random(&seed)}, 8);
        uint32_t live_pages = arena->store.live, live_nodes = arena->forest.live;
        ssi_change change = {below(&seed, TREE_PAGES), ssi_page_intern(arena, page)};
        int rc = change.page == SS_NONE ? -ENOMEM : ssi_tree_update(arena, root, &change, 1, &next);
        if (change.page != SS_NONE) ssi_page_release(arena, change.page);
        if (rc) {
            CHECK(arena->store.live == live_pages && arena->forest.live == live_nodes);
            if (++failures % 50 == 0) {
                ssi_root_release(arena, root);
                root = 0;
            }
            continue;
        }
        ssi_root_release(arena, root);
        root = next;
        CHECK(ssi_stored_bytes(arena) <= arena->store_bytes);
    }
    CHECK(failures > 100);
    ssi_root_release(arena, root);
    CHECK(arena->forest.live == 0 && arena->store.live == 0);
    CHECK_VALID(arena);
}

/* ---- the validator must see what is wrong ------------------------------------------------ */

static void test_validator(uint64_t seed) {
    ss_arena *arena = new_arena(4 << 20);
    make_contents(&seed);
    arena->forest.levels = 1;
    ssi_change change = {3, ssi_page_intern(arena, contents[1])};
    uint32_t slot = ssi_state_alloc(arena);
    CHECK(ssi_tree_update(arena, 0, &change, 1, &arena->states[slot].root) == 0);
    CHECK(ss_arena_is_valid(arena) == -EINVAL); /* our own reference to the page */
    ssi_page_release(arena, change.page);
    CHECK_VALID(arena);
    arena->forest.ref[arena->states[slot].root]++;
    CHECK(ss_arena_is_valid(arena) == -EINVAL);
    arena->forest.ref[arena->states[slot].root]--;
    uint8_t *content = ssi_slot_at(&arena->store, arena->store.at[change.page]);
    content[7] ^= 1;
    CHECK(ss_arena_is_valid(arena) == -EINVAL);
    content[7] ^= 1;
    arena->store.live++;
    CHECK(ss_arena_is_valid(arena) == -EINVAL);
    arena->store.live--;
    CHECK_VALID(arena);
}

int run(void *xxh3_64, void *xxh3_128, const char *name, uint64_t seed) {
    CHECK(ss_set_hash(xxh3_128, xxh3_64) == -EINVAL); /* swapped */
    CHECK(ss_set_hash(xxh3_64, xxh3_128) == 0);
    if (!strcmp(name, "store")) test_store(seed);
    else if (!strcmp(name, "collisions")) test_collisions(seed);
    else if (!strcmp(name, "tree")) test_tree(seed);
    else if (!strcmp(name, "tree-collisions")) {
        real_64 = (uint64_t(*)(const void *, size_t))(uintptr_t)xxh3_64;
        CHECK(ss_set_hash((void *)(uintptr_t)few_64, xxh3_128) == 0);
        test_tree(seed);
    } else if (!strcmp(name, "full")) test_full(seed);
    else if (!strcmp(name, "validator")) test_validator(seed);
    else return 2;
    return 0;
}
