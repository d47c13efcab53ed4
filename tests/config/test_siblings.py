"""Modules that a config and its script both import: one module, as in an edited script."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import pytest

from tests.oracle import edited, on_path, run_kogine, run_python

COMMON = """
    import enum
    print("common runs")
    width = 8
    TABLE = {"a": 1}
    class Mode(enum.Enum):
        A = 1
        B = 2
    class Net:
        def __init__(self, size=1):
            self.size, self.seen = size, []
        width = width
        def __eq__(self, other): return NotImplemented
    class Sub(Net): pass
    DEFAULT = Net(7)
    def loss(x): return x + width
    """
SCRIPT = """
    import common
    from common import Mode, Net
    mode = None
    net = None
    loss = None
    nets = []
    n = 0
    def main(model=None):
        print("main", model is None or isinstance(model, Net))
    def use(inner=None):
        inner_ = None
        return inner, inner_
    if __name__ == "__main__":
        print(n, mode is Mode.A, net is Net, isinstance(loss, Net), getattr(loss, "size", loss))
        print([type(one) is Net for one in nets], common.width, getattr(net, "width", None))
        if isinstance(loss, Net):
            loss.seen.append(n)
            print(loss.seen, nets and nets[0] is loss)
        main()
    """
MODE, NET, LOSS, NETS, N = "mode = None", "net = None", "\n    loss = None", "nets = []", "n = 0"


class Shared(NamedTuple):
    id: str
    config: str
    edits: tuple[tuple[str, str], ...]
    script: str = SCRIPT
    arguments: tuple[str, ...] = ()
    #: Printed when the config imports it.
    loads: int = 1


SAME = [
    Shared("a member of an enum", "from common import Mode\nmode = Mode.A\n", ((MODE, "mode = Mode.A"),)),
    Shared("a class", "from common import Net\nnet = Net\n", ((NET, "net = Net"),)),
    Shared("a module imported whole", "import common as _c\nnet = _c.Net\nmode = _c.Mode.A\n", ((NET, "net = Net"), (MODE, "mode = Mode.A"))),
    Shared("an object", "from common import Net\nloss = Net(3)\n", ((LOSS, "\n    loss = Net(3)"),)),
    Shared("one object for two names", "from common import Net\nloss = Net(3)\nnets = [loss, Net(4)]\n",
           ((LOSS, "\n    loss = Net(3)"), (NETS, "nets = [loss, Net(4)]"))),
    Shared("a function", "from common import loss\nfrom common import loss as _l\n_overrides = {'loss': _l}\n", ((LOSS, "\n    from common import loss"),),
           "import common\nloss = None\nprint(loss is common.loss, loss(1))\n"),
    Shared("a global of the module", "from common import DEFAULT as _d, TABLE as _t\nloss = _d\nnets = _t\n", (("loss = None", "loss = common.DEFAULT"), ("nets = []", "nets = common.TABLE")),
           "import common\nloss = None\nnets = []\nprint(loss is common.DEFAULT, nets is common.TABLE)\n"),
    Shared("a function of the config that makes one", "from common import Net\ndef net(): return Net(5)\n", ((NET, "net = lambda: Net(5)"),),
           "from common import Net\nnet = None\nprint(isinstance(net(), Net), net().size)\n"),
    Shared("a function that uses the module", "import common\ndef net(): return common.Net(5)\n", ((NET, "net = lambda: Net(5)"),),
           "from common import Net\nnet = None\nprint(isinstance(net(), Net), net().size)\n"),
    Shared("a class of the config above it", "from common import Net\nclass net(Net):\n    deep = 2\n_overrides = {'loss': net(2)}\n", ((NET, "class net(Net): deep = 2"), ("loss = None", "loss = net(2)")),
           "from common import Net\nnet = None\nloss = None\nprint(issubclass(net, Net), type(loss) is net, isinstance(loss, Net), net.deep, net.__name__, net.width)\n"),
    Shared("a script that never imports it", "from common import Net\nloss = Net(3)\n", (("loss = None", "import common; loss = common.Net(3)"),),
           "loss = None\nprint(type(loss).__name__, loss.size)\nimport sys\nprint('common' in sys.modules, isinstance(loss, sys.modules['common'].Net))\n"),
    Shared("an import after the value", "from common import Net\nloss = Net(3)\n", (("loss = None", "import common; loss = common.Net(3)"),),
           "print('before')\nloss = None\nprint('after')\nimport common\nprint(isinstance(loss, common.Net))\n"),
    Shared("a default of a function", "from common import Net\n_overrides = {'use(inner)': Net(3), 'use.local': Net(4)}\n", (("inner=None", "inner=Net(3)"), ("local = None", "local = Net(4)")),
           "from common import Net\ndef use(inner=None):\n    local = None\n    return inner, local\nprint([isinstance(x, Net) for x in use()], use()[0] is use()[0], use()[1] is use()[1])\n"),
    Shared("keywords of the starting call", "from common import Net\n_kwargs = {'model': Net(3)}\n", (("    main()", "    main(model=Net(3))"),)),
    Shared("arguments of the starting call", "from common import Net\n_args = [Net(3)]\n", (("    main()", "    main(Net(3))"),)),
    Shared("keywords of an entrypoint", "from common import Net\n_kwargs = {'model': Net(3)}\n", (("    main()", "    main(model=Net(3))"),),
           "from common import Net\ndef main(model=None):\n    print(isinstance(model, Net))\nif __name__ == '__main__':\n    main()\n", ("--entrypoint", "main")),
    Shared("an override of the module", "from common import Net\nnet = Net\nloss = Net(3)\n", ((NET, "net = Net"), (LOSS, "\n    loss = Net(3)")), arguments=("common.width=9",)),
    Shared("a new global", "from kohaku_ast import Config\nfrom common import Net\nCONFIG = Config(new_globals={'extra': Net(2)})\n", (("from common import Net\n", "from common import Net; extra = Net(2)\n"),),
           "from common import Net\nprint(isinstance(extra, Net))\n"),
]  # fmt: skip


def written(folder: Path, case: Shared) -> Path:
    (folder / "train.py").write_text(dedent(case.script))
    (folder / "common.py").write_text(dedent(COMMON))
    (folder / "cfg.py").write_text(case.config)
    return folder


def expected(folder: Path, case: Shared, *more: tuple[str, str]) -> str:
    """What the edited copy prints."""
    script, common = folder / "train.py", folder / "common.py"
    before = script.read_bytes(), common.read_bytes()
    text = script.read_text()
    for old, new in [*case.edits, *more]:
        old, new = (dedent(part) if "\n    " in part else part for part in (old, new))
        assert old in text, (old, text)
        text = text.replace(old, new, 1)
    script.write_text(text)
    if case.arguments and case.arguments[0].startswith("common."):
        common.write_bytes(edited(before[1], [("width = 8", "width = 9")]))
    done = run_python(folder, "train.py")
    script.write_bytes(before[0])
    common.write_bytes(before[1])
    assert done.status == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("case", [pytest.param(one, id=one.id) for one in SAME])
def test_a_plain_run(tmp_path: Path, case: Shared) -> None:
    written(tmp_path, case)
    wanted = "common runs\n" + expected(tmp_path, case)
    done = run_kogine(tmp_path, "run", "train.py", "--config", "cfg.py", *case.arguments)
    assert (done.stdout, done.stderr) == (wanted, "")


@pytest.mark.parametrize(
    "how", [(), ("--isolate",), ("--mode", "warm", "--workers", "1")], ids=" ".join
)
@pytest.mark.parametrize("case", [pytest.param(one, id=one.id) for one in SAME])
def test_every_run_of_a_sweep(tmp_path: Path, case: Shared, how: tuple[str, ...]) -> None:
    case = case._replace(script="zz = 0\n" + dedent(case.script))
    written(tmp_path, case)
    wanted = "common runs\n" + 2 * expected(tmp_path, case)
    arguments = (*case.arguments, "--sweep", "zz=1,2", *how)
    done = run_kogine(tmp_path, "run", "train.py", "--config", "cfg.py", *arguments)
    assert done.stdout == wanted, done.stderr
    assert done.status == 0


CHILD = """\
import multiprocessing
from common import Mode, Net
mode = None
loss = None
def work(number):
    return number, mode is Mode.A, isinstance(loss, Net)
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(work, [1, 2]))
"""


@pytest.mark.parametrize("how", [(), ("--sweep", "extra=1"), ("--isolate",)], ids=" ".join)
def test_spawned_children(tmp_path: Path, how: tuple[str, ...]) -> None:
    config = "from common import Mode, Net\nmode = Mode.A\nloss = Net(3)\n"
    written(tmp_path, Shared("", config, (), CHILD + "extra = 1\n"))
    (tmp_path / "common.py").write_text(dedent(COMMON).replace('print("common runs")', ""))
    done = run_kogine(tmp_path, "run", "train.py", "--config", "cfg.py", *how)
    assert done.stdout == "[(1, True, True), (2, True, True)]\n", done.stderr


PLAIN = """\
import common
net = None
def main():
    net.seen.append(1)
    print(net.size, net.seen, type(net).__name__, isinstance(net, getattr(common, "Net", ())))
if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize(
    ("files", "config", "printed"),
    [
        pytest.param({"conf/other.py": dedent(COMMON)}, "from other import Net\nnet = Net(3)\n", "3 [1] Net False\n", id="the script would not find it"),
        pytest.param({"conf/common.py": dedent(COMMON)}, "from common import Net\nnet = Net(3)\n", "3 [1] Net False\n", id="the script finds another one"),
        pytest.param({"conf/other.py": dedent(COMMON)}, "import os, sys\nsys.path.append(os.path.dirname(os.path.dirname(__file__)))\nfrom other import Net as _N\nclass Own(_N): pass\nnet = Own(3)\n", "3 [1] Own False\n", id="a class of the config above it"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("how", [(), ("--isolate",)], ids=" ".join)
def test_what_the_script_does_not_find_stays_the_object(
    tmp_path: Path, files: dict[str, str], config: str, printed: str, how: tuple[str, ...]
) -> None:
    (tmp_path / "conf").mkdir()
    texts = {"train.py": PLAIN, "common.py": "class Net: pass\n", "conf/cfg.py": config}
    for name, text in {**texts, **files}.items():
        (tmp_path / name).write_text(text)
    done = run_kogine(tmp_path, "run", "train.py", "--config", "conf/cfg.py", *how)
    assert done.stdout == "common runs\n" + printed, done.stderr


API = """\
import sys
sys.path.insert(0, "beside")
from kohaku_ast import Config, Script, Sequential, Sweep, run
"""


@pytest.mark.parametrize(
    "call",
    [
        pytest.param("Script('beside/train.py', Config.from_file('beside/cfg.py')).run()", id="a config file"),
        pytest.param("run('beside/train.py', Config.from_file('beside/cfg.py'), n=3)", id="a config file and more"),
        pytest.param("import common\nrun('beside/train.py', mode=common.Mode.A, net=common.Net)", id="names of this process"),
        pytest.param("import common\nrun('beside/train.py', nets=[common.Net, common.Mode.A])", id="a list of names of this process"),
        pytest.param("Script('beside/train.py', Config.from_file('beside/cfg.py')).load()()", id="loaded"),
        pytest.param("Sequential([Script('beside/train.py', Sweep.from_file('beside/cfg.py'))]).run()", id="a flow"),
        pytest.param("Sequential([Script('beside/train.py', Sweep.from_file('beside/cfg.py'))], mode='spawn').run()", id="a flow of fresh processes"),
    ],
)  # fmt: skip
def test_the_python_api(tmp_path: Path, call: str) -> None:
    script = """\
from common import Mode, Net
n = 0
mode = Mode.A
net = Net
nets = [Net, Mode.A]
if __name__ == "__main__":
    print(mode is Mode.A, net is Net, nets[0] is Net, nets[1] is Mode.A)
"""
    case = Shared("", "from common import Mode, Net\nmode = Mode.A\nnet = Net\n", (), script)
    (tmp_path / "beside").mkdir()
    written(tmp_path / "beside", case)
    (tmp_path / "host.py").write_text(API + call + "\n")
    done = run_python(tmp_path, "host.py", PYTHONPATH=on_path())
    assert [one for one in done.stdout.splitlines() if one != "common runs"] == [
        "True True True True"
    ], done.stderr


def test_an_object_given_in_python_stays_the_callers(tmp_path: Path) -> None:
    written(tmp_path, Shared("", "", (), "net = None\nnet.seen.append(3)\n"))
    host = "import common\nnet = common.Net()\nrun('train.py', net=net)\nprint(net.seen)\n"
    (tmp_path / "host.py").write_text(API + host)
    done = run_python(tmp_path, "host.py", PYTHONPATH=on_path())
    assert done.stdout == "common runs\n[3]\n", done.stderr


def test_a_module_that_fails_at_the_value_is_reported_without_our_frames(tmp_path: Path) -> None:
    common = "import sys\nif sys.argv[0].endswith('train.py'): 1 / 0\nclass Net: pass\n"
    script = "print(1)\nnet = None\n"
    written(tmp_path, Shared("", "from common import Net\nnet = Net()\n", (), script))
    (tmp_path / "common.py").write_text(common)
    done = run_kogine(tmp_path, "run", "train.py", "--config", "cfg.py")
    assert (done.stdout, done.status) == ("1\n", 1)
    assert "ZeroDivisionError: division by zero\n" in done.stderr
    assert "kohaku_ast" not in done.stderr


def test_every_run_of_a_generator_has_its_own_objects(tmp_path: Path) -> None:
    config = "from common import Net\ndef config_gen():\n    for n in (1, 2):\n        yield {'net': Net(n)}\n"
    script = "from common import Net\nnet = None\nprint(net.size, isinstance(net, Net))\n"
    written(tmp_path, Shared("", config, (), script))
    done = run_kogine(tmp_path, "run", "train.py", "--config", "cfg.py")
    lines = [one for one in done.stdout.splitlines() if one != "common runs"]
    assert lines == ["1 True", "2 True"], done.stderr
