"""The differences of two recorded runs: values, source, environment, git."""

from __future__ import annotations

import difflib
import io
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kohaku_ast.errors import visible
from kohaku_ast.store.record import Record, param_forms
from kohaku_ast.store.run_folder import REMOVED
from kohaku_ast.store.seeds import seed_text, seeds_in
from kohaku_ast.store.sources import Objects
from kohaku_ast.store.values import form_text

PARTS = ("values", "source", "nodes", "environment", "git")
_SHORT = 12
"""Characters of a hash that readers see."""


@dataclass(frozen=True)
class Difference:
    """One thing in which two runs differ."""

    #: One of ``PARTS``.
    part: str
    #: A target, a file, a variable, ...
    name: str
    #: The value as Python writes it, or the SHA-256 of a text; None if the run has none.
    first: str | None
    second: str | None
    #: Of a text that both records have: its changes, as ``diff -u`` prints them; else empty.
    text: str = ""


@dataclass(frozen=True)
class RunDiff:
    """The Differences of two runs, in the order of ``PARTS``. ``print`` shows them."""

    #: The names of the folders of the two.
    first: str
    second: str
    rows: tuple[Difference, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Difference]:
        return iter(self.rows)

    @property
    def texts(self) -> str:
        """The changes of all texts, without control characters."""
        lines = "".join(one.text for one in self.rows).splitlines()
        return "".join(f"{visible(line)}\n" for line in lines)

    def cells(self) -> list[tuple[str, tuple[str, str, str]]]:
        """For each row that is no text its part, and name and both values, short."""
        return [
            (one.part, (one.name, _cell(one.part, one.first), _cell(one.part, one.second)))
            for one in self.rows
            if not one.text
        ]

    def __str__(self) -> str:
        from kohaku_ast.display.text import group_rows, plain_table  # JSON and CSV do without

        groups = group_rows(self.cells())
        table = plain_table(("name", self.first, self.second), groups) if groups else ""
        return f"{table}{self.texts}".rstrip("\n") if self.rows else "The runs do not differ."

    __repr__ = __str__


_MOST_TEXT = 200
"""Characters of a value in a table."""


def _cell(part: str, value: str | None) -> str:
    if value is None:
        return ""
    if part == "source":
        return value[:_SHORT]
    line = " ".join(value.splitlines())
    return line if len(line) <= _MOST_TEXT else f"{line[: _MOST_TEXT - 1]}…"


def diff_runs(first: Record, second: Record) -> RunDiff:
    """In what the *second* run differs from the *first*."""
    rows = [*_source(first, second)]
    parts = {"values": _values, "nodes": _nodes, "environment": environment_of, "git": git_of}
    for part, found in parts.items():
        rows += _rows(part, found(first), found(second))
    if "seeds" in first.facts and "seeds" in second.facts:  # else one is of an earlier version
        rows += _rows("values", _seeds(first), _seeds(second))
    rows.sort(key=lambda one: PARTS.index(one.part))  # a stable sort
    return RunDiff(first.folder.name, second.folder.name, tuple(rows))


def _rows(part: str, first: Mapping[str, str], second: Mapping[str, str]) -> Iterator[Difference]:
    for name in {**first, **second}:
        if first.get(name) != second.get(name):
            yield Difference(part, name, first.get(name), second.get(name))


# --- facts ---------------------------------------------------------------------------------------


def _values(record: Record) -> dict[str, str]:
    """The parameters, and how the script was started."""
    facts = record.facts
    script = facts["script"]
    start = {"script": script.get("path"), "-m": script.get("module")}
    start["entrypoint"] = script.get("entrypoint") or None
    start["outputs"] = (facts.get("pipeline") or {}).get("outputs")
    start["arguments"] = facts.get("argv", [])[1:] or None
    found = {target: form_text(form) for target, form in param_forms(facts).items()}
    found |= {name: repr(value) for name, value in start.items() if value is not None}
    metadata = facts.get("metadata") or {}
    return found | {f"metadata {name}": form_text(form) for name, form in metadata.items()}


def _seeds(record: Record) -> dict[str, str]:
    """What the script seeds, but with parameters: their values stand there already."""
    found: dict[str, list[str]] = {}
    for one in seeds_in(record.facts):
        if "target" not in one:
            found.setdefault(f"seed {one['call']}", []).append(seed_text(one))
    return {name: ", ".join(texts) for name, texts in found.items()}


def _nodes(record: Record) -> dict[str, str]:
    """The states of a pipeline's nodes."""
    return {str(one["name"]): str(one["status"]) for one in record.nodes}


def environment_of(record: Record) -> dict[str, str]:
    """The machine, Python and variables of the run: name -> value as text."""
    facts = record.facts
    places = {"host": facts.get("host"), "folder": facts.get("cwd"), "device": facts.get("device")}
    found = {**_flat(places), **_flat(facts.get("environment") or {})}
    return {name: one for name, one in found.items() if name not in _OF_EACH_RUN}


_OF_EACH_RUN = tuple(f"variables.KOGINE_{name}" for name in ("RUN_INDEX", "WORKER_ID", "RUN_DIR"))
"""Its place in its flow, which says nothing about the run."""


def git_of(record: Record) -> dict[str, str]:
    """The commit, branch and changes that it was run with."""
    return _flat(record.facts.get("git") or {})


def _flat(found: Mapping[str, Any], start: str = "") -> dict[str, str]:
    """``{"variables": {"OMP_NUM_THREADS": "1"}}`` as ``{"variables.OMP_NUM_THREADS": "1"}``; lists
    and the rest as Python writes them.
    """
    flat: dict[str, str] = {}
    for name, value in found.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{start}{name}.")
        elif value is not None:
            flat[f"{start}{name}"] = value if isinstance(value, str) else repr(value)
    return flat


# --- texts ---------------------------------------------------------------------------------------


def _source(first: Record, second: Record) -> Iterator[Difference]:
    with_modules = _has_modules(first, second)
    before, after = (source_digests(one, with_modules) for one in (first, second))
    for one in _rows("source", before, after):
        text = _text_diff(one, first, second)
        yield Difference(one.part, one.name, one.first, one.second, text)
    programs = [str(one.facts.get("program")) for one in (first, second)]
    if not with_modules and before == after and programs[0] != programs[1]:
        yield Difference("source", "modules, or the script's place", *programs)


def _has_modules(*records: Record) -> bool:
    """Whether all *records* say which modules the script has imported."""
    return all((one.facts.get("sources") or {}).get("modules") is not None for one in records)


def source_digests(record: Record, with_modules: bool) -> dict[str, str]:
    """Name of each text -> its SHA-256."""
    facts = record.facts
    sources = facts.get("sources") or {}
    script = sources.get("script") or facts["script"].get("sha256")
    found = {"script": str(script)} if script else {}
    modules = sources.get("modules") or {} if with_modules else {}
    configs = sources.get("configs") or [] if with_modules else []
    found |= {f"module {name}": str(one["sha256"]) for name, one in modules.items()}
    scripts = sources.get("scripts") or {}
    found |= {f"script of {node}": str(one["sha256"]) for node, one in scripts.items()}
    return found | {f"config {one['file']}": str(one["sha256"]) for one in configs}


def _text_diff(one: Difference, first: Record, second: Record) -> str:
    """The changes of the text *one*; empty if one of the two was not kept, or there is none."""
    if one.first is None or one.second is None:
        return ""
    before, after = kept_text(first, one.first), kept_text(second, one.second)
    if before is None or after is None:
        return ""
    names = [f"{one.name} of {record.folder.name}" for record in (first, second)]
    return text_changes(before, after, *names)


def text_changes(before: bytes, after: bytes, first: str, second: str) -> str:
    """The changes from the text *before*, called *first*, as ``diff -u`` prints them."""
    lines = difflib.unified_diff(_lines(before), _lines(after), first, second)
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def kept_text(record: Record, digest: str) -> bytes | None:
    """The text that *record* has under *digest*; None if it was not kept."""
    root = record.folder.parent
    return Objects(root.parent if root.name == REMOVED else root).get(digest)


def _lines(data: bytes) -> list[str]:
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding).splitlines(keepends=True)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        return data.decode("latin-1").splitlines(keepends=True)
