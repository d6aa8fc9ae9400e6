/* syscall_x86_64.S — the engine's only system-call instruction. See syscall.h. */
        .text
        .globl  ssi_syscall
        .hidden ssi_syscall
        .type   ssi_syscall, @function
ssi_syscall:
        .cfi_startproc
        mov     %rdi, %rax
        mov     %rsi, %rdi
        mov     %rdx, %rsi
        mov     %rcx, %rdx
        mov     %r8, %r10
        mov     %r9, %r8
        mov     8(%rsp), %r9
        syscall
        .globl  ssi_syscall_return
        .hidden ssi_syscall_return
ssi_syscall_return:
        ret
        .cfi_endproc
        .size   ssi_syscall, . - ssi_syscall
        .section .note.GNU-stack, "", @progbits
