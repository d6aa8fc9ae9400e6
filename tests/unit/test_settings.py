from __future__ import annotations

import math

import pytest

from pytest_statespace.errors import InvalidArgument
from pytest_statespace.marks import explore, reproduce
from pytest_statespace.settings import SPECS, Settings, check_keywords, check_text, resolve

BY_NAME = {spec.name: spec for spec in SPECS}


def test_precedence_is_command_line_marker_ini_default() -> None:
    ini = {"seed": 1, "granularity": "line", "timeouts": "any"}
    markers = {"seed": 2, "granularity": "sync"}
    settings = resolve(command_line={"seed": 3}, markers=markers, ini=ini)
    assert (settings.seed, settings.granularity, settings.timeouts) == (3, "sync", "any")
    assert settings.max_memory == Settings().max_memory


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"granularity": "fine"}, ["granularity='fine'", "sync", "access"]),
        ({"workers": 2}, ["not supported yet", "xdist"]),
        ({"workers": 0}, ["at least 1"]),
        ({"timeout": 0}, ["above 0"]),
        ({"timeout": math.nan}, ["finite"]),
        ({"timeout": "5"}, ["seconds"]),
        ({"max_states": 0}, ["at least 1"]),
        ({"max_executions": True}, ["whole number"]),
        ({"preemptions": -1}, ["at least 0"]),
        ({"max_threads": 513}, ["between 1 and 512"]),
        ({"max_memory": 1}, ["between 16"]),
        ({"seed": None}, ["leave the keyword out"]),
        ({"trace": ["a b"]}, ["'a b'", "importable"]),
        ({"trace": 3}, ["list of importable"]),
        ({"ignore": ["hits"]}, ["'hits'", "package.module.Class.attribute"]),
        ({"ignore": 3}, ["list of attributes"]),
        ({"strategy": ""}, ["name"]),
        ({"granularty": "sync"}, ["granularty", "unknown keyword", "granularity"]),
        ({"check": 1}, ["True or False"]),
        ({"promoted": ("x",)}, ["unknown keyword"]),
    ],
)
def test_bad_values_name_argument_value_and_remedy(
    keywords: dict[str, object], words: list[str]
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_keywords(keywords)
    for word in words:
        assert word in str(caught.value)
    with pytest.raises(InvalidArgument):
        explore(**keywords)


def test_keywords_are_normalised() -> None:
    assert check_keywords({"trace": ["a.b", "c", "a.b"], "timeout": 3}) == {
        "trace": ("a.b", "c"),
        "timeout": 3.0,
    }
    assert check_keywords({"preemptions": None}) == {"preemptions": None}


def test_text_is_parsed() -> None:
    assert check_text(BY_NAME["max_states"], "12", source="x") == 12
    assert check_text(BY_NAME["timeout"], "0.5", source="x") == 0.5
    assert check_text(BY_NAME["trace"], ["a", "b,c d"], source="x") == ("a", "b", "c", "d")
    assert [check_text(BY_NAME["check"], text, source="x") for text in ("true", "No")] == [True, False]
    with pytest.raises(InvalidArgument, match="true or false"):
        check_text(BY_NAME["check"], "maybe", source="x")
    with pytest.raises(InvalidArgument, match="--statespace-seed='x'"):
        check_text(BY_NAME["seed"], "x", source=BY_NAME["seed"].flag)


def test_every_option_has_a_setting_and_twins() -> None:
    for spec in SPECS:
        assert hasattr(Settings(), spec.name)
        assert spec.flag == "--statespace-" + spec.name.replace("_", "-")
        assert spec.ini == "statespace_" + spec.name


def test_decorators_check_at_once() -> None:
    assert explore(granularity="sync").mark.kwargs == {"granularity": "sync"}

    @explore
    def function() -> None: ...

    assert [mark.name for mark in function.pytestmark] == ["statespace"]  # type: ignore[attr-defined]
    with pytest.raises(InvalidArgument, match="token"):
        reproduce("ssp1:damaged")
    with pytest.raises(InvalidArgument, match="token"):
        reproduce(3)  # type: ignore[arg-type]
