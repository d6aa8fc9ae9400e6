/* fiber_aarch64.S — stack switches of the AAPCS64.
 *
 * Saved on the old stack, lowest address first: fpcr and padding (16 bytes),
 * x19..x30 (96 bytes), d8..d15 (64 bytes). ssi_stack_make builds the same. */
        .text

/* void ssi_swap(void **save_sp, void *to_sp) */
        .globl  ssi_swap
        .hidden ssi_swap
        .type   ssi_swap, %function
ssi_swap:
        sub     sp, sp, #176
        mrs     x9, fpcr
        str     x9, [sp, #0]
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        stp     x23, x24, [sp, #48]
        stp     x25, x26, [sp, #64]
        stp     x27, x28, [sp, #80]
        stp     x29, x30, [sp, #96]
        stp     d8, d9, [sp, #112]
        stp     d10, d11, [sp, #128]
        stp     d12, d13, [sp, #144]
        stp     d14, d15, [sp, #160]
        mov     x9, sp
        str     x9, [x0]
        mov     sp, x1
        ldr     x9, [sp, #0]
        msr     fpcr, x9
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x25, x26, [sp, #64]
        ldp     x27, x28, [sp, #80]
        ldp     x29, x30, [sp, #96]
        ldp     d8, d9, [sp, #112]
        ldp     d10, d11, [sp, #128]
        ldp     d12, d13, [sp, #144]
        ldp     d14, d15, [sp, #160]
        add     sp, sp, #176
        ret
        .size   ssi_swap, . - ssi_swap

/* void ssi_call_on(uintptr_t stack_hi, void (*entry)(void)) */
        .globl  ssi_call_on
        .hidden ssi_call_on
        .type   ssi_call_on, %function
ssi_call_on:
        .cfi_startproc
        stp     x29, x30, [sp, #-16]!
        .cfi_def_cfa_offset 16
        .cfi_offset x29, -16
        .cfi_offset x30, -8
        mov     x29, sp
        .cfi_def_cfa_register x29
        and     x9, x0, #~63
        mov     sp, x9
        blr     x1
        mov     sp, x29
        ldp     x29, x30, [sp], #16
        .cfi_def_cfa sp, 0
        ret
        .cfi_endproc
        .size   ssi_call_on, . - ssi_call_on
        .section .note.GNU-stack, "", %progbits
