"""Tests of what needs a large library: ``make libraries`` installs these and runs the tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import pytest

_T = TypeVar("_T")

LARGE = {"jax", "matplotlib", "numba", "pandas", "sklearn", "torch"}
"""The modules that the extra ``test`` does not install."""


def with_libraries(cases: Mapping[str, _T], needed: Mapping[str, str]) -> list[Any]:
    """The values of *cases* under their names, those marked ``libraries`` that need a large one.

    *needed*: name -> the module that the case imports.
    """
    return [
        pytest.param(
            case, id=name, marks=[pytest.mark.libraries] if needed.get(name) in LARGE else []
        )
        for name, case in cases.items()
    ]
