"""Looks into the SQLite file of a study."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any


def states(study: Path) -> dict[str, int]:
    """State -> number of trials in it."""
    return dict(_rows(study, "select state, count(*) from trials group by state"))


def reasons(study: Path) -> list[str]:
    """Why trials have failed."""
    query = "select value_json from trial_user_attributes where key = 'why'"
    return [row[0] for row in _rows(study, query)]


def _rows(study: Path, query: str) -> list[Any]:
    connection = sqlite3.connect(study)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()
