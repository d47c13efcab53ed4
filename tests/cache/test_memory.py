"""Results in memory: copies, limits, and what travels."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from kohaku_ast.cache.disk import NotCacheable
from kohaku_ast.cache.memory import MemoryCache
from kohaku_ast.errors import PipelineError


def value_of(cache: MemoryCache, key: str) -> Any:
    hit = cache.load(key)
    return hit.value if hit is not None else "a miss"


def test_what_is_loaded_is_as_it_was_stored() -> None:
    cache = MemoryCache()
    rows = [[1]]
    cache.store("key", rows)
    rows[0].append(2)
    value_of(cache, "key")[0].append(3)
    assert value_of(cache, "key") == [[1]]


@pytest.mark.parametrize("value", [None, 1, "x", b"x", (1, ("a", None)), frozenset({1})])
def test_what_cannot_change_is_kept_itself(value: object) -> None:
    cache = MemoryCache()
    cache.store("key", value)
    assert value_of(cache, "key") is value


def test_the_least_recently_used_item_goes() -> None:
    cache = MemoryCache(most_items=2)
    cache.store("a", 1)
    cache.store("b", 2)
    cache.load("a")
    cache.store("c", 3)
    assert [value_of(cache, key) for key in "abc"] == [1, "a miss", 3]


def test_bytes_are_counted() -> None:
    cache = MemoryCache(most_bytes=5000)
    for number in range(10):
        cache.store(str(number), [b"x" * 1000])
    assert len(cache) == 4
    cache.store("9", [1])
    with pytest.raises(NotCacheable, match=r"6.* bytes.*most_bytes"):
        cache.store("large", [b"x" * 6000])
    assert value_of(cache, "large") == "a miss"
    assert len(cache) == 4


@pytest.mark.parametrize("limits", [{"most_items": 0}, {"most_bytes": -1}, {"most_bytes": "1G"}])
def test_limits_that_make_no_sense_are_refused(limits: Any) -> None:
    with pytest.raises(PipelineError, match=next(iter(limits))):
        MemoryCache(**limits)


def test_a_copy_in_another_process_starts_empty() -> None:
    cache = MemoryCache(most_items=3)
    cache.store("a", 1)
    other = pickle.loads(pickle.dumps(cache))
    assert (len(other), other.most_items) == (0, 3)


def test_clear_forgets() -> None:
    cache = MemoryCache()
    cache.store("a", [1])
    cache.clear()
    assert value_of(cache, "a") == "a miss"
