"""Functions whose results are kept on disk are found in the text."""

from __future__ import annotations

import pytest

from kohaku_ast.transform.find.disk_caches import find_cached, stale_notes, uses_numba
from kohaku_ast.transform.find.source import decode

MEMORY = "from joblib import Memory\nmemory = Memory('.c')\n"


def cached(text: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.name, one.reads) for one in find_cached(decode(text.encode(), "/nowhere/s.py"))]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(
            MEMORY + "n = 1\n@memory.cache\ndef f(x):\n    return x * n\n",
            [("f", ("n",))],
            id="decorator",
        ),
        pytest.param(
            MEMORY + "n = 1\n@memory.cache(ignore=['x'])\ndef f(x):\n    return n\n",
            [("f", ("n",))],
            id="decorator with arguments",
        ),
        pytest.param(
            MEMORY + "n = 1\ndef f(x):\n    return n\ng = memory.cache(f)\n",
            [("f", ("n",))],
            id="call",
        ),
        pytest.param(
            "import joblib\nm = joblib.Memory('.c')\nn = 1\n@m.cache\ndef f():\n    return n\n",
            [("f", ("n",))],
            id="by the package's name",
        ),
        pytest.param(
            MEMORY + "n = 1\ndef h():\n    return n\n@memory.cache\ndef f(x):\n    return h()\n",
            [("f", ("h", "n"))],
            id="through a function that it calls",
        ),
        pytest.param(
            "from diskcache import Cache\nc = Cache('d')\nn = 1\n@c.memoize()\ndef f():\n    return n\n",
            [("f", ("n",))],
            id="diskcache",
        ),
        pytest.param(
            "from cachier import cachier\nn = 1\n@cachier()\ndef f():\n    return n\n",
            [("f", ("cachier", "n"))],
            id="cachier",
        ),
    ],
)
def test_finds(text: str, found: list[tuple[str, tuple[str, ...]]]) -> None:
    reads = [(name, tuple(one for one in names if one != "memory")) for name, names in cached(text)]
    assert [
        (name, tuple(n for n in names if n not in ("m", "c"))) for name, names in reads
    ] == found


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "import functools\n@functools.lru_cache\ndef f(): pass\n", id="in memory only"
        ),
        pytest.param("@cache\ndef f(): pass\n", id="another cache"),
        pytest.param(
            "class M: pass\nmemory = M()\n@memory.cache\ndef f(): pass\n", id="another memory"
        ),
        pytest.param(MEMORY + "def f(): pass\n", id="not wrapped"),
        pytest.param(MEMORY + "@memory.clear\ndef f(): pass\n", id="another method"),
        pytest.param(
            "from mylib import Memory\nm = Memory()\n@m.cache\ndef f(): pass\n",
            id="another library",
        ),
    ],
)
def test_leaves_alone(text: str) -> None:
    assert cached(text) == []


def test_a_note_names_what_is_read() -> None:
    text = MEMORY + "n = 1\nk = 2\n@memory.cache\ndef f(x):\n    return n\n"
    source = decode(text.encode(), "/nowhere/s.py")
    (note,) = stale_notes(source, ["n", "k"])
    assert note.startswith("override 'n' is read by f() (line 6)")


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        ("import numba\n", True),
        ("from numba import njit\n", True),
        ("def f():\n    import numba as nb\n", True),
        ("import numbers\n", False),
        ("# import numba\n", False),
    ],
)
def test_use_of_numba(text: str, uses: bool) -> None:
    assert uses_numba(decode(text.encode(), "/nowhere/s.py")) is uses
