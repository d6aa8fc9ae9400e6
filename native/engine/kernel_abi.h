/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ kernel_abi.h — kernel interfaces that older kernel headers lack.           │
 * │                                                                            │
 * │ Debian 12 ships headers of Linux 6.1; write-protect async (6.7),           │
 * │ PAGEMAP_SCAN (6.7), guard regions (6.13) and a few constants are newer.    │
 * │ Source: include/uapi/linux/{fs,userfaultfd,mman}.h of Linux 6.18.          │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSI_KERNEL_ABI_H
#define SSI_KERNEL_ABI_H

#include <linux/userfaultfd.h>
#include <stdint.h>
#include <sys/ioctl.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif

/* Own names, so that headers that do know them do not clash. */
#define SSI_PAGE_IS_WRITTEN (1u << 1)
#define SSI_PAGE_IS_PRESENT (1u << 3)
#define SSI_PAGE_IS_SWAPPED (1u << 4)
#define SSI_PM_SCAN_WP_MATCHING (1u << 0)

struct ssi_scan_run {
    uint64_t start, end, categories;
};
struct ssi_scan_arg {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SSI_PAGEMAP_SCAN _IOWR('f', 16, struct ssi_scan_arg)

/* Entries of /proc/self/pagemap. */
#define SSI_PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define SSI_PAGEMAP_SWAPPED (UINT64_C(1) << 62)
#define SSI_PAGEMAP_SOFT_DIRTY (UINT64_C(1) << 55)
#define SSI_PAGEMAP_GUARD (UINT64_C(1) << 58)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef PR_SET_THP_DISABLE
#define PR_SET_THP_DISABLE 41
#endif
#define SSI_RSEQ_FLAG_UNREGISTER 1
#define SSI_RSEQ_SIGNATURE_X86 0x53053053u
#define SSI_RSEQ_SIGNATURE_AARCH64 0xd428bc00u
#define SSI_ARCH_SHSTK_STATUS 0x5005
#define SSI_ARCH_SHSTK_ENABLED 1u

#endif
