/* quiet.c — memory without write permission: whoever writes it first, program or kernel, nothing fails and nothing is missed. */
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>

#include "harness.h"

#define PAGES 8u

static ss_arena *arena;
static uint8_t *first, *second; /* adjacent mappings that nobody has written since the base snapshot */
static char path[] = "/tmp/statespace-quiet-XXXXXX";
static uint8_t content[2 * PAGES * SS_PAGE];

static uint32_t choice_point(void) {
    ss_choice choice = {.kind = SS_CHOICE_DATA, .n = 2};
    return ss_choose(arena, &choice);
}

static int is_quiet(const void *at) {
    for (uint32_t i = 0; i < ss_region_count(arena); i++) {
        const ss_region *r = ss_get_region(arena, i);
        if ((uintptr_t)at >= r->lo && (uintptr_t)at < r->hi) return arena->quiet[2 * i];
    }
    CHECK(!"not tracked");
    return 0;
}

/* ---- first writes ---------------------------------------------------------------------------- */

static void by_program(void) { first[SS_PAGE + 5] = 1; }

static void by_uname(void) {
    CHECK(uname((struct utsname *)(void *)first) == 0 && first[0]);
}

static void by_stat(void) { /* half in one mapping, half in the other */
    struct stat *status = (struct stat *)(void *)(second - sizeof *status / 2);
    CHECK(stat(path, status) == 0 && status->st_size == (off_t)sizeof content);
}

static void by_read(void) { /* begins in one mapping and ends in the other: must not come short */
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && read(fd, first + 1, sizeof content - 1) == (ssize_t)sizeof content - 1 && close(fd) == 0);
    CHECK(!memcmp(first + 1, content, sizeof content - 1));
}

static void by_readv(void) {
    uint8_t awake[10];
    struct iovec parts[2] = {{awake, sizeof awake}, {first, PAGES * SS_PAGE}};
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && readv(fd, parts, 2) == (ssize_t)(sizeof awake + PAGES * SS_PAGE) && close(fd) == 0);
    CHECK(!memcmp(awake, content, sizeof awake) && !memcmp(first, content + sizeof awake, PAGES * SS_PAGE));
}

static void by_random(void) { CHECK(getrandom(first, 16, 0) == 16); }

static void by_mask(void) {
    *(volatile uint64_t *)(void *)first; /* reading wakes nothing */
    CHECK(is_quiet(first) && sigprocmask(SIG_BLOCK, NULL, (sigset_t *)(void *)first) == 0 && !is_quiet(first));
}

static void by_action(void) { CHECK(sigaction(SIGUSR1, NULL, (struct sigaction *)(void *)first) == 0); }

static void by_new_action(void) { /* the kernel's own call: libc copies */
    struct {
        void *handler;
        uint64_t flags, restorer, mask;
    } action = {.handler = (void *)SIG_IGN}, *old = (void *)first;
    CHECK(syscall(SYS_rt_sigaction, SIGUSR2, &action, old, 8) == 0 && old->handler == (void *)SIG_DFL);
}

static void by_clock(void) {
    CHECK(syscall(SYS_clock_gettime, CLOCK_REALTIME, first) == 0 && *(time_t *)(void *)first > 1000000);
}

static void by_wake_op(void) {
    static uint32_t other;
    CHECK(syscall(SYS_futex, &other, FUTEX_WAKE_OP, 0, 0, first, FUTEX_OP(FUTEX_OP_SET, 7, FUTEX_OP_CMP_EQ, 0)) == 0);
    CHECK(*(uint32_t *)(void *)first == 7);
}

static void (*const writers[])(void) = {by_program, by_uname,  by_stat,   by_read,  by_readv,
                                        by_random,  by_mask,   by_action, by_new_action, by_clock, by_wake_op};
#define N_WRITERS (sizeof writers / sizeof *writers)
static void (*writer)(void);

/* Alternative 0 writes, alternative 1 finds everything as it was. Then both write. */
static void writing_body(void) {
    if (choice_point() == 0) {
        CHECK(is_quiet(first) && is_quiet(second));
        writer();
    } else {
        CHECK(!is_quiet(first) && ssi_page_is_zero(first) && ssi_page_is_zero(second));
        for (uint32_t i = 0; i < PAGES; i++) CHECK(ssi_page_is_zero(first + i * SS_PAGE) && ssi_page_is_zero(second + i * SS_PAGE));
    }
    by_program();
    second[7 * SS_PAGE]++;
    uint32_t which = choice_point();
    CHECK(first[SS_PAGE + 5] == 1 && second[7 * SS_PAGE] == (writer == by_read && second[1] ? content[15 * SS_PAGE - 1] + 1 : 1));
    second[7 * SS_PAGE] = (uint8_t)(10 + which);
    CHECK(second[7 * SS_PAGE] == 10 + which);
}

static void finished(const ss_result *r) {
    if (r->end != SS_END_FINISHED) ssi_panic(r->detail);
}

static void test_first_writes(void) {
    for (size_t i = 0; i < N_WRITERS; i++) {
        writer = writers[i];
        pid_t child = start_child(arena, (child_options){.tracker = "wpasync", .guard = 1, .body = writing_body});
        CHECK(search(arena, child, SS_RUN_SNAPSHOT, finished) == 4);
        CHECK_VALID(arena);
        stop_child(arena, child);
        CHECK(ss_arena_reset(arena) == 0);
    }
}

/* ---- the signal belongs to the program all the same ---------------------------------------------- */

static volatile int handled;
static void handler(int signal) { handled += signal == SIGSEGV; }

static void blocking_handler(int signal) {
    (void)signal;
    second[SS_PAGE] = 1; /* a first write, with every signal blocked */
}

static void signal_body(void) {
    struct sigaction blocking = {.sa_handler = blocking_handler};
    sigfillset(&blocking.sa_mask);
    CHECK(is_quiet(second) && sigaction(SIGUSR1, &blocking, NULL) == 0 && raise(SIGUSR1) == 0 && second[SS_PAGE] == 1);
    struct sigaction action = {.sa_handler = handler}, old;
    sigset_t set, now;
    CHECK(sigaction(SIGSEGV, &action, &old) == 0 && old.sa_handler == SIG_DFL);
    by_program(); /* still ours */
    CHECK(!handled && raise(SIGSEGV) == 0 && handled == 1);
    CHECK(sigaction(SIGSEGV, NULL, &old) == 0 && old.sa_handler == handler);
    action.sa_handler = SIG_IGN;
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0 && raise(SIGSEGV) == 0 && handled == 1);
    action.sa_handler = SIG_DFL;
    sigfillset(&set);
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0 && sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    second[0] = 1; /* blocked by the program, not by us */
    CHECK(sigprocmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, SIGUSR1) && second[0] == 1);
}

static void test_signal(void) {
    pid_t child = start_child(arena, (child_options){.tracker = "wpasync", .guard = 1, .body = signal_body});
    CHECK(search(arena, child, SS_RUN_SNAPSHOT, finished) == 1);
    stop_child(arena, child);
}

static void dies(void (*body)(void)) {
    pid_t child = start_child(arena, (child_options){.tracker = "wpasync", .guard = 1, .body = body});
    ss_command command = {.flags = SS_RUN_SNAPSHOT};
    int status = 0;
    CHECK(wait_for_result(arena, child, NULL) == 0);
    CHECK(ss_send(arena, &command) == 0 && wait_for_result(arena, child, &status) == -1);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    CHECK(ss_arena_reset(arena) == 0);
}

static void fault_body(void) { *(volatile uint8_t *)NULL = 1; }
static void read_only_body(void) { *(volatile char *)(uintptr_t)"constant" = 1; }
static void raise_body(void) { raise(SIGSEGV); }
static void ignored_body(void) {
    struct sigaction action = {.sa_handler = SIG_IGN};
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
    fault_body();
}

static void test_faults(void) {
    dies(fault_body);
    dies(read_only_body);
    dies(raise_body);
    dies(ignored_body);
}

int run(void *xxh3_64, void *xxh3_128, const char *name, uint64_t seed) {
    (void)seed;
    CHECK(ss_set_hash(xxh3_64, xxh3_128) == 0);
    arena = new_arena((size_t)256 << 20);
    uint8_t *memory = mmap(NULL, 2 * PAGES * SS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    /* Two mappings side by side stay two: the second is of another kind. */
    CHECK(mmap(memory, PAGES * SS_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == memory);
    first = memory;
    second = memory + PAGES * SS_PAGE;
    for (size_t i = 0; i < sizeof content; i++) content[i] = (uint8_t)(i % 250 + 1);
    int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, content, sizeof content) == (ssize_t)sizeof content && close(fd) == 0);
    if (!strcmp(name, "first-writes")) test_first_writes();
    else if (!strcmp(name, "signal")) test_signal();
    else if (!strcmp(name, "faults")) test_faults();
    else return 2;
    CHECK(unlink(path) == 0);
    return 0;
}
