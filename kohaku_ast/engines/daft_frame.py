"""A map as a DataFrame of Daft that nobody has computed yet; anybody may, anywhere."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeAlias

    from kohaku_ast.pipeline.mapping import Rows
    from kohaku_ast.pipeline.node_like import NodeLike
    from kohaku_ast.pipeline.plan import Plan

    #: The column of a name, and its place in a column of several values.
    _Cell: TypeAlias = tuple[str, int | None]


def make_frame(daft: Any, plan: Plan, rows: Rows) -> Any:
    """A row an item: the inputs that vary, and the outputs that are asked for.

    Columns whose type is known (values of one plain type, a hint of the function) have it; the
    others hold Python objects.
    """
    items = [rows.values(index) for index in range(len(rows))]
    frame = daft.from_pydict(
        {name: _series(daft, name, [one[name] for one in items]) for name in rows.over}
    )
    cells: dict[str, _Cell] = {name: (name, None) for name in rows.over}
    for number, node in enumerate(plan.nodes):
        used = [name for name in node.inputs if name in cells] or [rows.over[0]]
        column = f"{number + 1} {node.name}"
        function = _function(node, [(name, cells[name][1]) for name in used], rows.fixed)
        call = daft.func(function, return_dtype=daft.DataType.python())
        frame = frame.with_column(column, call(*[daft.col(cells[name][0]) for name in used]))
        for place, name in enumerate(node.outputs):
            if name not in rows.names:  # a given value stays
                cells[name] = (column, place)
    wanted = [name for name in plan.wanted if name in cells and name not in rows.over]
    return frame.select(*rows.over, *[_output(daft, plan, name, cells[name]) for name in wanted])


def _series(daft: Any, name: str, values: list[Any]) -> Any:
    kinds = {type(value) for value in values}
    dtype = _dtype(daft, kinds.pop()) if len(kinds) == 1 else daft.DataType.python()
    return daft.Series.from_pylist(values, name=name, dtype=dtype)


def _dtype(daft: Any, kind: Any) -> Any:
    """Daft's type for a plain type of Python's; else that of Python objects."""
    types = daft.DataType
    known = {
        int: types.int64,
        float: types.float64,
        str: types.string,
        bool: types.bool,
        bytes: types.binary,
    }
    return known.get(kind, types.python)()


def _function(
    node: NodeLike, used: list[tuple[str, int | None]], fixed: Mapping[str, Any]
) -> Callable[..., Any]:
    """The values of the outputs of *node*, for the cells of the names *used*."""
    wanted = set(node.inputs)
    known = {name: value for name, value in fixed.items() if name in wanted}

    def run(*cells: Any) -> Any:
        from kohaku_ast.engines.errand import call

        given = dict(known)
        for (name, place), cell in zip(used, cells):
            if name in wanted:
                given[name] = cell if place is None else cell[place]
        return call(node, given)

    run.__name__ = run.__qualname__ = node.name
    return run


def _output(daft: Any, plan: Plan, name: str, cell: _Cell) -> Any:
    column, place = cell
    node = next(one for one in plan.nodes if name in one.outputs)
    hint = node.output_hint(name) if hasattr(node, "output_hint") else None

    def take(values: Any) -> Any:
        return values[place]

    return daft.func(take, return_dtype=_dtype(daft, hint))(daft.col(column)).alias(name)
