/* guard.c — each refused call ends the path by name before it happens; harmless ones work and rewind. */
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <termios.h>
#include <time.h>

#include "harness.h"

static ss_arena *arena;
static uint32_t *chosen; /* shared: which case the child shall run */
static char path_of_file[] = "/tmp/statespace-guard-XXXXXX";

static uint32_t choice_point(void) {
    ss_choice choice = {.kind = SS_CHOICE_DATA, .n = 2};
    return ss_choose(arena, &choice);
}

static void where(void *user, char *text, size_t bytes) {
    (void)user;
    snprintf(text, bytes, "test.py:%d", 12);
}

/* ---- refused ---------------------------------------------------------------------------- */

#define REFUSED(call, name, ...)  \
    static void refuse_##name(void) { \
        long rc = (long)(__VA_ARGS__); \
        (void)rc; \
        CHECK(!"the call returned: " call); \
    }

static uint32_t futex_word = 5;
static void *pipe_memory[2];

REFUSED("mmap", mmap, mmap(NULL, SS_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
REFUSED("munmap", munmap, munmap(pipe_memory, SS_PAGE))
REFUSED("brk", brk, sbrk(1 << 20))
REFUSED("mprotect", mprotect, mprotect(pipe_memory, SS_PAGE, PROT_READ))
REFUSED("madvise", madvise, madvise(pipe_memory, SS_PAGE, MADV_DONTNEED))
REFUSED("fork", fork, fork())
REFUSED("execve", execve, execve("/bin/true", (char *[]){path_of_file, NULL}, NULL))
REFUSED("socket", socket, socket(AF_INET, SOCK_STREAM, 0))
REFUSED("kill", kill, kill(getppid(), 0))
REFUSED("openat", openat, open("/tmp/statespace-never-created", O_WRONLY | O_CREAT, 0600))
REFUSED("openat", device, open("/dev/null", O_RDONLY))
REFUSED("write", write, write(7, "x", 1))
REFUSED("read", read, read(0, pipe_memory, 1))
REFUSED("close", close, close(0))
REFUSED("unlink", unlink, unlink(path_of_file))
REFUSED("rename", rename, rename(path_of_file, "/tmp/statespace-never-created"))
REFUSED("mkdir", mkdir, mkdir("/tmp/statespace-never-created", 0700))
REFUSED("pipe", pipe, pipe((int *)pipe_memory))
REFUSED("dup", dup, dup(1))
REFUSED("clock_nanosleep", sleep, usleep(1))
REFUSED("poll", poll, poll(NULL, 0, 1))
REFUSED("futex", futex, syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 5, NULL))
REFUSED("chdir", chdir, chdir("/"))
REFUSED("umask", umask, umask(0))
REFUSED("prctl", prctl, syscall(SYS_prctl, 4, 1, 0, 0, 0))
REFUSED("setrlimit", rlimit, syscall(SYS_prlimit64, 0, 7, pipe_memory, NULL))
REFUSED("system call", unknown, syscall(SYS_vhangup))

static void refuse_fork_with_signals_blocked(void) { /* as subprocess does it */
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    fork();
}

static void refuse_kept_file(void) {
    CHECK(open(path_of_file, O_RDONLY) >= 0);
    choice_point();
}

static void end_by_exit(void) { _exit(3); }

static const struct {
    void (*body)(void);
    const char *detail;
} cases[] = {
    {refuse_mmap, "mmap (new memory mapping) at test.py:12"},
    {refuse_munmap, "munmap (memory layout)"},
    {refuse_brk, "brk (heap growth)"},
    {refuse_mprotect, "mprotect (memory layout)"},
    {refuse_madvise, "madvise (memory layout)"},
    {refuse_fork, "clone (new process or thread)"},
    {refuse_execve, "execve (another program)"},
    {refuse_socket, "socket (network"},
    {refuse_kill, "kill (signal to another process)"},
    {refuse_openat, "openat (opening for writing"},
    {refuse_device, "openat (opening for writing, or something that is no plain file)"},
    {refuse_write, "write (file descriptor that can't be rewound)"},
    {refuse_read, "read (file descriptor"},
    {refuse_close, "close (file that was open before the test)"},
    {refuse_unlink, "unlink"},
    {refuse_rename, "rename"},
    {refuse_mkdir, "mkdir"},
    {refuse_pipe, "pipe"},
    {refuse_dup, "dup (file descriptor"},
    {refuse_sleep, "nanosleep (blocks outside Python)"},
    {refuse_poll, "poll (blocks outside Python)"},
    {refuse_futex, "futex (blocks in C code"},
    {refuse_chdir, "chdir (process state"},
    {refuse_umask, "umask (process state"},
    {refuse_prctl, "prctl (process state"},
    {refuse_rlimit, "prlimit64 (process state"},
    {refuse_unknown, "system call "},
    {refuse_fork_with_signals_blocked, "clone (new process or thread)"},
    {refuse_kept_file, "file kept open across a choice point"},
    {end_by_exit, "crash: os._exit(3)"},
};
#define N_CASES (sizeof cases / sizeof *cases)

static void refused_body(void) { cases[*chosen].body(); }

static void make_file(void) {
    int fd = mkstemp(path_of_file);
    CHECK(fd >= 0 && write(fd, "content", 7) == 7 && close(fd) == 0);
}

static pid_t start(void (*body)(void)) {
    pid_t child = start_child(arena, (child_options){.tracker = "auto", .guard = 1, .body = body, .describe = where});
    CHECK(wait_for_result(arena, child, NULL) == 0);
    return child;
}

static void test_refused(void) {
    pid_t child = start(refused_body);
    for (uint32_t round = 0; round < 2; round++) /* one child does them all: nothing happened */
        for (*chosen = 0; *chosen < N_CASES; ++*chosen) {
            ss_result r = run_path(arena, child, 0, 0, SS_RUN_SNAPSHOT, 0);
            if (!strstr(r.detail, cases[*chosen].detail)) ssi_panic(r.detail);
            CHECK(r.end == (cases[*chosen].body == end_by_exit ? SS_END_FAILED : SS_END_UNSUPPORTED));
            for (uint32_t i = 0; i < r.n_states; i++) CHECK(ss_state_release(arena, r.states[i]) == 0);
        }
    struct stat status;
    CHECK(stat("/tmp/statespace-never-created", &status) == -1 && stat(path_of_file, &status) == 0);
    stop_child(arena, child);
    CHECK(unlink(path_of_file) == 0);
}

/* ---- allowed ------------------------------------------------------------------------------ */

static void handler(int signal) { (void)signal; }

static void allowed_body(void) {
    char text[64] = {0}, other[16];
    struct stat status;
    struct utsname names;
    struct termios terminal;
    struct timespec now;
    cpu_set_t cpus;
    sigset_t set, old;
    int fd = open(path_of_file, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && fstat(fd, &status) == 0 && status.st_size == 7);
    CHECK(read(fd, text, 4) == 4 && lseek(fd, 0, SEEK_CUR) == 4 && pread(fd, text + 4, 3, 4) == 3 && !strcmp(text, "content"));
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    CHECK(copy >= 0 && close(copy) == 0 && close(fd) == 0);
    CHECK(open("/nonexistent", O_RDONLY) == -1 && errno == ENOENT);
    CHECK(stat(path_of_file, &status) == 0 && access(path_of_file, R_OK) == 0 && uname(&names) == 0);
    CHECK(isatty(1) == (tcgetattr(1, &terminal) == 0) && getpid() != getppid());
    unsigned char terminal2[64]; /* what isatty() asks for from glibc 2.42 on; ENOTTY if there is none */
    CHECK(ioctl(1, 0x802c542aul, terminal2) == 0 || errno == ENOTTY);
    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0 && sched_yield() == 0 && sched_getaffinity(0, sizeof cpus, &cpus) == 0);
    CHECK(syscall(SYS_futex, &futex_word, FUTEX_WAKE_PRIVATE, 1) == 0);
    CHECK(syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 4, NULL) == -1 && errno == EAGAIN); /* would not block */
    CHECK(sbrk(0) != (void *)-1 && madvise(pipe_memory, SS_PAGE, MADV_NORMAL) == 0 && poll(NULL, 0, 0) == 0);
    CHECK(sigaltstack(NULL, NULL) == 0);

    uint32_t which = choice_point();
    /* Kernel state that the other branch changed must be back. */
    struct sigaction action;
    CHECK(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    CHECK(sigprocmask(SIG_BLOCK, NULL, &set) == 0 && !sigismember(&set, SIGUSR2));
    CHECK(getrandom(other, sizeof other, 0) == sizeof other);
    CHECK(write(1, which ? "one" : "zero", which ? 3 : 4) == (which ? 3 : 4));
    struct iovec parts[2] = {{"a", 1}, {"bc", 2}};
    CHECK(writev(2, parts, 2) == 3);
    const uint8_t *captured;
    size_t bytes;
    CHECK(ss_capture_read(1, &captured, &bytes) == 0);
    CHECK(bytes == (which ? 3u : 4u) && !memcmp(captured, which ? "one" : "zero", bytes)); /* not "zeroone" */
    CHECK(ss_capture_read(2, &captured, &bytes) == 0 && bytes == 3 && !memcmp(captured, "abc", 3));
    action = (struct sigaction){.sa_handler = handler};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == handler);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0 && !sigismember(&old, SIGUSR2));
    CHECK(sigprocmask(SIG_BLOCK, NULL, &old) == 0 && sigismember(&old, SIGUSR2));
    ss_outbox_write(arena, other, sizeof other);
}

static uint8_t random_bytes[2][16];
static uint32_t n_random;

static void on_path(const ss_result *r) {
    if (r->end != SS_END_FINISHED) ssi_panic(r->detail);
    CHECK(r->outbox_bytes == 16);
    memcpy(random_bytes[n_random++ % 2], r->outbox, 16);
}

static void test_allowed(void) {
    pid_t child = start_child(arena, (child_options){.tracker = "auto", .guard = 1, .body = allowed_body, .describe = where});
    CHECK(search(arena, child, SS_RUN_SNAPSHOT, on_path) == 2);
    CHECK(!memcmp(random_bytes[0], random_bytes[1], 16)); /* random numbers rewind */
    stop_child(arena, child);
    CHECK(unlink(path_of_file) == 0);
}

/* ---- fatal signals to itself --------------------------------------------------------------- */

static void abort_body(void) { abort(); }

static void test_abort(void) {
    pid_t child = start(abort_body);
    ss_command command = {.flags = SS_RUN_SNAPSHOT};
    int status = 0;
    CHECK(ss_send(arena, &command) == 0 && wait_for_result(arena, child, &status) == -1);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    ss_result r;
    CHECK(ss_get_result(arena, &r) == 0 && r.end == SS_END_NONE);
    CHECK(unlink(path_of_file) == 0);
}

int run(void *xxh3_64, void *xxh3_128, const char *name, uint64_t seed) {
    (void)seed;
    CHECK(ss_set_hash(xxh3_64, xxh3_128) == 0);
    arena = new_arena((size_t)256 << 20);
    chosen = shared_memory(arena, sizeof *chosen);
    make_file();
    if (!strcmp(name, "refused")) test_refused();
    else if (!strcmp(name, "allowed")) test_allowed();
    else if (!strcmp(name, "abort")) test_abort();
    else return 2;
    return 0;
}
