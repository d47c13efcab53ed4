"""Runs a script as ``__main__`` for the rest of this process, as ``python script.py`` does.

On the warm path. Everything that the end of a script needs is bound here at import: by then
there may be no working folder, no ``sys.path`` and no modules.

Nothing here keeps what the script raises: it goes through to the interpreter, which prints it,
flushes, sets the exit status and dies of SIGINT as it always does. Only the frames of ours are
cut off what is printed.
"""

from __future__ import annotations

import atexit
import builtins
import os
import sys

# Not from importlib.machinery and types: these load five modules, 0.5 ms of every start.
from _frozen_importlib import BuiltinImporter
from _frozen_importlib_external import SourceFileLoader

# functools loads ten modules.
from _functools import partial  # type: ignore[import-not-found]

from kohaku_ast.errors import label, near
from kohaku_ast.frames import hidden, keep_builtins, plainly, put_traceback, say, trimmed, unseen
from kohaku_ast.runner.launch import enter_folder
from kohaku_ast.runner.loaded_modules import hide_shadowed, loaded_by_us, own_modules
from kohaku_ast.sigint import BLOCK, OWN_SIGNALS, call_blocked, hear, keep_script_mask, sigmask
from kohaku_ast.transform import line_words, place
from kohaku_ast.transform.program.bound_program import load

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import CodeType, ModuleType, TracebackType

    from kohaku_ast.runner.launch import Launch
    from kohaku_ast.transform.program.bound_program import Prepared
    from kohaku_ast.transform.program.program import Program


# Bound here: the script may change them.
_getpid, _SEPARATOR = os.getpid, os.sep

_ORDER = (
    "__name__", "__doc__", "__package__", "__loader__", "__spec__", "__annotations__",
    "__builtins__", "__file__", "__cached__",
)  # fmt: skip


def new_main(launch: Launch) -> ModuleType:
    """A new ``__main__`` with the names that Python gives it, in Python's order."""
    module = type(sys)("__main__")
    values: dict[str, object] = {
        "__name__": "__main__",
        "__doc__": None,
        "__package__": None,
        "__loader__": SourceFileLoader("__main__", launch.filename),
        "__spec__": None,
        "__annotations__": {},
        "__builtins__": builtins,
        "__file__": launch.filename,
        "__cached__": None,
    }
    if not launch.from_file:
        values["__loader__"] = BuiltinImporter
    if not launch.has_file:
        del values["__file__"], values["__cached__"]
    module.__dict__.clear()
    module.__dict__.update((name, values[name]) for name in _names() if name in values)
    return module


def _names() -> list[str]:
    """The names that this version of Python gives to ``__main__``, in its order."""
    real = [name for name in vars(sys.modules["__main__"]) if name in _ORDER]
    return real if real[-1:] == ["__cached__"] else list(_ORDER)


@hidden
def run_here(
    launch: Launch,
    codes: Sequence[CodeType | None],
    last: Callable[[dict[str, object]], object] | None = None,
    loaded: Callable[[], Iterable[str]] | None = None,
) -> object:
    """Run *codes* as ``__main__``; what the script raises comes out as it is.

    *last* is called with its namespace at the end, and its result is returned. *loaded* returns the
    modules that a file beside the script may stand for; by default all that we have loaded.
    """
    module = new_main(launch)
    namespace = module.__dict__
    before: Iterable[int] = ()
    _enter(launch, loaded or loaded_by_us)
    _be_main(module)
    del module
    hear()
    try:
        launch.execute(codes, namespace)
        returned = None if last is None else last(namespace)
        before = sigmask(BLOCK, OWN_SIGNALS)
    except BaseException as error:
        try:
            before = sigmask(BLOCK, OWN_SIGNALS)
        except BaseException:  # Ctrl-C just before it is blocked: *error* has ended the script
            pass
        keep_script_mask(before)
        if not isinstance(error, SystemExit):
            _hide_our_frames(error, namespace if launch.has_file else {})
        raise
    keep_script_mask(before)
    if launch.has_file:
        _leave(namespace)
    return returned


def _be_main(module: ModuleType) -> None:
    before = sys.modules.get("__main__")
    sys.modules["__main__"] = module
    if before is not None and sys.modules.get("__mp_main__") is before:
        # multiprocessing sets it when it is imported, which a library in a warm server may have
        # done; what the processes of a pool send back is looked for there.
        sys.modules["__mp_main__"] = module


def _enter(launch: Launch, loaded: Callable[[], Iterable[str]]) -> None:
    """Enter the script's folder. Modules in it are the script's, whatever we have loaded."""
    sys.argv = launch.argv
    if enter_folder(launch):
        hide_shadowed([launch.path0], {*loaded(), *own_modules()})


@hidden
def _leave(namespace: dict[str, object]) -> None:
    """CPython takes these names away before atexit; scripts' exit functions may look for them."""
    namespace.pop("__file__", None)
    namespace.pop("__cached__", None)


@hidden
def _hide_our_frames(error: BaseException, namespace: dict[str, object]) -> None:
    """Let the interpreter print *error* without our frames."""
    hook = getattr(sys, "excepthook", None)
    if hook is not None:
        trace = trimmed(error.__traceback__)
        sys.excepthook = partial(_show, hook, trace, namespace)


@hidden
def _show(
    hook: Callable[..., object],
    trace: TracebackType | None,
    namespace: dict[str, object],
    kind: type[BaseException],
    value: BaseException,
    _: TracebackType | None,
) -> None:
    """An excepthook for one call: it calls *hook* with *trace*, after it has put *hook* back."""
    sys.excepthook = hook
    put_traceback(value, trace)
    sys.last_traceback = trace
    try:
        plainly(hook, kind, value, trace)
    finally:
        _leave(namespace)


def warn_compiler(program: Program) -> None:
    """Repeat the warnings of Python's compiler at each run, as for every script."""
    for category, message, line in program.warnings:
        import warnings

        kind = getattr(builtins, category)
        warnings.warn_explicit(message, kind, program.filename, line)


def warn_at_end(prepared: Prepared) -> None:
    """At exit, name the overrides that were not used. Registered first, so called last."""
    EndWarning().watch(prepared)


class EndWarning:
    """Names the overrides that were not used, at exit."""

    def __init__(self) -> None:
        """Registered now, so that it is called last; ``watch`` says later what it is about."""
        self.prepared: Prepared | None = None
        self.pid = 0
        self.label = ""
        atexit.register(_warn_unused, self)

    def watch(self, prepared: Prepared) -> None:
        """Warn of the overrides of *prepared*, which is about to run in this process."""
        self.prepared, self.pid = prepared, _getpid()
        self.label = label("warning", sys.stderr)


@hidden
def _warn_unused(warning: EndWarning) -> None:
    # Unseen by a tracer that the script may have left on.
    call_blocked(unseen, partial(_print_unused, warning))


@hidden
def _print_unused(warning: EndWarning) -> None:
    if _getpid() != warning.pid or warning.prepared is None:  # a forked child of the script
        return
    for message in unused_messages(warning.prepared):
        say(f"{warning.label}{message}\n")


def unused_messages(prepared: Prepared) -> list[str]:
    """A sentence for each override that had no effect, or whose value perhaps nothing reads; one
    for all that a failed script did not come to.
    """
    messages, unused = [], []
    own = prepared.program.filename.rpartition(_SEPARATOR)[2]
    for prefix, path, given in prepared.every():
        messages += given.program.notes + given.program.dead
        file = path.rpartition(_SEPARATOR)[2]
        lost = sorted(given.unused(), key=lambda one: one[1])
        unused += [(prefix + target, line, file, path) for target, line in lost]
        replaced = given.replaced()
        for target, numbers in replaced.items():
            lines = " or ".join(line_words(path, number) for number in numbers)
            messages.append(
                f"override {prefix + target!r} was replaced: {lines} of {file} stores another "
                "value there"
            )
        messages += [
            f"overrides of the module {prefix[:-1]!r} are those of {path}: {other}, which has the "
            "same name, has its own values. If the script loads it by its path, this names it: "
            "configs/base.py is configs.base"
            for other in sorted(given.findings.namesakes)
        ]
        for target, similar in given.findings.created.items():
            if target not in replaced:
                hint = f". Did you mean {prefix + similar!r}?" if similar else ""
                messages.append(
                    f"override {prefix + target!r} set a name that was not there before in "
                    f"{file}{hint}"
                )
    for name, found in prepared.lacking.items() if not prepared.failed else ():
        hint = f". Did you mean {' or '.join(map(repr, found))}?" if found else ""
        messages.append(f"output {name!r} is lacking: {own} has ended without this global{hint}")
    late = prepared.later.targets() if prepared.later else []
    here = " in this process" if prepared.has_child else ""
    child = "; a child process that runs it has the value" if here else ""
    messages += [
        f"override {one!r} was not used{here}: its module was not imported{child}" for one in late
    ]
    if prepared.failed and len(unused) > 1:
        listed = ", ".join(f"{target!r} ({place(path, line)})" for target, line, _, path in unused)
        return [*messages, f"overrides were not used, since the script failed before: {listed}"]
    return messages + [
        f"override {target!r} was not used: {line_words(path, line)} of {file} did not run"
        if file == own or not here
        else f"override {target!r} was not used{here}: {line_words(path, line)} of {file} did not "
        f"run{child}"
        for target, line, file, path in unused
    ]


def outputs_of(
    prepared: Prepared, wanted: Mapping[str, bool], names: Mapping[str, object]
) -> dict[str, object]:
    """Those of *names* that are *wanted*; ``unused_messages`` tells which of them the script has
    not left, but for those that are True.
    """
    known = [name for name in names if name[:1] != "_"]
    lacking = [name for name, is_optional in wanted.items() if not (is_optional or name in names)]
    prepared.lacking = {name: _near(name, known) for name in lacking}
    return {one: names[one] for one in wanted if one in names}


def _near(name: str, known: list[str]) -> list[str]:
    try:
        return near(name, known)
    except Exception:  # by now there may be no modules left to import
        return []


def entry_call(
    name: str, args: Sequence[object], kwargs: Mapping[str, object]
) -> Callable[[dict[str, object]], object]:
    """What calls the function *name* of a namespace; it runs a coroutine to its end."""

    @hidden
    def call(namespace: dict[str, object]) -> object:
        function: Callable[..., object] = namespace[name]  # type: ignore[assignment]
        named: dict[str, object] = {}
        for keyword, value in kwargs.items():
            named[keyword] = load(value)
        result = function(*map(load, args), **named)
        if type(result).__name__ != "coroutine":
            return result
        import asyncio

        return asyncio.run(result)  # type: ignore[arg-type]

    return call
