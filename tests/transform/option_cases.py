"""Small scripts, one a library, whose options are compared with what the library itself takes."""

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    #: What the script needs to run at all.
    base: str
    text: str
    #: Names that are found though the library takes them only where two names meet, or takes
    #: them in a way that its exit status does not show.
    odd: str = ""


ARGPARSE = """
import argparse
def helper(depth=3): ...
parser = argparse.ArgumentParser()
parser.add_argument("path")
parser.add_argument("-l", "--lr", default="x")
parser.add_argument("-n", "--steps-per-epoch")
parser.add_argument("--pair", nargs=2)
parser.add_argument("--maybe", nargs="?")
parser.add_argument("--many", nargs="*")
parser.add_argument("--more", nargs="+")
parser.add_argument("--rest", nargs=argparse.REMAINDER)
parser.add_argument("--tag", action="append")
parser.add_argument("--extended", action="extend", nargs=argparse.ONE_OR_MORE)
parser.add_argument("-v", "--verbose", action="count")
parser.add_argument("-q", action="store_true")
parser.add_argument("--no-cache", dest="cache", action="store_false")
parser.add_argument("--fast", dest="mode", action="store_const", const=1)
parser.add_argument("--also", dest="mode", action="append_const", const=1)
parser.add_argument("--amp", action=argparse.BooleanOptionalAction)
parser.add_argument("-single")
parser.add_argument("--version", action="version", version="1")
print(parser.parse_args())
"""

ARGPARSE_EXACT = """
from argparse import ArgumentParser, SUPPRESS
parser = ArgumentParser(allow_abbrev=False, add_help=False)
group = parser.add_argument_group("x").add_mutually_exclusive_group()
group.add_argument("--learning-rate", type=float, default=0.1, help="not --rate")
group.add_argument("--momentum", dest="m", default=SUPPRESS)
print(parser.parse_args())
"""

OPTPARSE = """
import optparse
parser = optparse.OptionParser(version="1")
parser.add_option("-l", "--lr")
parser.add_option("--size", nargs=2, type="int")
parser.add_option("-v", "--verbose", action="store_true")
options, args = parser.parse_args()
if args:
    parser.error("no words")
"""

GETOPT = """
import getopt, sys
try:
    options, args = getopt.getopt(sys.argv[1:], "ho:v", ["help", "output=", "level="])
except getopt.GetoptError:
    sys.exit(2)
sys.exit(2 if args else 0)
"""

CLICK = """
import click
def helper(depth=3): ...
@click.command()
@click.argument("path")
@click.option("--lr", "-l")
@click.option("-n", "--steps", "count")
@click.option("--size", nargs=2, type=int)
@click.option("--pair", type=(int, str))
@click.option("--verbose", "-v", count=True)
@click.option("--fast", is_flag=True)
@click.option("--upper", "case", flag_value="upper")
@click.option("--shout/--no-shout", " /-S", default=False)
@click.option("--tag", multiple=True)
@click.option("--real", type=bool)
@click.version_option("1")
def main(**given):
    print(given)
main()
"""

ABSL = """
from absl import app, flags
flags.DEFINE_float("lr", 0.1, "help")
flags.DEFINE_integer(name="steps", default=3, help="help", short_name="s")
flags.DEFINE_bool("amp", False, "help")
flags.DEFINE_boolean("loud", True, "help")
flags.DEFINE_list("tags", [], "help")
flags.DEFINE_multi_string("names", [], "help")
flags.DEFINE_alias("rate", "lr")
def main(argv):
    if len(argv) > 1:
        raise app.UsageError("no words")
app.run(main)
"""

TYPER = """
from typing import Annotated, List, Optional, Tuple
import typer
app = typer.Typer(add_completion=False)
def helper(depth: int = 3): ...
@app.command()
def main(
    ctx: typer.Context,
    name: str,
    learning_rate: float = 0.1,
    amp: bool = False,
    loud: Optional[bool] = None,
    tags: List[str] = ["a"],
    size: Tuple[int, str] = (1, "2"),
    rate: float = typer.Option(0.1, "--pace", "-p"),
    path: str = typer.Argument("x"),
    force: Annotated[bool, typer.Option("--force")] = False,
    verbose: Annotated[int, typer.Option("--verbose", "-v", count=True)] = 0,
    sure: Annotated[bool, typer.Option("--yes/--nope", "-y/-N")] = False,
    needed: int = typer.Option(...),
    also: Annotated[int, typer.Option()] = 1,
    plain=3,
    flag=False,
):
    print(locals())
if __name__ == "__main__":
    app()
"""

TYPER_RUN = """
import typer
def helper(depth: int = 3): ...
def train(lr: float = 0.1, use_amp: bool = True): ...
typer.run(train)
"""

FIRE = """
import fire
def helper(depth=3): ...
def train(lr=0.1, use_amp=False, batch_size=3, best=1, *, name="x"): ...
if __name__ == "__main__":
    fire.Fire(train)
"""

TYRO = """
from dataclasses import dataclass, field
from typing import Annotated, Literal, Optional
import tyro
@dataclass
class Optimizer:
    lr: float = 0.1
    use_amp: bool = False
@dataclass
class Base:
    seed: int = 0
    hidden: int = field(default=3, init=False)
@dataclass
class Args(Base):
    run_name: str = "x"
    opt: Optimizer = field(default_factory=Optimizer)
    sizes: tuple[int, ...] = (1, 2)
    pair: tuple[int, int] = (1, 2)
    many: list[int] = field(default_factory=list)
    kind: Literal["1", "2"] = "1"
    maybe: Optional[int] = None
    verbose: bool = True
    width: Annotated[int, tyro.conf.arg(name="breadth", aliases=["-w"])] = 3
    first: tyro.conf.Positional[int] = 3
    tag: "int | None" = None
print(tyro.cli(Args))
"""

TYRO_FUNCTION = """
import tyro
def main(lr: float, /, *, steps_per_epoch: int = 3, amp: bool = False) -> None: ...
tyro.cli(main)
"""

SIMPLE_PARSING = """
from dataclasses import dataclass, field
from simple_parsing import ArgumentParser
@dataclass
class Inner:
    rate: float = 0.1
@dataclass
class Args:
    run_name: str = "x"
    inner: Inner = field(default_factory=Inner)
    amp: bool = False
    many: list[int] = field(default_factory=list)
    pair: tuple[int, int] = (1, 2)
parser = ArgumentParser()
parser.add_arguments(Args, dest="args")
parser.add_argument("--steps", type=int)
print(parser.parse_args())
"""

BY_HAND = """
import sys
lr = 0.1
if "--fast" in sys.argv:
    lr = 1
sys.exit(2 if [one for one in sys.argv[1:] if one != "--fast"] else 0)
"""

CASES = {
    "argparse": Case("x", ARGPARSE),
    "argparse without abbreviations": Case("", ARGPARSE_EXACT),
    "optparse": Case("", OPTPARSE),
    "getopt": Case("", GETOPT),
    "click": Case("x", CLICK),
    "absl": Case(
        "",
        ABSL,
        "--help --helpfull --helpshort --helpxml -? --only_check_args --logger_levels "
        "--run_with_pdb --pdb --pdb_post_mortem --nohelp",
    ),
    # Before 0.25 typer made no flag of a False without annotation.
    "typer": Case("x y --needed 1", TYPER, "--flag --no-flag"),
    "typer run": Case("", TYPER_RUN),
    "fire": Case("", FIRE),
    "tyro": Case("1", TYRO),
    "tyro function": Case("1", TYRO_FUNCTION),
    "simple_parsing": Case("", SIMPLE_PARSING, "--inner.rate --noamp"),
    "sys.argv": Case("", BY_HAND),
}
