"""FlowScan: the keys and values between brackets, as JSON, TOML, YAML and Python write them, also
of a text that is not finished: while somebody types, it seldom is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from kohaku_ast.lsp.document_text import NOWHERE, Part, Span

_STRINGS = {
    "json": r'"(?:\\.|[^"\\\r\n])*"?',
    "yaml": r'"(?:\\.|[^"\\])*"?|\'(?:\'\'|[^\'])*\'?',
    "toml": (
        r'"""(?:\\.|[^\\])*?(?:"""|\Z)|\'\'\'.*?(?:\'\'\'|\Z)|"(?:\\.|[^"\\\r\n])*"?|'
        r"'[^'\r\n]*'?"
    ),
}
_STRINGS["py"] = (
    r'[rbufRBUF]{0,2}(?:"""(?:\\.|[^\\])*?(?:"""|\Z)|\'\'\'(?:\\.|[^\\])*?(?:\'\'\'|\Z)|'
    r'"(?:\\.|[^"\\\r\n])*"?|\'(?:\\.|[^\'\\\r\n])*\'?)'
)
_SEPARATORS = {"json": ":", "yaml": ":", "toml": "=", "py": ":="}
_WORD = r"[^\s,\[\](){}:=\"'#]+"
_TOKENS = {
    form: re.compile(
        rf"(?P<string>{string})|(?P<comment>\#[^\r\n]*)|(?P<newline>\r\n|\r|\n)|(?P<blank>[ \t\f]+)"
        rf"|(?P<word>[=!<>]=|{_WORD})|(?P<mark>.)",
        re.DOTALL,
    )
    for form, string in _STRINGS.items()
}


@dataclass
class Frame:
    """What stands between two brackets, or at the top: its items, and the one that is not ended."""

    #: ``{``, ``[`` or ``(``; empty at the top.
    bracket: str = ""
    #: The name before the bracket: ``Config`` of ``Config(lr=0.1)``.
    head: str = ""
    #: The items that have ended; some have no key.
    parts: list[Part] = field(default_factory=list)
    #: The key of the item, once its separator stands there.
    key: str | None = None
    key_span: Span = NOWHERE
    #: The tokens of the item, without its key: the start of the first, the end of the last.
    first: int = -1
    last: int = -1
    #: The last token, and where it starts.
    token: str = ""
    token_start: int = -1
    #: The items in the brackets of the item.
    inner: list[Part] = field(default_factory=list)

    def take(self, token: str, start: int) -> None:
        """Add *token* to the item."""
        if self.first < 0:
            self.first = start
        self.token, self.token_start, self.last = token, start, start + len(token)

    def end_item(self) -> None:
        """The item ends here."""
        if self.key is not None:
            self.parts.append(Part(self.key, self.key_span, self._span(), inner=self.inner))
        elif self.first >= 0:
            start = Span(self.first, self.first)
            self.parts.append(Part("", start, self._span(), inner=self.inner))
        self.key, self.first, self.last, self.inner = None, -1, -1, []
        self.token, self.token_start = "", -1

    def _span(self) -> Span:
        return Span(self.first, self.last) if self.first >= 0 else Span(*[self.key_span.end] * 2)


class FlowScan:
    """The items of a text of one form; ``frames`` are the brackets that are open at its end."""

    def __init__(self, text: str, form: str, start: int = 0, *, is_value: bool = False) -> None:
        """*is_value*: the scan ends with the bracket that opens first."""
        self.text, self.form, self.is_value = text, form, is_value
        self.frames = [Frame()]
        #: Whether a comment, or a text that has no key, is open at the end.
        self.is_comment = False
        self.end = self._scan(start)
        self.is_open = len(self.frames) > 1

    @property
    def top(self) -> list[Part]:
        """The items outside all brackets."""
        return self.frames[0].parts

    def _scan(self, start: int) -> int:
        for found in _TOKENS[self.form].finditer(self.text, start):
            kind, token = found.lastgroup, found[0]
            self.is_comment = kind == "comment" and found.end() == len(self.text)
            if kind in ("string", "word"):
                self.frames[-1].take(token, found.start())
            elif kind == "mark":
                self._mark(token, found.start())
                if self.is_value and len(self.frames) == 1 and token in "}])":
                    return found.end()
            elif kind == "newline" and len(self.frames) == 1 and self.form in ("toml", "py"):
                self.frames[0].end_item()
        return len(self.text)

    def _mark(self, mark: str, place: int) -> None:
        frame = self.frames[-1]
        if mark in "{[(":
            is_called = mark == "(" and frame.token_start >= 0 and frame.last == place
            head = frame.token if is_called else ""
            frame.take(mark, place)
            self.frames.append(Frame(mark, head))
        elif mark in "}])" and len(self.frames) > 1:
            frame.end_item()
            self.frames.pop()
            self.frames[-1].inner += frame.parts
            self.frames[-1].take(mark, place)
        elif mark == "," and (frame.bracket or self.form == "py"):
            frame.end_item()
        elif mark in _SEPARATORS[self.form] and frame.bracket != "[":
            self._separate(frame, mark, place)
        else:
            frame.take(mark, place)

    def _separate(self, frame: Frame, mark: str, place: int) -> None:
        """The key of *frame*'s item ends, unless it has one."""
        is_python = self.form == "py"
        if is_python and frame.bracket and mark != {"{": ":", "(": "="}.get(frame.bracket):
            frame.take(mark, place)
        elif frame.key is None and frame.first >= 0:
            frame.key_span = Span(frame.first, frame.last)
            frame.key = self.text[frame.first : frame.last]
            frame.first = frame.last = frame.token_start = -1
        elif is_python and not frame.bracket and mark == "=":
            frame.first = frame.last = frame.token_start = -1  # behind an annotation
        else:
            frame.take(mark, place)


def unquoted(text: str) -> str:
    """The key that *text* writes: without its quotes, also if they are not closed."""
    if text[:1] not in ("'", '"'):
        return text
    body = text[1:-1] if len(text) > 1 and text[-1] == text[0] else text[1:]
    return body.replace('\\"', '"').replace("\\\\", "\\") if text[0] == '"' else body
