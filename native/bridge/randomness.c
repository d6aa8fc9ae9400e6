/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ randomness.c — the kernel's random bytes, made of a counter.               │
 * │                                                                            │
 * │ A generator's state is memory and rewinds. Where a seed comes from outside │
 * │ (os.urandom, getrandom, Random() without a seed) it comes from a counter   │
 * │ that rewinds too: the same schedule draws the same bytes.                  │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "runtime.h"

#include "footprint.h"

#include <string.h>

static void fill(unsigned char *bytes, Py_ssize_t n)
{
    ssb_touch_everything();
    uint64_t key[2] = {ssb.random_counter++, 0};
    for (Py_ssize_t i = 0; i < n; i += 8, key[1]++) {
        uint64_t word = ssb.engine->hash64(key, sizeof key);
        memcpy(bytes + i, &word, (size_t)(n - i < 8 ? n - i : 8));
    }
}

static PyObject *hook_bytes(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    Py_ssize_t n = -1;
    if (ssb.active && nargs >= 1 && PyLong_Check(args[0])) {
        n = PyLong_AsSsize_t(args[0]);
        PyErr_Clear();
    }
    if (n < 0)
        return ssb_original(hook, self, args, nargs, kwnames);
    PyObject *result = PyBytes_FromStringAndSize(NULL, n);
    if (result != NULL)
        fill((unsigned char *)PyBytes_AS_STRING(result), n);
    return result;
}

static PyObject *hook_seed(ssb_hook *hook, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (!ssb.active || nargs > 1 || (nargs == 1 && args[0] != Py_None) || kwnames != NULL)
        return ssb_original(hook, self, args, nargs, kwnames);
    uint64_t word;
    fill((unsigned char *)&word, sizeof word);
    PyObject *seed = PyLong_FromUnsignedLongLong(word);
    PyObject *result = seed != NULL ? ssb_original(hook, self, &seed, 1, NULL) : NULL;
    Py_XDECREF(seed);
    return result;
}

SSB_HOOK(urandom, "urandom", hook_bytes);
SSB_HOOK_OPTIONAL(getrandom, "getrandom", hook_bytes);
SSB_HOOK(seed, "seed", hook_seed);

int ssb_randomness_take_over(void)
{
    PyObject *posix = PyImport_ImportModule("posix"), *random = PyImport_ImportModule("_random");
    PyObject *type = random != NULL ? PyObject_GetAttrString(random, "Random") : NULL;
    int result = posix == NULL || type == NULL || ssb_take_over_function(posix, &urandom) < 0 ||
                         ssb_take_over_function(posix, &getrandom) < 0 ||
                         ssb_take_over_method((PyTypeObject *)type, &seed) < 0
                     ? -1
                     : 0;
    Py_XDECREF(posix);
    Py_XDECREF(random);
    Py_XDECREF(type);
    return result;
}
