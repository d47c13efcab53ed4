"""Study: the trials of a search so far, and what is to be tried next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Trial:
    """Values that a search tries."""

    #: Its number in the study, from 0.
    number: int
    #: Name of a dimension -> what was chosen.
    values: Mapping[str, object]
    #: What it came to, once that is known.
    result: float | None = None


@dataclass(frozen=True)
class Tried:
    """What a study holds."""

    #: All of its trials that are over, and how many of these failed.
    count: int = 0
    failed: int = 0
    #: The best one; None as long as none has succeeded.
    best: Trial | None = None


class Study(Protocol):
    """What each method of search offers. Every method raises ConfigError if it cannot be kept."""

    def tried(self) -> Tried:
        """What there is so far."""

    def ask(self) -> Trial:
        """The values to try next."""

    def tell(self, trial: Trial, result: float) -> None:
        """*trial* came to *result*."""

    def fail(self, trial: Trial, why: str) -> None:
        """*trial* came to nothing."""

    def close(self) -> None:
        """Let go of the file."""
