"""What the text of a script uses, for ``kogine doctor``: option parsers, helpers, trackers,
devices, seeds, processes, and what it does to its own process. Nothing is run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from kohaku_ast.transform.find.modules import import_names
from kohaku_ast.transform.find.option_facts import file_facts
from kohaku_ast.transform.find.paths import called_name, dotted_name, full_name, nodes_of
from kohaku_ast.transform.find.seed_calls import seed_of
from kohaku_ast.transform.find.source import Source

TOPICS = (
    "command line", "config", "helpers", "progress", "tracking", "device", "randomness",
    "processes", "files", "this process",
)  # fmt: skip
"""In the order in which they are listed."""


class Use(NamedTuple):
    """Something that a script uses."""

    #: One of TOPICS.
    topic: str
    #: ``tqdm``, ``random.seed``, ``writes model.pt``.
    name: str
    #: The file without its folder, and the first line there.
    file: str
    line: int
    #: What it means for a run or a sweep; empty if there is nothing to say.
    note: str = ""


_TRACKED = "works as it is; logger.init(backends=...) of the helpers groups the runs of a sweep"
_FOR_TERMINALS = "is drawn for terminals; the live table of a sweep shows progress_bar and tqdm"
_OWN_FOLDER = "runs that write to one folder mix: os.environ['KOGINE_RUN_DIR'] is a run's own"
_CHILDREN = "its children get the overrides too"
_GREEDY = "takes most of a GPU's memory when it starts: one run a GPU"
_IMPORTS = {
    "hydra": ("config", "its own words (db=mysql) go after --; --config reads its files"),
    "omegaconf": ("config", ""),
    "ml_collections": ("config", ""),
    "yacs": ("config", ""),
    "tqdm": ("progress", "its bars are read: the live table of a sweep shows them"),
    "rich.progress": ("progress", _FOR_TERMINALS),
    "alive_progress": ("progress", _FOR_TERMINALS),
    "wandb": ("tracking", _TRACKED),
    "mlflow": ("tracking", _TRACKED),
    "trackio": ("tracking", _TRACKED),
    "comet_ml": ("tracking", _TRACKED),
    "neptune": ("tracking", _TRACKED),
    "aim": ("tracking", _TRACKED),
    "tensorboardX": ("tracking", _OWN_FOLDER),
    "torch.utils.tensorboard": ("tracking", _OWN_FOLDER),
    "torch": ("device", ""),
    "jax": ("device", _GREEDY),
    "tensorflow": ("device", _GREEDY),
    "cupy": ("device", ""),
    "multiprocessing": ("processes", _CHILDREN),
    "torch.multiprocessing": ("processes", _CHILDREN),
    "joblib": ("processes", _CHILDREN),
    "torch.distributed": ("processes", "start it with: torchrun -m kogine run SCRIPT"),
}  # fmt: skip
"""Module -> topic, and what its import means."""

_LOST = "needs an answer: in a sweep nobody is there to give it"
_RESTART = "programs that it starts, the script itself too, get no overrides"
_THREADS = "threads: logger and progress_bar know in them which run it is"
_CALLS = {
    "concurrent.futures.ProcessPoolExecutor": ("processes", _CHILDREN),
    "concurrent.futures.ThreadPoolExecutor": ("processes", _THREADS),
    "threading.Thread": ("processes", _THREADS),
    "asyncio.run": ("processes", ""),
    "subprocess.run": ("processes", _RESTART),
    "subprocess.Popen": ("processes", _RESTART),
    "subprocess.call": ("processes", _RESTART),
    "subprocess.check_call": ("processes", _RESTART),
    "subprocess.check_output": ("processes", _RESTART),
    "os.system": ("processes", _RESTART),
    "os.fork": ("processes", "the child has the overrides too"),
    "os.chdir": ("this process", "relative names after it mean files in another folder"),
    "atexit.register": ("this process", ""),
    "signal.signal": ("this process", "Ctrl-C in a flow: SIGINT, later SIGTERM, then SIGKILL"),
    "os._exit": ("this process", "ends the run at once: buffered output and outputs are lost"),
    "input": ("this process", _LOST),
    "breakpoint": ("this process", _LOST),
    "pdb.set_trace": ("this process", _LOST),
    "matplotlib.pyplot.show": (
        "this process", "waits for a window to be closed; MPLBACKEND=agg shows none"
    ),
}  # fmt: skip
"""Function -> topic, and what a call of it means."""
_RANDOM = ("random", "numpy.random", "torch", "tensorflow", "jax", "sklearn", "keras")
"""Modules whose users draw random numbers."""


def find_uses(source: Source) -> list[Use]:
    """What *source* uses, each once, in the order of the topics; raises SyntaxError."""
    names = import_names(source.tree, source.package)
    found: dict[tuple[str, str], Use] = {}
    for use in (*_parsers(source), *_imported(source), *_called(source, names)):
        found.setdefault(use[:2], use)
    return sorted(found.values(), key=lambda one: (TOPICS.index(one.topic), one.line))


def draws_numbers(source: Source) -> bool:
    """Whether *source* imports something that draws random numbers."""
    names = {*import_names(source.tree, source.package).values()}
    uses_numpy = any("random" in dotted_name(node) for node in nodes_of(source.tree))
    return any(
        name == one or name.startswith(f"{one}.")
        for name in ({*names, "numpy.random"} if "numpy" in names and uses_numpy else names)
        for one in _RANDOM
    )


_DEFINED = {"Pipeline": "pipeline", "Sequential": "workflow", "Parallel": "workflow"}
"""Name in kohaku_ast -> the command that runs what a file makes of it."""
_RUNS = ("run", "map", "iter", "as_completed")
"""Methods with which a file runs that itself."""


def find_defined(source: Source) -> str:
    """``pipeline`` or ``workflow`` if *source* defines one at module level, or a class of
    pipelines, and does not run it itself; else empty. ``kogine run`` would do nothing with it.
    """
    names = import_names(source.tree, source.package)
    found = ""
    for statement in source.tree.body:
        if isinstance(statement, ast.ClassDef):
            found = found or next(
                filter(None, (_defined(one, names) for one in statement.bases)), ""
            )
        elif not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            calls = [one.func for one in ast.walk(statement) if isinstance(one, ast.Call)]
            if any(isinstance(one, ast.Attribute) and one.attr in _RUNS for one in calls):
                return ""
            if isinstance(statement, (ast.Assign, ast.AnnAssign)):
                found = found or next(filter(None, (_defined(one, names) for one in calls)), "")
    return found


def _defined(node: ast.expr, names: dict[str, str]) -> str:
    """The command for what ``Pipeline``, or ``Pipeline.from_toml``, makes; empty for others."""
    owner, _, name = full_name(dotted_name(node).removesuffix(".from_toml"), names).partition(".")
    return _DEFINED.get(name.rpartition(".")[2], "") if owner == "kohaku_ast" else ""


def _parsers(source: Source) -> Iterator[Use]:
    """The libraries that read its command line; ``sys`` stands for ``sys.argv``."""
    libraries = file_facts(source)["libraries"]
    for name in libraries:
        note = "" if name != "sys" else "arguments that it reads by hand go after --"
        shown = name if name != "sys" else "sys.argv"
        yield Use("command line", shown, source.file, _line_of(source, name), note)


def _line_of(source: Source, name: str) -> int:
    """The first line that imports *name*, or a part of it, or reads an attribute of it."""
    lines = [line for module, line in _imports_of(source) if module.partition(".")[0] == name]
    if name == "sys":
        lines = [
            one.lineno
            for one in nodes_of(source.tree)
            if isinstance(one, ast.Attribute) and one.attr in ("argv", "orig_argv")
        ] or lines
    return min(lines, default=1)


def _imports_of(source: Source) -> Iterator[tuple[str, int]]:
    """Every name that an import statement names in full, with its line."""
    for node in nodes_of(source.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def _imported(source: Source) -> Iterator[Use]:
    for name, line in _imports_of(source):
        owner, _, last = name.rpartition(".")
        if owner in ("kohaku_ast", "kohaku_ast.helpers") or name == "kohaku_ast":
            yield Use("helpers", last, source.file, line)
        for module, (topic, note) in _IMPORTS.items():
            if name == module or name.startswith(f"{module}."):
                yield Use(topic, module, source.file, line, note.replace("SCRIPT", source.file))


def _called(source: Source, names: dict[str, str]) -> Iterator[Use]:
    for node in nodes_of(source.tree):
        if isinstance(node, ast.Call):
            yield from _call(node, source.file, names)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            if full_name(dotted_name(node.value), names) == "os.environ":
                yield _variable(node, source.file)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = full_name(node.value.id, names)
            if owner in ("kohaku_ast", "kohaku_ast.helpers"):
                yield Use("helpers", node.attr, source.file, node.lineno)
            elif owner == "torch" and node.attr == "cuda":
                yield Use("device", "torch.cuda", source.file, node.lineno, _GPUS)


_GPUS = "--gpus auto gives each run of a sweep a GPU of its own, which it sees as cuda:0"


def _call(node: ast.Call, file: str, names: dict[str, str]) -> Iterator[Use]:
    name, last = full_name(dotted_name(node.func), names), called_name(node.func)
    if seed := seed_of(node, names):
        yield Use("randomness", seed[0], file, node.lineno)
    elif name in _CALLS:
        topic, note = _CALLS[name]
        yield Use(topic, name, file, node.lineno, note)
    elif name.startswith("os.exec"):
        yield Use("processes", name, file, node.lineno, _RESTART)
    elif last == "DataLoader":
        workers = [one.value for one in node.keywords if one.arg == "num_workers"]
        count = getattr(workers[0], "value", "?") if workers else 0
        note = f"{count} processes beside each run: --threads and --workers share out the cores"
        if count:
            yield Use("processes", "DataLoader(num_workers=)", file, node.lineno, note)
    if last == "cuda" and isinstance(node.func, ast.Attribute) and not name.startswith("torch."):
        yield Use("device", ".cuda()", file, node.lineno, _GPUS)
    for text in _texts_of(node):
        if text == "cuda" or text.startswith("cuda:"):
            number = text.partition(":")[2]
            note = (
                _GPUS
                if number in ("", "0")
                else f"with --gpus a run sees its GPU as cuda:0: {text} fails"
            )
            yield Use("device", f'"{text}"', file, node.lineno, note)


def _texts_of(node: ast.Call) -> Iterator[str]:
    """The texts among the arguments of *node*, in either arm of ``"cuda" if ... else "cpu"``."""
    for one in [*node.args, *(keyword.value for keyword in node.keywords)]:
        for part in [one.body, one.orelse] if isinstance(one, ast.IfExp) else [one]:
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield part.value


def _variable(node: ast.Subscript, file: str) -> Use:
    name = node.slice.value if isinstance(node.slice, ast.Constant) else "..."
    note = "wins over the GPU that --gpus gives" if name == "CUDA_VISIBLE_DEVICES" else ""
    return Use("this process", f"os.environ[{name!r}]", file, node.lineno, note)
