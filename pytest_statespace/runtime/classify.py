"""Decide, instruction by instruction, what may touch data that another thread can reach.

The result of `Classifier.records` is read by the native tracer before every instruction of
code under test: six bytes a code unit, `struct` format ``=BBhh``: what to check, flags,
operand, height of the value stack before the instruction (-1: unknown).

Two kinds of knowledge are combined. What only the bytecode shows is decided here: a global
that nothing under test rebinds needs no choice point, nor does a cell that is stored once
before it is shared. What depends on the operands (is this list reachable by anybody else?
does this attribute come from the class?) is left to the native side, which looks at the
value stack; the record says where.

The rule for everything unknown is to assume the worst: an instruction that no table below
names gets `Check.ALWAYS`.
"""

from __future__ import annotations

import dis
import opcode
import struct
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import CodeType


class Check(IntEnum):
    """What the native side examines before an instruction; `preempt_internal.h` has the same numbers."""

    NONE = 0
    ALWAYS = 1  # may touch anything
    GLOBAL_READ = 2  # of a name that is rebound; operand: index in co_names
    GLOBAL_WRITE = 3
    NAME_WRITE = 4  # STORE_NAME, DELETE_NAME: a global unless in a class body
    CELL_READ = 5  # operand: index in the fast locals
    CELL_WRITE = 6
    CELL_CONSTANT = 7  # assumed to be bound once: only an unbound one matters
    RELEASE = 8  # of what a local variable holds; operand: its index in the fast locals
    LEAVE = 9  # for the caller, which may be C code; operand: 1 if the local variables go as well
    ATTRIBUTE_READ = 10  # owner on top; operand: index in co_names
    ATTRIBUTE_WRITE = 11
    ITEM_READ = 12  # key on top, container below
    ITEM_WRITE = 13
    CONTAINS = 14  # container on top, element below
    OPERANDS = 15  # operand: how many values from the top are read in depth
    COMPARE = 16  # two values, compared
    TRUTH = 17  # of the top
    ITERATE = 18  # iter(top)
    NEXT = 19  # operand: how far below the top the iterator is
    SOURCE = 20  # the top is iterated over to its end
    CALL = 21  # operand: number of arguments
    CALL_KEYWORDS = 22  # as CALL, names on top (3.13)
    CALL_UNPACKED = 23  # CALL_FUNCTION_EX; operand: 1 if keywords are on top, or their empty place (3.14)
    ENTER = 24  # context manager on top
    EXIT = 25  # operand: how far below the top the exit method is
    DISCARD = 26  # the top is given up


DELETE = 1  #: flag: the write removes
CALLS = 2  #: flag: an ordinary call with `operand` arguments, whatever is checked
RECORD = struct.Struct("=BBhh")
MAX_HEIGHT = 32767

_HARMLESS = frozenset(
    [
        "CACHE",
        "PUSH_NULL",
        "NOP",
        "RESUME",
        "LOAD_CONST",
        "LOAD_FAST",
        "LOAD_FAST_CHECK",
        "LOAD_FAST_AND_CLEAR",
        "LOAD_FAST_LOAD_FAST",
        "LOAD_FAST_BORROW",
        "LOAD_FAST_BORROW_LOAD_FAST_BORROW",
        "LOAD_SMALL_INT",
        "LOAD_COMMON_CONSTANT",
        "NOT_TAKEN",
        "POP_ITER",
        "STORE_FAST_LOAD_FAST",
        "STORE_FAST_STORE_FAST",
        "SWAP",
        "COPY",
        "BUILD_TUPLE",
        "BUILD_LIST",
        "BUILD_MAP",
        "BUILD_SET",
        "BUILD_SLICE",
        "BUILD_STRING",
        "BUILD_INTERPOLATION",
        "BUILD_TEMPLATE",
        "BUILD_CONST_KEY_MAP",
        "JUMP_FORWARD",
        "JUMP_BACKWARD",
        "JUMP_BACKWARD_NO_INTERRUPT",
        "POP_JUMP_FORWARD_IF_NONE",
        "POP_JUMP_FORWARD_IF_NOT_NONE",
        "POP_JUMP_BACKWARD_IF_NONE",
        "POP_JUMP_BACKWARD_IF_NOT_NONE",
        "POP_JUMP_IF_NONE",
        "POP_JUMP_IF_NOT_NONE",
        "IS_OP",
        "PUSH_EXC_INFO",
        "POP_EXCEPT",
        "RERAISE",
        "RAISE_VARARGS",
        "CHECK_EXC_MATCH",
        "CHECK_EG_MATCH",
        "PREP_RERAISE_STAR",
        "LOAD_ASSERTION_ERROR",
        "LOAD_BUILD_CLASS",
        "KW_NAMES",
        "MAKE_CELL",
        "LOAD_CLOSURE",
        "COPY_FREE_VARS",
        "RETURN_GENERATOR",
        "MAKE_FUNCTION",
        "SET_FUNCTION_ATTRIBUTE",
        "EXTENDED_ARG",
        "LIST_TO_TUPLE",
        "LIST_APPEND",
        "SET_ADD",
        "MAP_ADD",
        "END_FOR",
        "END_SEND",
        "ASYNC_GEN_WRAP",
        "GET_AWAITABLE",
        "END_ASYNC_FOR",
        "CLEANUP_THROW",
        "LOAD_LOCALS",
        "MATCH_MAPPING",
        "MATCH_SEQUENCE",
        "INTERPRETER_EXIT",
        "EXIT_INIT_CHECK",
    ]
)

#: name -> (check, operand); operand None: computed from the instruction's argument.
_SIMPLE: Mapping[str, tuple[Check, int]] = {
    "POP_TOP": (Check.DISCARD, 0),
    "RETURN_VALUE": (Check.LEAVE, 1),
    "RETURN_CONST": (Check.LEAVE, 1),
    "YIELD_VALUE": (Check.LEAVE, 0),
    "BINARY_SUBSCR": (Check.ITEM_READ, 0),
    "STORE_SUBSCR": (Check.ITEM_WRITE, 0),
    "DELETE_SUBSCR": (Check.ITEM_WRITE, 0),
    "BINARY_SLICE": (Check.OPERANDS, 3),
    "STORE_SLICE": (Check.OPERANDS, 4),
    "CONTAINS_OP": (Check.CONTAINS, 2),
    "COMPARE_OP": (Check.COMPARE, 2),
    "BINARY_OP": (Check.OPERANDS, 2),
    "UNARY_NEGATIVE": (Check.OPERANDS, 1),
    "UNARY_POSITIVE": (Check.OPERANDS, 1),
    "UNARY_INVERT": (Check.OPERANDS, 1),
    "GET_LEN": (Check.OPERANDS, 1),
    "FORMAT_SIMPLE": (Check.OPERANDS, 1),
    "FORMAT_WITH_SPEC": (Check.OPERANDS, 2),
    "CONVERT_VALUE": (Check.OPERANDS, 1),
    "MATCH_KEYS": (Check.OPERANDS, 2),
    "UNARY_NOT": (Check.TRUTH, 0),
    "TO_BOOL": (Check.TRUTH, 0),
    "JUMP_IF_FALSE_OR_POP": (Check.TRUTH, 0),
    "JUMP_IF_TRUE_OR_POP": (Check.TRUTH, 0),
    "POP_JUMP_FORWARD_IF_FALSE": (Check.TRUTH, 0),
    "POP_JUMP_FORWARD_IF_TRUE": (Check.TRUTH, 0),
    "POP_JUMP_BACKWARD_IF_FALSE": (Check.TRUTH, 0),
    "POP_JUMP_BACKWARD_IF_TRUE": (Check.TRUTH, 0),
    "POP_JUMP_IF_FALSE": (Check.TRUTH, 0),
    "POP_JUMP_IF_TRUE": (Check.TRUTH, 0),
    "GET_ITER": (Check.ITERATE, 0),
    "GET_YIELD_FROM_ITER": (Check.ITERATE, 0),
    "FOR_ITER": (Check.NEXT, 0 if sys.version_info < (3, 15) else 1),  # 3.15: a number, or its empty place, on top
    "SEND": (Check.NEXT, 1 if sys.version_info < (3, 15) else 2),
    "UNPACK_SEQUENCE": (Check.SOURCE, 0),
    "UNPACK_EX": (Check.SOURCE, 0),
    "LIST_EXTEND": (Check.SOURCE, 0),
    "SET_UPDATE": (Check.SOURCE, 0),
    "DICT_UPDATE": (Check.SOURCE, 0),
    "DICT_MERGE": (Check.SOURCE, 0),
    "BEFORE_WITH": (Check.ENTER, 0),
    "WITH_EXCEPT_START": (Check.EXIT, 3 if sys.version_info < (3, 14) else 4),
}

_HARMLESS_INTRINSICS = frozenset(
    [
        "INTRINSIC_1_INVALID",
        "INTRINSIC_STOPITERATION_ERROR",
        "INTRINSIC_ASYNC_GEN_WRAP",
        "INTRINSIC_LIST_TO_TUPLE",
        "INTRINSIC_TYPEVAR",
        "INTRINSIC_PARAMSPEC",
        "INTRINSIC_TYPEVARTUPLE",
        "INTRINSIC_SUBSCRIPT_GENERIC",
        "INTRINSIC_TYPEALIAS",
        "INTRINSIC_2_INVALID",
        "INTRINSIC_PREP_RERAISE_STAR",
        "INTRINSIC_TYPEVAR_WITH_BOUND",
        "INTRINSIC_TYPEVAR_WITH_CONSTRAINTS",
        "INTRINSIC_SET_FUNCTION_TYPE_PARAMS",
        "INTRINSIC_SET_TYPEPARAM_DEFAULT",
    ]
)

_CELL_READS = frozenset({"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"})
_CELL_WRITES = frozenset({"STORE_DEREF", "DELETE_DEREF"})
_NAME_READS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_ENDS = frozenset(
    {"RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE", "JUMP_FORWARD", "JUMP_BACKWARD",
     "JUMP_BACKWARD_NO_INTERRUPT", "INTERPRETER_EXIT"}
)  # fmt: skip

#: The argument of BINARY_OP that makes it a subscript (3.14).
_SUBSCRIPT = next((i for i, operator in enumerate(getattr(opcode, "_nb_ops", ())) if operator[0] == "NB_SUBSCR"), -1)

#: 3.11 hides the instruction behind EXTENDED_ARG from tracers: the prefix stands for it.
PREFIX_STANDS_FOR_INSTRUCTION = sys.version_info < (3, 12)


def nested_codes(code: CodeType) -> Iterator[CodeType]:
    """The code object and all code objects among its constants, recursively."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from nested_codes(constant)


def instructions(code: CodeType) -> list[dis.Instruction]:
    """Instructions as written (not specialised, not instrumented), EXTENDED_ARG included, caches left out."""
    return list(dis.get_instructions(code, adaptive=False))


def _slots(code: CodeType) -> tuple[str, ...]:
    """Names of the fast locals in order: arguments and locals, further cells, free variables."""
    return (
        code.co_varnames + tuple(name for name in code.co_cellvars if name not in code.co_varnames) + code.co_freevars
    )


def _stack_effect(instruction: dis.Instruction, jump: bool) -> int:
    name, argument = instruction.opname, instruction.arg
    # The table of the running version does not describe what these really do.
    if name == "RETURN_GENERATOR":
        return 1
    if sys.version_info < (3, 12):
        if name == "PRECALL":
            return 0
        if name == "CALL":
            return -((argument or 0) + 1)
    if name == "CACHE":
        return 0
    return dis.stack_effect(
        instruction.opcode, argument if instruction.opcode >= dis.HAVE_ARGUMENT else None, jump=jump
    )


def stack_heights(code: CodeType) -> dict[int, int]:
    """Height of the value stack before each reachable instruction, by offset.

    Raises:
        ValueError: two ways to an instruction disagree, or one pops too much.
    """
    sequence = instructions(code)
    index = {instruction.offset: i for i, instruction in enumerate(sequence)}
    targets = set(getattr(dis, "hasjump", None) or dis.hasjrel)
    targets.discard(dis.opmap["END_ASYNC_FOR"])  # names the loop's beginning for the sake of monitoring (3.14)
    heights: dict[int, int] = {}
    work: list[tuple[int, int]] = []

    def reach(offset: int, height: int) -> None:
        known = heights.get(offset)
        if height < 0:
            raise ValueError(f"{code.co_qualname}: offset {offset} is reached with {height} values")
        if known is None:
            heights[offset] = height
            work.append((offset, height))
        elif known != height:
            raise ValueError(f"{code.co_qualname}: offset {offset} is reached with {known} and {height} values")

    reach(0, 0)
    handlers = _exception_handlers(code)
    while True:
        while work:
            offset, height = work.pop()
            i = index[offset]
            instruction = sequence[i]
            if instruction.opcode in targets:
                reach(int(instruction.argval), height + _stack_effect(instruction, jump=True))
            if instruction.opname not in _ENDS and i + 1 < len(sequence):
                reach(sequence[i + 1].offset, height + _stack_effect(instruction, jump=False))
        before = len(heights)
        for start, end, target, depth, lasti in handlers:
            if any(start <= offset < end for offset in heights):
                reach(target, depth + (1 if lasti else 0) + 1)
        if len(heights) == before:
            return heights


def _exception_handlers(code: CodeType) -> list[tuple[int, int, int, int, bool]]:
    """(start, end, target, depth, lasti) in byte offsets; format: Objects/exception_handling_notes.txt of CPython."""
    numbers: list[int] = []
    value, continued = 0, False
    for byte in code.co_exceptiontable:
        value = (value << 6 | byte & 63) if continued else byte & 63
        continued = bool(byte & 64)
        if not continued:
            numbers.append(value)
    handlers = []
    for start, length, target, depth_lasti in zip(*[iter(numbers)] * 4, strict=True):
        handlers.append((start * 2, (start + length) * 2, target * 2, depth_lasti >> 1, bool(depth_lasti & 1)))
    return handlers


def rebound_cells(root: CodeType) -> set[tuple[CodeType, str]]:
    """(code, name) of every cell variable in the nest of `root` that is not provably bound once.

    A cell counts as constant when it is an argument nobody stores to, or when the defining code
    stores it at exactly one place outside every loop and nobody deletes it.
    """
    found: set[tuple[CodeType, str]] = set()
    for code in nested_codes(root):
        for name in code.co_cellvars:
            users = [code, *_users(code, name)]
            stores = [(user, i) for user in users for i in _touching(user, name, "STORE_DEREF")]
            deleted = any(_touching(user, name, "DELETE_DEREF") for user in users)
            argument = name in code.co_varnames[: _argument_count(code)]
            once = not stores or (
                len(stores) == 1 and not argument and stores[0][0] is code and not _in_loop(code, stores[0][1])
            )
            if deleted or not once:
                found.update((user, name) for user in users)
    return found


def _argument_count(code: CodeType) -> int:
    flags = bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)
    return code.co_argcount + code.co_kwonlyargcount + flags


def _users(code: CodeType, name: str) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType) and name in constant.co_freevars:
            yield constant
            yield from _users(constant, name)


def _touching(code: CodeType, name: str, opname: str) -> list[int]:
    return [i.offset for i in instructions(code) if i.opname == opname and i.argval == name]


def _in_loop(code: CodeType, offset: int) -> bool:
    return any(
        i.offset >= offset and isinstance(i.argval, int) and i.argval <= offset
        for i in instructions(code)
        if "JUMP" in i.opname
    )


@dataclass(frozen=True, slots=True)
class Classifier:
    """What the whole program is assumed not to do, and the classification that follows from it."""

    rebound: frozenset[str]  #: names of globals that are stored somewhere
    stored_names: frozenset[str]  #: names of attributes that are stored somewhere
    promoted_cells: frozenset[str]  #: "QUALNAME.NAME" of cells seen unbound

    def records(self, code: CodeType, rebound_cells: set[tuple[CodeType, str]] | None = None) -> bytes:
        """The native records of one code object. Cells not known to be constant count as rebound."""
        units = len(code.co_code) // 2
        try:
            heights = stack_heights(code)
        except ValueError:
            heights = {}
        table = [(0, 0, 0, -1)] * units
        slots = _slots(code)
        prefix: int | None = None
        for instruction in instructions(code):
            height = heights.get(instruction.offset, -1)
            if instruction.opname == "EXTENDED_ARG":
                prefix = instruction.offset if prefix is None else prefix
                table[instruction.offset // 2] = (0, 0, 0, height)
                continue
            check, flags, operand = self._check(code, instruction, slots, rebound_cells)
            if not -MAX_HEIGHT <= operand <= MAX_HEIGHT:
                check, operand = Check.ALWAYS, 0
            if height < 0 and not PREFIX_STANDS_FOR_INSTRUCTION and check >= Check.ATTRIBUTE_READ:
                check = Check.ALWAYS  # its operands can't be found
            record = (int(check), flags, operand, height)
            table[instruction.offset // 2] = record
            if prefix is not None and PREFIX_STANDS_FOR_INSTRUCTION:
                table[prefix // 2] = record
            prefix = None
        return b"".join(RECORD.pack(*entry) for entry in table)

    def _check(
        self,
        code: CodeType,
        instruction: dis.Instruction,
        slots: tuple[str, ...],
        rebound_cells: set[tuple[CodeType, str]] | None,
    ) -> tuple[Check, int, int]:
        name, argument = instruction.opname, instruction.arg or 0
        if name in _HARMLESS:
            return Check.NONE, 0, 0
        if name == "BINARY_OP" and argument == _SUBSCRIPT:
            return Check.ITEM_READ, 0, 0
        if name in _SIMPLE:
            check, operand = _SIMPLE[name]
            flags = DELETE if name.startswith("DELETE") else 0
            return check, flags, operand
        if name == "CALL" and sys.version_info < (3, 12):
            return Check.NONE, CALLS, argument  # checked before its PRECALL
        if name in ("STORE_FAST", "DELETE_FAST"):
            return Check.RELEASE, 0, argument
        if name in ("CALL", "PRECALL"):
            return Check.CALL, CALLS, argument
        if name == "CALL_KW":
            return Check.CALL_KEYWORDS, 0, argument
        if name == "CALL_FUNCTION_EX":
            return Check.CALL_UNPACKED, 0, argument & 1 if sys.version_info < (3, 14) else 1
        if name in ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM"):
            return Check.ATTRIBUTE_READ, 0, code.co_names.index(_plain(instruction))
        if name in ("STORE_ATTR", "DELETE_ATTR"):
            flags = DELETE if name == "DELETE_ATTR" else 0
            return Check.ATTRIBUTE_WRITE, flags, code.co_names.index(_plain(instruction))
        if name in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            return Check.GLOBAL_WRITE, DELETE if name == "DELETE_GLOBAL" else 0, argument
        if name in ("STORE_NAME", "DELETE_NAME"):
            return Check.NAME_WRITE, DELETE if name == "DELETE_NAME" else 0, argument
        if name in _NAME_READS:
            plain = _plain(instruction)
            check = Check.GLOBAL_READ if plain in self.rebound else Check.NONE
            return check, 0, code.co_names.index(plain)
        if name in ("LOAD_SUPER_ATTR", "LOAD_SPECIAL"):
            attribute = instruction.argrepr if name == "LOAD_SPECIAL" else _plain(instruction)
            return (Check.ALWAYS if attribute in self.stored_names else Check.NONE), 0, 0
        if name in _CELL_READS or name in _CELL_WRITES:
            return self._cell(code, instruction, slots, rebound_cells)
        if name in ("CALL_INTRINSIC_1", "CALL_INTRINSIC_2"):
            if instruction.argrepr == "INTRINSIC_UNARY_POSITIVE":
                return Check.OPERANDS, 0, 1
            harmless = instruction.argrepr in _HARMLESS_INTRINSICS or (
                not instruction.argrepr and argument in (3, 4, 6)
            )
            return (Check.NONE if harmless else Check.ALWAYS), 0, 0
        if name == "FORMAT_VALUE":
            return Check.OPERANDS, 0, 2 if argument & 0x04 else 1
        return Check.ALWAYS, 0, 0

    def _cell(
        self,
        code: CodeType,
        instruction: dis.Instruction,
        slots: tuple[str, ...],
        rebound_cells: set[tuple[CodeType, str]] | None,
    ) -> tuple[Check, int, int]:
        name = str(instruction.argval)
        slot = slots.index(name)
        if instruction.opname in _CELL_WRITES:
            return Check.CELL_WRITE, DELETE if instruction.opname == "DELETE_DEREF" else 0, slot
        promoted = any(entry.rpartition(".")[2] == name for entry in self.promoted_cells)
        constant = rebound_cells is not None and (code, name) not in rebound_cells and not promoted
        return (Check.CELL_CONSTANT if constant else Check.CELL_READ), 0, slot


def _plain(instruction: dis.Instruction) -> str:
    """The instruction's name operand (argval carries no decoration on any version)."""
    return str(instruction.argval)
