/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ weaken.h — what users leave out of state equality: ignore() and view().    │
 * │                                                                            │
 * │ The declarations are ordinary memory and rewind; the list of those that    │
 * │ took effect lies in the arena, where the parent reads it.                  │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSB_WEAKEN_H
#define SSB_WEAKEN_H

#include "bridge.h"

#define SSB_WEAKENINGS 64u /* declarations in force at one time, of each kind: sets of them are bits of a word */
#define SSB_LABELS 256u
#define SSB_LABEL_BYTES 160u

/* ignore(): an attribute of one object, or of all instances of a class and of the class itself. */
typedef struct ssb_ignored {
    PyObject *owner; /* weak reference to the object or class; dead: the entry is free */
    PyObject *name;
    Py_ssize_t slot; /* where the attribute lies in the object, 0: in its dictionary */
    uint8_t of_instances;
    uint8_t late; /* declared while a path runs: hashes of the base state were made without it */
    uint32_t label;
} ssb_ignored;

/* view(): what `function` returned last stands for the objects. */
typedef struct ssb_view {
    PyObject *function, *objects, *result; /* objects: a tuple */
    uint32_t label;
} ssb_view;

typedef struct ssb_weakenings {
    ssb_ignored ignored[SSB_WEAKENINGS];
    ssb_view views[SSB_WEAKENINGS];
    uint32_t n_ignored, n_views;
    int fresh; /* the views were evaluated at this very choice point */
} ssb_weakenings;

extern ssb_weakenings ssb_weak;

/* In the arena: the texts of all declarations met so far, and which of them left something out. */
typedef struct ssb_labels {
    uint32_t n;
    uint8_t effective[SSB_LABELS];
    char text[SSB_LABELS][SSB_LABEL_BYTES];
} ssb_labels;

extern ssb_labels *ssb_weak_labels; /* allocated in the parent */

/* Declare. -1 with an exception. */
int ssb_ignore(PyObject *owner, PyObject *name, int of_instances, const char *label);
int ssb_ignore_all(PyObject *list_or_null); /* tuples of those arguments; before the base snapshot */
int ssb_declare_view(PyObject *function, PyObject *objects, const char *label);
PyObject *ssb_weakened(void); /* list of the labels that took effect */

/* Evaluate the views, at a choice point that the current thread is about to make. */
void ssb_evaluate_views(void);
/* The current thread goes on: what the views said is out of date. */
static inline void ssb_expire_views(void) { ssb_weak.fresh = 0; }

/* weaken_walk.c: base objects that only the newest declaration reaches need not be compared. */
void ssbf_hide_ignored(const ssb_ignored *entry);
void ssbf_hide_viewed(const ssb_view *view);

#endif
