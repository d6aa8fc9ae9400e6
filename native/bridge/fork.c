/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ fork.c — making the child, and what it forks itself.                       │
 * │                                                                            │
 * │ os.fork() warns when other threads exist (3.12+) and leaves a child that   │
 * │ may outlive its parent. The child made here dies with the parent and       │
 * │ ignores SIGINT until it has a process group of its own: Ctrl-C is for the  │
 * │ parent, which ends the child.                                              │
 * │                                                                            │
 * │ Where nothing is ever rewound a test may fork as well. The copy shares the │
 * │ arena and must not touch it: threads, locks and time are real there.       │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "runtime.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

PyObject *ssb_fork(void)
{
    pid_t parent = getpid();
    PyOS_BeforeFork();
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) /* it died before the line above */
            _exit(0);
        signal(SIGINT, SIG_IGN);
        PyOS_AfterFork_Child();
        return PyLong_FromLong(0);
    }
    int error = errno;
    PyOS_AfterFork_Parent();
    if (pid < 0) {
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return PyLong_FromLong(pid);
}

static void in_copy(void)
{
    ssb.active = 0;
    ssb_forget_pause();
    for (uint32_t i = 0; i < ssb.n_threads; i++) /* they were not copied */
        if (i != ssb.current)
            ssb.threads[i].status = SSB_DONE;
}

int ssb_let_fork(void) { return -pthread_atfork(NULL, NULL, in_copy); }
