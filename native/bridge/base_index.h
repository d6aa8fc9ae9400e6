/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ base_index.h — what the files that build the index of the base state share.│
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSB_BASE_INDEX_H
#define SSB_BASE_INDEX_H

#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#define SSBF_LARGE_BLOCK 2048 /* bytes: memory of larger objects is listed one by one */

/* An array that grows and of which nothing is left when it is released. */
typedef struct ssbf_growing {
    char *at;
    size_t used, size; /* bytes */
} ssbf_growing;

void *ssbf_grow(ssbf_growing *array, size_t bytes); /* room for so much more; NULL: no memory */
void ssbf_release(ssbf_growing *array);

/* ---- base_index.c: which addresses are objects ------------------------------------------ */

/* Adds an address: 1 if it is new, 0 if it was known or can't be one of an object, -1: no memory. */
int ssbf_mark(uintptr_t address);
/* After the last one: numbers in the order of addresses. */
void ssbf_number_objects(void);
uintptr_t ssbf_address_of(uint32_t b);
/* The first object at `from` or above, if it lies below `end`; else 0. */
uintptr_t ssbf_next_object(uintptr_t from, uintptr_t end);

/* ---- base_walk.c: finding them ------------------------------------------------------------- */

int ssbf_walk_base(void);

/* ---- base_memory.c: which memory belongs to them ----------------------------------------------- */

/* Bytes in front of an object that belong to it: the collector's header (0 or SSB_GC_HEADER) and what the type puts
 * in front of that. */
size_t ssbf_bytes_before(PyObject *o, size_t *in_front);
/* The list of blocks: lo ascending, of equal ones the one added last comes last. -1: no memory. */
int ssbf_sort_blocks(ssbf_block *blocks, uint32_t n);

#endif
#endif
