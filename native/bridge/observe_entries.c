/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ observe_entries.c — lists made from sets, CPython 3.13 and later.          │
 * │                                                                            │
 * │ list(s), sorted(s), [*s], repr(s) used to ask a set for an iterator, which │
 * │ observe.c notices. From 3.13 on they read the table through one exported   │
 * │ function of the interpreter, whose address is in nobody's table that could │
 * │ be exchanged. So its first instructions are replaced, in the child, by a   │
 * │ jump to the same function written here. Whether that took hold (a compiler │
 * │ may have inlined the original) observe.c tries out.                        │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "orders.h"

#if SSB_CAN_FINGERPRINT

#ifdef SSB_SETS_ARE_READ_DIRECTLY

#include <dlfcn.h>
#include <string.h>
#include <sys/mman.h>

static int (*look_at)(PyObject *set);

static int next_entry(PyObject *o, Py_ssize_t *position, PyObject **key, Py_hash_t *hash)
{
    if (!PyAnySet_Check(o)) {
        PyErr_BadInternalCall();
        return -1;
    }
    PySetObject *s = (PySetObject *)o;
    int in_order = *position ? ssbf_is_walk(*position) : look_at(o);
    Py_ssize_t i = in_order ? ssbf_next_in_order(s, position) : *position;
    if (in_order && i < 0)
        return 0;
    while (i <= s->mask && (!s->table[i].key || s->table[i].hash == -1))
        i++;
    if (!in_order)
        *position = i + 1;
    if (i > s->mask)
        return 0;
    *key = Py_NewRef(s->table[i].key);
    *hash = s->table[i].hash;
    return 1;
}

int ssbf_watch_entries(int (*look)(PyObject *set))
{
#if defined(__x86_64__)
    unsigned char jump[] = {0x49, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0, 0x41, 0xff, 0xe3}; /* movabs $target, %r11; jmp *%r11 */
    const size_t at = 2;
#elif defined(__aarch64__)
    unsigned char jump[] = {0x50, 0, 0, 0x58, 0, 2, 0x1f, 0xd6, 0, 0, 0, 0, 0, 0, 0, 0}; /* ldr x16, target; br x16 */
    const size_t at = 8;
#endif
    char *function = dlsym(RTLD_DEFAULT, "_PySet_NextEntryRef");
    if (!function)
        return -1;
    look_at = look;
    uintptr_t target = (uintptr_t)next_entry;
    memcpy(jump + at, &target, sizeof target);
    char *lo = (char *)((uintptr_t)function & ~(uintptr_t)(SS_PAGE - 1));
    size_t bytes = (size_t)(function + sizeof jump - lo);
    if (mprotect(lo, bytes, PROT_READ | PROT_WRITE | PROT_EXEC))
        return -1;
    memcpy(function, jump, sizeof jump);
    __builtin___clear_cache(function, function + sizeof jump);
    return mprotect(lo, bytes, PROT_READ | PROT_EXEC);
}

#else

int ssbf_watch_entries(int (*look)(PyObject *set))
{
    (void)look;
    return 0;
}

#endif
#endif
