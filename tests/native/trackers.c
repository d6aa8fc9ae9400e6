/* trackers.c — trackers over random writes: they may name too much, never too little. */
#include "emulation.h"

#define PAGES 20000u /* alternating writes give more runs than one answer of the kernel holds */

typedef struct setup {
    ss_region regions[2];
    ssi_tracked tracked;
    uint8_t *memory[2], *shadow;
    uint32_t pages[2], *out;
    uint8_t *named;
    int pipe[2];
} setup;

static void prepare(setup *s, int may_drop) {
    memset(s, 0, sizeof *s);
    size_t bytes = (size_t)PAGES * SS_PAGE;
    uint8_t *both = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(both != MAP_FAILED && pipe(s->pipe) == 0);
    CHECK(madvise(both, 2 * bytes, MADV_NOHUGEPAGE) == 0);
    s->memory[0] = both + 3 * SS_PAGE;
    s->memory[1] = both + bytes + 7 * SS_PAGE;
    s->pages[0] = PAGES - 3;
    s->pages[1] = 300;
    for (uint32_t i = 0; i < 2; i++)
        s->regions[i] = (ss_region){.lo = (uintptr_t)s->memory[i], .hi = (uintptr_t)s->memory[i] + s->pages[i] * SS_PAGE};
    s->regions[1].first_page = s->pages[0];
    uint32_t n = s->pages[0] + s->pages[1];
    s->tracked = (ssi_tracked){.regions = s->regions, .n_regions = 2, .n_pages = n, .pagemap = ssi_pagemap_open(), .uffd = -1,
                               .clear_refs = -1, .runs = calloc(SSI_SCAN_RUNS, sizeof(struct ssi_scan_run)), .may_drop = may_drop,
                               .seen = calloc(n / 64 + 1, 8), .present = calloc(n / 64 + 1, 8), .named = calloc(n / 64 + 1, 8),
                               .some_named = calloc(n / 64 / 64 + 1, 8), .ranges = calloc(2 * 8, sizeof(ssi_range)), .dense = calloc(8, sizeof(uint32_t)),
                               .quiet = calloc(2, 8)};
    s->shadow = mmap(NULL, (size_t)n * SS_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    s->out = calloc(2 * n, sizeof *s->out);
    s->named = calloc(n, 1);
    CHECK(s->shadow != MAP_FAILED);
}

static uint8_t *page_of(const setup *s, uint32_t index) {
    return index < s->pages[0] ? s->memory[0] + (size_t)index * SS_PAGE : s->memory[1] + (size_t)(index - s->pages[0]) * SS_PAGE;
}

static void write_one(setup *s, const ssi_tracker *tracker, uint64_t *seed, uint32_t index) {
    uint8_t *page = page_of(s, index), byte = (uint8_t)(next_random(seed) | 1);
    switch (below(seed, s->tracked.may_drop ? 5 : 4)) {
    case 0:
        ssi_tracker_open_up(tracker, &s->tracked, (uintptr_t)page, (uintptr_t)page + SS_PAGE);
        CHECK(write(s->pipe[1], &byte, 1) == 1 && read(s->pipe[0], page + below(seed, SS_PAGE), 1) == 1);
        break;
    case 1:
        (void)*(volatile uint8_t *)page; /* first a read: the zero page */
        page[below(seed, SS_PAGE)] ^= byte;
        break;
    case 4:
        CHECK(madvise(page, SS_PAGE, MADV_DONTNEED) == 0);
        break;
    default:
        page[below(seed, SS_PAGE)] ^= byte;
    }
}

/* Everything that differs from the shadow must be named; then the shadow follows. */
static void check_named(setup *s, const ssi_tracker *tracker, int rearm, int *behind) {
    uint32_t n = s->tracked.n_pages, missed = 0;
    long found = tracker->collect(&s->tracked, rearm, s->out);
    CHECK(found >= 0 && found <= n);
    memset(s->named, 0, n);
    for (long i = 0; i < found; i++) {
        CHECK(s->out[i] < n && (!i || s->out[i - 1] < s->out[i])); /* ascending */
        s->named[s->out[i]] = 1;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (memcmp(s->shadow + (size_t)i * SS_PAGE, page_of(s, i), SS_PAGE)) missed += !s->named[i];
    }
    CHECK(missed == 0);
    *behind = !rearm;
    if (!rearm && tracker->rearm) {
        /* Some of them, alone and in runs. */
        uint32_t some = 0;
        for (long i = 0; i < found; i++)
            if (s->out[i] / 4 % 3 || s->out[i] % 4 == 1) s->out[some++] = s->out[i];
        CHECK(tracker->rearm(&s->tracked, s->out, some) == 0);
        for (uint32_t i = 0; i < some; i++) memcpy(s->shadow + (size_t)s->out[i] * SS_PAGE, page_of(s, s->out[i]), SS_PAGE);
        if (!tracker->exact) return;
        long left = tracker->collect(&s->tracked, 0, s->out + some);
        CHECK(s->tracked.may_drop || left == found - (long)some);
        for (long i = 0; i < left; i++) CHECK(s->tracked.may_drop || !(s->out[some + i] / 4 % 3 || s->out[some + i] % 4 == 1));
    }
    if (rearm)
        for (long i = 0; i < found; i++) memcpy(s->shadow + (size_t)s->out[i] * SS_PAGE, page_of(s, s->out[i]), SS_PAGE);
}

static void test_tracker(const ssi_tracker *tracker, int may_drop, uint64_t seed) {
    static setup s;
    char why[256];
    ssi_text text = ssi_text_on(why, sizeof why);
    prepare(&s, may_drop);
    for (uint32_t i = 0; i < 500; i++) *page_of(&s, below(&seed, s.tracked.n_pages)) = 1;
    CHECK(tracker->open(&s.tracked, &text) == 0 && tracker->arm(&s.tracked, &text) == 0);
    for (uint32_t i = 0; i < s.tracked.n_pages; i++)
        if (*page_of(&s, i)) s.shadow[(size_t)i * SS_PAGE] = 1;
    int behind = 0;
    for (uint32_t round = 0; round < 25; round++) {
        if (round % 8 == 5) /* every second page: more runs than fit */
            for (uint32_t i = round % 2; i < PAGES - 3; i += 2) page_of(&s, i)[round]++;
        page_of(&s, s.pages[0] - 1)[round]++; /* neighbours by number, and in different regions */
        page_of(&s, s.pages[0])[round]++;
        for (uint32_t n = below(&seed, 200); n; n--) write_one(&s, tracker, &seed, below(&seed, s.tracked.n_pages));
        check_named(&s, tracker, below(&seed, 3) != 0, &behind);
    }
    check_named(&s, tracker, 1, &behind);
    if (tracker->exact && !may_drop) CHECK(tracker->collect(&s.tracked, 1, s.out) == 0);
    tracker->close(&s.tracked);
}

/* Reserved and never touched: neither arming nor collecting may fill page tables. */
static void test_untouched(const ssi_tracker *tracker, int may_drop) {
    static setup s;
    char why[256];
    ssi_text text = ssi_text_on(why, sizeof why);
    prepare(&s, may_drop);
    size_t bytes = (size_t)1 << 30;
    uint8_t *big = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(big != MAP_FAILED && madvise(big, bytes, MADV_NOHUGEPAGE) == 0);
    s.regions[0] = (ss_region){.lo = (uintptr_t)big, .hi = (uintptr_t)big + bytes};
    s.tracked.n_regions = 1;
    s.tracked.n_pages = bytes / SS_PAGE;
    s.tracked.seen = calloc(bytes / SS_PAGE / 64 + 1, 8);
    s.tracked.named = calloc(bytes / SS_PAGE / 64 + 1, 8);
    s.tracked.some_named = calloc(bytes / SS_PAGE / 64 / 64 + 1, 8);
    s.tracked.present = calloc(bytes / SS_PAGE / 64 + 1, 8);
    s.out = calloc(bytes / SS_PAGE, sizeof *s.out);
    big[0] = big[bytes / 2] = 1;
    CHECK(tracker->open(&s.tracked, &text) == 0 && tracker->arm(&s.tracked, &text) == 0);
    for (uint32_t i = 0; i < 4; i++) {
        big[bytes / 2]++;
        big[bytes / 4 * 3 + i * SS_PAGE]++;
        long n = tracker->collect(&s.tracked, i % 2, s.out);
        CHECK(n >= 2 && n <= 8);
    }
    uint64_t entry[512];
    uint32_t filled = 0;
    for (size_t at = 0; at < bytes; at += sizeof entry / 8 * SS_PAGE) {
        CHECK(ssi_pagemap_read(s.tracked.pagemap, (uintptr_t)big + at, entry, 512) == 0);
        for (uint32_t i = 0; i < 512; i++) filled += entry[i] != 0 && (entry[i] & (SSI_PAGEMAP_PRESENT | SSI_PAGEMAP_SWAPPED));
    }
    CHECK(filled == 6);
    tracker->close(&s.tracked);
}

/* A process may have only so many mappings, and every lonely open page is one. */
static void test_too_many_mappings(const ssi_tracker *tracker) {
    static setup s;
    char why[256];
    ssi_text text = ssi_text_on(why, sizeof why);
    prepare(&s, 0);
    CHECK(tracker->open(&s.tracked, &text) == 0 && tracker->arm(&s.tracked, &text) == 0);
    size_t most = 200000;
    uint8_t *wasted = mmap(NULL, most * SS_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(wasted != MAP_FAILED);
    size_t i = 1;
    while (i < most && mprotect(wasted + i * SS_PAGE, SS_PAGE, PROT_READ) == 0) i += 2;
    CHECK(i < most);
    *page_of(&s, 5) = 1;
    *page_of(&s, 1000) = 2;
    CHECK(munmap(wasted, most * SS_PAGE) == 0);
    CHECK(tracker->collect(&s.tracked, 1, s.out) == s.pages[0]); /* all of that region is open, and no other */
    CHECK(tracker->collect(&s.tracked, 0, s.out) == 0);
    *page_of(&s, 999) = 3;
    CHECK(tracker->collect(&s.tracked, 0, s.out) == 1 && s.out[0] == 999 && *page_of(&s, 5) == 1);
    tracker->close(&s.tracked);
}

int run(void *xxh3_64, void *xxh3_128, const char *name, uint64_t seed) {
    CHECK(ss_set_hash(xxh3_64, xxh3_128) == 0);
    char reason[200];
    const ssi_tracker *tracker = tracker_named(name);
    handle_first_writes(malloc(1 << 16), 1 << 16);
    CHECK(ss_tracker_probe("nonsense", reason, sizeof reason) == -EINVAL && !strcmp(reason, "unknown tracker"));
    CHECK(ss_tracker_probe(name, reason, sizeof reason) == 0);
    for (int may_drop = 0; may_drop <= tracker->sees_drops; may_drop++) {
        test_tracker(tracker, may_drop, seed);
        test_untouched(tracker, may_drop);
    }
    if (tracker->fault) test_too_many_mappings(tracker);
    return 0;
}
