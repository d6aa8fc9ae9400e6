"""Shared by all tests: this folder on the path (for ``support``), and pytester."""

pytest_plugins = ["pytester"]
