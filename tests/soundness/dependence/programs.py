"""Programs in which two steps of different threads depend on each other in a way that is easily overlooked.

Each returns what it noticed. Whoever takes two of these steps for independent loses a result.
"""

from soundness.dependence import data, locks, objects, waiting  # noqa: F401  (each adds its programs to the list)
from soundness.dependence.registry import PROGRAMS, Program

__all__ = ["PROGRAMS", "Program"]
