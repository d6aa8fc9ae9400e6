/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ regions.c — the table of tracked memory.                                   │
 * │                                                                            │
 * │ Tracked is every private writable mapping. Read-only memory can't change   │
 * │ without mprotect, which the guard refuses. Shared writable mappings other  │
 * │ than the arena, and private ones of files, are replaced by private         │
 * │ anonymous copies: see make_anonymous.                                      │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include <fcntl.h>
#include <sys/mman.h>

#include "engine_internal.h"
#include "syscall.h"

#define MAPS_BYTES ((size_t)4 << 20)

typedef struct mapping {
    uintptr_t lo, hi;
    int writable, executable, private, file;
    char name[sizeof((ss_region *)0)->name];
} mapping;

static long read_maps(char *buffer, size_t bytes) {
    long fd = SSI_SYSCALL(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return fd;
    size_t used = 0;
    for (;;) {
        long n = SSI_SYSCALL(SYS_read, fd, buffer + used, bytes - 1 - used);
        if (n == -EINTR) continue;
        if (n <= 0) {
            SSI_SYSCALL(SYS_close, fd);
            buffer[used] = 0;
            return n < 0 ? n : (long)used;
        }
        used += (size_t)n;
        if (used == bytes - 1) {
            SSI_SYSCALL(SYS_close, fd);
            return -E2BIG;
        }
    }
}

static uintptr_t parse_hex(const char **at) {
    uintptr_t value = 0;
    for (;; ++*at) {
        char c = **at;
        if (c >= '0' && c <= '9')
            value = value * 16 + (uintptr_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value * 16 + (uintptr_t)(c - 'a' + 10);
        else
            return value;
    }
}

static void skip_word(const char **at) {
    while (**at != ' ' && **at != '\n' && **at) ++*at;
    while (**at == ' ') ++*at;
}

/* "lo-hi rwxp offset device inode   name" */
static const char *parse_line(const char *at, mapping *m) {
    m->lo = parse_hex(&at);
    at++;
    m->hi = parse_hex(&at);
    at++;
    m->writable = at[1] == 'w';
    m->executable = at[2] == 'x';
    m->private = at[3] == 'p';
    for (int i = 0; i < 4; i++) skip_word(&at);
    m->file = *at == '/';
    size_t n = 0;
    while (*at && *at != '\n') {
        if (n + 1 < sizeof m->name) m->name[n++] = *at;
        at++;
    }
    m->name[n] = 0;
    return *at ? at + 1 : at;
}

static uint32_t kind_of(const ss_arena *arena, const mapping *m) {
    if (m->lo >= arena->stacks_lo && m->hi <= arena->stacks_hi) return SS_REGION_DONOR_STACK;
    if (m->executable) return SS_REGION_CODE;
    if (m->file) return SS_REGION_FILE;
    if (!strcmp(m->name, "[heap]")) return SS_REGION_HEAP;
    if (!strncmp(m->name, "[stack", 6)) return SS_REGION_STACK;
    return SS_REGION_OTHER;
}

static int refuse_mapping(ss_arena *arena, const mapping *m) {
    ssi_text text = ssi_text_on(arena->error, sizeof arena->error);
    ssi_text_add(&text, "memory that can't be rewound: ");
    ssi_text_add(&text, m->name[0] ? m->name : "anonymous");
    ssi_text_add(&text, " at ");
    ssi_text_add_hex(&text, m->lo);
    return -ENOTSUP;
}

/* Puts a private anonymous copy in the place of a mapping of a file or of
 * shared memory: same content, same address, this process only.
 *
 * Shared memory: writes would escape to other processes and could not be taken
 * back. Private file mappings: when a write-protected page of one is dropped
 * (MADV_DONTNEED) it reads as the file again, and the kernel keeps reporting it
 * as unwritten; anonymous memory has no such gap. Memory that may be dropped: see is_droppable. Device memory can't be copied. */
static int make_anonymous(ss_arena *arena, const mapping *m) {
    if (!strncmp(m->name, "/dev/", 5) && strncmp(m->name, "/dev/shm/", 9) && strncmp(m->name, "/dev/zero", 9))
        return refuse_mapping(arena, m);
    size_t bytes = m->hi - m->lo;
    int protection = PROT_READ | PROT_WRITE | (m->executable ? PROT_EXEC : 0);
    long copy = SSI_SYSCALL(SYS_mmap, NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (copy < 0 && copy > -4096) return refuse_mapping(arena, m);
    for (uintptr_t at = 0; at < bytes; at += SS_PAGE) /* what lies behind the end of a file can't be read */
        if (ssi_is_readable(m->lo + at) && !ssi_page_is_zero((void *)(m->lo + at)))
            memcpy((void *)((uintptr_t)copy + at), (void *)(m->lo + at), SS_PAGE);
    long moved = SSI_SYSCALL(SYS_mremap, copy, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, m->lo);
    return moved == (long)m->lo ? 0 : refuse_mapping(arena, m);
}

/* Memory that the kernel may drop (MAP_DROPPABLE: the C library's random numbers, glibc 2.41 and later) can't be tracked and is
 * empty after a fork. No other memory refuses this advice, which is harmless, where the kernel knows it at all. */
static int is_droppable(const mapping *m, int kernel_tells) {
    if (!kernel_tells || m->file || !m->private || m->executable || m->name[0] == '[') return 0;
    return SSI_SYSCALL(SYS_madvise, m->lo, m->hi - m->lo, MADV_KEEPONFORK) == -EINVAL;
}

static int kernel_knows_the_advice(void) {
    long page = SSI_SYSCALL(SYS_mmap, NULL, SS_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page < 0 && page > -4096) return 0;
    long rc = SSI_SYSCALL(SYS_madvise, page, SS_PAGE, MADV_KEEPONFORK);
    SSI_SYSCALL(SYS_munmap, page, SS_PAGE);
    return rc == 0;
}

int ssi_regions_read(ss_arena *arena) {
    int kernel_tells = kernel_knows_the_advice();
    char *maps = ss_scratch_alloc(arena, MAPS_BYTES);
    if (!maps) return ssi_fail(arena, -ENOMEM, "scratch memory is used up");
    long rc = read_maps(maps, MAPS_BYTES);
    if (rc < 0) return ssi_fail(arena, (int)rc, "/proc/self/maps can't be read");
    uint32_t n = 0;
    uint64_t pages = 0;
    mapping m, before = {0};
    for (const char *at = maps; *at; before = m) {
        at = parse_line(at, &m);
        if (!m.name[0] && before.file && before.hi == m.lo) memcpy(m.name, before.name, sizeof m.name);
        if (!m.writable || ssi_is_arena_memory(m.lo, m.hi) || ssi_asan_is_shadow(m.lo)) continue;
        if ((m.file || !m.private || is_droppable(&m, kernel_tells)) && (rc = make_anonymous(arena, &m))) return (int)rc;
        if (n == SSI_MAX_REGIONS)
            return ssi_fail(arena, -E2BIG, "more than " SSI_STRING(SSI_MAX_REGIONS) " writable mappings");
        ss_region *r = &arena->regions[n++];
        r->lo = m.lo;
        r->hi = m.hi;
        r->first_page = (uint32_t)pages;
        r->kind = kind_of(arena, &m);
        memcpy(r->name, m.name, sizeof r->name);
        pages += (m.hi - m.lo) / SS_PAGE;
        if (pages >= (uint64_t)1 << (SSI_FANOUT_BITS * SSI_MAX_LEVELS))
            return ssi_fail(arena, -E2BIG, "more than 4 TiB of writable memory");
    }
    arena->tracked.regions = arena->regions;
    arena->tracked.n_regions = n;
    arena->tracked.n_pages = (uint32_t)pages;
    return 0;
}

uint32_t ss_region_count(ss_arena *arena) { return arena->tracked.n_regions; }
const ss_region *ss_get_region(ss_arena *arena, uint32_t i) { return &arena->regions[i]; }

uintptr_t ss_page_address(ss_arena *arena, uint32_t page_index) {
    if (page_index >= arena->tracked.n_pages) return 0;
    uint32_t lo = 0, hi = arena->tracked.n_regions - 1;
    while (lo < hi) {
        uint32_t middle = (lo + hi + 1) / 2;
        if (arena->regions[middle].first_page <= page_index)
            lo = middle;
        else
            hi = middle - 1;
    }
    return arena->regions[lo].lo + (uintptr_t)(page_index - arena->regions[lo].first_page) * SS_PAGE;
}

uint32_t ss_page_index(ss_arena *arena, uintptr_t address) {
    uint32_t lo = 0, hi = arena->tracked.n_regions;
    while (lo < hi) {
        uint32_t middle = (lo + hi) / 2;
        const ss_region *r = &arena->regions[middle];
        if (address >= r->hi)
            lo = middle + 1;
        else if (address < r->lo)
            hi = middle;
        else
            return r->first_page + (uint32_t)((address - r->lo) / SS_PAGE);
    }
    return SS_NONE;
}
