"""Running pytest with the plugin in a subprocess, installed or from the source tree."""

from __future__ import annotations

import importlib.metadata
import json
from typing import Any

import pytest
from support.running import PACKAGES, Run


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest with these arguments; the plugin is loaded, but explores only when told to."""
    installed = importlib.metadata.entry_points(group="pytest11", name="statespace")
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(PACKAGES), prepend=":")
    load = () if installed else ("-p", "pytest_statespace.plugin")

    def runner(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest_subprocess(*load, *arguments, timeout=120)

    return runner


@pytest.fixture
def results(pytester: pytest.Pytester, run: Run) -> Any:
    """Explore and return the tests of the JSON report by name."""

    def explored(*arguments: str) -> dict[str, dict[str, Any]]:
        run("--statespace", "--statespace-json=results.json", *arguments)
        document = json.loads((pytester.path / "results.json").read_text())
        return {test["nodeid"].rpartition("::")[2]: test for test in document["tests"]}

    return explored
