"""Which mutation cases does the bridge of this process get wrong? Arguments: FAMILY NAME, for each case."""

from __future__ import annotations

import sys

from mutations import histories, steps_on_existing
from test_equal_and_changed import LOOKED_AT, cases, compare


def main() -> None:
    for family, name in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        (case,) = [case for case in cases(family) if case.name == name]
        for ways in (histories(case), steps_on_existing(case)):
            if len(ways[0]) > 1:
                for text in compare([name, ""], [ways, ways], LOOKED_AT.get(family, ())):
                    print(text, flush=True)


if __name__ == "__main__":
    main()
