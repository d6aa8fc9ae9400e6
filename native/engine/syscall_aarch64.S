/* syscall_aarch64.S — the engine's only system-call instruction. See syscall.h. */
        .text
        .globl  ssi_syscall
        .hidden ssi_syscall
        .type   ssi_syscall, %function
ssi_syscall:
        .cfi_startproc
        mov     x8, x0
        mov     x0, x1
        mov     x1, x2
        mov     x2, x3
        mov     x3, x4
        mov     x4, x5
        mov     x5, x6
        svc     #0
        .globl  ssi_syscall_return
        .hidden ssi_syscall_return
ssi_syscall_return:
        ret
        .cfi_endproc
        .size   ssi_syscall, . - ssi_syscall
        .section .note.GNU-stack, "", %progbits
