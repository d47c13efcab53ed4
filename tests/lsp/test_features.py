"""``kogine lsp`` at the pipes of an editor: each feature on a config with three faults, by format."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lsp.editor import Editor, editor

SCRIPT = """\
import os
from enum import Enum
from pathlib import Path
from typing import Literal


class Mode(Enum):
    FAST = 1
    SLOW = 2


lr = 0.1  # step size of the optimizer
optimizer: Literal["sgd", "adam"] = "sgd"
amp = False
mode = Mode.FAST
out = Path("runs")
sizes = {"hidden": 8, "batch": 32}


class Args:
    depth: int = 8  # number of layers


open("ran", "w").write("the script ran")
"""

CONFIGS = {
    "train_cfg.py": 'lr = "fast"\noptimzer = "sgd"\n_overrides = {"Args.dept": 3}\nopen("ran", "w")\n',
    "train.yaml": "lr: fast\noptimzer: sgd\nArgs:\n  dept: 3\n",
    "train.toml": 'lr = "fast"\noptimzer = "sgd"\n[Args]\ndept = 3\n',
    "train.json": '{\n  "lr": "fast",\n  "optimzer": "sgd",\n  "Args": {"dept": 3}\n}\n',
}
FAULTS = [
    "fast: train.py:12: lr: expected float, got 'fast' (default 0.1)",
    "optimzer: train.py: no parameter 'optimzer'. Did you mean 'optimizer' (line 13)?",
    "dept: train.py: no parameter 'Args.dept'. Did you mean 'Args.depth' (line 21) or 'Args' (line 20)?",
]
PYTHON_FAULTS = [
    "fast: train.py:12: lr: expected float (default 0.1), got str 'fast'", FAULTS[1], "Args." + FAULTS[2],
]  # fmt: skip


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    folder = tmp_path_factory.mktemp("project")
    (folder / "train.py").write_text(SCRIPT)
    for name, text in CONFIGS.items():
        (folder / name).write_text(text)
    with editor(folder) as made:
        yield made
    assert not (folder / "ran").exists(), "an editor runs neither the script nor the config"


@pytest.mark.parametrize("name", CONFIGS)
def test_three_faults(one: Editor, name: str) -> None:
    one.open(name)
    found = [text.replace('"', "") for text in one.problems(name)]
    assert found == (PYTHON_FAULTS if name.endswith(".py") else FAULTS)

    fixes = [*one.fixes(name, "optimzer").values(), *one.fixes(name, "dept").values()]
    text = CONFIGS[name]
    assert fixes[0] == text.replace("optimzer", "optimizer")
    assert fixes[1] == text.replace("dept", "depth")
    text = fixes[0].replace("dept", "depth").replace('"fast"', "0.5").replace("fast", "0.5")
    one.type(name, text)  # nothing is saved
    assert one.problems(name) == []

    help_of_lr = one.hover(name, "lr", 1)
    assert (
        help_of_lr
        == "**`lr`** · float · default `0.1`\n\nstep size of the optimizer\n\ntrain.py:12"
    )
    assert one.hover(name, "depth", 1).startswith(
        "**`Args.depth`** · int · default `8`\n\nnumber of layers"
    )
    assert one.definition(name, "optimizer", 3) == ("train.py", 13, 0)
    assert one.definition(name, "depth", 3) == ("train.py", 21, 4)


TYPED = {
    "train_cfg.py": [
        ("op|", "optimizer", "optimizer = "),
        ('optimizer = "|"', "adam", 'optimizer = "adam"'),
        ("amp = |", "True", "amp = True"),
        ('_overrides = {"dep|"}', "depth", '_overrides = {"depth": }'),
        ('_overrides = {"Args.d|"}', "Args.depth", '_overrides = {"Args.depth": }'),
        ('_sweep = {"optimizer": ["sgd", |]}', '"adam"', '_sweep = {"optimizer": ["sgd", "adam"]}'),
        (
            "def config_gen():\n    return Config(am|)",
            "amp",
            "def config_gen():\n    return Config(amp=)",
        ),
    ],
    "train.yaml": [
        ("lr: 1\nop|", "optimizer", "lr: 1\noptimizer: "),
        ("optimizer: |\n", "adam", "optimizer: adam\n"),
        ("amp: |", "true", "amp: true"),
        ("mode: S|", "SLOW", "mode: SLOW"),
        ("Args:\n  |", "depth", "Args:\n  depth: "),
        ("Args: {de|}", "depth", "Args: {depth: }"),
        ("_sweep:\n  optimizer: [sgd, |]\n", "adam", "_sweep:\n  optimizer: [sgd, adam]\n"),
        ("_sweep:\n  optimizer:\n    - |", "adam", "_sweep:\n  optimizer:\n    - adam"),
        ("_script: |", "train.py", "_script: train.py"),
    ],
    "train.toml": [
        ("op|", "optimizer", "optimizer = "),
        ("optimizer = |", '"adam"', 'optimizer = "adam"'),
        ('optimizer = "a|"', "adam", 'optimizer = "adam"'),
        ("mode = |", '"SLOW"', 'mode = "SLOW"'),
        ("[|]", "Args", "[Args]"),
        ("[Args]\nde|", "depth", "[Args]\ndepth = "),
    ],
    "train.json": [
        ('{"op|"}', "optimizer", '{"optimizer": }'),
        ('{"lr": 1, "optimizer": |}', '"adam"', '{"lr": 1, "optimizer": "adam"}'),
        ('{"Args": {"|": 3}}', "depth", '{"Args": {"depth": 3}}'),
    ],
}


@pytest.mark.parametrize("name", TYPED)
def test_completes(one: Editor, name: str) -> None:
    one.open(name)
    for text, label, accepted in TYPED[name]:
        items = one.complete(name, text)
        assert label in items, (text, list(items))
        assert one.accept(name, items[label]) == accepted
    # What has a value already is not offered again.
    given = {
        "py": "lr = 1\n|",
        "yaml": "lr: 1\n|",
        "toml": "lr = 1\n|",
        "json": '{"lr": 1, "|": 1}',
    }
    items = one.complete(name, given[name.rpartition(".")[2]])
    assert "lr" not in items
    assert items["optimizer"].detail == "one of 'sgd', 'adam' = \"sgd\""


def test_the_script_is_edited_too(one: Editor) -> None:
    one.open("train.yaml", "optimizer: sgd\n_base: base.yaml\n")
    assert one.problems("train.yaml") == []
    one.open("train.py")
    one.type("train.py", SCRIPT.replace("optimizer:", "optimiser:"))  # not saved
    (unknown,) = one.problems("train.yaml", lambda found: found != [])
    assert "Did you mean 'optimiser' (line 13)?" in unknown
    one.type("train.py", SCRIPT.replace("amp = False", "amp ="))
    broken, _ = one.problems("train.yaml", lambda found: "invalid syntax" in str(found))
    assert broken.endswith(
        "train.py:14: invalid syntax: the config is checked against its last version"
    )
    one.close("train.py")  # its file counts again
    assert one.problems("train.yaml", lambda found: found == []) == []
    assert one.definition("train.yaml", "base.yaml") == ("base.yaml", 1, 0)


def test_which_script(one: Editor) -> None:
    """The config itself, the project or the name of the config says it; of others it says nothing."""
    folder = one.folder
    (folder / "pyproject.toml").write_text('[tool.kogine.configs]\n"conf/*.yaml" = "train.py"\n')
    (folder / "conf").mkdir()
    one.open("conf/long.yaml", "lr: fast")
    assert len(one.problems("conf/long.yaml")) == 1
    one.open("train_long.yaml", "lr: fast")
    assert len(one.problems("train_long.yaml")) == 1
    one.open("compose.yaml", "services: {web: {}}")
    one.open("cfg.py", '_script = "train.py"\nlr = "x"\n')
    one.open("gone.toml", '_script = "trian.py"\n')
    assert len(one.problems("cfg.py")) == 1
    assert one.definition("cfg.py", "train.py") == ("train.py", 1, 0)
    (missing,) = one.problems("gone.toml")
    assert missing.startswith('"trian.py": can\'t open file')
    assert "Did you mean" in missing
    assert one.uri("compose.yaml") not in one.published
