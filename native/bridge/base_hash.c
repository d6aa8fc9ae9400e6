/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ base_hash.c — what base objects contained, found out when first asked.      │
 * │                                                                            │
 * │ Of a hundred thousand objects a search touches a few hundred. A hash of an │
 * │ object's base content is computed when its memory first turns out changed, │
 * │ by the frozen copy of the process, where everything still is as it was.    │
 * │ The same goes for values, but a small one that lives is read where it is.  │
 * │ Where there is no copy all are computed at the start of the first path,    │
 * │ which is the base state too.                                               │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>

#define LARGE_VALUE 4096 /* bytes */

static size_t value_bytes(PyObject *o)
{
    if (PyBytes_CheckExact(o))
        return (size_t)PyBytes_GET_SIZE(o);
    return PyUnicode_CheckExact(o) && ssb_unicode_is_value(o) ? (size_t)PyUnicode_GET_LENGTH(o) * PyUnicode_KIND(o) : 0;
}

static void read_value(ssbf_object *entry)
{
    uint64_t tokens[3];
    ssbf_atom(entry->object, tokens);
    entry->atom = tokens[0];
    entry->shallow[0] = tokens[1];
    entry->shallow[1] = tokens[2];
    entry->flags |= SSBF_HASHED;
}

/* Memory must be that of the base state: in the frozen copy, or before anything ran. The state whose tokens
 * are being put together meanwhile is left as it is: tokens are added behind and dropped again, and no
 * object has a number. */
static void hash_object(ssbf_object *entry)
{
    if (entry->flags & (SSBF_CODE | SSBF_SUBCLASSES | SSBF_HASHED))
        return;
    if (entry->flags & SSBF_ATOM) {
        read_value(entry);
        return;
    }
    uint32_t from = ssbf->n_tokens, generation = ssbf->generation, probe_end = ssbf->probe_end;
    int in_base = ssbf->in_base, probing = ssbf->probing, deferring = ssbf->deferring, failed = ssbf->failed;
    const char *failure = ssbf->failure;
    ssbf->generation = SSBF_NO_GENERATION;
    ssbf->in_base = 1;
    ssbf->probing = PyAnySet_Check(entry->object) ? 1 : 0; /* as when it is compared later */
    ssbf->probe_end = from + SSBF_PROBE_TOKENS;
    ssbf->deferring = 1;
    ssbf->failed = 0;
    ssbf_content(entry->object);
    ssbf_hash(from, entry->shallow);
    if (PyAnySet_Check(entry->object))
        entry->table = ssbf_set_table((PySetObject *)entry->object);
    if (ssbf->failed) /* never equal: the object counts as changed whenever its memory is touched */
        entry->shallow[0] = entry->shallow[1] = 0;
    entry->flags |= SSBF_HASHED;
    ssbf->n_tokens = from;
    ssbf->generation = generation;
    ssbf->probe_end = probe_end;
    ssbf->in_base = in_base;
    ssbf->probing = probing;
    ssbf->deferring = deferring;
    ssbf->failed = failed;
    ssbf->failure = failure;
}

/* In the copy, which must write nothing but arena memory: pages of the base state are taken from it. */
static void hash_wanted(void *unused)
{
    (void)unused;
    for (uint32_t i = 0; i < ssbf->n_wanted; i++)
        hash_object(ssbf_base(ssbf->wanted[i]));
}

static void hash_everything(void)
{
    for (uint32_t b = 0; b < ssbf->n_objects; b++)
        hash_object(ssbf_base(b));
}

static void nothing(void *unused) { (void)unused; }

static void ask(const uint32_t *wanted, uint32_t n)
{
    ssbf->wanted = wanted;
    ssbf->n_wanted = n;
    if (ssb.engine->in_frozen_copy(ssb.arena, hash_wanted, NULL) < 0) /* then all are known: see below */
        ssbf_fail("the content of the base state is not known");
}

/* ---- checking, for tests ------------------------------------------------------------- */

/* Hashes that were computed before anything ran, to compare with: 0, 0 of objects that have none. */
static void expect_everything(void)
{
    uint64_t(*expected)[2] = ssb_scratch((size_t)ssbf->n_objects * sizeof *expected);
    hash_everything();
    for (uint32_t b = 0; b < ssbf->n_objects; b++) {
        ssbf_object *entry = &ssbf->objects[b];
        if (!(entry->flags & SSBF_HASHED))
            continue;
        memcpy(expected[b], entry->shallow, sizeof entry->shallow);
        entry->shallow[0] = entry->shallow[1] = 0;
        entry->flags &= ~(uint32_t)SSBF_HASHED;
    }
    ssbf->expected = expected;
    ssbf_pages_expect();
}

static void check(uint32_t b)
{
    if (ssbf->expected && ssbf->objects[b].flags & SSBF_HASHED && memcmp(ssbf->expected[b], ssbf->objects[b].shallow, sizeof ssbf->objects[b].shallow))
        __builtin_trap(); /* the child dies of it: a test that asked for checking fails */
}

/* ---- when they are needed --------------------------------------------------------------- */

void ssb_fingerprint_base(int verify)
{
    if (!ssbf || ssbf->base_is_ready)
        return;
    ssbf->base_is_ready = 1;
    ssbf_pages_make();
    if (ssb.engine->in_frozen_copy(ssb.arena, nothing, NULL) < 0) {
        hash_everything();
        ssbf_pages_describe_all();
    } else if (verify)
        expect_everything();
}

static int is_known(uint32_t b)
{
    return (ssbf_base(b)->flags & (SSBF_HASHED | SSBF_CODE | SSBF_SUBCLASSES)) != 0;
}

void ssbf_hash_candidates(void)
{
    uint32_t n = ssbf->n_candidates, first = 0;
    while (first < n && is_known(ssbf->candidates[first]))
        first++;
    if (first == n)
        return;
    ask(ssbf->candidates + first, n - first);
    for (uint32_t i = first; i < n; i++)
        check(ssbf->candidates[i]);
}

/* While a value lives it is what it always was: to read it here saves the way to the copy. */
static int can_be_read_here(const ssbf_object *entry)
{
    return entry->flags & SSBF_ATOM && Py_REFCNT(entry->object) > 0 && value_bytes(entry->object) <= LARGE_VALUE;
}

void ssbf_know(uint32_t b)
{
    if (is_known(b))
        return;
    if (can_be_read_here(&ssbf->objects[b])) {
        read_value(&ssbf->objects[b]);
        check(b);
        return;
    }
    if (ssbf->in_base) { /* in the copy itself, or in the base state */
        hash_object(ssbf_base(b));
        return;
    }
    ssbf->one = b;
    ask(&ssbf->one, 1);
    check(b);
}

uint64_t ssbf_base_set_table(uint32_t b)
{
    ssbf_know(b);
    return ssbf->objects[b].table;
}

#else

void ssb_fingerprint_base(int verify) { (void)verify; }

#endif
