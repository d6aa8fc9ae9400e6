/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ validate.c — walks everything in the arena and counts it again.            │
 * │                                                                            │
 * │ For tests and diagnosis: slow, and the only place that knows all rules.    │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include <sys/mman.h>

#include "engine_internal.h"
#include "syscall.h"

typedef struct counts {
    uint32_t *pages, *nodes;      /* references found */
    uint8_t *on_free_list;
    uint8_t *slots, *units; /* how often met: in use, or on a free list */
    uint32_t slots_used, units_used, packed;
    _Alignas(64) uint8_t content[SS_PAGE];
} counts;

static int bad(ss_arena *arena, const char *what, uint32_t number) {
    ssi_text text = ssi_text_on(arena->error, sizeof arena->error);
    ssi_text_add(&text, what);
    ssi_text_add(&text, ": ");
    ssi_text_add_number(&text, number);
    return -EINVAL;
}

static void *zeroed(size_t bytes) {
    long at = SSI_SYSCALL(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at < 0 && at > -4096 ? NULL : (void *)at;
}

static int count_references(ss_arena *arena, counts *c) {
    const ssi_forest *f = &arena->forest;
    for (uint32_t i = 0; i < arena->state_fresh; i++) {
        const ss_state *s = ss_get_state(arena, i);
        if (!s || s->root == SS_NONE) continue;
        if (s->root >= f->fresh) return bad(arena, "root of a state is no node", i);
        c->nodes[s->root]++;
    }
    if (arena->tracker) {
        c->nodes[arena->current]++;
        c->nodes[arena->base]++;
        c->nodes[arena->held]++;
    }
    for (uint32_t i = 0; arena->frozen.pages && i < arena->tracked.n_pages; i++)
        if (arena->frozen.pages[i] > 1) c->pages[arena->frozen.pages[i] - 1]++;
    for (uint32_t page = 1; page < arena->store.fresh; page++)
        if (arena->store.ref[page] && arena->store.body[page].form == SSI_PACKED) {
            uint32_t reference = arena->store.body[page].reference;
            if (reference >= arena->store.fresh) return bad(arena, "reference out of range of packed page", page);
            if (reference) c->pages[reference]++;
        }
    for (uint32_t node = 1; node < f->fresh; node++) {
        if (!f->ref[node]) continue;
        for (uint32_t i = 0; i < SSI_FANOUT; i++) {
            uint32_t child = f->nodes[node].slot[i];
            if (!f->level[node] && child & SSI_BASE_PAGE) continue;
            if (child >= (f->level[node] ? f->fresh : arena->store.fresh)) return bad(arena, "slot out of range in node", node);
            if (!child) continue;
            if (!f->level[node])
                c->pages[child]++;
            else if (f->level[child] != f->level[node] - 1)
                return bad(arena, "child of the wrong level in node", node);
            else
                c->nodes[child]++;
        }
    }
    return 0;
}

/* Where the content of a page lies; puts it into c->content. */
static int check_body(ss_arena *arena, counts *c, uint32_t page) {
    const ssi_store *s = &arena->store;
    const ssi_body *body = &s->body[page];
    if ((body->form == SSI_PACKED) != (s->at[page] >= SSI_IN_UNITS)) return bad(arena, "packed or not is page", page);
    if (body->form != SSI_PACKED) {
        uint32_t slot = s->at[page];
        if (!slot || slot >= s->slot_fresh || c->slots[slot]++) return bad(arena, "no slot of its own has page", page);
        c->slots_used++;
        memcpy(c->content, ssi_slot_at(s, slot), SS_PAGE);
        return 0;
    }
    c->packed++;
    if (s->body[body->reference].form != SSI_FIXED || (body->reference && !s->ref[body->reference]))
        return bad(arena, "put together from one that may change is page", page);
    uint32_t n = 0;
    for (uint32_t unit = ssi_first_unit(s, page); unit; unit = s->unit_next[unit], n++)
        if (unit >= s->unit_fresh || c->units[unit]++) return bad(arena, "broken chain of units of page", page);
    if (!n || n >= SS_PAGE / SSI_UNIT) return bad(arena, "wrong number of units of page", page);
    c->units_used += n;
    uint32_t bytes = ssi_page_put_together(arena, page, c->content);
    if ((bytes + SSI_UNIT - 1) / SSI_UNIT != n) return bad(arena, "units and code differ in length of page", page);
    const ssi_unpacked *known = &s->unpacked[page % SSI_UNPACKED];
    if (known->serial == s->serial[page] && memcmp(known->content, c->content, SS_PAGE)) return bad(arena, "wrongly put together: page", page);
    return 0;
}

static int check_room(ss_arena *arena, counts *c) {
    const ssi_store *s = &arena->store;
    uint32_t free_slots = 0, free_units = 0;
    if (c->slots_used != s->slots_live || c->units_used != s->units_live) return bad(arena, "wrong number of slots or units", s->units_live);
    if (c->packed != s->packed) return bad(arena, "wrong number of packed pages", s->packed);
    for (uint32_t slot = s->slot_free; slot; slot = s->slot_next[slot], free_slots++)
        if (slot >= s->slot_fresh || c->slots[slot]++) return bad(arena, "free list of slots is broken at", slot);
    for (uint32_t unit = s->unit_free; unit; unit = s->unit_next[unit], free_units++)
        if (unit >= s->unit_fresh || c->units[unit]++) return bad(arena, "free list of units is broken at", unit);
    if (c->slots_used + free_slots + 1 != s->slot_fresh) return bad(arena, "lost slots", s->slot_fresh);
    if (c->units_used + free_units + 1 != s->unit_fresh) return bad(arena, "lost units", s->unit_fresh);
    return 0;
}

/* Called where the hashes agree. */
static int is_same(const ss_arena *arena, uint32_t other, const uint8_t *content) {
    uint8_t its[SS_PAGE];
    if (arena->store.body[other].form != SSI_PACKED)
        return !memcmp(ssi_slot_at(&arena->store, arena->store.at[other]), content, SS_PAGE);
    ssi_page_put_together(arena, other, its);
    return !memcmp(its, content, SS_PAGE);
}

static int check_pages(ss_arena *arena, counts *c) {
    const ssi_store *s = &arena->store;
    uint32_t live = 0;
    for (uint32_t page = s->free_head; page; page = s->next[page]) {
        if (page >= s->fresh || c->on_free_list[page]++) return bad(arena, "free list of pages is broken at", page);
        if (s->ref[page]) return bad(arena, "free page has references", page);
    }
    for (uint32_t page = 1; page < s->fresh; page++) {
        if (s->ref[page] != c->pages[page]) return bad(arena, "wrong reference count of page", page);
        if (!s->ref[page]) {
            if (!c->on_free_list[page]) return bad(arena, "lost page", page);
            continue;
        }
        live++;
        int rc = check_body(arena, c, page);
        if (rc) return rc;
        const uint8_t *data = c->content;
        ssi_hash128 hash = arena->without & SS_WITHOUT_MERGING ? s->hash[page] : ssi_hash128_of(data, SS_PAGE);
        if (hash.low != s->hash[page].low || hash.high != s->hash[page].high) return bad(arena, "content changed of page", page);
        if (ssi_page_is_zero(data)) return bad(arena, "stored page of zeroes", page);
        int chained = 0;
        for (uint32_t other = s->buckets[hash.low & s->bucket_mask]; other; other = s->next[other]) {
            chained |= other == page;
            if (other != page && s->hash[other].low == hash.low && s->hash[other].high == hash.high && is_same(arena, other, data))
                return bad(arena, "stored twice: page", page);
        }
        if (!chained) return bad(arena, "not in its bucket: page", page);
    }
    if (!ssi_page_is_zero(s->data)) return bad(arena, "zero page was written", 0);
    return live == s->live ? check_room(arena, c) : bad(arena, "wrong number of live pages", s->live);
}

static int check_nodes(ss_arena *arena, counts *c) {
    const ssi_forest *f = &arena->forest;
    uint32_t live = 0;
    memset(c->on_free_list, 0, f->fresh);
    for (uint32_t node = f->free_head; node; node = f->next[node]) {
        if (node >= f->fresh || c->on_free_list[node]++) return bad(arena, "free list of nodes is broken at", node);
        if (f->ref[node]) return bad(arena, "free node has references", node);
    }
    for (uint32_t node = 1; node < f->fresh; node++) {
        if (f->ref[node] != c->nodes[node]) return bad(arena, "wrong reference count of node", node);
        if (!f->ref[node]) {
            if (!c->on_free_list[node]) return bad(arena, "lost node", node);
            continue;
        }
        live++;
        int chained = 0;
        for (uint32_t other = f->buckets[f->hash[node] & f->bucket_mask]; other; other = f->next[other]) {
            chained |= other == node;
            if (other != node && f->level[other] == f->level[node] &&
                !memcmp(f->nodes[other].slot, f->nodes[node].slot, sizeof(ssi_node)))
                return bad(arena, "interned twice: node", node);
        }
        if (!chained) return bad(arena, "not in its bucket: node", node);
    }
    for (uint32_t i = 0; i < SSI_FANOUT; i++)
        if (f->nodes[0].slot[i]) return bad(arena, "node 0 was written at slot", i);
    return live == f->live ? 0 : bad(arena, "wrong number of live nodes", f->live);
}

static int check_states(ss_arena *arena) {
    uint32_t live = 0, steps = 0;
    for (uint32_t i = 0; i < arena->state_fresh; i++) live += ss_get_state(arena, i) != NULL;
    if (live != arena->state_live) return bad(arena, "wrong number of live states", arena->state_live);
    for (uint32_t i = arena->state_free; i != SS_NONE; i = arena->state_next[i])
        if (i >= arena->state_fresh || ++steps > arena->state_fresh) return bad(arena, "free list of states is broken at", i);
    if (live + steps != arena->state_fresh) return bad(arena, "states were lost", arena->state_fresh - live - steps);
    uint32_t used = 0;
    for (uint32_t i = 0; i <= arena->visited_mask && used <= arena->visited_used; i++) used += arena->visited[i].used;
    return used == arena->visited_used ? 0 : bad(arena, "wrong number of visited entries", arena->visited_used);
}

int ss_arena_is_valid(ss_arena *arena) {
    if (atomic_load(&arena->mutating)) return bad(arena, "the child died while it changed the store", 0);
    size_t pages = arena->store.fresh * sizeof(uint32_t), nodes = arena->forest.fresh * sizeof(uint32_t);
    size_t slots = arena->store.slot_fresh, units = arena->store.unit_fresh;
    size_t bytes = pages + nodes + slots + units + arena->store.fresh + arena->forest.fresh;
    uint8_t *at = zeroed(bytes);
    if (!at) return bad(arena, "no memory to count references", 0);
    counts c = {.pages = (uint32_t *)at, .nodes = (uint32_t *)(at + pages), .slots = at + pages + nodes, .units = at + pages + nodes + slots};
    c.on_free_list = c.units + units;
    int rc = check_states(arena);
    if (!rc) rc = count_references(arena, &c);
    if (!rc) rc = check_pages(arena, &c);
    if (!rc) rc = check_nodes(arena, &c);
    SSI_SYSCALL(SYS_munmap, at, bytes);
    return rc;
}
