"""The arguments that scripts accept, found without running them; overrides that arguments of the
same command line make ineffective are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kohaku_ast.errors import KogineError, UsageError
from kohaku_ast.runner.launch import Launch, find_to_read, split_function
from kohaku_ast.runner.overrides import Override
from kohaku_ast.transform.find.options import (
    NO_OPTIONS,
    AcceptedOption,
    AcceptedOptions,
    accepted_options_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kogine.script_command import ScriptCommand

    from kohaku_ast.runner.bind import Binder


def is_option(word: str) -> bool:
    """Whether *word* starts like an option; a negative number and a quoted text are none."""
    is_dashed = len(word) > 1 and word[0] == "-"
    return is_dashed and " " not in word.partition("=")[0] and not _is_number(word)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return not word[1:2].isalpha()  # `-inf` and `-nan` look like clusters of letters


def accepted_by(
    scripts: Sequence[str], is_module: bool, *, is_unfinished: bool = False
) -> AcceptedOptions:
    """What *scripts* take as arguments, together. A script that can be read only once is left
    alone, and takes none.

    Raises SourceError for one that is not there, unless the command line *is_unfinished*.
    """
    found = [_accepted_by(one, is_module, is_unfinished) for one in scripts]
    if len(found) == 1:
        return found[0]
    options = tuple(option for one in found for option in one.options)
    return AcceptedOptions(any(one.takes_arguments for one in found), options)


def _accepted_by(script: str, is_module: bool, is_unfinished: bool) -> AcceptedOptions:
    try:
        launch = launch_to_read(script, is_module)
    except KogineError:
        if not is_unfinished:
            raise
        return NO_OPTIONS
    if launch is None:
        return NO_OPTIONS
    return accepted_options_of(launch.data, launch.filename, launch.path0, launch.package)


def launch_to_read(script: str, is_module: bool) -> Launch | None:
    """The Launch of *script*; None if it can be read only once."""
    return find_to_read(split_function(script)[0], is_module)


def has_target(launch: Launch, target: str) -> bool:
    """Whether the script of *launch* has a parameter that *target* names."""
    from kohaku_ast.transform.find.parameters import find_parameters
    from kohaku_ast.transform.find.source import decode
    from kohaku_ast.transform.find.targets import Targets

    try:
        source = decode(launch.data, launch.filename, launch.path0, launch.package)
        Targets(source, find_parameters(source)).resolve(target)
    except (KogineError, SyntaxError, ValueError):
        return False
    return True


def refuse_lost_overrides(
    command: ScriptCommand, script: str, binder: Binder, axes: Iterable[str] = ()
) -> None:
    """Raise UsageError where the command line sets an option of *script* that is among the script's
    arguments, too: the argument would win, and the override or axis be lost.

    *binder* is that of the script, *axes* are the targets that the command line sweeps.
    """
    axes = [*axes]
    typed = [*(one.target for one in command.overrides), *axes]
    if not (typed and command.argv):
        return
    accepted = accepted_by([script], command.is_module, is_unfinished=True)
    named = {
        target: word
        for word in command.argv
        for option in _options_in(word, accepted)
        for target in option.targets
    }
    if not named:
        return
    probes = [Override(target, None, "command line", optional=True) for target in axes]
    full = binder.full_targets([*binder.overrides, *probes])
    for name in typed:
        argument = named.get(full.get(name, "")) or _of_module(name, named)
        if argument:
            raise UsageError(
                f"{full.get(name, name)!r} is given twice: as {name}=... and as the script's "
                f"argument {argument!r}, which wins. Take away one of them."
            )


def _options_in(word: str, accepted: AcceptedOptions) -> list[AcceptedOption]:
    """The options that *word*, an argument, sets: of ``-vn3`` two."""
    found = accepted.find(word) if is_option(word) else None
    if found is None:
        return []
    is_long = word[1] == "-" or any(word in one.names for one in accepted.options)
    letters = "" if is_long else word[1:]
    cluster = [accepted.find(f"-{letter}") for letter in letters if letter.isalpha()]
    return [found, *(one for one in cluster if one is not None)]


def _of_module(name: str, named: Mapping[str, str]) -> str:
    """The argument for an option that a module of the script declares: ``opts.seed`` is
    ``opts.--seed``, which only the module's own Program resolves.
    """
    module, dot, option = name.rpartition(".")
    spelled = f"{module}{dot}--{option.lstrip('-').replace('_', '-')}"
    return named.get(spelled, "") or named.get(spelled.replace("-", "_").replace("__", "--"), "")
