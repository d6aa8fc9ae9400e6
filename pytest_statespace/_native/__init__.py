"""Compiled parts: ``_engine`` (cffi, no CPython inside) and ``_bridge`` (CPython's side of the child)."""
