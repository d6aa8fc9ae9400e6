"""Where files go, under which names, and which are removed."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_statespace.replay import (
    Counterexample,
    ReplaySettings,
    counterexample_directory,
    load,
    save,
)
from pytest_statespace.replay.database import KEEP, file_name
from pytest_statespace.types import Choice, ChoiceKind, FailureKind, Schedule


def example(*indices: int, nodeid: str = "tests/test_a.py::test_b[x/y z]") -> Counterexample:
    return Counterexample(
        nodeid=nodeid,
        settings=ReplaySettings(),
        schedule=Schedule(tuple(Choice(ChoiceKind.THREAD, i, 300, 0, 5) for i in indices)),
        kind=FailureKind.DEADLOCK,
    )


def test_name_is_stable_and_plain() -> None:
    name = file_name(example(0, 1))
    assert name == file_name(dataclasses.replace(example(0, 1), message="<object at 0x7f12>"))
    assert name != file_name(example(0, 2))
    assert name != file_name(example(0, 1, nodeid="tests/test_a.py::test_b[x/y_z]"))
    assert name != file_name(dataclasses.replace(example(0, 1), kind=FailureKind.CRASH))
    assert name.startswith("test_b_x_y_z-")
    assert name.endswith(".ssp")
    assert file_name(example(), unique="gw0").endswith("-gw0.ssp")
    assert len(file_name(example(nodeid="a.py::" + "ü/" * 500))) < 120


def test_save_writes_whole_files_only(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "folder"
    path = save(example(0, 1), directory)
    assert path == save(example(0, 1), directory)
    assert load(path) == dataclasses.replace(example(0, 1), checks=load(path).checks)
    assert os.listdir(directory) == [path.name]
    broken = dataclasses.replace(example(0, 2), settings=ReplaySettings(seed=2**70))
    with pytest.raises(OverflowError):
        save(broken, directory)
    assert os.listdir(directory) == [path.name]


def test_old_files_of_the_same_test_go(tmp_path: Path) -> None:
    other = save(example(0, nodeid="tests/test_a.py::other"), tmp_path)
    os.utime(other, (1, 1))
    paths = []
    for number in range(KEEP + 3):
        paths.append(save(example(number), tmp_path))
        os.utime(paths[-1], (1000 + number, 1000 + number))
    assert [path.exists() for path in paths] == [False] * 3 + [True] * KEEP
    assert other.exists()


def test_workers_remove_nothing(tmp_path: Path) -> None:
    for number in range(KEEP + 3):
        save(example(number), tmp_path, unique="gw1")
    assert len(os.listdir(tmp_path)) == KEEP + 3


class Cache:
    """As much of pytest's cache as is used."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def mkdir(self, name: str) -> Path:
        (self.root / name).mkdir(parents=True, exist_ok=True)
        return self.root / name


def test_directory_with_and_without_the_cache(tmp_path: Path) -> None:
    cached: Any = SimpleNamespace(cache=Cache(tmp_path / ".pytest_cache/d"), rootpath=tmp_path)
    assert counterexample_directory(cached) == tmp_path / ".pytest_cache/d/statespace"
    assert not (tmp_path / ".statespace").exists()
    bare: Any = SimpleNamespace(rootpath=tmp_path)
    directory = counterexample_directory(bare)
    assert directory == tmp_path / ".statespace"
    assert (directory / ".gitignore").read_text().endswith("*\n")
    assert counterexample_directory(bare) == directory
