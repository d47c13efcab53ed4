"""Drawings: what they show, as what they are saved, and that any name can be in them."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kohaku_ast.cache.memory import MemoryCache
from kohaku_ast.errors import PipelineError, UsageError
from kohaku_ast.pipeline.callbacks import LastRun
from kohaku_ast.pipeline.drawing import Drawing
from kohaku_ast.pipeline.node import Node
from kohaku_ast.pipeline.pipeline import Pipeline
from tests.pipeline.drawing.made import a_node, crawling, of_edges, report, training

SVG = "{http://www.w3.org/2000/svg}"


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def words(text: str) -> list[str]:
    """All that is written in an SVG."""
    return [one.text or "" for one in parsed(text).iter(f"{SVG}text")]


# --- the picture ----------------------------------------------------------------------------------


def test_every_node_and_input_is_written() -> None:
    assert words(training().visualize().svg) == [
        "path: str",
        "limit: int = 100",
        "lr: float = 0.001",
        "prep",
        "→ train_set: list[int]",
        "→ vocab: dict[str, int]",
        "train",
        "→ model: int",
        "→ val_loss: float",
        "report",
        "→ str",
    ]


def test_ten_nodes_are_below_20_kb() -> None:
    nodes = [
        a_node(f"a_rather_long_name_{one}", [f"a_rather_long_name_{one - 1}", f"option_{one}=0.5"])
        for one in range(1, 10)
    ]
    pipeline = Pipeline([a_node("a_rather_long_name_0"), *nodes], name="ten", callbacks=[LastRun()])
    pipeline.run()
    assert len(pipeline.visualize()._repr_html_().encode()) < 20_000


def test_it_says_what_it_is_to_a_screen_reader() -> None:
    root = parsed(training().visualize().svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == "pipeline training: 3 nodes"
    assert root[0].tag == f"{SVG}title"
    titles = [one.text for one in root.iter(f"{SVG}title")]
    assert any(one and one.startswith("train (") and "bound: seed = 3" in one for one in titles)


def test_no_identifiers_and_no_styles_that_meet_those_of_the_page() -> None:
    html = crawling().visualize()._repr_html_()
    assert not re.search(r'\bid="|<style|<script|url\(', html)


def test_two_drawings_of_a_pipeline_are_equal() -> None:
    assert training().visualize().svg == training().visualize().svg


def test_an_empty_pipeline() -> None:
    assert parsed(Pipeline([], name="none").visualize().svg).get("aria-label") == (
        "pipeline none: 0 nodes"
    )


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=20))
def test_any_name_and_value_is_well_formed(name: str, pipeline: str, value: str) -> None:
    made = Pipeline([Node(lambda x=value: x, "out", name=name or "x")], name=pipeline or "p")
    drawing = made.visualize()
    parsed(drawing.svg)
    parsed(f"<div>{drawing.html}</div>")
    HTMLParser().feed(drawing.html)
    assert len(drawing.mermaid.splitlines()) == 4


def test_markup_in_names_is_text() -> None:
    made = Pipeline([Node(lambda x="</svg><script>": x, "out", name="<b>&\"'")])
    html = made.visualize().html
    assert "<script" not in html
    assert "<b>" not in html
    assert "<b>&\"'" in words(made.visualize().svg)


# --- pipelines inside -----------------------------------------------------------------------------


def test_a_pipeline_inside_is_closed_and_can_be_opened() -> None:
    drawing = crawling().visualize()
    assert "fetched" not in words(drawing.svg)
    assert "2 nodes, for each urls" in words(drawing.svg)
    assert "<details" in drawing.html
    assert "fetched" in drawing.html.partition("<details")[2]


def test_depth_opens_it_in_its_place() -> None:
    drawing = crawling().visualize(depth=1)
    assert {"page", "fetched", "parsed", "summed"} <= set(words(drawing.svg))
    assert "<details" not in drawing.html


def test_three_levels() -> None:
    inner = Pipeline([a_node("deep", ["x"])], name="inner")
    middle = Pipeline([inner, a_node("mid", ["deep"])], name="middle")
    outer = Pipeline([middle, a_node("top", ["mid"])], name="outer")
    shown = [set(words(outer.visualize(depth).svg)) for depth in (0, 1, 2)]
    assert ["deep" in one for one in shown] == [False, False, True]
    assert ["mid" in one for one in shown] == [False, True, True]
    assert outer.visualize().html.count("<details") == 2


@pytest.mark.parametrize("depth", [-1, True, 1.5, "1"])
def test_a_depth_is_a_number(depth: object) -> None:
    with pytest.raises(UsageError, match="depth is"):
        training().visualize(depth)  # type: ignore[arg-type]


# --- a part ---------------------------------------------------------------------------------------

CHAIN = [(0, 1), (1, 2), (2, 3), (1, 4), (4, 3)]


@pytest.mark.parametrize(
    ("ends", "nodes"),
    [
        pytest.param((None, None), "n0 n1 n2 n3 n4", id="all of it"),
        pytest.param(("n2", None), "n2 n3", id="from"),
        pytest.param((None, "n4"), "n0 n1 n4", id="to"),
        pytest.param(("n1", "n2"), "n1 n2", id="from and to"),
        pytest.param(("n4", "n4"), "n4", id="one node"),
    ],
)
def test_a_part(ends: tuple[str | None, str | None], nodes: str) -> None:
    shown = words(of_edges(5, CHAIN).visualize(0, *ends).svg)
    assert sorted(
        one for one in shown if one in nodes or (one.startswith("n") and " " not in one)
    ) == (nodes.split())


def test_what_comes_from_outside_of_a_part_is_an_input() -> None:
    assert "n1 (of n1)" in words(of_edges(5, CHAIN).visualize(from_node="n4").svg)


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        pytest.param(("tran", None), "Did you mean 'train'?", id="near"),
        pytest.param((None, "quux"), "There is: prep, train, report", id="nothing near"),
        pytest.param(("report", "prep"), "no way leads from 'report' to 'prep'", id="no way"),
    ],
)
def test_ends_that_are_not_there(ends: tuple[str | None, str | None], said: str) -> None:
    with pytest.raises(PipelineError) as raised:
        training().visualize(0, *ends)
    assert said in str(raised.value)


def test_an_output_names_its_node() -> None:
    assert "train" in words(training().visualize(to_node="val_loss").svg)


def test_two_nodes_of_one_name_are_told_apart_by_outputs() -> None:
    made = Pipeline([a_node("one", outputs="a"), a_node("one", outputs="b")])
    with pytest.raises(PipelineError, match="2 nodes are called 'one'"):
        made.visualize(to_node="one")
    assert words(made.visualize(to_node="b").svg) == ["one", "→ b"]


# --- states and times -----------------------------------------------------------------------------


def test_before_any_run_there_are_no_states() -> None:
    drawing = training(callbacks=[LastRun()]).visualize()
    assert drawing.svg == training().visualize().svg


def test_states_of_a_run_that_failed() -> None:
    broken = a_node("broken", ["report"], body="1 / 0")
    last = LastRun()
    made = Pipeline(
        [*training().nodes, broken, a_node("after", ["broken"])], name="x", callbacks=[last]
    )
    with pytest.raises(ZeroDivisionError):
        made.run(path="x")
    drawing = made.visualize()
    assert repr(drawing).startswith("<drawing of pipeline x: 5 nodes, 3 succeeded, 1 failed, 1 sk")
    shown = words(drawing.svg)
    assert shown[shown.index("broken") + 1].startswith("failed after")
    assert shown[shown.index("after") + 1] == "did not run"
    assert shown[shown.index("report") + 2].endswith("ms")
    titles = [one.text or "" for one in parsed(drawing.svg).iter(f"{SVG}title")]
    assert any(one.endswith("\nZeroDivisionError: division by zero") for one in titles)


def test_states_of_a_cached_run() -> None:
    made = training(callbacks=[LastRun()], cache=MemoryCache())
    made.run({"path": "x"}, "report")
    made.run({"path": "x"}, "report")
    shown = words(made.visualize().svg)
    assert shown[shown.index("report") + 2] == "cached"
    assert shown.count("did not run") == 2  # nothing above it was asked for


def test_states_inside_a_map() -> None:
    made = crawling(callbacks=[LastRun()])
    made.run(urls=["a", "bb", "ccc"])
    shown = words(made.visualize(depth=1).svg)
    assert re.fullmatch(r"3 succeeded, \d+ ms", shown[shown.index("fetched") + 2])


def test_a_drawing_keeps_what_it_shows() -> None:
    made = training(callbacks=[LastRun()])
    drawing = made.visualize()
    before = drawing.svg
    made.run(path="x")
    assert drawing.svg == before != made.visualize().svg


# --- files ----------------------------------------------------------------------------------------


def test_svg_file_has_its_own_colours_for_light_and_dark(tmp_path: Path) -> None:
    path = tmp_path / "x.svg"
    training().visualize().save(path)
    text = path.read_text(encoding="utf-8")
    assert parsed(text).tag == f"{SVG}svg"
    assert "prefers-color-scheme:dark" in text


def test_html_file_is_a_page(tmp_path: Path) -> None:
    path = tmp_path / "x.HTML"
    crawling().visualize().save(str(path))
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "color-scheme:light dark" in text
    assert "<details" in text


def test_mermaid_file(tmp_path: Path) -> None:
    path = tmp_path / "x.mmd"
    crawling().visualize(depth=1).save(path)
    assert path.read_text(encoding="utf-8") == (
        "flowchart TD\n"
        '    n0(["urls<br/>base#58; int = 3"])\n'
        '    subgraph n1["page<br/>→ fetched#58; list<br/>→ parsed#58; list<br/>2 nodes, for each urls"]\n'
        '        n1_0(["url#58; str"])\n'
        '        n1_1(["base#58; int = 3"])\n'
        '        n1_2["fetched<br/>→ int"]\n'
        '        n1_3["parsed<br/>→ int"]\n'
        "        n1_0 --> n1_2\n"
        "        n1_1 --> n1_3\n"
        '        n1_2 --> |"fetched"| n1_3\n'
        "    end\n"
        '    n2["summed<br/>→ int"]\n'
        "    n0 --> n1\n"
        '    n1 --> |"parsed"| n2\n'
    )


@pytest.mark.parametrize("name", ["x.png", "x", "x.svg.txt", ".svg"])
def test_other_endings(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"one of \.svg, \.html, \.mmd"):
        training().visualize().save(tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_a_file_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.svg"
    path.write_text("before")
    drawing = training().visualize()
    monkeypatch.setattr(os, "replace", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        drawing.save(path)
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["x.svg"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.svg").write_text("before")
    (tmp_path / "link.svg").symlink_to("real.svg")
    training().visualize().save(tmp_path / "link.svg")
    assert (tmp_path / "link.svg").is_symlink()
    assert "<svg" in (tmp_path / "real.svg").read_text()


def test_a_notebook_shows_it() -> None:
    drawing = training().visualize()
    assert isinstance(drawing, Drawing)
    assert "<svg" in drawing._repr_html_()
    assert 'save("x.svg")' in repr(drawing)


def test_a_node_is_drawn_by_the_name_it_has_in_the_graph() -> None:
    made = Pipeline([report.with_names("summary", val_loss="loss")])
    assert words(made.visualize().svg) == [
        "loss: float",
        "vocab: dict[str, int]",
        "summary",
        "→ report: str",
    ]


@pytest.mark.parametrize("suffix", [".svg", ".html", ".mmd"])
def test_a_file_name_saves_it_at_once(suffix: str, tmp_path: Path) -> None:
    one, other = tmp_path / f"one{suffix}", tmp_path / f"other{suffix}"
    training().visualize(filename=one, orient="LR").save(other)
    assert one.read_bytes() == other.read_bytes()
    assert one.read_bytes() != _saved(training().visualize(), tmp_path / f"down{suffix}")


def _saved(drawing: Drawing, path: Path) -> bytes:
    drawing.save(path)
    return path.read_bytes()


def test_a_drawing_from_left_to_right_is_wider() -> None:
    chain = Pipeline([Node(abs, f"v{at + 1}", rename={"x": f"v{at}"}) for at in range(6)])

    def size(orient: str) -> tuple[int, int]:
        root = ElementTree.fromstring(chain.visualize(orient=orient).svg)
        return int(root.attrib["width"]), int(root.attrib["height"])

    assert size("LR") == size("RL")
    assert size("TB") == size("BT")
    assert size("LR")[0] > size("TB")[0]
    assert size("LR")[1] < size("TB")[1]
    assert chain.visualize(orient="RL").mermaid.startswith("flowchart RL\n")


def test_an_unknown_orientation() -> None:
    with pytest.raises(UsageError, match=r"unknown orient 'lr' .expected one of: TB, LR, BT, RL"):
        training().visualize(orient="lr")
