"""Digests of the user's classes whose objects are given as inputs, kept as long as they hold true.

A value that is given to each of a thousand runs is read a thousand times, its class once. Kept in
one place for the process, by identity: a class may be equal to another one, or have no hash.
"""

from __future__ import annotations

from typing import Any

from kohaku_ast.pipeline.caching.code_identity import Identity, Unseen, identify

_MOST = 256
"""Classes that are kept alive here; functions are not, they may hold much in their closures."""
_known: dict[int, tuple[type, Identity]] = {}


def digest_of_code(thing: Any) -> bytes:
    """What a function, class, module or node computes. Raises Unhashable."""
    if not isinstance(thing, type):
        return _identity(thing).digest
    known = _known.get(id(thing))
    if known is None or known[0] is not thing or not known[1].holds():
        if len(_known) >= _MOST:
            _known.clear()
        known = _known[id(thing)] = thing, _identity(thing)
    return known[1].digest


def _identity(thing: Any) -> Identity:
    try:
        return identify(thing, defaults=True)
    except Unseen as error:
        raise error.cause from None
