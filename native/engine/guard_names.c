/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ guard_names.c — names of refused system calls, and why they are refused.   │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "engine_internal.h"
#include "syscall.h"

#define MEMORY "memory layout"
#define MAPPING "new memory mapping"
#define PROCESS "new process or thread"
#define PROGRAM "another program"
#define NETWORK "network or local socket"
#define FILES "change of the file system"
#define DESCRIPTOR "file descriptor that can't be rewound"
#define WAITING "blocks outside Python"
#define TIMER "kernel timer"
#define SIGNAL "signal to another process"
#define STATE "process state in the kernel"

static const struct {
    long number;
    const char *name, *why;
} calls[] = {
#define CALL(name, why) {SYS_##name, #name, why}
    CALL(mmap, MAPPING), CALL(munmap, MEMORY), CALL(mremap, MEMORY), CALL(brk, "heap growth"), CALL(mprotect, MEMORY),
    CALL(madvise, MEMORY), CALL(mlock, MEMORY), CALL(shmat, MAPPING), CALL(memfd_create, DESCRIPTOR),
    CALL(clone, PROCESS), CALL(clone3, PROCESS), CALL(execve, PROGRAM), CALL(execveat, PROGRAM), CALL(wait4, PROGRAM),
    CALL(waitid, PROGRAM), CALL(socket, NETWORK), CALL(socketpair, NETWORK), CALL(connect, NETWORK), CALL(bind, NETWORK),
    CALL(listen, NETWORK), CALL(accept, NETWORK), CALL(accept4, NETWORK), CALL(sendto, NETWORK), CALL(sendmsg, NETWORK),
    CALL(recvfrom, NETWORK), CALL(recvmsg, NETWORK), CALL(shutdown, NETWORK), CALL(setsockopt, NETWORK),
    CALL(openat, "opening for writing, or something that is no plain file"), CALL(read, DESCRIPTOR), CALL(pread64, DESCRIPTOR),
    CALL(readv, DESCRIPTOR), CALL(write, DESCRIPTOR), CALL(pwrite64, DESCRIPTOR), CALL(writev, DESCRIPTOR), CALL(lseek, DESCRIPTOR),
    CALL(close, "file that was open before the test"), CALL(dup, DESCRIPTOR), CALL(dup3, DESCRIPTOR), CALL(fcntl, DESCRIPTOR),
    CALL(ioctl, DESCRIPTOR), CALL(pipe2, DESCRIPTOR), CALL(eventfd2, DESCRIPTOR), CALL(epoll_create1, DESCRIPTOR),
    CALL(epoll_ctl, DESCRIPTOR), CALL(epoll_pwait, WAITING), CALL(timerfd_create, TIMER), CALL(signalfd4, DESCRIPTOR),
    CALL(inotify_init1, DESCRIPTOR), CALL(sendfile, DESCRIPTOR), CALL(copy_file_range, FILES), CALL(ftruncate, FILES),
    CALL(truncate, FILES), CALL(fallocate, FILES), CALL(fsync, FILES), CALL(fdatasync, FILES), CALL(flock, FILES),
    CALL(unlinkat, FILES), CALL(renameat2, FILES), CALL(mkdirat, FILES), CALL(linkat, FILES), CALL(symlinkat, FILES),
    CALL(mknodat, FILES), CALL(fchmod, FILES), CALL(fchmodat, FILES), CALL(fchown, FILES), CALL(fchownat, FILES),
    CALL(utimensat, FILES), CALL(setxattr, FILES), CALL(mount, FILES), CALL(nanosleep, WAITING), CALL(clock_nanosleep, WAITING),
    CALL(futex, "blocks in C code: no simulated thread can wake it"), CALL(ppoll, WAITING), CALL(pselect6, WAITING),
    CALL(rt_sigtimedwait, WAITING), CALL(rt_sigsuspend, WAITING), CALL(kill, SIGNAL), CALL(tkill, SIGNAL), CALL(tgkill, SIGNAL),
    CALL(rt_sigqueueinfo, SIGNAL), CALL(setitimer, TIMER), CALL(timer_create, TIMER), CALL(chdir, STATE), CALL(fchdir, STATE),
    CALL(umask, STATE), CALL(setpriority, STATE), CALL(sched_setaffinity, STATE), CALL(sched_setscheduler, STATE),
    CALL(prlimit64, STATE), CALL(prctl, STATE), CALL(setuid, STATE), CALL(setgid, STATE), CALL(setsid, STATE), CALL(setpgid, STATE),
    CALL(ptrace, "another process"), CALL(process_vm_readv, "another process"), CALL(process_vm_writev, "another process"),
    CALL(io_uring_setup, DESCRIPTOR), CALL(userfaultfd, DESCRIPTOR), CALL(seccomp, STATE), CALL(bpf, DESCRIPTOR),
    CALL(getrandom, "random numbers from the kernel"), CALL(msgget, "System V IPC"), CALL(semget, "System V IPC"),
    CALL(shmget, "System V IPC"), CALL(exit, "end of the process"), CALL(exit_group, "end of the process"),
    CALL(rt_sigaction, STATE), CALL(sigaltstack, STATE),
#ifdef SYS_open /* calls that newer architectures do not have */
    CALL(open, "opening for writing, or something that is no plain file"), CALL(creat, FILES), CALL(unlink, FILES),
    CALL(rename, FILES), CALL(renameat, FILES), CALL(mkdir, FILES), CALL(rmdir, FILES), CALL(link, FILES), CALL(symlink, FILES),
    CALL(mknod, FILES), CALL(chmod, FILES), CALL(chown, FILES), CALL(lchown, FILES), CALL(utime, FILES), CALL(utimes, FILES),
    CALL(fork, PROCESS), CALL(vfork, PROCESS), CALL(dup2, DESCRIPTOR), CALL(pipe, DESCRIPTOR), CALL(eventfd, DESCRIPTOR),
    CALL(epoll_create, DESCRIPTOR), CALL(epoll_wait, WAITING), CALL(poll, WAITING), CALL(select, WAITING), CALL(pause, WAITING),
    CALL(alarm, TIMER), CALL(arch_prctl, STATE), CALL(inotify_init, DESCRIPTOR),
#endif
#undef CALL
};

const char *ssi_call_name(long number, const char **why) {
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (calls[i].number == number) {
            *why = calls[i].why;
            return calls[i].name;
        }
    *why = "can't be rewound";
    return NULL;
}
