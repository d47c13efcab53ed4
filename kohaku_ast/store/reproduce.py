"""Reproduce: restores the script, modules and values of a recorded run into a folder of its own,
runs it there, and compares what comes out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from kohaku_ast.config.cells import CellText
from kohaku_ast.config.config import Config
from kohaku_ast.config.siblings import Siblings
from kohaku_ast.errors import KogineError, UncrossableValue, UsageError
from kohaku_ast.store.environment import own_environment, variables
from kohaku_ast.store.pipeline_record import PIPELINE, pipeline_of
from kohaku_ast.store.record import Record, find_runs
from kohaku_ast.store.reproduced_results import changes, compare_results, declared_inputs
from kohaku_ast.store.run_folder import RUNS
from kohaku_ast.store.sources import Objects, load_object
from kohaku_ast.store.values import TEXT, is_whole, read

if TYPE_CHECKING:
    from kohaku_ast.runner.launch import Launch

REPRODUCED = "reproduced"
"""The folder of the restored runs, beside that of the records."""

_CONFIG = "kogine_reproduce.py"
_CONFIG_TEXT = """\
# The values of a recorded run, for kogine.
from kohaku_ast.store.reproduce import config_in

CONFIG = config_in({folder!r}, {objects!r})
"""
_MODE = 0o700
_STDIN = "stdin.py"
_OF_TODAY = ("KOGINE_CACHE", "PYTHONPATH", "SLURM_", "NVIDIA_", "CUDA_VIS", "HIP_VIS", "ROCR_VIS")
"""Starts of variables that a run has from today if its record has not: they choose devices."""


@dataclass(frozen=True)
class Reproduction:
    """A recorded run, and the same run once more."""

    #: The run that was recorded, and the new one; None if it could not be started.
    before: Record
    after: Record | None
    #: The folder with the script, its modules and what the run has written.
    folder: Path
    #: Names of results that are the same; and of others -> the result then and now, as text.
    equal: tuple[str, ...]
    different: Mapping[str, tuple[str, str]]
    #: What differs in the surroundings: versions of Python and packages.
    warnings: tuple[str, ...]

    @property
    def is_equal(self) -> bool:
        """Whether all results are the same."""
        return self.after is not None and not self.different


def reproduce(
    record: Record, root: Path, links: Sequence[str] = (), output: int | None = None
) -> Reproduction:
    """Run *record*, of the store in *root*, once more, with what was kept of it. *links* are files
    and folders of data, which appear in its folder under the same names. The script prints to the
    descriptor *output*; None: where this process prints.

    Raises UsageError, which names what is missing, if it cannot be restored.
    """
    objects = Objects(root.absolute())
    is_pipeline = record.facts.get("kind") == PIPELINE
    with naming_damage(record):
        if is_pipeline:
            _check_pipeline(record)
        _check_values(record, objects)  # before anything is written
        tree = _Tree(record, objects)
        data = tree.places(links)
        inputs = declared_inputs(record, data)
    data |= {one.place: one.today for one in inputs if one.today and tree.is_free(one.place, data)}
    folder = _restored(record, tree, data, root.absolute())
    run = _run_pipeline if is_pipeline else _run
    after = run(record, tree, folder, output)
    equal, different = compare_results(record, after)
    return Reproduction(record, after, folder, equal, different, tuple(changes(record, inputs)))


def _restored(record: Record, tree: _Tree, data: Mapping[str, str], root: Path) -> Path:
    """The new folder, with all files of the run. Raises UsageError, and leaves nothing, if the disk
    refuses it.
    """
    parent, folder = root.parent / REPRODUCED, None
    try:
        folder = _new_folder(parent, record.folder.name)
        tree.write(folder, data)
        if record.facts.get("kind") != PIPELINE:
            text = _CONFIG_TEXT.format(folder=str(record.folder.absolute()), objects=str(root))
            _config_file(tree, folder).write_text(text, encoding="utf-8")
    except OSError as error:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        raise UsageError(
            f"cannot restore {record.folder.name} below {str(parent)!r}: {error.strerror or error}"
        ) from error
    return folder


def _config_file(tree: _Tree, folder: Path) -> Path:
    """The file with the values of the run, beside its script."""
    return Path(tree.inside(os.path.dirname(tree.script), folder), _CONFIG)


@contextmanager
def naming_damage(record: Record) -> Iterator[None]:
    """Raise UsageError for fields of *record* that are missing or of another kind."""
    try:
        yield
    except KogineError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        name = record.folder.name
        raise UsageError(
            f"the record {name!r} is damaged: {type(error).__name__}: {error}"
        ) from error


class _Tree:
    """The files of a recorded run, with their places in a folder of its own."""

    def __init__(self, record: Record, objects: Objects) -> None:
        facts = record.facts
        sources: Mapping[str, Any] = facts.get("sources") or {}
        if not sources:
            raise UsageError(
                f"{record.folder.name} cannot be reproduced: its record has no texts, as those of "
                f"earlier versions. Run today's script: kogine runs repeat {record.folder.name}"
            )
        self.cwd, self.arguments = str(facts["cwd"]), [str(one) for one in facts["argv"][1:]]
        self.script = _place(str(facts["script"]["file"]), self.cwd)
        modules: Mapping[str, Any] = sources.get("modules") or {}
        #: Absolute path -> SHA-256 of its text.
        self.digests = {
            os.path.normpath(os.path.join(self.cwd, one["file"])): str(one["sha256"])
            for one in [*modules.values(), *(sources.get("scripts") or {}).values()]
        }
        self.digests[self.script] = str(sources["script"])
        self.texts = {file: self._text(file, objects) for file in self.digests}
        self.top = os.path.commonpath([self.cwd, *map(os.path.dirname, self.digests)])
        #: Path -> text of config files and tables, which only a script that reads them needs.
        self.configs = dict(self._configs(sources.get("configs") or (), objects))
        roots = {_import_root(name, one["file"], self.cwd) for name, one in modules.items()}
        #: The folders that modules are imported from, but for that of the script.
        self.roots = sorted(roots - {os.path.dirname(self.script)})

    def _text(self, file: str, objects: Objects) -> bytes:
        text = objects.get(self.digests[file])
        if text is None:
            raise UsageError(
                f"the text of {file!r} is missing, or damaged, in {str(objects.folder)!r}: the run "
                "cannot be reproduced"
            )
        return text

    def _configs(self, configs: Iterable[Any], objects: Objects) -> Iterator[tuple[str, bytes]]:
        for one in configs:
            file = os.path.normpath(os.path.join(self.cwd, one["file"]))
            text = objects.get(str(one["sha256"]))
            is_inside = not os.path.relpath(file, self.top).startswith(os.pardir)
            if is_inside and text is not None and file not in self.digests:
                yield file, text

    def inside(self, path: str, folder: Path) -> str:
        """The place of *path* in *folder*."""
        return os.path.normpath(os.path.join(folder, os.path.relpath(path, self.top)))

    def places(self, links: Sequence[str]) -> dict[str, str]:
        """The path that the script had each file or folder of *links* at -> its path today. Raises
        UsageError for one that cannot be linked.
        """
        found = {}
        for one in links:
            source = os.path.abspath(one)
            if not os.path.exists(source):
                raise UsageError(f"there is no {one!r} to link")
            place = os.path.normpath(os.path.join(self.cwd, os.path.relpath(source)))
            if os.path.relpath(place, self.top).startswith(os.pardir):
                raise UsageError(
                    f"{one!r} is outside of the folder of the run, {self.top!r}: it cannot be "
                    "linked into the new one. A script finds an absolute path where it always was"
                )
            for text in self.digests:
                if os.path.commonpath([place, text]) in (place, text):
                    raise UsageError(
                        f"{one!r} cannot be linked: the text {os.path.relpath(text, self.cwd)!r} "
                        "of the run is restored there. Name the files of data themselves"
                    )
            found[place] = source
        return found

    def is_free(self, place: str, data: Mapping[str, str]) -> bool:
        """Whether *place* is in the new folder, and nothing else is to be there."""
        if os.path.relpath(place, self.top).startswith(os.pardir):
            return False
        others = (*self.digests, *self.configs, *data)
        return not any(os.path.commonpath([place, one]) in (place, one) for one in others)

    def write(self, folder: Path, data: Mapping[str, str]) -> None:
        """Write all texts below *folder*, and link the *data* of ``places`` there."""
        os.makedirs(self.inside(self.cwd, folder), _MODE, exist_ok=True)
        free = {
            file: text
            for file, text in self.configs.items()
            if not any(os.path.commonpath([one, file]) in (one, file) for one in data)
        }
        for file, text in {**self.texts, **free}.items():
            place = Path(self.inside(file, folder))
            os.makedirs(place.parent, _MODE, exist_ok=True)
            place.write_bytes(text)
        for one, source in data.items():
            place = Path(self.inside(one, folder))
            os.makedirs(place.parent, _MODE, exist_ok=True)
            place.symlink_to(source)


def _place(file: str, cwd: str) -> str:
    return os.path.join(cwd, _STDIN) if file.startswith("<") else os.path.normpath(file)


def _import_root(module: str, file: str, cwd: str) -> str:
    """The folder that *module* is imported from."""
    path = os.path.normpath(os.path.join(cwd, file))
    parts = module.split(".") if module else []
    if os.path.basename(path).startswith("__init__."):
        path = os.path.dirname(path)
    for _ in parts:
        path = os.path.dirname(path)
    return path


def _new_folder(parent: Path, name: str) -> Path:
    os.makedirs(parent.parent, _MODE, exist_ok=True)
    os.makedirs(parent, _MODE, exist_ok=True)
    for number in range(1, 10_000):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(_MODE)
        except FileExistsError:
            continue
        return folder
    raise UsageError(f"no free name for a folder: {parent / name}")


# --- values --------------------------------------------------------------------------------------


def check_has_values(record: Record) -> None:
    """Raise UsageError for the record of a script that kogine has not started."""
    if record.facts.get("standalone"):
        words = " ".join(map(str, record.facts["argv"]))
        raise UsageError(
            f"the run {record.folder.name} was recorded by its script, and not started by kogine, "
            f"which does not know its values. Run the script again: python {words}"
        )


def _check_values(record: Record, objects: Objects) -> None:
    """Raise UsageError, which names it, for a value that cannot be restored. Those that refer to
    modules of the script are only looked for: the modules are to be restored first.
    """
    forms = {str(one["target"]): one for one in record.facts.get("overrides") or ()}
    inside = [target for target, one in forms.items() if "inside" in one]
    for target in inside:
        _kept(forms[target], objects, record)
    values_of(record, objects, inside)


def values_for(
    record: Record, objects: Objects, launch: Launch, without: Collection[str] = ()
) -> Config:
    """As ``values_of``, for the script of *launch*, beside which are the modules that values refer
    to.
    """
    siblings = Siblings()
    with siblings.visible(launch.path0, ModuleType(_CONFIG)):
        found = values_of(record, objects, without)
    return replace(found, siblings=(siblings,))


def values_of(record: Record, objects: Objects, without: Collection[str] = ()) -> Config:
    """The values of *record* as a Config, but for the targets *without*. Raises UsageError, which
    names the value, if one was recorded as text only, and for a script that has recorded itself.
    """
    check_has_values(record)
    entry = re.escape(str(record.facts["script"].get("entrypoint") or ""))
    values: dict[str, Any] = {}
    new_globals: dict[str, Any] = {}
    args: dict[int, Any] = {}
    for one in record.facts.get("overrides") or ():
        target = str(one["target"])
        if target in without:
            continue
        value = _value(one, objects, record)
        number = re.fullmatch(rf"{entry}\(#(\d+)\)", target) if entry else None
        if number:
            args[int(number[1])] = value
        elif one.get("origin") == "new global":
            new_globals[target] = value
        else:
            values[target] = value
    repeat = (record.facts.get("metadata") or {}).get("repeat")
    return Config(
        values,
        args=tuple(args[number] for number in sorted(args)),
        new_globals=new_globals,
        outputs=tuple(record.facts.get("wanted") or ()),
        artifacts=tuple(record.facts.get("artifact_patterns") or ()),
        metadata={} if repeat is None else {"repeat": read(repeat)},
    )


def _value(form: Mapping[str, Any], objects: Objects, record: Record) -> object:
    if TEXT in form:
        return CellText(str(form[TEXT]), is_quoted=isinstance(form.get("json"), str))
    if is_whole(form):
        return read(form)
    target, data = form["target"], _kept(form, objects, record)
    try:
        return load_object(data, str(form.get("inside", "")))
    except UncrossableValue as error:
        raise UsageError(f"the value of {target!r} cannot be restored: {error}") from None


def _kept(form: Mapping[str, Any], objects: Objects, record: Record) -> bytes:
    """The object of the value of *form*. Raises UsageError if there is none."""
    target, data = form["target"], objects.get(str(form.get("object")))
    if not data:
        raise UsageError(
            f"the value of {target!r} in {record.folder.name} was recorded as text only: "
            f"{form.get('repr')}. Give it another one: kogine runs repeat {record.folder.name} "
            f"{target}=...{_maker(record)}"
        )
    return data


def _maker(record: Record) -> str:
    """How to run the pipeline that has made the values of *record*; empty if it is of none."""
    if not record.facts.get("node"):
        return ""
    return f"; or run what has made it: kogine runs repeat {record.facts['parent']}"


def config_in(folder: str, objects: str) -> Config:
    """The Config of the record in *folder*, with the objects of the store in *objects*."""
    record = Record.read(Path(folder))
    if record is None:
        raise UsageError(f"there is no record in {folder!r}")
    return values_of(record, Objects(Path(objects)))


# --- the run -------------------------------------------------------------------------------------


def _run(record: Record, tree: _Tree, folder: Path, output: int | None) -> Record | None:
    """The record of the new run; None if kogine has refused it."""
    cwd = tree.inside(tree.cwd, folder)
    words = _words(record, tree, folder, str(_config_file(tree, folder)))
    subprocess.run(
        [*kogine_command(), *words],
        cwd=cwd,
        env=_environment(record, tree, folder),
        stdout=output,
        check=False,
    )
    return next(find_runs(Path(cwd, RUNS), newest=True), None)


def _check_pipeline(record: Record) -> None:
    """Raise UsageError if *record* is of a pipeline that cannot be run in another folder."""
    pipeline_of(record)
    if os.path.isabs(record.script):
        raise UsageError(
            f"{record.folder.name} cannot be reproduced: its file {record.script!r} is outside of "
            f"its working folder. Run today's file: kogine runs repeat {record.folder.name}"
        )


def _run_pipeline(record: Record, tree: _Tree, folder: Path, output: int | None) -> Record | None:
    """As ``_run``: repeats it in the new folder, where the restored files are today's."""
    cwd, store = tree.inside(tree.cwd, folder), str(record.folder.absolute().parent)
    subprocess.run(
        [
            *kogine_command(),
            "runs",
            "repeat",
            record.folder.name,
            "--store",
            store,
            "--new-store",
            os.path.join(cwd, RUNS),
        ],
        cwd=cwd,
        env=_environment(record, tree, folder),
        stdout=output,
        check=False,
    )
    runs = find_runs(Path(cwd, RUNS))
    return next((one for one in runs if one.facts.get("kind") == PIPELINE), None)


def _words(record: Record, tree: _Tree, folder: Path, config: str) -> list[str]:
    script = record.facts["script"]
    module, entry = script.get("module"), script.get("entrypoint")
    words = ["run", "--record", "--config", config]
    words += ["--run-dir"] if record.facts.get("in_run_dir") else []
    words += ["--entrypoint", str(entry)] if entry else []
    if module and module != "__main__":
        words += ["-m", str(module)]
    else:
        start = os.path.dirname(tree.script) if module else tree.script
        words.append(os.path.relpath(tree.inside(start, folder), tree.inside(tree.cwd, folder)))
    return [*words, "--", *tree.arguments] if tree.arguments else words


def kogine_command() -> list[str]:
    """The command; the module by its name would find a ``kogine.py`` of the user's first."""
    command = os.path.join(sysconfig.get_path("scripts"), "kogine")
    return [command] if os.path.isfile(command) else [sys.executable, "-m", "kogine"]


def _environment(record: Record, tree: _Tree, folder: Path) -> dict[str, str]:
    """The variables of this process and, in place of those that change numbers, those of the
    record.
    """
    recorded = (record.facts.get("environment") or {}).get("variables") or {}
    kept = {name: str(one) for name, one in recorded.items() if name != "KOGINE_CACHE"}
    new = [one for one in variables(os.environ, {}) if not one.startswith(_OF_TODAY)]
    others = {name: one for name, one in os.environ.items() if name not in new}
    environment = own_environment(record.facts.get("env") or {}, {**others, **kept})
    paths = [tree.inside(one, folder) for one in tree.roots]
    paths += [one for one in environment.get("PYTHONPATH", "").split(os.pathsep) if one]
    if paths:
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    return environment
