"""Config files."""

from typing import Any

from tests.semantics.case import case, refusal

SCRIPT = """
    import sys
    lr = 0.1
    steps = 10
    warmup = steps // 10
    name = "a"
    loss = None
    class Args:
        depth = 2
    def main(epochs=1, *, width=2, **more):
        print(lr, steps, warmup, name, loss and loss(2), Args.depth, epochs, width, more, sys.argv)
    if __name__ == "__main__":
        main()
    """
LR, STEPS, NAME, LOSS = "lr = 0.1", "steps = 10\n", 'name = "a"', "loss = None"


def configured(id_: str, config: Any, *edits: Any, overrides: Any=(), argv: Any=(), files: Any=(), script: Any=SCRIPT, same: Any=False) -> Any:
    return case(id_, script, ("--config", "cfg.py", *overrides), *edits, argv=argv,
                files={"cfg.py": config, **dict(files)}, same=same)  # fmt: skip


def mistaken(id_: str, config: Any, *words: Any, script: Any=SCRIPT, files: Any=()) -> Any:
    return refusal(id_, script, ("--config", "cfg.py"), *words, files={"cfg.py": config, **dict(files)})


CASES = [
    configured("names that a bare file assigns", "lr = 0.5\nsteps: int = 20\n", (LR, "lr = 0.5"), (STEPS, "steps = 20\n")),
    configured("a value of another type is taken as it is", "lr = 3\nname = 7\n", (LR, "lr = 3"), (NAME, "name = 7")),
    configured("a function of the config", "def loss(x): return helper(x) * 3\ndef helper(x): return x + 1\n", (LOSS, "loss = lambda x: 9")),
    configured("a helper that the config reads", "base = 5\nlr = base * 2\n", (LR, "lr = 10")),
    configured("a helper that the script has is an override too", "steps = 50\nlr = steps * 2\n", (STEPS, "steps = 50\n"), (LR, "lr = 100")),
    configured("private names and loop variables are none", "_x = 1\nfor i in range(3): pass\nimport os, math\nlr = _x\n", (LR, "lr = 1")),
    configured("names assigned in branches", "import sys\nif sys.argv:\n    lr = 1\nelse:\n    lr = 2\ntry:\n    import nothing_of_this_name\nexcept ImportError:\n    steps = 30\n",
               (LR, "lr = 1"), (STEPS, "steps = 30\n")),
    configured("a name assigned in a loop", "for number in (1, 2):\n    lr = number\n", (LR, "lr = 2")),
    configured("a name assigned in a match and by a walrus", "match 1:\n    case 1:\n        lr = 5\nprint_ = (steps := 30)\n_ = print_\n", (LR, "lr = 5"), (STEPS, "steps = 30\n")),
    configured("an unpacking", "lr, (steps, *_) = 1, (2, 3)\n", (LR, "lr = 1"), (STEPS, "steps = 2\n")),
    configured("an augmented name", "lr = 1\nlr += 1\n", (LR, "lr = 2")),
    configured("a deleted name", "lr = 1\nsteps = 3\ndel lr\n", (STEPS, "steps = 3\n")),
    configured("targets that are no names", '_overrides = {"Args.depth": 9, "main(epochs)": 5}\n', ("depth = 2", "depth = 9"), ("epochs=1", "epochs=5")),
    configured("keywords of the starting call", '_kwargs = {"width": 5, "extra": [1]}\n', ("    main()", "    main(width=5, extra=[1])")),
    configured("arguments of the starting call", "_args = [7]\n", ("    main()", "    main(7)")),
    configured("arguments of the script", '_argv = ["--x", "1"]\n', argv=("--x", "1"), same=True),
    configured("the command line wins", "lr = 5\nsteps = 20\n", (LR, "lr = 7.0"), (STEPS, "steps = 20\n"), overrides=("lr=7",)),
    configured("the command line wins by another target", '_overrides = {"Args.depth": 9}\n', ("depth = 2", "depth = 3"), overrides=("depth=3",)),
    configured("CONFIG", "from kohaku_ast import Config\nother = 1\nCONFIG = Config(globals_dict={'lr': 5}, kwargs={'epochs': 3})\n", (LR, "lr = 5"), ("    main()", "    main(epochs=3)")),
    configured("config_gen goes before CONFIG", "from kohaku_ast import Config\nCONFIG = Config(globals_dict={'lr': 5})\ndef config_gen(): return Config(globals_dict={'lr': 6})\n", (LR, "lr = 6")),
    configured("a module beside the config", "from conf.base import lr as _lr\nlr = _lr * 2\n", (LR, "lr = 8"), files=[("conf/base.py", "lr = 4\n")]),
    configured("a dataclass with future annotations", """
        from __future__ import annotations
        from dataclasses import dataclass
        @dataclass
        class Point:
            x: int = 3
        lr = Point().x
        """, (LR, "lr = 3")),
    configured("a config after which another stands", "lr = 5\nsteps = 20\n", (LR, "lr = 6"), (STEPS, "steps = 20\n"),
               overrides=("--config", "other.py"), files=[("other.py", "lr = 6\n")]),
    configured("a later config by another target", "depth = 5\n", ("depth = 2", "depth = 6"),
               overrides=("--config", "other.py"), files=[("other.py", "_overrides = {'Args.depth': 6}\n")]),
    configured("a list of the config is not changed by the script", "xs = [1]\nys = xs\n", ("xs = []", "xs = [1]"), ("ys = []", "ys = [1]"),
               script="xs = []\nys = []\nxs.append(2)\nprint(xs, ys)\n"),
    configured("arguments for the rest, and a keyword that stands behind it", "_args = [1, 2, 3]\n_kwargs = {'k': 4, 'm': 5}\n", ("kw)\n", "kw)\nf(1, 2, 3, k=4, m=5)\n"),
               overrides=("--entrypoint", "f"), script="def f(a, *rest, k=3, **kw):\n    print(a, rest, k, kw)\n"),
    configured("an object of the config is the object itself", "import types\nbox = types.SimpleNamespace(n=3)\n", ("box = None", "import types; box = types.SimpleNamespace(n=3)"),
               script="box = None\nprint(box)\n"),
]

REFUSALS = [
    mistaken("a name that the script does not have", "lrr = 1\n", "no parameter 'lrr'", "'lr' (line 2)"),
    mistaken("a target that the script does not have", "_overrides = {'Args.dept': 1}\n", "'Args.depth' (line 8)"),
    mistaken("an exception", "def f():\n    return 1 / 0\nlr = f()\n", "ZeroDivisionError", 'cfg.py", line 3', 'cfg.py", line 2'),
    mistaken("an exception of config_gen", "def config_gen():\n    return 1 / 0\n", "ZeroDivisionError", 'cfg.py", line 2'),
    mistaken("a config that is not Python", "lr = (\n", "cfg.py", "line 1", "never closed"),
    mistaken("a CONFIG that is none", "CONFIG = {'lr': 1}\n", "cfg.py", "CONFIG is of type dict"),
    mistaken("a config_gen that returns none", "def config_gen(): return 3\n", "cfg.py", "int"),
    mistaken("a misspelt reserved name", "_kwarg = {}\n", "_kwarg", "Did you mean '_kwargs'?"),
    mistaken("overrides that are no dict", "_overrides = [1]\n", "cfg.py", "_overrides"),
    mistaken("keywords that are no dict", "_kwargs = [1]\n", "cfg.py", "kwargs"),
    mistaken("keywords without a call", "_kwargs = {'n': 1}\n", "no call to give (n) to", "--entrypoint", script="print('ran')\n"),
    mistaken("keywords that the function does not have", "_kwargs = {'m': 1}\n", "script.py:2", "no parameter 'm'", script="def main(n=1): print('ran')\nmain()\n"),
    mistaken("too many arguments", "_args = [1, 2]\n", "script.py:2", script="def main(n=1): print('ran')\nmain()\n"),
    mistaken("a keyword and its target", "_kwargs = {'n': 1}\n_overrides = {'main(n)': 2}\n", "given twice", script="def main(n=1): print('ran')\nmain()\n"),
    mistaken("one parameter in the arguments and in the keywords", "_args = [1]\n_kwargs = {'n': 2}\n", "script.py:2", "'n' is given twice: in args and in kwargs", script="def main(n=1): print('ran')\nmain()\n"),
    mistaken("an argument and its target", "_args = [1]\n_overrides = {'main(n)': 2}\n", "given twice: in args and as the target", script="def main(n=1): print('ran')\nmain()\n"),
    mistaken("one parameter twice in one config", "depth = 1\n_overrides = {'Args.depth': 2}\n", "given twice", "cfg.py"),
    refusal("a config that is not there", SCRIPT, ("--config", "cgf.py"), "cgf.py", "No such file"),
    refusal("an option of --config without a file", SCRIPT, "--config", "--config needs a value"),
]
