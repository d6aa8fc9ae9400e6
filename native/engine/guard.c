/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ guard.c — nothing that can't be rewound happens unnoticed.                 │
 * │                                                                            │
 * │ A seccomp filter lets some queries pass and turns every other system call  │
 * │ of the child into SIGSYS; the handler performs the few that are harmless   │
 * │ under conditions (reading a plain file, writing to standard output) and    │
 * │ ends the path for the rest, before anything happened. The filter exempts   │
 * │ the engine's own system-call instruction and can't be removed: child only. │
 * │                                                                            │
 * │ Calls that write memory pass through the handler too: it can repeat them   │
 * │ when they met memory without write permission (quiet.c, tracker_mprotect). │
 * │                                                                            │
 * │ The handler runs on the stack of the simulated thread (no SA_ONSTACK: an   │
 * │ alternate stack would be shared by all) and with SA_NODEFER, so that       │
 * │ leaving it for another path keeps the signal mask as it was. That of first │
 * │ writes to quiet memory always goes back, and has a stack in the arena: it  │
 * │ must leave no trace on a stack that may become part of a state.            │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>

#include "arch.h"
#include "engine_internal.h"

#define STDOUT 1
#define STDERR 2
#define TCGETS_2 0x802c542aul /* TCGETS2, whose header can't be had beside <termios.h>: isatty() from glibc 2.42 on */

static ss_arena *guarded;         /* ordinary memory, set before the base snapshot */
static uint64_t random_counter;   /* ordinary memory: getrandom rewinds */
static struct sigaction previous[2]; /* SIGSYS and SIGSEGV before us */
static stack_t previous_stack;
/* Signal handlers as the program set them. Ordinary memory: after a restore it
 * says what the kernel should have, and arena->actions what it has. */
static ssi_action actions[SSI_SIGNALS];
#define SIGNAL_BIT(signal) (UINT64_C(1) << ((signal) - 1))
#define OURS (SIGNAL_BIT(SIGSYS) | SIGNAL_BIT(SIGSEGV))

/* ---- ending the path --------------------------------------------------------------- */

static void add_where(ss_arena *arena, ssi_text *text) {
    if (!arena->setup.describe) return;
    char where[SS_DETAIL_BYTES / 2];
    where[0] = 0;
    arena->setup.describe(arena->setup.user, where, sizeof where);
    where[sizeof where - 1] = 0;
    if (where[0]) ssi_text_add(text, " at ");
    ssi_text_add(text, where);
}

static _Noreturn void refuse_text(const char *what) {
    ss_arena *arena = guarded;
    ssi_text text = ssi_text_on(arena->text, sizeof arena->text);
    ssi_text_add(&text, what);
    add_where(arena, &text);
    ss_end_path(arena, SS_END_UNSUPPORTED, arena->text);
}

static _Noreturn void refuse_call(long number, const char *reason) {
    char what[256];
    ssi_text text = ssi_text_on(what, sizeof what);
    const char *why, *name = ssi_call_name(number, &why);
    if (name)
        ssi_text_add(&text, name);
    else {
        ssi_text_add(&text, "system call ");
        ssi_text_add_number(&text, number);
    }
    ssi_text_add(&text, " (");
    ssi_text_add(&text, reason ? reason : why);
    ssi_text_add(&text, ")");
    refuse_text(what);
}

static _Noreturn void exited(int status) {
    ssi_text text = ssi_text_on(guarded->text, sizeof guarded->text);
    ssi_text_add(&text, "crash: os._exit(");
    ssi_text_add_number(&text, status & 0xff);
    ssi_text_add(&text, ")");
    ss_end_path(guarded, SS_END_FAILED, guarded->text);
}

/* ---- system calls that only ask ---------------------------------------------------------- */

/* These write no memory: the filter lets them pass. */
static const uint16_t silent[] = {
    SYS_rt_sigreturn, SYS_getpid, SYS_gettid, SYS_getppid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getpgid,
    SYS_getsid, SYS_getpriority, SYS_sched_yield, SYS_sched_getscheduler, SYS_sched_get_priority_max,
    SYS_sched_get_priority_min, SYS_faccessat, SYS_faccessat2, SYS_membarrier,
#ifdef SYS_open
    SYS_access, SYS_getpgrp,
#endif
};
#define N_SILENT (sizeof silent / sizeof *silent)

/* These write their answer into memory of the caller. */
static const uint16_t answering[] = {
    SYS_rt_sigpending, SYS_getresuid, SYS_getresgid, SYS_getgroups, SYS_clock_gettime, SYS_clock_getres, SYS_gettimeofday,
    SYS_times, SYS_getrusage, SYS_sysinfo, SYS_uname, SYS_getcpu, SYS_sched_getaffinity, SYS_sched_getparam, SYS_getcwd,
    SYS_fstat, SYS_newfstatat, SYS_statx, SYS_statfs, SYS_fstatfs, SYS_readlinkat, SYS_getxattr, SYS_lgetxattr, SYS_fgetxattr,
    SYS_listxattr, SYS_capget, SYS_getitimer, SYS_mincore, SYS_get_robust_list,
#ifdef SYS_open
    SYS_stat, SYS_lstat, SYS_readlink, SYS_time, SYS_getrlimit,
#endif
};
#define N_ANSWERING (sizeof answering / sizeof *answering)

static int only_answers(long number) {
    for (size_t i = 0; i < N_ANSWERING; i++)
        if (answering[i] == number) return 1;
    return 0;
}

/* The kernel is about to write here, and might stop half-way at memory without write permission. */
static void will_be_written(const void *at, size_t bytes) {
    uintptr_t lo = (uintptr_t)at, hi = bytes > UINTPTR_MAX - lo ? UINTPTR_MAX : lo + bytes;
    if (!bytes) return;
    ssi_quiet_wake(guarded, lo);
    ssi_quiet_wake(guarded, hi - 1);
    ssi_tracker_open_up(guarded->tracker, &guarded->tracked, lo, hi);
}

/* The kernel met memory that it could not write. Where, it does not say. Is there any that it could not write because of us? */
static int give_back_permission(void) {
    int woken = ssi_quiet_wake_all(guarded);
    return ssi_tracker_open_up(guarded->tracker, &guarded->tracked, 0, UINTPTR_MAX) || woken;
}

/* ---- files: reading only, and closed before the next choice point -------------------- */

static int is_own_file(int fd) {
    for (uint32_t i = 0; i < guarded->n_files; i++)
        if (guarded->files[i] == fd) return 1;
    return 0;
}

static long remember_file(long fd) {
    if (fd < 0) return fd;
    if (guarded->n_files == SSI_MAX_FILES) {
        SSI_SYSCALL(SYS_close, fd);
        return -EMFILE;
    }
    guarded->files[guarded->n_files++] = (int)fd;
    return fd;
}

static long close_file(int fd) {
    for (uint32_t i = 0; i < guarded->n_files; i++)
        if (guarded->files[i] == fd) {
            guarded->files[i] = guarded->files[--guarded->n_files];
            return SSI_SYSCALL(SYS_close, fd);
        }
    refuse_call(SYS_close, NULL);
}

void ssi_guard_close_files(ss_arena *arena) {
    while (arena->n_files) SSI_SYSCALL(SYS_close, arena->files[--arena->n_files]);
}

static int is_random(const struct stat *status) {
    enum { RANDOM = 1 << 8 | 8, URANDOM = 1 << 8 | 9 }; /* major and minor numbers of the devices, the kernel's for ever */
    return S_ISCHR(status->st_mode) && (status->st_rdev == RANDOM || status->st_rdev == URANDOM);
}

const char *ssi_guard_kept_open(ss_arena *arena) {
    if (!arena->n_files) return NULL;
    char link[32], name[SS_DETAIL_BYTES / 4];
    ssi_text path = ssi_text_on(link, sizeof link), text = ssi_text_on(arena->text, sizeof arena->text);
    ssi_text_add(&path, "/proc/self/fd/");
    ssi_text_add_number(&path, arena->files[0]);
    long bytes = SSI_SYSCALL(SYS_readlinkat, AT_FDCWD, link, name, sizeof name - 1);
    name[bytes > 0 ? bytes : 0] = 0;
    ssi_text_add(&text, "file kept open across a choice point (");
    ssi_text_add(&text, name);
    ssi_text_add(&text, ")");
    add_where(arena, &text);
    return arena->text;
}

/* O_NONBLOCK in between: opening a FIFO must not block before it can be refused. */
static long open_file(long number, int directory, const char *path, int flags) {
    if ((flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC | O_APPEND)) || (flags & O_TMPFILE) == O_TMPFILE)
        refuse_call(number, NULL);
    long fd = SSI_SYSCALL(SYS_openat, directory, path, flags | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0) return fd;
    struct stat status;
    /* The shape of struct stat is the kernel's on both supported architectures. */
    if (SSI_SYSCALL(SYS_fstat, fd, &status) < 0 || !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || is_random(&status))) {
        SSI_SYSCALL(SYS_close, fd);
        refuse_call(number, NULL);
    }
    return remember_file(fd);
}

static long random_bytes(uint8_t *out, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        uint64_t z = ++random_counter * UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        out[i] = (uint8_t)(z ^ z >> 31);
    }
    return (long)bytes;
}

/* What the device gives can't be had again: its bytes are made as those of getrandom are. */
static int reads_random(long number, int fd) {
    struct stat status;
    if (SSI_SYSCALL(SYS_fstat, fd, &status) < 0 || !is_random(&status)) return 0;
    if (number != SYS_read) refuse_call(number, NULL);
    return 1;
}

static long descriptor_call(long number, const long *a) {
    int fd = (int)a[0], own = is_own_file(fd);
    switch (number) {
    case SYS_close:
        return close_file(fd);
    case SYS_ioctl:
        if ((unsigned long)a[1] == TCGETS || (unsigned long)a[1] == TCGETS_2) break;
        if (own && (a[1] == FIONREAD || a[1] == FIOCLEX || a[1] == FIONCLEX)) break;
        refuse_call(number, NULL);
    case SYS_fcntl:
        if (a[1] == F_GETFD || a[1] == F_GETFL || (own && a[1] == F_SETFD)) break;
        if (own && (a[1] == F_DUPFD || a[1] == F_DUPFD_CLOEXEC)) return remember_file(ssi_syscall(number, a[0], a[1], a[2], 0, 0, 0));
        refuse_call(number, NULL);
    case SYS_lseek:
        if (own || (a[1] == 0 && a[2] == SEEK_CUR)) break;
        refuse_call(number, NULL);
    default: /* read, readv, pread64, getdents64, fadvise64 */
        if (!own) refuse_call(number, NULL);
    }
    if ((number == SYS_read || number == SYS_pread64 || number == SYS_readv) && reads_random(number, fd))
        return random_bytes((uint8_t *)a[1], (size_t)a[2]);
    if (number == SYS_read || number == SYS_pread64 || number == SYS_getdents64) will_be_written((void *)a[1], (size_t)a[2]);
    if (number == SYS_readv)
        for (long i = 0; i < a[2]; i++) will_be_written(((struct iovec *)a[1])[i].iov_base, ((struct iovec *)a[1])[i].iov_len);
    return ssi_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static long write_output(long number, int fd, const struct iovec *parts, long n) {
    if (fd != STDOUT && fd != STDERR) refuse_call(number, NULL);
    long written = 0;
    for (long i = 0; i < n; i++) {
        /* Beyond the limit output is dropped; the program can't do anything about it. */
        ss_capture_append(fd, parts[i].iov_base, parts[i].iov_len);
        written += (long)parts[i].iov_len;
    }
    return written;
}

/* ---- other calls that are harmless under a condition ------------------------------------ */

static long futex(const long *a) {
    int operation = (int)a[1] & FUTEX_CMD_MASK;
    const uint32_t *word = (const uint32_t *)a[0];
    if (operation == FUTEX_WAKE_OP || operation == FUTEX_UNLOCK_PI) return ssi_syscall(SYS_futex, a[0], a[1], a[2], a[3], a[4], a[5]);
    if ((operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET) && *word != (uint32_t)a[2]) return -EAGAIN;
    refuse_call(SYS_futex, NULL);
}

static long advise(const long *a) {
    switch (a[2]) { /* hints: nothing depends on whether they are followed */
    case MADV_NORMAL: case MADV_RANDOM: case MADV_SEQUENTIAL: case MADV_WILLNEED: case MADV_HUGEPAGE: case MADV_NOHUGEPAGE:
    case MADV_DONTDUMP: case MADV_DODUMP:
        return 0;
    }
    refuse_call(SYS_madvise, NULL);
}

static long signal_self(long number, const long *a) {
    long pid = SSI_SYSCALL(SYS_getpid), tid = SSI_SYSCALL(SYS_gettid);
    int to_self = number == SYS_tgkill ? a[0] == pid && a[1] == tid : number == SYS_tkill ? a[0] == tid : a[0] == pid;
    if (!to_self) refuse_call(number, NULL);
    return ssi_syscall(number, a[0], a[1], a[2], 0, 0, 0);
}

/* Our signals stay unblocked: blocked, they would kill the process without a word.
 * The mask in force after the handler is the one saved in its frame. */
static long change_mask(ucontext_t *u, const long *a) {
    if (a[3] != sizeof(uint64_t)) return -EINVAL;
    uint64_t *mask = (uint64_t *)(void *)&u->uc_sigmask, old = *mask, set = 0;
    if (a[1]) {
        memcpy(&set, (const void *)a[1], sizeof set);
        set &= ~(OURS | SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP));
        switch (a[0]) {
        case SIG_BLOCK:
            *mask |= set;
            break;
        case SIG_UNBLOCK:
            *mask &= ~set;
            break;
        case SIG_SETMASK:
            *mask = set;
            break;
        default:
            return -EINVAL;
        }
    }
    if (a[2]) memcpy((void *)a[2], &old, sizeof old);
    return 0;
}

static long change_action(const long *a) {
    int signal = (int)a[0];
    if (signal == SIGSEGV && a[3] == sizeof(uint64_t)) { /* the kernel keeps our handler, which calls the program's */
        ssi_action old = actions[signal - 1];
        if (a[1]) memcpy(&actions[signal - 1], (const void *)a[1], sizeof old);
        if (a[2]) memcpy((void *)a[2], &old, sizeof old);
        return 0;
    }
    if (!a[1] || signal < 1 || signal > SSI_SIGNALS) return ssi_syscall(SYS_rt_sigaction, a[0], a[1], a[2], a[3], 0, 0);
    if (signal == SIGSYS) refuse_call(SYS_rt_sigaction, "the signal of the system-call guard");
    if (!ssi_is_readable((uintptr_t)a[1])) return -EFAULT;
    ssi_action action;
    memcpy(&action, (const void *)a[1], sizeof action);
    action.words[3] &= ~OURS; /* also while its handler runs */
    if (a[2]) will_be_written((void *)a[2], sizeof action); /* the call could not be repeated: it would find the new action */
    long rc = ssi_syscall(SYS_rt_sigaction, a[0], (long)&action, a[2], a[3], 0, 0);
    if (!rc) {
        actions[signal - 1] = action;
        guarded->actions[signal - 1] = actions[signal - 1];
        guarded->changed_actions |= SIGNAL_BIT(signal);
    }
    return rc;
}

void ssi_guard_restore_actions(ss_arena *arena) {
    for (uint64_t left = arena->changed_actions; left; left &= left - 1) {
        int i = __builtin_ctzll(left);
        if (!memcmp(&actions[i], &arena->actions[i], sizeof *actions)) continue;
        SSI_SYSCALL(SYS_rt_sigaction, i + 1, &actions[i], NULL, sizeof(uint64_t));
        arena->actions[i] = actions[i];
    }
}

/* Reaping whatever has ended. Nothing can: the child starts no processes, and those of fixtures are the
 * explorer's. To ask for one of them is refused: the answer would be that it is gone. */
static long reap(const long *a) {
    if ((int)a[0] != -1 || !(a[2] & WNOHANG)) refuse_call(SYS_wait4, NULL);
    return -ECHILD;
}

static long control(const long *a) {
    if (a[0] == PR_SET_NAME || a[0] == PR_GET_NAME || a[0] == PR_GET_DUMPABLE || a[0] == PR_GET_PDEATHSIG)
        return ssi_syscall(SYS_prctl, a[0], a[1], a[2], a[3], a[4], 0);
    if (a[0] == 0x53564d41) return -EINVAL; /* PR_SET_VMA: names of mappings, which old kernels do not know either */
    refuse_call(SYS_prctl, NULL);
}

static long decide(long number, const long *a, ucontext_t *u) {
    switch (number) {
    case SYS_rt_sigprocmask:
        return change_mask(u, a);
    case SYS_rt_sigaction:
        return change_action(a);
    case SYS_sigaltstack:
        if (a[0]) break;
        return ssi_syscall(number, a[0], a[1], 0, 0, 0, 0);
    case SYS_openat:
        return open_file(number, (int)a[0], (const char *)a[1], (int)a[2]);
    case SYS_read: case SYS_readv: case SYS_pread64: case SYS_getdents64: case SYS_fadvise64:
    case SYS_lseek: case SYS_close: case SYS_ioctl: case SYS_fcntl:
        return descriptor_call(number, a);
    case SYS_write: {
        struct iovec part = {(void *)a[1], (size_t)a[2]};
        return write_output(number, (int)a[0], &part, 1);
    }
    case SYS_writev:
        return write_output(number, (int)a[0], (const struct iovec *)a[1], a[2]);
    case SYS_getrandom:
        return random_bytes((uint8_t *)a[0], (size_t)a[1]);
    case SYS_futex:
        return futex(a);
    case SYS_brk: {
        long now = SSI_SYSCALL(SYS_brk, 0);
        if (a[0] == 0 || a[0] == now) return now;
        break;
    }
    case SYS_madvise:
        return advise(a);
    case SYS_kill: case SYS_tkill: case SYS_tgkill:
        return signal_self(number, a);
    case SYS_prlimit64:
        if (a[2]) break;
        return ssi_syscall(number, a[0], a[1], a[2], a[3], 0, 0);
    case SYS_prctl:
        return control(a);
    case SYS_wait4:
        return reap(a);
    case SYS_ppoll: {
        const struct timespec *limit = (const struct timespec *)a[2];
        if (limit && !limit->tv_sec && !limit->tv_nsec) return ssi_syscall(number, a[0], a[1], a[2], a[3], a[4], 0);
        break;
    }
    case SYS_exit: case SYS_exit_group:
        exited((int)a[0]);
#ifdef SYS_open
    case SYS_open:
        return open_file(number, AT_FDCWD, (const char *)a[0], (int)a[1]);
    case SYS_poll:
        if (a[2]) break;
        return ssi_syscall(number, a[0], a[1], a[2], 0, 0, 0);
#endif
    }
    if (only_answers(number)) {
        /* Most answers are shorter than a page. What is no address is nobody's memory. */
        for (int i = 0; i < 6; i++) ssi_tracker_open_up(guarded->tracker, &guarded->tracked, (uintptr_t)a[i], (uintptr_t)a[i] + 1);
        return ssi_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    }
    refuse_call(number, NULL);
}

/* Not a fault but a signal from elsewhere: what it does by default. */
static void by_default(int signal, int sent) {
    const ssi_action action = {{(uintptr_t)SIG_DFL}};
    SSI_SYSCALL(SYS_rt_sigaction, signal, &action, NULL, sizeof(uint64_t));
    if (sent) SSI_SYSCALL(SYS_tgkill, SSI_SYSCALL(SYS_getpid), SSI_SYSCALL(SYS_gettid), signal);
}

static void on_sigsys(int signal, siginfo_t *info, void *context) {
    if (info->si_code <= 0) {
        by_default(signal, 1);
        return;
    }
    ucontext_t *u = context;
    /* A handler that interrupted the agent, perhaps: no path can be ended here, whatever stack this is. */
    if (guarded->in_agent) ssi_panic("a system call through libc while the agent runs");
    long a[6];
    for (int i = 0; i < 6; i++) a[i] = ssi_arch_argument(u, i);
    long result = decide(info->si_syscall, a, u);
    if (result == -EFAULT && give_back_permission()) result = decide(info->si_syscall, a, u);
    ssi_arch_set_result(u, result);
}

/* Was permission to write there taken away by us? It is given back. */
static int is_ours(uintptr_t address) {
    const ssi_tracker *tracker = guarded->tracker;
    return ssi_quiet_wake(guarded, address) || (tracker && tracker->fault && tracker->fault(address));
}

/* A write that we made fail is repeated. All else is for the program's handler, or ends the process. */
static void on_sigsegv(int signal, siginfo_t *info, void *context) {
    if (info->si_code == SEGV_ACCERR && is_ours((uintptr_t)info->si_addr)) return;
    const ssi_action action = actions[signal - 1];
    int sent = info->si_code <= 0; /* not a fault: going back does not raise it again */
    uintptr_t handler = action.words[0];
    if (handler == (uintptr_t)SIG_IGN && sent) return;
    if (handler != (uintptr_t)SIG_IGN && handler != (uintptr_t)SIG_DFL) {
        ((void (*)(int, siginfo_t *, void *))handler)(signal, info, context);
        return;
    }
    by_default(signal, sent);
}

/* ---- installing ------------------------------------------------------------------------ */

int ssi_guard_prepare(ss_arena *arena) {
    guarded = arena;
    for (int i = 0; i < SSI_SIGNALS; i++) {
        SSI_SYSCALL(SYS_rt_sigaction, i + 1, NULL, &actions[i], sizeof(uint64_t));
        arena->actions[i] = actions[i];
    }
    struct sigaction sigsys = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO | SA_NODEFER};
    struct sigaction sigsegv = {.sa_sigaction = on_sigsegv, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
    stack_t own = {.ss_sp = arena->signal_stack, .ss_size = SSI_SIGNAL_STACK};
    if (SSI_SYSCALL(SYS_sigaltstack, &own, &previous_stack)) return -EINVAL;
    if (sigaction(SIGSYS, &sigsys, &previous[0]) || sigaction(SIGSEGV, &sigsegv, &previous[1])) return -EINVAL;
    const uint64_t ours = OURS;
    return (int)SSI_SYSCALL(SYS_rt_sigprocmask, SIG_UNBLOCK, &ours, NULL, sizeof ours);
}

void ssi_guard_cancel(void) {
    sigaction(SIGSYS, &previous[0], NULL);
    sigaction(SIGSEGV, &previous[1], NULL);
    SSI_SYSCALL(SYS_sigaltstack, &previous_stack, NULL);
}

static const uint8_t waking[] = {FUTEX_WAKE, FUTEX_WAKE_BITSET, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE};
#define N_WAKING (sizeof waking)

#define FIELD(name) ((uint32_t)offsetof(struct seccomp_data, name))
#define LOAD(offset) (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define IF_EQUAL(value, then, otherwise) (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, then, otherwise)
#define ANSWER(value) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, value)

int ssi_guard_install(ss_arena *arena) {
    struct sock_filter f[N_SILENT + N_WAKING + 24];
    uint16_t n = 0;
    uintptr_t own = (uintptr_t)ssi_syscall_return;
    f[n++] = LOAD(FIELD(arch));
    f[n++] = IF_EQUAL(SSI_AUDIT_ARCH, 1, 0);
    f[n++] = ANSWER(SECCOMP_RET_KILL_PROCESS);
    f[n++] = LOAD(FIELD(instruction_pointer));
    f[n++] = IF_EQUAL((uint32_t)own, 0, 3);
    f[n++] = LOAD(FIELD(instruction_pointer) + 4);
    f[n++] = IF_EQUAL((uint32_t)(own >> 32), 0, 1);
    f[n++] = ANSWER(SECCOMP_RET_ALLOW);
    f[n++] = LOAD(FIELD(nr));
    for (size_t i = 0; i < N_SILENT; i++) f[n++] = IF_EQUAL(silent[i], (uint8_t)(N_SILENT + 1 - i), 0);
    f[n++] = IF_EQUAL(SYS_futex, 2, 0);
    f[n++] = ANSWER(SECCOMP_RET_TRAP);
    f[n++] = ANSWER(SECCOMP_RET_ALLOW); /* where the list jumps to */
    f[n++] = LOAD(FIELD(args[1]));
    f[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (uint32_t)FUTEX_CMD_MASK);
    for (size_t i = 0; i < N_WAKING; i++) f[n++] = IF_EQUAL(waking[i], (uint8_t)(N_WAKING - i), 0);
    f[n++] = ANSWER(SECCOMP_RET_TRAP);
    f[n++] = ANSWER(SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = n, .filter = f};
    long rc = SSI_SYSCALL(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!rc) rc = SSI_SYSCALL(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
    return rc ? ssi_fail(arena, (int)rc, "seccomp refused the system-call guard") : 0;
}
