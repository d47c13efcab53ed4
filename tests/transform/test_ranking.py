"""Which parameters a person would tune, and under which heading they stand."""

from __future__ import annotations

import pytest

from kohaku_ast.errors import AmbiguousTarget
from kohaku_ast.transform.find.comments import first_sentence
from kohaku_ast.transform.find.inspection import Inspection, inspect_source
from kohaku_ast.transform.find.parameters import find_parameters
from kohaku_ast.transform.find.source import Source
from kohaku_ast.transform.find.targets import Targets


def inspect(text: str) -> Inspection:
    return inspect_source(Source("script.py", text))


def listed(text: str) -> list[str]:
    return [one.target for one in inspect(text).listed()]


def sections(text: str) -> dict[str, str]:
    return {one.target: one.section for one in inspect(text).listed()}


def helps(text: str) -> dict[str, str]:
    return {one.target: one.help for one in inspect(text).listed()}


PARSER = "p.add_argument('--lr', default=0.1)\nargs = p.parse_args()\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("losses = []\nlosses.append(1)", id="a list that is appended to"),
        pytest.param("def f():\n  h = []\n  h.extend(x)\nf()", id="a local of the entry function"),
        pytest.param("seen = set()\nseen.add(x)", id="a set"),
        pytest.param("seen = {}\nseen[x] = 1", id="a dict by item"),
        pytest.param("h = {'loss': [], 'acc': []}\nh['loss'].append(1)", id="a history"),
        pytest.param("h = dict(loss=[], acc=[])\nh['loss'].append(1)", id="a history by call"),
        pytest.param("rows = list()\nrows += x", id="an empty call, added to"),
        pytest.param("total = 0\ndef f():\n  global total\n  total += 1", id="a counter"),
        pytest.param("n = {'hits': 0}\nn['hits'] += 1", id="a counter in a dict"),
        pytest.param("vocab = {'P': 0, 'i': 1, 'want': 2}", id="a vocabulary by its name"),
        pytest.param("word2idx = {'a': 0, 'b': 1}", id="word2idx"),
        pytest.param("d = {'P': 0, 'i': 1, 'want': 2, 'a': 3, 'b': 4}", id="one by its size"),
        pytest.param("d = {0: 'P', 1: 'i', 2: 'want'}", id="an inverse vocabulary"),
        pytest.param("sentences = ['i want a beer', 'i am the cat']", id="sentences"),
        pytest.param("w = tensor(3, requires_grad=True)", id="a flag of a tensor"),
        pytest.param("w = np.zeros(3, dtype='float32')", id="the type of an array"),
        pytest.param("m = x.mean(axis=0, keepdims=True)", id="axes"),
        pytest.param("d = df.drop('a', axis=1, inplace=True)", id="a data frame's"),
        pytest.param("line = plt.plot(x, color='red', lw=2)", id="a plot"),
        pytest.param("a = axes[0].hist(x, bins=20)", id="a plot on one of several axes"),
        pytest.param("h = sns.heatmap(x, annot=True)", id="seaborn"),
        pytest.param("f = plt.figure(figsize=(3, 4))", id="a figure"),
        pytest.param("nx.draw_networkx_nodes(g, node_size=5)", id="a drawing of a graph"),
        pytest.param("logbook.record(gen=0)", id="what a call reports"),
        pytest.param("rows = sorted(x, reverse=True)", id="an order"),
        pytest.param("p.add_argument('data', help='a folder')", id="how an argument is declared"),
        pytest.param(
            "a = b = ArgumentParser(description='x')", id="how a parser with two names is made"
        ),
    ],
)
def test_is_below_all(text: str) -> None:
    assert listed(text) == []


@pytest.mark.parametrize(
    ("text", "target"),
    [
        pytest.param("losses = []\nlosses.append(1)", "losses", id="accumulator"),
        pytest.param("vocab = {'P': 0, 'i': 1, 'want': 2}", "vocab.want", id="word"),
        pytest.param("w = tensor(3, requires_grad=True)", "w.requires_grad", id="flag"),
    ],
)
def test_what_is_below_all_can_be_overridden(text: str, target: str) -> None:
    found = inspect(text)
    assert Targets(found.source, found.parameters).resolve(target).sites


@pytest.mark.parametrize(
    ("text", "target"),
    [
        pytest.param("exclude = []\nprint(exclude)", "exclude", id="an empty list that is read"),
        pytest.param("tags = ['a']\ntags.append('b')", "tags", id="a list with a start"),
        pytest.param("seed = 0\nprint(seed)", "seed", id="a zero"),
        pytest.param("def f(v=0.0):\n  v += 1\nf()", "f(v)", id="a start that is counted up"),
        pytest.param("cfg = {}\ncfg['lr'] = 1", "cfg", id="a dict that gets a setting"),
        pytest.param("cfg = {'depth': 1, 'width': 2, 'heads': 3}", "cfg.heads", id="small numbers"),
        pytest.param("sizes = {'a': 8, 'b': 16, 'c': 32, 'd': 64, 'e': 9}", "sizes.a", id="sizes"),
        pytest.param("names = ['train', 'val', 'a b']", "names", id="short texts"),
        pytest.param("prompt = 'a photo of a cat'", "prompt", id="a sentence"),
        pytest.param("m = Net(dropout=0.1, bias=True)", "m.bias", id="a layer's"),
        pytest.param("m = load('x', device='cuda')", "m.device", id="a device"),
        pytest.param("p.add_argument('--out', default='o')", "--out", id="an option like out="),
        pytest.param("p.add_argument('--dim', default=8)", "--dim", id="an option like dim="),
        pytest.param(
            "@dataclass\nclass C:\n  axis: int = field(default=1)",
            "C.axis",
            id="a field like axis=",
        ),
        pytest.param(
            "@click.option('--copy', default=1)\ndef main(copy): pass", "--copy", id="of click"
        ),
        pytest.param("plot = Report(color='red')", "plot.color", id="a name like a plot's"),
        pytest.param("def train(lr=0.1): pass\nfire.Fire(train)", "train(lr)", id="given to fire"),
        pytest.param("def a(n=1): pass\nFire({'x': a})", "a(n)", id="given to fire in a dict"),
        pytest.param(
            "def main(lr: float = 0.1): pass\ntyper.run(main)", "main(lr)", id="given to typer"
        ),
        pytest.param(
            "@app.command()\ndef ev(k: int = 5): pass\nif __name__ == '__main__':\n  app()",
            "ev(k)",
            id="a command of typer",
        ),
        pytest.param(
            "import kohaku_ast\n@kohaku_ast.entrypoint\ndef job(n=3): pass\n"
            "if __name__ == '__main__':\n  print()",
            "job(n)",
            id="the marked entrypoint",
        ),
        pytest.param(
            "def main(n=1):\n  lr = 2\ntyro.cli(main)", "main.lr", id="a local of what tyro calls"
        ),
    ],
)
def test_is_a_setting(text: str, target: str) -> None:
    assert target in listed(text)


OPTION = "p.add_argument('--epochs', default=3)\ndef train(epochs=10, wd=0.1): pass\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{PARSER}main.opt = SGD(w, lr=args.lr)", id="an attribute that is stored"),
        pytest.param(f"{PARSER}opt = SGD(w, lr=args.lr)", id="a keyword of a call that is bound"),
        pytest.param(f"{PARSER}m.compile(lr=args.lr)", id="a keyword of a call"),
        pytest.param(
            f"{PARSER}class A:\n  def __init__(self, lr): self.lr = lr", id="an attribute"
        ),
        pytest.param(f"{PARSER}def main():\n  opt = SGD(lr=args.lr)\nmain()", id="in a function"),
    ],
)
def test_an_option_wins_over_what_hands_it_on(text: str) -> None:
    source = Source("script.py", text)
    assert Targets(source, find_parameters(source)).resolve("lr").target == "--lr"


def test_an_option_wins_over_a_default_of_its_name() -> None:
    found = inspect(f"{OPTION}train(1)\n")
    assert [one.short for one in found.listed()] == ["epochs", "wd"]
    targets = Targets(found.source, found.parameters)
    assert targets.resolve("epochs").target == "--epochs"
    assert targets.resolve("train(epochs)").target == "train(epochs)"


@pytest.mark.parametrize(
    "more",
    [
        pytest.param("class A:\n  epochs = 1\n", id="a class attribute"),
        pytest.param("q.add_argument('-e', '--epochs-')\ncfg = {'epochs': 1}\n", id="an entry"),
    ],
)
def test_an_option_does_not_win_over_another_setting(more: str) -> None:
    found = inspect(OPTION + more)
    with pytest.raises(AmbiguousTarget, match="--epochs"):
        Targets(found.source, found.parameters).resolve("epochs")


@pytest.mark.parametrize(
    ("declaration", "default"),
    [
        pytest.param("p.add_argument('--x', action='store_true')", "False", id="store_true"),
        pytest.param("p.add_argument('--x', action='store_false')", "True", id="store_false"),
        pytest.param(
            "p.add_argument('--x', action='store_true', default=None)", "None", id="written"
        ),
        pytest.param("@click.option('--x', is_flag=True)\ndef f(): pass", "False", id="click"),
        pytest.param("@click.option('--x', is_flag=True, flag_value=3)\ndef f(): pass", "", id="value"),
        pytest.param("p.add_argument('--x', action='store_true')\np.set_defaults(x=True)", "", id="set"),
        pytest.param("p.add_argument('--x', action='store_true')\np.set_defaults(**d)", "", id="set by a name"),
        pytest.param("p = P(argument_default=S)\np.add_argument('--x', action='store_true')", "", id="of the parser"),
        pytest.param("p.add_argument('--x', action='count')", "", id="a counter"),
        pytest.param("p.add_argument('--x')", "", id="a value"),
    ],
)  # fmt: skip
def test_the_default_of_a_flag(declaration: str, default: str) -> None:
    (option,) = [one for one in inspect(declaration).parameters if one.target == "--x"]
    assert option.default == default


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Step size. Default: 0.1", "Step size.", id="two sentences"),
        pytest.param("Really? Yes.", "Really?", id="a question"),
        pytest.param("one word", "one word", id="no end"),
        pytest.param("One sentence.", "One sentence.", id="one with its end"),
        pytest.param("uses e.g. Adam", "uses e.g. Adam", id="e.g."),
        pytest.param("see Fig. 3 of the paper", "see Fig. 3 of the paper", id="a figure"),
        pytest.param("between 0.1 and 0.5", "between 0.1 and 0.5", id="numbers"),
        pytest.param("at x.Y or a.b", "at x.Y or a.b", id="dotted names"),
        pytest.param("rate. lower is better", "rate. lower is better", id="goes on in lower case"),
        pytest.param("by J. Smith. Old.", "by J. Smith.", id="initials"),
        pytest.param("学习率。默认 0.1", "学习率。", id="Chinese"),
    ],
)
def test_help_ends_after_its_first_sentence(text: str, expected: str) -> None:
    assert first_sentence(text) == expected


def test_the_help_of_an_option_is_cut_over_its_lines() -> None:
    text = "p.add_argument('--x', help='''Step\n  size. And\n  more.''')"
    assert helps(text) == {"--x": "Step size."}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("# ---- trainer ----\nimport os\nlr = 1", id="above the imports"),
        pytest.param("# ---- trainer ----\n\nfrom a import b\n\nlr = 1", id="with blank lines"),
        pytest.param(
            "# trainer\n# -------\n'''doc'''\nimport os\nlr = 1", id="above the docstring"
        ),
        pytest.param("#### trainer\nimport os\nimport sys\nlr = 1", id="above two imports"),
        pytest.param("# Title: a trainer\nimport os\nlr = 1\n", id="a plain comment"),
        pytest.param("# ---- trainer ----\nfrom __future__ import x\nlr = 1", id="future"),
    ],
)
def test_a_heading_above_the_imports_belongs_to_nothing(text: str) -> None:
    assert (sections(text), helps(text)) == ({"lr": ""}, {"lr": ""})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("# Numbers\nlr = 1\nwd = 2", {"lr": "Numbers", "wd": "Numbers"}, id="two"),
        pytest.param("# Numbers:\nlr = 1\nwd = 2", {"lr": "Numbers", "wd": "Numbers"}, id="a colon"),
        pytest.param("# Numbers\nlr = 1\nwd = 2\n\nn = 3", {"lr": "Numbers", "wd": "Numbers", "n": ""}, id="to a blank line"),
        pytest.param("# Numbers\nlr = 1\nwd = 2\nprint()\nn = 3", {"lr": "Numbers", "wd": "Numbers", "n": ""}, id="to another statement"),
        pytest.param("# a b\nlr = 1\nwd = 2\n# c d\nn = 3\nm = 4", {"lr": "a b", "wd": "a b", "n": "c d", "m": "c d"}, id="to the next comment"),
        pytest.param("# ---- model ----\n# size\nw = 1\nd = 2\n\np = 3", {"w": "size", "d": "size", "p": "model"}, id="in a section"),
        pytest.param("class A:\n  # size\n  w = 1\n  d: int = 2", {"A.w": "size", "A.d": "size"}, id="in a class"),
        pytest.param("c = N(\n  # size\n  w=1,\n  d=2,\n)", {"c.w": "size", "c.d": "size"}, id="keywords"),
        pytest.param("c = {\n  # size\n  'w': 1,\n  'd': 2,\n}", {"c": "", "c.w": "size", "c.d": "size"}, id="entries"),
        pytest.param("# size\np.add_argument('--w', default=1)\np.add_argument('--d', default=2)", {"--w": "size", "--d": "size"}, id="options"),
        pytest.param("# size\nw = [\n  1,\n]\nd = 2", {"w": "size", "d": "size"}, id="over several lines"),
    ],
)  # fmt: skip
def test_a_comment_above_a_run_heads_it(text: str, expected: dict[str, str]) -> None:
    assert sections(text) == expected
    assert not any(helps(text).values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("# the rate\nlr = 1", {"lr": "the rate"}, id="one alone"),
        pytest.param("# the rate\nlr = 1\n\nwd = 2", {"lr": "the rate", "wd": ""}, id="a blank line"),
        pytest.param("# learning rate\nlr = 1\nwd = 2", {"lr": "learning rate", "wd": ""}, id="first letters"),
        pytest.param("# size of a batch\nbatch_size = 1\nwd = 2", {"batch_size": "size of a batch", "wd": ""}, id="words of the name"),
        pytest.param("# number of epochs\nepochs = 1\nwd = 2", {"epochs": "number of epochs", "wd": ""}, id="the name and more"),
        pytest.param("# a b\nlr = 1\n# c d\nwd = 2", {"lr": "a b", "wd": "c d"}, id="each its own"),
        pytest.param("# the rate\nlr = 1\nprint()", {"lr": "the rate"}, id="a call below"),
        pytest.param("lr = 1\nprint()\n# too fast\nlr = 0.1\nwd = 2", {"lr": "", "wd": ""}, id="above a change"),
    ],
)  # fmt: skip
def test_a_comment_above_one_definition_is_its_help(text: str, expected: dict[str, str]) -> None:
    assert helps(text) == expected
    assert not any(sections(text).values())


def test_a_run_below_a_comment_keeps_its_own_helps() -> None:
    text = "# Numbers\nlr = 1  # rate\nwd = 2  # decay"
    assert helps(text) == {"lr": "rate", "wd": "decay"}
    assert set(sections(text).values()) == {"Numbers"}
