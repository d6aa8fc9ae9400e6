/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ frames.c — tokens of frames and of simulated threads.                      │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "fingerprint.h"
#include "explain.h"

#if SSB_CAN_FINGERPRINT

static void number(uint64_t n) { ssbf_raw(n); }

/* The frame goes through a set, and nobody else does with the same iterator: does the order make a difference? */
static void note_loop(ssb_frame *frame, int n, PyObject *iterator)
{
    Py_ssize_t held = 0;
    if (!ssbf_may_walk_sets(ssb_frame_code(frame)))
        return;
    for (int i = 0; i < n; i++) {
        uint64_t place;
        held += !ssb_frame_number(frame, i, &place) && ssb_frame_value(frame, i) == iterator;
    }
    if (held == Py_REFCNT(iterator) && ssbf->n_loops < SSBF_LOOPS)
        ssbf->loops[ssbf->n_loops++] = iterator;
}

void ssbf_frame(ssb_frame *frame)
{
    PyCodeObject *code = ssb_frame_code(frame);
    int depth, unit = ssbf_instruction(frame, &depth), top = ssb_frame_stacktop(frame);
    ssbf_reference((PyObject *)code);
    ssbf_raw((uint64_t)(int64_t)unit);
    ssbf_reference(ssb_frame_function(frame));
    ssbf_reference(ssb_frame_locals(frame));
    int n = top >= 0 ? top : code->co_nlocalsplus + depth;
    ssbf_count((uint64_t)n);
    for (int i = 0; i < n; i++) {
        uint64_t place;
        if (ssbf_explaining && i < code->co_nlocalsplus)
            SSBF_EDGE_LOCAL(PyTuple_GET_ITEM(code->co_localsplusnames, i));
        else
            SSBF_EDGE_INDEX(i - code->co_nlocalsplus);
        if (ssb_frame_number(frame, i, &place)) {
            ssbf_raw(place);
            continue;
        }
        PyObject *value = ssb_frame_value(frame, i);
        if (value && Py_TYPE(value) == &PySetIter_Type)
            note_loop(frame, n, value);
        ssbf_reference(value);
    }
    PyFrameObject *o = ssb_frame_object(frame);
    if (o)
        ssb_frame_object_tokens(o, ssbf_reference);
    int traced = o && (o->f_trace || !o->f_trace_lines || o->f_trace_opcodes);
    ssbf_count((uint64_t)traced);
    if (traced) {
        ssbf_reference(o->f_trace);
        ssbf_count((uint64_t)(unsigned char)o->f_trace_lines * 2 + (uint64_t)(unsigned char)o->f_trace_opcodes);
    }
}

/* Frames of a thread above the start of the exploration. */
static uint32_t collect_frames(const ssb_thread *t, ssb_frame **frames)
{
    uint32_t n = 0;
    for (ssb_frame *f = ssb_thread_frame(t->tstate); f && f != ssbf->base_frame; f = ssb_frame_previous(f)) {
        if (n == SSBF_FRAMES) {
            ssbf_fail("a thread has too many frames");
            return 0;
        }
        frames[n++] = f;
    }
    return n;
}

typedef struct stack_names {
    uint32_t thread, n;
} stack_names;

static void name_frame_stack(uintptr_t start, void *user)
{
    stack_names *names = user;
    if (ssb_heap_is_new(start))
        ssbf_predefine(start, names->thread << 16 | (0xffffu - ++names->n));
}

/* A thread state, its frame stacks and the frame objects of running frames are named by thread and depth. */
static void name_frames(uint32_t i)
{
    const ssb_thread *t = &ssb.threads[i];
    uintptr_t start;
    uint32_t bytes, depth = 0;
    if (ssb_heap_find((uintptr_t)t->tstate, &start, &bytes))
        ssbf_predefine(start, i << 16 | 0xffff);
    stack_names names = {i, 0};
    ssb_each_frame_stack(t->tstate, name_frame_stack, &names);
    for (ssb_frame *f = ssb_thread_frame(t->tstate); f && f != ssbf->base_frame; f = ssb_frame_previous(f))
        depth++;
    for (ssb_frame *f = ssb_thread_frame(t->tstate); f && f != ssbf->base_frame; f = ssb_frame_previous(f), depth--)
        if (ssb_frame_object(f) && !ssb_frame_is_generators(f))
            ssbf_predefine((uintptr_t)ssb_frame_object(f), i << 16 | depth);
}

static void scheduling(uint32_t i)
{
    const ssb_thread *t = &ssb.threads[i];
    if (ssbf_explaining) {
        ssbf_explain_owner(SSBX_THREAD, i, NULL);
        ssbf_explain_alike((uint64_t)t->status << 8 | t->operation);
    }
    uint64_t parts[] = {1000 + i, t->status, t->operation, t->access, t->timed_out, t->bookkeeping, t->ended, t->in_hook, t->part};
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
        ssbf_count(parts[k]);
    if (ssb.granularity == SSB_GIL)
        ssbf_count(t->may_switch);
    ssbf_raw(t->deadline_ns == SSB_NO_DEADLINE ? ~0ull : (uint64_t)(t->deadline_ns - ssb.clock_ns));
    ssbf_reference(t->object);
    ssbf_reference(t->function);
    ssbf_reference(t->args);
    ssbf_reference(t->kwargs);
    ssbf_reference(t->handle);
}

static void note_frame(uint32_t thread, uint32_t depth, ssb_frame *frame)
{
    int unused;
    ssbf_explain_owner(SSBX_FRAME, thread << 16 | depth, ssb_frame_code(frame)->co_qualname);
    ssbf_explain_alike((uint64_t)(uintptr_t)ssb_frame_code(frame) + (uint64_t)ssbf_instruction(frame, &unused));
}

static void running(uint32_t i)
{
    ssb_frame **frames = ssbf->frames; /* arena memory: the agent's stack is small */
    const ssb_thread *t = &ssb.threads[i];
    uint32_t n = collect_frames(t, frames);
    ssbf_count(n);
    for (uint32_t k = n; k-- > 0;) {
        if (ssbf_explaining)
            note_frame(i, n - k, frames[k]);
        if (ssb_frame_is_generators(frames[k]))
            ssbf_reference(ssb_frame_generator(frames[k]));
        else
            ssbf_frame(frames[k]);
    }
    ssbf_hidden(i, frames, n);
    ssb_thread_tokens(t->tstate, number, ssbf_reference);
    ssb_each_task(t->tstate, ssbf_word);
}

void ssbf_threads(void)
{
    for (uint32_t i = 0; i < ssb.n_threads; i++)
        if (ssb.threads[i].tstate && ssb.threads[i].status != SSB_DONE)
            name_frames(i);
    ssbf_count(ssb.n_threads);
    ssbf_raw((uint64_t)ssb.clock_ns);
    ssbf_raw(ssb.random_counter);
    for (uint32_t i = 0; i < ssb.n_threads; i++) {
        scheduling(i);
        ssbf_count(ssb.threads[i].tstate != NULL);
        if (ssb.threads[i].tstate && ssb.threads[i].status != SSB_DONE)
            running(i);
    }
}

#endif
