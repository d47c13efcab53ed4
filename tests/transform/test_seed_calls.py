"""The seeds that a text sets: what is found, and which value each has if the text says it."""

from __future__ import annotations

import pytest

from kohaku_ast.transform.find.seed_calls import find_seeds
from kohaku_ast.transform.find.source import decode

PARSED = (
    'import argparse, torch\np = argparse.ArgumentParser()\np.add_argument("--seed", default=1)\n'
)


def seeds(text: str, is_script: bool = True) -> list[tuple[str, str, tuple[str, ...]]]:
    """Call, literal or else the text, and targets of each."""
    found = find_seeds(decode(text.encode(), "/x/s.py"), is_script)
    return [(one.call, one.default or f"?{one.text}", one.targets) for one in found]


KNOWN = {
    "numpy, by its own name": ("import numpy as np\nnp.random.seed(3)\n", ("numpy.random.seed", "3", ())),
    "imported alone": ("from random import seed\nseed(3)\n", ("random.seed", "3", ())),
    "a generator": ("import numpy\nr = numpy.random.default_rng(seed=0)\n", ("numpy.random.default_rng", "0", ())),
    "an object": ("import random\nr = random.Random('a')\n", ("random.Random", "'a'", ())),
    "jax": ("from jax import random as r\nk = r.PRNGKey(4)\n", ("jax.random.PRNGKey", "4", ())),
    "a method": ("g = make().manual_seed(8)\n", ("manual_seed", "8", ())),
    "a keyword of scikit-learn": ("from sklearn.model_selection import KFold\nk = KFold(5, random_state=2)\n", ("sklearn.model_selection.KFold(random_state)", "2", ())),
    "a global": ("import random\nSEED = 5\nrandom.seed(SEED)\n", ("random.seed", "5", ("SEED",))),
    "a global, in a function": ("import random\nSEED = 5\ndef f():\n    random.seed(SEED)\nf()\n", ("random.seed", "5", ("SEED",))),
    "a default that nobody passes": ("import random\ndef main(seed=6):\n    random.seed(seed)\nmain()\n", ("random.seed", "6", ("main(seed)",))),
    "a default under fire": ("import fire, random\ndef main(seed=6):\n    random.seed(seed)\nfire.Fire(main)\n", ("random.seed", "6", ("main(seed)",))),
    "what the only call passes": ("import random\nS = 2\ndef fix(seed=6):\n    random.seed(seed)\nfix(S)\n", ("random.seed", "2", ("S",))),
    "a local": ("import random\ndef main():\n    seed = 9\n    random.seed(seed)\n", ("random.seed", "9", ("main.seed",))),
    "a class attribute": ("class Cfg:\n    seed = 3\nseed_everything(Cfg.seed)\n", ("seed_everything", "?Cfg.seed", ("Cfg.seed",))),
    "an instance": ("class Cfg:\n    seed = 3\ncfg = Cfg()\nset_seed(cfg.seed)\n", ("set_seed", "?cfg.seed", ("cfg.seed", "Cfg.seed"))),
    "an entry": ("cfg = {'seed': 3}\nset_seed(cfg['seed'])\n", ("set_seed", "?cfg['seed']", ("cfg.seed",))),
    "an option": (f"{PARSED}args = p.parse_args()\ntorch.manual_seed(args.seed)\n", ("torch.manual_seed", "?args.seed", ("args.seed", "--seed"))),
    "an option, passed on": (f"{PARSED}def main(opt):\n    torch.manual_seed(opt.seed)\nif __name__ == '__main__':\n    args = p.parse_args()\n    main(args)\n", ("torch.manual_seed", "?opt.seed", ("args.seed", "--seed"))),
    "a click option": ("import click, random\n@click.command()\n@click.option('--seed', default=1)\ndef main(seed):\n    random.seed(seed)\nmain()\n", ("random.seed", "?seed", ("--seed",))),
}  # fmt: skip
UNKNOWN = {
    "an expression": "SEED = 5\nset_seed(SEED + 1)\n",
    "a loop": "for seed in range(3):\n    set_seed(seed)\n",
    "a comprehension": "seed = 1\nx = [set_seed(seed) for seed in range(3)]\n",
    "a lambda": "seed = 1\nf = lambda seed: set_seed(seed)\n",
    "two definitions": "seed = 1\nseed = 2\nset_seed(seed)\n",
    "changed in place": "seed = 1\nseed += 1\nset_seed(seed)\n",
    "changed by a function": "seed = 1\ndef f():\n    global seed\n    seed = 2\nf()\nset_seed(seed)\n",
    "two calls": "def f(seed=1):\n    set_seed(seed)\nf()\nf(2)\n",
    "called by others": "def f(seed=1):\n    set_seed(seed)\nfor _ in map(f, range(3)): pass\n",
    "a method's argument": "class A:\n    def f(self, seed=1):\n        set_seed(seed)\nA().f(3)\n",
    "arguments in a list": "def f(seed=1):\n    set_seed(seed)\nf(*[3])\n",
    "an attribute that is stored": "class Cfg:\n    seed = 3\nCfg.seed = 4\nset_seed(Cfg.seed)\n",
    "a dict that is updated": "cfg = {'seed': 3}\ncfg.update(other)\nset_seed(cfg['seed'])\n",
    "set by name": "cfg = make()\nsetattr(cfg, 'seed', 4)\nset_seed(cfg.seed)\n",
}
NONE = {
    "no argument": "import random, numpy\nrandom.seed()\nr = numpy.random.default_rng()\n",
    "none": "import random\nrandom.seed(None)\n",
    "another seed": "plant.seed(3)\nseed(3)\n",
}


@pytest.mark.parametrize("name", KNOWN)
def test_finds(name: str) -> None:
    text, expected = KNOWN[name]
    assert seeds(text)[:1] == [expected]


@pytest.mark.parametrize("name", UNKNOWN)
def test_does_not_guess_the_value(name: str) -> None:
    ((_, value, targets),) = [one for one in seeds(UNKNOWN[name]) if one[0] == "set_seed"]
    assert (value[0], targets) == ("?", ())


@pytest.mark.parametrize("name", NONE)
def test_leaves_alone(name: str) -> None:
    assert seeds(NONE[name]) == []


def test_a_function_of_a_module_may_be_called_from_outside() -> None:
    text = "import random\ndef fix(seed=6):\n    random.seed(seed)\n"
    assert seeds(text, is_script=False) == [("random.seed", "?seed", ())]
