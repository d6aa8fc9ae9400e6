"""A private build of the bridge in which one part of the fingerprint can be left out, to see who notices.

Which part says the environment variable `STATESPACE_WITHOUT`: the name of a type, whose handler then says
nothing about an object, or a name in `PARTS`, a walk that belongs to no single type. One build serves all;
a process uses one part.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "STATESPACE_WITHOUT"


@dataclass(frozen=True, slots=True)
class Part:
    """In `file` of the bridge, `instead` replaces `there`: it leaves something out `if (ssbf_without(name))`.
    With nothing `there`, the edit of an earlier part serves it as well."""

    name: str
    file: str
    there: str
    instead: str
    shows: str = "."
    """Programs in which it may show; a pattern."""


def _guarded(name: str, file: str, there: str, shows: str = ".") -> Part:
    """A statement, or several, that is not executed."""
    return Part(name, file, there, f'{{ if (!ssbf_without("{name}")) {{ {there} }} }}', shows)


def _of_atoms() -> list[Part]:
    start = "int ssbf_atom(PyObject *o, uint64_t tokens[3])\n{\n    PyTypeObject *t = Py_TYPE(o);\n"
    kinds = {"int": "Long", "float": "Float", "complex": "Complex", "str": "Unicode", "bytes": "Bytes"}
    tests = "".join(
        f'    if (t == &Py{kind}_Type && ssbf_without("value of {name}"))\n'
        f"        return value_tokens(13, &o->ob_type, sizeof o->ob_type, tokens);\n"
        for name, kind in kinds.items()
    )
    edits = [(start, start + tests), *[("", "")] * 4]
    shows = (".", r"1\.5", "1j", ".", "b'|bytes")
    return [
        Part(f"value of {name}", "tokens.c", *edit, pattern)
        for name, edit, pattern in zip(kinds, edits, shows, strict=True)
    ]


PARTS = [
    *_of_atoms(),
    Part(
        "objects without a handler",
        "handlers.c",
        "    if (!handler) {\n        ssbf_fields",
        '    if (!handler && ssbf_without("objects without a handler")) {\n        ;\n'
        "    } else if (!handler) {\n        ssbf_fields",
    ),
    Part("values that lie with an instance", "handlers.c", "        inline_values(o, values);",
         '        { if (!ssbf_without("values that lie with an instance")) inline_values(o, values); }'),
    _guarded(
        "attribute dictionaries",
        "handlers.c",
        "name_dict(dict, owner);\n    ssbf_token(SSBF_TOKEN(SSBF_T_ATTRIBUTES, 0));\n"
        "    ssbf_attribute_items((PyDictObject *)dict, owner);",
        "vars|__dict__|cached_property|Text|Number|Pile",
    ),
    Part("callbacks of weak references", "handlers.c", "    callbacks(o);\n}",
         '    if (!ssbf_without("callbacks of weak references"))\n        callbacks(o);\n}', "forgotten"),
    _guarded("who else is called back", "handlers_code.c",
             "ssbf_reference((PyObject *)ssbf_calls_back(w->wr_next));", r"called\("),
    _guarded("whether an object was finalized", "handlers.c", "ssbf_count((uint64_t)PyObject_GC_IsFinalized(o));",
             "Phoenix"),
    _guarded("holes of a dictionary", "handlers_containers.c", "ssbf_dict_layout(it->dict);",
             "pierced|under iteration"),
    Part("sets ordered by addresses", "fingerprint.c", "ssbf_content(ssbf->deferred[i]);",
         'if (!ssbf_without("sets ordered by addresses")) ssbf_content(ssbf->deferred[i]);', "set"),
    _guarded("the instruction of a frame", "frames.c", "ssbf_raw((uint64_t)(int64_t)unit);"),
    Part("local variables", "frames.c", "        ssbf_reference(values[i]);",
         '        if (i >= code->co_nlocalsplus || !ssbf_without("local variables")) ssbf_reference(values[i]);'),
    Part("the value stack", "frames.c", "SSBF_EDGE_INDEX(i - code->co_nlocalsplus);",
         "SSBF_EDGE_INDEX(i - code->co_nlocalsplus);\n"
         '        if (i >= code->co_nlocalsplus && ssbf_without("the value stack")) continue;'),
    _guarded("names that a frame keeps in a dictionary", "frames.c", "ssbf_reference(ssb_frame_locals(frame));",
             "f_locals"),
    _guarded("deadlines", "frames.c",
             "ssbf_raw(t->deadline_ns == SSB_NO_DEADLINE ? ~0ull : (uint64_t)(t->deadline_ns - ssb.clock_ns));",
             r"nap\("),
    _guarded("the clock", "frames.c", "ssbf_raw((uint64_t)ssb.clock_ns);", "began"),
    _guarded("random numbers of the system so far", "frames.c", "ssbf_raw(ssb.random_counter);", "SystemRandom"),
    _guarded("functions of threads", "frames.c", "ssbf_reference(t->function);", "start_new_thread"),
    _guarded("arguments of threads", "frames.c", "ssbf_reference(t->args);", "start_new_thread"),
    _guarded("keyword arguments of threads", "frames.c", "ssbf_reference(t->kwargs);", "start_new_thread"),
    _guarded("exceptions that threads handle", "frames.c",
             "ssb_thread_tokens(t->tstate, number, ssbf_reference);", "exc_info"),
    _guarded("C stacks", "hidden.c", "raw_segment(t, lo, (uintptr_t)loop);", "early|forgets|then"),
    _guarded("items being unpacked", "hidden.c", "        unpacked_items(frame);\n", "forgets"),
    _guarded("garbage that is looked at", "fingerprint.c",
             "ssb_each_young_object(ssbf->base_tstate->interp, new_tracked_object, number);", r"gc\.collect"),
    _guarded("addresses that are looked at", "fingerprint.c", "ssb_heap_each(live_block, NULL);", "placed"),
    _guarded("types", "handlers.c", "    ssbf_reference((PyObject *)t);\n", "Plain, Other"),
    _guarded("fields of the interpreter", "fingerprint.c",
             "ssb_interpreter_tokens(ssbf->base_tstate->interp, number, ssbf_reference);",
             r"s\d = (sys|gc)|switchinterval"),
    _guarded("objects from before the exploration", "fingerprint.c", "changed_base_object(ssbf->candidates[k]);"),
    _guarded("new objects", "tokens.c", "ssbf_content((PyObject *)item.address);"),
]  # fmt: skip
"""Walks that are no handler of a type."""

_ASK = """
/* Planted by the tests: is this part of the fingerprint to be left out? */
int ssbf_without(const char *part)
{
    static char name[64];
    static int is_known;
    if (!is_known) {
        const char *value = getenv("STATESPACE_WITHOUT");
        strncpy(name, value ? value : "", sizeof name - 1);
        is_known = 1;
    }
    return !strcmp(name, part);
}

static void nothing(PyObject *o) { (void)o; }

"""
_REGISTER = "void ssbf_register(PyTypeObject *type, const ssbf_handler *handler)\n{\n"
_LEAVE_OUT = """    static ssbf_handler without;
    const char *dot = type ? strrchr(type->tp_name, '.') : NULL;
    if (type && ssbf_without(dot ? dot + 1 : type->tp_name)) {
        without = *handler;
        without.content = nothing;
        handler = &without;
    }
"""
_LOCAL = 'static const ssbf_handler handler = {"local", local_content, NULL, sizeof(local)};\n'
_IS_LOCAL = """
static int ssbf_is_local(const ssbf_handler *of)
{
    return of && !strcmp(of->name, handler.name);
}
"""


def _plant(bridge: Path) -> None:
    edits = [
        ("fingerprint.h", "/* ---- handlers: what", "int ssbf_without(const char *part);\n\n/* ---- handlers: what"),
        ("handlers.c", "#include <string.h>\n", "#include <stdlib.h>\n#include <string.h>\n"),
        ("handlers.c", _REGISTER, _ASK + _REGISTER + _LEAVE_OUT),
        # What is left out has another address, and texts that name a local must still be recognised as such.
        ("handlers_local.c", "ssbf_handler_of(Py_TYPE(o)) == &handler", "ssbf_is_local(ssbf_handler_of(Py_TYPE(o)))"),
        ("handlers_local.c", _LOCAL, _LOCAL + _IS_LOCAL),
        *[(part.file, part.there, part.instead) for part in PARTS if part.there],
    ]
    for file, there, instead in edits:
        text = (bridge / file).read_text()
        assert text.count(there) == 1, f"{file} has this {text.count(there)} times, not once: {there}"
        (bridge / file).write_text(text.replace(there, instead))


def build(folder: Path) -> None:
    """A copy of the project in `folder`, with everything planted and built."""
    for name in ("native", "pytest_statespace", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    _plant(folder / "native" / "bridge")
    out = folder / "pytest_statespace" / "_native"
    places = [f"-DPython_EXECUTABLE={sys.executable}", f"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={out}"]
    for command in (["cmake", "-S", "native", "-B", "build", *places], ["cmake", "--build", "build"]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def run(folder: Path, without: str, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module of the tests in the copy, without a part."""
    path = os.pathsep.join(str(folder / part) for part in ("", "tests", "tests/soundness"))
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder / "tests",
        env=os.environ | {"PYTHONPATH": path, VARIABLE: without},
        capture_output=True,
        text=True,
        check=False,
    )
