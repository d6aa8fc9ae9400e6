"""Ways to reach something shared, and code that others call, without a lock (`tests/plugin/test_unlocked.py`).

Over 600 lines on purpose: a flat catalogue of independent programs, alike but for the one thing that each is about.
"""

WAYS = {
    "current_frames": """
def one():
    secret = [0]
    ready.set()
    go.wait()
    value = secret[0]
    secret[0] = value + 1
    out.append(secret[0])

ready, go, out = threading.Event(), threading.Event(), []

def other():
    ready.wait()
    f = sys._current_frames()[first.ident]
    while f.f_code.co_name != "one":
        f = f.f_back
    secret = f.f_locals["secret"]
    go.set()
    value = secret[0]
    secret[0] = value + 1
    out.append(secret[0])

def value():
    return max(out)
""",
    "gc_objects": """
class Mark:
    def __init__(self):
        self.x = 0

out = []
ready = threading.Event()

def one():
    m = Mark()
    ready.set()
    v = m.x
    m.x = v + 1
    done.wait()
    out.append(m.x)

done = threading.Event()

def other():
    ready.wait()
    m = next(o for o in gc.get_objects() if type(o) is Mark)
    v = m.x
    m.x = v + 1
    done.set()

def value():
    return out[0]
""",
    "subclasses": """
class Base:
    pass

def one():
    bump()

def other():
    bump()

class Sub(Base):
    x = 0

def bump():
    c = Base.__subclasses__()[0]
    c.x = c.x + 1

def value():
    return Sub.x
""",
    "weakset": """
class M:
    def __init__(self):
        self.x = 0
        ALL.add(self)

ALL = weakref.WeakSet()
keep = M()

def bump():
    for m in list(ALL):
        m.x = m.x + 1

one = other = bump

def value():
    return keep.x
""",
    "registered_by_init": """
ALL = []
ready, done = threading.Event(), threading.Event()

class M:
    def __init__(self):
        self.x = 0
        ALL.append(self)

def one():
    m = M()
    ready.set()
    m.x = m.x + 1
    done.wait()

def other():
    ready.wait()
    m = ALL[0]
    m.x = m.x + 1
    done.set()

def value():
    return ALL[0].x
""",
    "weakref_leak": """
class M:
    pass

ready, done, out = threading.Event(), threading.Event(), []
box = []

def one():
    m = M()
    m.x = 0
    box.append(weakref.ref(m))
    ready.set()
    m.x = m.x + 1
    done.wait()
    out.append(m.x)

def other():
    ready.wait()
    m = box[0]()
    m.x = m.x + 1
    del m
    done.set()

def value():
    return out[0]
""",
    "closure_leak": """
ready, done, out = threading.Event(), threading.Event(), []
box = []

def one():
    n = 0

    def inc():
        nonlocal n
        n = n + 1

    box.append(inc)
    ready.set()
    n = n + 1
    done.wait()
    out.append(n)

def other():
    ready.wait()
    box[0]()
    done.set()

def value():
    return out[0]
""",
    "generator_frame": """
box = []

def gen():
    l = [0]
    yield
    yield l

g = gen()
next(g)

def bump():
    l = g.gi_frame.f_locals["l"]
    l[0] = l[0] + 1

one = other = bump

def value():
    return next(g)[0]
""",
    "traceback_frame": """
box = []

def fail():
    l = [0]
    raise ValueError

try:
    fail()
except ValueError as e:
    box.append(e)

def bump():
    l = box[0].__traceback__.tb_next.tb_frame.f_locals["l"]
    l[0] = l[0] + 1

one = other = bump

def value():
    return box[0].__traceback__.tb_next.tb_frame.f_locals["l"][0]
""",
    "bound_self": """
l = [0]
get, put = l.__getitem__, l.__setitem__

def bump():
    s = get.__self__
    s[0] = s[0] + 1

one = other = bump

def value():
    return l[0]
""",
    "function_globals": """
X = 0

def f():
    return X

def bump():
    g = f.__globals__
    g["X"] = g["X"] + 1

one = other = bump

def value():
    return X
""",
    "builtins_dict": """
builtins.QQ = 0

def bump():
    d = builtins.__dict__
    d["QQ"] = d["QQ"] + 1

one = other = bump

def value():
    return QQ
""",
    "local_leak": """
loc = threading.local()
box, out = [], []
ready, done = threading.Event(), threading.Event()

def one():
    loc.l = [0]
    box.append(loc.l)
    ready.set()
    loc.l[0] = loc.l[0] + 1
    done.wait()
    out.append(loc.l[0])

def other():
    ready.wait()
    box[0][0] = box[0][0] + 1
    done.set()

def value():
    return out[0]
""",
    "context_leak": """
v = contextvars.ContextVar("v")
l = [0]
v.set(l)
ctx = contextvars.copy_context()

def bump():
    m = ctx[v]
    m[0] = m[0] + 1

one = other = bump

def value():
    return l[0]
""",
    "ctypes_object": """
l = [0]
addr = id(l)

def bump():
    m = ctypes.cast(addr, ctypes.py_object).value
    m[0] = m[0] + 1

one = other = bump

def value():
    return l[0]
""",
    "ctypes_alias": """
buf = bytearray(4)
c = ctypes.c_int.from_buffer(buf)

def one():
    buf[0] = buf[0] + 1

def other():
    c.value = c.value + 1

def value():
    return buf[0]
""",
    "memoryview_alias": """
buf = bytearray(4)
m = memoryview(buf)[1:]

def one():
    buf[1] = buf[1] + 1

def other():
    m[0] = m[0] + 1

def value():
    return buf[1]
""",
    "array_memoryview_alias": """
a = array.array("i", [0])
m = memoryview(a)

def one():
    a[0] = a[0] + 1

def other():
    m[0] = m[0] + 1

def value():
    return a[0]
""",
    "dict_view_alias": """
d = {"x": 0}
v = d.values()

def one():
    d["x"] = d["x"] + 1

def other():
    d.update(x=list(v)[0] + 1)

def value():
    return d["x"]
""",
    "dict_and_attribute": """
class B:
    pass

b = B()
b.x = 0
d = vars(b)

def one():
    b.x = b.x + 1

def other():
    d["x"] = d["x"] + 1

def value():
    return b.x
""",
    "class_dict_and_instance": """
class B:
    x = 0

b = B()

def one():
    B.x = b.x + 1

def other():
    B.x = B.__dict__["x"] + 1

def value():
    return B.x
""",
    "module_dict_and_attribute": """
me = sys.modules[__name__]
Y = 0

def one():
    global Y
    Y = Y + 1

def other():
    me.Y = me.Y + 1

def value():
    return Y
""",
    "deque_iterator": """
d = collections.deque([1, 2])

def one():
    list(d)
    d.append(3)

def other():
    for v in d:
        pass
    d.append(4)

def value():
    return len(d) - 2
""",
    "list_iterator_two": """
l = [1, 2, 3]
seen = []

def one():
    for v in l:
        seen.append(v)

def other():
    l.clear()

def value():
    return 2 if len(seen) in (0, 3) else 0
""",
    "map_lambda_shared": """
n = [0]

def f(v):
    n[0] = n[0] + 1

m1, m2 = map(f, [1]), map(f, [1])

def one():
    next(m1)

def other():
    next(m2)

def value():
    return n[0]
""",
    "accumulate_shared": """
b = [0]

def f(x, y):
    b[0] = b[0] + 1
    return x

def bump():
    list(itertools.accumulate([1, 2], f))

one = other = bump

def value():
    return b[0]
""",
    "sorted_cmp": """
b = [0]

def f(x, y):
    b[0] = b[0] + 1
    return 0

def bump():
    sorted([1, 2], key=functools.cmp_to_key(f))

one = other = bump

def value():
    return b[0]
""",
    "reduce": """
b = [0]

def f(x, y):
    b[0] = b[0] + 1
    return 0

def bump():
    functools.reduce(f, [1, 2])

one = other = bump

def value():
    return b[0]
""",
    "re_sub_callback": """
b = [0]

def f(m):
    b[0] = b[0] + 1
    return ""

def bump():
    re.sub("a", f, "a")

one = other = bump

def value():
    return b[0]
""",
    "json_hook": """
b = [0]

def f(m):
    b[0] = b[0] + 1
    return m

def bump():
    json.loads("{}", object_hook=f)

one = other = bump

def value():
    return b[0]
""",
    "pickle_reduce": """
b = [0]

class P:
    def __reduce__(self):
        b[0] = b[0] + 1
        return (int, ())

def bump():
    pickle.dumps(P())

one = other = bump

def value():
    return b[0]
""",
    "copy_dunder": """
b = [0]

class P:
    def __deepcopy__(self, memo):
        b[0] = b[0] + 1
        return self

def bump():
    copy.deepcopy(P())

one = other = bump

def value():
    return b[0]
""",
    "sum_radd": """
b = [0]

class P:
    def __radd__(self, o):
        b[0] = b[0] + 1
        return o

def bump():
    sum([P()])

one = other = bump

def value():
    return b[0]
""",
    "index_dunder": """
b = [0]

class P:
    def __index__(self):
        b[0] = b[0] + 1
        return 0

def bump():
    [1][P()]

one = other = bump

def value():
    return b[0]
""",
    "bool_dunder": """
b = [0]

class P:
    def __bool__(self):
        b[0] = b[0] + 1
        return True

def bump():
    if P():
        pass

one = other = bump

def value():
    return b[0]
""",
    "format_dunder": """
b = [0]

class P:
    def __format__(self, s):
        b[0] = b[0] + 1
        return ""

def bump():
    f"{P()}"

one = other = bump

def value():
    return b[0]
""",
    "missing_dunder": """
b = [0]

class P(dict):
    def __missing__(self, k):
        b[0] = b[0] + 1
        return 1

p = P()

def bump():
    p["x"]

one = other = bump

def value():
    return b[0]
""",
    "defaultdict_factory": """
b = [0]

def f():
    b[0] = b[0] + 1
    return 1

d = collections.defaultdict(f)

def one():
    d[1]

def other():
    d[2]

def value():
    return b[0]
""",
    "iter_sentinel": """
b = [0]

def f():
    b[0] = b[0] + 1
    return 0

def bump():
    list(iter(f, 0))

one = other = bump

def value():
    return b[0]
""",
    "property_cached": """
made = []

class C:
    def __init__(self):
        self._v = None

    @property
    def v(self):
        if self._v is None:
            self._v = object()
            made.append(1)
        return self._v

c = C()

def bump():
    c.v

one = other = bump

def value():
    return 3 - len(made)
""",
    "new_singleton": """
made = []

class S:
    one = None

    def __new__(cls):
        if cls.one is None:
            cls.one = super().__new__(cls)
            made.append(1)
        return cls.one

def bump():
    S()

one = other = bump

def value():
    return 3 - len(made)
""",
    "meta_call_singleton": """
made = []

class M(type):
    known = {}

    def __call__(cls):
        if cls not in cls.known:
            cls.known[cls] = super().__call__()
            made.append(1)
        return cls.known[cls]

class S(metaclass=M):
    pass

def bump():
    S()

one = other = bump

def value():
    return 3 - len(made)
""",
    "init_subclass": """
b = [0]

class A:
    def __init_subclass__(cls):
        b[0] = b[0] + 1

def bump():
    class B(A):
        pass

one = other = bump

def value():
    return b[0]
""",
    "set_name": """
b = [0]

class D:
    def __set_name__(self, o, n):
        b[0] = b[0] + 1

def bump():
    class B:
        d = D()

one = other = bump

def value():
    return b[0]
""",
    "decorator_counter": """
def counted(f):
    @functools.wraps(f)
    def w(*a):
        w.calls = w.calls + 1
        return f(*a)

    w.calls = 0
    return w

@counted
def bump():
    pass

one = other = bump

def value():
    return bump.calls
""",
    "singledispatch": """
b = [0]

@functools.singledispatch
def f(x):
    pass

@f.register
def _(x: int):
    b[0] = b[0] + 1

def bump():
    f(1)

one = other = bump

def value():
    return b[0]
""",
    "contextmanager": """
b = [0]

@contextlib.contextmanager
def m():
    v = b[0]
    yield
    b[0] = v + 1

def bump():
    with m():
        pass

one = other = bump

def value():
    return b[0]
""",
    "exitstack": """
b = [0]

def f():
    b[0] = b[0] + 1

def bump():
    with contextlib.ExitStack() as s:
        s.callback(f)

one = other = bump

def value():
    return b[0]
""",
    "audit_hook_free": """
b = [0]

def bump():
    v = b[0]
    sys.audit("bat", 1)
    b[0] = v + 1

one = other = bump

def value():
    return b[0]
""",
    "excepthook": """
b = [0]

def hook(args):
    b[0] = b[0] + 1

threading.excepthook = hook

def bump():
    raise ValueError

one = other = bump

def value():
    return b[0]
""",
    "lambda_default": """
b = [0]
f = lambda l=b: l.__setitem__(0, l[0] + 1)
one = other = f

def value():
    return b[0]
""",
    "partialmethod": """
class C:
    n = 0

    def add(self, k):
        self.n = self.n + k

    one = functools.partialmethod(add, 1)

c = C()

def bump():
    c.one()

one = other = bump

def value():
    return c.n
""",
    "slots_inherit": """
class A:
    __slots__ = ("x",)

class B(A):
    __slots__ = ("y",)

c = B()
c.x = 0

def bump():
    c.x = c.x + 1

one = other = bump

def value():
    return c.x
""",
    "enum_flag": """
class F(enum.Flag):
    A = 1
    B = 2

h = [F(0)]

def one():
    h[0] = h[0] | F.A

def other():
    h[0] = h[0] | F.B

def value():
    return 2 if h[0] == F.A | F.B else 0
""",
    "walrus_cond": """
h = {}

def bump():
    if (v := h.get("x")) is None:
        h["x"] = 1
    else:
        h["x"] = v + 1

one = other = bump

def value():
    return h["x"]
""",
    "try_finally": """
h = [0]

def bump():
    try:
        v = h[0]
    finally:
        pass
    h[0] = v + 1

one = other = bump

def value():
    return h[0]
""",
    "async_mixed": """
h = [0]

async def co():
    v = h[0]
    await asyncio.sleep(0)
    h[0] = v + 1

def bump():
    asyncio.run(co())

one = other = bump

def value():
    return h[0]
""",
    "timer": """
h = [0]

def inc():
    h[0] = h[0] + 1

def bump():
    t = threading.Timer(1, inc)
    t.start()
    t.join()

one = other = bump

def value():
    return h[0]
""",
    "del_in_thread_end": """
h = [0]

class D:
    def __del__(self):
        h[0] = h[0] + 1

loc = threading.local()

def bump():
    loc.d = D()

one = other = bump

def value():
    return h[0]
""",
    "io_textwrapper": """
raw = io.BytesIO()
t = io.TextIOWrapper(raw, write_through=True)
n = [0]

def bump():
    v = n[0]
    t.write("a")
    n[0] = v + 1

one = other = bump

def value():
    return n[0]
""",
    "subclass_list": """
class L(list):
    def add(self):
        self[0] = self[0] + 1

l = L([0])

def bump():
    l.add()

one = other = bump

def value():
    return l[0]
""",
    "getitem_dunder": """
class P:
    def __init__(self):
        self.d = [0]

    def __getitem__(self, i):
        return self.d[i]

    def __setitem__(self, i, v):
        self.d[i] = v

p = P()

def bump():
    p[0] += 1

one = other = bump

def value():
    return p[0]
""",
    "rlock_wrong": """
r1, r2 = threading.RLock(), threading.RLock()
h = [0]

def one():
    with r1:
        h[0] = h[0] + 1

def other():
    with r2:
        h[0] = h[0] + 1

def value():
    return h[0]
""",
    "lock_per_call": """
h = [0]

def bump():
    with threading.Lock():
        h[0] = h[0] + 1

one = other = bump

def value():
    return h[0]
""",
    "lock_released_between": """
k = threading.Lock()
h = [0]

def bump():
    with k:
        v = h[0]
    with k:
        h[0] = v + 1

one = other = bump

def value():
    return h[0]
""",
    "semaphore_two": """
k = threading.Semaphore(2)
h = [0]

def bump():
    with k:
        h[0] = h[0] + 1

one = other = bump

def value():
    return h[0]
""",
    "trylock_ignored": """
k = threading.Lock()
h = [0]

def bump():
    got = k.acquire(blocking=False)
    h[0] = h[0] + 1
    if got:
        k.release()

one = other = bump

def value():
    return h[0]
""",
    "event_race": """
e = threading.Event()
h = [0]

def bump():
    if not e.is_set():
        e.set()
        h[0] = h[0] + 1

one = other = bump

def value():
    return 3 - h[0]
""",
    "queue_empty": """
q = queue.Queue()
q.put(0)

def bump():
    if not q.empty():
        v = q.get()
        q.put(v + 1)

one = other = bump

def value():
    return q.get()
""",
    "queue_qsize": """
q = queue.Queue()

def bump():
    q.put(q.qsize())

one = other = bump

def value():
    return 2 if sorted(q.queue) == [0, 1] else 0
""",
    "once_flag": """
k = threading.Lock()
done = False
h = [0]

def bump():
    global done
    if not done:
        with k:
            done = True
            h[0] += 1

one = other = bump

def value():
    return 3 - h[0]
""",
    "double_checked_ok_publish": """
k = threading.Lock()
obj = None

class O:
    pass

def bump():
    global obj
    if obj is None:
        with k:
            if obj is None:
                obj = O()
                obj.ready = True
    assert hasattr(obj, "ready")

errors = []

def one():
    try:
        bump()
    except AssertionError as e:
        errors.append(e)

other = one

def value():
    return 0 if errors else 2
""",
}
