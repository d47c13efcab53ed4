"""Which words of a command line are the arguments of its scripts, and which are kogine's own.

Before the script every option is kogine's. After it: TARGET=VALUE is an override; the options that
the script itself defines are its arguments, whatever their name; other options are kogine's; a
plain word is an argument if the script takes arguments; ``--`` ends kogine's part. What a script
accepts is found without running it; overrides that such arguments make ineffective are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from kogine.script_command import launch_to_read

from kohaku_ast.errors import KogineError, UsageError
from kohaku_ast.files import read_input
from kohaku_ast.runner.overrides import Override
from kohaku_ast.transform.find.accepted_options import (
    NO_OPTIONS,
    AcceptedOption,
    AcceptedOptions,
    accepted_options_of,
    given_as,
    is_option,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kogine.hints import Meant
    from kogine.script_command import ScriptCommand

    from kohaku_ast.runner.bind import Binder
    from kohaku_ast.transform.find.option_declarations import Width


def accepted_by(
    scripts: Sequence[str], is_module: bool, *, is_unfinished: bool = False
) -> AcceptedOptions:
    """The arguments that *scripts* accept, together.

    Raises SourceError for a missing script, unless the command line *is_unfinished*: then it knows
    nothing of a script that can be read only once, and has not been read.
    """
    found = [_accepted_by(one, is_module, is_unfinished) for one in scripts]
    if len(found) == 1:
        return found[0]
    options = tuple(option for one in found for option in one.options)
    return AcceptedOptions(any(one.takes_arguments for one in found), options)


def _accepted_by(script: str, is_module: bool, is_unfinished: bool) -> AcceptedOptions:
    try:
        launch = launch_to_read(script, is_module, is_unfinished=is_unfinished)
    except KogineError:
        if not is_unfinished:
            raise
        return NO_OPTIONS
    if launch is None:
        return NO_OPTIONS
    return accepted_options_of(launch.data, launch.filename, launch.path0, launch.package)


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
    given = accepted_by([script], command.is_module, is_unfinished=True).given(command.argv)
    if not given:
        return
    probes = [Override(target, None, "command line", optional=True) for target in axes]
    own = [one for one in binder.overrides if one.target[:1] not in "+~"]  # not words for Hydra
    full = binder.full_targets([*own, *probes])
    for name in typed:
        argument = given_as(name, full.get(name, ""), given)
        if argument:
            raise UsageError(
                f"{full.get(name, name)!r} is given twice: as {name}=... and as the script's "
                f"argument {argument!r}, which wins. Take away one of them."
            )


AS_IS = "--as-is"
_HYDRA_WORD = r"(\+\+?|~)[^\W\d][\w@/.-]*(=|$)"
_MODULE = "-m"


def _may_be_of_hydra(path: str) -> bool:
    try:
        text = read_input(path.partition("=")[2] if path.startswith("-") else path)
    except OSError:
        return False
    return any(mark in text for mark in (b"defaults", b"${", b"???"))


class OwnOptions:
    """The options of one command of kogine."""

    def __init__(self, widths: Mapping[str, int], elsewhere: Mapping[str, str]) -> None:
        """*widths* has the number of words after each name, *elsewhere* the reason why an option of
        another command has no effect here.
        """
        self.widths = widths
        self.elsewhere = elsewhere

    def find(self, word: str) -> str:
        """The name in *word*: ``--lr`` of ``--lr=1``, ``-n`` of ``-n5``; "" if it is none."""
        name = word.partition("=")[0]
        if name in self.widths:
            return name
        return word[:2] if word[1:2] != "-" and word[:2] in self.widths else ""


class SortedWords:
    """The words of a command line, complete or not, by their owner."""

    def __init__(self) -> None:
        #: Each option of kogine with the words after it.
        self.own: list[list[str]] = []
        self.scripts: list[str] = []
        self.assignments: list[str] = []
        self.argv: list[str] = []
        self.is_module = False
        self.is_after_dashes = False
        #: For completion: the option whose value is not typed yet; its name and, for an option of
        #: the script, its AcceptedOption.
        self.waiting_name = ""
        self.waiting: AcceptedOption | None = None

    def for_click(self) -> list[str]:
        """Kogine's words, in the form that click parses."""
        words = [word for group in self.own for word in group]
        words += [f"--set={word}" for word in self.assignments]
        return [*words, "--", *self.scripts]

    @property
    def axis_order(self) -> list[str]:
        """``sweep`` and ``trials`` in the order of the command line."""
        names = (group[0].partition("=")[0].lstrip("-") for group in self.own)
        return [name for name in names if name in ("sweep", "trials")]


class WordSorter:
    """Sorts the words of one command line."""

    def __init__(
        self,
        own: OwnOptions,
        *,
        command: str = "kogine run",
        many: bool = False,
        runs: bool = True,
        is_unfinished: bool = False,
        names_runs: bool = False,
    ) -> None:
        """*command* is its name in messages. *many*: plain words are scripts. Not *runs*: the
        command starts no script, and an option of the script with a value is an override.
        *is_unfinished*: for completion, which refuses nothing. *names_runs*: the word for the
        script may name a recorded run.
        """
        self.own, self.many, self.runs = own, many, runs
        self.command = command
        self.is_unfinished, self.names_runs = is_unfinished, names_runs
        self.found = SortedWords()
        self.words: list[str] = []
        self.waiting: list[str] = []
        self.is_past_operand = False
        self._options: list[str] = []
        self._accepted: AcceptedOptions | None = None

    def sort(self, words: Iterable[str]) -> SortedWords:
        """*words* sorted. Raises UsageError for a word that neither kogine nor a script knows, and
        SourceError for a script that has to be read and cannot be.
        """
        self.words = [*words]
        self.waiting = self.words[::-1]
        while self.waiting:
            word = self.waiting.pop()
            if word == "--":
                self.found.is_after_dashes = True
                self.found.argv += self.waiting[::-1]
                break
            if is_option(word):
                self._option(word)
            else:
                self._plain(word)
        self._refuse_options_of_one_script()
        return self.found

    def _refuse_options_of_one_script(self) -> None:
        """Arguments go to all scripts: a script without such an option would fail later."""
        if self.is_unfinished or len(self.found.scripts) < 2:
            return
        for script in self.found.scripts:
            accepted = accepted_by([script], self.found.is_module)
            unknown = [word for word in self._options if accepted.find(word) is None]
            if unknown:
                name = unknown[0].partition("=")[0]
                raise UsageError(
                    f"{script} has no option {name!r}, and arguments go to every script. As a "
                    f"target it goes to those that have it: {name.lstrip('-')}=VALUE"
                )

    @property
    def accepted(self) -> AcceptedOptions:
        """The arguments that the scripts so far accept; none before the first script."""
        if not self.found.scripts:
            return NO_OPTIONS
        if self._accepted is None:
            may_lack = self.is_unfinished or self.names_runs
            self._accepted = accepted_by(
                self.found.scripts, self.found.is_module, is_unfinished=may_lack
            )
        return self._accepted

    def _plain(self, word: str) -> None:
        found = self.found
        if not found.scripts:
            self._refuse_before_script(word)
            found.scripts.append(word)
            return
        if self._is_for_hydra(word):
            found.assignments.append(word if "=" in word else f"{word}=")
            return
        self._refuse_mistyped(word)
        if "=" in word:
            found.assignments.append(word)
        elif self.many:
            found.scripts.append(word)
            self._accepted = None
        elif self.runs and (self.accepted.takes_arguments or not self._is_python()):
            self.is_past_operand = True
            found.argv.append(word)
        elif not self.is_unfinished:
            before = found.assignments[-1] if found.assignments else ""
            raise UsageError(self._meant().unexpected(word, before, self.waiting[::-1]))

    def _is_for_hydra(self, word: str) -> bool:
        """Whether *word* is ``+db=mysql`` or ``~db`` beside a config that may be one of Hydra."""
        if word[:1] not in ("+", "~") or (word[0] == "+" and "=" not in word):
            return False
        groups = [*self.found.own, self.waiting[::-1]]
        words = [one for group in groups for one in group] if self.runs else []
        files = [one for one in words if one.endswith((".yaml", ".yml"))]
        return re.match(_HYDRA_WORD, word) is not None and any(map(_may_be_of_hydra, files))

    def _refuse_before_script(self, word: str) -> None:
        if self.is_unfinished or self.found.is_module or not self.waiting:
            return
        from kogine.hints import refuse_before_script

        refuse_before_script(self.command, word, self.waiting[::-1])

    def _option(self, word: str) -> None:
        ours = self.own.find(word)
        if ours and not self.runs:  # no script is started that could get it
            self._take_ours(word, ours)
            return
        # argparse accepts the start of a long name; a full name of ours takes precedence.
        theirs = self.accepted.find(word, abbreviations=not ours)
        if theirs is not None:
            self._take_theirs(word, theirs)
        elif ours and not (word == _MODULE and self.found.scripts):
            self._take_ours(word, ours)
        elif self.found.scripts and self.runs and (self.is_past_operand or not self._is_python()):
            self._take_theirs(word, AcceptedOption(() if "=" in word else (word,)))
        elif not self.is_unfinished:
            raise UsageError(self._no_such_option(word))

    def _take_ours(self, word: str, name: str) -> None:
        if name == _MODULE:
            self.found.is_module = True
            self.waiting += [word[2:]] if word != _MODULE else []  # `-mpkg`
            word = _MODULE
        if name == AS_IS:
            self.found.own.append([self._as_is(word)])
            return
        width = self.own.widths[name]
        if "=" in word and width == 0 and word.startswith("--"):
            raise UsageError(f"{name} takes no value")
        group = [word]
        if word == name:
            if len(self.waiting) < width:
                self._wait(name)
                return
            group += [self.waiting.pop() for _ in range(width)]
            if name in ("--sweep", "--set", "-s") and not self._is_for_hydra(group[-1]):
                self._refuse_mistyped(group[-1])
        self.found.own.append(group)

    def _as_is(self, word: str) -> str:
        """``--as-is lr=x`` is for one target, ``--as-is`` for all values."""
        if "=" in word:
            return word
        following = self.waiting[-1] if self.waiting else ""
        has_target = "=" in following and not self.own.find(following)
        return f"{AS_IS}={self.waiting.pop() if has_target else ''}"

    def _wait(self, name: str) -> None:
        if not self.is_unfinished:
            raise UsageError(f"{name} needs a value")
        self.found.waiting_name = name

    def _take_theirs(self, word: str, option: AcceptedOption) -> None:
        name = word.partition("=")[0]
        is_followed = word in option.names  # not `--lr=0.1`, `-n5`
        values = self._values(option.width) if is_followed else []
        if "=" in word and option.width == 0:  # no script takes a value there: `--amp=no`
            self.found.assignments.append(word)
            return
        if not self.runs:
            self._override(word, name, option, values)
            return
        self._options.append(word)
        self.found.argv += [word, *values]
        if is_followed and not self.waiting and not values and option.width != 0:
            self.found.waiting_name, self.found.waiting = name, option

    def _override(
        self, word: str, name: str, option: AcceptedOption, values: Sequence[str]
    ) -> None:
        """If no script is started, its option is a target: ``--lr 3`` is ``--lr=3``."""
        target = option.targets[0] if option.targets else name
        value = word.partition("=")[2] if "=" in word else "".join(values)
        if "=" in word or len(values) == 1:
            self.found.assignments.append(f"{target}={value}")
        elif not self.is_unfinished:
            raise UsageError(
                f"{word!r}: no script is started here, so it takes no arguments: write "
                f"{target}=VALUE"
            )

    def _values(self, width: Width) -> list[str]:
        """Take the words after an option of the script that are its values."""
        most = len(self.waiting) if width == "*" else 1 if width in ("?", None) else int(width)
        values: list[str] = []
        while self.waiting and len(values) < most and not is_option(self.waiting[-1]):
            if not isinstance(width, int) and "=" in self.waiting[-1]:
                break
            values.append(self.waiting.pop())
        return values

    def _is_python(self) -> bool:
        """Whether Python can compile the script; if not, the run prints Python's own error."""
        if self.is_unfinished:
            return True
        launch = launch_to_read(self.found.scripts[0], self.found.is_module)
        try:
            if launch is not None:
                compile(launch.data, launch.filename, "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            return False
        return True

    def _no_such_option(self, word: str) -> str:
        """The message for an option that neither kogine nor the script has, with a suggestion."""
        name = word.partition("=")[0]
        if name in self.own.elsewhere:
            return f"{name}: {self.own.elsewhere[name]}"
        known = [*self.own.widths, *(one for own in self.accepted.options for one in own.names)]
        return self._meant().unknown_option(word, known, self.waiting[::-1])

    def _meant(self) -> Meant:
        from kogine.hints import Meant

        found = self.found
        return Meant(self.command, self.words, found.scripts, found.is_module, self.runs)

    def _refuse_mistyped(self, word: str) -> None:
        """Raise UsageError for an override that the shell has split, or that has Hydra's ``+``."""
        is_split = any(one in word for one in "[({") or "".join(self.waiting[-1:]).startswith("=")
        if self.is_unfinished or not (is_split or word[0] in "+~"):
            return
        from kogine.hints import refuse_split_word

        refuse_split_word(word, self.waiting[::-1])
        is_hydra = self.runs and self.accepted.find("--multirun") is not None
        self._meant().refuse_prefix(word, is_hydra=is_hydra)
