"""Surroundings: what is the same for all runs of a flow, read once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from kohaku_ast.runner.bind import Bound
from kohaku_ast.store import environment
from kohaku_ast.store.facts import marked
from kohaku_ast.store.git_state import Changes, Commit, Patience, find_commit
from kohaku_ast.store.processes import ProcessMark


class Surroundings:
    """Machine, process and repositories, as a flow finds them when it begins."""

    def __init__(self) -> None:
        self._machine = environment.machine()
        self._flow = {"host": environment.host(), "flow": marked(ProcessMark.of(os.getpid()))}
        #: Script -> what is checked out.
        self._commits: dict[str, Commit | None] = {}
        self._patience = Patience()
        #: Script -> what git says.
        self._changes: dict[str, Changes] = {}

    def of_flow(self, bound: Bound) -> dict[str, object]:
        """Fields of run.json; what git has still to say stands there as null."""
        found = self._commit(bound)
        if found is None:
            return {**self._flow, "git": None}
        script = bound.launch.filename
        if script not in self._changes:
            self._changes[script] = Changes(found.root, script, self._patience)
        dirty = self._changes[script].found(waits=False)
        git = {
            "root": str(found.root),
            "commit": found.commit,
            "branch": found.branch,
            "dirty": dirty,
        }
        return {**self._flow, "git": git}

    def of_run(self, variables: Mapping[str, str]) -> dict[str, object]:
        """The environment of a run that gets *variables* besides ours."""
        return {**self._machine, "variables": environment.variables(os.environ, variables)}

    def add_changes(self, facts: dict[str, object]) -> None:
        """Put into *facts* what git has said meanwhile."""
        git, script = facts["git"], facts["script"]
        if isinstance(git, dict) and isinstance(script, dict) and git["dirty"] is None:
            dirty = self._changes[script["file"]].found(waits=True)
            facts["git"] = {**git, "dirty": dirty}

    def commit_of(self, bound: Bound) -> str:
        """The commit that the script of *bound* is at; empty if it is in no repository."""
        found = self._commit(bound)
        return found.commit if found else ""

    def _commit(self, bound: Bound) -> Commit | None:
        file = bound.launch.filename
        if file not in self._commits:
            try:
                # A link to it lies elsewhere; Python imports from beside the script, too.
                self._commits[file] = find_commit(Path(os.path.realpath(file)).parent)
            except OSError:  # no file, and the working folder is gone
                self._commits[file] = None
        return self._commits[file]
