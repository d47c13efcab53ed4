"""``kogine config init -i``: a config from answers on the terminal, each checked as it is typed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from kogine.config_write import form_of, init_text
from kogine.report import Output
from kogine.script_command import inspect_script

from kohaku_ast.config.listed_values import listed_values
from kohaku_ast.config.template import answer_text, config_lines
from kohaku_ast.config.text_values import TextValueError
from kohaku_ast.display.text import Group, Row, print_table
from kohaku_ast.errors import UsageError, did_you_mean, visible
from kohaku_ast.runner.launch import split_function
from kohaku_ast.runner.script import lines_of, notes, one_line, type_text
from kohaku_ast.transform.find.inspection import Inspection
from kohaku_ast.transform.find.parameters import Parameter

try:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.document import Document
    from prompt_toolkit.filters import has_completions
    from prompt_toolkit.formatted_text import FormattedText
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
    from prompt_toolkit.styles import Style
    from prompt_toolkit.validation import ValidationError, Validator
except ImportError as error:
    raise UsageError(
        'kogine config init -i needs prompt-toolkit: pip install "kohaku-ast[interactive]"'
    ) from error

_BACK = "\0back"
"""The answer of a user who goes to the question before."""
_STYLE = Style.from_dict(
    {
        "section": "bold",
        "name": "bold ansicyan",
        "note": "ansibrightblack",
        "bottom-toolbar": "noreverse",
    }
)
_KEYS = "Enter: next   Up: back   Ctrl-D: the rest as it is   Ctrl-C: write nothing"


def start_builder(script: str, path: str, force: bool, everything: bool) -> Callable[[], int]:
    """Read the script; the result asks, and writes the config. Raises SyntaxError."""
    if not all(one is not None and one.isatty() for one in (sys.stdin, sys.stdout)):
        raise UsageError(
            "-i asks on a terminal, and this is none: without -i the config has the script's values"
        )
    Output(path, force)  # --force without a file
    if path:
        _refuse_path(path, force)
    found = inspect_script(script)
    return lambda: _Builder(found, script, everything, force).build(path)


@dataclass(frozen=True)
class _Question:
    """One parameter that is asked for."""

    parameter: Parameter
    #: The value that stands in the config without an answer; empty if none does.
    default: str

    @property
    def name(self) -> str:
        return visible(self.parameter.short)


class _Builder:
    """Asks for the values of one script."""

    def __init__(self, found: Inspection, script: str, everything: bool, force: bool) -> None:
        self.found, self.script, self.force = found, script, force
        self.listed = found.listed(everything)
        self.questions = list(_questions(found, self.listed))
        #: Full target -> the text that was typed.
        self.typed: dict[str, str] = {}
        self.session: PromptSession[str] = PromptSession(style=_STYLE)

    def build(self, path: str) -> int:
        """Ask, show what differs, and write the file."""
        try:
            path = path or self._ask_path()
            self._ask_all(form_of(path))
            self._review(path)
        except KeyboardInterrupt:
            print("Nothing is written.")
            return 130
        answers = self._answers(form_of(path))
        data = init_text(self.found, self.listed, self.script, path, answers)
        Output(path, self.force).deliver(data, self.script)()
        print(visible(f"{path} is written: kogine run {self.script} --config {path}"))
        return 0

    def _answers(self, form: str) -> dict[str, str]:
        """Full target -> the value that was typed, as the file has it."""
        asked = {one.parameter.target: one.parameter.reading for one in self.questions}
        return {
            target: answer_text(text, asked[target], form) for target, text in self.typed.items()
        }

    # --- questions -------------------------------------------------------------------------------

    def _ask_path(self) -> str:
        """The name of the file, which decides what can be written."""
        stem = os.path.splitext(os.path.basename(split_function(self.script)[0]))[0]

        def wrong(text: str) -> str:
            try:
                _refuse_path(text, self.force)
            except UsageError as error:
                return str(error)
            return ""

        try:
            return self._prompt([("class:name", "file"), ("", ": ")], wrong, default=f"{stem}.yaml")
        except EOFError:
            raise KeyboardInterrupt from None

    def _ask_all(self, form: str) -> None:
        """Ask each question; the rest is as it is in the script after Ctrl-D."""
        place, section = 0, ""
        while 0 <= place < len(self.questions):
            one = self.questions[place]
            if one.parameter.section != section:
                section = one.parameter.section
                print(f"\n{visible(section)}" if section else "")
            try:
                is_back = self._ask(one, form)
            except EOFError:
                return
            place = max(place - 1, 0) if is_back else place + 1

    def _ask(self, one: _Question, form: str) -> bool:
        """Ask one question; the result is whether the user goes back."""
        parameter = one.parameter

        def wrong(text: str) -> str:
            try:
                answer_text(text, parameter.reading, form)
            except TextValueError as error:
                return str(error)
            return ""

        about = [visible(text) for text in (parameter.help, *notes(parameter)) if text]
        message = [("class:note", f"# {'; '.join(about)}\n")] if about else []
        message += [("class:name", one.name), ("", " = ")]
        words = [text for text in listed_values(parameter).texts if not wrong(text)]
        kind = " ".join(filter(None, [type_text(parameter), "" if one.default else "(required)"]))
        where = f"{self.found.file}:{lines_of(parameter)}"
        text = self._prompt(
            message, wrong, words=words, default=self.typed.get(parameter.target, ""),
            shown=one.default, toolbar=" · ".join(filter(None, [kind, where])),
        )  # fmt: skip
        if text == _BACK:
            return True
        self.typed.pop(parameter.target, None)
        if text.strip():
            self.typed[parameter.target] = text
        return False

    def _review(self, path: str) -> None:
        """Show the values that differ; ask again for those that the user names."""
        by_name = {one.name: one for one in self.questions}

        def wrong(text: str) -> str:
            if text in by_name or text.lower() in ("y", "yes"):
                return ""
            return f"no value of this config.{did_you_mean(text, by_name)}"

        while True:
            self._show_changes()
            try:
                message = [
                    ("", f"Write {visible(path)}? "),
                    ("class:note", "(Enter, or a name to change it) "),
                ]
                text = self._prompt(message, wrong, words=list(by_name))
            except EOFError:
                return
            if text not in by_name:
                return
            try:
                self._ask(by_name[text], form_of(path))
            except EOFError:
                continue  # as it was

    def _show_changes(self) -> None:
        rows: list[Row] = [
            (one.name, one_line(one.parameter.default), self.typed[one.parameter.target])
            for one in self.questions
            if one.parameter.target in self.typed
        ]
        print()
        if rows:
            print_table(("target", "script", "config"), [Group("", tuple(rows))], sys.stdout)
            print()

    def _prompt(
        self,
        message: Sequence[tuple[str, str]],
        wrong: Callable[[str], str],
        *,
        words: Sequence[str] = (),
        default: str = "",
        shown: str = "",
        toolbar: str = "",
    ) -> str:
        """One line that *wrong* has nothing against; empty for *shown*, the value as it is."""
        text: str = self.session.prompt(
            FormattedText(message),
            key_bindings=_keys() if toolbar else KeyBindings(),
            default=default,
            placeholder=FormattedText([("class:note", one_line(visible(shown)))]),
            completer=WordCompleter(list(words), sentence=True),
            complete_while_typing=True,
            validator=_Checked(wrong),
            validate_while_typing=True,
            bottom_toolbar=FormattedText(
                [("class:note", f"{toolbar}\n{_KEYS}" if toolbar else "")]
            ),
        )
        return text


class _Checked(Validator):
    """Refuses a text with the message of *wrong*; an empty one is right."""

    def __init__(self, wrong: Callable[[str], str]) -> None:
        self.wrong = wrong

    def validate(self, document: Document) -> None:
        """Raise ValidationError for a text that is wrong."""
        text = document.text
        message = self.wrong(text) if text.strip() else ""
        if message:
            raise ValidationError(len(text), " ".join(message.split("\n")))


def _keys() -> KeyBindings:
    """The key that goes to the question before."""
    keys = KeyBindings()

    @keys.add("up", filter=~has_completions)
    def _(event: KeyPressEvent) -> None:
        event.app.exit(result=_BACK)

    return keys


def _questions(found: Inspection, listed: Sequence[Parameter]) -> Iterator[_Question]:
    """A question for each of *listed* that has a line in the config, in the order of --inspect."""
    lines = {one.target: one for one in config_lines(found, listed)[1]}
    for one in listed:
        line = lines.get(one.target)
        if line is not None:
            yield _Question(one, "" if line.reason else line.text)


def _refuse_path(path: str, force: bool) -> None:
    """Raise UsageError for a file that cannot be written, before all the questions."""
    form_of(path)
    if os.path.lexists(path) and not force:
        raise UsageError(
            f"{path!r} exists already: name another file, or add --force to replace it"
        )
    folder = os.path.dirname(path)
    if folder and not os.path.isdir(folder):
        raise UsageError(f"{path!r}: there is no folder {folder!r}")
