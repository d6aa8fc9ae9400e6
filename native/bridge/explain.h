/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ explain.h — what made states different (--statespace-explain-state).       │
 * │                                                                            │
 * │ While this is on, the walk notes for each reference and value where it     │
 * │ stands: in which thread, frame or object, and under which name. The parent │
 * │ reads that from the arena. Off, every call below is one test of a flag.    │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#ifndef SSB_EXPLAIN_H
#define SSB_EXPLAIN_H

#include "bridge.h"

enum ssbx_owner { SSBX_NOWHERE = 0, SSBX_THREAD, SSBX_FRAME, SSBX_NEW, SSBX_BASE };
enum ssbx_edge { SSBX_PLAIN = 0, SSBX_KEY, SSBX_INDEX, SSBX_LOCAL, SSBX_REST };

typedef struct ssbx_entry {
    uint32_t owner; /* thread; thread << 16 | depth; number; number in the base index */
    uint32_t edge;  /* label, index, or how many plain references of the owner came before */
    uint32_t label; /* type of a new value, name of a base object, long text; of the rest: type of the owner */
    uint8_t owner_kind, edge_kind;
    uint64_t value[3]; /* the first tokens; of the rest: its hash, and the owner's address if it is a base object */
} ssbx_entry;

/* Allocated in the parent; `table` is set once a child explains. */
typedef struct ssbx_header {
    struct ssbx_table *table;
} ssbx_header;
extern ssbx_header *ssb_explain_header;

/* explain_names.c, on the agent's stack: bytes written. A base object by its name, or "a TYPE from before"; text that is
 * longer than the tokens of a state can hold, in quotes and perhaps cut, 0 for anything else. */
size_t ssbx_base_name(PyObject *o, char *text, size_t room);
size_t ssbx_long_text(PyObject *o, char *text, size_t room);

void ssb_explain_begin(void);   /* child, before the base snapshot */
PyObject *ssb_explained(void);  /* parent: list of (alike, [entry, ...]) */

extern int ssbf_explaining;
void ssbf_explain_state(void);
void ssbf_explain_end(int compared);
void ssbf_explain_owner(int kind, uint32_t owner, PyObject *object_or_name);
void ssbf_explain_drop(void); /* the owner's entries: it is as it was */
void ssbf_explain_reference(uint32_t from, PyObject *o);
void ssbf_explain_alike(uint64_t value);
void ssbf_explain_edge(int kind, PyObject *name, uint32_t index);

#define SSBF_EDGE_KEY(name) do { if (ssbf_explaining) ssbf_explain_edge(SSBX_KEY, name, 0); } while (0)
#define SSBF_EDGE_LOCAL(name) do { if (ssbf_explaining) ssbf_explain_edge(SSBX_LOCAL, name, 0); } while (0)
#define SSBF_EDGE_INDEX(i) do { if (ssbf_explaining) ssbf_explain_edge(SSBX_INDEX, NULL, (uint32_t)(i)); } while (0)

#endif
