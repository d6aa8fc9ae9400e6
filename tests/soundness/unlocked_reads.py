"""Expressions that read what another thread changes, then a write (`tests/plugin/test_unlocked.py`).

Over 600 lines on purpose: a flat catalogue of independent programs, alike but for the one thing that each is about.
"""

WAYS = {
    "enumerate": """
l = [0]

def one():
    for _, v in enumerate(l):
        pass
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "enumerate_next": """
l = [0]

def one():
    v = next(enumerate(l))[1]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "zip": """
l = [0]

def one():
    for (v,) in zip(l):
        pass
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "zip_next": """
l = [0]

def one():
    (v,) = next(zip(l))
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "chain": """
l = [0]

def one():
    v = next(itertools.chain(l))
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "chain_for": """
l = [0]

def one():
    for v in itertools.chain(l):
        pass
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "chain_iterable": """
l = [0]

def one():
    v = next(itertools.chain.from_iterable([l]))
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "islice": """
l = [0]

def one():
    v = next(itertools.islice(l, 1))
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "map_int": """
l = [0]

def one():
    v = next(map(int, l))
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "map_list": """
l = [0]

def one():
    v = list(map(int, l))[0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "filter": """
l = [0]

def one():
    v = next(filter(lambda x: True, l))
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "filter_builtin": """
l = [0]

def callable_(x):
    return True

def one():
    v = next(filter(callable_, l))
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "reversed": """
l = [0]

def one():
    v = next(reversed(l))
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "tee": """
l = [0]

def one():
    p, q = itertools.tee(l)
    v = next(p)
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "cycle": """
l = [0]

def one():
    v = next(itertools.cycle(l))
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "accumulate": """
l = [0]

def one():
    v = next(itertools.accumulate(l))
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "starmap": """
l = [0]

def one():
    v = next(itertools.starmap(int, [l]))
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "zip_longest": """
l = [0]

def one():
    (v,) = next(itertools.zip_longest(l))
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "takewhile": """
l = [0]

def callable_(x):
    return True

def one():
    v = next(itertools.takewhile(callable_, l))
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "compress": """
l = [0]

def one():
    v = next(itertools.compress(l, [1]))
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "groupby": """
l = [0]

def one():
    v = next(itertools.groupby(l))[0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "product": """
l = [0]

def one():
    (v,) = next(itertools.product(l))
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "sum": """
l = [0]

def one():
    v = sum(l)
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "max": """
l = [0]

def one():
    v = max(l)
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "tuple": """
l = [0]

def one():
    v = tuple(l)[0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "list_copy": """
l = [0]

def one():
    v = l.copy()[0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "slice": """
l = [0]

def one():
    v = l[:][0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "add": """
l = [0]

def one():
    v = (l + [])[0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "mul": """
l = [0]

def one():
    v = (l * 1)[0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "star": """
l = [0]

def one():
    v = [*l][0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "iter_then": """
l = [0]

def one():
    it = iter(l)
    v = next(it)
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "iter_wait": """
e = threading.Event()
l = [0]

def one():
    it = iter(l)
    e.is_set()
    v = next(it)
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "iter_next_method": """
l = [0]

def one():
    it = iter(l)
    n = it.__next__
    v = n()
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "for": """
l = [0]

def one():
    for v in l:
        pass
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "genexp": """
l = [0]

def one():
    v = next(x for x in l)
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "bound": """
l = [0]

def one():
    g = l.__getitem__
    v = g(0)
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "partial": """
l = [0]

def one():
    g = functools.partial(operator.getitem, l)
    v = g(0)
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "itemgetter": """
l = [0]

def one():
    v = operator.itemgetter(0)(l)
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "deque": """
l = [0]

def one():
    v = collections.deque(l)[0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "userlist": """
l = [0]

def one():
    v = collections.UserList(l)[0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "userlist_set": """
l = [0]

def one():
    v = collections.UserList(l).data[0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "array": """
l = [0]

def one():
    v = array.array("i", l)[0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "bytes": """
l = [0]

def one():
    v = bytes(l)[0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "set": """
l = [0]

def one():
    v = set(l).pop()
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "frozen": """
l = [0]

def one():
    v = next(iter(frozenset(l)))
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "sorted": """
l = [0]

def one():
    v = sorted(l)[0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "str": """
l = [0]

def one():
    v = int(str(l)[1])
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "fmt": """
l = [0]

def one():
    v = int(f"{l}"[1])
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "eq": """
l = [0]

def one():
    v = 0 if l == [0] else 1
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "lt": """
l = [0]

def one():
    v = 0 if l < [1] else 1
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "in": """
l = [0]

def one():
    v = 0 if 0 in l else 1
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "index": """
l = [0]

def one():
    v = 0 if l.count(0) else 1
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "unpack": """
l = [0]

def one():
    (v,) = l
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "call_star": """
l = [0]

def one():
    v = int(*l)
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "match": """
l = [0]

def one():
    match l:
        case [v]:
            pass
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "heap": """
l = [0]

def one():
    v = heapq.nsmallest(1, l)[0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "dict_copy": """
d = {"x": 0}

def one():
    v = dict(d)["x"]
    d["x"] = v + 1

other = one

def value():
    return d["x"]
""",
    "dict_star": """
d = {"x": 0}

def one():
    v = {**d}["x"]
    d["x"] = v + 1

other = one

def value():
    return d["x"]
""",
    "dict_or": """
d = {"x": 0}

def one():
    v = (d | {})["x"]
    d["x"] = v + 1

other = one

def value():
    return d["x"]
""",
    "dict_values": """
d = {"x": 0}

def one():
    v = next(iter(d.values()))
    d["x"] = v + 1

other = one

def value():
    return d["x"]
""",
    "dict_values_local": """
d = {"x": 0}

def one():
    w = d.values()
    v = list(w)[0]
    d["x"] = v + 1

other = one

def value():
    return d["x"]
""",
    "dict_items": """
d = {"x": 0}

def one():
    for _, v in d.items():
        pass
    d["x"] = v + 1

other = one

def value():
    return d["x"]
""",
    "dict_items_local": """
e = threading.Event()
d = {"x": 0}

def one():
    w = d.items()
    e.is_set()
    ((_, v),) = w
    d["x"] = v + 1

other = one

def value():
    return d["x"]
""",
    "proxy": """
d = {"x": 0}

def one():
    v = types.MappingProxyType(d)["x"]
    d["x"] = v + 1

other = one

def value():
    return d["x"]
""",
    "chainmap": """
d = {"x": 0}

def one():
    v = collections.ChainMap(d)["x"]
    d["x"] = v + 1

other = one

def value():
    return d["x"]
""",
    "proxy_get": """
d = {"x": 0}

def one():
    v = types.MappingProxyType(d).get("x")
    d["x"] = v + 1

other = one

def value():
    return d["x"]
""",
    "fmt_map": """
d = {"x": 0}

def one():
    v = int("{x}".format_map(d))
    d["x"] = v + 1

other = one

def value():
    return d["x"]
""",
    "fmt_star": """
d = {"x": 0}

def one():
    v = int("{x}".format(**d))
    d["x"] = v + 1

other = one

def value():
    return d["x"]
""",
    "pct": """
d = {"x": 0}

def one():
    v = int("%(x)d" % d)
    d["x"] = v + 1

other = one

def value():
    return d["x"]
""",
    "kwcall": """
d = {"x": 0}

def one():
    v = (lambda x: x)(**d)
    d["x"] = v + 1

other = one

def value():
    return d["x"]
""",
    "max_dict": """
d = {"x": 0}

def one():
    v = max(d.values())
    d["x"] = v + 1

other = one

def value():
    return d["x"]
""",
    "dict_eq": """
d = {"x": 0}

def one():
    v = 0 if d == {"x": 0} else 1
    d["x"] = v + 1

other = one

def value():
    return d["x"]
""",
    "items_in": """
d = {"x": 0}

def one():
    v = 0 if ("x", 0) in d.items() else 1
    d["x"] = v + 1

other = one

def value():
    return d["x"]
""",
    "attrgetter": """
class Reader(Box):
    def get(self):
        return self.x

    @property
    def p(self):
        return self.x

    def __repr__(self):
        return str(self.x)

b = Reader()

def one():
    v = operator.attrgetter("x")(b)
    b.x = v + 1

other = one

def value():
    return b.x
""",
    "getattr": """
class Reader(Box):
    def get(self):
        return self.x

    @property
    def p(self):
        return self.x

    def __repr__(self):
        return str(self.x)

b = Reader()

def one():
    v = getattr(b, "x")
    b.x = v + 1

other = one

def value():
    return b.x
""",
    "vars": """
class Reader(Box):
    def get(self):
        return self.x

    @property
    def p(self):
        return self.x

    def __repr__(self):
        return str(self.x)

b = Reader()

def one():
    v = vars(b)["x"]
    b.x = v + 1

other = one

def value():
    return b.x
""",
    "copy": """
class Reader(Box):
    def get(self):
        return self.x

    @property
    def p(self):
        return self.x

    def __repr__(self):
        return str(self.x)

b = Reader()

def one():
    v = copy.copy(b).x
    b.x = v + 1

other = one

def value():
    return b.x
""",
    "weak": """
class Reader(Box):
    def get(self):
        return self.x

    @property
    def p(self):
        return self.x

    def __repr__(self):
        return str(self.x)

b = Reader()

def one():
    v = weakref.ref(b)().x
    b.x = v + 1

other = one

def value():
    return b.x
""",
    "weakproxy": """
class Reader(Box):
    def get(self):
        return self.x

    @property
    def p(self):
        return self.x

    def __repr__(self):
        return str(self.x)

b = Reader()

def one():
    v = weakref.proxy(b).x
    b.x = v + 1

other = one

def value():
    return b.x
""",
    "ns": """
class Reader(Box):
    def get(self):
        return self.x

    @property
    def p(self):
        return self.x

    def __repr__(self):
        return str(self.x)

b = Reader()

def one():
    v = types.SimpleNamespace(**vars(b)).x
    b.x = v + 1

other = one

def value():
    return b.x
""",
    "method": """
class Reader(Box):
    def get(self):
        return self.x

    @property
    def p(self):
        return self.x

    def __repr__(self):
        return str(self.x)

b = Reader()

def one():
    v = b.get()
    b.x = v + 1

other = one

def value():
    return b.x
""",
    "bound_method": """
class Reader(Box):
    def get(self):
        return self.x

    @property
    def p(self):
        return self.x

    def __repr__(self):
        return str(self.x)

b = Reader()

def one():
    g = b.get
    v = g()
    b.x = v + 1

other = one

def value():
    return b.x
""",
    "prop": """
class Reader(Box):
    def get(self):
        return self.x

    @property
    def p(self):
        return self.x

    def __repr__(self):
        return str(self.x)

b = Reader()

def one():
    v = b.p
    b.x = v + 1

other = one

def value():
    return b.x
""",
    "class_get": """
class Reader(Box):
    def get(self):
        return self.x

    @property
    def p(self):
        return self.x

    def __repr__(self):
        return str(self.x)

b = Reader()

def one():
    v = type(b).get(b)
    b.x = v + 1

other = one

def value():
    return b.x
""",
    "repr": """
class Reader(Box):
    def get(self):
        return self.x

    @property
    def p(self):
        return self.x

    def __repr__(self):
        return str(self.x)

b = Reader()

def one():
    v = int(repr(b))
    b.x = v + 1

other = one

def value():
    return b.x
""",
    "memview": """
ba = bytearray(1)

def one():
    v = memoryview(ba)[0]
    ba[0] = v + 1

other = one

def value():
    return ba[0]
""",
    "memview_local": """
e = threading.Event()
ba = bytearray(1)

def one():
    m = memoryview(ba)
    e.is_set()
    v = m[0]
    ba[0] = v + 1

other = one

def value():
    return ba[0]
""",
    "memview_slice": """
ba = bytearray(1)

def one():
    m = memoryview(ba)[0:1]
    v = m[0]
    ba[0] = v + 1

other = one

def value():
    return ba[0]
""",
    "ba_iter": """
ba = bytearray(1)

def one():
    v = next(iter(ba))
    ba[0] = v + 1

other = one

def value():
    return ba[0]
""",
    "ba_bytes": """
ba = bytearray(1)

def one():
    v = bytes(ba)[0]
    ba[0] = v + 1

other = one

def value():
    return ba[0]
""",
    "ba_slice": """
ba = bytearray(1)

def one():
    v = ba[:][0]
    ba[0] = v + 1

other = one

def value():
    return ba[0]
""",
    "ba_int": """
ba = bytearray(1)

def one():
    v = int.from_bytes(ba, "little")
    ba[0] = v + 1

other = one

def value():
    return ba[0]
""",
    "ba_struct": """
ba = bytearray(1)

def one():
    (v,) = struct.unpack("B", ba)
    ba[0] = v + 1

other = one

def value():
    return ba[0]
""",
    "ba_ctypes": """
ba = bytearray(1)

def one():
    c = ctypes.c_ubyte.from_buffer(ba)
    v = c.value
    ba[0] = v + 1

other = one

def value():
    return ba[0]
""",
    "ba_ctypes_wait": """
e = threading.Event()
ba = bytearray(1)

def one():
    c = ctypes.c_ubyte.from_buffer(ba)
    e.is_set()
    v = c.value
    del c
    ba[0] = v + 1

other = one

def value():
    return ba[0]
""",
    "ba_find": """
ba = bytearray(1)

def one():
    v = 0 if ba.find(bytes(1)) == 0 else 1
    ba[0] = v + 1

other = one

def value():
    return ba[0]
""",
    "io": """
ba = bytearray(1)

def one():
    v = io.BytesIO(ba).read()[0]
    ba[0] = v + 1

other = one

def value():
    return ba[0]
""",
    "deque_iter": """
dq = collections.deque([0])

def one():
    v = next(iter(dq))
    dq[0] = v + 1

other = one

def value():
    return dq[0]
""",
    "deque_index": """
dq = collections.deque([0])

def one():
    v = dq[0]
    dq[0] = v + 1

other = one

def value():
    return dq[0]
""",
    "deque_copy": """
dq = collections.deque([0])

def one():
    v = dq.copy()[0]
    dq[0] = v + 1

other = one

def value():
    return dq[0]
""",
    "set_iter": """
st = {0}

def one():
    v = len(st) - 1
    st.add(v + 1)

other = one

def value():
    return len(st) - 1
""",
    "set_copy": """
st = {0}

def one():
    v = len(st.copy()) - 1
    st.add(v + 1)

other = one

def value():
    return len(st) - 1
""",
    "set_or": """
st = {0}

def one():
    v = len(st | set()) - 1
    st.add(v + 1)

other = one

def value():
    return len(st) - 1
""",
    "set_sorted": """
st = {0}

def one():
    v = len(sorted(st)) - 1
    st.add(v + 1)

other = one

def value():
    return len(st) - 1
""",
    "genframe": """
def gen():
    n = 0
    while True:
        n = yield n

g0 = gen()
next(g0)

def one():
    v = g0.gi_frame.f_locals["n"]
    g0.send(v + 1)

other = one

def value():
    return g0.gi_frame.f_locals["n"]
""",
    "closure": """
def mk():
    n = 0

    def get():
        return n

    def put(q):
        nonlocal n
        n = q

    return get, put

cl, pu = mk()

def one():
    v = cl()
    pu(v + 1)

other = one

def value():
    return cl()
""",
    "defaults": """
l = [0]

def fd(q=l):
    return q

def one():
    v = fd.__defaults__[0][0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "nested": """
nest = [[0]]

def one():
    v = nest[0][0]
    nest[0][0] = v + 1

other = one

def value():
    return nest[0][0]
""",
    "nested_local": """
e = threading.Event()
nest = [[0]]

def one():
    n0 = nest[0]
    e.is_set()
    v = n0[0]
    nest[0][0] = v + 1

other = one

def value():
    return nest[0][0]
""",
    "tuple_in": """
l = [0]
tp = (l,)

def one():
    n0 = tp[0]
    v = n0[0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "obj_in_tuple": """
class Reader(Box):
    def get(self):
        return self.x

    @property
    def p(self):
        return self.x

    def __repr__(self):
        return str(self.x)

b = Reader()
tb = (b,)

def one():
    v = tb[0].x
    b.x = v + 1

other = one

def value():
    return b.x
""",
    "copy_shallow_nested": """
e = threading.Event()
nest = [[0]]

def one():
    n0 = nest.copy()
    e.is_set()
    v = n0[0][0]
    nest[0][0] = v + 1

other = one

def value():
    return nest[0][0]
""",
    "list_of_obj": """
e = threading.Event()

class Reader(Box):
    def get(self):
        return self.x

    @property
    def p(self):
        return self.x

    def __repr__(self):
        return str(self.x)

b = Reader()

def one():
    n0 = [b]
    e.is_set()
    v = n0[0].x
    b.x = v + 1

other = one

def value():
    return b.x
""",
    "dict_of_obj": """
class Reader(Box):
    def get(self):
        return self.x

    @property
    def p(self):
        return self.x

    def __repr__(self):
        return str(self.x)

b = Reader()

def one():
    n0 = {"b": b}
    v = n0["b"].x
    b.x = v + 1

other = one

def value():
    return b.x
""",
    "local_obj_attr": """
class Reader(Box):
    def get(self):
        return self.x

    @property
    def p(self):
        return self.x

    def __repr__(self):
        return str(self.x)

b = Reader()

def one():
    n0 = types.SimpleNamespace(b=b)
    v = n0.b.x
    b.x = v + 1

other = one

def value():
    return b.x
""",
    "local_obj_list": """
l = [0]

def one():
    n0 = types.SimpleNamespace(l=l)
    v = n0.l[0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "sum_local_nested": """
l = [0]

def one():
    n0 = [l]
    v = sum(n0[0])
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "str_local_nested": """
l = [0]

def one():
    n0 = [l]
    v = int(str(n0)[2])
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "json_local": """
l = [0]

def one():
    v = json.loads(json.dumps([l]))[0][0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "pickle_local": """
l = [0]

def one():
    v = pickle.loads(pickle.dumps([l]))[0][0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "deepcopy_local": """
l = [0]

def one():
    v = copy.deepcopy([l])[0][0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "eq_local_nested": """
l = [0]

def one():
    v = 0 if [l] == [[0]] else 1
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "hash": """
class Hashed(Box):
    def __hash__(self):
        return self.x

    def __eq__(self, other):
        return self is other

hb = Hashed()

def one():
    v = int(hash(hb))
    hb.x = v + 1

other = one

def value():
    return hb.x
""",
    "sorted_nested": """
l = [0]

def one():
    v = sorted([l])[0][0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "max_nested": """
l = [0]

def one():
    v = 0 if max([l], [[0]]) == [[0]] else 1
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "set_nested": """
class Hashed(Box):
    def __hash__(self):
        return self.x

    def __eq__(self, other):
        return self is other

hb = Hashed()

def one():
    v = 0 if hb in {hb: 0} and hb.x == 0 else 1
    hb.x = v + 1

other = one

def value():
    return hb.x
""",
    "join": """
l = [0]

def one():
    v = int("".join(map(str, l)))
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "any": """
l = [0]

def one():
    v = 1 if any(l) else 0
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "all": """
l = [0]

def one():
    v = 1 if all(l) else 0
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "bool": """
l = [0]

def one():
    v = len(l) and l[0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "divmod": """
l = [0]

def one():
    v = divmod(*l, 1)[0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "pow": """
l = [0]

def one():
    v = pow(*l, 1)
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "isinst": """
l = [0]

def one():
    v = [x for x in l if isinstance(x, int)][0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "yield_from": """
l = [0]

def one():
    def gg():
        yield from l

    v = next(gg())
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "walrus": """
l = [0]

def one():
    v = (w := l)[0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "cond": """
l = [0]

def one():
    v = 1 if l[0] else 0
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "ternary_or": """
l = [0]

def one():
    v = l[0] or 0
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "assert": """
l = [0]

def one():
    v = 0
    if l != [0]:
        v = 1
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "try": """
l = [0]

def one():
    try:
        v = l[0]
    finally:
        pass
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "with": """
l = [0]

def one():
    with contextlib.nullcontext(l) as w:
        v = w[0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "lambda": """
l = [0]

def one():
    v = (lambda q: q[0])(l)
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "default_lambda": """
l = [0]

def one():
    v = (lambda q=l: q[0])()
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "starred_mid": """
l = [0]

def one():
    v, *_ = l
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "slice_assign_src": """
l = [0]

def one():
    n0 = [9]
    n0[:] = l
    v = n0[0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "extend_src": """
l = [0]

def one():
    n0 = []
    n0.extend(l)
    v = n0[0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "iadd_src": """
l = [0]

def one():
    n0 = []
    n0 += l
    v = n0[0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "update_src": """
d = {"x": 0}

def one():
    n0 = {}
    n0.update(d)
    v = n0["x"]
    d["x"] = v + 1

other = one

def value():
    return d["x"]
""",
    "setupdate_src": """
l = [0]

def one():
    n0 = set()
    n0.update(l)
    v = n0.pop()
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "insert_obj": """
l = [0]

def one():
    n0 = []
    n0.insert(0, l)
    v = n0[0][0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "deque_extend": """
l = [0]

def one():
    n0 = collections.deque()
    n0.extend(l)
    v = n0[0]
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "counter": """
l = [0]

def one():
    v = next(iter(collections.Counter(l)))
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "od": """
d = {"x": 0}

def one():
    v = collections.OrderedDict(d)["x"]
    d["x"] = v + 1

other = one

def value():
    return d["x"]
""",
    "dd": """
d = {"x": 0}

def one():
    v = collections.defaultdict(int, d)["x"]
    d["x"] = v + 1

other = one

def value():
    return d["x"]
""",
    "fromkeys": """
l = [0]

def one():
    v = next(iter(dict.fromkeys(l)))
    l[0] = v + 1

other = one

def value():
    return l[0]
""",
    "ba_extend": """
ba = bytearray(1)

def one():
    n0 = bytearray()
    n0.extend(ba)
    v = n0[0]
    ba[0] = v + 1

other = one

def value():
    return ba[0]
""",
    "ba_from": """
ba = bytearray(1)

def one():
    n0 = bytearray(ba)
    v = n0[0]
    ba[0] = v + 1

other = one

def value():
    return ba[0]
""",
    "ba_iadd": """
ba = bytearray(1)

def one():
    n0 = bytearray()
    n0 += ba
    v = n0[0]
    ba[0] = v + 1

other = one

def value():
    return ba[0]
""",
    "ba_join": """
ba = bytearray(1)

def one():
    v = b"".join([ba])[0]
    ba[0] = v + 1

other = one

def value():
    return ba[0]
""",
    "ba_cmp": """
ba = bytearray(1)

def one():
    v = 0 if ba == bytes(1) else 1
    ba[0] = v + 1

other = one

def value():
    return ba[0]
""",
}
