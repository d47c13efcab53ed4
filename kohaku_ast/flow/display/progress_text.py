"""Progress: how far a line that a script has printed says that it is.

Read are ``12/100``, ``[12/100]``, ``45%`` at the start of a line, in brackets or beside a bar or a
word such as ``done``, and the bars of tqdm, Keras and rich. ``epoch 3/10`` counts the epochs before
it, and what else the line says as a part of that epoch.
"""

from __future__ import annotations

import re

_FRACTION = re.compile(r"(?<![\w./:,-])(\d{1,12})\s?(?:/|\bof\b)\s?(\d{1,12})(?![\w/%]|[.,]\d)")
_EPOCH = re.compile(r"(?i)\bepochs?\b[\s:#=]{0,3}\[?(\d{1,9})\s?(?:/|of)\s?(\d{1,9})(?![\w/%.])\]?")
_PERCENT = r"(?<![\w.,+-])(\d{1,3}(?:\.\d{1,6})?)\s?%"
_PERCENTS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"^\s*{_PERCENT}",
        rf"\[\s*{_PERCENT}\s*\]",
        rf"{_PERCENT}\s?\|",
        rf"(?i)\b(?:progress|completed?|done|finished)\b[\s:=]{{0,3}}{_PERCENT}",
        rf"(?i){_PERCENT}\s+(?:complete|done|finished)",
        rf"[━╸╺█▏▎▍▌▋▊▉░▒▓]{{3}}\s*\|?\s*{_PERCENT}",
        rf"\[[=#>. -]{{3,300}}\]\s*{_PERCENT}",
    )
)
# `Accuracy: 9800/10000` is how good it is.
_SCORE = re.compile(r"(?i)\b(?:acc|accuracy|correct|score|precision|recall|errors?)[\s:=]{0,3}\Z")
_LONGEST = 400


def read_progress(line: str) -> float | None:
    """Between 0 and 1; None if *line* says nothing of it."""
    if len(line) > _LONGEST or not ("%" in line or "/" in line or " of " in line):
        return None
    epoch = _EPOCH.search(line)
    if epoch is None:
        return _inner(line)
    done, whole = int(epoch[1]), int(epoch[2])
    if not 0 <= done <= whole or whole == 0:
        return _inner(line)
    inner = _inner(line[: epoch.start()] + line[epoch.end() :])
    if inner is None:
        # Said at the end of an epoch as often as at its start, and counted from 0 or from 1.
        return done / whole
    return min(1.0, (max(done, 1) - 1 + inner) / whole)


def _inner(line: str) -> float | None:
    for pattern in _PERCENTS:
        found = pattern.search(line)
        if found and float(found[1]) <= 100:
            return float(found[1]) / 100
    for fraction in _FRACTION.finditer(line):
        done, whole = int(fraction[1]), int(fraction[2])
        if done <= whole and whole > 1 and not _SCORE.search(line[: fraction.start()]):
            return done / whole
    return None
