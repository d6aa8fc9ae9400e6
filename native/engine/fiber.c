/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ fiber.c — switching between simulated threads.                             │
 * │                                                                            │
 * │ A simulated thread is a stack plus a thread pointer. The pointer is set    │
 * │ before the stack is left: nothing between the two touches thread-local     │
 * │ memory.                                                                    │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "arch.h"
#include "engine_internal.h"

int ssi_fast_tls;

static __attribute__((constructor)) void find_fast_tls(void) { ssi_fast_tls = ssi_arch_fast_tls(); }

uintptr_t ss_thread_pointer(void) { return ssi_arch_tls(); }

void ss_context_make(ss_context *context, uintptr_t hi, uintptr_t tls, void (*entry)(void)) {
    ssi_stack_is_used(hi);
    context->sp = ssi_arch_stack_make(hi, entry);
    context->tls = tls;
}

void ss_switch(ss_context *save, const ss_context *to) {
    if (save == to) return; /* it goes on where it is; to->sp is of the time before */
    void *sp = to->sp;
    uintptr_t tls = to->tls;
    save->tls = ssi_arch_tls();
    if (tls != save->tls) ssi_arch_set_tls(tls, ssi_fast_tls);
    ssi_swap(&save->sp, sp);
}
