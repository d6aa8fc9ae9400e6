/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ tracker_wpasync.c — userfaultfd write-protect async + PAGEMAP_SCAN.        │
 * │                                                                            │
 * │ Linux >= 6.7. Pages are write-protected; the first write clears the bit in │
 * │ the fault path without waking anybody, and one ioctl lists the pages       │
 * │ without the bit and sets it again. One call per cluster of mappings: a     │
 * │ call costs more than walking over the gap between two libraries.           │
 * │                                                                            │
 * │ Facts this relies on: with category_mask and return_mask of WRITTEN only,  │
 * │ the kernel also reports entries that are empty (dropped by MADV_DONTNEED)  │
 * │ in page tables that exist; address space without page tables is skipped    │
 * │ and can't have been written. A full buffer stops the walk at walk_end.     │
 * │ An unregistered mapping would be skipped in silence, so every region must  │
 * │ register or the tracker is refused.                                        │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include <errno.h>
#include <fcntl.h>

#include "engine_internal.h"
#include "syscall.h"

#define CLUSTER_GAP ((uintptr_t)1 << 30)

static int wpasync_open(ssi_tracked *t, ssi_text *why) {
    if (t->pagemap < 0) {
        ssi_text_add(why, "/proc/self/pagemap can't be opened");
        return -EACCES;
    }
    long fd = SSI_SYSCALL(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
    if (fd < 0) {
        ssi_text_add(why, "userfaultfd: ");
        ssi_text_add_errno(why, (int)-fd);
        return (int)fd;
    }
    const uint64_t wanted = UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED;
    struct uffdio_api api = {.api = UFFD_API, .features = wanted};
    long rc = SSI_SYSCALL(SYS_ioctl, fd, UFFDIO_API, &api);
    if (rc >= 0 && (api.features & wanted) != wanted) rc = -EINVAL; /* some kernels accept bits they don't know */
    if (rc < 0) {
        ssi_text_add(why, "kernel lacks userfaultfd WP_ASYNC (Linux 6.7): ");
        ssi_text_add_errno(why, (int)-rc);
        SSI_SYSCALL(SYS_close, fd);
        return (int)rc;
    }
    t->uffd = (int)fd;
    return 0;
}

static long scan(ssi_tracked *t, int rearm, uint32_t *out) {
    uint32_t found = 0;
    for (uint32_t first = 0, last; first < t->n_regions; first = last + 1) {
        for (last = first; last + 1 < t->n_regions; last++)
            if (t->regions[last + 1].lo - t->regions[last].hi >= CLUSTER_GAP) break;
        uint64_t at = t->regions[first].lo, end = t->regions[last].hi;
        uint32_t region = first;
        while (at < end) {
            struct ssi_scan_arg arg = {.size = sizeof arg,
                                       .flags = rearm ? SSI_PM_SCAN_WP_MATCHING : 0,
                                       .start = at,
                                       .end = end,
                                       .vec = (uint64_t)(uintptr_t)t->runs,
                                       .vec_len = SSI_SCAN_RUNS,
                                       .category_mask = SSI_PAGE_IS_WRITTEN,
                                       .return_mask = SSI_PAGE_IS_WRITTEN};
            long n = SSI_SYSCALL(SYS_ioctl, t->pagemap, SSI_PAGEMAP_SCAN, &arg);
            if (n == -EINTR) continue; /* interrupted before anything was re-armed: nothing is lost */
            if (n < 0) return n;
            for (long i = 0; i < n && out; i++)
                for (uint64_t page = t->runs[i].start; page < t->runs[i].end; page += SS_PAGE) {
                    while (region <= last && page >= t->regions[region].hi) region++;
                    if (region > last) break;
                    if (page < t->regions[region].lo) continue;
                    out[found++] = t->regions[region].first_page + (uint32_t)((page - t->regions[region].lo) / SS_PAGE);
                }
            SS_ASSERT(arg.walk_end > at && arg.walk_end <= end);
            at = arg.walk_end;
        }
    }
    return found;
}

static int wpasync_arm(ssi_tracked *t, ssi_text *why) {
    for (uint32_t i = 0; i < t->n_regions; i++) {
        const ss_region *r = &t->regions[i];
        struct uffdio_register reg = {.range = {.start = r->lo, .len = r->hi - r->lo}, .mode = UFFDIO_REGISTER_MODE_WP};
        long rc = SSI_SYSCALL(SYS_ioctl, t->uffd, UFFDIO_REGISTER, &reg);
        if (rc < 0) {
            ssi_text_add(why, "UFFDIO_REGISTER ");
            ssi_text_add_hex(why, r->lo);
            ssi_text_add(why, r->name[0] ? " " : "");
            ssi_text_add(why, r->name);
            ssi_text_add(why, ": ");
            ssi_text_add_errno(why, (int)-rc);
            return (int)rc;
        }
    }
    long rc = scan(t, 1, NULL);
    if (rc < 0) {
        ssi_text_add(why, "PAGEMAP_SCAN: ");
        ssi_text_add_errno(why, (int)-rc);
        return (int)rc;
    }
    return 0;
}

static void wpasync_close(ssi_tracked *t) {
    if (t->uffd >= 0) SSI_SYSCALL(SYS_close, t->uffd); /* unregisters everything */
    t->uffd = -1;
}

const ssi_tracker ssi_tracker_wpasync = {
    .name = "wpasync", .exact = 1, .open = wpasync_open, .arm = wpasync_arm, .collect = scan, .close = wpasync_close};
