"""What only one walk of the fingerprint sees, and no other program of the campaign depends on.

Each keeps what it chose where nothing else mentions it: in the order of callbacks, in whether an object was
finalized, in an object's class, in a hole between objects, in a setting of the interpreter, in the names that a
frame keeps in a dictionary, in a deadline, on the clock, in the arguments of a thread that has not begun, in an
item that C has put aside. `test_broken_handlers` leaves out these walks too.
"""

from __future__ import annotations

from soundness.equality_hiding import Snippet
from soundness.equality_subjects import Subject

RARE_SUBJECTS = [
    Subject(
        "order of callbacks",
        "o = named(0); $s = [o, (), weakref.ref(o)]; del o",
        ("$s[1] = called($s[0], $v)",),
        "($s.__setitem__(0, 0), gone)",
    ),
    Subject("forgotten callback", "[named(0)]", ("forgotten($s[0], $v)",), "($s.clear(), gone)"),
    Subject("class", "[None]", ("$s[0] = (Plain, Other)[$v]()",), "type($s[0]).__name__"),
    Subject("hole", "[]", ("placed($s, $v)",), "($s.append(Wide(1)), [o.n for o in sorted($s, key=id)])"),
    Subject(
        "settings",
        "0",
        ("sys.setswitchinterval(0.25 + $v)", "threading.stack_size((1 + $v) << 16)"),
        "(sys.getswitchinterval(), threading.stack_size())",
    ),
    Subject("finalized", "[Phoenix()]", ("reborn($s) if $v else None",), "(len($s), $s.clear(), gone)"),
]

RARE_SNIPPETS = [
    Snippet("sys._getframe().f_locals['kept'] = $v\npoint()\nlog.append(sys._getframe().f_locals.get('kept'))", 1),
    Snippet("nap(log, $v)\npoint()\ntime.sleep(1)\nlog.append('awake')", 3),
    Snippet("began = time.monotonic()\ntime.sleep($v)\npoint()\nlog.append(round(time.monotonic() - began))", 1),
    Snippet("_thread.start_new_thread(noted, (log,), {'x': $v})\npoint()", 1),
    Snippet("_thread.start_new_thread(noted, (log, $v))\npoint()", 1),
    Snippet("_thread.start_new_thread((noted, noted_twice)[$v], (log, 1))\npoint()", 1),
    Snippet("try: raiser($v)\nexcept ValueError:\n    point()\n    log.append(sys.exc_info()[1].args)", 1),
    Snippet("a0, a1 = forgets($v)\nlog.append(a0)", 1),
    Snippet("a0, *a1 = forgets($v)\nlog.append(a0)", 1),
    Snippet("log.append(list(forgets($v)))", 1),
]
