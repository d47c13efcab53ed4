"""``use_config`` in a ``config_gen``, a sweep beside one, and marks of entrypoints by any name."""

from __future__ import annotations

from pathlib import Path

import pytest

from kohaku_ast import Config, Sweep
from kohaku_ast.errors import ConfigError
from tests.oracle import run_kogine

BASE = "lr = 5\nsteps = lr * 10\nkind = 'base'\n"
HEAD = "from kohaku_ast import Config, Sweep, use_config\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.py").write_text(BASE)
    return tmp_path


def load(folder: Path, code: str) -> list[dict[str, object]]:
    """The values of each Config that a file with *code* gives."""
    (folder / "cfg.py").write_text(HEAD + code)
    found = Sweep.from_file(str(folder / "cfg.py"))
    return [dict(one.globals_dict) for one in found]


def values(lr: int, steps: int, kind: str = "base") -> dict[str, object]:
    return {"lr": lr, "steps": steps, "kind": kind}


GIVES = [
    ("the base itself", "def config_gen(): return use_config('base.py')", [values(5, 50)]),
    ("merged over", "def config_gen(): return use_config('base.py') | Config(lr=1)", [values(1, 10)]),
    ("derived given too", "def config_gen(): return use_config('base.py') | Config(lr=1, steps=50)", [values(1, 50)]),
    ("merged under", "def config_gen(): return Config(lr=1, kind='x') | use_config('base.py')", [values(5, 50)]),
    ("its values", "def config_gen():\n base = use_config('base.py')\n return Config(lr=base.lr + 1)", [values(6, 60)]),
    ("not used", "def config_gen():\n use_config('base.py')\n return Config(lr=1)", [values(1, 10)]),
    ("a Config", "def config_gen():\n assert isinstance(use_config('base.py'), Config)\n return use_config('base.py')", [values(5, 50)]),
    ("in a generator", "def config_gen():\n base = use_config('base.py')\n for lr in (1, 2): yield base | Config(lr=lr)", [values(1, 10), values(2, 20)]),
    ("in a generator, not used", "def config_gen():\n use_config('base.py')\n yield Config(lr=1)\n yield Config(kind='x')", [values(1, 10), values(5, 50, "x")]),
    ("in a list", "def config_gen(): return [use_config('base.py') | Config(lr=1), use_config('base.py') | Config(lr=2), use_config('base.py')]", [values(1, 10), values(2, 20), values(5, 50)]),
    ("in a Sweep of a list", "def config_gen(): return Sweep.of([use_config('base.py') | Config(lr=1)])", [values(1, 10)]),
    ("in a Sweep of Sweeps", "def config_gen(): return Sweep.of([Sweep.of([use_config('base.py') | Config(lr=1)])])", [values(1, 10)]),
    ("in one Sweep after another", "def config_gen(): return Sweep.of([use_config('base.py') | Config(lr=1)]) + Sweep.of([use_config('base.py') | Config(lr=2)])", [values(1, 10), values(2, 20)]),
    ("a sweep over it with a value", "def config_gen(): return use_config('base.py') | Config(lr=2) | Sweep(lr=[1, 3])", [values(1, 20), values(3, 20)]),
    ("of a generator expression", "def config_gen(): return (use_config('base.py') | Config(lr=lr) for lr in (1, 2))", [values(1, 10), values(2, 20)]),
    ("a sweep over it", "def config_gen(): return use_config('base.py') | Sweep(lr=[1, 2])", [values(1, 50), values(2, 50)]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "expected"), [pytest.param(code, want, id=name) for name, code, want in GIVES]
)
def test_use_config_in_config_gen(
    folder: Path, code: str, expected: list[dict[str, object]]
) -> None:
    assert load(folder, code) == expected
    assert load(folder, code) == expected  # a file is read anew


def test_the_run_gets_what_an_edited_base_gives(folder: Path) -> None:
    """Derived values follow as if the base had been edited by hand."""
    (folder / "s.py").write_text("lr = 0\nsteps = 0\nkind = ''\nprint(lr, steps, kind)\n")
    (folder / "edited.py").write_text(BASE.replace("lr = 5", "lr = 1"))
    (folder / "cfg.py").write_text(
        HEAD + "def config_gen(): return use_config('base.py') | Config(lr=1)\n"
    )
    made, by_hand = (
        run_kogine(folder, "run", "s.py", "-c", one) for one in ("cfg.py", "edited.py")
    )
    assert made == by_hand
    assert made.stdout == "1 10 base\n"


@pytest.mark.parametrize(
    "code",
    [
        "_sweep = {'lr': [1, 2]}\ndef config_gen(): return Config(kind='x')\n",
        "_sweep = {'lr': [1, 2]}\ndef config_gen(): yield Config(kind='x')\n",
        "_sweep = {'lr': [1, 2]}\nCONFIG = Config(kind='x')\n",
    ],
)
def test_a_sweep_that_would_be_lost_is_an_error(folder: Path, code: str) -> None:
    with pytest.raises(ConfigError, match=r"cfg\.py: it has both .* and _sweep"):
        load(folder, code)


@pytest.mark.parametrize(
    "maker", ["def config_gen(): return Config(kind='x')\n", "CONFIG = Config(kind='x')\n"]
)
@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("_args = [1]", r"Config\(\.\.\., args=\.\.\.\)"),
        ("_kwargs = {'a': 1}", r"Config\(\.\.\., kwargs=\.\.\.\)"),
        ("_argv = ['--lr=1']", r"Config\(\.\.\., argv=\.\.\.\)"),
        ("_metadata = {'a': 1}", r"Config\(\.\.\., metadata=\.\.\.\)"),
        ("_outputs = ['lr']", r"Config\(\.\.\., outputs=\.\.\.\)"),
        ("_overrides = {'lr': 1}", r"the values to the Config"),
    ],
)
def test_a_field_that_would_be_lost_is_an_error(
    folder: Path, maker: str, name: str, instead: str
) -> None:
    with pytest.raises(ConfigError, match=rf"it has both .* and {name.split()[0]}, .*{instead}"):
        load(folder, f"{name}\n{maker}")


def test_a_field_that_the_file_itself_reads_is_a_helper(folder: Path) -> None:
    assert load(folder, "_args = [1]\nCONFIG = Config(args=_args)\n")


def test_use_config_outside_of_configs(folder: Path) -> None:
    from kohaku_ast import use_config

    with pytest.raises(Exception, match="for config files"):
        use_config(str(folder / "base.py"))


@pytest.mark.parametrize(
    "code",
    [
        "CONFIG = use_config('base.py') | Config(lr=1)",
        "CONFIG = Config(lr=1) | use_config('base.py')",
        "CONFIG = use_config('base.py') | Sweep(lr=[1])",
        "CONFIG = Sweep(lr=[1]) | use_config('base.py')",
    ],
)
def test_a_base_at_the_top_says_what_works_there(folder: Path, code: str) -> None:
    with pytest.raises(ConfigError, match=r"def config_gen\(\): return use_config\('base.py'\) \|"):
        load(folder, f"{code}\n")
    assert load(folder, "use_config('base.py')\nlr = 1\n") == [values(1, 10)]


MARKS = [
    "from kohaku_ast import entrypoint\n@entrypoint",
    "from kohaku_ast import entrypoint as start\n@start",
    "import kohaku_ast\n@kohaku_ast.entrypoint",
    "import kohaku_ast as ka\n@ka.entrypoint",
    "import kohaku_ast.helpers.decorator as d\n@d.entrypoint",
    "import kohaku_ast.helpers.decorator\n@kohaku_ast.helpers.decorator.entrypoint",
    "from kohaku_ast.helpers import decorator\n@decorator.entrypoint",
    "from kohaku_ast.helpers.decorator import entrypoint as e\n@e",
    "from kohaku_ast import *\n@entrypoint",
    "try:\n    import kohaku_ast as k\nexcept ImportError:\n    k = None\n@k.entrypoint",
    "import kohaku_ast\nmark = kohaku_ast.entrypoint\n@mark",
    "import kohaku_ast as a\nb = a\n@b.entrypoint",
    "from marks import ka\n@ka.entrypoint",
    "import marks\n@marks.ka.entrypoint",
    "import marks as m\n@m.entrypoint",
    "from marks import *\n@ka.entrypoint",
    "from marks import *\n@entrypoint",
    "from pack import ours\n@ours.entrypoint",
    "from pack.inner import here as h\n@h.entrypoint",
]


def write_marks(folder: Path) -> None:
    """Modules of the user's that import ours."""
    (folder / "marks.py").write_text("import kohaku_ast as ka\nfrom kohaku_ast import entrypoint\n")
    (folder / "pack").mkdir()
    (folder / "pack" / "__init__.py").write_text("from .inner import here as ours\n")
    (folder / "pack" / "inner.py").write_text("from marks import ka as here\n")
    (folder / "theirs.py").write_text(
        "# kohaku_ast\nimport types\nka = types.SimpleNamespace(entrypoint=lambda f: f)\n"
        "entrypoint = ka.entrypoint\n"
    )


@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_by_any_name(folder: Path, mark: str) -> None:
    write_marks(folder)
    (folder / "e.py").write_text(f"lr = 1\n{mark}\ndef go(): print('go', lr)\n")
    assert run_kogine(folder, "run", "e.py").stdout == "go 1\n"
    assert run_kogine(folder, "run", "e.py", "lr=2").stdout == "go 2\n"
    assert "go(), marked" in run_kogine(folder, "run", "--inspect", "e.py").stdout


OTHERS = [
    "class app:\n    entrypoint = staticmethod(lambda f: f)\n@app.entrypoint",
    "def entrypoint(f): return f\n# kohaku_ast\n@entrypoint",
    "import types\nka = types.SimpleNamespace(entrypoint=lambda f: f)  # kohaku_ast\n@ka.entrypoint",
    "from theirs import ka\n@ka.entrypoint",
    "from theirs import *\n@entrypoint",
    "import theirs\n@theirs.entrypoint",
]


@pytest.mark.parametrize("mark", OTHERS)
def test_a_mark_of_another_package_is_none(folder: Path, mark: str) -> None:
    write_marks(folder)
    (folder / "e.py").write_text(f"lr = 1\n{mark}\ndef go(): print('go', lr)\nprint('end')\n")
    assert run_kogine(folder, "run", "e.py").stdout == "end\n"
    assert run_kogine(folder, "run", "e.py", "lr=2").stdout == "end\n"


def test_a_config_of_a_base_can_be_pickled_and_merged(folder: Path) -> None:
    import pickle

    (folder / "cfg.py").write_text(HEAD + "def config_gen(): return use_config('base.py')\n")
    found = Config.from_file(str(folder / "cfg.py"))
    assert pickle.loads(pickle.dumps(found | Config(lr=2))).globals_dict["lr"] == 2
