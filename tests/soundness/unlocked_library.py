"""One thread changes what interpreter and library keep while another looks twice (`tests/plugin/test_unlocked.py`).

Over 600 lines on purpose: a flat catalogue of independent programs, alike but for the one thing that each is about.
"""

WAYS = {
    "q_queue": """
q = queue.Queue()

def one():
    v = len(q.queue)
    q.put(v)

other = one

def value():
    return 2 if sorted(q.queue) == [0, 1] else 0
""",
    "q_unfinished": """
q = queue.Queue()

def one():
    v = q.unfinished_tasks
    q.put(v)

other = one

def value():
    return 2 if sorted(q.queue) == [0, 1] else 0
""",
    "q_append": """
q = queue.Queue()

def one():
    v = q.qsize()
    q.queue.append(v)

other = one

def value():
    return 2 if sorted(q.queue) == [0, 1] else 0
""",
    "q_mixed": """
q = queue.Queue()
out = []

def one():
    q.put(1)

def other():
    out.append(len(q.queue))
    out.append(len(q.queue))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "q_dict": """
q = queue.Queue()
d = q.__dict__
out = []

def one():
    q.put(1)

def other():
    out.append(d["unfinished_tasks"])
    out.append(d["unfinished_tasks"])

def value():
    return 2 if out[0] == out[1] else 0
""",
    "ev_flag": """
e = threading.Event()
out = []

def one():
    e.set()

def other():
    out.append(e._flag)
    out.append(e._flag)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "ev_flag_dict": """
e = threading.Event()
d = e.__dict__
out = []

def one():
    e.set()

def other():
    out.append(d["_flag"])
    out.append(d["_flag"])

def value():
    return 2 if out[0] == out[1] else 0
""",
    "ev_write": """
e = threading.Event()
out = []

def one():
    e._flag = True

def other():
    out.append(e.is_set())
    out.append(e.is_set())

def value():
    return 2 if out[0] == out[1] else 0
""",
    "ev_write_dict": """
e = threading.Event()
d = e.__dict__
out = []

def one():
    d["_flag"] = True

def other():
    out.append(e.is_set())
    out.append(e.is_set())

def value():
    return 2 if out[0] == out[1] else 0
""",
    "sem_value": """
e = threading.Semaphore(0)
out = []

def one():
    e.release()

def other():
    out.append(e._value)
    out.append(e._value)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "sem_write": """
e = threading.Semaphore(0)
out = []

def one():
    e._value = 1

def other():
    out.append(e.acquire(blocking=False))
    out.append(1)

def value():
    return 2 if out[0] else 0
""",
    "barrier_n": """
e = threading.Barrier(2)
out = []

def one():
    e.wait()

def other():
    out.append(e.n_waiting)
    e.wait()

def value():
    return 2 if out[0] == 1 else 0
""",
    "thread_alive": """
out = []

def one():
    pass

def other():
    out.append(first.is_alive())
    out.append(first.is_alive())

def value():
    return 2 if out[0] == out[1] else 0
""",
    "thread_name": """
out = []

def one():
    second.name = "x"

def other():
    out.append(threading.current_thread().name)
    out.append(threading.current_thread().name)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "enumerate": """
out = []

def one():
    pass

def other():
    out.append(len(threading.enumerate()))
    out.append(threading.active_count())

def value():
    return 2 if out[0] == out[1] else 0
""",
    "lock_locked": """
k = threading.Lock()
out = []

def one():
    with k:
        pass

def other():
    out.append(k.locked())
    out.append(k.locked())

def value():
    return 2 if out[0] == out[1] else 0
""",
    "rlock_owned": """
k = threading.RLock()
out = []

def one():
    with k:
        pass

def other():
    out.append("owner=0" in repr(k))
    out.append("owner=0" in repr(k))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "cond_waiters": """
c = threading.Condition()
out = []

def one():
    with c:
        c.wait(1)

def other():
    out.append(len(c._waiters))
    out.append(len(c._waiters))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "future_done": """
import concurrent.futures

f = concurrent.futures.Future()
out = []

def one():
    f.set_result(1)

def other():
    out.append(f.done())
    out.append(f.done())

def value():
    return 2 if out[0] == out[1] else 0
""",
    "future_state": """
import concurrent.futures

f = concurrent.futures.Future()
out = []

def one():
    f.set_result(1)

def other():
    out.append(f._state)
    out.append(f._state)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "simplequeue": """
f = queue.SimpleQueue()
out = []

def one():
    f.put(1)

def other():
    out.append(f.empty())
    out.append(f.empty())

def value():
    return 2 if out[0] == out[1] else 0
""",
    "thread_sub": """
class T(threading.Thread):
    n = 0

    def run(self):
        self.n = 1

out = []

def one():
    s.start()
    s.join()

s = T()

def other():
    out.append(s.n)
    out.append(s.n)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "weak_dead": """
class O:
    pass

h = [O()]
r = weakref.ref(h[0])
out = []

def one():
    h.clear()

def other():
    out.append(r() is None)
    out.append(r() is None)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "weak_dict": """
class O:
    pass

h = [O()]
r = weakref.WeakValueDictionary(a=h[0])
out = []

def one():
    h.clear()

def other():
    out.append(len(r))
    out.append(len(r))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "weak_set": """
class O:
    pass

h = [O()]
r = weakref.WeakSet(h)
out = []

def one():
    h.pop()

def other():
    out.append(len(r))
    out.append(len(r))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "del_effect": """
h = []

class O:
    def __del__(self):
        h.append(1)

k = [O()]
out = []

def one():
    k.clear()

def other():
    out.append(len(h))
    out.append(len(h))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "refcount": """
x = object()
k = []
out = []

def one():
    k.append(x)

def other():
    out.append(sys.getrefcount(x))
    out.append(sys.getrefcount(x))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "gen_state": """
def g():
    yield 1
    yield 2

i = g()
out = []

def one():
    next(i)

def other():
    out.append(inspect.getgeneratorstate(i))
    out.append(inspect.getgeneratorstate(i))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "iter_hint": """
i = iter([1, 2])
out = []

def one():
    next(i)

def other():
    out.append(operator.length_hint(i))
    out.append(operator.length_hint(i))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "list_hint": """
l = [1]
i = iter(l)
out = []

def one():
    l.append(2)

def other():
    out.append(operator.length_hint(i))
    out.append(operator.length_hint(i))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "lru_info": """
@functools.lru_cache
def f():
    return 1

out = []

def one():
    f()

def other():
    out.append(f.cache_info().currsize)
    out.append(f.cache_info().currsize)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "ctxvar": """
v = contextvars.ContextVar("v", default=0)
c = contextvars.copy_context()
out = []

def one():
    c.run(v.set, 1)

def other():
    out.append(c.get(v))
    out.append(c.get(v))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "class_attr": """
class O:
    x = 0

o = O()
out = []

def one():
    O.x = 1

def other():
    out.append(o.x)
    out.append(o.x)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "class_setattr": """
class O:
    x = 0

o = O()
out = []

def one():
    setattr(O, "x", 1)

def other():
    out.append(o.x)
    out.append(o.x)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "type_setattr": """
class O:
    x = 0

o = O()
out = []

def one():
    type.__setattr__(O, "x", 1)

def other():
    out.append(o.x)
    out.append(o.x)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "class_method_swap": """
class O:
    def m(self):
        return 0

o = O()
out = []

def one():
    O.m = lambda self: 1

def other():
    out.append(o.m())
    out.append(o.m())

def value():
    return 2 if out[0] == out[1] else 0
""",
    "mod_func_swap": """
def f():
    return 0

out = []

def one():
    global f
    f = lambda: 1

def other():
    out.append(f())
    out.append(f())

def value():
    return 2 if out[0] == out[1] else 0
""",
    "mod_func_dict": """
def f():
    return 0

out = []

def one():
    globals()["f"] = lambda: 1

def other():
    out.append(f())
    out.append(f())

def value():
    return 2 if out[0] == out[1] else 0
""",
    "mod_setdefault": """
out = []

def one():
    globals().setdefault("SHARED", 1)

def other():
    out.append("SHARED" in globals())
    out.append("SHARED" in globals())

def value():
    return 2 if out[0] == out[1] else 0
""",
    "mod_dunder_setattr": """
F = 0
out = []
me = sys.modules[__name__]

def one():
    me.__setattr__("F", 1)

def other():
    out.append(F)
    out.append(F)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "mod_object_setattr": """
F = 0
out = []
me = sys.modules[__name__]

def one():
    object.__setattr__(me, "F", 1)

def other():
    out.append(F)
    out.append(F)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "mod_exec": """
F = 0
out = []

def one():
    exec("F=1", globals())

def other():
    out.append(F)
    out.append(F)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "mod_dict_setitem": """
F = 0
out = []
g = globals()
put = g.__setitem__

def one():
    put("F", 1)

def other():
    out.append(F)
    out.append(F)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "operator_setitem_globals": """
F = 0
out = []
g = globals()

def one():
    operator.setitem(g, "F", 1)

def other():
    out.append(F)
    out.append(F)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "inst_method_shadow": """
class O:
    def m(self):
        return 0

o = O()
out = []

def one():
    o.m = lambda: 1

def other():
    out.append(o.m())
    out.append(o.m())

def value():
    return 2 if out[0] == out[1] else 0
""",
    "inst_method_shadow_dict": """
class O:
    def m(self):
        return 0

o = O()
d = o.__dict__
out = []

def one():
    d["m"] = lambda: 1

def other():
    out.append(o.m())
    out.append(o.m())

def value():
    return 2 if out[0] == out[1] else 0
""",
    "inst_classattr_dict": """
class O:
    x = 0

o = O()
d = o.__dict__
out = []

def one():
    d["x"] = 1

def other():
    out.append(o.x)
    out.append(o.x)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "inst_update": """
class O:
    x = 0

o = O()
d = o.__dict__
out = []

def one():
    d.update(x=1)

def other():
    out.append(o.x)
    out.append(o.x)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "object_setattr_shadow": """
class O:
    def m(self):
        return 0

o = O()
out = []

def one():
    object.__setattr__(o, "m", lambda: 1)

def other():
    out.append(o.m())
    out.append(o.m())

def value():
    return 2 if out[0] == out[1] else 0
""",
    "func_defaults": """
def f(n=0):
    return n

out = []

def one():
    f.__defaults__ = (1,)

def other():
    out.append(f())
    out.append(f())

def value():
    return 2 if out[0] == out[1] else 0
""",
    "func_defaults_setattr": """
def f(n=0):
    return n

out = []

def one():
    setattr(f, "__defaults__", (1,))

def other():
    out.append(f())
    out.append(f())

def value():
    return 2 if out[0] == out[1] else 0
""",
    "func_kwdefaults": """
def f(*, n=0):
    return n

k = f.__kwdefaults__
out = []

def one():
    k["n"] = 1

def other():
    out.append(f())
    out.append(f())

def value():
    return 2 if out[0] == out[1] else 0
""",
    "func_kwdefaults_update": """
def f(*, n=0):
    return n

k = f.__kwdefaults__
out = []

def one():
    k.update(n=1)

def other():
    out.append(f())
    out.append(f())

def value():
    return 2 if out[0] == out[1] else 0
""",
    "func_code": """
def f():
    return 0

def g():
    return 1

out = []

def one():
    f.__code__ = g.__code__

def other():
    out.append(f())
    out.append(f())

def value():
    return 2 if out[0] == out[1] else 0
""",
    "prop_swap": """
class O:
    @property
    def p(self):
        return 0

o = O()
out = []

def one():
    O.p = 1

def other():
    out.append(o.p)
    out.append(o.p)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "class_swap": """
class O:
    x = 0

class P:
    x = 1

o = O()
out = []

def one():
    o.__class__ = P

def other():
    out.append(o.x)
    out.append(o.x)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "class_swap_setattr": """
class O:
    x = 0

class P:
    x = 1

o = O()
out = []

def one():
    object.__setattr__(o, "__class__", P)

def other():
    out.append(o.x)
    out.append(o.x)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "slots_init": """
class O:
    pass

o = O()
out = []

def one():
    o.__init__()

O.__init__ = lambda self: out2.append(1)
out2 = []

def other():
    out.append(len(out2))
    out.append(len(out2))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "eq_swap": """
class O:
    pass

o = O()
out = []

def one():
    O.__eq__ = lambda a, b: True

def other():
    out.append(o == 1)
    out.append(o == 1)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "eq_swap_setattr": """
class O:
    pass

o = O()
out = []

def one():
    setattr(O, "__eq__", lambda a, b: True)

def other():
    out.append(o == 1)
    out.append(o == 1)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "len_swap": """
class O:
    pass

o = O()
out = []

def one():
    setattr(O, "__len__", lambda a: 0)

def other():
    out.append(1 if o else 0)
    out.append(1 if o else 0)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "global_shadows_builtin": """
out = []

def one():
    global len
    len = lambda o: 7

def other():
    out.append(len(""))
    out.append(len(""))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "global_shadow_dict": """
out = []

def one():
    globals()["abs"] = lambda o: 7

def other():
    out.append(abs(0))
    out.append(abs(0))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "del_global": """
F = 0
out = []

def one():
    global F
    del F

def other():
    out.append("F" in globals())
    out.append("F" in globals())

def value():
    return 2 if out[0] == out[1] else 0
""",
    "import_star": """
out = []
sys.modules["string"].SHARED = 0
import string

def one():
    string.SHARED = 1

def other():
    from string import SHARED

    out.append(SHARED)
    from string import SHARED

    out.append(SHARED)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "mod_getattr": """
m = types.ModuleType("m")
m.x = 0
out = []

def one():
    m.x = 1

def other():
    out.append(getattr(m, "x"))
    out.append(m.x)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "set_trace_free": """
out = []

def one():
    warnings.simplefilter("error")

def other():
    out.append(len(warnings.filters))
    out.append(len(warnings.filters))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "os_environ": """
out = []

def one():
    os.environ["SHARED"] = "1"

def other():
    out.append("SHARED" in os.environ)
    out.append("SHARED" in os.environ)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "recursion": """
out = []

def one():
    sys.setrecursionlimit(900)

def other():
    out.append(sys.getrecursionlimit())
    out.append(sys.getrecursionlimit())

def value():
    return 2 if out[0] == out[1] else 0
""",
    "rand": """
out = []

def one():
    random.seed(1)

def other():
    random.seed(2)
    out.append(random.random())

def value():
    return 2 if out[0] == random.Random(2).random() else 0
""",
    "decimal_ctx": """
ctx = decimal.Context(prec=5)
out = []

def one():
    ctx.prec = 6

def other():
    out.append(ctx.prec)
    out.append(ctx.prec)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "array_len": """
a = array.array("i")
out = []

def one():
    a.append(1)

def other():
    out.append(len(a))
    out.append(len(a))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "bytearray_len": """
a = bytearray()
out = []

def one():
    a.append(1)

def other():
    out.append(len(a))
    out.append(len(a))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "stringio_tell": """
a = io.StringIO()
out = []

def one():
    a.write("x")

def other():
    out.append(a.tell())
    out.append(a.tell())

def value():
    return 2 if out[0] == out[1] else 0
""",
    "exc_ctx": """
e = ValueError()
out = []

def one():
    e.__cause__ = KeyError()

def other():
    out.append(e.__cause__ is None)
    out.append(e.__cause__ is None)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "exc_notes": """
e = ValueError()
out = []

def one():
    e.add_note("x")

def other():
    out.append(hasattr(e, "__notes__"))
    out.append(hasattr(e, "__notes__"))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "subclasses": """
class O:
    pass

keep = []
out = []

def one():
    keep.append(type("P", (O,), {}))

def other():
    out.append(len(O.__subclasses__()))
    out.append(len(O.__subclasses__()))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "abc_register": """
class O(abc.ABC):
    pass

class P:
    pass

out = []

def one():
    O.register(P)

def other():
    out.append(isinstance(P(), O))
    out.append(isinstance(P(), O))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "singledisp": """
@functools.singledispatch
def f(x):
    return 0

out = []

def one():
    f.register(int, lambda x: 1)

def other():
    out.append(f(1))
    out.append(f(1))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "logging_level": """
L = logging.getLogger("shared")
out = []

def one():
    L.setLevel(10)

def other():
    out.append(L.isEnabledFor(10))
    out.append(L.isEnabledFor(10))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "generator_close": """
def g():
    try:
        yield 1
        yield 2
    finally:
        out2.append(1)

out2 = []
i = g()
next(i)
out = []

def one():
    i.close()

def other():
    out.append(len(out2))
    out.append(len(out2))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "copyreg": """
class O:
    pass

out = []

def one():
    copyreg.pickle(O, lambda o: (int, ()))

def other():
    out.append(O in copyreg.dispatch_table)
    out.append(O in copyreg.dispatch_table)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "codecs": """
out = []

def one():
    codecs.register_error("shared", lambda e: ("", 0))

def other():
    for _ in range(2):
        try:
            codecs.lookup_error("shared")
            out.append(1)
        except LookupError:
            out.append(0)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "atexit": """
out = []

def f():
    pass

def one():
    atexit.register(f)

def other():
    out.append(atexit._ncallbacks())
    out.append(atexit._ncallbacks())

def value():
    return 2 if out[0] == out[1] else 0
""",
    "sys_path": """
out = []

def one():
    sys.path.append("x")

def other():
    out.append(len(sys.path))
    out.append(len(sys.path))

def value():
    return 2 if out[0] == out[1] else 0
""",
    "sys_attr": """
out = []
sys.shared = 0

def one():
    sys.shared = 1

def other():
    out.append(sys.shared)
    out.append(sys.shared)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "excepthook": """
out = []

def h(*a):
    pass

def one():
    threading.excepthook = h

def other():
    out.append(threading.excepthook is h)
    out.append(threading.excepthook is h)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "ctypes_errno": """
out = []
x = ctypes.c_int(0)
y = ctypes.pointer(x)

def one():
    y.contents = ctypes.c_int(1)

def other():
    out.append(y.contents.value)
    out.append(y.contents.value)

def value():
    return 2 if out[0] == out[1] else 0
""",
    "leaked_dictionary": """
box, out = [], []
ready, done = threading.Event(), threading.Event()

def one():
    b = Box()
    box.append(vars(b))
    ready.set()
    b.x = b.x + 1
    done.wait()
    out.append(b.x)

def other():
    ready.wait()
    d = box[0]
    d["x"] = d["x"] + 1
    done.set()

def value():
    return out[0]
""",
    "instances_with_one_dictionary": """
b, c = Box(), Box()
c.__dict__ = b.__dict__

def one():
    b.x = b.x + 1

def other():
    c.x = c.x + 1

def value():
    return b.x
""",
    "inspector_that_shows_up_late": """
class Own(Box):
    pass

out = []
ready, done = threading.Event(), threading.Event()

def one():
    b = Own()
    ready.set()
    b.x = b.x + 1
    done.wait()
    out.append(b.x)

def other():
    ready.wait()
    b = eval("lambda own: next(o for o in gc.get_objects() if type(o) is own)")(Own)
    b.x = b.x + 1
    done.set()

def value():
    return out[0]
""",
    "dictionary_of_a_local": """
loc = threading.local()
box, out = [], []
ready, done = threading.Event(), threading.Event()

def one():
    loc.x = 0
    box.append(loc.__dict__)
    ready.set()
    loc.x = loc.x + 1
    done.wait()
    out.append(loc.x)

def other():
    ready.wait()
    d = box[0]
    d["x"] = d["x"] + 1
    done.set()

def value():
    return out[0]
""",
    "code_that_shows_up_late": """
b = Box()

def one():
    d = eval("lambda o: vars(o)")(b)
    d["x"] = d["x"] + 1

def other():
    b.x = b.x + 1

def value():
    return b.x
""",
    "defaults_read_twice": """
def f(*, n=0):
    return n

k = f.__kwdefaults__
out = []

def one():
    k["n"] = 1

def other():
    a = f()
    b = f()
    out.append(a == b)

def value():
    return 2 if out[0] else 0
""",
}
