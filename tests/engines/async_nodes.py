"""``async def`` nodes and others, and what they give."""

from __future__ import annotations

import asyncio

from kohaku_ast import node

LIMIT = 20  # seconds after which a test that waits for others gives up


@node("y")
async def fetch(x: int) -> int:
    await asyncio.sleep(0)
    return x + 1


@node("z")
def double(y: int) -> int:
    return 2 * y


@node("low high")
async def spread(z: int) -> tuple[int, int]:
    return z - 1, z + 1


class Call:
    """An object whose call is async."""

    async def __call__(self, x: int) -> int:
        return x


mixed = [fetch, double, spread]
RESULT = {"y": 2, "z": 4, "low": 3, "high": 5}
