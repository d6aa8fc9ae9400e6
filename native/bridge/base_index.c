/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ base_index.c — everything that existed when the exploration began.         │
 * │                                                                            │
 * │ A process has some hundred thousand objects, and a search asks for a few   │
 * │ hundred of them. So as little as possible is noted of each: that there is  │
 * │ one (a bit for every eight bytes of memory), and two bytes that say of     │
 * │ what kind. How many bits are set below an address is the object's number.  │
 * │ A record of its own is made when it is first asked for; its memory and its │
 * │ content are then looked up in the frozen copy, where everything still is   │
 * │ as it was (base_memory.c, base_hash.c). base_walk.c finds the objects.     │
 * │                                                                            │
 * │ The index only helps to explain changes: memory that is not in it is       │
 * │ compared as raw words.                                                     │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "base_index.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

/* ---- arrays that grow ---------------------------------------------------------------- */

#define GROWS_BY ((size_t)1 << 18)

/* Memory that is about to be filled: in one go, not by a fault for each page. */
static void *filled_soon(void *at, size_t bytes)
{
    uintptr_t lo = ((uintptr_t)at + SS_PAGE - 1) & ~(uintptr_t)(SS_PAGE - 1), hi = ((uintptr_t)at + bytes) & ~(uintptr_t)(SS_PAGE - 1);
    if (lo < hi)
        madvise((void *)lo, hi - lo, MADV_POPULATE_WRITE); /* where it fails it is only slower */
    return at;
}

void *ssbf_grow(ssbf_growing *array, size_t bytes)
{
    while (array->size - array->used < bytes) {
        size_t size = array->size ? 2 * array->size : GROWS_BY;
        void *at = array->size ? mremap(array->at, array->size, size, MREMAP_MAYMOVE)
                               : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED)
            return NULL;
        filled_soon((char *)at + array->size, size - array->size);
        array->at = at;
        array->size = size;
    }
    array->used += bytes;
    return array->at + array->used - bytes;
}

void ssbf_release(ssbf_growing *array)
{
    if (array->size)
        munmap(array->at, array->size);
    *array = (ssbf_growing){0};
}

/* ---- bits ---------------------------------------------------------------------------- */

#define LEAST_SLOTS 1024u

static ssbf_chunk **slot_of(uintptr_t number)
{
    uint32_t i = (uint32_t)(number * 0x9E3779B97F4A7C15ull >> 40) & ssbf->slot_mask;
    while (ssbf->slots[i] && ssbf->slots[i]->number != number)
        i = (i + 1) & ssbf->slot_mask;
    return &ssbf->slots[i];
}

static void make_slots(uint32_t n)
{
    ssbf->slot_mask = n - 1;
    ssbf->slots = ssb_scratch(n * sizeof *ssbf->slots);
    for (uint32_t i = 0; i < ssbf->n_chunks; i++)
        *slot_of(ssbf->chunks[i]->number) = ssbf->chunks[i];
}

static ssbf_chunk *add_chunk(uintptr_t number)
{
    if (ssbf->n_chunks == SSBF_CHUNKS)
        return NULL;
    if (!ssbf->slots || ssbf->n_chunks > ssbf->slot_mask / 2)
        make_slots(ssbf->slots ? 2 * (ssbf->slot_mask + 1) : LEAST_SLOTS);
    ssbf_chunk *chunk = ssb_scratch(sizeof *chunk);
    chunk->number = number;
    ssbf->chunks[ssbf->n_chunks++] = chunk;
    return *slot_of(number) = chunk;
}

/* Memory of the table that was never written is not even read: that would make the kernel provide it. */
static inline int is_used(const ssbf_chunk *chunk, uint32_t w) { return chunk->used >> (w / (SSBF_CHUNK_WORDS / 64)) & 1; }

static inline uint32_t word_of(uintptr_t address) { return (uint32_t)(address >> 9) & (SSBF_CHUNK_WORDS - 1); }
static inline uint64_t bit_of(uintptr_t address) { return 1ull << (address >> 3 & 63); }

static ssbf_chunk *last; /* marked in: neighbours refer to one another */

int ssbf_mark(uintptr_t address)
{
    uintptr_t number = address / SSBF_CHUNK_BYTES;
    if (!address || address & 7)
        return 0;
    if (!last || last->number != number) {
        last = ssbf->slots ? *slot_of(number) : NULL;
        if (!last && !(last = add_chunk(number)))
            return -1;
    }
    uint64_t *word = &last->bits[word_of(address)], bit = bit_of(address);
    if (*word & bit)
        return 0;
    *word |= bit;
    last->used |= 1ull << (word_of(address) / (SSBF_CHUNK_WORDS / 64));
    return 1;
}

static void sort_chunks(void)
{
    ssbf_chunk **c = ssbf->chunks;
    for (uint32_t gap = ssbf->n_chunks / 2; gap; gap /= 2)
        for (uint32_t i = gap; i < ssbf->n_chunks; i++) {
            ssbf_chunk *chunk = c[i];
            uint32_t j = i;
            for (; j >= gap && c[j - gap]->number > chunk->number; j -= gap)
                c[j] = c[j - gap];
            c[j] = chunk;
        }
}

/* Without the instruction for it, which not every x86-64 processor has, the compiler calls a function with a table. */
static inline uint32_t count_bits(uint64_t bits)
{
    bits -= bits >> 1 & 0x5555555555555555u;
    bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
    bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (uint32_t)(bits * 0x0101010101010101u >> 56);
}

void ssbf_number_objects(void)
{
    sort_chunks();
    uint32_t n = 0;
    for (uint32_t i = 0; i < ssbf->n_chunks; i++)
        for (uint32_t r = 0; r < SSBF_RANKS; r++) {
            ssbf_chunk *chunk = ssbf->chunks[i];
            chunk->rank[r] = n;
            for (uint32_t w = 0; is_used(chunk, r * SSBF_RANK_WORDS) && w < SSBF_RANK_WORDS; w++)
                n += count_bits(chunk->bits[r * SSBF_RANK_WORDS + w]);
        }
    ssbf->n_objects = n;
}

/* ---- lookup ------------------------------------------------------------------------ */

#define RECENT_BITS 12

/* Objects that were asked for lately: the index does not change any more, a state asks for the same ones again and again,
 * and to find one takes three reads that the processor's caches seldom have. In the arena; NULL until the index is complete. */
static struct recent {
    uintptr_t address;
    int number;
} *recent;

static int look_up(uintptr_t address)
{
    const ssbf_chunk *chunk = address & 7 ? NULL : *slot_of(address / SSBF_CHUNK_BYTES);
    uint32_t w = word_of(address), first = w / SSBF_RANK_WORDS * SSBF_RANK_WORDS;
    if (!chunk || !is_used(chunk, w) || !(chunk->bits[w] & bit_of(address)))
        return -1;
    int n = (int)chunk->rank[w / SSBF_RANK_WORDS];
    for (uint32_t before = first; before < w; before++)
        n += (int)count_bits(chunk->bits[before]);
    return n + (int)count_bits(chunk->bits[w] & (bit_of(address) - 1));
}

int ssbf_find_object(uintptr_t address)
{
    if (!recent || ssbf->afresh)
        return look_up(address);
    struct recent *known = &recent[address * 0x9E3779B97F4A7C15ull >> (64 - RECENT_BITS)];
    if (known->address == address && address)
        return known->number;
    int number = look_up(address);
    if (number >= 0)
        *known = (struct recent){address, number};
    return number;
}

uintptr_t ssbf_address_of(uint32_t b)
{
    uint32_t lo = 0, hi = ssbf->n_chunks - 1;
    while (lo < hi) { /* the last chunk that begins with b or less */
        uint32_t middle = (lo + hi + 1) / 2;
        if (ssbf->chunks[middle]->rank[0] <= b)
            lo = middle;
        else
            hi = middle - 1;
    }
    const ssbf_chunk *chunk = ssbf->chunks[lo];
    lo = 0;
    hi = SSBF_RANKS - 1;
    while (lo < hi) {
        uint32_t middle = (lo + hi + 1) / 2;
        if (chunk->rank[middle] <= b)
            lo = middle;
        else
            hi = middle - 1;
    }
    uint32_t w = lo * SSBF_RANK_WORDS, left = b - chunk->rank[lo];
    for (uint32_t n; (n = count_bits(chunk->bits[w])) <= left; w++)
        left -= n;
    uint64_t bits = chunk->bits[w];
    while (left--)
        bits &= bits - 1;
    return chunk->number * SSBF_CHUNK_BYTES + w * 512 + (uintptr_t)__builtin_ctzll(bits) * 8;
}

uintptr_t ssbf_next_object(uintptr_t from, uintptr_t end)
{
    for (uintptr_t at = (from + 7) & ~(uintptr_t)7; at < end; at = (at | 511) + 1) {
        const ssbf_chunk *chunk = *slot_of(at / SSBF_CHUNK_BYTES);
        if (!chunk) {
            at |= SSBF_CHUNK_BYTES - 1;
            continue;
        }
        uint64_t bits = is_used(chunk, word_of(at)) ? chunk->bits[word_of(at)] & ~(bit_of(at) - 1) : 0;
        if (!bits)
            continue;
        uintptr_t found = (at & ~(uintptr_t)511) + (uintptr_t)__builtin_ctzll(bits) * 8;
        return found < end ? found : 0;
    }
    return 0;
}

uint32_t ssbf_kind_of(uint32_t b, const PyObject *o)
{
    const PyTypeObject *t = Py_TYPE(o);
    int may_be_atom = t == &PyUnicode_Type || t == &PyLong_Type || t == &PyComplex_Type || t == &PyBytes_Type;
    return may_be_atom && !(ssbf->kinds[b] & SSBF_UNREADY) ? ssbf->kinds[b] | SSBF_ATOM : ssbf->kinds[b];
}

ssbf_object *ssbf_meet(uint32_t b)
{
    ssbf_object *entry = &ssbf->objects[b];
    entry->object = (PyObject *)ssbf_address_of(b);
    entry->flags = ssbf_kind_of(b, entry->object) & SSBF_KINDS;
    return entry;
}

int ssbf_is_type(PyTypeObject *t)
{
    uintptr_t address = (uintptr_t)t, start;
    uint32_t bytes;
    for (int depth = 0; depth < 8; depth++) {
        if (address < 65536 || address & 7 || address >> 47)
            return 0;
        if (!ssb_heap_is_new(address)) {
            int b = ssbf_find_object(address);
            if (b < 0 || !(ssbf->kinds[b] & SSBF_TYPE))
                return 0;
            return depth == 0 || (((PyTypeObject *)address)->tp_flags & Py_TPFLAGS_TYPE_SUBCLASS) != 0;
        }
        if (ssb_heap_find(address, &start, &bytes) != 3 || address - start != SSB_GC_HEADER || bytes < sizeof(PyHeapTypeObject))
            return 0;
        if (depth && !(((PyTypeObject *)address)->tp_flags & Py_TPFLAGS_TYPE_SUBCLASS))
            return 0;
        address = (uintptr_t)Py_TYPE((PyObject *)address); /* a class is an object whose type is a metaclass */
    }
    return 0;
}

int ssbf_index_build(void)
{
    PyThreadState *ts = PyThreadState_Get();
    last = NULL;
    recent = NULL;
    ssbf->chunks = ssb_scratch(SSBF_CHUNKS * sizeof *ssbf->chunks);
    if (ssbf_walk_base())
        return -1;
    ssbf->objects = ssb_scratch((size_t)ssbf->n_objects * sizeof *ssbf->objects);
    ssbf->candidates = ssb_scratch((size_t)ssbf->n_objects * sizeof *ssbf->candidates);
    ssbf->base_frame = ssb_thread_frame(ts);
    ssbf->base_entry = ssb_thread_entry(ts);
    ssbf->base_tstate = ts;
    ssbf->newest_interpreter = PyInterpreterState_Head();
    recent = ssb_scratch(sizeof *recent << RECENT_BITS);
    return 0;
}

#endif
