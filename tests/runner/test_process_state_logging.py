"""The set-up of ``logging`` belongs to a run: the next one, and the caller, have their own."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from kohaku_ast.runner.script import Script
from tests.oracle import on_path, run_kogine, run_python

SET_UPS = [
    pytest.param(
        "logging.basicConfig(stream=sys.stdout, format=f'{n} %(message)s')\nlogging.error('x')\n",
        id="basicConfig works in every run",
    ),
    pytest.param(
        "log = logging.getLogger('own')\nlog.addHandler(logging.StreamHandler(sys.stdout))\n"
        "log.error('once %s', n)\n",
        id="a handler writes once",
    ),
    pytest.param(
        "print(logging.getLogger('own').level, logging.root.level)\n"
        "logging.getLogger('own').setLevel(10)\nlogging.root.setLevel(40 - n)\n",
        id="levels",
    ),
    pytest.param(
        "print(logging.root.manager.disable, logging.getLogger('a').isEnabledFor(30))\n"
        "logging.disable(50)\nprint(logging.getLogger('a').isEnabledFor(30))\n",
        id="disable",
    ),
    pytest.param(
        "log = logging.getLogger('a.b')\nprint(log.propagate, log.disabled, log.filters)\n"
        "log.propagate = False\nlog.disabled = True\nlog.addFilter(lambda record: False)\n",
        id="filters and the rest",
    ),
    pytest.param(
        "import logging.config\n"
        "logging.config.dictConfig({'version': 1, 'handlers': {'h': {'class': 'logging.StreamHandler',"
        " 'stream': 'ext://sys.stdout'}}, 'root': {'handlers': ['h'], 'level': 'INFO'}})\n"
        "logging.info('configured %s', n)\n",
        id="dictConfig",
    ),
    pytest.param(
        "logging.captureWarnings(True)\nlogging.basicConfig(stream=sys.stdout)\n"
        "import warnings\nwarnings.warn('careful', stacklevel=1)\n",
        id="captured warnings",
    ),
]


@pytest.mark.parametrize("set_up", SET_UPS)
def test_each_run_sets_up_its_own(tmp_path: Path, set_up: str) -> None:
    script, printed = tmp_path / "s.py", ""
    for n in (1, 2):
        script.write_text(f"import logging, sys\nn = {n}\n{set_up}")
        printed += run_python(tmp_path, "s.py").stdout
    script.write_text(f"import logging, sys\nn = 0\n{set_up}")
    done = run_kogine(tmp_path, "run", "s.py", "--sweep", "n=1,2", "--mode", "inline")
    assert (done.stdout, done.status) == (printed, 0), done.stderr


@pytest.fixture
def own_logger() -> logging.Logger:
    """A logger of the caller, with a handler."""
    logger = logging.getLogger("test_of_borrowed_logging")
    logger.addHandler(logging.NullHandler())
    logger.setLevel(logging.INFO)
    return logger


def test_the_caller_gets_its_own_back(tmp_path: Path, own_logger: logging.Logger) -> None:
    root, own = list(logging.root.handlers), list(own_logger.handlers)
    level, disabled = logging.root.level, logging.root.manager.disable
    (tmp_path / "s.py").write_text(
        "import logging\n"
        "logging.basicConfig(level=1, force=True)\nlogging.disable(50)\n"
        "own = logging.getLogger('test_of_borrowed_logging')\n"
        "own.handlers.clear()\nown.setLevel(50)\nown.disabled = True\n"
    )
    Script(str(tmp_path / "s.py")).run()
    assert (logging.root.handlers, own_logger.handlers) == (root, own)
    assert (logging.root.level, logging.root.manager.disable) == (level, disabled)
    assert (own_logger.level, own_logger.disabled) == (logging.INFO, False)
    assert own_logger.isEnabledFor(logging.INFO)


def test_a_library_keeps_what_it_made_at_its_import(tmp_path: Path) -> None:
    """It is imported once: the next run would find its logger without its handler."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "talking.py").write_text(
        "import logging, sys\nlog = logging.getLogger('talking')\n"
        "log.addHandler(logging.StreamHandler(sys.__stdout__))\n"
    )
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "s.py").write_text(
        "import talking\nn = 0\ntalking.log.error('run %s', n)\n"
    )
    done = run_kogine(
        tmp_path / "run",
        "run",
        "s.py",
        "--sweep",
        "n=1,2",
        "--mode",
        "inline",
        PYTHONPATH=_also(tmp_path / "lib"),
    )
    assert done.stdout == "run 1\nrun 2\n", done.stderr


def _also(folder: Path) -> str:
    return f"{on_path()}:{folder}"
