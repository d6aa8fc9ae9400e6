/* predict.c — which pages stay unarmed: what was compared in vain for long enough does not, and mistakes are rarer each time. */
#include "harness.h"

#define PAGES 8192u
#define PATIENCE 4u

static uint32_t armed[PAGES], n_armed, calls;

static int note(ssi_tracked *t, const uint32_t *pages, uint32_t n) {
    (void)t;
    memcpy(armed, pages, n * sizeof *pages);
    n_armed = n;
    calls++;
    return 0;
}

static const ssi_tracker counting = {.name = "counting", .rearm = note, .patience = PATIENCE};

static ss_arena *start(void) {
    ss_arena *arena = new_arena(4 << 20);
    arena->tracked.n_pages = PAGES;
    arena->tracker = &counting;
    CHECK(ssi_predict_start(arena) == 0);
    return arena;
}

/* A checkpoint at which this page was named alone: was it armed? */
static int checkpoint(ss_arena *arena, uint32_t page, int changed) {
    n_armed = 0;
    ssi_predict_begin(arena, 1);
    if (changed)
        ssi_predict_changed(arena, page);
    else
        ssi_predict_same(arena, page);
    ssi_predict_end(arena);
    arena->statistics.checkpoints++;
    CHECK(n_armed <= 1 && (!n_armed || armed[0] == page));
    return (int)n_armed;
}

static uint32_t checkpoints_until_armed(ss_arena *arena, uint32_t page) {
    uint32_t n = 1;
    while (!checkpoint(arena, page, 0)) n++;
    return n;
}

static void test_patience(void) {
    ss_arena *arena = start();
    static const uint32_t expected[] = {4, 8, 16, 32, 64, 128, 128};
    for (uint32_t i = 0; i < 7; i++) CHECK(checkpoints_until_armed(arena, 7) == expected[i]); /* named again each time */
    CHECK(checkpoints_until_armed(arena, 8) == 4);                                            /* each page for itself */
    for (uint32_t i = 0; i < 100; i++) CHECK(!checkpoint(arena, 9, i % 4 == 3));              /* changes every now and then */
    CHECK(checkpoints_until_armed(arena, 9) == 4);
    CHECK(!checkpoint(arena, 9, 1) && checkpoints_until_armed(arena, 9) == 8); /* also when it has changed meanwhile */
    for (uint32_t i = 0; i < 7; i++) {
        arena->statistics.checkpoints += 100; /* not named for long */
        CHECK(checkpoints_until_armed(arena, 7) == (i < 5 ? expected[4 - i] : 4));
    }
    CHECK(arena->statistics.rearmed_pages == 17);
    CHECK(ss_arena_destroy(arena) == 0);
}

/* Nothing is armed by a checkpoint that was given up, nor later because of it. */
static void test_given_up(void) {
    ss_arena *arena = start();
    calls = 0;
    for (uint32_t i = 1; i < PATIENCE; i++) CHECK(!checkpoint(arena, 3, 0));
    ssi_predict_begin(arena, 1);
    ssi_predict_same(arena, 3);
    CHECK(!checkpoint(arena, 4, 0) && calls == 0);
    CHECK(checkpoint(arena, 3, 0) && calls == 1);
    CHECK(ss_arena_destroy(arena) == 0);
}

/* Whole regions were opened: what did not change is armed at once. */
static void test_many(void) {
    ss_arena *arena = start();
    ssi_predict_begin(arena, PAGES);
    for (uint32_t i = 0; i < PAGES; i++) i % 2 ? ssi_predict_same(arena, i) : ssi_predict_changed(arena, i);
    ssi_predict_end(arena);
    CHECK(n_armed == PAGES / 2);
    for (uint32_t i = 0; i < n_armed; i++) CHECK(armed[i] == 2 * i + 1);
    /* Not by a tracker that can arm only all of them. */
    static const ssi_tracker whole = {.name = "whole"};
    arena->tracker = &whole;
    ssi_predict_begin(arena, PAGES);
    for (uint32_t i = 0; i < PAGES; i++) ssi_predict_same(arena, i);
    CHECK(arena->n_given_up == 0);
    ssi_predict_end(arena);
    CHECK(ss_arena_destroy(arena) == 0);
}

int run(void *xxh3_64, void *xxh3_128, const char *name, uint64_t seed) {
    (void)seed;
    CHECK(ss_set_hash(xxh3_64, xxh3_128) == 0);
    if (strcmp(name, "predict")) return 2;
    test_patience();
    test_given_up();
    test_many();
    return 0;
}
