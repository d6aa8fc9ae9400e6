/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ fingerprint.c — the fingerprint of a state, and what it needs beforehand.  │
 * │                                                                            │
 * │ Order of the stream: simulated threads in creation order; what they reach  │
 * │ among new objects, breadth first; interpreter-wide settings; base objects  │
 * │ whose content changed; words nothing explains; sets ordered by addresses,  │
 * │ last because by then their elements have numbers. Properties of memory     │
 * │ that the program looks at (observe.c) follow if it does.                   │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "runs.h"
#include "explain.h"

#if SSB_CAN_FINGERPRINT

#include <string.h>

static int frozen, checking;

void ssb_fingerprint_check(int on) { checking = on; }

/* ---- before the base snapshot ------------------------------------------------------ */

int ssb_fingerprint_supported(const char **reason)
{
    int known = ssbf_layout_is_known();
    *reason = known ? "" : "this build of CPython keeps its objects in another way than the one known: states are not compared";
    return known ? 0 : -1;
}

/* Garbage stays what it is while a path runs, and no program sees it but by asking the collector. Collecting
 * writes to every object there is, and the child would copy all those pages. */
static void collect_garbage(void)
{
    if (ssb.addresses_observed & SSB_OBSERVED_GARBAGE) {
        PyGC_Enable(); /* or it would not collect */
        PyGC_Collect();
    }
    PyGC_Disable();
}

int ssb_fingerprint_prepare(void)
{
    collect_garbage();
    ssbf = ssb_scratch(sizeof *ssbf);
    ssbf_weaken_prepare();
    ssbf_runs_prepare();
    if (ssbf_register_all() || ssbf_hidden_prepare() || ssbf_observe_install() || ssbf_calibrate())
        return -1;
    PyObject *gc = PyImport_ImportModule("gc");
    PyObject *r = gc ? PyObject_CallMethod(gc, "freeze", NULL) : NULL; /* a later collection looks at new objects only */
    Py_XDECREF(gc);
    if (!r)
        return -1;
    Py_DECREF(r);
    ssb_drain_free_lists();
    return 0;
}

int ssb_fingerprint_freeze(void)
{
    ssb_heap_seal();
    ssbf->max_depths = 1u << 23;
    ssbf->depth_pool = ssb_scratch((size_t)ssbf->max_depths * sizeof *ssbf->depth_pool);
    ssbf->depth_work = ssb_scratch((size_t)SSBF_CODE_MAX * sizeof *ssbf->depth_work);
    ssbf->work_list = ssb_scratch((size_t)SSBF_CODE_MAX * 2 * sizeof *ssbf->work_list);
    if (ssbf_masks_build() || ssbf_index_build() || ssbf_pages_prepare()) {
        PyErr_SetString(PyExc_RuntimeError, "the base state has too many objects to compare states");
        return -1;
    }
    ssbf_calibrate_finish();
    ssbf->monitoring_tools = ssb_monitoring_tools(ssbf->base_tstate->interp, ssb.own_tool);
    ssbf_observe_begin();
    frozen = 1;
    return 0;
}

/* ---- parts of a state ------------------------------------------------------------------ */

static void number(uint64_t n) { ssbf_raw(n); }

static void changed_base_object(uint32_t b)
{
    const ssbf_object *entry = ssbf_base(b);
    PyObject *o = entry->object;
    uint64_t hash[2];
    if (Py_REFCNT(o) == 0 || entry->flags & (SSBF_SUBCLASSES | SSBF_HIDDEN) || ssbf->failed)
        return;
    if (ssbf_weakened() && ssbf_weak_postpones(b))
        return;
    ssbf_know(b);
    uint32_t before = ssbf->n_tokens;
    ssbf_token(SSBF_TOKEN(SSBF_T_BASE, (uintptr_t)o));
    uint32_t from = ssbf->n_tokens;
    if (ssbf_explaining)
        ssbf_explain_owner(SSBX_BASE, b, o);
    if (PyAnySet_Check(o)) { /* compared without numbering its elements */
        ssbf->probing = 1;
        ssbf->probe_end = from + SSBF_PROBE_TOKENS;
        ssbf_content(o);
        ssbf->probing = 0;
        ssbf_hash(from, hash);
        ssbf->n_tokens = from;
        if (hash[0] != entry->shallow[0] || hash[1] != entry->shallow[1])
            ssbf_content(o);
        else
            ssbf->n_tokens = before;
        return;
    }
    ssbf_content(o);
    ssbf_hash(from, hash);
    if (hash[0] == entry->shallow[0] && hash[1] == entry->shallow[1]) {
        ssbf_explain_drop();
        ssbf->n_tokens = before;
    }
}

static void unexplained_words(void)
{
    for (uint32_t i = 0; i < ssbf->n_unexplained; i++) {
        ssbf_raw(ssbf->unexplained[i]);
        ssbf_word(*(const uintptr_t *)ssbf->unexplained[i]);
    }
}

static void address_hashed_sets(void)
{
    ssbf->deferring = 0;
    for (uint32_t i = 0; i < ssbf->n_deferred && !ssbf->failed; i++) {
        ssbf_content(ssbf->deferred[i]);
        ssbf_drain();
    }
}

static int live_block(void *unused, uintptr_t start, uint32_t bytes, int domain)
{
    (void)unused;
    ssbf_raw(start);
    ssbf_count((uint64_t)bytes << 2 | (uint64_t)domain);
    return ssbf->failed;
}

static void new_tracked_object(PyObject *o) { ssbf_reference(o); }

/* What the program has looked at in an earlier search. */
static void observed_properties(void)
{
    ssbf_count(ssb.addresses_observed);
    if (ssb.addresses_observed & SSB_OBSERVED_GARBAGE) { /* unreachable objects in the collector's order */
        ssb_each_young_object(ssbf->base_tstate->interp, new_tracked_object, number);
        ssbf_drain();
    }
    if (ssb.addresses_observed & SSB_OBSERVED_ADDRESSES) { /* which addresses come next */
        ssb_heap_each(live_block, NULL);
        ssb_free_list_tokens(ssbf->base_tstate->interp, number);
    }
}

static int one_pass(uint32_t root, int numbers_for_all)
{
    ssbf_begin_state();
    ssbf_explain_state();
    ssbf_runs_begin(numbers_for_all);
    uint32_t tools = ssb_monitoring_tools(ssbf->base_tstate->interp, ssb.own_tool);
    if (tools & SSB_MONITORING_CALLS || tools & ~ssbf->monitoring_tools) {
        ssbf_fail("the test uses sys.monitoring");
        return -1;
    }
    if (ssb.traced) {
        ssbf_fail("the test uses sys.settrace or sys.setprofile");
        return -1;
    }
    if (PyInterpreterState_Head() != ssbf->newest_interpreter) {
        ssbf_fail("the test made a subinterpreter");
        return -1;
    }
    int stopped = ssbf->afresh ? ssbf_collect_afresh(root) : ssbf_collect_changes(root), weakened = ssbf_weakened();
    ssbf_hash_candidates();
    if (weakened)
        ssbf_weak_begin();
    ssbf_threads();
    ssbf_drain();
    ssb_interpreter_tokens(ssbf->base_tstate->interp, number, ssbf_reference);
    ssbf_included_tokens();
    if (weakened)
        ssbf_weak_holders();
    for (uint32_t k = 0; k < ssbf->n_candidates; k++)
        changed_base_object(ssbf->candidates[k]);
    unexplained_words();
    ssbf_drain();
    address_hashed_sets();
    if (weakened)
        ssbf_weak_end(changed_base_object);
    observed_properties();
    ssbf_explain_end(!stopped && !ssbf->failed);
    return stopped || ssbf->failed ? -1 : 0;
}

static int fingerprint(uint32_t root, uint64_t out[2])
{
    int rc = one_pass(root, ssb.footprints); /* they need a number for every object */
    if (!rc && ssbf_runs_are_wrong())
        rc = one_pass(root, 1);
    if (!rc)
        ssbf_hash(0, out);
    ssbf->numbered = !rc && !ssbf_weakened();
    return rc;
}

static int not_compared(const char *why)
{
    size_t n = 0;
    while (n < SSB_UNCOMPARED_BYTES - 1 && why[n])
        n++;
    if (!*ssb_uncompared)
        memcpy(ssb_uncompared, why, n); /* what follows it is zero */
    return -1;
}

int ssb_fingerprint(void *user, uint32_t root, uint64_t out[2])
{
    (void)user;
    if (ssbf)
        ssbf->numbered = 0;
    if (!frozen)
        return not_compared("the base state is not known");
    if (ssb_heap_overflowed())
        return not_compared("a thread needed more memory than is set aside for one");
    if (ssb.addresses_observed & SSB_OBSERVED_COUNTS)
        return not_compared("the test looks at reference counts or sizes");
    int rc = fingerprint(root, out);
    if (rc < 0)
        not_compared(ssbf->failure ? ssbf->failure : "its memory can't be read");
    if (!checking)
        return rc;
    uint64_t afresh[2] = {0, 0};
    ssbf->afresh = 1;
    int rc_afresh = fingerprint(root, afresh);
    ssbf->afresh = 0;
    return rc != rc_afresh || (rc == 0 && (out[0] != afresh[0] || out[1] != afresh[1])) ? 1 : rc;
}

uint32_t ssb_fingerprint_numbers(uint8_t *out, size_t room, uint32_t *complete)
{
    _Static_assert(sizeof *ssbf->entries == SSB_NUMBER_BYTES, "an entry is written as it is");
    *complete = ssbf && ssbf->numbered && ssbf->n_entries <= room / SSB_NUMBER_BYTES;
    if (!*complete)
        return 0;
    memcpy(out, ssbf->entries, ssbf->n_entries * sizeof *ssbf->entries);
    return ssbf->n_entries;
}

#else

int ssb_fingerprint_supported(const char **reason)
{
    *reason = SSB_NO_FINGERPRINT_REASON;
    return -1;
}

/* Nothing to prepare: explore() asks first whether states can be compared. */
int ssb_fingerprint_prepare(void) { return 0; }
void ssb_fingerprint_check(int on) { (void)on; }
int ssb_fingerprint_freeze(void) { return 0; }
void ssb_fingerprint_include(const void *data, size_t bytes)
{
    (void)data;
    (void)bytes;
}

uint32_t ssb_fingerprint_numbers(uint8_t *out, size_t room, uint32_t *complete)
{
    (void)out;
    (void)room;
    *complete = 0;
    return 0;
}

int ssb_fingerprint(void *user, uint32_t root, uint64_t out[2])
{
    (void)user;
    (void)root;
    (void)out;
    return -1;
}

#endif
