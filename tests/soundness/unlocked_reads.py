"""Expressions that read what another thread changes, then a write (`tests/plugin/test_unlocked.py`)."""

from __future__ import annotations

import textwrap

_SHARED = """
class Reader(Box):
    def get(self):
        return self.x

    @property
    def p(self):
        return self.x

    def __repr__(self):
        return str(self.x)

class Hashed(Box):
    def __hash__(self):
        return self.x

    def __eq__(self, other):
        return self is other

def anything(x):
    return True

l, nest, d, st = [0], [[0]], {"x": 0}, {0}
b, ba, dq, hashed = Reader(), bytearray(1), collections.deque([0]), Hashed()
in_tuple, box_in_tuple = (l,), (b,)
event = threading.Event()

def with_default(q=l):
    return q
"""
_PROGRAM = """
def one():
{read}
    {write}

other = one

def value():
    return {value}
"""
_TARGETS = {
    "l": ("l[0] = v + 1", "l[0]"),
    "d": ('d["x"] = v + 1', 'd["x"]'),
    "b": ("b.x = v + 1", "b.x"),
    "ba": ("ba[0] = v + 1", "ba[0]"),
    "dq": ("dq[0] = v + 1", "dq[0]"),
    "st": ("st.add(v + 1)", "len(st) - 1"),
    "nest": ("nest[0][0] = v + 1", "nest[0][0]"),
    "hashed": ("hashed.x = v + 1", "hashed.x"),
}
"""What is shared: how `v` is written to it, and what is in it."""
_READS = {
    "l": {
        "enumerate": "for _, v in enumerate(l): pass",
        "enumerate_next": "v = next(enumerate(l))[1]",
        "zip": "for v, in zip(l): pass",
        "zip_next": "v, = next(zip(l))",
        "chain": "v = next(itertools.chain(l))",
        "chain_for": "for v in itertools.chain(l): pass",
        "chain_iterable": "v = next(itertools.chain.from_iterable([l]))",
        "islice": "v = next(itertools.islice(l, 1))",
        "map_int": "v = next(map(int, l))",
        "map_list": "v = list(map(int, l))[0]",
        "filter": "v = next(filter(lambda x: True, l))",
        "filter_builtin": "v = next(filter(anything, l))",
        "reversed": "v = next(reversed(l))",
        "tee": "p, q = itertools.tee(l); v = next(p)",
        "cycle": "v = next(itertools.cycle(l))",
        "accumulate": "v = next(itertools.accumulate(l))",
        "starmap": "v = next(itertools.starmap(int, [l]))",
        "zip_longest": "v, = next(itertools.zip_longest(l))",
        "takewhile": "v = next(itertools.takewhile(anything, l))",
        "compress": "v = next(itertools.compress(l, [1]))",
        "groupby": "v = next(itertools.groupby(l))[0]",
        "product": "v, = next(itertools.product(l))",
        "sum": "v = sum(l)",
        "max": "v = max(l)",
        "tuple": "v = tuple(l)[0]",
        "list_copy": "v = l.copy()[0]",
        "slice": "v = l[:][0]",
        "add": "v = (l + [])[0]",
        "mul": "v = (l * 1)[0]",
        "star": "v = [*l][0]",
        "iter_then": "it = iter(l); v = next(it)",
        "iter_wait": "it = iter(l); event.is_set(); v = next(it)",
        "iter_next_method": "it = iter(l); n = it.__next__; v = n()",
        "for": "for v in l: pass",
        "genexp": "v = next(x for x in l)",
        "bound": "g = l.__getitem__; v = g(0)",
        "partial": "g = functools.partial(operator.getitem, l); v = g(0)",
        "itemgetter": "v = operator.itemgetter(0)(l)",
        "deque": "v = collections.deque(l)[0]",
        "userlist": "v = collections.UserList(l)[0]",
        "userlist_set": "v = collections.UserList(l).data[0]",
        "array": 'v = array.array("i", l)[0]',
        "bytes": "v = bytes(l)[0]",
        "set": "v = set(l).pop()",
        "frozen": "v = next(iter(frozenset(l)))",
        "sorted": "v = sorted(l)[0]",
        "str": "v = int(str(l)[1])",
        "fmt": 'v = int(f"{l}"[1])',
        "eq": "v = 0 if l == [0] else 1",
        "lt": "v = 0 if l < [1] else 1",
        "in": "v = 0 if 0 in l else 1",
        "index": "v = 0 if l.count(0) else 1",
        "unpack": "v, = l",
        "call_star": "v = int(*l)",
        "match": "match l:\n    case [v]: pass",
        "heap": "v = heapq.nsmallest(1, l)[0]",
        "defaults": "v = with_default.__defaults__[0][0]",
        "tuple_in": "n0 = in_tuple[0]; v = n0[0]",
        "local_obj_list": "n0 = types.SimpleNamespace(l=l); v = n0.l[0]",
        "sum_local_nested": "n0 = [l]; v = sum(n0[0])",
        "str_local_nested": "n0 = [l]; v = int(str(n0)[2])",
        "json_local": "v = json.loads(json.dumps([l]))[0][0]",
        "pickle_local": "v = pickle.loads(pickle.dumps([l]))[0][0]",
        "deepcopy_local": "v = copy.deepcopy([l])[0][0]",
        "eq_local_nested": "v = 0 if [l] == [[0]] else 1",
        "sorted_nested": "v = sorted([l])[0][0]",
        "max_nested": "v = 0 if max([l], [[0]]) == [[0]] else 1",
        "join": 'v = int("".join(map(str, l)))',
        "any": "v = 1 if any(l) else 0",
        "all": "v = 1 if all(l) else 0",
        "bool": "v = len(l) and l[0]",
        "divmod": "v = divmod(*l, 1)[0]",
        "pow": "v = pow(*l, 1)",
        "isinst": "v = [x for x in l if isinstance(x, int)][0]",
        "yield_from": "def gg():\n    yield from l\nv = next(gg())",
        "walrus": "v = (w := l)[0]",
        "cond": "v = 1 if l[0] else 0",
        "ternary_or": "v = l[0] or 0",
        "assert": "v = 0\nif l != [0]: v = 1",
        "try": "try: v = l[0]\nfinally: pass",
        "with": "with contextlib.nullcontext(l) as w: v = w[0]",
        "lambda": "v = (lambda q: q[0])(l)",
        "default_lambda": "v = (lambda q=l: q[0])()",
        "starred_mid": "v, *_ = l",
        "slice_assign_src": "n0 = [9]; n0[:] = l; v = n0[0]",
        "extend_src": "n0 = []; n0.extend(l); v = n0[0]",
        "iadd_src": "n0 = []; n0 += l; v = n0[0]",
        "setupdate_src": "n0 = set(); n0.update(l); v = n0.pop()",
        "insert_obj": "n0 = []; n0.insert(0, l); v = n0[0][0]",
        "deque_extend": "n0 = collections.deque(); n0.extend(l); v = n0[0]",
        "counter": "v = next(iter(collections.Counter(l)))",
        "fromkeys": "v = next(iter(dict.fromkeys(l)))",
    },
    "d": {
        "dict_copy": 'v = dict(d)["x"]',
        "dict_star": 'v = {**d}["x"]',
        "dict_or": 'v = (d | {})["x"]',
        "dict_values": "v = next(iter(d.values()))",
        "dict_values_local": "w = d.values(); v = list(w)[0]",
        "dict_items": "for _, v in d.items(): pass",
        "dict_items_local": "w = d.items(); event.is_set(); (_, v), = w",
        "proxy": 'v = types.MappingProxyType(d)["x"]',
        "chainmap": 'v = collections.ChainMap(d)["x"]',
        "proxy_get": 'v = types.MappingProxyType(d).get("x")',
        "fmt_map": 'v = int("{x}".format_map(d))',
        "fmt_star": 'v = int("{x}".format(**d))',
        "pct": 'v = int("%(x)d" % d)',
        "kwcall": "v = (lambda x: x)(**d)",
        "max_dict": "v = max(d.values())",
        "dict_eq": 'v = 0 if d == {"x": 0} else 1',
        "items_in": 'v = 0 if ("x", 0) in d.items() else 1',
        "update_src": 'n0 = {}; n0.update(d); v = n0["x"]',
        "od": 'v = collections.OrderedDict(d)["x"]',
        "dd": 'v = collections.defaultdict(int, d)["x"]',
    },
    "b": {
        "attrgetter": 'v = operator.attrgetter("x")(b)',
        "getattr": 'v = getattr(b, "x")',
        "vars": 'v = vars(b)["x"]',
        "copy": "v = copy.copy(b).x",
        "weak": "v = weakref.ref(b)().x",
        "weakproxy": "v = weakref.proxy(b).x",
        "ns": "v = types.SimpleNamespace(**vars(b)).x",
        "method": "v = b.get()",
        "bound_method": "g = b.get; v = g()",
        "prop": "v = b.p",
        "class_get": "v = type(b).get(b)",
        "repr": "v = int(repr(b))",
        "obj_in_tuple": "v = box_in_tuple[0].x",
        "list_of_obj": "n0 = [b]; event.is_set(); v = n0[0].x",
        "dict_of_obj": 'n0 = {"b": b}; v = n0["b"].x',
        "local_obj_attr": "n0 = types.SimpleNamespace(b=b); v = n0.b.x",
    },
    "ba": {
        "memview": "v = memoryview(ba)[0]",
        "memview_local": "m = memoryview(ba); event.is_set(); v = m[0]",
        "memview_slice": "m = memoryview(ba)[0:1]; v = m[0]",
        "ba_iter": "v = next(iter(ba))",
        "ba_bytes": "v = bytes(ba)[0]",
        "ba_slice": "v = ba[:][0]",
        "ba_int": 'v = int.from_bytes(ba, "little")',
        "ba_struct": 'v, = struct.unpack("B", ba)',
        "ba_ctypes": "c = ctypes.c_ubyte.from_buffer(ba); v = c.value",
        "ba_ctypes_wait": "c = ctypes.c_ubyte.from_buffer(ba); event.is_set(); v = c.value; del c",
        "ba_find": "v = 0 if ba.find(bytes(1)) == 0 else 1",
        "io": "v = io.BytesIO(ba).read()[0]",
        "ba_extend": "n0 = bytearray(); n0.extend(ba); v = n0[0]",
        "ba_from": "n0 = bytearray(ba); v = n0[0]",
        "ba_iadd": "n0 = bytearray(); n0 += ba; v = n0[0]",
        "ba_join": 'v = b"".join([ba])[0]',
        "ba_cmp": "v = 0 if ba == bytes(1) else 1",
    },
    "dq": {
        "deque_iter": "v = next(iter(dq))",
        "deque_index": "v = dq[0]",
        "deque_copy": "v = dq.copy()[0]",
    },
    "st": {
        "set_iter": "v = len(st) - 1",
        "set_copy": "v = len(st.copy()) - 1",
        "set_or": "v = len(st | set()) - 1",
        "set_sorted": "v = len(sorted(st)) - 1",
    },
    "nest": {
        "nested": "v = nest[0][0]",
        "nested_local": "n0 = nest[0]; event.is_set(); v = n0[0]",
        "copy_shallow_nested": "n0 = nest.copy(); event.is_set(); v = n0[0][0]",
    },
    "hashed": {
        "hash": "v = int(hash(hashed))",
        "set_nested": "v = 0 if hashed in {hashed: 0} and hashed.x == 0 else 1",
    },
}
"""By what is shared: how it is read into `v`."""


def _program(target: str, read: str) -> str:
    write, value = _TARGETS[target]
    return _SHARED + _PROGRAM.format(read=textwrap.indent(read, "    "), write=write, value=value)


WAYS = {name: _program(target, read) for target, reads in _READS.items() for name, read in reads.items()}
