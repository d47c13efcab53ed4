"""Every example of the documentation is run, in the order of its page.

A ``python`` block whose first line is ``# name.py`` becomes that file, and so does one of another
kind of file; in a ``console`` block each ``$ command`` must print what stands below it, how long
it took aside; a ``pycon`` block is a doctest.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from kohaku_ast.errors import KogineError

ROOT = Path(__file__).parents[1]
TOP = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")]
PAGES = [*TOP, *sorted((ROOT / "docs").rglob("*.md"))]
NEEDS = {"docs/how-to/systems-on-dora.md": pytest.mark.dora}
"""Pages whose examples need a package that is not among those of the tests."""
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
_SECONDS = re.compile(r" in \d+\.\d s(?=:|$)", re.MULTILINE)
_RUN = re.compile(r"\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{8}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(  \d\.\d)?")
_ID = re.compile(r"(?<=  )[0-9a-f]{8}(?=  )")
_FILES = ("python", "yaml", "toml", "json", "csv")

ACCEPT = "KOGINE_ACCEPT" in os.environ


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=NEEDS.get(name_of(page), ())) for page in PAGES],
    ids=name_of,
)
def test_examples_do_what_the_page_says(page: Path, tmp_path: Path) -> None:
    for folder in ("fixtures", "docs"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    text = page.read_text(encoding="utf-8")
    done = _BLOCK.sub(lambda block: run_block(block, tmp_path, page), text)
    if ACCEPT:
        page.write_text(done, encoding="utf-8")
    assert done == text, "KOGINE_ACCEPT=1 writes what is printed now into the page"


def run_block(block: re.Match[str], folder: Path, page: Path) -> str:
    """The block as it should be."""
    language, text = block.groups()
    if language in _FILES and text.startswith("# "):
        write_file(text, folder)
    elif language == "console":
        return f"```console\n{console(text, folder)}```"
    elif language == "pycon":
        check_doctest(text, folder, page)
    return block.group()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link


def write_file(text: str, folder: Path) -> None:
    name, _, body = text.partition("\n")
    path = folder / name.removeprefix("# ").split()[0]
    if path.suffix in (".py", ".yaml", ".toml", ".json", ".csv"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body.lstrip("\n"), encoding="utf-8")


def console(text: str, folder: Path) -> str:
    """The commands of *text*, each with what it prints."""
    commands = [line for line in text.splitlines(keepends=True) if line.startswith("$ ")]
    return "".join(line + run_shell(line[2:].strip(), folder) for line in commands)


def run_shell(command: str, folder: Path) -> str:
    """Standard output and error of *command*, as a terminal shows them."""
    launcher = Path(__file__).with_name("kogine_command.py")
    path = os.pathsep.join([str(ROOT), str(ROOT / "cli")])
    kogine = f'kogine() {{ {shlex.join([sys.executable, str(launcher)])} "$@"; }}\n'
    python = f'python() {{ {shlex.quote(sys.executable)} "$@"; }}\n'
    # Python 3.13 marks more in a traceback than 3.11 does.
    variables = {
        "PYTHONPATH": path, "KOGINE_CACHE": str(folder / ".cache"), "PYTHONNODEBUGRANGES": "1",
    }  # fmt: skip
    done = subprocess.run(
        ["bash", "-c", kogine + python + command], cwd=folder, env={**os.environ, **variables},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    printed = done.stdout.decode().replace(f"{folder}{os.sep}", "")
    # Of a run's folder the time, and the identity, in which the interpreter's version is.
    printed = _RUN.sub("20261121T124453.143Z-b374678d", printed)
    printed = _ID.sub("b374678d", _TIME.sub(_fixed_time, printed))
    return _SECONDS.sub(" in 0.1 s", printed)


def _fixed_time(found: re.Match[str]) -> str:
    """When a run started, and how long it took if that stands in the next column."""
    return "2026-11-21 13:44:53" + ("  0.1" if found[1] else "")


def check_doctest(text: str, folder: Path, page: Path) -> None:
    """In a process of its own: an example runs scripts as ``__main__``."""
    if sys.version_info < (3, 11):  # the note of an exception is part of its text there
        text = re.sub(r"(<item \d+ failed: .*?)>", r"\1...>", text)
    example = folder / "example.txt"
    example.write_text(text, encoding="utf-8")
    program = (
        "import doctest, sys; "
        "sys.exit(doctest.testfile('example.txt', module_relative=False, "
        f"optionflags={doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE}).failed)"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "cli")])
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert done.returncode == 0, f"{page}: {done.stdout}{done.stderr}"


def slugs(family: type[KogineError] = KogineError) -> set[str]:
    """Those of all errors below *family*."""
    below = family.__subclasses__()
    return {one.slug for one in below}.union(*map(slugs, below))


def test_every_kind_of_message_has_its_anchor() -> None:
    page = (ROOT / "docs" / "reference" / "messages.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^## (\S+)$", page, re.MULTILINE)) == slugs()
