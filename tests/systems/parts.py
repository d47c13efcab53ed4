"""Components that the tests of systems connect; other processes import them from here."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kohaku_ast.systems import Component, Input, Output


class Count(Component):
    """Sends 1, 2, 3, ..."""

    @dataclass
    class Config:
        first: int = 1

    number = Output(int)

    def setup(self) -> None:
        self.next: int = self.config.first

    def step(self) -> int:
        self.next += 1
        return self.next - 1


class Twice(Component):
    value = Input(int)
    value_twice = Output(int)

    def forward(self, value: int) -> int:
        return 2 * value


class Add(Component):
    a = Input(int)
    b = Input(int, default=100)
    total = Output(int)

    def step(self, a: int, b: int) -> int:
        return a + b


class Split(Component):
    """Odd numbers go one way, even ones the other."""

    value = Input(int)
    odd = Output(int)
    even = Output(int)

    def step(self, value: int) -> dict[str, int]:
        return {"odd" if value % 2 else "even": value}


class Each(Component):
    """Sends each number below the one that it gets."""

    value = Input(int)
    below = Output(int)

    def step(self, value: int) -> Iterator[int]:
        yield from range(value)


class Keep(Component):
    """Keeps what it gets, and writes it to a file, if it has one."""

    @dataclass
    class Config:
        path: Path | None = None
        tags: list[str] = field(default_factory=list)

    value = Input(Any)

    def setup(self) -> None:
        self.seen: list[Any] = []
        self.is_done = False

    def step(self, value: Any) -> None:
        self.seen.append(value)

    def teardown(self) -> None:
        self.is_done = True
        if self.config.path:
            self.config.path.write_text("".join(f"{one!r}\n" for one in self.seen))


class Fail(Component):
    """Fails at the third message."""

    @dataclass
    class Config:
        how: str = "raise"

    value = Input(int)
    same = Output(int)

    def step(self, value: int) -> int:
        if value == 3 and self.config.how == "kill":
            os.kill(os.getpid(), 9)
        if value == 3:
            raise ValueError("three is too many")
        return value


class Newest(Component):
    """Is slower than what feeds it."""

    value = Input(int, latest=True)
    same = Output(int)

    def step(self, value: int) -> int:
        time.sleep(0.02)
        return value


class Slow(Component):
    value = Input(int)
    same = Output(int)

    def step(self, value: int) -> int:
        time.sleep(0.002)
        return value
