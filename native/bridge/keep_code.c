/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ keep_code.c — code that tables name by its address stays alive.            │
 * │                                                                            │
 * │ To take a reference writes to a code object, and after a fork that means a │
 * │ page fault, twice for each of thousands of them if a list of them is made  │
 * │ for every test. So they are kept in a table from one survey to the next,   │
 * │ and only those that came or went are touched.                              │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "runtime.h"

#include <stdlib.h>

typedef struct entry {
    PyObject *code; /* NULL: free */
    uint64_t survey; /* the last one that came across it */
} entry;

static entry *entries; /* open addressing; half of them are free */
static size_t mask, n_entries;
static uint64_t survey;

static entry *find(entry *table, size_t table_mask, const PyObject *code)
{
    size_t i = (size_t)(((uintptr_t)code >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 20) & table_mask;
    while (table[i].code != NULL && table[i].code != code)
        i = (i + 1) & table_mask;
    return &table[i];
}

/* A new table for those that the present survey came across, with room for more; of the others, the references. */
static int rebuild(size_t size, PyObject **gone, size_t *n_gone)
{
    entry *table = calloc(size, sizeof *table);
    if (table == NULL)
        return -1;
    size_t n = 0;
    for (size_t i = 0; entries != NULL && i <= mask; i++) {
        if (entries[i].code == NULL)
            continue;
        if (gone != NULL && entries[i].survey != survey) {
            gone[(*n_gone)++] = entries[i].code;
        } else {
            *find(table, size - 1, entries[i].code) = entries[i];
            n++;
        }
    }
    free(entries);
    entries = table;
    mask = size - 1;
    n_entries = n;
    return 0;
}

uint64_t ssb_keep_begin(void) { return ++survey; }

int ssb_keep(PyObject *code)
{
    if (2 * (n_entries + 1) > mask && rebuild(entries != NULL ? 2 * (mask + 1) : (size_t)1 << 15, NULL, NULL) < 0)
        return -1;
    entry *at = find(entries, mask, code);
    if (at->code == NULL) {
        at->code = Py_NewRef(code);
        n_entries++;
    }
    at->survey = survey;
    return 0;
}

int ssb_keep_end(void)
{
    size_t n_gone = 0, n_old = 0;
    for (size_t i = 0; entries != NULL && i <= mask; i++)
        n_old += entries[i].code != NULL && entries[i].survey != survey;
    if (n_old == 0)
        return 0;
    PyObject **gone = malloc(n_old * sizeof *gone);
    if (gone == NULL || rebuild(mask + 1, gone, &n_gone) < 0) {
        free(gone);
        return -1;
    }
    for (size_t i = 0; i < n_gone; i++) /* last: what dies may run code */
        Py_DECREF(gone[i]);
    free(gone);
    return 0;
}

uint64_t ssb_kept_for(void) { return survey; }
