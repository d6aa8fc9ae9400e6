/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ pages.c — from changed pages to changed objects.                           │
 * │                                                                            │
 * │ Each stored page is compared with the base page once; what that said (the  │
 * │ owners of changed words, and changed words nobody owns) is kept with the   │
 * │ page's serial, so a page number that is used again is never mistaken.       │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>

#define WORDS (SS_PAGE / sizeof(uint64_t))
#define POOL_WORDS (1u << 23)
#define PAGES (1u << 18) /* power of two: pages remembered */

int ssbf_pages_prepare(void)
{
    ssbf->pages = ssb_scratch((size_t)PAGES * sizeof *ssbf->pages);
    ssbf->max_pool = POOL_WORDS;
    ssbf->pool = ssb_scratch((size_t)ssbf->max_pool * sizeof *ssbf->pool);
    return 0;
}

/* A reference count of an object that is not in the index: the word before a type pointer. It may have died:
 * only caches of the interpreter held it. */
static int is_reference_count(const uint64_t *now, const uint64_t *base, uint32_t i)
{
    return i + 1 < WORDS && now[i + 1] == base[i + 1] && now[i] >> 40 == 0 && base[i] >> 40 == 0 && base[i] &&
           ssbf_is_type((PyTypeObject *)now[i + 1]);
}

static void forget_pages(void)
{
    memset(ssbf->pages, 0, (size_t)PAGES * sizeof *ssbf->pages);
    ssbf->n_pool = 0;
}

static const ssbf_page *analyse(uint32_t page_index, uint32_t page, uint32_t base_page)
{
    uint64_t serial = ssb.engine->page_serial(ssb.arena, page) + 1;
    ssbf_page *entry = &ssbf->pages[((serial << 20) + page_index) * 0x9E3779B97F4A7C15ull >> 46];
    if (entry->serial == serial && entry->page_index == page_index)
        return entry;
    if (ssbf->n_pool + 2 * WORDS > ssbf->max_pool)
        forget_pages();
    const uint64_t *now = (const uint64_t *)ssb.engine->page_data(ssb.arena, page);
    const uint64_t *base = (const uint64_t *)ssb.engine->page_data(ssb.arena, base_page);
    uintptr_t address = ssb.engine->page_address(ssb.arena, page_index);
    uint32_t first = ssbf->n_pool, n_owners = 0, n_words = 0;
    uint16_t words[WORDS];
    int32_t last = -1;
    for (uint32_t i = 0; i < WORDS; i++) {
        uintptr_t at = address + i * sizeof(uint64_t);
        if (now[i] == base[i] || ssbf_is_masked(at))
            continue;
        const ssbf_block *block = ssbf_find_block(at);
        if (!block) {
            if (!is_reference_count(now, base, i) && !ssbf_is_noisy(at))
                words[n_words++] = (uint16_t)i;
        } else if (block->owner >= 0 && at - block->lo >= block->skipped && block->owner != last) {
            ssbf->pool[ssbf->n_pool++] = (uint32_t)(last = block->owner);
            n_owners++;
        }
    }
    for (uint32_t i = 0; i < n_words; i++)
        ssbf->pool[ssbf->n_pool++] = words[i];
    *entry = (ssbf_page){serial, page_index, first, n_owners, n_words};
    return entry;
}

static int visit_page(void *user, uint32_t page_index, uint32_t base_page, uint32_t page)
{
    (void)user;
    uintptr_t address = ssb.engine->page_address(ssb.arena, page_index);
    if (ssb_heap_is_new(address))
        return 0;
    const ssbf_page *entry = analyse(page_index, page, base_page);
    const uint32_t *found = ssbf->pool + entry->first;
    for (uint32_t i = 0; i < entry->n_owners; i++) {
        uint32_t b = found[i];
        if (!(ssbf->marks[b / 8] >> (b % 8) & 1)) {
            ssbf->marks[b / 8] |= (uint8_t)(1u << (b % 8));
            ssbf->candidates[ssbf->n_candidates++] = b;
        }
    }
    for (uint32_t i = 0; i < entry->n_words; i++) {
        if (ssbf->n_unexplained == SSBF_UNEXPLAINED) {
            ssbf_fail("too much memory of unknown meaning changed");
            return 0;
        }
        ssbf->unexplained[ssbf->n_unexplained++] = address + found[entry->n_owners + i] * sizeof(uint64_t);
    }
    return 0;
}

int ssbf_collect_changes(uint32_t root)
{
    return ssb.engine->tree_diff(ssb.arena, ssb.engine->base_root(ssb.arena), root, visit_page, NULL);
}

#endif
