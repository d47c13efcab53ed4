"""Repeat: today's script with the values and arguments of a recorded run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kohaku_ast.config.config import Config
from kohaku_ast.errors import MissingScript, UsageError
from kohaku_ast.flow.flows import Sequential, warn_on_stderr
from kohaku_ast.flow.run import ScriptConfigs
from kohaku_ast.flow.settings import REPEAT
from kohaku_ast.runner.bind import Binder
from kohaku_ast.runner.launch import Launch, find_launch
from kohaku_ast.runner.script import Script, read_mapping
from kohaku_ast.store.environment import lacking_secrets
from kohaku_ast.store.pipeline_record import PIPELINE
from kohaku_ast.store.reproduce import naming_damage, values_for
from kohaku_ast.store.sources import Objects

if TYPE_CHECKING:
    from kohaku_ast.runner.outcome import Outcome
    from kohaku_ast.runner.overrides import Override
    from kohaku_ast.store.record import Record
    from kohaku_ast.store.result_key import Explanation


def repeat_run(record: Record, values: Mapping[str, object] | None, options: Any) -> Outcome:
    """The Outcome of today's script with the values of *record*, but for *values*: target -> value.
    *options* are those of Sequential. Its record is in the same store. Raises KogineError if it
    cannot be run.
    """
    if record.facts.get("kind") == PIPELINE:
        raise UsageError(
            f"the run {record.folder.name} is of a pipeline: call its run(...), or type: kogine "
            f"runs repeat {record.folder.name}"
        )
    if record.facts.get("env") and options.get("mode") == "inline":
        raise UsageError(
            f"the run {record.folder.name} had variables of its own (env), and here they belong to "
            "all code: take away mode='inline'"
        )
    warn_of_secrets(record)
    own: Config = read_mapping(values)
    work = repeated_work(record, (), [*(values or ())])
    work = replace(work, configs=work.configs | own)  # type: ignore[operator]  # it is a Config
    (outcome,) = _Repeat(record, work, options).run()
    return outcome


def explain_run(record: Record, values: Mapping[str, object] | None) -> Explanation:
    """Whether a cached result would stand in for what ``repeat_run`` runs, and if not, why."""
    from kohaku_ast.store.result_key import explain  # here: a repeat does without

    own: Config = read_mapping(values)
    work = repeated_work(record, (), [*(values or ())])
    config: Config = work.configs | own  # type: ignore[operator]  # it is a Config
    repeat = config.metadata.get("repeat")
    return explain(
        record.folder.parent,
        work.binder.bind(config),
        recorded_inputs(record),
        {} if repeat is None else {REPEAT: str(repeat)},
        in_run_dir(record),
        config.artifacts,
    )


def warn_of_secrets(record: Record) -> None:
    """Name the variables of the run that its record lacks, on standard error."""
    lacking = lacking_secrets(record.facts, os.environ)
    if lacking:
        warn_on_stderr(lacking)


class _Repeat(Sequential):
    """A flow of one run, which has the arguments of a recorded one."""

    def __init__(self, record: Record, work: ScriptConfigs, options: Mapping[str, Any]) -> None:
        script = Script(work.binder.launch.shown, work.configs)
        usual = {"on_error": "continue", "run_dir": in_run_dir(record)}
        super().__init__(script, **{**usual, **options})
        inputs = (*recorded_inputs(record), *self.settings.inputs)
        self.settings = replace(
            self.settings,
            root=record.folder.parent,
            inputs=inputs,
            env=record.facts.get("env") or {},
        )
        self._work = work

    def works(self) -> list[ScriptConfigs]:
        """That of the recorded run."""
        return [self._work]


def repeated_work(
    record: Record, overrides: Sequence[Override], without: Sequence[str]
) -> ScriptConfigs:
    """Today's script with the arguments and values of *record*, but for the targets *without*, and
    with *overrides*. Raises UsageError.
    """
    with naming_damage(record):
        launch = launch_today(record)
        config = values_for(record, Objects(record.folder.parent), launch, without)
    entry = str(record.facts["script"].get("entrypoint") or "")
    binder = Binder(launch, list(overrides), entry, capture=True)
    return ScriptConfigs(launch.shown, binder, config)


def recorded_inputs(record: Record) -> tuple[str, ...]:
    """The files that the run of *record* has declared."""
    return tuple(str(one["path"]) for one in record.facts.get("inputs") or ())


def in_run_dir(record: Record) -> bool:
    """Whether the run of *record* worked in the folder for its files."""
    return bool(record.facts.get("in_run_dir"))


def launch_today(record: Record) -> Launch:
    """How the script of *record* starts, in this folder."""
    script, arguments = record.facts["script"], record.facts["argv"][1:]
    is_module = bool(script.get("module")) and script["module"] != "__main__"
    path = record.script
    if path == "<stdin>":
        raise UsageError("the script came from standard input: kogine runs reproduce runs its text")
    try:
        is_pipeline = record.facts.get("kind") == PIPELINE  # perhaps in a TOML file
        return Launch(path, arguments) if is_pipeline else find_launch(path, arguments, is_module)
    except MissingScript as error:
        cwd = str(record.facts["cwd"])
        where = "" if cwd == os.getcwd() else f"; the run was started in {cwd!r}"
        raise UsageError(
            f"{error}{where}. kogine runs reproduce {record.folder.name} runs the text that was "
            "kept"
        ) from None
