/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ pages.c — from changed pages to changed objects.                           │
 * │                                                                            │
 * │ What a page says about changes against the base state (owners of changed   │
 * │ words, and changed words nobody owns) depends on its content only. It is   │
 * │ kept with the serial of the stored page, so a page number that is used     │
 * │ again is never mistaken. What all pages say together is kept for the state │
 * │ that was looked at last; the next one differs from it in few pages, and    │
 * │ only those are taken back and entered again.                               │
 * │                                                                            │
 * │ ssbf_collect_afresh says the same without anything remembered.             │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>

#define WORDS (SS_PAGE / sizeof(uint64_t))
#define POOL_WORDS (1u << 23)
#define PAGES (1u << 16) /* power of two: page contents remembered */
#define MAPS (1u << 14)  /* pages whose words' owners are remembered */

#define ZEROES UINT64_MAX /* version of a page that has become zero; serials begin at 1 */

/* What is remembered of the owner of a word. */
enum { UNKNOWN = 0, SILENT_WORD = 1, NOBODY = 2, COUNT = 3 /* perhaps a reference count */, OWNER = 4 /* + number of the object */ };

/* What was found out about a page's content: where in the pool the owners are, then the numbers of words nobody owns. */
typedef struct finding {
    uint32_t first;
    uint16_t n_owners, n_words;
} finding;

typedef struct analysed {
    uint64_t serial;
    uint32_t page_index;
    finding found;
} analysed;

/* One page of the state that was looked at last. */
typedef struct place {
    uint32_t base_page; /* valid once it was met */
    uint32_t map;       /* number + 1 of its owner map, 0: none */
    finding found;
    uint8_t met, silent; /* silent: nothing in it is ever reported */
} place;

typedef struct change {
    uint32_t page_index, page;
} change;

/* A set of numbers that is read in ascending order. */
typedef struct bits {
    uint64_t *words, *summary; /* a bit of the summary: is that word not 0? */
    uint32_t n_summary;
} bits;

static struct {
    place *places;
    uint64_t *versions; /* of their contents: serials, 0 as in the base state */
    uint32_t n_places;
    change *changes;   /* between two states */
    uint32_t *unknown; /* pages that were never met before */
    uint32_t n_changes, n_unknown;
    uint32_t root; /* the state that was looked at last */
    const ss_region *region; /* where memory was asked for last */
    analysed *known; /* open hash, replaced on collision */
    uint32_t *pool;
    uint32_t n_pool;
    uint32_t *maps, n_maps;
    uint32_t *named; /* by base object: how often the pages name it */
    bits changed, loose; /* objects named at all; pages with words nobody owns */
    bits afresh;         /* as changed, with nothing remembered */
    int full;
} *p;

/* ---- sets of numbers, read in ascending order ----------------------------------------- */

static int make_bits(bits *set, uint32_t n)
{
    set->n_summary = n / 4096 + 1;
    set->words = ssb.engine->scratch_alloc(ssb.arena, (size_t)set->n_summary * 64 * sizeof(uint64_t));
    set->summary = ssb.engine->scratch_alloc(ssb.arena, (size_t)set->n_summary * sizeof(uint64_t));
    return set->words && set->summary ? 0 : -1;
}

static void set_bit(bits *set, uint32_t n)
{
    set->words[n / 64] |= 1ull << (n % 64);
    set->summary[n / 4096] |= 1ull << (n / 64 % 64);
}

static void clear_bit(bits *set, uint32_t n)
{
    set->words[n / 64] &= ~(1ull << (n % 64));
    if (!set->words[n / 64])
        set->summary[n / 4096] &= ~(1ull << (n / 64 % 64));
}

static void clear_bits(bits *set)
{
    memset(set->words, 0, (size_t)set->n_summary * 64 * sizeof(uint64_t));
    memset(set->summary, 0, (size_t)set->n_summary * sizeof(uint64_t));
}

#define EACH_BIT(set, n)                                                                                             \
    for (uint32_t s_ = 0; s_ < (set)->n_summary; s_++)                                                              \
        for (uint64_t above_ = (set)->summary[s_]; above_; above_ &= above_ - 1)                                    \
            for (uint64_t word_ = (set)->words[s_ * 64 + (uint32_t)__builtin_ctzll(above_)]; word_; word_ &= word_ - 1) \
                for (uint32_t n = (s_ * 64 + (uint32_t)__builtin_ctzll(above_)) * 64 + (uint32_t)__builtin_ctzll(word_), \
                              once_ = 1; once_; once_ = 0)

/* ---- owners of words -------------------------------------------------------------------- */

static int is_small(uint64_t n) { return n >> 40 == 0; }

static uint32_t owner_of(uint32_t page_index, uintptr_t at, const uint64_t *base, uint32_t i)
{
    if (ssbf_is_masked(at))
        return SILENT_WORD;
    int32_t owner = ssbf_owner(page_index, i);
    if (owner != SSBF_NOBODY)
        return owner == SSBF_SILENT ? SILENT_WORD : OWNER + (uint32_t)owner;
    if (ssbf_is_noisy(at))
        return SILENT_WORD;
    return i + 1 < WORDS && base[i] && is_small(base[i]) && ssbf_is_type((PyTypeObject *)base[i + 1]) ? COUNT : NOBODY;
}

/* Owners and words of one page; map may be NULL. `found` has room for WORDS owners and then WORDS words. */
static finding look(uint32_t page_index, uintptr_t address, const uint64_t *now, const uint64_t *base, uint32_t *map, uint32_t *found)
{
    uint16_t words[WORDS];
    finding f = {0, 0, 0};
    uint32_t last = UNKNOWN;
    for (uint32_t line = 0; line < WORDS; line += 8) {
        uint64_t differs = 0;
        for (uint32_t i = line; i < line + 8; i++)
            differs |= now[i] ^ base[i];
        if (!differs)
            continue;
        for (uint32_t i = line; i < line + 8; i++) {
            if (now[i] == base[i])
                continue;
            uint32_t owner = map ? map[i] : UNKNOWN;
            if (owner == UNKNOWN) {
                owner = owner_of(page_index, address + i * sizeof(uint64_t), base, i);
                if (map)
                    map[i] = owner;
            }
            /* A reference count of an object that is not in the index comes before its type. The object may have died:
             * only caches of the interpreter held it. */
            if (owner == NOBODY || (owner == COUNT && !(is_small(now[i]) && now[i + 1] == base[i + 1]))) {
                words[f.n_words++] = (uint16_t)i;
            } else if (owner >= OWNER && owner != last) {
                found[f.n_owners++] = owner - OWNER;
                last = owner;
            }
        }
    }
    for (uint32_t i = 0; i < f.n_words; i++)
        found[f.n_owners + i] = words[i];
    return f;
}

static uint32_t *map_of(place *at)
{
    if (!at->map && p->n_maps < MAPS)
        at->map = ++p->n_maps;
    return at->map ? p->maps + (size_t)(at->map - 1) * WORDS : NULL;
}

static finding analyse(place *at, uint32_t page_index, uint32_t page)
{
    uint64_t serial = p->versions[page_index];
    analysed *entry = &p->known[((serial << 20) + page_index) * 0x9E3779B97F4A7C15ull >> 48];
    if (entry->serial == serial && entry->page_index == page_index)
        return entry->found;
    const uint64_t *now = (const uint64_t *)ssb.engine->page_data(ssb.arena, page);
    const uint64_t *base = (const uint64_t *)ssb.engine->page_data(ssb.arena, at->base_page);
    finding f = look(page_index, ssb.engine->page_address(ssb.arena, page_index), now, base, map_of(at), p->pool + p->n_pool);
    f.first = p->n_pool;
    p->n_pool += f.n_owners + f.n_words;
    *entry = (analysed){serial, page_index, f};
    return f;
}

/* ---- the state that was looked at last ------------------------------------------------------ */

static void take_back(const place *at, uint32_t page_index)
{
    for (uint32_t i = 0; i < at->found.n_owners; i++) {
        uint32_t b = p->pool[at->found.first + i];
        if (--p->named[b] == 0)
            clear_bit(&p->changed, b);
    }
    if (at->found.n_words)
        clear_bit(&p->loose, page_index);
}

static void enter(const place *at, uint32_t page_index)
{
    for (uint32_t i = 0; i < at->found.n_owners; i++) {
        uint32_t b = p->pool[at->found.first + i];
        if (p->named[b]++ == 0)
            set_bit(&p->changed, b);
    }
    if (at->found.n_words)
        set_bit(&p->loose, page_index);
}

static int note_change(void *user, uint32_t page_index, uint32_t before, uint32_t page)
{
    (void)user;
    place *at = &p->places[page_index];
    if (!at->met) {
        uintptr_t address = ssb.engine->page_address(ssb.arena, page_index);
        at->met = 1;
        at->base_page = before; /* the first state that is compared with is the base state */
        at->silent = ssb_heap_is_new(address) || ssbf_is_masked_all(address, address + SS_PAGE);
        if (!at->silent)
            p->unknown[p->n_unknown++] = page_index;
    }
    p->versions[page_index] = page == at->base_page ? 0 : page ? ssb.engine->page_serial(ssb.arena, page) : ZEROES;
    if (!at->silent)
        p->changes[p->n_changes++] = (change){page_index, page};
    return 0;
}

static void take_changes_in(void)
{
    for (uint32_t i = 0; i < p->n_changes; i++) {
        uint32_t page_index = p->changes[i].page_index, page = p->changes[i].page;
        place *at = &p->places[page_index];
        if (p->n_pool + 2 * WORDS > POOL_WORDS) {
            p->full = 1;
            return;
        }
        take_back(at, page_index);
        at->found = page == at->base_page ? (finding){0, 0, 0} : analyse(at, page_index, page);
        enter(at, page_index);
    }
}

/* The next state is compared with the base state again. */
static void forget(void)
{
    memset(p->versions, 0, (size_t)p->n_places * sizeof *p->versions);
    for (uint32_t i = 0; i < p->n_places; i++)
        p->places[i].found = (finding){0, 0, 0};
    memset(p->known, 0, (size_t)PAGES * sizeof *p->known);
    memset(p->named, 0, (size_t)ssbf->n_objects * sizeof *p->named);
    clear_bits(&p->changed);
    clear_bits(&p->loose);
    p->n_pool = 0;
    p->full = 0;
    p->root = ssb.engine->base_root(ssb.arena);
}

/* Where memory lies is known only now. */
static int allocate_places(void)
{
    p->n_places = ssbf->n_pages;
    p->places = ssb.engine->scratch_alloc(ssb.arena, (size_t)p->n_places * sizeof *p->places);
    p->versions = ssb.engine->scratch_alloc(ssb.arena, (size_t)p->n_places * sizeof *p->versions);
    p->changes = ssb.engine->scratch_alloc(ssb.arena, (size_t)p->n_places * sizeof *p->changes);
    p->unknown = ssb.engine->scratch_alloc(ssb.arena, (size_t)p->n_places * sizeof *p->unknown);
    if (!p->places || !p->versions || !p->changes || !p->unknown || make_bits(&p->loose, p->n_places))
        return -1;
    p->root = ssb.engine->base_root(ssb.arena);
    return 0;
}

int ssbf_collect_changes(uint32_t root)
{
    if (!p->places && allocate_places())
        return -1;
    for (int attempt = 0;; attempt++) {
        p->n_changes = p->n_unknown = 0;
        ssb.engine->tree_diff(ssb.arena, p->root, root, note_change, NULL);
        ssbf_pages_describe(p->unknown, p->n_unknown);
        take_changes_in();
        if (!p->full)
            break;
        forget();
        if (attempt) { /* this state alone fills the pool */
            ssb.engine->root_hold(ssb.arena, 0);
            return -1;
        }
    }
    p->root = root;
    ssb.engine->root_hold(ssb.arena, root);
    EACH_BIT(&p->changed, b)
        ssbf->candidates[ssbf->n_candidates++] = b;
    EACH_BIT(&p->loose, page_index) {
        const place *at = &p->places[page_index];
        uintptr_t address = ssb.engine->page_address(ssb.arena, page_index);
        for (uint32_t i = 0; i < at->found.n_words; i++) {
            if (ssbf->n_unexplained == SSBF_UNEXPLAINED) {
                ssbf_fail("too much memory of unknown meaning changed");
                return 0;
            }
            uint32_t word = p->pool[at->found.first + at->found.n_owners + i];
            ssbf->unexplained[ssbf->n_unexplained++] = address + word * sizeof(uint64_t);
        }
    }
    return 0;
}

/* ---- versions of pages ------------------------------------------------------------------------ */

uint32_t ssbf_page_index(uintptr_t address)
{
    const ss_region *r = p->region;
    if (!r || address < r->lo || address >= r->hi) {
        p->region = r = NULL;
        for (uint32_t i = 0; i < ssb.engine->region_count(ssb.arena) && !r; i++) {
            r = ssb.engine->get_region(ssb.arena, i);
            r = address >= r->lo && address < r->hi ? r : NULL;
        }
        if (!r)
            return SS_NONE;
        p->region = r;
    }
    return r->first_page + (uint32_t)((address - r->lo) / SS_PAGE);
}

uint64_t ssbf_page_version(uint32_t page_index) { return page_index < p->n_places ? p->versions[page_index] : 0; }

/* ---- with nothing remembered ------------------------------------------------------------------ */

static int visit_afresh(void *user, uint32_t page_index, uint32_t base_page, uint32_t page)
{
    (void)user;
    uint32_t found[2 * WORDS];
    uintptr_t address = ssb.engine->page_address(ssb.arena, page_index);
    if (ssb_heap_is_new(address) || ssbf_is_masked_all(address, address + SS_PAGE))
        return 0;
    finding f = look(page_index, address, (const uint64_t *)ssb.engine->page_data(ssb.arena, page),
                     (const uint64_t *)ssb.engine->page_data(ssb.arena, base_page), NULL, found);
    for (uint32_t i = 0; i < f.n_owners; i++)
        set_bit(&p->afresh, found[i]);
    for (uint32_t i = 0; i < f.n_words; i++) {
        if (ssbf->n_unexplained == SSBF_UNEXPLAINED) {
            ssbf_fail("too much memory of unknown meaning changed");
            return 0;
        }
        ssbf->unexplained[ssbf->n_unexplained++] = address + found[f.n_owners + i] * sizeof(uint64_t);
    }
    return 0;
}

int ssbf_collect_afresh(uint32_t root)
{
    if (!p->afresh.words && make_bits(&p->afresh, ssbf->n_objects))
        return -1;
    clear_bits(&p->afresh);
    ssb.engine->tree_diff(ssb.arena, ssb.engine->base_root(ssb.arena), root, visit_afresh, NULL);
    EACH_BIT(&p->afresh, b)
        ssbf->candidates[ssbf->n_candidates++] = b;
    return 0;
}

/* ---- preparation ---------------------------------------------------------------------------------- */

int ssbf_pages_prepare(void)
{
    p = ssb_scratch(sizeof *p);
    p->known = ssb_scratch((size_t)PAGES * sizeof *p->known);
    p->pool = ssb_scratch((size_t)POOL_WORDS * sizeof *p->pool);
    p->maps = ssb_scratch((size_t)MAPS * WORDS * sizeof *p->maps);
    p->named = ssb_scratch((size_t)ssbf->n_objects * sizeof *p->named);
    return make_bits(&p->changed, ssbf->n_objects);
}

#endif
