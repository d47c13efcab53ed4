"""What the tests of this folder share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_stores_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """The texts of other tests store into libraries (``sys.stdout = ...``). The classes here call
    methods of such names, so they would depend on these tests and on all that those import.
    """
    monkeypatch.setattr("kohaku_ast.cache.hidden_parts.library_changes", tuple)
