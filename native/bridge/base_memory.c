/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ base_memory.c — whose memory a page of the base state was.                 │
 * │                                                                            │
 * │ An object's own memory follows from where it begins, its neighbours' too.  │
 * │ So that is found out for a page when the page first turns out changed, by  │
 * │ the frozen copy of the process, where the headers still are what they      │
 * │ were. Memory outside of objects (tables of dictionaries, items of lists)   │
 * │ and objects larger than half a page are in a list since the index was      │
 * │ built. Where there is no copy all pages are described at the start of the  │
 * │ first path, which is the base state too.                                   │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "base_index.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>

#define WORDS (SS_PAGE / sizeof(uint64_t))
#define MOST_BEFORE 64u /* bytes: what may lie in front of an object */
#define MOST_NEAR (4 * (SSBF_LARGE_BLOCK + SS_PAGE + MOST_BEFORE) / sizeof(uint64_t)) /* blocks at a page, four for each object */

/* ---- the list ------------------------------------------------------------------------- */

#define DIGIT 11

typedef struct sort_key {
    uint64_t key;
    uint32_t block;
} sort_key;

static void sort_keys(sort_key *keys, sort_key *spare, uint32_t n)
{
    for (int shift = 0; shift < 4 * DIGIT; shift += DIGIT) {
        uint32_t starts[1u << DIGIT] = {0}, next = 0;
        for (uint32_t i = 0; i < n; i++)
            starts[keys[i].key >> shift & ((1u << DIGIT) - 1)]++;
        for (uint32_t d = 0; d < 1u << DIGIT; d++) {
            uint32_t count = starts[d];
            starts[d] = next;
            next += count;
        }
        for (uint32_t i = 0; i < n; i++)
            spare[starts[keys[i].key >> shift & ((1u << DIGIT) - 1)]++] = keys[i];
        sort_key *swapped = keys;
        keys = spare;
        spare = swapped;
    }
}

int ssbf_sort_blocks(ssbf_block *blocks, uint32_t n)
{
    ssbf_growing room = {0};
    sort_key *keys = ssbf_grow(&room, (size_t)(n + 1) * (2 * sizeof *keys + sizeof *blocks)), *spare = keys + n + 1;
    if (!keys)
        return -1;
    ssbf_block *sorted = (ssbf_block *)(spare + n + 1);
    for (uint32_t i = 0; i < n; i++)
        keys[i] = (sort_key){blocks[i].lo >> 3, i};
    sort_keys(keys, spare, n); /* an even number of passes: the result is in the keys */
    for (uint32_t i = 0; i < n; i++) {
        ssbf_block block = blocks[keys[i].block];
        uint32_t at = i;
        for (; at && sorted[at - 1].lo > block.lo; at--) /* within one word */
            sorted[at] = sorted[at - 1];
        sorted[at] = block;
    }
    memcpy(blocks, sorted, (size_t)n * sizeof *blocks);
    ssbf_release(&room);
    return 0;
}

/* The first one that begins at `address` or above. */
static uint32_t first_block_at(uintptr_t address)
{
    uint32_t lo = 0, hi = ssbf->n_blocks;
    while (lo < hi) {
        uint32_t middle = (lo + hi) / 2;
        if (ssbf->blocks[middle].lo < address)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo;
}

/* ---- memory of one object ---------------------------------------------------------------- */

size_t ssbf_bytes_before(PyObject *o, size_t *in_front)
{
    PyTypeObject *t = Py_TYPE(o);
    int is_static_type = PyType_Check(o) && !(((PyTypeObject *)o)->tp_flags & Py_TPFLAGS_HEAPTYPE);
    int is_collected = !is_static_type && PyType_IS_GC(t) && PyObject_IS_GC(o);
    *in_front = is_collected ? ssb_type_header(t) : 0;
    return is_collected ? SSB_GC_HEADER : 0;
}

/* Blocks at a page, in the order of their beginnings. */
typedef struct near {
    ssbf_block blocks[MOST_NEAR];
    uint32_t n;
} near;

static void add_near(near *to, uintptr_t lo, uintptr_t hi, int32_t owner)
{
    if (lo >= hi)
        return;
    uint32_t at = to->n++; /* there is room: see MOST_NEAR */
    for (; at && to->blocks[at - 1].lo > lo; at--) /* what was added later lies inside */
        to->blocks[at] = to->blocks[at - 1];
    to->blocks[at] = (ssbf_block){lo, hi, owner};
}

static void add_object(near *to, uintptr_t address)
{
    PyObject *o = (PyObject *)address;
    uint32_t b = (uint32_t)ssbf_find_object(address), kind = ssbf_kind_of(b, o);
    int32_t owner = kind & (SSBF_ATOM | SSBF_CODE) ? SSBF_SILENT : (int32_t)b;
    size_t in_front, before = ssbf_bytes_before(o, &in_front), count = SSB_COUNT_BYTES;
    if (kind & SSBF_SUBCLASSES) { /* its memory is its type's, and in the list */
        add_near(to, address - SSB_GC_HEADER, address + count, SSBF_SILENT);
        return;
    }
    add_near(to, address - before - in_front, address - before, owner);
    add_near(to, address - before, address + count, SSBF_SILENT);
    if (before && ssbf_counts_as_finalized(o)) /* the collector's second word says whether it was */
        add_near(to, address - sizeof(uintptr_t), address, owner);
    add_near(to, address + count, address + (size_t)ssbf_object_bytes(o), owner);
}

/* ---- a page -------------------------------------------------------------------------------- */

static void paint(int32_t *owners, uintptr_t page, const ssbf_block *block)
{
    uintptr_t lo = block->lo > page ? block->lo - page : 0, hi = block->hi < page + SS_PAGE ? block->hi - page : SS_PAGE;
    if (block->hi <= page || block->lo >= page + SS_PAGE)
        return;
    for (uintptr_t i = (lo + 7) / 8; i * 8 < hi; i++)
        owners[i] = block->owner;
}

/* Memory must be that of the base state. */
static void owners_of_page(uintptr_t page, int32_t *owners)
{
    near found;
    found.n = 0;
    for (uint32_t i = 0; i < WORDS; i++)
        owners[i] = SSBF_NOBODY;
    uintptr_t end = page + SS_PAGE + MOST_BEFORE;
    for (uintptr_t o = page - SSBF_LARGE_BLOCK; (o = ssbf_next_object(o, end)); o += sizeof(uint64_t))
        add_object(&found, o);
    uint32_t next = 0, first = first_block_at(page);
    for (uint32_t back = 0; back < 3 && first; back++) /* blocks may lie inside one another */
        first--;
    for (uint32_t i = first; i < ssbf->n_blocks && ssbf->blocks[i].lo < page + SS_PAGE; i++) {
        while (next < found.n && found.blocks[next].lo <= ssbf->blocks[i].lo)
            paint(owners, page, &found.blocks[next++]);
        paint(owners, page, &ssbf->blocks[i]);
    }
    while (next < found.n)
        paint(owners, page, &found.blocks[next++]);
}

/* As few words as needed: a page is described once, and asked about rarely. */
static void describe(uint32_t page_index)
{
    int32_t owners[WORDS];
    ssbf_page *page = &ssbf->pages[page_index];
    if (page->known || ssbf->n_runs + WORDS > ssbf->max_runs)
        return;
    owners_of_page(ssb.engine->page_address(ssb.arena, page_index), owners);
    if (ssbf->expected_pages && ssbf->expected_pages[page_index] != ssb.engine->hash64(owners, sizeof owners))
        __builtin_trap(); /* the copy dies of it, and the child with it */
    page->first = ssbf->n_runs;
    for (uint32_t i = 0; i < WORDS; i++)
        if (!i || owners[i] != owners[i - 1])
            ssbf->runs[ssbf->n_runs++] = (ssbf_run){i, owners[i]};
    page->n = (uint16_t)(ssbf->n_runs - page->first);
    page->known = 1;
}

static void describe_wanted(void *unused)
{
    (void)unused;
    for (uint32_t i = 0; i < ssbf->n_wanted; i++)
        describe(ssbf->wanted[i]);
}

/* ---- questions --------------------------------------------------------------------------------- */

void ssbf_pages_make(void)
{
    for (uint32_t i = 0; i < ssb.engine->region_count(ssb.arena); i++) {
        const ss_region *r = ssb.engine->get_region(ssb.arena, i);
        uint32_t end = r->first_page + (uint32_t)((r->hi - r->lo) / SS_PAGE);
        ssbf->n_pages = end > ssbf->n_pages ? end : ssbf->n_pages;
    }
    ssbf->max_runs = 2 * ssbf->n_pages + 4 * ssbf->n_objects + 2 * ssbf->n_blocks + WORDS;
    ssbf->pages = ssb_scratch((size_t)ssbf->n_pages * sizeof *ssbf->pages);
    ssbf->runs = ssb_scratch((size_t)ssbf->max_runs * sizeof *ssbf->runs);
}

void ssbf_pages_describe(const uint32_t *pages, uint32_t n)
{
    ssbf->wanted = pages;
    ssbf->n_wanted = n;
    if (n)
        ssb.engine->in_frozen_copy(ssb.arena, describe_wanted, NULL); /* where there is none all are known */
}

void ssbf_pages_describe_all(void)
{
    for (uint32_t i = 0; i < ssb.engine->region_count(ssb.arena); i++) {
        const ss_region *r = ssb.engine->get_region(ssb.arena, i);
        for (uintptr_t at = r->lo; at < r->hi; at += SS_PAGE)
            if (!ssb_heap_is_new(at))
                describe(r->first_page + (uint32_t)((at - r->lo) / SS_PAGE));
    }
}

/* For tests: what the copy will find out is compared with what is true now. */
void ssbf_pages_expect(void)
{
    int32_t owners[WORDS];
    uint64_t *expected = ssb_scratch((size_t)ssbf->n_pages * sizeof *expected);
    for (uint32_t i = 0; i < ssb.engine->region_count(ssb.arena); i++) {
        const ss_region *r = ssb.engine->get_region(ssb.arena, i);
        for (uintptr_t at = r->lo; at < r->hi; at += SS_PAGE) {
            owners_of_page(at, owners);
            expected[r->first_page + (uint32_t)((at - r->lo) / SS_PAGE)] = ssb.engine->hash64(owners, sizeof owners);
        }
    }
    ssbf->expected_pages = expected;
}

int32_t ssbf_owner(uint32_t page_index, uint32_t word)
{
    const ssbf_page *page = &ssbf->pages[page_index];
    if (!page->known)
        ssbf_pages_describe(&page_index, 1);
    if (!page->known) {
        ssbf_fail("too much memory changed to tell whose it was");
        return SSBF_NOBODY;
    }
    const ssbf_run *runs = ssbf->runs + page->first;
    uint32_t lo = 0, hi = page->n - 1u;
    while (lo < hi) { /* the last run that begins there or before */
        uint32_t middle = (lo + hi + 1) / 2;
        if (runs[middle].word <= word)
            lo = middle;
        else
            hi = middle - 1;
    }
    return runs[lo].owner;
}

int32_t ssbf_owner_now(uintptr_t address)
{
    int32_t owners[WORDS];
    owners_of_page(address & ~(uintptr_t)(SS_PAGE - 1), owners);
    return owners[address % SS_PAGE / sizeof(uint64_t)];
}

#endif
