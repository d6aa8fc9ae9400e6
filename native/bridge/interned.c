/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ interned.c — the table of interned strings.                                │
 * │                                                                            │
 * │ It changes whenever a name is made or forgotten, and no program can see it │
 * │ but by `is` between equal strings. CPython 3.11 keeps it in a static       │
 * │ variable without a name: it is the one pointer in the interpreter's data   │
 * │ to a dict that maps thousands of strings to themselves. Later versions say │
 * │ where it is.                                                               │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include <link.h>
#include <stdio.h>
#include <string.h>

#define MAX_MAPPINGS 2048
#define LEAST_NAMES 1000

static ssbf_range mappings[MAX_MAPPINGS];
static int n_mappings;

static void read_mappings(void)
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");
    n_mappings = 0;
    while (maps && n_mappings < MAX_MAPPINGS && fgets(line, sizeof line, maps)) {
        unsigned long lo, hi;
        char access[8];
        if (sscanf(line, "%lx-%lx %7s", &lo, &hi, access) == 3 && !strncmp(access, "rw", 2))
            mappings[n_mappings++] = (ssbf_range){lo, hi};
    }
    if (maps)
        fclose(maps);
}

static int is_readable(uintptr_t address, size_t bytes)
{
    int lo = 0, hi = n_mappings;
    while (lo < hi) {
        int middle = (lo + hi) / 2;
        if (mappings[middle].hi <= address)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo < n_mappings && address >= mappings[lo].lo && address + bytes <= mappings[lo].hi;
}

static int is_table_of_names(uintptr_t address)
{
    if (address & 7 || !is_readable(address, sizeof(PyDictObject)) || Py_TYPE((PyObject *)address) != &PyDict_Type)
        return 0;
    PyDictObject *d = (PyDictObject *)address;
    if (d->ma_used < LEAST_NAMES || d->ma_values || !is_readable((uintptr_t)d->ma_keys, sizeof *d->ma_keys) ||
        !DK_IS_UNICODE(d->ma_keys))
        return 0;
    PyDictUnicodeEntry *entries = DK_UNICODE_ENTRIES(d->ma_keys);
    for (Py_ssize_t i = 0; i < d->ma_keys->dk_nentries; i++)
        if (entries[i].me_value && entries[i].me_value != entries[i].me_key)
            return 0;
    return 1;
}

static PyDictObject **place; /* the static variable; in the parent, so that only its first child searches */

static int search_library(struct dl_phdr_info *info, size_t bytes, void *unused)
{
    (void)bytes;
    (void)unused;
    int holds_interpreter = 0;
    for (int k = 0; k < info->dlpi_phnum; k++)
        if (info->dlpi_phdr[k].p_type == PT_LOAD &&
            (uintptr_t)&PyType_Type - (info->dlpi_addr + info->dlpi_phdr[k].p_vaddr) < info->dlpi_phdr[k].p_memsz)
            holds_interpreter = 1;
    for (int k = 0; holds_interpreter && k < info->dlpi_phnum; k++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[k];
        uintptr_t lo = (info->dlpi_addr + segment->p_vaddr + 7) & ~(uintptr_t)7, hi = lo + (segment->p_memsz & ~(size_t)7);
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_W))
            continue;
        for (uintptr_t at = lo; at + sizeof(uintptr_t) <= hi; at += sizeof(uintptr_t))
            if (is_readable(at, sizeof(uintptr_t)) && is_table_of_names(*(uintptr_t *)at)) {
                place = (PyDictObject **)at;
                return 1;
            }
    }
    return holds_interpreter;
}

void ssb_find_interned(void)
{
    static int searched;
    if (searched || ssb_interned_strings() != NULL)
        return;
    searched = 1;
    read_mappings();
    dl_iterate_phdr(search_library, NULL);
}

void ssbf_mask_interned(void)
{
    ssb_find_interned();
    PyDictObject *d = (PyDictObject *)ssb_interned_strings();
    if (!d && place)
        d = *place;
    if (!d) /* states then differ by the names that were made: fewer merge */
        return;
    ssbf_mask((char *)d + sizeof(PyObject), sizeof *d - sizeof(PyObject));
    ssbf_mask(d->ma_keys, sizeof *d->ma_keys + ((size_t)1 << d->ma_keys->dk_log2_index_bytes) +
                              (size_t)(d->ma_keys->dk_nentries + d->ma_keys->dk_usable) * sizeof(PyDictUnicodeEntry));
}

#else

void ssb_find_interned(void) {}

#endif
