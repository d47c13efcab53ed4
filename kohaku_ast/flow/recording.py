"""Recording: whether a flow keeps records, and what earlier records spare it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kohaku_ast.errors import UsageError
from kohaku_ast.flow.recorder import Recorder
from kohaku_ast.flow.run import Run
from kohaku_ast.store.facts import working_folder
from kohaku_ast.store.run_folder import RUNS


@dataclass(frozen=True)
class Recording:
    """What is asked for."""

    is_on: bool = True
    #: Whether what was done before is left out.
    resumes: bool = False
    #: Whether what failed before is run again; this resumes, too.
    retries_failed: bool = False
    #: Where the records are, below the working folder.
    root: Path = RUNS

    def __post_init__(self) -> None:
        if not self.is_on and (self.resumes or self.retries_failed):
            raise UsageError(
                "a flow is resumed from its records, and keeps them for the next time: "
                "take away --no-record (record=False)"
            )

    def recorder(
        self,
        warn: Callable[[str], None],
        tell: Callable[[str], None],
        variables: Callable[[Run], Mapping[str, str]],
        has_logs: bool,
    ) -> Recorder | None:
        """What keeps the records of one flow; None if nothing does. The rest is for Recorder."""
        if not self.is_on:
            return None
        return Recorder(
            # Not Path.absolute: a working folder that was removed is no reason not to run.
            Path(working_folder(), self.root),
            resume=self.resumes,
            retry_failed=self.retries_failed,
            has_logs=has_logs,
            variables=variables,
            warn=warn,
            tell=tell,
        )
