/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ arena.c — the one shared mapping and what is carved out of it.             │
 * │                                                                            │
 * │ The mapping is MAP_NORESERVE and its sections are sized for the worst      │
 * │ case: address space is cheap, only touched pages cost memory. Nothing in   │
 * │ it is ever rolled back, and nothing is lost when the child dies.           │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include <sys/mman.h>

#include "engine_internal.h"
#include "syscall.h"

#define MAGIC UINT64_C(0x657461747373735f)
#define SHORT_PAGE 128u /* bytes: no more packed pages than of this length, on average */
#define MOST_NUMBERS (1u << 30)
#define MIN_STORE ((size_t)1 << 20)
#define MIN_VISITED ((size_t)1 << 17) /* entries: snapshots can be dropped and rebuilt, what was visited can't */

_Noreturn void ssi_panic(const char *what) {
    SSI_SYSCALL(SYS_write, 2, "statespace engine: ", 19);
    SSI_SYSCALL(SYS_write, 2, what, strlen(what));
    SSI_SYSCALL(SYS_write, 2, "\n", 1);
    for (;;) SSI_SYSCALL(SYS_exit_group, 70);
}

int ssi_fail(ss_arena *arena, int error, const char *text) {
    ssi_text out = ssi_text_on(arena->error, sizeof arena->error);
    ssi_text_add(&out, text);
    return error;
}

void ssi_populate(void *at, size_t bytes) {
    /* An optimisation only: older kernels fault the pages in one by one. */
    SSI_SYSCALL(SYS_madvise, at, bytes, MADV_POPULATE_WRITE);
}

/* Lays sections out one after the other; with base NULL it only adds up. */
typedef struct layout {
    uint8_t *base;
    size_t used;
} layout;

static void *section(layout *l, size_t bytes) {
    void *at = l->base ? l->base + l->used : NULL;
    size_t room = (bytes + SS_PAGE - 1) / SS_PAGE * SS_PAGE + SSI_ASAN_GAP;
    if (at) ssi_asan_poison((uint8_t *)at + bytes, room - bytes);
    l->used += room;
    return at;
}

static uint32_t power_of_two(uint64_t at_least) {
    uint32_t n = 1024;
    while (n < at_least) n *= 2;
    return n;
}

static uint32_t at_most(uint64_t n, uint32_t most) { return n < most ? (uint32_t)n : most; }

static size_t lay_out(ss_arena *header, uint8_t *base, size_t store_bytes) {
    layout l = {base, 0};
    section(&l, sizeof(ss_arena));
    header->path = section(&l, sizeof(uint32_t) * SS_MAX_PATH);
    header->forced = section(&l, sizeof(uint32_t) * SS_MAX_SCHEDULE);
    header->forced_labels = section(&l, sizeof(uint64_t) * SS_MAX_SCHEDULE);
    header->outbox = section(&l, SS_OUTBOX_BYTES);
    header->donors = section(&l, sizeof(ssi_donor) * SS_MAX_THREADS);
    section(&l, SS_PAGE); /* guard below the agent's stack, see ss_arena_create */
    uint8_t *stack = section(&l, SSI_AGENT_STACK);
    header->agent_lo = (uintptr_t)stack;
    header->agent_hi = (uintptr_t)stack + SSI_AGENT_STACK;
    header->signal_stack = section(&l, SSI_SIGNAL_STACK);
    header->tracked.runs = section(&l, sizeof(struct ssi_scan_run) * SSI_SCAN_RUNS);
    header->regions = section(&l, sizeof(ss_region) * SSI_MAX_REGIONS);
    header->states = section(&l, sizeof(ss_state) * SSI_MAX_STATES);
    header->kernel_states = section(&l, sizeof(ssi_kernel_state) * SSI_MAX_STATES);
    header->state_next = section(&l, sizeof(uint32_t) * SSI_MAX_STATES);

    ssi_store *s = &header->store;
    s->slots = (uint32_t)(store_bytes / SS_PAGE) + 1 + SSI_STORE_BEYOND;
    s->data = section(&l, (size_t)s->slots * SS_PAGE);
    s->slot_next = section(&l, sizeof(uint32_t) * s->slots);
    s->n_units = at_most(store_bytes / SSI_UNIT + 1, MOST_NUMBERS);
    s->units = section(&l, (size_t)s->n_units * SSI_UNIT);
    s->unit_next = section(&l, sizeof(uint32_t) * s->n_units);
    s->unpacked = section(&l, sizeof(ssi_unpacked) * SSI_UNPACKED);
    s->capacity = s->slots + at_most(store_bytes / SHORT_PAGE, MOST_NUMBERS);
    s->at = section(&l, sizeof(uint32_t) * s->capacity);
    s->body = section(&l, sizeof(ssi_body) * s->capacity);
    s->marks = section(&l, sizeof(uint64_t) * (s->capacity / 64 + 1));
    s->hash = section(&l, sizeof(ssi_hash128) * s->capacity);
    s->serial = section(&l, sizeof(uint64_t) * s->capacity);
    s->ref = section(&l, sizeof(uint32_t) * s->capacity);
    s->next = section(&l, sizeof(uint32_t) * s->capacity);
    s->bucket_mask = power_of_two(s->slots) - 1;
    s->buckets = section(&l, sizeof(uint32_t) * ((size_t)s->bucket_mask + 1));

    ssi_forest *f = &header->forest;
    f->capacity = (uint32_t)(store_bytes / sizeof(ssi_node)) + 1;
    f->nodes = section(&l, sizeof(ssi_node) * f->capacity);
    f->hash = section(&l, sizeof(uint64_t) * f->capacity);
    f->ref = section(&l, sizeof(uint32_t) * f->capacity);
    f->next = section(&l, sizeof(uint32_t) * f->capacity);
    f->level = section(&l, f->capacity);
    f->bucket_mask = power_of_two(f->capacity / 4) - 1;
    f->buckets = section(&l, sizeof(uint32_t) * ((size_t)f->bucket_mask + 1));

    header->notes = section(&l, SSI_NOTES_BYTES);
    header->visited_mask = power_of_two(store_bytes / 256 > MIN_VISITED ? store_bytes / 256 : MIN_VISITED) - 1;
    header->visited = section(&l, sizeof(ssi_visit) * ((size_t)header->visited_mask + 1));
    header->edges = section(&l, sizeof(ssi_edge) * ((size_t)header->visited_mask + 1));
    header->scratch = section(&l, SSI_SCRATCH_BYTES);
    return l.used;
}

/* All arenas of this process, inherited by its children. Ordinary memory. */
static ss_arena *arenas;

int ssi_is_arena_memory(uintptr_t lo, uintptr_t hi) {
    for (const ss_arena *a = arenas; a; a = a->next_arena)
        if (lo >= (uintptr_t)a && hi <= (uintptr_t)a + a->bytes) return 1;
    return 0;
}

static void start_empty(ss_arena *arena) {
    arena->turn = SSI_TURN_AGENT; /* until ss_begin is done */
    arena->state_fresh = 0;
    arena->state_free = SS_NONE;
    arena->store.fresh = arena->store.slot_fresh = arena->store.unit_fresh = arena->forest.fresh = 1;
    arena->store.body[0].form = SSI_FIXED;
    arena->store.next_serial = 1;
    arena->tracked.pagemap = arena->tracked.uffd = arena->tracked.clear_refs = -1;
    arena->last_state = arena->last_visit = SS_NONE;
}

int ss_arena_create(size_t store_bytes, ss_arena **out) {
    if (!out || store_bytes < MIN_STORE || store_bytes / sizeof(ssi_node) >= SS_NONE / 2 || !ssi_hash_is_set()) return -EINVAL;
    ss_arena header = {0};
    size_t bytes = lay_out(&header, NULL, store_bytes);
    long at = SSI_SYSCALL(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at < 0 && at > -4096) return -ENOMEM;
    ss_arena *arena = (ss_arena *)at;
    lay_out(arena, (uint8_t *)at, store_bytes);
    SSI_SYSCALL(SYS_mprotect, arena->agent_lo - SS_PAGE, SS_PAGE, PROT_NONE);
    SSI_SYSCALL(SYS_madvise, arena, bytes, MADV_DONTDUMP);
    arena->magic = MAGIC;
    arena->bytes = bytes;
    arena->store_bytes = store_bytes;
    arena->visited_epoch = 1;
    start_empty(arena);
    arena->next_arena = arenas;
    arenas = arena;
    *out = arena;
    return 0;
}

int ss_arena_destroy(ss_arena *arena) {
    if (!arena || arena->magic != MAGIC) return -EINVAL;
    ssi_frozen_end(arena);
    arena->magic = 0;
    for (ss_arena **link = &arenas; *link; link = &(*link)->next_arena)
        if (*link == arena) {
            *link = arena->next_arena;
            break;
        }
    ssi_asan_unpoison(arena, arena->bytes);
    return (int)SSI_SYSCALL(SYS_munmap, arena, arena->bytes);
}

int ss_arena_reset(ss_arena *arena) {
    if (!arena || arena->magic != MAGIC) return -EINVAL;
    ssi_frozen_end(arena);
    size_t bytes = arena->bytes, store_bytes = arena->store_bytes;
    ss_statistics statistics = arena->statistics;
    uint32_t used = arena->visited_used, epoch = arena->visited_epoch, lost = arena->edges_lost, n_edges = arena->n_edges;
    uint32_t known = arena->n_states_known, ending = arena->n_states_ending;
    uint32_t without = arena->without;
    ss_arena *next = arena->next_arena;
    /* Punching holes zeroes the memory and gives it back; the visited table and the edges stay. */
    uint8_t *lo = (uint8_t *)arena, *keep = (uint8_t *)arena->visited, *rest = arena->scratch, *stack = (uint8_t *)arena->agent_lo;
    SSI_SYSCALL(SYS_madvise, lo, stack - SS_PAGE - lo, MADV_REMOVE);
    SSI_SYSCALL(SYS_madvise, stack, keep - stack, MADV_REMOVE);
    SSI_SYSCALL(SYS_madvise, rest, lo + bytes - rest, MADV_REMOVE);
    memset(arena, 0, sizeof *arena);
    lay_out(arena, (uint8_t *)arena, store_bytes);
    arena->magic = MAGIC;
    arena->bytes = bytes;
    arena->store_bytes = store_bytes;
    arena->statistics = statistics;
    arena->visited_used = used;
    arena->visited_epoch = epoch;
    arena->n_edges = n_edges;
    arena->edges_lost = lost;
    arena->n_states_known = known;
    arena->n_states_ending = ending;
    arena->without = without;
    arena->next_arena = next;
    start_empty(arena);
    return 0;
}

void *ss_scratch_alloc(ss_arena *arena, size_t bytes) {
    uint64_t rounded = (bytes + 63) / 64 * 64;
    uint64_t at = arena->scratch_used;
    if (bytes > SSI_SCRATCH_BYTES || rounded > SSI_SCRATCH_BYTES - at) return NULL;
    arena->scratch_used = at + rounded;
    return arena->scratch + at;
}

int ss_do_without(ss_arena *arena, uint32_t without) {
    if (arena->begun) return -EBUSY;
    arena->without = without;
    return 0;
}

const char *ss_last_error(ss_arena *arena) { return arena->error; }
