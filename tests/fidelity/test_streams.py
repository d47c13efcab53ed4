"""Standard input, output and error: what comes, in which order, in which encoding."""

from __future__ import annotations

from pathlib import Path

from tests.fidelity.probes import Probe, assert_like_python, probes

TOGETHER = "{command} 2>&1"

INPUT = [
    Probe("input", "print(input('name? '))", stdin="kogine\n"),
    Probe("input at the end", "input('name? ')", stdin=""),
    Probe("input twice and read", "import sys\nprint(input(), input())\nprint(repr(sys.stdin.read()))", stdin="a\nb\nc\nd"),
    Probe("lines of stdin", "import sys\nfor line in sys.stdin:\n    print(repr(line))", stdin="é\r\nb\n"),
    Probe("stdin is not read ahead", "import os\nprint(os.read(0, 4))", stdin="0123456789"),
    Probe("stdin closed", "import sys\nprint(sys.stdin)\ninput()", shell="{command} <&-"),
    Probe("stdin of the shell", "print(input())", shell="echo text | {command}"),
    Probe("fileinput", "import fileinput\nfor line in fileinput.input():\n    print(fileinput.lineno(), line)", stdin="a\nb\n"),
    Probe("stdin bytes", "import sys\nprint(sys.stdin.buffer.read())", stdin="\x00é"),
]  # fmt: skip

OUTPUT = [
    Probe("order of both", """
        import sys
        for number in range(3):
            print("out", number)
            print("err", number, file=sys.stderr)
        """, shell=TOGETHER),
    Probe("order of both and an exception", "print('out')\nraise ValueError('bad')", shell=TOGETHER),
    Probe("order of both and an exit text", "import sys\nprint('out')\nsys.exit('text')", shell=TOGETHER),
    Probe("order of both and an exit function", """
        import atexit, sys
        atexit.register(lambda: print("exit", file=sys.stderr))
        print("out")
        """, shell=TOGETHER),
    Probe("order of both, an exit function and an exit", """
        import atexit, sys
        atexit.register(lambda: print("exit", file=sys.stderr))
        print("out")
        sys.exit(1)
        """, shell=TOGETHER),
    Probe("order of both, an exit function and an exception", """
        import atexit, os, sys
        atexit.register(lambda: os.write(2, b"exit"))
        print("out", end="")
        sys.stderr.write("half a line")
        1 / 0
        """, shell=TOGETHER),
    Probe("order of both with a warning", "import warnings\nprint('out')\nwarnings.warn('careful')", shell=TOGETHER),
    Probe("order of both with logging", "import logging\nprint('out')\nlogging.warning('log')\nprint('out')", shell=TOGETHER),
    Probe("order of both with -u", "import sys\nprint('out')\nprint('err', file=sys.stderr)\nprint('out')", shell=TOGETHER, flags=["-u"]),
    Probe("order with a child process", """
        import subprocess
        print("before")
        subprocess.run(["echo", "child"])
        print("after")
        """, shell=TOGETHER),
    Probe("order with os write", "import os\nprint('print')\nos.write(1, b'write\\n')\nprint('print')"),
    Probe("no end of line", "print('no end', end='')"),
    Probe("much output", "for number in range(20000):\n    print(number)"),
    Probe("bytes", "import sys\nsys.stdout.buffer.write(bytes(range(256)))"),
    Probe("a pipe that breaks", "for number in range(100000):\n    print(number)", shell="{ {command}; echo $? >&2; } | head -1"),
    Probe("a pipe that breaks at the end", "import time\nprint('x')\ntime.sleep(0.1)", shell="{ {command}; echo $? >&2; } | true"),
    Probe("a pipe that breaks, handled", """
        import os, sys
        try:
            for number in range(100000):
                print(number)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        """, shell="{ {command}; echo $? >&2; } | head -1"),
    Probe("SIGPIPE of the system", """
        import signal
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        for number in range(100000):
            print(number)
        """, shell="{ {command}; echo $? >&2; } | head -1"),
    Probe("stdout closed", "import sys\nprint('x', sys.stdout)\nprint(sys.stdout, file=sys.stderr)", shell="{command} >&-"),
    Probe("stderr closed", "import sys\nprint(sys.stderr)\n1 / 0", shell="{command} 2>&-"),
    Probe("all three closed", "open('left', 'w').write('x')\n1 / 0", shell="{command} <&- >&- 2>&-"),
    Probe("a full disk", "print('x' * 10)", shell="{command} > /dev/full"),
    Probe("a full disk and an exit", "import sys\nprint('x' * 10)\nsys.exit(3)", shell="{command} > /dev/full"),
    Probe("a full disk and an exception", "print('x' * 10)\n1 / 0", shell="{command} > /dev/full"),
    Probe("stdout closed by the program", "import sys\nsys.stdout.close()"),
    Probe("stdout closed by the program, then used", "import sys\nsys.stdout.close()\nprint('x')"),
    Probe("descriptor closed by the program", "import os\nprint('x')\nos.close(1)"),
    Probe("stdout is None", "import sys\nsys.stdout = None\nprint('x')"),
    Probe("stdout deleted", "import sys\ndel sys.stdout\nprint('x')"),
    Probe("stdout is a text", "import io, sys\nsys.stdout = io.StringIO()\nprint('x')\nsys.stderr.write(sys.stdout.getvalue())"),
    Probe("stdout is a class of the program", """
        import sys
        class Loud:
            def write(self, text):
                sys.__stdout__.write(text.upper())
            def flush(self):
                sys.__stdout__.write("flushed\\n")
        sys.stdout = Loud()
        print("x")
        """),
    Probe("stdout whose flush breaks", """
        import sys
        class Bad:
            def write(self, text):
                sys.__stdout__.write(text)
            def flush(self):
                raise OSError("cannot flush")
            def __repr__(self):
                return "bad"
        sys.stdout = Bad()
        print("x")
        """),
    Probe("contextlib redirect", """
        import contextlib, io
        with contextlib.redirect_stdout(io.StringIO()) as text:
            print("x")
        print(text.getvalue())
        """),
    Probe("objects of the streams", """
        import sys
        for stream in (sys.stdin, sys.stdout, sys.stderr):
            print(stream.name, stream.mode, stream.encoding, stream.errors, stream.line_buffering,
                  stream.write_through, stream.newlines, stream.isatty())
        print(sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__, sys.stdin is sys.__stdin__)
        """),
    Probe("reconfigured", "import sys\nsys.stdout.reconfigure(encoding='latin-1', line_buffering=True)\nprint('é')"),
    Probe("letters that cannot be encoded", "print('\\udc80')"),
    Probe("displayhook", "import sys\nsys.displayhook(3)\nsys.displayhook('x')\nprint(_)"),
]  # fmt: skip

SHOW_ENCODINGS = """
    import locale, sys
    print(sys.stdin.encoding, sys.stdout.encoding, sys.stderr.encoding, sys.stdout.errors)
    print(sys.getfilesystemencoding(), locale.getpreferredencoding(False), sys.flags.utf8_mode)
    print(locale.setlocale(locale.LC_CTYPE))
    print(open(__file__).encoding)
    print("é", ascii(sys.argv))
"""
ENCODINGS = [
    {"PYTHONIOENCODING": "latin-1"}, {"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "ascii:replace"},
    {"PYTHONUTF8": "1"}, {"PYTHONUTF8": "0", "LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "POSIX"}, {"LC_ALL": "C.UTF-8"}, {"PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-16"},
    {"PYTHONWARNDEFAULTENCODING": "1"},
]  # fmt: skip

SHOW_SETTINGS = """
    import sys, warnings
    print(sys.flags, hash("text"), {"a", "b", "c"}, sys.warnoptions, sys.dont_write_bytecode)
    print(sys.pycache_prefix, sys.path[1:])
    warnings.warn("old", DeprecationWarning)
    assert unrelated == 1
"""
SETTINGS = [
    {"PYTHONHASHSEED": "1"}, {"PYTHONOPTIMIZE": "1"}, {"PYTHONWARNINGS": "error"}, {"PYTHONUNBUFFERED": "1"},
    {"PYTHONDONTWRITEBYTECODE": "1"}, {"PYTHONPYCACHEPREFIX": "cache"}, {"PYTHONNOUSERSITE": "1"},
    {"PYTHONDEVMODE": "1"}, {"PYTHONINTMAXSTRDIGITS": "640"}, {"PYTHONWARNINGS": "ignore"},
    {"PYTHONFAULTHANDLER": "1"}, {"PYTHONTRACEMALLOC": "1"}, {"PYTHONSAFEPATH": "1"},
]  # fmt: skip


def _name(environment: dict[str, str]) -> str:
    return " ".join(f"{name}={text}" for name, text in environment.items())


@probes(*INPUT)
def test_input(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)


@probes(*OUTPUT)
def test_output(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)


@probes(*(Probe(_name(one), SHOW_ENCODINGS, argv=["é"], environment=one) for one in ENCODINGS))
def test_encodings(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)


@probes(*(Probe(_name(one), SHOW_SETTINGS, environment=one) for one in SETTINGS))
def test_settings_by_environment(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)
