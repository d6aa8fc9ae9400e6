/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ runs.h — the content of large containers. See runs.c.                      │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSB_RUNS_H
#define SSB_RUNS_H

#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#define SSBF_LARGE 64 /* entries; smaller containers are written entry by entry */

/* Entries of a container that lie in a row. */
typedef struct ssbf_span {
    const char *entries;
    Py_ssize_t n;
    uint32_t stride;
    int key, value; /* offsets of the references; key -1: entries have none. With keys, an entry without value is a hole */
} ssbf_span;

/* Is a container of n entries written as runs? The same answer for the same state, remembered or not. */
int ssbf_is_run(Py_ssize_t n);
/* The entries of one container: begin, parts in order, end. */
void ssbf_run_begin(void);
void ssbf_run_part(const ssbf_span *span);
void ssbf_run_end(void);
/* References in a row. */
void ssbf_run_of(PyObject *const *items, Py_ssize_t n);
/* A word of unknown meaning led to this new object. */
void ssbf_note_borrowed(PyObject *o);
/* Before and after a state. Wrong: compute it again with numbers for all. */
void ssbf_runs_begin(int numbers_for_all);
int ssbf_runs_are_wrong(void);
int ssbf_runs_prepare(void);

#endif
#endif
