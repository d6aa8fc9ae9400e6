/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ reading.c — what memory was in a snapshot, without restoring it.           │
 * │                                                                            │
 * │ A page walk in software: the tree of the snapshot says which stored page   │
 * │ an address had. What the store never saw is asked of the frozen copy, which│
 * │ copies it out; nothing is fetched into the store, so reading changes       │
 * │ neither the store nor what it has room for. The explorer may read when the │
 * │ child is gone.                                                             │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "engine_internal.h"
#include "syscall.h"

/* Of one page, as far as it is wanted. */
typedef struct piece {
    uintptr_t address;
    size_t bytes;
} piece;

/* In the frozen copy: its memory is the base state. */
static void copy_out(void *user) {
    ss_arena *arena = user;
    memcpy(arena->frozen.piece, (void *)arena->frozen.piece_at, arena->frozen.piece_bytes);
}

static int read_piece(ss_arena *arena, uint32_t root, const piece *p, uint8_t *out) {
    uint32_t index = ss_page_index(arena, p->address);
    if (index == SS_NONE) return -EFAULT;
    uint32_t page = ssi_tree_get(arena, root, index);
    if (ssi_is_unfetched(arena, page)) {
        arena->frozen.piece_at = p->address;
        arena->frozen.piece_bytes = p->bytes;
        int rc = ssi_ask_frozen(arena, copy_out, arena);
        if (rc) return rc;
        memcpy(out, arena->frozen.piece, p->bytes);
    } else if (page)
        memcpy(out, ss_page_data(arena, page) + p->address % SS_PAGE, p->bytes);
    else
        memset(out, 0, p->bytes);
    return 0;
}

/* The child may have died while it changed the store; its agent itself knows what it does. */
static int is_in_order(ss_arena *arena) {
    return !atomic_load(&arena->mutating) || (int)SSI_SYSCALL(SYS_getpid) != arena->parent_pid;
}

int ss_snapshot_read(ss_arena *arena, uint32_t root, uintptr_t address, void *out, size_t bytes) {
    if (!is_in_order(arena)) return -EBUSY;
    if (root >= arena->forest.fresh || (root && !arena->forest.ref[root]) || address + bytes < address) return -EINVAL;
    for (size_t done = 0; done < bytes;) {
        piece p = {.address = address + done, .bytes = SS_PAGE - (address + done) % SS_PAGE};
        if (p.bytes > bytes - done) p.bytes = bytes - done;
        int rc = read_piece(arena, root, &p, (uint8_t *)out + done);
        if (rc) return rc;
        done += p.bytes;
    }
    return 0;
}
