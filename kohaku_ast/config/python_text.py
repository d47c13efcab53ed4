"""Python's own grammar in a text: literals, quoted parts, what stands outside of them."""

from __future__ import annotations

import ast
import warnings


def literal(text: str) -> object:
    """What ``ast.literal_eval`` makes of *text*; raises as it does."""
    if "#" in blank_quotes(text):
        raise ValueError  # 12#3 would be read as 12 and a comment
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # '\d' or 1if would warn on the user's terminal
        value: object = ast.literal_eval(text)
    return value


def commas(text: str) -> list[int]:
    """Where *text* has a comma outside brackets and quotes; see ``text_values.find_commas``."""
    plain = blank_quotes(text)
    depth, lowest, found = 0, 0, []
    for place, char in enumerate(plain):
        depth += (char in "([{") - (char in ")]}")
        lowest = min(lowest, depth)
        if char == "," and depth == 0:
            found.append(place)
    if depth or lowest:
        return [place for place, char in enumerate(plain) if char == ","]
    return found


def blank_quotes(text: str) -> str:
    """*text* of the same length with every quoted part made blank."""
    if "'" not in text and '"' not in text:
        return text
    parts, place, unclosed = [], 0, ""
    while place < len(text):
        part = text[place]
        if part in "'\"" and part not in unclosed and _opens_quote(text, place):
            end = quote_end(text, place)
            if end < 0:
                unclosed += part  # not looked for again: "\'\'\'..." would take quadratic time
            else:
                part = " " * (end - place)
        parts.append(part)
        place += len(part)
    return "".join(parts)


def _opens_quote(text: str, place: int) -> bool:
    """Whether the quote mark is none of a word's own, as in ``don't``."""
    before = text[max(0, place - 3) : place]
    prefix = before[len(before.rstrip("rbufRBUF")) :]
    rest = before[: len(before) - len(prefix)]
    return len(prefix) < 3 and not rest[-1:].isalnum()


def quote_end(text: str, start: int) -> int:
    """Where the quoted string that opens at *start* is over, -1 if it is never closed."""
    mark = text[start] * (3 if text.startswith(text[start] * 3, start) else 1)
    place = start + len(mark)
    while place < len(text) and not text.startswith(mark, place):
        place += 2 if text[place] == "\\" else 1
    return place + len(mark) if place < len(text) else -1
