"""Values that two threads change without a lock, by all kinds of operations (`tests/plugin/test_unlocked.py`).

Over 600 lines on purpose: a flat catalogue of independent programs, alike but for the one thing that each is about.
"""

WAYS = {
    "global": """
def make():
    global G
    G = 0

    def bump():
        global G
        G += 1

    return bump, lambda: G

one, value = make()
other = one
""",
    "nonlocal": """
def make():
    n = 0

    def bump():
        nonlocal n
        n += 1

    return bump, lambda: n

one, value = make()
other = one
""",
    "cell_contents": """
def make():
    n = 0

    def get():
        return n

    c = get.__closure__[0]

    def bump():
        c.cell_contents = c.cell_contents + 1

    return bump, get

one, value = make()
other = one
""",
    "attribute": """
def make():
    b = Box()

    def bump():
        b.x += 1

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "slot": """
def make():
    b = Slot()

    def bump():
        b.x += 1

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "slot_descriptor": """
def make():
    b = Slot()
    d = Slot.x

    def bump():
        d.__set__(b, d.__get__(b) + 1)

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "class_attribute": """
def make():
    class C:
        x = 0

    def bump():
        C.x += 1

    return bump, lambda: C.x

one, value = make()
other = one
""",
    "type_attribute": """
def make():
    class C:
        x = 0

    c = C()

    def bump():
        type(c).x = c.x + 1

    return bump, lambda: C.x

one, value = make()
other = one
""",
    "metaclass_attribute": """
def make():
    class M(type):
        x = 0

    class C(metaclass=M):
        pass

    def bump():
        M.x = C.x + 1

    return bump, lambda: M.x

one, value = make()
other = one
""",
    "module_attribute": """
def make():
    m = types.ModuleType("m")
    m.x = 0

    def bump():
        m.x += 1

    return bump, lambda: m.x

one, value = make()
other = one
""",
    "this_module_attribute": """
def make():
    m = sys.modules[__name__]
    m.H = 0

    def bump():
        m.H = m.H + 1

    return bump, lambda: m.H

one, value = make()
other = one
""",
    "list_item": """
def make():
    l = [0]

    def bump():
        l[0] += 1

    return bump, lambda: l[0]

one, value = make()
other = one
""",
    "list_slice": """
def make():
    l = [0]

    def bump():
        l[:] = [l[0] + 1]

    return bump, lambda: l[0]

one, value = make()
other = one
""",
    "list_pop_append": """
def make():
    l = [0]

    def bump():
        v = l[-1]
        l.append(v + 1)

    return bump, lambda: l[-1]

one, value = make()
other = one
""",
    "dict_item": """
def make():
    d = {"x": 0}

    def bump():
        d["x"] += 1

    return bump, lambda: d["x"]

one, value = make()
other = one
""",
    "dict_get_set": """
def make():
    d = {}

    def bump():
        d["x"] = d.get("x", 0) + 1

    return bump, lambda: d["x"]

one, value = make()
other = one
""",
    "dict_update": """
def make():
    d = {"x": 0}

    def bump():
        d.update(x=d["x"] + 1)

    return bump, lambda: d["x"]

one, value = make()
other = one
""",
    "dict_or": """
def make():
    d = {"x": 0}

    def bump():
        nonlocal d
        d |= {"x": d["x"] + 1}

    return bump, lambda: d["x"]

one, value = make()
other = one
""",
    "setattr_getattr": """
def make():
    b = Box()

    def bump():
        setattr(b, "x", getattr(b, "x") + 1)

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "object_setattr": """
def make():
    b = Box()

    def bump():
        object.__setattr__(b, "x", object.__getattribute__(b, "x") + 1)

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "vars": """
def make():
    b = Box()

    def bump():
        vars(b)["x"] += 1

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "dunder_dict": """
def make():
    b = Box()

    def bump():
        b.__dict__["x"] = b.x + 1

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "globals": """
def make():
    globals()["K"] = 0

    def bump():
        globals()["K"] += 1

    return bump, lambda: globals()["K"]

one, value = make()
other = one
""",
    "globals_read": """
def make():
    globals()["K2"] = 0

    def bump():
        globals()["K2"] = K2 + 1

    return bump, lambda: K2

one, value = make()
other = one
""",
    "exec": """
def make():
    ns = {"x": 0}

    def bump():
        exec("x += 1", ns)

    return bump, lambda: ns["x"]

one, value = make()
other = one
""",
    "exec_as_main": """
def make():
    ns = {"__name__": "__main__", "x": 0}

    def bump():
        exec("x += 1", ns)

    return bump, lambda: ns["x"]

one, value = make()
other = one
""",
    "exec_as_this_module": """
def make():
    ns = {"__name__": __name__, "x": 0}

    def bump():
        exec("x += 1", ns)

    return bump, lambda: ns["x"]

one, value = make()
other = one
""",
    "exec_compiled": """
def make():
    ns = {"x": 0}
    code = compile("x = x + 1", __file__, "exec")

    def bump():
        exec(code, ns)

    return bump, lambda: ns["x"]

one, value = make()
other = one
""",
    "eval": """
def make():
    ns = {"x": 0}

    def bump():
        ns["x"] = eval("x + 1", ns)

    return bump, lambda: ns["x"]

one, value = make()
other = one
""",
    "attrgetter": """
def make():
    b = Box()
    g = operator.attrgetter("x")

    def bump():
        b.x = g(b) + 1

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "itemgetter": """
def make():
    l = [0]
    g = operator.itemgetter(0)

    def bump():
        operator.setitem(l, 0, g(l) + 1)

    return bump, lambda: l[0]

one, value = make()
other = one
""",
    "methodcaller": """
def make():
    l = [0]
    g = operator.methodcaller("__getitem__", 0)

    def bump():
        l[0] = g(l) + 1

    return bump, lambda: l[0]

one, value = make()
other = one
""",
    "partial": """
def make():
    l = [0]
    g = functools.partial(l.__getitem__, 0)
    s = functools.partial(l.__setitem__, 0)

    def bump():
        s(g() + 1)

    return bump, lambda: l[0]

one, value = make()
other = one
""",
    "map": """
def make():
    l = [0]

    def bump():
        l[0] = list(map(l.__getitem__, [0]))[0] + 1

    return bump, lambda: l[0]

one, value = make()
other = one
""",
    "array": """
def make():
    a = array.array("i", [0])

    def bump():
        a[0] += 1

    return bump, lambda: a[0]

one, value = make()
other = one
""",
    "bytearray": """
def make():
    a = bytearray(1)

    def bump():
        a[0] += 1

    return bump, lambda: a[0]

one, value = make()
other = one
""",
    "memoryview": """
def make():
    a = memoryview(bytearray(1))

    def bump():
        a[0] += 1

    return bump, lambda: a[0]

one, value = make()
other = one
""",
    "struct": """
def make():
    a = bytearray(4)

    def bump():
        struct.pack_into("i", a, 0, struct.unpack_from("i", a)[0] + 1)

    return bump, lambda: struct.unpack_from("i", a)[0]

one, value = make()
other = one
""",
    "ctypes_value": """
def make():
    a = ctypes.c_int(0)

    def bump():
        a.value += 1

    return bump, lambda: a.value

one, value = make()
other = one
""",
    "ctypes_array": """
def make():
    a = (ctypes.c_int * 2)()

    def bump():
        a[0] += 1

    return bump, lambda: a[0]

one, value = make()
other = one
""",
    "ctypes_struct": """
def make():
    class S(ctypes.Structure):
        _fields_ = [("x", ctypes.c_int)]

    s = S()

    def bump():
        s.x += 1

    return bump, lambda: s.x

one, value = make()
other = one
""",
    "ctypes_pointer": """
def make():
    a = ctypes.c_int(0)
    p = ctypes.pointer(a)

    def bump():
        p.contents.value = p[0] + 1

    return bump, lambda: a.value

one, value = make()
other = one
""",
    "ctypes_memmove": """
def make():
    a = ctypes.c_int(0)
    b = ctypes.addressof(a)

    def bump():
        t = ctypes.c_int(0)
        ctypes.memmove(ctypes.addressof(t), b, 4)
        t.value += 1
        ctypes.memmove(b, ctypes.addressof(t), 4)

    return bump, lambda: a.value

one, value = make()
other = one
""",
    "deque_item": """
def make():
    d = collections.deque([0])

    def bump():
        d[0] += 1

    return bump, lambda: d[0]

one, value = make()
other = one
""",
    "deque_pop": """
def make():
    d = collections.deque([0])

    def bump():
        v = d[-1]
        d.append(v + 1)

    return bump, lambda: d[-1]

one, value = make()
other = one
""",
    "set_len": """
def make():
    s = set()

    def bump():
        s.add(len(s))

    return bump, lambda: len(s)

one, value = make()
other = one
""",
    "ordered_dict": """
def make():
    d = collections.OrderedDict(x=0)

    def bump():
        d["x"] += 1

    return bump, lambda: d["x"]

one, value = make()
other = one
""",
    "defaultdict": """
def make():
    d = collections.defaultdict(int)

    def bump():
        d["x"] += 1

    return bump, lambda: d["x"]

one, value = make()
other = one
""",
    "counter": """
def make():
    d = collections.Counter()

    def bump():
        d["x"] += 1

    return bump, lambda: d["x"]

one, value = make()
other = one
""",
    "chainmap": """
def make():
    d = collections.ChainMap({"x": 0})

    def bump():
        d["x"] += 1

    return bump, lambda: d["x"]

one, value = make()
other = one
""",
    "userdict": """
def make():
    d = collections.UserDict(x=0)

    def bump():
        d["x"] += 1

    return bump, lambda: d["x"]

one, value = make()
other = one
""",
    "namespace": """
def make():
    d = types.SimpleNamespace(x=0)

    def bump():
        d.x += 1

    return bump, lambda: d.x

one, value = make()
other = one
""",
    "proxy_read": """
def make():
    r = {"x": 0}
    d = types.MappingProxyType(r)

    def bump():
        r["x"] = d["x"] + 1

    return bump, lambda: r["x"]

one, value = make()
other = one
""",
    "dataclass_slots": """
def make():
    @dataclasses.dataclass(slots=True)
    class C:
        x: int = 0

    c = C()

    def bump():
        c.x += 1

    return bump, lambda: c.x

one, value = make()
other = one
""",
    "dataclass_replace": """
def make():
    @dataclasses.dataclass(frozen=True)
    class C:
        x: int = 0

    h = [C()]

    def bump():
        h[0] = dataclasses.replace(h[0], x=h[0].x + 1)

    return bump, lambda: h[0].x

one, value = make()
other = one
""",
    "namedtuple": """
def make():
    P = collections.namedtuple("P", "x")
    b = Box()
    b.p = P(0)

    def bump():
        b.p = b.p._replace(x=b.p.x + 1)

    return bump, lambda: b.p.x

one, value = make()
other = one
""",
    "property": """
def make():
    class C:
        def __init__(self):
            self._x = 0

        @property
        def x(self):
            return self._x

        @x.setter
        def x(self, v):
            self._x = v

    c = C()

    def bump():
        c.x += 1

    return bump, lambda: c.x

one, value = make()
other = one
""",
    "descriptor": """
def make():
    store = {}

    class D:
        def __get__(self, o, t=None):
            return store.get("x", 0)

        def __set__(self, o, v):
            store["x"] = v

    class C:
        x = D()

    c = C()

    def bump():
        c.x += 1

    return bump, lambda: c.x

one, value = make()
other = one
""",
    "getattr_hook": """
def make():
    class C:
        def __init__(self):
            self.__dict__["d"] = {"x": 0}

        def __getattr__(self, n):
            return self.__dict__["d"][n]

        def __setattr__(self, n, v):
            self.__dict__["d"][n] = v

    c = C()

    def bump():
        c.x += 1

    return bump, lambda: c.x

one, value = make()
other = one
""",
    "weakref": """
def make():
    b = Slot()
    r = weakref.ref(b)

    def bump():
        r().x += 1

    bump.keep = b
    return bump, lambda: b.x

one, value = make()
other = one
""",
    "weakproxy": """
def make():
    b = Slot()
    r = weakref.proxy(b)

    def bump():
        r.x += 1

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "function_attribute": """
def make():
    def f():
        pass

    f.x = 0

    def bump():
        f.x += 1

    return bump, lambda: f.x

one, value = make()
other = one
""",
    "default_argument": """
def make():
    def f(acc=[0]):
        acc[0] += 1

    return f, lambda: f.__defaults__[0][0]

one, value = make()
other = one
""",
    "rebind_defaults": """
def make():
    def f(n=0):
        return n

    def bump():
        f.__defaults__ = (f() + 1,)

    return bump, lambda: f()

one, value = make()
other = one
""",
    "rebind_code": """
def make():
    def zero():
        return 0

    def one():
        return 1

    def two():
        return 2

    def f():
        return 0

    def bump():
        f.__code__ = (one, two)[f()].__code__

    return bump, lambda: f()

one, value = make()
other = one
""",
    "method_rebind": """
def make():
    class C:
        def n(self):
            return 0

    c = C()

    def bump():
        v = c.n() + 1
        C.n = lambda self: v

    return bump, lambda: c.n()

one, value = make()
other = one
""",
    "class_assignment": """
def make():
    class A:
        n = 0

    class B(A):
        n = 1

    class C(A):
        n = 2

    class D(A):
        pass

    d = D()

    def bump():
        d.__class__ = {0: B, 1: C, 2: C}[d.n]

    return bump, lambda: d.n

one, value = make()
other = one
""",
    "bases_assignment": """
def make():
    class A:
        n = 0

    class B:
        n = 1

    class C:
        n = 2

    class D(A):
        pass

    def bump():
        D.__bases__ = ({0: B, 1: C}[D.n],)

    return bump, lambda: D.n

one, value = make()
other = one
""",
    "stringio": """
def make():
    s = io.StringIO("0")

    def bump():
        v = int(s.getvalue())
        s.seek(0)
        s.write(str(v + 1))

    return bump, lambda: int(s.getvalue())

one, value = make()
other = one
""",
    "bytesio_buffer": """
def make():
    s = io.BytesIO(bytes(1))
    b = s.getbuffer()

    def bump():
        b[0] += 1

    return bump, lambda: b[0]

one, value = make()
other = one
""",
    "environ": """
def make():
    os.environ["SHARED_X"] = "0"

    def bump():
        os.environ["SHARED_X"] = str(int(os.environ["SHARED_X"]) + 1)

    return bump, lambda: int(os.environ["SHARED_X"])

one, value = make()
other = one
""",
    "putenv": """
def make():
    os.environb[b"SHARED_Y"] = b"0"

    def bump():
        os.environb[b"SHARED_Y"] = b"%d" % (int(os.getenv("SHARED_Y")) + 1)

    return bump, lambda: int(os.environ["SHARED_Y"])

one, value = make()
other = one
""",
    "context_run": """
def make():
    v = contextvars.ContextVar("v", default=0)
    h = [contextvars.copy_context()]

    def bump():
        c = h[0].copy()
        c.run(lambda: v.set(v.get() + 1))
        h[0] = c

    return bump, lambda: h[0].run(v.get)

one, value = make()
other = one
""",
    "match": """
def make():
    b = Box()

    def bump():
        match b:
            case Box(x=n):
                b.x = n + 1

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "match_sequence": """
def make():
    l = [0]

    def bump():
        match l:
            case [n]:
                l[0] = n + 1

    return bump, lambda: l[0]

one, value = make()
other = one
""",
    "match_mapping": """
def make():
    d = {"x": 0}

    def bump():
        match d:
            case {"x": n}:
                d["x"] = n + 1

    return bump, lambda: d["x"]

one, value = make()
other = one
""",
    "comprehension": """
def make():
    l = [0]

    def bump():
        l[0] = [n + 1 for n in l][0]

    return bump, lambda: l[0]

one, value = make()
other = one
""",
    "generator_expression": """
def make():
    l = [0]

    def bump():
        l[0] = sum(n + 1 for n in l)

    return bump, lambda: l[0]

one, value = make()
other = one
""",
    "fstring": """
def make():
    b = Box()

    def bump():
        b.x = int(f"{b.x}") + 1

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "format": """
def make():
    b = Box()

    def bump():
        b.x = int("{0.x}".format(b)) + 1

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "percent": """
def make():
    d = {"x": 0}

    def bump():
        d["x"] = int("%(x)s" % d) + 1

    return bump, lambda: d["x"]

one, value = make()
other = one
""",
    "star_args": """
def make():
    l = [0]

    def plus(n):
        return n + 1

    def bump():
        l[0] = plus(*l)

    return bump, lambda: l[0]

one, value = make()
other = one
""",
    "star_kwargs": """
def make():
    d = {"n": 0}

    def plus(n):
        return n + 1

    def bump():
        d["n"] = plus(**d)

    return bump, lambda: d["n"]

one, value = make()
other = one
""",
    "unpack": """
def make():
    l = [0]

    def bump():
        (n,) = l
        l[0] = n + 1

    return bump, lambda: l[0]

one, value = make()
other = one
""",
    "swap": """
def make():
    l = [0, 1, 2]

    def bump():
        l[0], l[1], l[2] = l[1], l[2], l[0]

    return bump, lambda: l[0]

one, value = make()
other = one
""",
    "sorted": """
def make():
    l = [0]

    def bump():
        l[0] = sorted(l)[0] + 1

    return bump, lambda: l[0]

one, value = make()
other = one
""",
    "max": """
def make():
    l = [0]

    def bump():
        l.append(max(l) + 1)

    return bump, lambda: max(l)

one, value = make()
other = one
""",
    "str": """
def make():
    class C:
        x = 0

        def __str__(self):
            return str(self.x)

    c = C()

    def bump():
        c.x = int(str(c)) + 1

    return bump, lambda: c.x

one, value = make()
other = one
""",
    "repr": """
def make():
    l = [0]

    def bump():
        l[0] = json.loads(repr(l))[0] + 1

    return bump, lambda: l[0]

one, value = make()
other = one
""",
    "copy": """
def make():
    b = Box()

    def bump():
        b.x = copy.copy(b).x + 1

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "deepcopy": """
def make():
    l = [[0]]

    def bump():
        l[0][0] = copy.deepcopy(l)[0][0] + 1

    return bump, lambda: l[0][0]

one, value = make()
other = one
""",
    "pickle": """
def make():
    l = [0]

    def bump():
        l[0] = pickle.loads(pickle.dumps(l))[0] + 1

    return bump, lambda: l[0]

one, value = make()
other = one
""",
    "json": """
def make():
    d = {"x": 0}

    def bump():
        d["x"] = json.loads(json.dumps(d))["x"] + 1

    return bump, lambda: d["x"]

one, value = make()
other = one
""",
    "hasattr": """
def make():
    b = Slot()
    del b.x
    seen = []

    def bump():
        if not hasattr(b, "x"):
            b.x = 1
            seen.append(1)

    return bump, lambda: 3 - len(seen)

one, value = make()
other = one
""",
    "check_dict": """
def make():
    d = {}
    made = []

    def bump():
        if "x" not in d:
            d["x"] = made.append(1)

    return bump, lambda: 3 - len(made)

one, value = make()
other = one
""",
    "check_try": """
def make():
    d = {}
    made = []

    def bump():
        try:
            d["x"]
        except KeyError:
            d["x"] = made.append(1)

    return bump, lambda: 3 - len(made)

one, value = make()
other = one
""",
    "check_none": """
def make():
    b = Box()
    b.x = None
    made = []

    def bump():
        if b.x is None:
            b.x = made.append(1) or 5

    return bump, lambda: 3 - len(made)

one, value = make()
other = one
""",
    "check_truth": """
def make():
    l = []
    made = []

    def bump():
        if not l:
            l.append(1)
            made.append(1)

    return bump, lambda: 3 - len(made)

one, value = make()
other = one
""",
    "check_len_dunder": """
def make():
    class C:
        def __init__(self):
            self.items = []

        def __len__(self):
            return len(self.items)

    c = C()
    made = []

    def bump():
        if not c:
            c.items.append(1)
            made.append(1)

    return bump, lambda: 3 - len(made)

one, value = make()
other = one
""",
    "weak_value_dictionary": """
def make():
    d = weakref.WeakValueDictionary()
    made = []

    def bump():
        o = d.get("x")
        if o is None:
            o = Slot()
            made.append(o)
            d["x"] = o

    return bump, lambda: 3 - len(made)

one, value = make()
other = one
""",
    "lru_cache": """
def make():
    made = []

    @functools.lru_cache
    def f():
        made.append(1)
        return 1

    return f, lambda: 3 - len(made)

one, value = make()
other = one
""",
    "iterate_dict": """
def make():
    d = {0: 0, 1: 1}

    def bump():
        for k in d:
            pass
        d[len(d)] = 1

    return bump, lambda: len(d) - 2

one, value = make()
other = one
""",
    "shared_iterator": """
def make():
    it = iter([1, 2])
    got = []

    def bump():
        for v in it:
            got.append(v)
            break

    def done():
        return 2 if got == [1, 2] else 0

    return bump, done

one, value = make()
other = one
""",
    "shared_generator": """
def make():
    def gen():
        yield 1
        yield 2

    g = gen()
    got = []

    def bump():
        got.append(next(g))

    return bump, lambda: len(got)

one, value = make()
other = one
""",
    "shared_count": """
def make():
    c = itertools.count()
    got = []

    def bump():
        n = next(c)
        got.append(n)

    return bump, lambda: 2 if got == [0, 1] else 0

one, value = make()
other = one
""",
    "tee": """
def make():
    a, b = itertools.tee(iter([1, 2]))
    got = []

    def bump():
        got.append(next(a))

    return bump, lambda: 2 if got == [1, 2] else 0

one, value = make()
other = one
""",
    "bisect": """
def make():
    l = [1, 5]
    n = [2]

    def bump():
        v = n[0]
        n[0] += 1
        i = bisect.bisect(l, v)
        l.insert(i, v)

    return bump, lambda: 2 if l == [1, 2, 3, 5] else 0

one, value = make()
other = one
""",
    "del": """
def make():
    b = Box()

    class D:
        def __del__(self):
            b.x += 1

    def bump():
        D()

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "weakref_callback": """
def make():
    b = Box()
    keep = []

    def callback(_):
        b.x += 1

    def bump():
        o = Slot()
        r = weakref.ref(o, callback)
        del o

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "finalize": """
def make():
    b = Box()

    def plus():
        b.x += 1

    def bump():
        o = Slot()
        weakref.finalize(o, plus)
        del o

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "eq_key": """
def make():
    b = Box()

    class K:
        def __hash__(self):
            return 1

        def __eq__(self, o):
            b.x += 1
            return False

    d = {K(): 1}

    def bump():
        K() in d

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "sort_key": """
def make():
    b = Box()

    def key(v):
        b.x += 1
        return v

    def bump():
        sorted([1], key=key)

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "hash_key": """
def make():
    b = Box()

    class K:
        def __hash__(self):
            b.x += 1
            return 1

    def bump():
        {K()}

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "context_manager": """
def make():
    b = Box()

    class M:
        def __enter__(self):
            self.v = b.x

        def __exit__(self, *a):
            b.x = self.v + 1

    def bump():
        with M():
            pass

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "iadd_object": """
def make():
    class N:
        def __init__(self):
            self.v = 0

        def __iadd__(self, n):
            self.v = self.v + n
            return self

    n = N()

    def bump():
        nonlocal n
        n += 1

    return bump, lambda: n.v

one, value = make()
other = one
""",
    "list_iadd": """
def make():
    l = []

    def bump():
        nonlocal l
        l = l + [1]

    return bump, lambda: len(l)

one, value = make()
other = one
""",
    "tuple_rebind": """
def make():
    b = Box()
    b.x = ()

    def bump():
        b.x += (1,)

    return bump, lambda: len(b.x)

one, value = make()
other = one
""",
    "string_rebind": """
def make():
    b = Box()
    b.x = ""

    def bump():
        b.x += "a"

    return bump, lambda: len(b.x)

one, value = make()
other = one
""",
    "big_int": """
def make():
    b = Box()
    b.x = 10**30

    def bump():
        b.x += 1

    return bump, lambda: b.x - 10**30

one, value = make()
other = one
""",
    "float": """
def make():
    b = Box()
    b.x = 0.0

    def bump():
        b.x += 1.0

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "walrus": """
def make():
    b = Box()

    def bump():
        b.x = (n := b.x) + 1

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "conditional": """
def make():
    b = Box()

    def bump():
        b.x = 2 if b.x else 1

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "comparison_chain": """
def make():
    b = Box()

    def bump():
        b.x = 2 if 0 < b.x < 2 else 1

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "delete_item": """
def make():
    d = {1: 1, 2: 2}

    def bump():
        if d:
            del d[min(d)]

    return bump, lambda: 2 - len(d)

one, value = make()
other = one
""",
    "enum_attribute": """
def make():
    class E(enum.Enum):
        A = 1

    E.A.n = 0

    def bump():
        E.A.n += 1

    return bump, lambda: E.A.n

one, value = make()
other = one
""",
    "thread_attribute": """
def make():
    t = threading.main_thread()
    t.shared = 0

    def bump():
        t.shared += 1

    return bump, lambda: t.shared

one, value = make()
other = one
""",
    "frame_local_by_generator": """
def make():
    def gen():
        n = 0
        while True:
            n = yield n

    g = gen()
    next(g)
    h = [0]

    def bump():
        v = h[0]
        h[0] = g.send(v + 1)

    return bump, lambda: h[0]

one, value = make()
other = one
""",
    "recursion_limit": """
def make():
    sys.setrecursionlimit(1000)

    def bump():
        sys.setrecursionlimit(sys.getrecursionlimit() + 1)

    return bump, lambda: sys.getrecursionlimit() - 1000

one, value = make()
other = one
""",
    "sys_modules": """
def make():
    sys.modules["shared_x"] = 0

    def bump():
        sys.modules["shared_x"] = sys.modules["shared_x"] + 1

    return bump, lambda: sys.modules["shared_x"]

one, value = make()
other = one
""",
    "builtins_attribute": """
def make():
    import builtins

    builtins.shared = 0

    def bump():
        builtins.shared = shared + 1

    return bump, lambda: shared

one, value = make()
other = one
""",
    "import_module_state": """
def make():
    import string

    string.shared = 0

    def bump():
        import string as s

        s.shared = s.shared + 1

    return bump, lambda: string.shared

one, value = make()
other = one
""",
    "from_import": """
def make():
    import string

    string.shared_2 = 0

    def bump():
        from string import shared_2

        string.shared_2 = shared_2 + 1

    return bump, lambda: string.shared_2

one, value = make()
other = one
""",
    "super_attribute": """
def make():
    class A:
        n = 0

        def get(self):
            return self.n

    class B(A):
        def get(self):
            return super().get()

    b = B()

    def bump():
        b.n = b.get() + 1

    return bump, lambda: b.n

one, value = make()
other = one
""",
    "super_data": """
def make():
    class A:
        n = 0

    class B(A):
        def get(self):
            return super().n

    b = B()

    def bump():
        A.n = b.get() + 1

    return bump, lambda: A.n

one, value = make()
other = one
""",
    "annotations": """
def make():
    def f():
        pass

    f.__annotations__["x"] = 0

    def bump():
        f.__annotations__["x"] += 1

    return bump, lambda: f.__annotations__["x"]

one, value = make()
other = one
""",
    "counter_update": """
def make():
    c = collections.Counter()
    s = [0]

    def bump():
        n = s[0]
        c.update("a")
        s[0] = n + 1

    return bump, lambda: s[0]

one, value = make()
other = one
""",
    "exception_state": """
def make():
    e = ValueError(0)

    def bump():
        e.args = (e.args[0] + 1,)

    return bump, lambda: e.args[0]

one, value = make()
other = one
""",
    "exception_notes": """
def make():
    e = ValueError(0)
    e.n = 0

    def bump():
        try:
            raise e
        except ValueError as x:
            x.n += 1

    return bump, lambda: e.n

one, value = make()
other = one
""",
    "partial_args": """
def make():
    h = [functools.partial(int, 0)]

    def bump():
        h[0] = functools.partial(int, h[0].args[0] + 1)

    return bump, lambda: h[0].args[0]

one, value = make()
other = one
""",
    "range": """
def make():
    h = [range(0)]

    def bump():
        h[0] = range(len(h[0]) + 1)

    return bump, lambda: len(h[0])

one, value = make()
other = one
""",
    "bytes_join": """
def make():
    h = [b""]

    def bump():
        h[0] = b"".join([h[0], b"a"])

    return bump, lambda: len(h[0])

one, value = make()
other = one
""",
    "reversed": """
def make():
    l = [0]

    def bump():
        l.append(next(reversed(l)) + 1)

    return bump, lambda: l[-1]

one, value = make()
other = one
""",
    "dict_popitem": """
def make():
    d = {0: 0}

    def bump():
        k, v = d.popitem()
        d[k] = v + 1

    return bump, lambda: d[0]

one, value = make()
other = one
""",
    "set_ops": """
def make():
    s = {0}

    def bump():
        nonlocal s
        s = s | {max(s) + 1}

    return bump, lambda: max(s)

one, value = make()
other = one
""",
    "aug_nested": """
def make():
    b = Box()
    b.l = [[0]]

    def bump():
        b.l[0][0] += 1

    return bump, lambda: b.l[0][0]

one, value = make()
other = one
""",
    "dir": """
def make():
    b = Box()

    def bump():
        setattr(b, "a%d" % sum(n.startswith("a") for n in dir(b)), 1)

    return bump, lambda: sum(n.startswith("a") for n in dir(b))

one, value = make()
other = one
""",
    "isinstance_hook": """
def make():
    b = Box()

    class M(type):
        def __instancecheck__(cls, o):
            b.x += 1
            return True

    class C(metaclass=M):
        pass

    def bump():
        isinstance(1, C)

    return bump, lambda: b.x

one, value = make()
other = one
""",
    "print": """
def make():
    class W:
        n = 0

        def write(self, s):
            self.n += 1

        def flush(self):
            pass

    w = W()

    def bump():
        print("a", end="", file=w)

    return bump, lambda: w.n / 2

one, value = make()
other = one
""",
}
