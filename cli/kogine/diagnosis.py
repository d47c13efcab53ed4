"""What ``kogine doctor`` says of a script: what it uses, in which mode a sweep runs it, what is
missing, and the next commands. The script is read; only its libraries are imported, in a process of
their own, as a sweep does to choose its mode.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from kogine.list_parameters import entrypoint_as_json, start_lines
from kogine.report import printing
from kogine.script_command import ScriptCommand, find_script, inspect_script

from kohaku_ast.display.text import Group, json_text, print_table
from kohaku_ast.errors import near, visible
from kohaku_ast.flow.launchers import SettledMode, settle_mode
from kohaku_ast.store.sources import versions
from kohaku_ast.transform.find.disk_caches import find_cached
from kohaku_ast.transform.find.inspection import Inspection, with_modules
from kohaku_ast.transform.find.modules import Reach, text_of
from kohaku_ast.transform.find.parameters import Parameter
from kohaku_ast.transform.find.paths import called_name, nodes_of
from kohaku_ast.transform.find.source import Source
from kohaku_ast.transform.find.used_files import UsedFile, find_files
from kohaku_ast.transform.find.uses import TOPICS, Use, draws_numbers, find_defined, find_uses

JSON_VERSION = 1


class Missing(NamedTuple):
    """Something that the script needs and that is not there."""

    #: ``module``, ``optional module``, ``file`` or ``config``.
    kind: str
    name: str
    #: ``train.py:3``.
    place: str
    #: The next move.
    remedy: str


@dataclass(frozen=True)
class Diagnosis:
    """All that the doctor found."""

    #: As the user wrote it.
    script: str
    found: Inspection
    uses: list[Use]
    libraries: dict[str, str]
    mode: SettledMode
    missing: list[Missing]
    #: Commands that may come next.
    following: list[str]


def print_diagnosis(command: ScriptCommand, is_json: bool) -> Callable[[], int]:
    """Look at the script of *command*; the result prints what was found. Raises KogineError, and
    SyntaxError.
    """
    launch, _ = find_script(command)
    found = with_modules(inspect_script(command.script, command.is_module))
    assert found.reach is not None
    texts = [found.source, *filter(None, map(text_of, found.reach.modules))]
    files = [one for text in texts for one in find_files(text)]
    uses = [one for text in texts for one in find_uses(text)]
    moves = any(one.name == "os.chdir" for one in uses)
    missing = [*_missing_modules(texts, found.reach), *_missing_files(files, texts, moves)]
    uses += [*_file_uses(files), *_import_uses(found.reach), *_own_uses(texts, uses)]
    words = ["-m", command.script] if command.is_module else [command.script]
    diagnosis = Diagnosis(
        script=command.script,
        found=found,
        uses=sorted(uses, key=lambda one: (TOPICS.index(one.topic), one.file != texts[0].file)),
        libraries=versions(found.reach.libraries),
        mode=settle_mode(launch),
        missing=missing,
        following=list(_following(shlex.join(words), found, uses, missing)),
    )
    show = _show_json if is_json else _show_text
    return partial(printing(show), diagnosis)


# --- what it uses --------------------------------------------------------------------------------


def _file_uses(files: list[UsedFile]) -> Iterator[Use]:
    reads = any(not one.is_written for one in files)
    for one in files:
        name = f"{'writes' if one.is_written else 'reads'} {one.path}"
        yield Use("files", name, one.file, one.line, _file_note(one, reads))


def _file_note(file: UsedFile, reads: bool) -> str:
    if not file.is_written:
        return "found from the working folder, so not with --run-dir"
    if file.is_computed:
        return ""
    own = "in os.environ['KOGINE_RUN_DIR']" if reads else "with --run-dir"
    return f"each run of a sweep writes it: {own} each has its own"


def _import_uses(reach: Reach) -> Iterator[Use]:
    for topic, places, note in (
        ("sys.path", reach.path_changes, "modules found through it are matched when imported"),
        ("import by a computed name", reach.computed, "write targets in full: configs.base.lr"),
    ):
        for place in places[:1]:
            file, _, line = place.rpartition(":")
            yield Use("this process", topic, file, int(line), note)


def _own_uses(texts: list[Source], uses: list[Use]) -> Iterator[Use]:
    """What the text as a whole says: caches on disk, and that no seed is set."""
    for text in texts:
        for one in find_cached(text):
            note = f"an override of {', '.join(one.reads)} does not renew its results"
            name = f"cached on disk: {one.name}()"
            yield Use("files", name, text.file, one.line, note if one.reads else "")
    is_seeded = any(one.topic == "randomness" for one in uses)
    if not is_seeded and any(map(draws_numbers, texts)):
        note = "runs of equal values differ: set one, or compare several with --repeat 5"
        yield Use("randomness", "no seed is set", texts[0].file, 0, note)


# --- what is missing -----------------------------------------------------------------------------

_DISTRIBUTIONS = {
    "attr": "attrs", "bs4": "beautifulsoup4", "cv2": "opencv-python", "dateutil": "python-dateutil",
    "dotenv": "python-dotenv", "faiss": "faiss-cpu", "fitz": "pymupdf", "git": "GitPython",
    "gym": "gymnasium", "PIL": "pillow", "pytorch_lightning": "pytorch-lightning",
    "skimage": "scikit-image", "sklearn": "scikit-learn", "skopt": "scikit-optimize",
    "torch_geometric": "torch-geometric", "umap": "umap-learn", "yaml": "PyYAML",
}  # fmt: skip
"""Module -> the package that has it, where the names differ."""
_WELL_KNOWN = {
    "accelerate", "albumentations", "cupy", "datasets", "diffusers", "einops", "flax", "gymnasium",
    "jax", "keras", "lightgbm", "lightning", "matplotlib", "mlflow", "networkx", "numba", "numpy",
    "omegaconf", "optax", "optuna", "pandas", "peft", "polars", "ray", "requests", "safetensors",
    "scipy", "seaborn", "sentencepiece", "spacy", "statsmodels", "sympy", "tensorboard",
    "tensorboardX", "tensorflow", "timm", "tokenizers", "torch", "torchaudio", "torchvision",
    "tqdm", "trackio", "transformers", "trl", "wandb", "xgboost",
}  # fmt: skip
"""Modules in packages of the same name."""
_EXTRAS = {"hydra": "hydra", "omegaconf": "hydra", "optuna": "optuna"}
"""Module -> the extra of ours with which kogine uses it, too."""
_BACKENDS = ("mlflow", "tensorboard", "trackio", "wandb")
"""Each has an extra of its name."""


def _missing_modules(texts: list[Source], reach: Reach) -> Iterator[Missing]:
    optional = {place for text in texts for place in _optional_imports(text)}
    backends = {name: place for text in texts for name, place in _backends(text)}
    beside = _stems(texts[0].folder)
    for name, place in reach.missing.items():
        top = name.partition(".")[0]
        if name == top or top not in reach.missing:  # else its package is listed
            kind = "optional module" if place in optional else "module"
            remedy = _extra(top) if top in backends else _install(top, beside)
            yield Missing(kind, name, place, remedy)
    for name, place in backends.items():
        if name in _BACKENDS and name not in reach.missing and not versions([name]):
            yield Missing("extra", name, place, _extra(name))


def _install(top: str, beside: list[str]) -> str:
    if top in _EXTRAS:
        return _extra(_EXTRAS[top])
    line = f"pip install {_DISTRIBUTIONS.get(top, top.replace('_', '-'))}"
    if top not in _WELL_KNOWN and top not in _DISTRIBUTIONS:
        # A stranger may own a package with the name of a module of the user's.
        line = f"{line}, if that has it"
    alike = near(top, beside, 1, 0.8)
    return f"is {alike[0]}.py beside the script meant? Else: {line}" if alike else line


def _extra(name: str) -> str:
    return f'pip install "kohaku-ast[{name}]"'


def _stems(folder: str) -> list[str]:
    try:
        return [name[:-3] for name in sorted(os.listdir(folder)) if name.endswith(".py")]
    except OSError:
        return []


_CATCHES = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException", ""}


def _optional_imports(text: Source) -> Iterator[str]:
    """The places of imports whose failure the script handles: ``try: import x``."""
    for node in nodes_of(text.tree):
        if isinstance(node, ast.Try) and any(map(_handles_import, node.handlers)):
            for inner in (one for statement in node.body for one in ast.walk(statement)):
                if isinstance(inner, (ast.Import, ast.ImportFrom)):
                    yield f"{text.file}:{inner.lineno}"


def _handles_import(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(one is None or called_name(one) in _CATCHES for one in kinds)


def _backends(text: Source) -> Iterator[tuple[str, str]]:
    """The trackers that the script names to the logger of the helpers: ``backends="wandb"``."""
    for node in nodes_of(text.tree):
        if isinstance(node, ast.keyword) and node.arg == "backends":
            for one in ast.walk(node.value):
                if isinstance(one, ast.Constant) and isinstance(one.value, str):
                    for name in one.value.split(","):
                        yield name.partition(":")[0].strip(), f"{text.file}:{one.lineno}"


def _missing_files(
    files: list[UsedFile], texts: list[Source], changes_folder: bool
) -> Iterator[Missing]:
    written = {one.path for one in files if one.is_written}
    folder = texts[0].folder
    for one in files:
        is_known = one.is_written or one.is_computed or one.path in written
        if is_known or changes_folder or os.path.exists(one.path):
            continue
        is_beside = os.path.exists(os.path.join(folder, one.path))
        start = f"it is beside the script: start in {os.path.relpath(folder)}"
        remedy = start if is_beside else f"nothing of that name is in {os.getcwd()}"
        yield Missing("file", one.path, f"{one.file}:{one.line}", remedy)
    for text in texts:
        yield from _missing_configs(text)


def _missing_configs(text: Source) -> Iterator[Missing]:
    """The file that ``@hydra.main(config_path="conf", config_name="config")`` names."""
    for node in nodes_of(text.tree):
        if not (isinstance(node, ast.Call) and called_name(node.func) == "main"):
            continue
        given = {one.arg: getattr(one.value, "value", None) for one in node.keywords}
        folder, name = given.get("config_path"), given.get("config_name")
        if isinstance(name, str) and (folder is None or isinstance(folder, str)):
            file = name if name.endswith((".yaml", ".yml")) else f"{name}.yaml"
            path = os.path.join(os.path.dirname(text.filename), folder or "", file)
            if not os.path.exists(path):
                path = os.path.relpath(path)
                remedy = "hydra finds it from the folder of the script"
                yield Missing("config", path, f"{text.file}:{node.lineno}", remedy)


# --- what comes next -----------------------------------------------------------------------------


_STEPS = {"pipeline": ("graph", "run"), "workflow": ("run",)}
"""Command -> those of it that come next for a file that defines a pipeline, or a flow."""


def _following(
    script: str, found: Inspection, uses: list[Use], missing: list[Missing]
) -> Iterator[str]:
    """Commands to type, the most useful first."""
    remedies = [one.remedy for one in missing if one.kind in ("module", "extra")]
    yield from dict.fromkeys(one for one in remedies if re.fullmatch(r"pip install \S+", one))
    defined = find_defined(found.source)
    if defined:
        yield from (f"kogine {defined} {what} {script}" for what in _STEPS[defined])
        return
    yield f"kogine run --inspect {script}"
    one = _tunable(found)
    if one is None:
        yield f"kogine run {script}"
        return
    target, values = one.short or one.target, _values(one.default)
    first = shlex.quote(f"{target}={values[1]}")
    yield f"kogine run {script} {first}"
    axis = shlex.quote(f"{target}={','.join(values)}")
    yield f"kogine run {script} --sweep {axis}{_sweep_options(uses)}"


def _sweep_options(uses: list[Use]) -> str:
    notes = [one.note for one in uses]
    words = " --run-dir" * any("with --run-dir each" in note for note in notes)
    return words + " --gpus auto" * any("--gpus auto" in note for note in notes)


def _tunable(found: Inspection) -> Parameter | None:
    """The first setting that is a number, of which a sweep is easy to imagine."""
    numbers = [one for one in found.listed() if len(_values(one.default)) == 2]
    return next((one for one in numbers if "seed" not in one.target.lower()), None)


def _values(default: str) -> list[str]:
    """Two values for a sweep around the number *default*; none for another default."""
    try:
        value = ast.literal_eval(default)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return []
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value:
        return []
    return [default, repr(value * 2) if isinstance(value, int) else f"{value / 2:g}"]


# --- how it is shown -----------------------------------------------------------------------------


def _show_json(one: Diagnosis) -> int:
    document: dict[str, Any] = {
        "version": JSON_VERSION,
        "script": one.script,
        "entrypoint": entrypoint_as_json(one.found.entrypoint),
        "settings": len(one.found.listed()),
        "modules": [module.name for module in one.found.reach.modules] if one.found.reach else [],
        "libraries": one.libraries,
        "uses": [use._asdict() for use in one.uses],
        "mode": {
            "run": "inline",
            "sweep": one.mode.mode,
            "reason": one.mode.reason,
            "imported": list(one.mode.imported),
        },
        "missing": [missing._asdict() for missing in one.missing],
        "next": one.following,
    }
    sys.stdout.write(json_text(document))
    return 0


def _show_text(one: Diagnosis) -> int:
    settings = f"settings: {len(one.found.listed())}"
    for line in (f"script: {one.script}", settings, *start_lines(one.found)):
        print(visible(line))
    if one.libraries:
        listed = ", ".join(f"{name} {version}" for name, version in one.libraries.items())
        print(visible(f"libraries: {listed}"))
    if one.uses:
        print()
        rows = tuple((use.topic, use.name, _place(use), use.note) for use in one.uses)
        print_table(("topic", "uses", "where", "note"), [Group("", rows)], sys.stdout)
    print(visible(f"\nmode of a sweep: {one.mode.mode}: {one.mode.reason}"))
    if one.missing:
        print()
        lacking = tuple(tuple(missing) for missing in one.missing)
        print_table(("missing", "name", "where", "remedy"), [Group("", lacking)], sys.stdout)
    print("\nnext:")
    for line in one.following:
        print(visible(f"  {line}"))
    return 0


def _place(use: Use) -> str:
    return f"{use.file}:{use.line}" if use.line else use.file
