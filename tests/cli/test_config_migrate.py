"""``kogine config migrate``: the config made from each kind of file, and the warnings for the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.config_command import config, text, write
from tests.oracle import FIXTURES, Finished, run_kogine


def migrated(folder: Path, *arguments: str) -> tuple[int, str, list[str]]:
    """Status, the config, and what was not carried over."""
    done = config(folder, "migrate", *arguments)
    start = "kogine: not carried over: "
    assert all(line.startswith(start) for line in done.stderr.splitlines()), done.stderr
    return done.status, done.stdout, [line[len(start) :] for line in done.stderr.splitlines()]


# --- options -------------------------------------------------------------------------------------

ARGPARSE = """
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("data", help="where it lies")
parser.add_argument("--lr", type=float, default=0.1, help="step size")
parser.add_argument("-n", "--num-steps", type=int, default=10 * 2)
parser.add_argument("--amp", action="store_true")
parser.add_argument("--no-report", dest="report", action="store_false")
parser.add_argument("--resume")
parser.add_argument("--name", required=True)
parser.add_argument("--version", action="version", version="1")
LATER = 3
parser.add_argument("--later", default=LATER)
for name in ("a", "b"):
    parser.add_argument("--" + name)
if __name__ == "__main__":
    print(sorted(vars(parser.parse_args()).items()))
"""


def test_options_of_a_script(tmp_path: Path) -> None:
    write(tmp_path, {"train.py": ARGPARSE})
    made = text("""
        # Made from train.py by kogine config migrate.
        # Not carried over:
        #   train.py:4: the argument 'data' has no option: give it in _argv = [...]
        #   train.py:10: --name: required
        #   train.py:13: --later: derived from LATER
        #   train.py:15: add_argument() of a name that only the running script knows

        _overrides = {
            "--lr": 0.1,  # step size
            "--num-steps": 10 * 2,
            "--amp": False,
            "--report": True,
            "--resume": None,
            # "--name": ...,  # [required]
            # "--later": LATER,  # [derived from LATER]
        }
        """)
    left = [line[4:] for line in made.splitlines()[2:6]]
    assert migrated(tmp_path, "train.py") == (1, made, left)


def test_the_config_of_options_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"train.py": ARGPARSE})
    config(tmp_path, "migrate", "train.py", "-o", "cfg.py")
    argv = ["--", "x", "--name", "n"]
    plain = run_kogine(tmp_path, "run", "train.py", *argv)
    assert plain.status == 0
    assert run_kogine(tmp_path, "run", "train.py", "--config", "cfg.py", *argv) == plain


def test_options_for_a_script_without_them(tmp_path: Path) -> None:
    new = "lr = 1\n\n\nclass Args:\n    num_steps = 1\n    name = ''\n"
    old = (
        "import argparse\np = argparse.ArgumentParser()\n"
        "p.add_argument('--lr', default=0.1, help='step')\n"
        "p.add_argument('--num-steps', default=5)\np.add_argument('--gone', default=7)\n"
    )
    write(tmp_path, {"old.py": old, "new.py": new})
    made = text("""
        # Made from old.py by kogine config migrate.
        # Not carried over:
        #   old.py:5: --gone: new.py has no such parameter

        lr = 0.1  # step
        num_steps = 5

        _overrides = {
            # "--gone": 7,  # [new.py has no such parameter]
        }
        """)
    left = ["old.py:5: --gone: new.py has no such parameter"]
    assert migrated(tmp_path, "old.py", "--script", "new.py") == (1, made, left)


@pytest.mark.parametrize(
    ("script", "argv"),
    [("absl_train.py", []), ("click_train.py", ["--tag", "t"]), ("argparse_guard.py", [])],
)
def test_options_of_other_libraries_change_nothing(
    script: str, argv: list[str], tmp_path: Path
) -> None:
    path = str(FIXTURES / "scripts" / script)
    config(tmp_path, "migrate", path, "-o", "cfg.py")
    plain = run_kogine(tmp_path, "run", path, "--", *argv)
    assert run_kogine(tmp_path, "run", path, "--config", "cfg.py", "--", *argv) == plain


# --- KohakuEngine --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "left"),
    [
        pytest.param(
            "import math\nfrom kohakuengine import use\n\nloss = use(math.sqrt)  # root\n",
            "import math\n\nloss = math.sqrt  # root\n",
            [],
            id="use",
        ),
        pytest.param(
            "from kohakuengine import use as wrap\nf = wrap(lambda x: x)\n",
            "f = lambda x: x\n",
            [],
            id="use under another name",
        ),
        pytest.param(
            """
            from kohakuengine import Config

            # the step
            lr = 0.1


            def config_gen():
                return Config.from_globals()
            """,
            "# the step\nlr = 0.1\n",
            [],
            id="from_globals in config_gen",
        ),
        pytest.param(
            "import kohakuengine as ke\nlr = 1\nCONFIG = ke.Config.from_globals()\n",
            "import kohaku_ast as ke\nlr = 1\n",
            [],
            id="from_globals as CONFIG",
        ),
        pytest.param(
            '''
            from kohakuengine import Config, capture_globals

            with capture_globals() as ctx:
                # the step
                lr = 0.1
                text = """a
                b"""

            CONFIG = Config.from_context(ctx)
            ''',
            '# the step\nlr = 0.1\ntext = """a\n    b"""\n',
            [],
            id="capture_globals",
        ),
        pytest.param(
            """
            from kohakuengine import Config, capture_globals
            size = 4
            with capture_globals() as ctx:
                lr = 0.1
            CONFIG = Config.from_context(ctx)
            """,
            "size = 4\nlr = 0.1\n",
            [
                "old.py:2: 'size' was outside capture_globals(), so no script got it: call it '_size'"
            ],
            id="a name outside capture_globals",
        ),
        pytest.param(
            """
            import kohakuengine
            from kohakuengine import Config

            def config_gen(worker_id=0):
                for lr in (1, 2):
                    yield kohakuengine.Config({"lr": lr}, [], {}, {"run": lr})
                    yield Config(globals_dict={"lr": lr}, metadata={})
            """,
            """
            import kohaku_ast
            from kohaku_ast import Config

            def config_gen(worker_id=0):
                for lr in (1, 2):
                    yield kohaku_ast.Config({"lr": lr}, [], {}, metadata={"run": lr})
                    yield Config(globals_dict={"lr": lr}, metadata={})
            """,
            [],
            id="config_gen",
        ),
        pytest.param(
            "lr = 1\nbs = 2\n_sweep = {'__mode__': 'zip', 'lr': [1, 2]}\n",
            "# lr = 1\nbs = 2\n_sweep = {'__mode__': 'zip', 'lr': [1, 2]}\n",
            [],
            id="assigned and swept",
        ),
        pytest.param(
            """
            from kohakuengine import Config, RawArg
            config = Config()
            config.globals_dict["lr"] = 1
            config.kwargs.update(a=2)
            lr = RawArg("1e-3")
            """,
            """
            from kohaku_ast import Config
            config = Config()
            config.globals_dict["lr"] = 1
            config.kwargs.update(a=2)
            lr = RawArg("1e-3")
            """,
            [
                "old.py:3: config.globals_dict['lr'] is changed: a Config is frozen, write config | Config(...)",
                "old.py:4: config.kwargs is changed: a Config is frozen, write config | Config(...)",
                "old.py:5: RawArg: write the value itself",
            ],
            id="what has no counterpart",
        ),
        pytest.param("lr = 1  # step\n", "lr = 1  # step\n", [], id="a bare file stays"),
    ],
)
def test_kohakuengine(old: str, new: str, left: list[str], tmp_path: Path) -> None:
    write(tmp_path, {"old.py": old})
    status, made, said = migrated(tmp_path, "old.py")
    heading = "# Made from old.py by kogine config migrate.\n"
    if left:
        heading += "".join(["# Not carried over:\n", *(f"#   {one}\n" for one in left)])
    assert made == heading + "\n" + text(new)
    assert (status, said) == (int(bool(left)), left)


def test_a_migrated_sweep_runs(tmp_path: Path) -> None:
    old = """
        import math
        from kohakuengine import use

        lr = 7
        loss = use(math.sqrt)
        _sweep = {"__mode__": "zip", "lr": [1, 2], "bs": [3, 4]}
        """
    train = "lr = bs = 0\nloss = None\nprint(lr, bs, loss(4))\n"
    write(tmp_path, {"old.py": old, "train.py": train})
    assert migrated(tmp_path, "old.py", "--script", "train.py", "-o", "cfg.py") == (0, "", [])
    checked = config(tmp_path, "check", "train.py", "--config", "cfg.py")
    assert checked == Finished(0, "cfg.py: 2 runs of 3 overrides fit train.py\n", "")


def test_names_that_the_script_lacks(tmp_path: Path) -> None:
    files = {"old.py": "lrr = 1\nhalf = 2\nlr = half\n", "train.py": "lr = 1\n"}
    status, _, left = migrated(write(tmp_path, files), "old.py", "--script", "train.py")
    said = "old.py:1: train.py: no parameter 'lrr'. Did you mean 'lr' (line 1)?"
    assert (status, left) == (1, [said])


def test_a_base_that_is_no_config_of_ours_yet(tmp_path: Path) -> None:
    files = {
        "old.py": "from kohakuengine import use_config\nuse_config('base.py')\nlr = 1\n",
        "base.py": "from kohakuengine import use\n",
    }
    status, made, left = migrated(write(tmp_path, files), "old.py")
    assert (status, left) == (
        1, ["old.py:2: base.py is a KohakuEngine config too: migrate it as well"],
    )  # fmt: skip
    assert "from kohaku_ast import use_config\n" in made


# --- YAML ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("yaml", "script", "made", "left"),
    [
        pytest.param(
            "lr: 1e-3  # step\nname: 'x'\non: yes\nnothing: null\n",
            "",
            'lr = 0.001  # step\nname = "x"\non = True\nnothing = None\n',
            [],
            id="plain values as Hydra types them",
        ),
        pytest.param(
            "# step\nlr: 1e-3\nsizes: [1, 2]\nmodel:\n  dim: 8  # width\n",
            "",
            """
            lr = 0.001  # step
            sizes = [1, 2]

            _overrides = {
                "model.dim": 8,  # width
            }
            """,
            [],
            id="without a script",
        ),
        pytest.param(
            "model: {dim: 8, heads: 2}\noptim: {lr: 1}\nsizes: [1, 2]\nseed: 3\n",
            "class Model:\n    dim = 1\nheads = 1\nlr = 0.1\nsizes = (1,)\nargs = dict(seed=0)\n",
            "dim = 8\nheads = 2\nlr = 1.0\nsizes = (1, 2)\nseed = 3\n",
            [],
            id="to the script's targets",
        ),
        pytest.param(
            "a: {lr: 1}\nb: {lr: 2}\nlrr: 3\n",
            "lr = 0.1\n",
            """
            # lrr = 3  # [train.py has no such parameter; did you mean 'lr'?]

            _overrides = {
                # "a.lr": 1,  # [another key fits 'lr' as well]
                # "b.lr": 2,  # [another key fits 'lr' as well]
            }
            """,
            [
                "old.yaml:1: a.lr: another key fits 'lr' as well",
                "old.yaml:2: b.lr: another key fits 'lr' as well",
                "old.yaml:3: lrr: train.py has no such parameter; did you mean 'lr'?",
            ],
            id="keys that fit nothing or not alone",
        ),
        pytest.param(
            "opt: {a: 1, b: 2}\n",
            "opt = {}\n",
            "opt = {'a': 1, 'b': 2}\n",
            [],
            id="a dict as a whole",
        ),
        pytest.param(
            """
            out: ${root}/x_${lr}
            root: ${oc.env:HOME}
            tmp: ${oc.env:TMP,/tmp}
            lr: 0.1
            twice: ${model.dim}
            model: {dim: 8, same: "${.dim}", up: "${..lr}"}
            whole: ${model}
            price: \\${lr}
            """,
            "",
            """
            import os

            root = os.environ["HOME"]
            lr = 0.1
            out = f"{root}/x_{lr}"
            tmp = os.environ.get("TMP", "/tmp")
            _model_dim = 8
            twice = _model_dim
            whole = {"dim": 8, "same": _model_dim, "up": lr}
            price = "${lr}"

            _overrides = {
                "model.dim": _model_dim,
                "model.same": _model_dim,
                "model.up": lr,
            }
            """,
            [],
            id="interpolations",
        ),
        pytest.param(
            "a: ${b}\nb: ${a}\nc: ${no.such}\nd: ${now:%Y}\ne: ???\nf: ${e}\n",
            "",
            """
            # b = "${a}"  # [not carried over]
            # a = "${b}"  # [not carried over]
            # c = "${no.such}"  # [not carried over]
            # d = "${now:%Y}"  # [not carried over]
            # e = "???"  # [must be given]
            # f = "${e}"  # [not carried over]
            """,
            [
                "old.yaml:1: a: it reads b",
                "old.yaml:2: b: it refers to itself",
                "old.yaml:3: c: ${no.such} is not in the config",
                "old.yaml:4: d: ${now:%Y}: the resolver 'now' has no counterpart",
                "old.yaml:5: e: must be given (???)",
                "old.yaml:6: f: it reads e",
            ],
            id="what only Hydra can work out",
        ),
        pytest.param(
            "opt:\n  _target_: torch.optim.Adam\n  lr: 0.1\nhydra:\n  run: {dir: out}\n",
            "lr = 1.0\n",
            """
            lr = 0.1

            _overrides = {
                # "opt._target_": "torch.optim.Adam",  # [not carried over]
            }
            """,
            [
                "old.yaml:2: opt._target_: torch.optim.Adam is made by the script itself, or given to it as an object by the config",
                "old.yaml:5: hydra.run.dir: a setting of Hydra itself",
            ],
            id="objects and settings of Hydra",
        ),
        pytest.param(
            """
            lr: 0.1
            bs: 1
            hydra:
              mode: MULTIRUN
              sweeper:
                params:
                  lr: 0.1, 1e-3
                  bs: range(1, 4)
                  name: choice(a, 'b')
            """,
            "",
            """
            # lr = 0.1  # [swept below]
            # bs = 1  # [swept below]

            _sweep = {
                "lr": [0.1, 0.001],
                "bs": range(1, 4),
                "name": ['a', 'b'],
            }
            """,
            [],
            id="a sweep",
        ),
        pytest.param(
            "base: &b {x: 1, y: 2}\nc:\n  <<: *b\n  y: 3\n",
            "",
            """
            _overrides = {
                "base.x": 1,
                "base.y": 2,
                "c.x": 1,
                "c.y": 3,
            }
            """,
            [],
            id="anchors and merge keys",
        ),
    ],
)
def test_yaml(yaml: str, script: str, made: str, left: list[str], tmp_path: Path) -> None:
    write(tmp_path, {"old.yaml": yaml, "train.py": script})
    arguments = ["--script", "train.py"] if script else []
    status, shown, said = migrated(tmp_path, "old.yaml", *arguments)
    heading = "# Made from old.yaml by kogine config migrate.\n"
    if left:
        heading += "".join(["# Not carried over:\n", *(f"#   {one}\n" for one in left)])
    assert shown == heading + "\n" + text(made)
    assert (status, said) == (int(bool(left)), left)


HYDRA = {
    "conf/config.yaml": """
        defaults:
          - base
          - model: small
          - optional data: missing
          - optim@train.optim: adam
          - override hydra/launcher: joblib
          - scheduler: cosine
          - _self_
        lr: 1
        model:
          heads: 4
        """,
    "conf/base.yaml": "lr: 5\nseed: 7\n",
    "conf/model/small.yaml": "defaults:\n  - parts: one\ndim: 8\nheads: 2\n",
    "conf/model/parts/one.yaml": "# @package _global_\nsize: 1\n",
    "conf/optim/adam.yaml": "betas: [0.9, 0.99]\n",
}


def test_defaults_list(tmp_path: Path) -> None:
    made = text("""
        # Made from config.yaml by kogine config migrate.
        # Not carried over:
        #   config.yaml:2: defaults: override hydra/launcher: joblib
        #   config.yaml:2: defaults: scheduler: cosine: no such file

        lr = 1
        seed = 7
        size = 1

        _overrides = {
            "model.dim": 8,
            "model.heads": 4,
            "train.optim.betas": [0.9, 0.99],
        }
        """)
    status, shown, left = migrated(write(tmp_path, HYDRA), "conf/config.yaml")
    assert (status, shown) == (1, made)
    assert left == [
        "conf/config.yaml:2: defaults: override hydra/launcher: joblib",
        "conf/config.yaml:2: defaults: scheduler: cosine: no such file",
    ]


def test_a_migrated_yaml_fits_the_script(tmp_path: Path) -> None:
    files = {
        "old.yaml": "lr: ${model.dim}\nmodel: {dim: 8}\nname: run_${lr}\n",
        "train.py": "lr = 0.1\nname = ''\n\n\nclass Model:\n    dim = 1\n\n\nprint(lr, name, Model.dim)\n",
    }
    write(tmp_path, files)
    migrated(tmp_path, "old.yaml", "--script", "train.py", "-o", "cfg.py")
    done = run_kogine(tmp_path, "run", "train.py", "--config", "cfg.py")
    assert done == Finished(0, "8 run_8 8\n", "")


# --- all of them ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("no.py", None, "'no.py'", id="no such file"),
        pytest.param(
            "a.py", "lr = 1\nif __name__ == '__main__':\n    print()\n",
            "a.py: declares no options. Its other settings: kogine config init a.py",
            id="a script without options",
        ),
        pytest.param("a.yaml", "- 1\n", "a.yaml: not a mapping of names to values", id="a list"),
        pytest.param("a.yaml", "a: 1\na: 2\n", "a.yaml:2: 'a' is given twice", id="twice"),
        pytest.param("a.yaml", "a: &x\n  b: *x\n", "a mapping contains itself", id="endless"),
        pytest.param("a.yaml", "a: [\n", "a.yaml: not YAML", id="broken"),
        pytest.param("a.toml", "a = 1\n", "a.toml is a config already", id="toml"),
    ],
)  # fmt: skip
def test_mistakes(name: str, content: str | None, message: str, tmp_path: Path) -> None:
    write(tmp_path, {name: content} if content is not None else {})
    done = config(tmp_path, "migrate", name)
    assert (done.status, done.stdout) == (2, "")
    assert message in done.stderr


def test_the_file_itself_is_not_overwritten(tmp_path: Path) -> None:
    write(tmp_path, {"old.yaml": "lr: 1\n"})
    done = config(tmp_path, "migrate", "old.yaml", "-o", "old.yaml")
    assert done.status == 2
    assert (tmp_path / "old.yaml").read_text() == "lr: 1\n"
