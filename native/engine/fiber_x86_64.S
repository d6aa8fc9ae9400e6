/* fiber_x86_64.S — stack switches of the System V ABI.
 *
 * Saved on the old stack, lowest address first: mxcsr and x87 control word
 * (8 bytes), r15, r14, r13, r12, rbx, rbp, return address. ssi_stack_make
 * builds the same picture. */
        .text

/* void ssi_swap(void **save_sp, void *to_sp) */
        .globl  ssi_swap
        .hidden ssi_swap
        .type   ssi_swap, @function
ssi_swap:
        push    %rbp
        push    %rbx
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        sub     $8, %rsp
        stmxcsr (%rsp)
        fnstcw  4(%rsp)
        mov     %rsp, (%rdi)
        mov     %rsi, %rsp
        ldmxcsr (%rsp)
        fldcw   4(%rsp)
        add     $8, %rsp
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbx
        pop     %rbp
        ret
        .size   ssi_swap, . - ssi_swap

/* void ssi_call_on(uintptr_t stack_hi, void (*entry)(void)) */
        .globl  ssi_call_on
        .hidden ssi_call_on
        .type   ssi_call_on, @function
ssi_call_on:
        .cfi_startproc
        push    %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        mov     %rsp, %rbp
        .cfi_def_cfa_register %rbp
        and     $-64, %rdi
        mov     %rdi, %rsp
        call    *%rsi
        mov     %rbp, %rsp
        pop     %rbp
        .cfi_def_cfa %rsp, 8
        ret
        .cfi_endproc
        .size   ssi_call_on, . - ssi_call_on
        .section .note.GNU-stack, "", @progbits
