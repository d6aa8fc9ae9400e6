/* fibers.c — switches keep registers and floating-point control; the TLS is that of the donor. */
#include <fenv.h>
#include <pthread.h>

#include "harness.h"

#define FIBERS 5u
#define ROUNDS 2000u

static ss_context contexts[FIBERS + 1]; /* the last is the main thread */
static uintptr_t tls_of[FIBERS + 1];
static uint32_t current, switches, ended;
static _Thread_local uint64_t own_variable;

static void switch_to(uint32_t i) {
    uint32_t from = current;
    current = i;
    switches++;
    ss_switch(&contexts[from], &contexts[i]);
    CHECK(current == from && ss_thread_pointer() == tls_of[from]);
}

/* Many live values across a switch: the compiler must keep some in callee-saved registers. */
static __attribute__((noinline)) void keep_values(uint32_t to, uint64_t base) {
    register uint64_t a = base * 3, b = base * 5, c = base * 7, d = base * 11, e = base * 13, f = base * 17;
    double x = (double)base * 0.5, y = (double)base * 0.25;
    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
    switch_to(to);
    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
    CHECK(a == base * 3 && b == base * 5 && c == base * 7 && d == base * 11 && e == base * 13 && f == base * 17);
    CHECK(x == (double)base * 0.5 && y == (double)base * 0.25);
}

static const int modes[4] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};

/* What the arithmetic really does: fegetround may look at one of two control words only. */
static int rounds_as(int mode) {
    volatile double one = 1, three = 3;
    double nearest = 0x1.5555555555555p-2, above = 0x1.5555555555556p-2;
    return one / three == (mode == FE_UPWARD ? above : nearest) && -one / three == (mode == FE_DOWNWARD ? -above : -nearest);
}

static void fiber(void) {
    uint32_t me = current;
    uint64_t seed = me;
    CHECK(((uintptr_t)__builtin_frame_address(0) & 15) == 0); /* the ABI's stack alignment */
    CHECK(fegetround() == FE_TONEAREST && own_variable == 0);
    for (uint32_t other = 0; other <= FIBERS; other++) CHECK((tls_of[other] == ss_thread_pointer()) == (other == me));
    pthread_t self = pthread_self();
    fesetround(modes[me % 4]);
    errno = (int)me + 100;
    own_variable = me + 7;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        keep_values(below(&seed, FIBERS + 1), next_random(&seed) >> 8);
        CHECK(pthread_equal(self, pthread_self()) && errno == (int)me + 100 && own_variable == me + 7);
        CHECK(fegetround() == modes[me % 4] && rounds_as(modes[me % 4]));
    }
    ended++;
    for (;;) switch_to((me + 1) % (FIBERS + 1));
}

static uint32_t entered;
static uintptr_t stack_seen;
static void on_main_stack(void) {
    entered++;
    stack_seen = (uintptr_t)__builtin_frame_address(0);
    CHECK((stack_seen & 15) == 0);
}

int run(void *xxh3_64, void *xxh3_128, const char *name, uint64_t seed) {
    CHECK(ss_set_hash(xxh3_64, xxh3_128) == 0);
    ss_arena *arena = new_arena((size_t)64 << 20);
    if (!strcmp(name, "slow-tls")) ssi_fast_tls = 0; /* a system call instead of the instruction */
    CHECK(ss_donors_create(arena, SS_MAX_THREADS, 256 << 10) == -EINVAL);
    CHECK(ss_donors_create(arena, FIBERS, 1000) == -EINVAL);
    CHECK(ss_donors_create(arena, FIBERS, 256 << 10) == 0);
    CHECK(ss_donors_create(arena, FIBERS, 256 << 10) == -EBUSY);
    for (uint32_t i = 0; i < FIBERS; i++) {
        uintptr_t lo, hi;
        CHECK(ss_donor_stack(arena, i, &lo, &hi, &tls_of[i]) == 0 && hi > lo && hi - lo > (200 << 10));
        CHECK(!ssi_is_readable(lo - 1) && ssi_is_readable(lo));
        ss_context_make(&contexts[i], hi, tls_of[i], fiber);
    }
    CHECK(ss_donor_stack(arena, FIBERS, NULL, NULL, NULL) == -EINVAL);
    tls_of[FIBERS] = ss_thread_pointer();
    current = FIBERS;
    errno = 77;
    while (ended < FIBERS) {
        keep_values(below(&seed, FIBERS), next_random(&seed) >> 8);
        CHECK(errno == 77 && fegetround() == FE_TONEAREST && rounds_as(FE_TONEAREST));
    }
    CHECK(switches > FIBERS * ROUNDS);

    uintptr_t lo, hi;
    CHECK(ss_main_stack(arena, &lo, &hi) == 0);
    ss_call_on_main_stack(arena, on_main_stack);
    CHECK(entered == 1 && stack_seen > lo && stack_seen < hi && errno == 77);
    return 0;
}
