/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ heap.h — what the fingerprint asks of the heap, beyond bridge.h.           │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSB_HEAP_H
#define SSB_HEAP_H

#include "bridge.h"

/* The same in every run: addresses in stored states and failure reports stay comparable. */
#define SSB_HEAP_BASE ((uintptr_t)0x610000000000)

size_t ssb_heap_bytes(void); /* of address space, from SSB_HEAP_BASE on */
int ssb_heap_is_on(void);
/* A thread used up its slice: addresses depend on the interleaving from now on. */
int ssb_heap_overflowed(void);
/* Everything allocated so far belongs to the base state: never freed, never in the lists again. */
void ssb_heap_seal(void);
/* Is the address in memory handed out after ssb_heap_seal? */
int ssb_heap_is_new(uintptr_t address);
/* Address range of the heap's own bookkeeping. */
void ssb_heap_tables(uintptr_t *lo, uintptr_t *hi);
/* Call visit for every live block, ascending within a slice. Non-zero stops and is returned. Reads only. */
typedef int (*ssb_heap_visitor)(void *user, uintptr_t start, uint32_t bytes, int domain);
int ssb_heap_each(ssb_heap_visitor visit, void *user);

#endif
