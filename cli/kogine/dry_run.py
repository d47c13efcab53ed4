"""``--dry-run``: the runs of a sweep. Each is bound, so that errors show; nothing is run."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from kogine.config_show import config_rows, sweep_json
from kogine.report import printing, report

from kohaku_ast.config.config import Config, same, value_text
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.errors import KogineError, visible
from kohaku_ast.flow.run import ScriptConfigs, repeat_text
from kohaku_ast.runner.bind import Binder
from kohaku_ast.runner.composed_overrides import is_choice, is_helper
from kohaku_ast.runner.overrides import Override, resolved_targets

_MOST_ROWS = 1_000
JSON_VERSION = 1
_LATER = "its runs depend on the Outcomes of the scripts before it"


def dry_run(works: Sequence[ScriptConfigs], is_json: bool) -> int:
    """Print the runs of *works*; the exit status."""
    try:
        return _print_works(works, is_json)
    except KogineError as error:  # of a later run: those before it are printed
        sys.stdout.flush()
        return report(error)


@printing
def _print_works(works: Sequence[ScriptConfigs], is_json: bool) -> int:
    for work in works:
        if is_json:
            print(json.dumps(_document(work)))
            continue
        if len(works) > 1:
            print(visible(f"script {work.name}"))
        if isinstance(work.configs, Sweep):
            _print_sweep(work.configs, work.binder)
        else:
            print(_LATER)
    return 0


def _print_sweep(sweep: Sweep, binder: Binder) -> None:
    for axis in sweep.axes:
        size = "?" if axis.size is None else axis.size
        print(visible(f"axis {', '.join(axis.targets)}: {size} of {axis.shown}"))
    shown = 0
    for number, config in enumerate(islice(sweep, _MOST_ROWS), start=1):
        values = {**config.globals_dict, **_untyped_values(binder, config)}
        if number == 1:
            print_fixed(binder, config, _last(sweep, config))
        pairs = [f"{one}={value_text(values[one])}" for one in config.varied]
        print(visible(f"{number:>5}  {' '.join(pairs)}{repeat_text(config)}"))
        shown = number
    total = sweep.size
    if total is not None and total > shown:
        print(f"  ...  and {total - shown} more")
    runs = total if total is not None else f"at least {shown}" if shown == _MOST_ROWS else shown
    sys.stdout.flush()
    print(f"{runs} run{'s' if runs != 1 else ''}; nothing was run", file=sys.stderr)


def _last(sweep: Sweep, first: Config) -> Config:
    """The last run, if a file of Hydra makes others' values differ; else *first*."""
    runs = islice(sweep, _MOST_ROWS) if first.composed else ()
    return next(iter(deque(runs, maxlen=1)), first)


def _untyped_values(binder: Binder, config: Config) -> dict[str, object]:
    """The values of parameters whose type the script does not show, as the run gets them: 0.001
    and the text '1e-3' differ there. Raises as ``bind`` does.
    """
    bound = binder.bind(config)
    resolved = resolved_targets(bound.program, binder.request(config))
    values = bound.prepared.given.values
    return {
        name: values[one.target]
        for name, one in resolved.items()
        if one.reading in (("none",), ("any",)) and one.target in values
    }


def print_fixed(binder: Binder, config: Config, last: Config | None = None) -> None:
    """Print each value that all runs share, and where it comes from."""
    for name, value, origin in _fixed(binder, config, last or config):
        print(visible(f"fixed {name}: {value}{f' ({origin})' if origin else ''}"))


def _fixed(binder: Binder, config: Config, last: Config) -> Iterator[tuple[str, str, str]]:
    """Name, value and origin of what the runs of *config*'s sweep share; the command line wins."""
    left = _without_derived(binder, config, last)
    rows = [
        (name, value, origin)
        for title, (name, value, origin) in config_rows(left)
        if not title and name not in config.varied
    ]
    own = [one.target for one in binder.overrides if not is_choice(config, one.target)]
    full = binder.full_targets(
        [Override(name, None, "", optional=True) for name in (*own, *(row[0] for row in rows))]
    )
    over = {full.get(one.target, one.target) for one in binder.overrides}
    for one in binder.overrides:
        is_ours = one.target in full or one.target not in own  # of several scripts, this has it
        if is_ours or is_helper(config, one.target):
            yield one.target, str(one.value), one.origin
    yield from (row for row in rows if full.get(row[0], row[0]) not in over)
    for text in binder.added:
        yield f"--add {text.partition('=')[0]}", text.partition("=")[2], "command line"
    for title, (name, value, origin) in config_rows(config):
        if title and title != "metadata":
            yield f"{title} {name}", value, origin
    if binder.launch.argv[1:]:
        yield "arguments", " ".join(map(repr, binder.launch.argv[1:])), "command line"


def _without_derived(binder: Binder, config: Config, last: Config) -> Config:
    """*config* with its files of Hydra composed, without the values that differ in *last*."""
    settled = binder.settled(config)
    if settled is config:
        return config
    others = binder.settled(last).globals_dict
    shared = {k: v for k, v in settled.globals_dict.items() if same(v, others.get(k))}
    return replace(settled, globals_dict=shared)


def _document(work: ScriptConfigs) -> dict[str, object]:
    """The same as one JSON object; ``docs/reference/flow-output.md`` describes it."""
    found: dict[str, object] = {"version": JSON_VERSION, "event": "dry_run", "script": work.name}
    if not isinstance(work.configs, Sweep):
        return found | {"depends_on_outcomes": True}
    runs = []
    for config in islice(work.configs, _MOST_ROWS):
        work.binder.bind(config)
        runs.append(config)
    fixed = list(_fixed(work.binder, runs[0], runs[-1])) if runs else []
    keys = ("target", "value", "from")
    return (
        found | {"fixed": [dict(zip(keys, one)) for one in fixed]} | sweep_json(work.configs, runs)
    )
