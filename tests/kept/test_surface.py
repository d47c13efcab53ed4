"""Public names, errors, commands and options are those that users know."""

from __future__ import annotations

import difflib

import pytest

from kohaku_ast import KogineError, Parallel, Sequential, errors
from tests.kept import surface
from tests.oracle import FIXTURES

HINT = (
    "This is what users touch. Meant? Say so in CHANGELOG.md, then accept it with\n"
    "    python -m tests.kept.surface\nand commit tests/kept/surface.txt."
)


@pytest.mark.parametrize("section", ["[names]", "[errors]", "[commands]"])
def test_surface_is_as_it_was(section: str) -> None:
    observed = {"[names]": surface.names, "[errors]": surface.slugs, "[commands]": surface.commands}
    kept, new = part(section), [*observed[section]()]
    assert kept
    difference = "\n".join(difflib.unified_diff(kept, new, "surface.txt", "now", lineterm="", n=1))
    assert not difference, f"{difference}\n\n{HINT}"


def part(section: str) -> list[str]:
    """The lines of the file below *section*."""
    lines = surface.kept()
    rest = lines[lines.index(section) + 1 :]
    return rest[: rest.index("")] if "" in rest else rest


def test_every_slug_has_its_messages() -> None:
    page = (FIXTURES.parent / "docs" / "reference" / "messages.md").read_text(encoding="utf-8")
    slugs = {one.slug for one in vars(errors).values() if hasattr(one, "slug")} - {KogineError.slug}
    assert [slug for slug in sorted(slugs) if f"\n## {slug}\n" not in page] == []


@pytest.mark.parametrize("flow", [Sequential, Parallel])
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(given, id=next(iter(given)))
        for given in (
            {"mode": "spawn"}, {"on_error": "stop"}, {"retries": 2}, {"backoff": 0.5},
            {"timeout": 60.0}, {"gpus": "0,1"}, {"threads": 2}, {"nice": 1}, {"record": False},
            {"resume": True}, {"retry_failed": True},
        )
    ],
)  # fmt: skip
def test_options_of_flows(flow: type, options: dict[str, object]) -> None:
    """They are taken by ``**options``, so that no signature has them."""
    script = FIXTURES / "scripts" / "main_defaults.py"
    assert flow([script], **options)
    with pytest.raises((TypeError, KogineError), match="no_such_option"):
        flow([script], **options, no_such_option=1)
