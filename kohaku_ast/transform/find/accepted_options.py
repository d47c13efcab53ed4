"""What a script accepts on its command line: its options, and how many words follow each.

The command line needs this to sort words: ``--workers 8`` belongs to the script if the script has
such an option, and 8 belongs to it only if the option takes a word. Nothing of the script is run
or imported. On the warm path: the facts of each file are cached by content, so that nothing is
parsed again.
"""

from __future__ import annotations

import marshal
import os
import sys

from kohaku_ast.transform.program import cache
from kohaku_ast.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kohaku_ast.transform.find.option_declarations import Width
    from kohaku_ast.transform.find.option_facts import Facts
    from kohaku_ast.transform.find.source import Source


FORMAT = 2
"""Grows with every change of what is stored."""


class AcceptedOption:
    """One option of a script."""

    __slots__ = ("has_paths", "is_abbreviated", "names", "targets", "width")

    def __init__(
        self,
        names: tuple[str, ...],
        width: Width = None,
        targets: tuple[str, ...] = (),
        is_abbreviated: bool = False,
        has_paths: bool = False,
    ) -> None:
        #: Every spelling: ``("-l", "--lr")``. The one that switches an option off (``--no-shout``)
        #: is an option of its own.
        self.names = names
        self.width = width
        #: The full targets whose defaults an argument of this option wins over.
        self.targets = targets
        #: Whether the library accepts the start of its long names too.
        self.is_abbreviated = is_abbreviated
        #: Whether the library accepts paths below its names too: ``--config.lr``.
        self.has_paths = has_paths

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AcceptedOption) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"AcceptedOption({self.names!r}, {self.width!r}, {self.targets!r})"

    def _key(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def typed_as(self, word: str, width: Width) -> AcceptedOption:
        """The same option under one more spelling."""
        names = (*self.names, word)
        return AcceptedOption(names, width, self.targets, self.is_abbreviated, self.has_paths)


class AcceptedOptions:
    """The options that a script accepts on its command line."""

    __slots__ = ("_by_name", "options", "takes_arguments")

    def __init__(self, takes_arguments: bool, options: tuple[AcceptedOption, ...]) -> None:
        #: Whether the script, or a local module, reads the command line at all.
        self.takes_arguments = takes_arguments
        self.options = options
        self._by_name: dict[str, AcceptedOption] = {}
        for one in options:
            for name in one.names:
                known = self._by_name.get(name)
                self._by_name[name] = one if known is None else _merge(name, known, one)

    def find(self, word: str, *, abbreviations: bool = True) -> AcceptedOption | None:
        """The option that *word*, as typed, belongs to, or None.

        Words follow only if *word* is among the ``names`` of the result: not after
        ``--lr=0.1``, ``-n5`` or ``-vx3``, but after ``-vx`` and ``--learn`` (for ``--learning``).
        With *abbreviations* False the start of a long name is not enough.
        """
        name = word.partition("=")[0]
        if name.strip("-") == "":
            return None
        found = self._by_name.get(word) or self._by_name.get(name)
        found = found or self._clustered(word) or self._path_option(name)
        if found is None and abbreviations:
            found = self._abbreviated(name)
        return found

    def given(self, argv: Iterable[str]) -> dict[str, str]:
        """The targets whose defaults the arguments *argv* win over, each with its argument."""
        return {
            target: word
            for word in argv
            for option in self._options_in(word)
            for target in option.targets
        }

    def values(self, argv: Sequence[str]) -> Iterator[tuple[tuple[str, ...], str | bool]]:
        """The targets of each option that *argv* gives, and its text there; True for a flag, False
        for what is not a single text.
        """
        for index, word in enumerate(argv):
            for option in self._options_in(word):
                yield option.targets, _value(option, argv[index:])

    def _options_in(self, word: str) -> list[AcceptedOption]:
        """The options that the argument *word* sets; ``-vn3`` sets two."""
        found = self.find(word) if is_option(word) else None
        if found is None:
            return []
        is_long = word[1] == "-" or any(word in one.names for one in self.options)
        letters = "" if is_long else word[1:]
        cluster = [self.find(f"-{letter}") for letter in letters if letter.isalpha()]
        return [found, *(one for one in cluster if one is not None)]

    def _clustered(self, word: str) -> AcceptedOption | None:
        """The option that the last letters of ``-vx3`` belong to."""
        if word[:2] in ("--", "-"):
            return None
        for index in range(1, len(word)):
            one = self._by_name.get(word[0] + word[index])
            if one is None:
                return None
            if one.width != 0 and word[index + 1 :]:
                return one
            if not word[index + 1 :]:
                return one.typed_as(word, one.width)
        return None

    def _path_option(self, name: str) -> AcceptedOption | None:
        """The option ``--config`` for ``--config.lr``, if it accepts such paths."""
        for end in [index for index, letter in enumerate(name) if letter in ".["]:
            one = self._by_name.get(name[:end])
            if one is not None and one.has_paths:
                targets = tuple(f"{target}{name[end:]}" for target in one.targets)
                return AcceptedOption((name,), None, targets)
        return None

    def _abbreviated(self, name: str) -> AcceptedOption | None:
        """The only option whose name starts with *name*, of those that may be abbreviated."""
        is_long = name.startswith("--")
        fits = [
            one
            for full, one in self._by_name.items()
            if full.startswith(name) and full.startswith("--") == is_long
        ]
        different = {one for one in fits if one.is_abbreviated}
        only = different.pop() if len(different) == 1 else None
        return only.typed_as(name, only.width) if only else None


def _merge(name: str, first: AcceptedOption, other: AcceptedOption) -> AcceptedOption:
    """The option *name* of two parsers, with the facts that both agree on."""
    return AcceptedOption(
        (name,),
        first.width if first.width == other.width else None,
        tuple(dict.fromkeys((*first.targets, *other.targets))),
        first.is_abbreviated or other.is_abbreviated,
        first.has_paths or other.has_paths,
    )


def _value(option: AcceptedOption, words: Sequence[str]) -> str | bool:
    """What *words*, of which the first one sets *option*, give it, as in ``values``."""
    name, has_text, text = words[0].partition("=")
    if has_text and name in option.names:
        return text
    if words[0] not in option.names or option.width == 0:
        return option.width == 0
    return words[1] if option.width == 1 and len(words) > 1 else False


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


def given_as(name: str, full: str, given: Mapping[str, str]) -> str:
    """The argument in *given* that wins over an override of *name*, *full* in full; else empty.

    An option of a module of the script, ``opts.seed``, is ``opts.--seed`` in full, but only the
    Program of the module resolves it.
    """
    module, dot, option = name.rpartition(".")
    spelled = f"{module}{dot}--{option.lstrip('-').replace('_', '-')}"
    names = (full, spelled, spelled.replace("-", "_").replace("__", "--"))
    return next((given[one] for one in names if one in given), "")


NO_OPTIONS = AcceptedOptions(False, ())
"""The options of a script that does not read its command line."""


def accepted_options(source: Source) -> AcceptedOptions:
    """The options that *source*, with the local modules that it imports, accepts.

    A module that cannot be read or parsed is left out; raises SyntaxError for the script.
    """
    from kohaku_ast.transform.find.option_facts import file_facts

    return _accepted(file_facts(source), source.filename, source.folder)


def accepted_options_of(
    data: bytes, filename: str, folder: str = "", package: str = ""
) -> AcceptedOptions:
    """The options that a script whose bytes are *data* accepts: from the cache, else read and
    cached.

    NO_OPTIONS for a script that cannot be decoded or parsed: to run it reports the error.
    """
    facts = _facts(data, filename, folder, package)
    folder = folder or os.path.dirname(os.path.realpath(filename))
    return _accepted(facts, filename, folder) if facts else NO_OPTIONS


def _accepted(facts: Facts, filename: str, folder: str) -> AcceptedOptions:
    from kohaku_ast.transform.find.option_makers import make_options

    files = {"": facts, **_module_facts(facts, os.path.realpath(filename), folder)}
    if not any(one["takes_arguments"] for one in files.values()):
        return NO_OPTIONS
    options = [AcceptedOption(*one) for one in make_options(files)]
    return AcceptedOptions(True, tuple(dict.fromkeys(options)))


def _module_facts(facts: Facts, own: str, folder: str) -> dict[str, Facts]:
    """The facts of every local module that the script imports, directly or through others."""
    found: dict[str, Facts] = {}
    seen = {own}
    waiting = list(facts["imports"])
    for name in waiting:  # grows as it is walked
        path = _module_file(folder, name) if name and name not in found else ""
        if not path or os.path.realpath(path) in seen:
            continue
        seen.add(os.path.realpath(path))
        inside = name if os.path.basename(path) == "__init__.py" else name.rpartition(".")[0]
        read = _facts_of_file(path, folder, inside)
        if read:
            found[name] = read
            waiting += read["imports"]
    return found


def _module_file(folder: str, name: str) -> str:
    """The file of the module *name*, as ``modules.find_module``, which a warm run does not
    import.
    """
    base = os.path.join(folder, *name.split("."))
    paths = (os.path.join(base, "__init__.py"), f"{base}.py")
    return next((path for path in paths if os.path.isfile(path)), "")


def _facts_of_file(path: str, folder: str, package: str) -> Facts | None:
    try:
        with open(path, "rb") as file:
            return _facts(file.read(), path, folder, package)
    except OSError:
        return None


def _facts(data: bytes, filename: str, folder: str, package: str) -> Facts | None:
    """The facts of a file whose bytes are *data*, from the cache if they are there; None if it
    is not Python.
    """
    # Without the path: a module that lies in two folders has the same facts in both.
    name = cache.content_key((FORMAT, VERSION, sys.version, package), data) + ".options"
    try:
        facts: Facts | None = marshal.loads(cache.load_bytes(name) or b"")
    except (ValueError, EOFError, TypeError):
        facts = _read_elsewhere(name, data, filename, folder, package)
        cache.store_bytes(name, cache.labelled(marshal.dumps(facts), filename))
    return facts


def _read_elsewhere(
    name: str, data: bytes, filename: str, folder: str, package: str
) -> Facts | None:
    """As ``read_facts``, in a builder: so the script's process has the same modules warm and
    cold.
    """
    from kohaku_ast.transform.program.load import ask_builder

    answer = ask_builder((name, data, filename, None, folder, package))
    made, error = marshal.loads(answer) if answer else (None, None)
    if made is None or error is not None:
        from kohaku_ast.transform.find.option_facts import read_facts

        return read_facts(data, filename, folder, package)
    facts: Facts | None = marshal.loads(made)
    return facts
