/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ code.c — which values on a frame's stack are alive.                        │
 * │                                                                            │
 * │ While a frame calls into C its stack pointer lives in a C register. The    │
 * │ depth at each instruction follows from the code alone: a walk over control │
 * │ flow and exception table with the stack effects CPython publishes.         │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#define SSB_NEED_OPCODES
#include "fingerprint.h"

#if SSB_CAN_FINGERPRINT

#include "opcodes.h"
#include "runtime.h"

int ssbf_opcode_at(PyCodeObject *code, int unit) { return ssb_unit_opcode(code, unit); }
int ssbf_argument_at(PyCodeObject *code, int unit) { return ssb_unit_argument(code, unit); }
static int is_hushed(PyCodeObject *code, int unit)
{
    if (unit == 0 || !ssb_opcode_hushes(ssb_unit_opcode(code, unit - 1)))
        return 0;
    int at = 0; /* what looks like an instruction may belong to the one before it */
    while (at < unit - 1)
        at = ssbf_next_unit(code, at);
    return at == unit - 1;
}

enum ssbf_switching ssbf_switching_at(PyCodeObject *code, int unit)
{
    int op = ssb_unit_opcode(code, unit);
    if (ssb_opcode_is_extended(op))
        return SSBF_PREFIX;
    if (ssb_opcode_checks_after(op))
        return is_hushed(code, unit) ? SSBF_NO_SWITCH : SSBF_SWITCH_AFTER;
    if (ssb_opcode_checks_jumping(op))
        return SSBF_SWITCH_JUMP;
    return ssb_opcode_is_silent_resume(op, ssb_unit_argument(code, unit)) ? SSBF_SILENT_RESUME : SSBF_NO_SWITCH;
}
int ssbf_next_unit(PyCodeObject *code, int unit) { return unit + 1 + ssb_opcode_caches[ssb_unit_opcode(code, unit)]; }

int ssb_instruction_at(PyCodeObject *code, int unit)
{
    int last = -1;
    for (int at = 0, n = ssb_code_units(code); at <= unit && at < n; at = ssbf_next_unit(code, at))
        last = at;
    return last < 0 ? -1 : ssb_instruction_of_call(code, last);
}

static int exception_varint(const unsigned char **p)
{
    int value = **p & 63;
    while (*(*p)++ & 64)
        value = value << 6 | (**p & 63);
    return value;
}

/* One stretch of code from `unit` on, until it is known or ends. Jump targets go to the work list. */
static int walk_from(PyCodeObject *code, int16_t *depths, int n, int unit, uint32_t *n_work)
{
    int argument = 0;
    for (int at = unit;;) {
        int op = ssb_unit_opcode(code, at), next = at + 1 + ssb_opcode_caches[op], depth = depths[at];
        argument = argument << 8 | ssb_unit_argument(code, at);
        if (ssb_opcode_is_extended(op)) {
            if (next >= n)
                return -1;
            depths[next] = (int16_t)depth;
            at = next;
            continue;
        }
        if (ssb_opcode_jumps(op)) {
            int target = ssb_opcode_jumps_back(op) ? next - argument : next + argument;
            int there = depth + ssb_stack_effect(op, argument, 1);
            if (target < 0 || target >= n || there < 0 || there > code->co_stacksize)
                return -1;
            if (depths[target] < 0) {
                depths[target] = (int16_t)there;
                ssbf->work_list[(*n_work)++] = (uint32_t)target;
            }
        }
        if (ssb_opcode_ends_block(op) || next >= n)
            return 0;
        int after = depth + ssb_stack_effect(op, argument, 0);
        if (after < 0 || after > code->co_stacksize)
            return -1;
        if (depths[next] >= 0)
            return 0;
        depths[next] = (int16_t)after;
        at = next;
        argument = 0;
    }
}

static int analyse(PyCodeObject *code, int16_t *depths)
{
    int n = ssb_code_units(code);
    for (int i = 0; i < n; i++)
        depths[i] = -1;
    uint32_t n_work = 0;
    depths[0] = (int16_t)ssb_code_first_depth(code);
    ssbf->work_list[n_work++] = 0;
    for (;;) {
        while (n_work)
            if (walk_from(code, depths, n, (int)ssbf->work_list[--n_work], &n_work))
                return -1;
        const unsigned char *p = (const unsigned char *)PyBytes_AS_STRING(code->co_exceptiontable);
        const unsigned char *end = p + Py_SIZE(code->co_exceptiontable);
        while (p < end) {
            exception_varint(&p);
            exception_varint(&p);
            int target = exception_varint(&p), depth_lasti = exception_varint(&p);
            if (target < n && depths[target] < 0) {
                depths[target] = (int16_t)((depth_lasti >> 1) + (depth_lasti & 1) + 1);
                ssbf->work_list[n_work++] = (uint32_t)target;
            }
        }
        if (!n_work)
            return 0;
    }
}

const int16_t *ssbf_depths(PyCodeObject *code)
{
    int b = ssbf->afresh ? -1 : ssbf_find_object((uintptr_t)code);
    if (b >= 0 && ssbf_base((uint32_t)b)->depths)
        return ssbf->objects[b].depths;
    int n = ssb_code_units(code);
    if (n <= 0 || n > (int)SSBF_CODE_MAX)
        return NULL;
    int16_t *depths = ssbf->depth_work;
    if (b >= 0) {
        if (ssbf->n_depths + (uint32_t)n > ssbf->max_depths)
            return NULL;
        depths = ssbf->depth_pool + ssbf->n_depths;
    }
    if (analyse(code, depths))
        return NULL;
    if (b >= 0) { /* the code of the base state does not change: keep it */
        ssbf->n_depths += (uint32_t)n;
        ssbf->objects[b].depths = depths;
    }
    return depths;
}

int ssbf_normal_unit(PyCodeObject *code, int unit)
{
    const int16_t *depths = ssbf_depths(code);
    if (unit < 0)
        return unit;
    if (!depths || unit >= ssb_code_units(code)) {
        ssbf_fail("a function could not be analysed");
        return 0;
    }
    while (unit > 0 && depths[unit] < 0) /* caches belong to the instruction before them */
        unit--;
    return ssb_instruction_of_call(code, unit);
}

int ssbf_instruction(ssb_frame *frame, int *depth)
{
    PyCodeObject *code = ssb_frame_code(frame);
    int unit = ssb_frame_unit(frame);
    *depth = 0;
    if (unit < 0)
        return -1;
    const int16_t *depths = ssbf_depths(code);
    if (!depths || unit >= ssb_code_units(code)) {
        ssbf_fail("a function could not be analysed");
        return -1;
    }
    while (unit > 0 && depths[unit] < 0)
        unit--;
    if (depths[unit] < 0) {
        ssbf_fail("the stack depth of an instruction is unknown");
        return -1;
    }
    *depth = depths[unit];
    return ssb_frame_stacktop(frame) < 0 ? ssb_instruction_of_call(code, unit) : unit;
}

void ssbf_code_units(PyCodeObject *code)
{
    int n = ssb_code_units(code);
    ssbf_count((uint64_t)n);
    for (int i = 0; i < n;) {
        int op = ssb_unit_opcode(code, i);
        ssbf_count((uint64_t)op << 8 | (uint64_t)ssb_unit_argument(code, i));
        i += 1 + ssb_opcode_caches[op];
    }
}

#endif
