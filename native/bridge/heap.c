/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ heap.c — Python's three allocators on one region at a fixed address.       │
 * │                                                                            │
 * │ Why not keep pymalloc: the fingerprint must know start, size and domain of │
 * │ every block made while exploring, and new blocks must never share a page   │
 * │ with objects of the base state.                                            │
 * │                                                                            │
 * │ The allocator has no memory of its past: which block comes next is a       │
 * │ function of which blocks are live (lowest free block of the lowest run     │
 * │ with room; an empty run is given back at once; freed bytes are zeroed).    │
 * │ Two interleavings that leave the same blocks alive leave the same heap, so │
 * │ a fingerprint that contains the addresses of live blocks decides every     │
 * │ later address too. Each simulated thread allocates from its own slice, so  │
 * │ what others do meanwhile does not move its objects.                        │
 * │                                                                            │
 * │ Layout: units of 1 KiB, runs of 16. Blocks up to 1 KiB share a run of one  │
 * │ size class (multiples of 16); larger ones take whole runs. At the start of │
 * │ a slice a unit is a run: few objects of many sizes lie in few pages, and   │
 * │ it is pages that checkpoints cost. Where a run begins and ends follows     │
 * │ from its address, so the bookkeeping has no memory of its past either. It  │
 * │ lies in ordinary memory and rewinds with everything else.                  │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "heap.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define UNIT_BYTES 1024u
#define RUN_UNITS 16u
#define RUN_BYTES (RUN_UNITS * UNIT_BYTES)
#define NURSERY 32u /* units at the start of a slice that are runs of their own */
#define BASE_UNITS 4096u /* most have room in them for all blocks that are there before the exploration */
#define GRANULE 16u
#define UNIT_GRANULES (UNIT_BYTES / GRANULE)
#define SMALL_MAX 1024u
#define CLASSES (SMALL_MAX / GRANULE + 1)
#define SLICES SS_MAX_THREADS
#define NOBODY_HAS ((size_t)1 << 42) /* a request this large fails everywhere: that MemoryError is the program's own */

typedef struct unit {
    /* of the first unit of a run; a large block has such a unit in each of its runs */
    uint32_t block_bytes; /* 0: free, or not the first */
    uint32_t first;       /* of the run, or of the large block: what follows is told by that one */
    uint32_t span;        /* units it takes */
    uint32_t n_blocks, n_used;
    uint32_t next;        /* next run of this class and slice, ascending; 0 ends */
    /* of each: the two bits of the domain (0: free) of 64 blocks of the run */
    uint64_t state[2];
} unit;

_Static_assert(UNIT_GRANULES == 64, "a unit has one word for the blocks that may begin in it");

typedef struct slice {
    uint32_t lo, hi;           /* units [lo, hi) */
    uint32_t nursery;          /* units [lo, nursery) are runs of their own */
    uint32_t floor;            /* units below it hold blocks of the base state: kept for ever */
    uint32_t end;              /* no unit at or above it was ever used */
    uint32_t first[CLASSES];   /* ascending list of runs of a class */
    uint32_t room[CLASSES];    /* no run of the list before it has room */
} slice;

typedef struct heap_tables {
    slice slices[SLICES];
    uint32_t n_slices;
    uint32_t main_units, part; /* slice 0 has units [RUN_UNITS, main_units), each other one `part` units */
    uint32_t overflowed; /* a slice was full and borrowed from another */
    unit units[];
} heap_tables;

static heap_tables *tables;
static size_t tables_bytes, heap_bytes;
static int switched_on;
static uint32_t all_new_from; /* the first unit handed out after ssb_heap_seal, if only the first slice was used before; else 0 */
static uintptr_t brk_lo, brk_hi;
static PyMemAllocatorEx base_allocator[3];

static inline uintptr_t unit_address(uint32_t u) { return SSB_HEAP_BASE + (uintptr_t)u * UNIT_BYTES; }
static inline uint32_t unit_of(uintptr_t a) { return (uint32_t)((a - SSB_HEAP_BASE) / UNIT_BYTES); }

/* The first unit of the run or large block that this unit belongs to; 0 if it is free. */
static uint32_t first_of(uint32_t u)
{
    const unit *units = tables->units;
    uint32_t head = units[u].block_bytes ? u : u - u % RUN_UNITS, first = units[head].first;
    return units[head].block_bytes && u < first + units[first].span ? first : 0;
}

int ssb_heap_contains(uintptr_t address) { return address - SSB_HEAP_BASE < heap_bytes; }
size_t ssb_heap_bytes(void) { return heap_bytes; }
int ssb_heap_is_on(void) { return switched_on; }
int ssb_heap_overflowed(void) { return tables && tables->overflowed; }

void ssb_heap_tables(uintptr_t *lo, uintptr_t *hi)
{
    *lo = (uintptr_t)tables;
    *hi = *lo + tables_bytes;
}

static uint32_t slice_of(uint32_t u)
{
    if (u < tables->main_units)
        return 0;
    uint32_t s = 1 + (u - tables->main_units) / tables->part;
    return s < tables->n_slices ? s : tables->n_slices - 1;
}

int ssb_heap_is_new(uintptr_t address)
{
    if (!ssb_heap_contains(address))
        return 0;
    uint32_t u = unit_of(address);
    return all_new_from ? u >= all_new_from : u >= tables->slices[slice_of(u)].floor;
}

/* Nothing below `lo`, where a run begins, is handed out any more. */
static void begin_slice(slice *s, uint32_t lo)
{
    s->lo = s->end = lo;
    s->nursery = lo + NURSERY < s->hi ? lo + NURSERY : s->hi;
    memset(s->first, 0, sizeof s->first);
    memset(s->room, 0, sizeof s->room);
}

/* Where new blocks begin. What is there before the exploration differs by a few blocks between children of one process, and
 * programs that look at addresses must see the same ones in all of them: one may have to repeat what another found. */
static uint32_t first_new(const slice *s)
{
    uint32_t far = (s->end + BASE_UNITS - 1) / BASE_UNITS * BASE_UNITS;
    return s->end == s->lo || far > s->hi / 2 ? (s->end + RUN_UNITS - 1) / RUN_UNITS * RUN_UNITS : far;
}

void ssb_heap_seal(void)
{
    for (uint32_t i = 0; i < tables->n_slices; i++) {
        slice *s = &tables->slices[i];
        int used = s->end > s->lo;
        begin_slice(s, first_new(s));
        s->floor = s->lo;
        if (!i)
            all_new_from = s->lo;
        else if (used)
            all_new_from = 0;
    }
}

static inline int domain_at(uint32_t first, uint32_t i)
{
    const uint64_t *state = tables->units[first + i / 64].state;
    return (int)(state[0] >> (i % 64) & 1) | (int)(state[1] >> (i % 64) & 1) << 1;
}

static inline void set_domain(uint32_t first, uint32_t i, int domain)
{
    uint64_t bit = 1ull << (i % 64), *state = tables->units[first + i / 64].state;
    state[0] = (state[0] & ~bit) | (domain & 1 ? bit : 0);
    state[1] = (state[1] & ~bit) | (domain & 2 ? bit : 0);
}

/* The lowest unit that is free and a run of its own, or 0. */
static uint32_t take_unit_of(slice *s)
{
    for (uint32_t u = s->lo; u < s->nursery; u++)
        if (!tables->units[u].block_bytes) {
            if (u >= s->end)
                s->end = u + 1;
            return u;
        }
    return 0;
}

/* Lowest place for k free runs in a row, or 0 (unit 0 is never used). */
static uint32_t take_runs_of(slice *s, uint32_t k)
{
    uint32_t row = 0;
    for (uint32_t u = s->nursery; u + RUN_UNITS <= s->hi; u += RUN_UNITS) {
        if (u < s->end && tables->units[u].block_bytes) {
            row = 0;
            continue;
        }
        if (u >= s->end && u + (uint64_t)(k - row) * RUN_UNITS > s->hi)
            return 0;
        if (++row == k || u >= s->end) {
            uint32_t lo = u - (row - 1) * RUN_UNITS;
            if (lo + k * RUN_UNITS > s->end)
                s->end = lo + k * RUN_UNITS;
            return lo;
        }
    }
    return 0;
}

/* The program might have got this memory without us: that is no MemoryError of its own. */
static void heap_is_full(void)
{
    if (ssb.engine)
        ssb.engine->end_path(ssb.arena, SS_END_MEMORY, "the heap of the simulated threads is full");
}

/* k runs for slice s; when it is full, from another one (states are not merged after that). */
static uint32_t take_runs(uint32_t s, uint32_t k)
{
    uint32_t u = take_runs_of(&tables->slices[s], k);
    for (uint32_t other = 0; !u && other < tables->n_slices; other++) {
        u = take_runs_of(&tables->slices[other], k);
        if (u)
            tables->overflowed = 1;
    }
    if (!u)
        heap_is_full();
    return u;
}

static void link_run(slice *s, uint32_t class, uint32_t u)
{
    uint32_t *link = &s->first[class];
    while (*link && *link < u)
        link = &tables->units[*link].next;
    tables->units[u].next = *link;
    *link = u;
    if (!s->room[class] || u < s->room[class])
        s->room[class] = u;
}

static void unlink_run(slice *s, uint32_t class, uint32_t u)
{
    uint32_t *link = &s->first[class];
    while (*link != u)
        link = &tables->units[*link].next;
    *link = tables->units[u].next;
    if (s->room[class] == u)
        s->room[class] = tables->units[u].next;
}

static uint32_t new_run(uint32_t index, uint32_t class)
{
    uint32_t u = take_unit_of(&tables->slices[index]), span = u ? 1 : RUN_UNITS;
    if (!u)
        u = take_runs(index, 1);
    if (!u)
        return 0;
    unit *fresh = &tables->units[u];
    fresh->block_bytes = class * GRANULE;
    fresh->first = u;
    fresh->span = span;
    fresh->n_blocks = span * UNIT_BYTES / fresh->block_bytes;
    /* A borrowed run belongs to the list of the slice it lies in. */
    link_run(&tables->slices[slice_of(u)], class, u);
    return u;
}

static uint32_t with_room(uint32_t u)
{
    while (u && tables->units[u].n_used == tables->units[u].n_blocks)
        u = tables->units[u].next;
    return u;
}

static void *allocate_small(size_t n, int domain)
{
    uint32_t class = (uint32_t)((n + GRANULE - 1) / GRANULE);
    uint32_t index = ssb.current < tables->n_slices ? ssb.current : 0;
    slice *s = &tables->slices[index];
    uint32_t u = s->room[class] = with_room(s->room[class]);
    for (uint32_t other = 0; !u && tables->overflowed && other < tables->n_slices; other++)
        u = with_room(tables->slices[other].room[class]);
    if (!u)
        u = new_run(index, class);
    if (!u)
        return NULL;
    unit *in = &tables->units[u];
    for (uint32_t w = 0; w < in->span; w++) {
        uint64_t used = in[w].state[0] | in[w].state[1];
        if (used == ~0ull)
            continue;
        uint32_t i = w * 64 + (uint32_t)__builtin_ctzll(~used);
        if (i >= in->n_blocks)
            break;
        set_domain(u, i, domain);
        in->n_used++;
        return (void *)(unit_address(u) + (uintptr_t)i * in->block_bytes);
    }
    Py_FatalError("pytest-statespace: a heap run is inconsistent");
}

static void *allocate_large(size_t n, int domain)
{
    if (n >= NOBODY_HAS)
        return NULL;
    if (n >= heap_bytes) {
        heap_is_full();
        return NULL;
    }
    uint32_t k = (uint32_t)((n + RUN_BYTES - 1) / RUN_BYTES);
    uint32_t index = ssb.current < tables->n_slices ? ssb.current : 0;
    uint32_t lo = take_runs(index, k);
    if (!lo)
        return NULL;
    for (uint32_t i = 0; i < k; i++)
        tables->units[lo + i * RUN_UNITS] = (unit){.block_bytes = k * RUN_BYTES, .first = lo};
    tables->units[lo].span = k * RUN_UNITS;
    tables->units[lo].n_blocks = tables->units[lo].n_used = 1;
    set_domain(lo, 0, domain);
    return (void *)unit_address(lo);
}

static void *allocate(size_t n, int domain)
{
    if (!n)
        n = 1;
    return n <= SMALL_MAX ? allocate_small(n, domain) : allocate_large(n, domain);
}

int ssb_heap_find(uintptr_t address, uintptr_t *start, uint32_t *size)
{
    if (!ssb_heap_contains(address))
        return 0;
    uint32_t first = first_of(unit_of(address));
    if (!first)
        return 0;
    const unit *in = &tables->units[first];
    uint32_t i = (uint32_t)((address - unit_address(first)) / in->block_bytes);
    if (i >= in->n_blocks)
        return 0;
    *start = unit_address(first) + (uintptr_t)i * in->block_bytes;
    *size = in->block_bytes;
    return domain_at(first, i);
}

static void release(void *p)
{
    uintptr_t a = (uintptr_t)p;
    uint32_t first = first_of(unit_of(a));
    unit *in = &tables->units[first];
    slice *s = &tables->slices[slice_of(first)];
    if (first < s->floor)
        return; /* a block of the base state: its address must not be used again */
    memset(p, 0, in->block_bytes);
    set_domain(first, (uint32_t)(a - unit_address(first)) / in->block_bytes, 0);
    if (in->block_bytes >= RUN_BYTES) {
        for (uint32_t i = in->span; i > 0; i -= RUN_UNITS)
            tables->units[first + i - RUN_UNITS] = (unit){0};
        return;
    }
    uint32_t class = in->block_bytes / GRANULE;
    if (--in->n_used == 0) {
        unlink_run(s, class, first);
        *in = (unit){0};
    } else if (!s->room[class] || first < s->room[class]) {
        s->room[class] = first;
    }
}

static int each_of_run(uint32_t first, ssb_heap_visitor visit, void *user)
{
    const unit *in = &tables->units[first];
    for (uint32_t w = 0; w < in->span && w * 64 < in->n_blocks; w++)
        for (uint64_t used = in[w].state[0] | in[w].state[1]; used; used &= used - 1) {
            uint32_t i = w * 64 + (uint32_t)__builtin_ctzll(used);
            int stop = visit(user, unit_address(first) + (uintptr_t)i * in->block_bytes, in->block_bytes, domain_at(first, i));
            if (stop)
                return stop;
        }
    return 0;
}

int ssb_heap_each(ssb_heap_visitor visit, void *user)
{
    for (uint32_t i = 0; i < tables->n_slices; i++) {
        const slice *s = &tables->slices[i];
        for (uint32_t u = s->lo; u < s->end; u += u < s->nursery ? 1 : RUN_UNITS) {
            int stop = tables->units[u].n_used ? each_of_run(u, visit, user) : 0;
            if (stop)
                return stop;
        }
    }
    return 0;
}

/* ---- blocks of the base state ------------------------------------------------ */

/* Bytes that may be copied out of a base block. Pools of pymalloc are 16 KiB and
 * begin with a 48-byte header: arena number at 32, size class at 36. */
static size_t base_block_bytes(void *p)
{
    uintptr_t a = (uintptr_t)p;
    if (a >= brk_lo && a < brk_hi)
        return malloc_usable_size(p);
    uintptr_t pool = a & ~(uintptr_t)0x3fff;
    uint32_t arena = *(uint32_t *)(pool + 32), class = *(uint32_t *)(pool + 36);
    size_t bytes = ((size_t)class + 1) * GRANULE;
    int pooled = class < 32 && arena < 4096 && a >= pool + 48 && (a - pool - 48) % bytes == 0;
    int mapped = (a & 0xfff) == 16 && (((size_t *)p)[-1] & 7) == 2;
    return pooled && !(mapped && (a & 0x3fff) == 16) ? bytes : malloc_usable_size(p);
}

/* ---- the allocators Python calls ----------------------------------------------- */

static void *heap_malloc(void *context, size_t n)
{
    intptr_t d = (intptr_t)context;
    return switched_on ? allocate(n, (int)d + 1) : base_allocator[d].malloc(base_allocator[d].ctx, n);
}

static void *heap_calloc(void *context, size_t count, size_t n)
{
    intptr_t d = (intptr_t)context;
    if (!switched_on)
        return base_allocator[d].calloc(base_allocator[d].ctx, count, n);
    size_t bytes;
    return __builtin_mul_overflow(count, n, &bytes) ? NULL : allocate(bytes, (int)d + 1);
}

static void heap_free(void *context, void *p)
{
    intptr_t d = (intptr_t)context;
    if (!p)
        return;
    if (ssb_heap_contains((uintptr_t)p))
        release(p);
    else if (!switched_on) /* afterwards base blocks stay: their addresses must not be used again */
        base_allocator[d].free(base_allocator[d].ctx, p);
}

static void *heap_realloc(void *context, void *p, size_t n)
{
    intptr_t d = (intptr_t)context;
    if (!p)
        return heap_malloc(context, n);
    size_t have;
    if (ssb_heap_contains((uintptr_t)p)) {
        uintptr_t start;
        uint32_t bytes;
        ssb_heap_find((uintptr_t)p, &start, &bytes);
        have = bytes;
        if (n > SMALL_MAX && have > SMALL_MAX && n <= have && n > have / 2)
            return p;
        if (n && n <= SMALL_MAX && have == (n + GRANULE - 1) / GRANULE * GRANULE) {
            memset((char *)p + n, 0, have - n);
            return p;
        }
    } else if (!switched_on) {
        return base_allocator[d].realloc(base_allocator[d].ctx, p, n);
    } else {
        have = base_block_bytes(p);
    }
    void *moved = allocate(n, (int)d + 1);
    if (!moved)
        return NULL;
    memcpy(moved, p, n < have ? n : have);
    if (ssb_heap_contains((uintptr_t)p))
        release(p);
    return moved;
}

/* Frame stacks of new threads come from the arena allocator. */
static PyObjectArenaAllocator base_arena_allocator;

static void *arena_allocate(void *context, size_t n)
{
    (void)context;
    return switched_on ? allocate(n, 1) : base_arena_allocator.alloc(base_arena_allocator.ctx, n);
}

static void arena_release(void *context, void *p, size_t n)
{
    (void)context;
    if (ssb_heap_contains((uintptr_t)p))
        release(p);
    else if (!switched_on)
        base_arena_allocator.free(base_arena_allocator.ctx, p, n);
}

int ssb_heap_install(size_t bytes)
{
    uint32_t n_units = (uint32_t)(bytes / UNIT_BYTES);
    uint32_t n_threads = ssb.max_threads > 1 && ssb.max_threads <= SLICES ? ssb.max_threads : SLICES;
    if (tables)
        return -EALREADY;
    if (n_units < 2 * NURSERY * n_threads)
        return -EINVAL; /* less than 64 KiB a thread */
    void *region = mmap((void *)SSB_HEAP_BASE, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (region != (void *)SSB_HEAP_BASE) {
        int error = region == MAP_FAILED ? errno : EEXIST;
        if (region != MAP_FAILED)
            munmap(region, bytes);
        return -error;
    }
    size_t wanted = sizeof(heap_tables) + (size_t)n_units * sizeof(unit);
    void *meta = mmap(NULL, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (meta == MAP_FAILED) {
        munmap(region, bytes);
        return -ENOMEM;
    }
    madvise(region, bytes, MADV_NOHUGEPAGE);
    madvise(meta, wanted, MADV_NOHUGEPAGE);
    tables = meta;
    tables_bytes = wanted;
    heap_bytes = bytes;
    /* The main thread sets up most data: half for it, the rest in equal parts. */
    uint32_t main_units = n_units / 2 / RUN_UNITS * RUN_UNITS;
    uint32_t part = (n_units - main_units) / (n_threads - 1) / RUN_UNITS * RUN_UNITS;
    tables->n_slices = n_threads;
    tables->main_units = main_units;
    tables->part = part;
    for (uint32_t s = 0; s < n_threads; s++) {
        tables->slices[s].hi = s ? main_units + s * part : main_units;
        begin_slice(&tables->slices[s], s ? main_units + (s - 1) * part : RUN_UNITS);
    }
    for (intptr_t d = 0; d < 3; d++) {
        PyMemAllocatorEx ours = {(void *)d, heap_malloc, heap_calloc, heap_realloc, heap_free};
        PyMem_GetAllocator((PyMemAllocatorDomain)d, &base_allocator[d]);
        PyMem_SetAllocator((PyMemAllocatorDomain)d, &ours);
    }
    PyObjectArenaAllocator arena = {NULL, arena_allocate, arena_release};
    PyObject_GetArenaAllocator(&base_arena_allocator);
    PyObject_SetArenaAllocator(&arena);
    return 0;
}

void ssb_heap_switch_on(void)
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long lo, hi;
        if (strstr(line, "[heap]") && sscanf(line, "%lx-%lx", &lo, &hi) == 2) {
            brk_lo = brk_lo ? brk_lo : lo;
            brk_hi = hi;
        }
    }
    if (maps)
        fclose(maps);
    switched_on = 1;
}

int ssb_tune_malloc(size_t brk_bytes)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, 0x7fffffff);
    void *grown = malloc(brk_bytes);
    if (!grown)
        return -ENOMEM;
    free(grown);
    return 0;
}
