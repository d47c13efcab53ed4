"""``prep >> train``: one flat pipeline, as from the nodes of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import Callback, DiskCache, Pipeline, PipelineError, node, script


@node("rows")
def read(n: int) -> list[int]:
    return [*range(n)]


@node("total")
def add(rows: list[int], by: int = 1) -> int:
    return sum(rows) * by


@node("text")
def tell(total: int, scale: Any) -> str:
    return f"{total} {scale}"


prep, train, report = (
    Pipeline([one], name=name) for one, name in ((read, "prep"), (add, "train"), (tell, "report"))
)


def test_three_are_as_one_of_all_nodes() -> None:
    given = {"scale": dict}
    bound, named = train.bind(by=3), Pipeline([tell], name="report", permanences=given)
    made = prep >> bound >> named
    flat = Pipeline([read, add, tell], name="prep >> train >> report", permanences=given)
    assert made.explain() == (prep >> (bound >> named)).explain() == flat.bind(by=3).explain()
    assert made.run(n=3) == {"rows": [0, 1, 2], "total": 9, "text": "9 {}"}
    assert made.run(n=3, by=1, scale="x")["text"] == "3 x"
    assert (Pipeline([read]) >> Pipeline([add])).explain() == Pipeline([read, add]).explain()


def test_nodes_and_scripts_and_the_options_of_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prep.py").write_text("n = 2\nrows = [n] * n\n")
    one, two = Callback(), Callback()
    cached = Pipeline([add], "threaded", DiskCache("c"), [one])
    made = script("prep.py", "rows") >> cached >> Pipeline([tell], "threaded", callbacks=[one, two])
    assert made.run(n=3, scale=0)["text"] == "9 0"
    assert (made.engine, made.cache, made.callbacks) == (cached.engine, cached.cache, (one, two))
    assert (read >> train >> tell).run(n=2, scale=0)["text"] == "1 0"


def test_refused() -> None:
    other = Pipeline([node("q")(lambda totl: totl)], name="other")
    cases: dict[str, Any] = {
        r"nothing joins them\. train gives total; other takes totl\. Did": lambda: train >> other,
        "'rows' goes the other way, .* or write prep >> train": lambda: train >> prep,
        "'rows' is bound in train, and 'read'": lambda: prep >> train.bind(rows=[1]),
        "to another value": lambda: prep.bind(n=1) >> Pipeline([add, read_n]).bind(n=2),
        "'engine' differs": lambda: Pipeline([read], "threaded") >> Pipeline([add], "async"),
        "3 is no node": lambda: train >> 3,
        "the first >> the second: nothing joins": lambda: Pipeline([read]) >> Pipeline([tell]),
    }
    for text, make in cases.items():
        with pytest.raises(PipelineError, match=text):
            make()


@node("m")
def read_n(n: int) -> int:
    return n
