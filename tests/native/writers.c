/* writers.c — simulated threads write at random, in the program and through the kernel, under the guard.
 *
 * The oracle is a full comparison of all tracked memory with the snapshot, after every checkpoint: a page that the
 * tracker missed, and one that the restore before did not put right, has other content than the snapshot says.
 * Paths start at random choice points that were met before. */
#include <fcntl.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>

#include "emulation.h"

#define FIBERS 4u
#define PATH 2u /* choice points a path passes through */
#define POOL 40u
#define HEAP_PAGES 16384u
#define FILE_BYTES (5 * SS_PAGE + 77)

typedef struct totals {
    uint64_t writes, by_kernel, checks;
    uint32_t left; /* choice points of the running path */
} totals;

static totals *total; /* in the arena */
static ss_arena *arena;
static ss_context contexts[FIBERS];
static uintptr_t tls_of[FIBERS];
static uint32_t current;
static uint64_t seed;
static uint32_t writes_a_step;
static uint8_t *heap, *memfd_shared, *memfd_private;
static uint32_t top; /* pages of the heap in use */
static char path[] = "/tmp/statespace-writers-XXXXXX";
static uint8_t content[FILE_BYTES];
static _Alignas(SS_PAGE) uint8_t statics[64][SS_PAGE];

static int is_restored(void *user, uint32_t root, uint64_t out[2]) {
    (void)user;
    (void)out;
    total->checks++;
    CHECK(ss_count_differences(arena, root) == 0);
    return -1; /* never merged */
}

/* ---- writing --------------------------------------------------------------------------- */

static uint8_t *somewhere(void) {
    switch (below(&seed, 5)) {
    case 0:
        return statics[below(&seed, 64)];
    case 1:
        return memfd_shared + below(&seed, 16) * SS_PAGE;
    case 2:
        return memfd_private + below(&seed, 16) * SS_PAGE;
    default:
        return heap + (size_t)below(&seed, top) * SS_PAGE;
    }
}

/* Often across the end of a page, and of a mapping. */
static void by_kernel(void) {
    total->by_kernel++;
    uint8_t *page = somewhere(), *at = page + below(&seed, SS_PAGE - 400);
    uint32_t bytes = 1 + below(&seed, 3 * SS_PAGE);
    if (page < heap || page + 4 * SS_PAGE > heap + (size_t)HEAP_PAGES * SS_PAGE) bytes = 1 + below(&seed, 300);
    switch (below(&seed, 5)) {
    case 0: {
        int fd = open(path, O_RDONLY);
        CHECK(fd >= 0 && read(fd, at, bytes) == (ssize_t)bytes && !memcmp(at, content, bytes) && close(fd) == 0);
        break;
    }
    case 1: {
        static _Alignas(SS_PAGE) uint8_t first[2 * SS_PAGE]; /* nobody else's */
        struct iovec parts[2] = {{first + below(&seed, SS_PAGE), SS_PAGE}, {at, bytes}};
        int fd = open(path, O_RDONLY);
        CHECK(fd >= 0 && readv(fd, parts, 2) == (ssize_t)(SS_PAGE + bytes) && close(fd) == 0);
        CHECK(!memcmp(parts[0].iov_base, content, SS_PAGE) && !memcmp(at, content + SS_PAGE, bytes));
        break;
    }
    case 2:
        CHECK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, at) == 0);
        break;
    case 3:
        if (bytes > 300) at = page + SS_PAGE - 100; /* only the first page of an answer is expected to be written */
        CHECK(uname((struct utsname *)(void *)at) == 0);
        break;
    default:
        CHECK(getrandom(at, 16, 0) == 16);
    }
}

static void write_one(volatile uint8_t *on_stack) {
    uint8_t byte = (uint8_t)next_random(&seed), *page;
    total->writes++;
    switch (below(&seed, 256)) {
    case 0:
        by_kernel();
        return;
    case 1: /* the heap grows */
        top += top < HEAP_PAGES - 600 ? below(&seed, 64) : 0;
        return;
    case 2: /* and shrinks; what is given back is zeroed */
        for (uint32_t n = below(&seed, 64); n && top > 64; n--) memset(heap + (size_t)--top * SS_PAGE, 0, SS_PAGE);
        return;
    case 3: /* as it was */
        page = somewhere();
        ((volatile uint8_t *)page)[7]++;
        ((volatile uint8_t *)page)[7]--;
        return;
    case 4:
        memset(somewhere(), 0, SS_PAGE);
        return;
    case 5:
        on_stack[below(&seed, 3 * SS_PAGE)] = byte;
        return;
    case 6:
        memset(somewhere(), byte, SS_PAGE);
        return;
    default:
        somewhere()[below(&seed, SS_PAGE)] = byte;
    }
}

static void writer(void) {
    volatile uint8_t on_stack[3 * SS_PAGE];
    on_stack[0] = on_stack[SS_PAGE] = on_stack[2 * SS_PAGE] = 1;
    for (;;) {
        for (uint32_t n = 1 + below(&seed, writes_a_step); n; n--) write_one(on_stack);
        ss_alternative alternatives[FIBERS];
        uint32_t me = current;
        for (uint32_t i = 0; i < FIBERS; i++) alternatives[i] = (ss_alternative){.thread = (uint16_t)((me + i) % FIBERS)};
        ss_choice choice = {.kind = SS_CHOICE_THREAD, .current = (uint16_t)me, .n = FIBERS, .label = me + 1, .alternatives = alternatives};
        uint32_t taken = ss_choose(arena, &choice);
        seed ^= (taken + 1) * UINT64_C(0x9e3779b97f4a7c15);
        if (!total->left) ss_end_path(arena, SS_END_FINISHED, NULL);
        total->left--;
        current = (me + taken) % FIBERS;
        ss_switch(&contexts[me], &contexts[current]);
    }
}

static void writers(void) {
    for (uint32_t i = 0; i < FIBERS; i++) {
        uintptr_t lo, hi;
        CHECK(ss_donor_stack(arena, i, &lo, &hi, &tls_of[i]) == 0);
        ss_context_make(&contexts[i], hi, tls_of[i], writer);
    }
    static ss_context main_context;
    ss_switch(&main_context, &contexts[0]);
}

/* ---- the walk ------------------------------------------------------------------------------- */

static void prepare(uint64_t start) {
    seed = start;
    top = 200;
    heap = mmap(NULL, (size_t)HEAP_PAGES * SS_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int fd = memfd_create("writers", MFD_CLOEXEC);
    CHECK(heap != MAP_FAILED && fd >= 0 && ftruncate(fd, 16 * SS_PAGE) == 0);
    memfd_shared = mmap(NULL, 16 * SS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    memfd_private = mmap(NULL, 16 * SS_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(memfd_shared != MAP_FAILED && memfd_private != MAP_FAILED);
    for (uint32_t i = 0; i < FILE_BYTES; i++) content[i] = (uint8_t)(i * 7 + i / 251);
    int file = mkstemp(path);
    CHECK(file >= 0 && write(file, content, FILE_BYTES) == (ssize_t)FILE_BYTES && close(file) == 0);
}

static void walk(const char *tracker, uint64_t writes, uint64_t restores) {
    pid_t child = start_child(arena, (child_options){.tracker = tracker, .guard = 1, .n_donors = FIBERS, .fingerprint = is_restored, .body = writers});
    uint32_t pool[POOL], n = 0;
    uint64_t random = seed, paths = 0;
    int status = 0;
    if (wait_for_result(arena, child, &status)) ssi_panic("the child did not start");
    CHECK(!strcmp(ss_tracker_name(arena), tracker));
    while (paths < restores || total->writes < writes) {
        total->left = PATH;
        uint32_t from = n && below(&random, 20) ? pool[below(&random, n)] : 0;
        ss_result r = run_path(arena, child, from, from ? below(&random, FIBERS) : 0, SS_RUN_SNAPSHOT | SS_RUN_FINGERPRINT, 0);
        if (r.end == SS_END_UNSUPPORTED || r.end == SS_END_ERROR) ssi_panic(r.detail);
        CHECK(r.end == SS_END_FINISHED);
        paths++;
        for (uint32_t i = 0; i < r.n_states; i++)
            if (n < POOL)
                pool[n++] = r.states[i];
            else {
                uint32_t *slot = &pool[below(&random, POOL)];
                CHECK(ss_state_release(arena, *slot) == 0);
                *slot = r.states[i];
            }
    }
    CHECK(total->by_kernel > total->writes / 600 && total->checks >= paths);
    CHECK_VALID(arena);
    stop_child(arena, child);
    CHECK(unlink(path) == 0);
}

/* A tracker that forgets one page in a thousand. */
static long forget(ssi_tracked *t, int rearm, uint32_t *out) {
    static uint32_t named;
    long n = ssi_tracker_wpasync.collect(t, rearm, out), kept = 0;
    for (long i = 0; i < n; i++)
        if (t->n_regions <= 2 || ++named % 1000) out[kept++] = out[i];
    return kept;
}

/* Pages are armed again soon, so that much is armed at any time. */
static void be_impatient(const char *name) {
    static ssi_tracker impatient;
    for (const ssi_tracker **t = ssi_trackers; *t; t++)
        if (!strcmp((*t)->name, name) && (*t)->rearm) {
            impatient = **t;
            impatient.patience = 1;
            *t = &impatient;
        }
}

/* "TRACKER:WRITES:RESTORES:WRITES A STEP" */
int run(void *xxh3_64, void *xxh3_128, const char *name, uint64_t start) {
    CHECK(ss_set_hash(xxh3_64, xxh3_128) == 0);
    emulate_soft_dirty();
    char tracker[32];
    unsigned long long writes, restores;
    CHECK(sscanf(name, "%31[^:]:%llu:%llu:%u", tracker, &writes, &restores, &writes_a_step) == 4);
    static ssi_tracker forgetful;
    forgetful = ssi_tracker_wpasync;
    forgetful.name = "forgetful";
    forgetful.collect = forget;
    if (!strcmp(tracker, "forgetful")) ssi_trackers[0] = &forgetful;
    be_impatient(tracker);
    arena = new_arena((size_t)1 << 30);
    total = shared_memory(arena, sizeof *total);
    prepare(start);
    walk(tracker, writes, restores);
    printf("%llu writes, %llu by the kernel, %llu comparisons of all memory\n", (unsigned long long)total->writes,
           (unsigned long long)total->by_kernel, (unsigned long long)total->checks);
    return 0;
}
