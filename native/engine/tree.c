/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ tree.c — a snapshot is one number: the root of a hash-consed radix tree.   │
 * │                                                                            │
 * │ Fan-out 64, leaves hold page numbers. Nodes are interned like pages (by a  │
 * │ 64-bit hash and then memcmp), so equal memory has an equal root, k changed │
 * │ pages make O(k) new nodes, and a difference descends only where the trees  │
 * │ differ. A subtree of zero pages is number 0. All trees of an arena have    │
 * │ the same number of levels; a node's level is part of its identity, since   │
 * │ slots of a leaf count pages and those above count nodes.                   │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "engine_internal.h"

#define POPULATE_NODES 1024u

uint32_t ssi_tree_levels(uint32_t n_pages) {
    uint32_t levels = 1;
    for (uint64_t covered = SSI_FANOUT; covered < n_pages; covered *= SSI_FANOUT) levels++;
    return levels;
}

static uint64_t hash_of(const uint32_t *slots, uint32_t level) {
    return ssi_hash64(slots, sizeof(ssi_node)) + level * UINT64_C(0x9e3779b97f4a7c15);
}

static uint32_t take_number(ss_arena *arena) {
    ssi_forest *f = &arena->forest;
    if (ssi_stored_bytes(arena) + sizeof(ssi_node) > arena->store_bytes) return SS_NONE;
    uint32_t node = f->free_head;
    if (node) {
        f->free_head = f->next[node];
        return node;
    }
    if (f->fresh == f->capacity) return SS_NONE;
    if (f->fresh >= f->populated) {
        uint32_t n = f->capacity - f->fresh < POPULATE_NODES ? f->capacity - f->fresh : POPULATE_NODES;
        uintptr_t lo = (uintptr_t)&f->nodes[f->fresh] & ~(uintptr_t)(SS_PAGE - 1);
        ssi_populate((void *)lo, (uintptr_t)&f->nodes[f->fresh + n] - lo);
        f->populated = f->fresh + n;
    }
    return f->fresh++;
}

/* One reference to the node with these slots; the node has references of its
 * own to them. SS_NONE when there is no room. */
static uint32_t intern(ss_arena *arena, const uint32_t *slots, uint32_t level) {
    ssi_forest *f = &arena->forest;
    uint32_t any = 0;
    for (uint32_t i = 0; i < SSI_FANOUT; i++) any |= slots[i];
    if (!any) return 0;
    uint64_t hash = hash_of(slots, level);
    uint32_t *bucket = &f->buckets[hash & f->bucket_mask];
    for (uint32_t node = *bucket; node; node = f->next[node])
        if (f->hash[node] == hash && f->level[node] == level && !memcmp(f->nodes[node].slot, slots, sizeof(ssi_node))) {
            f->ref[node]++;
            return node;
        }
    uint32_t node = take_number(arena);
    if (node == SS_NONE) return SS_NONE;
    memcpy(f->nodes[node].slot, slots, sizeof(ssi_node));
    uint32_t *refs = level ? f->ref : arena->store.ref;
    for (uint32_t i = 0; i < SSI_FANOUT; i++) /* number 0 is counted too, and means nothing */
        if (!(slots[i] & SSI_BASE_PAGE)) refs[slots[i]]++;
    f->hash[node] = hash;
    f->level[node] = (uint8_t)level;
    f->ref[node] = 1;
    f->next[node] = *bucket;
    *bucket = node;
    f->live++;
    return node;
}

void ssi_root_retain(ss_arena *arena, uint32_t root) { arena->forest.ref[root]++; }

void ssi_root_release(ss_arena *arena, uint32_t node) {
    ssi_forest *f = &arena->forest;
    if (!node || --f->ref[node]) return;
    const uint32_t *slots = f->nodes[node].slot;
    if (f->level[node])
        for (uint32_t i = 0; i < SSI_FANOUT; i++) ssi_root_release(arena, slots[i]);
    else
        for (uint32_t i = 0; i < SSI_FANOUT; i++) ssi_page_release(arena, slots[i]);
    uint32_t *link = &f->buckets[f->hash[node] & f->bucket_mask];
    while (*link != node) {
        SS_ASSERT(*link);
        link = &f->next[*link];
    }
    *link = f->next[node];
    f->next[node] = f->free_head;
    f->free_head = node;
    f->live--;
}

static uint32_t update(ss_arena *arena, uint32_t node, uint32_t level, const ssi_change *changes, uint32_t n) {
    uint32_t slots[SSI_FANOUT];
    uint64_t fresh = 0; /* slots that hold a reference of ours */
    uint32_t result = SS_NONE, shift = level * SSI_FANOUT_BITS;
    if (node)
        memcpy(slots, arena->forest.nodes[node].slot, sizeof slots);
    else
        memset(slots, 0, sizeof slots);
    if (!level)
        for (uint32_t i = 0; i < n; i++) slots[changes[i].index % SSI_FANOUT] = changes[i].page;
    else
        for (uint32_t i = 0; i < n;) {
            uint32_t first = i, above = changes[i].index >> shift, k = above % SSI_FANOUT;
            while (i < n && changes[i].index >> shift == above) i++;
            uint32_t child = update(arena, slots[k], level - 1, changes + first, i - first);
            if (child == SS_NONE) goto done;
            slots[k] = child;
            fresh |= UINT64_C(1) << k;
        }
    result = intern(arena, slots, level);
done:
    for (; fresh; fresh &= fresh - 1) ssi_root_release(arena, slots[__builtin_ctzll(fresh)]);
    return result;
}

int ssi_tree_update(ss_arena *arena, uint32_t root, const ssi_change *changes, uint32_t n, uint32_t *out) {
    if (!n) {
        ssi_root_retain(arena, root);
        *out = root;
        return 0;
    }
    uint32_t result = update(arena, root, arena->forest.levels - 1, changes, n);
    if (result == SS_NONE) return -ENOMEM;
    *out = result;
    return 0;
}

const uint32_t *ssi_tree_leaf(ss_arena *arena, uint32_t root, uint32_t index) {
    uint32_t node = root;
    for (uint32_t level = arena->forest.levels - 1; node && level; level--)
        node = arena->forest.nodes[node].slot[(index >> (level * SSI_FANOUT_BITS)) % SSI_FANOUT];
    return node ? arena->forest.nodes[node].slot : NULL;
}

uint32_t ssi_tree_get(ss_arena *arena, uint32_t root, uint32_t index) {
    const uint32_t *leaf = ssi_tree_leaf(arena, root, index);
    return leaf ? leaf[index % SSI_FANOUT] : 0;
}

typedef int visit_function(void *user, uint32_t page_index, uint32_t page_a, uint32_t page_b);

static int diff(ss_arena *arena, uint32_t a, uint32_t b, uint32_t level, uint32_t first, visit_function *visit, void *user) {
    const uint32_t *in_a = arena->forest.nodes[a].slot, *in_b = arena->forest.nodes[b].slot; /* node 0 is all zero */
    for (uint32_t i = 0; i < SSI_FANOUT; i++) {
        if (in_a[i] == in_b[i]) continue;
        uint32_t index = first + (i << (level * SSI_FANOUT_BITS));
        int rc = level ? diff(arena, in_a[i], in_b[i], level - 1, index, visit, user) : visit(user, index, in_a[i], in_b[i]);
        if (rc) return rc;
    }
    return 0;
}

int ss_tree_diff(ss_arena *arena, uint32_t root_a, uint32_t root_b, visit_function *visit, void *user) {
    if (root_a == root_b) return 0;
    return diff(arena, root_a, root_b, arena->forest.levels - 1, 0, visit, user);
}
