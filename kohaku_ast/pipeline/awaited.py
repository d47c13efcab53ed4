"""One ``async def`` node, from code that is not async, in a running event loop or not."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from kohaku_ast.pipeline.node_like import NodeLike


async def call_async(node: NodeLike, values: Mapping[str, Any]) -> tuple[Any, ...]:
    """The values of the outputs of an async *node*."""
    from kohaku_ast.pipeline.results import split

    result = node.call(values)  # type: ignore[attr-defined]  # is_async says that it has it
    return split(node, await result if hasattr(result, "__await__") else result)


def run_async(node: NodeLike, values: Mapping[str, Any]) -> tuple[Any, ...]:
    """The same, waited for in a loop of its own."""
    import asyncio
    import contextvars
    import threading

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(call_async(node, values))
    outcome: list[Any] = []

    def inside() -> None:
        try:
            outcome.append((asyncio.run(call_async(node, values)), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=contextvars.copy_context().run, args=(inside,))
    thread.start()
    thread.join()
    found, error = outcome[0]
    if error is not None:
        raise error
    return found  # type: ignore[no-any-return]
