"""Python files as trees of what they say, which are looked at and never run."""

from __future__ import annotations

import ast
import threading

# Python 3.11 counts how deep a tree is for all threads together, and ends with a SystemError where two count at once
# (python/cpython#106905). Whoever comes again while one is made, as from a finaliser, does not wait for itself.
_ONE_AT_ONCE = threading.RLock()


def parsed(source: str | bytes) -> ast.Module:
    """The tree of a file of Python; may be asked for by many threads at once.

    Raises
    ------
    SyntaxError, ValueError
        Where it is no Python.

    >>> len(parsed("a = 1\\nb = 2").body)
    2
    """
    with _ONE_AT_ONCE:
        return ast.parse(source)
