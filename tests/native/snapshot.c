/* snapshot.c — checkpoint and restore are exact, byte for byte.
 *
 * A child with memory of every kind writes at random, checkpoints and restores.
 * Beside each snapshot it keeps a plain copy of all its private memory, made
 * without the engine's store, and compares after each restore. It runs on a
 * stack in the arena: all of its own state is out of the engine's sight. */
#include <fcntl.h>
#include <sys/uio.h>

#include "emulation.h"

#define SLOTS 10u
#define STEPS 120u
#define BIG ((size_t)1 << 30)
#define FILE_BYTES (8 * SS_PAGE + 100)
#define FILE_PAGES 11u /* the last lie behind the end of the file */
#define IMAGE_PAGES 8192u

typedef struct image {
    uint32_t used, n, root;
    ssi_kernel_state kernel;
    uintptr_t address[IMAGE_PAGES];
    uint8_t (*data)[SS_PAGE];
} image;

typedef struct world {
    ss_arena *arena;
    uint64_t seed;
    uint8_t *small, *big, *file, *shared, *memfd;
    int pipe[2];
    uint32_t restores, came_to_its_end;
    uint64_t reads;
    uint8_t wanted[3 * SS_PAGE], found[3 * SS_PAGE];
    image slots[SLOTS];
} world;

static world *w; /* in the arena */
static _Alignas(SS_PAGE) uint8_t statics[40][SS_PAGE];
static _Alignas(SS_PAGE) uint8_t initialised[3][SS_PAGE] = {{1}, {2}, {3}};

/* ---- the oracle ------------------------------------------------------------------- */

typedef int page_function(image *i, uintptr_t address, uint32_t k);

/* Calls f for every non-zero page of private writable memory, ascending. */
static uint32_t walk(image *i, page_function *f) {
    uint32_t k = 0;
    for (uint32_t r = 0; r < ss_region_count(w->arena); r++) {
        const ss_region *region = ss_get_region(w->arena, r);
        uint64_t entries[512];
        for (uintptr_t at = region->lo; at < region->hi; at += SS_PAGE) {
            uint32_t offset = (uint32_t)((at - region->lo) / SS_PAGE) % 512;
            uintptr_t left = (region->hi - at) / SS_PAGE;
            if (!offset) CHECK(ssi_pagemap_read(w->arena->tracked.pagemap, at, entries, left < 512 ? (uint32_t)left : 512) == 0);
            if (!(entries[offset] >> 62)) continue; /* never touched, or dropped */
            if (!ssi_is_readable(at) || ssi_page_is_zero((void *)at)) continue;
            if (f(i, at, k)) return k;
            k++;
        }
    }
    return k;
}

static int keep_page(image *i, uintptr_t address, uint32_t k) {
    CHECK(k < IMAGE_PAGES);
    i->address[k] = address;
    memcpy(i->data[k], (void *)address, SS_PAGE);
    return 0;
}

static int same_page(image *i, uintptr_t address, uint32_t k) {
    CHECK(k < i->n && i->address[k] == address);
    CHECK(!memcmp(i->data[k], (void *)address, SS_PAGE));
    return 0;
}

static void keep(image *i) { i->n = walk(i, keep_page); }
static void compare(image *i) { CHECK(walk(i, same_page) == i->n); }

/* ---- random writes ------------------------------------------------------------------- */

static uint8_t *somewhere(void) {
    switch (below(&w->seed, 7)) {
    case 0:
        return w->small + below(&w->seed, 64) * SS_PAGE;
    case 1:
        return w->big + (size_t)below(&w->seed, 8) * 32768 * SS_PAGE + below(&w->seed, 4) * SS_PAGE;
    case 2:
        return w->file + below(&w->seed, 9) * SS_PAGE; /* the ninth ends within the page */
    case 3:
        return statics[below(&w->seed, 40)];
    case 4:
        return w->shared + below(&w->seed, 4) * SS_PAGE;
    case 5:
        return w->memfd + below(&w->seed, 8) * SS_PAGE;
    default:
        return initialised[below(&w->seed, 3)];
    }
}

static void write_somewhere(void) {
    uint8_t *page = somewhere();
    uint8_t byte = (uint8_t)next_random(&w->seed);
    struct iovec from = {&byte, 1}, to = {page + 77, 1};
    uint32_t way = below(&w->seed, 8);
    if (way == 1 || way == 2) ssi_tracker_open_up(w->arena->tracker, &w->arena->tracked, (uintptr_t)page, (uintptr_t)page + SS_PAGE);
    if ((way == 3 || way == 4) && !w->arena->tracked.may_drop) way = 5;
    switch (way) {
    case 0:
        memset(page, 0, SS_PAGE);
        break;
    case 1: /* the kernel writes */
        CHECK(SSI_SYSCALL(SYS_write, w->pipe[1], &byte, 1) == 1 && SSI_SYSCALL(SYS_read, w->pipe[0], page + 9, 1) == 1);
        break;
    case 2:
        SSI_SYSCALL(SYS_process_vm_writev, SSI_SYSCALL(SYS_getpid), &from, 1, &to, 1, 0);
        break;
    case 3:
        SSI_SYSCALL(SYS_madvise, page, SS_PAGE, MADV_DONTNEED);
        break;
    case 4:
        if (page >= w->small && page < w->small + 32 * SS_PAGE)
            SSI_SYSCALL(SYS_madvise, page, (1 + below(&w->seed, 32)) * SS_PAGE, MADV_DONTNEED);
        break;
    case 5: /* as it was */
        ((volatile uint8_t *)page)[5]++;
        ((volatile uint8_t *)page)[5]--;
        break;
    default:
        page[below(&w->seed, SS_PAGE)] = byte;
    }
}

/* ---- reading without a restore ---------------------------------------------------------- */

static void expected(const image *i, uintptr_t address, uint8_t *out, uint32_t bytes) {
    memset(out, 0, bytes);
    for (uint32_t k = 0; k < i->n; k++)
        if (i->address[k] < address + bytes && address < i->address[k] + SS_PAGE)
            for (uint32_t at = 0; at < SS_PAGE; at++)
                if (i->address[k] + at >= address && i->address[k] + at < address + bytes) out[i->address[k] + at - address] = i->data[k][at];
}

/* Memory stands anywhere. */
static void read_at_random(const image *i) {
    for (uint32_t n = 0; n < 12; n++) {
        uintptr_t page = n % 2 ? (uintptr_t)somewhere() : i->address[below(&w->seed, i->n)];
        uintptr_t address = page + below(&w->seed, SS_PAGE);
        uint32_t bytes = below(&w->seed, 3 * SS_PAGE);
        const ss_region *r = w->arena->regions;
        while (r->hi <= address) r++;
        if (address + bytes > r->hi) bytes = (uint32_t)(r->hi - address);
        expected(i, address, w->wanted, bytes);
        CHECK(ss_snapshot_read(w->arena, i->root, address, w->found, bytes) == 0);
        CHECK(!memcmp(w->found, w->wanted, bytes));
        w->reads++;
    }
}

/* ---- the run -------------------------------------------------------------------------- */

static void exercise(void) {
    ss_arena *arena = w->arena;
    int rc = ssi_tracking_start(arena);
    if (rc) ssi_panic(ss_last_error(arena));
    for (uint32_t step = 0; step < STEPS; step++) {
        for (uint32_t n = below(&w->seed, below(&w->seed, 10) ? 20 : 600); n; n--) write_somewhere();
        if (below(&w->seed, 4) == 0) ssi_pack(arena, 0, (int)below(&w->seed, 2)); /* as if there were no room */
        image *i = &w->slots[below(&w->seed, SLOTS)];
        if (below(&w->seed, 2)) arena->last_collected = UINT32_MAX; /* the next checkpoint re-arms */
        if (i->used && below(&w->seed, 2)) {
            arena->undisturbed = 0; /* as the agent does before anything runs */
            ssi_restore(arena, i->root, &i->kernel);
            compare(i);
            CHECK(ss_count_differences(arena, i->root) == 0);
            w->restores++;
        } else {
            if (i->used) ssi_root_release(arena, i->root);
            CHECK(ssi_checkpoint(arena, &i->root, &i->kernel) == 0);
            keep(i);
            i->used = 1;
            uint32_t again;
            CHECK(ssi_checkpoint(arena, &again, &i->kernel) == 0);
            int copied = !arena->tracker->exact && arena->without == (SS_WITHOUT_MERGING | SS_WITHOUT_COMPARISON);
            CHECK((again == i->root) == !copied); /* equal memory, equal root */
            ssi_root_release(arena, again);
        }
        const image *other = &w->slots[below(&w->seed, SLOTS)];
        if (other->used) read_at_random(other);
    }
    CHECK(w->reads > 3 * STEPS);
    CHECK(w->restores > STEPS / 5);
    CHECK(arena->statistics.packs > 100 && arena->statistics.unpacks > 100);
    for (uint32_t i = 0; i < SLOTS; i++)
        if (w->slots[i].used) ssi_root_release(arena, w->slots[i].root);
    CHECK_VALID(arena);
    w->came_to_its_end = 1;
    SSI_SYSCALL(SYS_exit_group, 0);
}

static void test_exact(const char *tracker, uint32_t without, uint64_t seed) {
    ss_arena *arena = new_arena((size_t)512 << 20);
    CHECK(ss_do_without(arena, without) == 0);
    w = shared_memory(arena, sizeof *w);
    w->arena = arena;
    w->seed = seed;
    for (uint32_t i = 0; i < SLOTS; i++) w->slots[i].data = shared_memory(arena, (size_t)IMAGE_PAGES * SS_PAGE);
    w->small = mmap(NULL, 64 * SS_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    w->big = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    w->shared = mmap(NULL, 4 * SS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset(w->shared, 3, SS_PAGE);
    int memfd = memfd_create("shared", MFD_CLOEXEC);
    CHECK(memfd >= 0 && ftruncate(memfd, 8 * SS_PAGE) == 0);
    w->memfd = mmap(NULL, 8 * SS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
    CHECK(w->memfd != MAP_FAILED);
    memset(w->memfd, 5, SS_PAGE);
    FILE *file = tmpfile();
    CHECK(file && pipe(w->pipe) == 0);
    for (uint32_t i = 0; i < FILE_BYTES; i++) CHECK(fputc((int)(i / 1000 + 1), file) != EOF);
    CHECK(fflush(file) == 0);
    w->file = mmap(NULL, FILE_PAGES * SS_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fileno(file), 0);
    CHECK(w->small != MAP_FAILED && w->big != MAP_FAILED && w->file != MAP_FAILED && w->shared != MAP_FAILED);
    strcpy(arena->setup_tracker, tracker);
    arena->setup.guard = !strncmp(tracker, "broken", 6) ? 0 : (uint32_t)!tracker_named(tracker)->sees_drops; /* as far as trackers know */
    pid_t child = fork();
    if (!child) {
        handle_first_writes(arena->signal_stack, SSI_SIGNAL_STACK);
        ssi_rseq_unregister();
        ssi_call_on(arena->agent_hi, exercise);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0 && w->came_to_its_end);
    CHECK(w->memfd[0] == 5 && w->memfd[SS_PAGE - 1] == 5);
    CHECK(w->shared[0] == 3 && w->shared[SS_PAGE - 1] == 3); /* the child had a private copy */
}

/* ---- trackers that are broken on purpose ---------------------------------------------- */

static int outside_self_test;

static long drop_seventh(ssi_tracked *t, int rearm, uint32_t *out) {
    long n = ssi_tracker_wpasync.collect(t, rearm, out), kept = 0;
    if (!out || (outside_self_test && t->n_regions <= 2)) return n;
    for (long i = 0; i < n; i++)
        if (i % 7 != 6) out[kept++] = out[i];
    return kept;
}

static void use_broken_tracker(void) {
    static ssi_tracker broken;
    broken = ssi_tracker_wpasync;
    broken.name = "broken";
    broken.collect = drop_seventh;
    ssi_trackers[0] = &broken;
}

/* name: of a tracker; "compare without 3": what it does without, as a number. */
int run(void *xxh3_64, void *xxh3_128, const char *name, uint64_t seed) {
    CHECK(ss_set_hash(xxh3_64, xxh3_128) == 0);
    if (!strncmp(name, "broken", 6)) {
        outside_self_test = !strcmp(name, "broken:hidden");
        use_broken_tracker();
        test_exact("broken", 0, seed);
        return 0;
    }
    char tracker[32] = "";
    uint32_t without = 0;
    CHECK(sscanf(name, "%31s without %u", tracker, &without) >= 1);
    test_exact(tracker, without, seed);
    return 0;
}
