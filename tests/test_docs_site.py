"""The site of the pages: each stands in the navigation, each public name has its API page."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

import kohaku_ast

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
API = sorted((DOCS / "reference" / "api").glob("*.md"))


def pages_of(node: object) -> list[str]:
    """The pages of a part of the navigation."""
    if isinstance(node, str):
        return [node]
    below = node.values() if isinstance(node, dict) else node
    assert not isinstance(below, (str, bytes))
    return [page for one in below for page in pages_of(one)]  # type: ignore[attr-defined]


def test_the_navigation_has_every_page_once() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = Counter(pages_of(yaml.safe_load(text)["nav"]))
    there = Counter(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))
    assert listed == there


def test_every_public_name_has_one_place_on_the_api_pages() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in API)
    described = Counter(re.findall(r"^::: kohaku_ast\.(\w+)$", text, re.MULTILINE))
    assert described == Counter(set(kohaku_ast.__all__) - {"__version__"})


@pytest.mark.parametrize("page", API, ids=lambda page: page.stem)
def test_the_members_that_an_api_page_lists_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    entries = re.findall(r"^::: kohaku_ast\.(\w+)(?:\n    .*)*?\n +members: \[(.*)\]$", text, re.M)
    missing = [
        f"{name}.{member}"
        for name, members in entries
        for member in filter(None, members.split(", "))
        if not is_member(getattr(kohaku_ast, name), member)
    ]
    assert not missing


def is_member(cls: type, name: str) -> bool:
    """Whether instances of *cls* have *name*: by the class, its slots or its annotations."""
    if hasattr(cls, name):
        return True
    annotated = {one for base in cls.__mro__ for one in inspect.get_annotations(base)}
    return name in annotated or is_set_by_init(cls, name)


def is_set_by_init(cls: type, name: str) -> bool:
    """Whether ``__init__`` sets ``self.NAME``."""
    return name in inspect.unwrap(cls.__init__).__code__.co_names  # type: ignore[misc]


@pytest.mark.parametrize("name", kohaku_ast.__all__)
def test_each_public_name_can_be_imported(name: str) -> None:
    assert getattr(kohaku_ast, name) is not None
