"""Warnings: of the program, of the compiler, and the filters that decide about them."""

from __future__ import annotations

from pathlib import Path

from tests.fidelity.probes import Probe, assert_like_python, probes

ESCAPE = "x = '\\d'\nprint(x)"
IDENTITY = "if unrelated is 1:\n    print('is')"

WARNINGS = [
    Probe("at module level", "import warnings\nwarnings.warn('careful')"),
    Probe("at module level, the caller's line", "import warnings\nwarnings.warn('careful', stacklevel=2)", since=(3, 11)),
    Probe("at module level, far below", "import warnings\nwarnings.warn('careful', stacklevel=9)", since=(3, 11)),
    Probe("in a function, the caller's line", "import warnings\ndef f():\n    warnings.warn('x', stacklevel=2)\nf()\nf()"),
    Probe("in a function, below the module", "import warnings\ndef f():\n    warnings.warn('x', stacklevel=3)\nf()", since=(3, 11)),
    Probe("in a helper, the caller's line", "import helper\nhelper.old()",
          files={"helper.py": "import warnings\ndef old():\n    warnings.warn('old', DeprecationWarning, stacklevel=2)\n"}),
    Probe("in a helper that is imported", "import helper",
          files={"helper.py": "import warnings\nwarnings.warn('old', DeprecationWarning, stacklevel=2)\n"}, since=(3, 11)),
    Probe("deprecation in the program", "import warnings\nwarnings.warn('old', DeprecationWarning)"),
    Probe("deprecation below the module", "import warnings\nwarnings.warn('old', DeprecationWarning, stacklevel=2)", since=(3, 11)),
    Probe("deprecation for main only", "import warnings\nwarnings.warn('old', DeprecationWarning, stacklevel=2)",
          flags=["-W", "default::DeprecationWarning:__main__"], since=(3, 11)),
    Probe("pending deprecation", "import warnings\nwarnings.warn('old', PendingDeprecationWarning)\nprint('end')"),
    Probe("once a line", "import warnings\nfor _ in range(3):\n    warnings.warn('x')\nprint(list(__warningregistry__))"),
    Probe("filters", "import warnings\nprint(warnings.filters, len(warnings.filters))"),
    Probe("filters with -W", "import sys, warnings\nprint(warnings.filters, sys.warnoptions)", flags=["-W", "error::UserWarning"]),
    Probe("made an error", "import warnings\nwarnings.simplefilter('error')\nwarnings.warn('x')"),
    Probe("error by -W", "import warnings\nwarnings.warn('x')", flags=["-W", "error"]),
    Probe("caught", "import warnings\nwith warnings.catch_warnings(record=True) as found:\n    warnings.simplefilter('always')\n    warnings.warn('x')\nprint(found[0].lineno, found[0].filename == __file__)"),
    Probe("shown by the program", "import warnings\nwarnings.showwarning = lambda *found: print(found[0], found[3])\nwarnings.warn('x')"),
    Probe("formatted by the program", "import warnings\nwarnings.formatwarning = lambda *found: f'{found[0]} {found[3]}\\n'\nwarnings.warn('x')"),
    Probe("captured by logging", "import logging, warnings\nlogging.captureWarnings(True)\nwarnings.warn('x')"),
    Probe("invalid escape", ESCAPE),
    Probe("invalid escape with -W error", ESCAPE, flags=["-W", "error"]),
    Probe("invalid escape with -W always", ESCAPE, flags=["-W", "always"]),
    Probe("invalid escape in bytes and docstring", "def f():\n    '\\q'\nb'\\w'", flags=["-W", "always"]),
    Probe("identity with a literal", IDENTITY),
    Probe("identity with a literal and -W error", IDENTITY, flags=["-W", "error"]),
    Probe("identity with a literal and -W ignore", IDENTITY, flags=["-W", "ignore"]),
    Probe("assertion of a tuple", "assert (unrelated, 'never false')"),
    Probe("call of a literal", "try:\n    1()\nexcept TypeError as e:\n    print(e)"),
    Probe("missing comma", "try:\n    [(1) (2)]\nexcept TypeError as e:\n    print(e)"),
    Probe("many of the compiler", "x = '\\d'\ny = '\\e'\nif x is 'a' or y is 'b':\n    pass\nassert (x, y)"),
    Probe("same text of the compiler twice", "x = '\\d'; y = '\\d'\nz = '\\d'", flags=["-W", "default"]),
    Probe("compiler and program", "import warnings\nx = 1 is 1\nwarnings.warn('x')", shell="{command} 2>&1"),
    Probe("compiler and a filter of the program", "import warnings\nwarnings.simplefilter('ignore')\nx = 1 is 1"),
    Probe("compiler with -O", "assert (1, 2)\nx = 1 is 1", flags=["-O"]),
    Probe("number runs into a word", "print(1if unrelated else 2)", flags=["-W", "always"]),
    Probe("resource left open", "open(__file__)\nprint('end')", flags=["-W", "always"]),
    Probe("bytes compared", "print(b'a' == 'a')", flags=["-b"]),
    Probe("import of something deprecated", "import sre_compile", flags=["-W", "default"]),
]  # fmt: skip


@probes(*WARNINGS)
def test_warnings(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)
