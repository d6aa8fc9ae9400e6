/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ footprint.h — what a transition touched besides its operation.             │
 * │                                                                            │
 * │ Used only while a search reduces (ssb.footprints); see footprint.c.        │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSB_FOOTPRINT_H
#define SSB_FOOTPRINT_H

#include "bridge.h"

typedef struct ssb_touched {
    uint64_t object;
    uint32_t part, access; /* as of an operation; access 16: the object is new, 32: it was freed */
} ssb_touched;

#define SSB_CARRIED 8u /* of one instruction */
#define SSB_REGISTRY ((const void *)8) /* which threads there are, and which were started: no object lies there */

/* The running transition touches a part of an object, or may touch anything. */
void ssb_touch(const void *object, uint32_t part, int access);
void ssb_touch_everything(void);
/* A lock was freed. The next one may have its address, and is another. */
void ssb_touch_freed(const void *lock);
/* An instruction is examined before the choice point that belongs to it. What is noted in between is also part of the
 * transition that begins there, so it is carried over. */
typedef struct ssb_touch_mark {
    uint32_t n;
    int everything;
} ssb_touch_mark;
typedef struct ssb_carried {
    uint32_t n;
    int everything;
    ssb_touched touched[SSB_CARRIED];
} ssb_carried;
ssb_touch_mark ssb_touch_begin(void);
void ssb_touch_end(ssb_touch_mark mark, ssb_carried *carried);
void ssb_touch_again(const ssb_carried *carried);
/* A transition begins. */
void ssb_footprint_begin(void);
/* preempt_footprint.c: the current thread goes on from a choice point. */
void ssbp_footprint_resume(void);
/* ss_setup.note: header, pending operations, what was touched, numbers of new objects. */
size_t ssb_footprint_write(void *user, int hashed, uint8_t *out, size_t room);

#endif
