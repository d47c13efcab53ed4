"""The arguments that scripts accept, found without running them; overrides that arguments of the
same command line make ineffective are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kohaku_ast.errors import KogineError, UsageError
from kohaku_ast.runner.launch import Launch, find_to_read, split_function
from kohaku_ast.runner.overrides import Override
from kohaku_ast.transform.find.accepted_options import (
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
    """Whether *word* starts like an option; a negative number and a text with blanks do not."""
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
    """The arguments that *scripts* accept, together; none for a script that can be read only once.

    Raises SourceError for a missing script, unless the command line *is_unfinished*.
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
    """Whether *target* is a parameter of the script of *launch*."""
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
    """Raise UsageError if the command line overrides an option of *script* that is also among its
    arguments: the argument would win, and the override or axis would have no effect.

    *binder* is that of the script, *axes* are the targets of the command line's axes.
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
    """The options that the argument *word* sets; ``-vn3`` sets two."""
    found = accepted.find(word) if is_option(word) else None
    if found is None:
        return []
    is_long = word[1] == "-" or any(word in one.names for one in accepted.options)
    letters = "" if is_long else word[1:]
    cluster = [accepted.find(f"-{letter}") for letter in letters if letter.isalpha()]
    return [found, *(one for one in cluster if one is not None)]


def _of_module(name: str, named: Mapping[str, str]) -> str:
    """The argument for an option that a module of the script declares. The target ``opts.seed`` is
    ``opts.--seed`` in full, but only the Program of the module resolves it.
    """
    module, dot, option = name.rpartition(".")
    spelled = f"{module}{dot}--{option.lstrip('-').replace('_', '-')}"
    return named.get(spelled, "") or named.get(spelled.replace("-", "_").replace("__", "--"), "")
