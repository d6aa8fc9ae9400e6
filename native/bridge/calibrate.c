/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ calibrate.c — counters among the statics of the interpreter.               │
 * │                                                                            │
 * │ Version tags, dict versions and the like have no exported names. A workout │
 * │ that defines classes and functions and throws all of it away shows which   │
 * │ words of the interpreter's writable data change though nothing is left.    │
 * │ Those few are masked, everything else there stays in the state.            │
 * │                                                                            │
 * │ Children are copies of one process: what the first one finds out is handed │
 * │ to the parent, and the next ones inherit it.                               │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include <link.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SEGMENTS 8

static const char workout[] =
    "import types\n"
    "class A:\n"
    "    def f(self):\n"
    "        return self\n"
    "for i in range(3):\n"
    "    class B(A):\n"
    "        x = i\n"
    "    b = B(); b.y = 1; b.f(); B.z = 1; B.f\n"
    "    def g(a, b=1):\n"
    "        return a + b\n"
    "    def h(n):\n"
    "        yield n\n"
    "    for j in range(40):\n"
    "        g(j); b.f(); d = {1: j, 'a': 2}; d['k%d' % j] = j; b.y; len(d); [*h(j)]; [b.y for b in (b,)]\n"
    "    exec('def k():\\n    return %d' % i)\n"
    "    try:\n"
    "        raise KeyError(i)\n"
    "    except KeyError:\n"
    "        pass\n"
    "    with_lock = __import__('_thread').allocate_lock()\n"
    "    with with_lock:\n"
    "        pass\n"
    "kept = __import__('collections').deque(range(700))\n";

static struct {
    uintptr_t lo, hi;
    uint64_t *before;
} segments[MAX_SEGMENTS];
static int n_segments;

typedef struct calibration {
    uint32_t done, n_noisy;
    int granularity;
    uintptr_t noisy[SSBF_NOISY];
} calibration;

static calibration known[SSB_GIL + 1]; /* by granularity, for tracers change words too; written in the parent only */
static calibration *found;             /* in the arena: of this child */

/* Writable data of the file that holds the interpreter. */
static int find_segments(struct dl_phdr_info *info, size_t bytes, void *unused)
{
    (void)bytes;
    (void)unused;
    int holds_interpreter = 0;
    for (int k = 0; k < info->dlpi_phnum; k++)
        if (info->dlpi_phdr[k].p_type == PT_LOAD &&
            (uintptr_t)&PyType_Type - (info->dlpi_addr + info->dlpi_phdr[k].p_vaddr) < info->dlpi_phdr[k].p_memsz)
            holds_interpreter = 1;
    for (int k = 0; holds_interpreter && k < info->dlpi_phnum && n_segments < MAX_SEGMENTS; k++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[k];
        if (segment->p_type == PT_LOAD && segment->p_flags & PF_W) {
            segments[n_segments].lo = (info->dlpi_addr + segment->p_vaddr + 7) & ~(uintptr_t)7;
            segments[n_segments++].hi = (info->dlpi_addr + segment->p_vaddr + segment->p_memsz) & ~(uintptr_t)7;
        }
    }
    return holds_interpreter;
}

static int add_noisy(uintptr_t address)
{
    for (uint32_t i = 0; i < ssbf->n_noisy; i++)
        if (ssbf->noisy[i] == address)
            return 0;
    if (ssbf->n_noisy == SSBF_NOISY) {
        PyErr_SetString(PyExc_RuntimeError, "calibration: too many words of the interpreter change all the time");
        return -1;
    }
    ssbf->noisy[ssbf->n_noisy++] = address;
    return 0;
}

/* Words that differ from the copy taken before. */
static int note_changes(void)
{
    for (int s = 0; s < n_segments; s++) {
        const uint64_t *now = (const uint64_t *)segments[s].lo;
        for (size_t i = 0; i < (segments[s].hi - segments[s].lo) / 8; i++)
            if (now[i] != segments[s].before[i] && !ssbf_is_masked((uintptr_t)&now[i]) && add_noisy((uintptr_t)&now[i]))
                return -1;
    }
    return 0;
}

/* measure: also while the workout's objects live (free lists of modules fill up when they go). */
static int run_workout(int measure)
{
    PyObject *globals = PyDict_New();
    if (!globals || PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins()) < 0)
        return -1;
    PyObject *r = PyRun_String(workout, Py_file_input, globals, globals);
    int failed = !r || (measure && note_changes());
    PyDict_Clear(globals);
    Py_DECREF(globals);
    Py_XDECREF(r);
    PyGC_Collect();
    return failed || (measure && note_changes()) ? -1 : 0;
}

static int address_order(const void *a, const void *b)
{
    uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
    return x < y ? -1 : x > y;
}

/* Words of objects are owned by them; masked ones need no second mask. */
static int is_accounted_for(uintptr_t address)
{
    return ssbf_is_masked(address) || ssbf_owner_now(address) != SSBF_NOBODY;
}

int ssb_calibration_attach(void)
{
    found = ssb.engine->scratch_alloc(ssb.arena, sizeof *found);
    return found != NULL ? 0 : -1;
}

void ssb_calibration_keep(void)
{
    if (found->done && !known[found->granularity].done)
        known[found->granularity] = *found;
}

static int calibrate(void)
{
    n_segments = 0;
    dl_iterate_phdr(find_segments, NULL);
    if (run_workout(0)) /* once before: what is made on first use is no counter */
        return -1;
    if (ssbf_masks_build()) {
        PyErr_SetString(PyExc_RuntimeError, "too many memory ranges to mask");
        return -1;
    }
    for (int s = 0; s < n_segments; s++) {
        size_t bytes = segments[s].hi - segments[s].lo;
        segments[s].before = malloc(bytes);
        if (!segments[s].before)
            return -1;
        memcpy(segments[s].before, (void *)segments[s].lo, bytes);
    }
    int failed = run_workout(1);
    for (int s = 0; s < n_segments; s++)
        free(segments[s].before);
    qsort(ssbf->noisy, ssbf->n_noisy, sizeof *ssbf->noisy, address_order);
    return failed;
}

int ssbf_calibrate(void)
{
    const calibration *before = &known[ssb.granularity];
    ssbf->n_noisy = before->n_noisy;
    memcpy(ssbf->noisy, before->noisy, sizeof ssbf->noisy);
    if (!before->done && calibrate())
        return -1;
    *found = (calibration){.done = 1, .n_noisy = ssbf->n_noisy, .granularity = ssb.granularity};
    memcpy(found->noisy, ssbf->noisy, sizeof found->noisy);
    return 0;
}

void ssbf_calibrate_finish(void)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < ssbf->n_noisy; i++)
        if (!is_accounted_for(ssbf->noisy[i]))
            ssbf->noisy[n++] = ssbf->noisy[i];
    ssbf->n_noisy = n;
}

int ssbf_is_noisy(uintptr_t address)
{
    uint32_t lo = 0, hi = ssbf->n_noisy;
    while (lo < hi) {
        uint32_t middle = (lo + hi) / 2;
        if (ssbf->noisy[middle] < address)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo < ssbf->n_noisy && ssbf->noisy[lo] == address;
}

#else

int ssb_calibration_attach(void) { return 0; }
void ssb_calibration_keep(void) { }

#endif
