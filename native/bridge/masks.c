/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ masks.c — memory whose changes say nothing about the program.              │
 * │                                                                            │
 * │ The list, and why each entry is harmless:                                  │
 * │   bridge, engine   tables of the scheduler are tokens (frames.c); captured │
 * │                    output cannot be read back by the program; the rest is  │
 * │                    caches. What is meaningful registers itself with        │
 * │                    ssb_fingerprint_include.                                │
 * │   libc, libm, ld   malloc and stdio bookkeeping. What malloc handed out    │
 * │                    lies elsewhere and stays in.                            │
 * │   TLS of those     errno, malloc caches. TLS of other libraries stays in,  │
 * │                    but for the pointer to the thread state that runs.      │
 * │   rseq             written by the kernel when a thread moves to another CPU│
 * │   lazy binding     a function found once is found for good                 │
 * │   interned strings see interned.c                                          │
 * │   interpreter      the ranges listed in compat_3xx.h                       │
 * │   stacks           read frame by frame (frames.c, hidden.c)                │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/rseq.h>

#define MAX_INCLUDED 64

static struct {
    const void *data;
    size_t bytes;
} included[MAX_INCLUDED];
static uint32_t n_included;

void ssb_fingerprint_include(const void *data, size_t bytes)
{
    if (n_included == MAX_INCLUDED)
        Py_FatalError("pytest-statespace: too many statics in the state");
    included[n_included].data = data;
    included[n_included++].bytes = bytes;
}

void ssbf_included_tokens(void)
{
    for (uint32_t i = 0; i < n_included; i++)
        ssbf_bytes(included[i].data, included[i].bytes);
}

void ssbf_mask(const void *lo, size_t bytes)
{
    if (ssbf->n_masks < SSBF_RANGES)
        ssbf->masks[ssbf->n_masks++] = (ssbf_range){(uintptr_t)lo, (uintptr_t)lo + bytes};
}

/* ---- libraries -------------------------------------------------------------------------- */

/* File name of a library without its directories. */
static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int is_runtime_library(const char *path)
{
    static const char *const names[] = {"libc.so", "libc-", "libm.so", "libm-", "ld-linux", "ld-2", "libpthread", "libdl.so"};
    const char *name = base_name(path);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strncmp(name, names[i], strlen(names[i])))
            return 1;
    return 0;
}

static int is_ours(const struct dl_phdr_info *info)
{
    uintptr_t addresses[] = {(uintptr_t)&ssb, (uintptr_t)ssb.engine};
    for (int k = 0; k < info->dlpi_phnum; k++)
        for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
            if (info->dlpi_phdr[k].p_type == PT_LOAD &&
                addresses[i] - (info->dlpi_addr + info->dlpi_phdr[k].p_vaddr) < info->dlpi_phdr[k].p_memsz)
                return 1;
    return 0;
}

static int holds_interpreter(const struct dl_phdr_info *info)
{
    for (int k = 0; k < info->dlpi_phnum; k++)
        if (info->dlpi_phdr[k].p_type == PT_LOAD &&
            (uintptr_t)&PyType_Type - (info->dlpi_addr + info->dlpi_phdr[k].p_vaddr) < info->dlpi_phdr[k].p_memsz)
            return 1;
    return 0;
}

/* Thread-local variables, given by where this thread has them, in every thread. */
static void mask_thread_local(const void *here, size_t bytes)
{
    intptr_t offset = (intptr_t)((uintptr_t)here - ssb.engine->thread_pointer());
    for (uint32_t i = 0; i < ssb.max_threads; i++)
        if (ssb.threads[i].tls)
            ssbf_mask((void *)(ssb.threads[i].tls + (uintptr_t)offset), bytes);
    ssbf_mask(here, bytes);
}

/* CPython 3.12 and later keep the current thread state in a thread-local variable without a name, 3.15 its interpreter in
 * another one. Who is current is a matter of scheduling. */
static void mask_current_thread_state(const struct dl_phdr_info *info, size_t bytes)
{
    void *const *words = info->dlpi_tls_data;
    for (size_t i = 0; words && i < bytes / sizeof *words; i++)
        if (words[i] == PyThreadState_Get() || words[i] == PyThreadState_Get()->interp)
            mask_thread_local(&words[i], sizeof *words);
}

/* The table of lazily bound functions. */
static void mask_binding(const struct dl_phdr_info *info, const ElfW(Phdr) *segment)
{
    uintptr_t table = 0;
    size_t entries = 0;
    for (const ElfW(Dyn) *d = (void *)(info->dlpi_addr + segment->p_vaddr); d->d_tag; d++) {
        if (d->d_tag == DT_PLTGOT)
            table = d->d_un.d_ptr;
        if (d->d_tag == DT_PLTRELSZ)
            entries = d->d_un.d_val / sizeof(ElfW(Rela));
    }
    if (table && entries)
        ssbf_mask((void *)table, (entries + 3) * sizeof(void *));
}

static int visit_library(struct dl_phdr_info *info, size_t bytes, void *unused)
{
    (void)bytes;
    (void)unused;
    int whole = is_ours(info) || (info->dlpi_name && is_runtime_library(info->dlpi_name));
    for (int k = 0; k < info->dlpi_phnum; k++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[k];
        if (whole && segment->p_type == PT_LOAD && segment->p_flags & PF_W)
            ssbf_mask((void *)(info->dlpi_addr + segment->p_vaddr), segment->p_memsz);
        if (segment->p_type == PT_TLS && whole && info->dlpi_tls_data)
            mask_thread_local(info->dlpi_tls_data, segment->p_memsz);
        if (segment->p_type == PT_TLS && holds_interpreter(info))
            mask_current_thread_state(info, segment->p_memsz);
        if (segment->p_type == PT_DYNAMIC)
            mask_binding(info, segment);
    }
    return 0;
}

static void mask_rseq(void)
{
    for (uint32_t i = 0; i < ssb.max_threads; i++)
        if (ssb.threads[i].tls)
            ssbf_mask((void *)(ssb.threads[i].tls + (uintptr_t)__rseq_offset), 32);
    ssbf_mask((void *)(ssb.engine->thread_pointer() + (uintptr_t)__rseq_offset), 32);
}

/* ---- building ----------------------------------------------------------------------------- */

static int range_order(const void *a, const void *b)
{
    const ssbf_range *x = a, *y = b;
    return x->lo < y->lo ? -1 : x->lo > y->lo;
}

int ssbf_masks_build(void)
{
    uintptr_t lo, hi;
    ssbf->n_masks = 0;
    ssb_each_noise_range(ssbf_mask);
    dl_iterate_phdr(visit_library, NULL);
    mask_rseq();
    ssbf_mask_interned();
    ssb_heap_tables(&lo, &hi);
    ssbf_mask((void *)lo, hi - lo);
    for (uint32_t i = 0; i < ssb.max_threads; i++)
        if (ssb.threads[i].stack_hi)
            ssbf_mask((void *)ssb.threads[i].stack_lo, ssb.threads[i].stack_hi - ssb.threads[i].stack_lo);
    if (ssb.engine->main_stack(ssb.arena, &lo, &hi) == 0)
        ssbf_mask((void *)lo, hi - lo);
    for (uint32_t i = 0; i + 1 < ssb.max_threads; i++) {
        uintptr_t tls;
        if (ssb.engine->donor_stack(ssb.arena, i, &lo, &hi, &tls) == 0)
            ssbf_mask((void *)lo, hi - lo);
    }
    if (ssbf->n_masks == SSBF_RANGES)
        return -1;
    qsort(ssbf->masks, ssbf->n_masks, sizeof *ssbf->masks, range_order);
    uint32_t n = 0;
    for (uint32_t i = 0; i < ssbf->n_masks; i++) { /* join what overlaps */
        if (n && ssbf->masks[i].lo <= ssbf->masks[n - 1].hi) {
            if (ssbf->masks[i].hi > ssbf->masks[n - 1].hi)
                ssbf->masks[n - 1].hi = ssbf->masks[i].hi;
        } else {
            ssbf->masks[n++] = ssbf->masks[i];
        }
    }
    ssbf->n_masks = n;
    return 0;
}

/* Ranges neither overlap nor touch. */
static const ssbf_range *range_above(uintptr_t address)
{
    uint32_t lo = 0, hi = ssbf->n_masks;
    while (lo < hi) {
        uint32_t middle = (lo + hi) / 2;
        if (ssbf->masks[middle].hi <= address)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo < ssbf->n_masks ? &ssbf->masks[lo] : NULL;
}

int ssbf_is_masked(uintptr_t address)
{
    const ssbf_range *range = range_above(address);
    return range && address >= range->lo;
}

int ssbf_is_masked_all(uintptr_t lo, uintptr_t hi)
{
    const ssbf_range *range = range_above(lo);
    return range && lo >= range->lo && hi <= range->hi;
}

#endif
