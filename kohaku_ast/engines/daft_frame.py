"""A map as a DataFrame of Daft that nobody has computed yet; anybody may, anywhere."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from kohaku_ast.pipeline.mapping import Rows
    from kohaku_ast.pipeline.node_like import NodeLike
    from kohaku_ast.pipeline.plan import Plan


def make_frame(daft: Any, plan: Plan, rows: Rows) -> Any:
    """A row an item: the inputs that vary, and the outputs that are asked for.

    Columns whose type is known (values of one plain type, a hint of the function) have it; the
    others hold Python objects.
    """
    cells = [rows.values(index) for index in range(len(rows))]
    frame = daft.from_pydict(
        {name: _series(daft, name, [one[name] for one in cells]) for name in rows.over}
    )
    columns: dict[str, tuple[str, int]] = {}
    for number, node in enumerate(plan.nodes):
        used = [name for name in node.inputs if name in columns or name in rows.over]
        column = f"{number + 1} {node.name}"
        function = _function(node, used, columns, dict(rows.fixed))
        call = daft.func(function, return_dtype=daft.DataType.python())
        sources = [columns[name][0] if name in columns else name for name in used]
        frame = frame.with_column(column, call(*map(daft.col, sources)) if used else call(*_any(daft, rows)))
        for place, name in enumerate(node.outputs):
            columns.setdefault(name, (column, place))
    return frame.select(*rows.over, *[_output(daft, plan, name, columns) for name in plan.wanted])


def _any(daft: Any, rows: Rows) -> list[Any]:
    """A node that reads nothing that varies runs for each row all the same."""
    return [daft.col(rows.over[0])]


def _series(daft: Any, name: str, values: list[Any]) -> Any:
    kinds = {type(value) for value in values}
    dtype = _dtype(daft, kinds.pop()) if len(kinds) == 1 else daft.DataType.python()
    return daft.Series.from_pylist(values, name=name, dtype=dtype)


def _dtype(daft: Any, kind: Any) -> Any:
    """Daft's type for a plain type of Python's; else that of Python objects."""
    types = daft.DataType
    known = {int: types.int64, float: types.float64, str: types.string, bool: types.bool, bytes: types.binary}
    return known.get(kind, types.python)()


def _function(
    node: NodeLike, used: list[str], columns: dict[str, tuple[str, int]], fixed: dict[str, Any]
) -> Callable[..., Any]:
    """The values of the outputs of *node* for the cells of the columns that it needs."""
    places = [columns[name][1] if name in columns else None for name in used]
    known = {name: fixed[name] for name in node.inputs if name in fixed and name not in used}

    def run(*cells: Any) -> Any:
        from kohaku_ast.engines.errand import call

        given = dict(known)
        for name, place, cell in zip(used, places, cells):
            given[name] = cell if place is None else cell[place]
        return call(node, given)

    run.__name__ = run.__qualname__ = node.name
    return run


def _output(daft: Any, plan: Plan, name: str, columns: dict[str, tuple[str, int]]) -> Any:
    column, place = columns[name]
    node = next(one for one in plan.nodes if name in one.outputs)
    hint = node.output_hint(name) if hasattr(node, "output_hint") else None

    def take(cell: Any) -> Any:
        return cell[place]

    return daft.func(take, return_dtype=_dtype(daft, hint))(daft.col(column)).alias(name)
