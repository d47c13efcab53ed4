"""Members that write down where and how often they run, and pipelines of them."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kohaku_ast import Pipeline, node
from kohaku_ast.helpers import process


@dataclass
class Scale:
    by: int = 2
    log: str = ""

    def __call__(self, x: int) -> int:
        if self.log:
            with open(self.log, "a") as file:
                file.write(f"scale {x}\n")
        return x * self.by


class Heavy:
    """Its ``init()`` loads what a fingerprint must not have."""

    def __init__(self, log: str, words: tuple[str, ...] = ()) -> None:
        self.log, self.words = log, [*words]
        self.table: Any = None

    def init(self) -> None:
        self.table = (len(self.words), iter("ab"))
        self.words.append("loaded")
        with open(self.log, "a") as file:
            file.write(f"init {os.getpid()}\n")

    def __call__(self, x: int) -> int:
        with open(self.log, "a") as file:
            file.write(f"call {os.getpid()}\n")
        return x + int(self.table[0])


@process
def total(values: list[int]) -> int:
    return sum(values)


@node("low high")
def bounds(y: int, margin: int = 1) -> tuple[int, int]:
    return y - margin, y + margin


@node
async def slow(x: int) -> int:
    await asyncio.sleep(0)
    return x + 1


def invert(x: int) -> float:
    return 1 / x


class Inner(Pipeline):
    scale: Scale = Scale(3)

    def __call__(self, x: int) -> int:
        return self.scale(x) + self.scale(x + 1)


class Sums(Pipeline):
    scale: Scale
    inner: Inner
    total: Any = total
    slow: Any = slow
    invert: Any = invert
    rounds: int = 2

    class Meta:
        name = "sums"

    def __call__(self, x: int, is_broken: bool = False) -> int:
        values = []
        for number in range(x, x + self.rounds):
            value = self.scale(number)
            if value > 2:
                value = self.slow(value)
            values.append(value)
        values.append(self.inner(x))
        if is_broken:
            self.invert(0)
        result: int = self.total(values)
        return result


def expected(x: int, rounds: int = 2) -> int:
    scaled = [2 * number for number in range(x, x + rounds)]
    return sum(one + (one > 2) for one in scaled) + 3 * x + 3 * (x + 1)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


make: Any = Sums
"""The class, whose arguments no type checker knows."""
