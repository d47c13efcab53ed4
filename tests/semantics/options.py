"""Options of argparse, click and absl."""

from typing import Any

from tests.semantics.case import case

PARSER = """
    import argparse
    parser = argparse.ArgumentParser(prog="p")
    {}
    print(parser.parse_args())
    """


def parser(id_: str, declared: Any, arguments: Any, *edits: Any, argv: Any=(), same: Any=False) -> Any:
    return case(id_, PARSER.format(declared), arguments, *edits, argv=argv, same=same)


CASES = [
    parser("an option by its other flag", 'parser.add_argument("--learning-rate", "--lr", dest="eta", type=float, default=0.1)', "lr=3", ("0.1", "3.0")),
    parser("an option by its dest", 'parser.add_argument("--learning-rate", "--lr", dest="eta", type=float, default=0.1)', "eta=3", ("0.1", "3.0")),
    parser("a switch by its other flag", 'parser.add_argument("--cache", "--keep-it", action="store_true")', "keep_it=yes", ('"store_true"', '"store_true", default=True')),
    case("an option of click by the name of its parameter", """
        import click
        @click.command()
        @click.option("--learning-rate", "--lr", "eta", default=0.1)
        def main(eta): print(eta)
        main()
        """, "eta=3", ("0.1", "3.0")),
    case("an option of click by its other flag", """
        import click
        @click.command()
        @click.option("--learning-rate", "--lr", "eta", default=0.1)
        def main(eta): print(eta)
        main()
        """, "lr=3", ("0.1", "3.0")),
    parser("a required option", 'parser.add_argument("--n", type=int, required=True)', "--n=3", ("required=True", "default=3")),
    parser("a required option that is given", 'parser.add_argument("--n", type=int, required=True)', "--n=3",
           ("required=True", "default=3"), argv=("--n", "4"), same=True),
    parser("an option without default", 'parser.add_argument("--n", "-n", type=float)', "-n=3", ("float", "float, default=3.0")),
    parser("choices", 'parser.add_argument("--opt", choices=["a", "b"], default="a")', "--opt=b", ('default="a"', 'default="b"')),
    parser("choices of numbers", 'parser.add_argument("--n", type=int, choices=[1, 2], default=1)', "--n=2", ("default=1", "default=2")),
    parser("several values", 'parser.add_argument("--n", nargs="+", type=int, default=[1])', "--n=[2,3]", ("[1]", "[2, 3]")),
    parser("several values without default", 'parser.add_argument("--n", nargs=2, type=int)', "--n=[2,3]", ("type=int", "type=int, default=[2, 3]")),
    parser("store_true", 'parser.add_argument("--fast", action="store_true")', "--fast=yes", ('"store_true"', '"store_true", default=True')),
    parser("store_const given 7", 'parser.add_argument("--const", action="store_const", const=5)', "const=7", ("const=5", "const=5, default=7")),
    parser("store_const given 0.5", 'parser.add_argument("--const", action="store_const", const=5)', "const=0.5", ("const=5", "const=5, default=0.5")),
    parser("store_const given [1, 2]", 'parser.add_argument("--const", action="store_const", const=5)', "--const=[1, 2]", ("const=5", "const=5, default=[1, 2]")),
    parser("store_const given abc", 'parser.add_argument("--const", action="store_const", const=5)', "const=abc", ("const=5", "const=5, default='abc'")),
    parser("store_const with a default", 'parser.add_argument("--const", action="store_const", const=5, default=1)', "const=7", ("default=1", "default=7")),
    parser("store_false with dest", 'parser.add_argument("--no-x", dest="x", action="store_false")', "x=no", ('"store_false"', '"store_false", default=False')),
    parser("store_false by its flag", 'parser.add_argument("--no-x", dest="x", action="store_false")', "--no-x=yes", ('"store_false"', '"store_false", default=False')),
    parser("store_false by its flag, not set", 'parser.add_argument("--no-x", dest="x", action="store_false", default=False)', "--no-x=no", ("default=False", "default=True")),
    parser("store_false without dest", 'parser.add_argument("--no-x", action="store_false")', "no_x=no", ('"store_false"', '"store_false", default=False')),
    parser("flags for on and off", 'parser.add_argument("--no-x", dest="x", action="store_false"); parser.add_argument("--x", action="store_true")', "x=no",
           ('"store_false"', '"store_false", default=False')),
    parser("the second option of one attribute", 'parser.add_argument("--one", dest="n", type=int, default=1); parser.add_argument("--two", dest="n", type=int, default=2)',
           "--two=3", ("default=1", "default=3")),
    parser("two options of one attribute by its name", 'parser.add_argument("--one", dest="n", action="store_const", const=1); parser.add_argument("--two", dest="n", action="store_const", const=2, default=7)',
           "n=3", ("const=1", "const=1, default=3")),
    parser("two options of one attribute, one in a group",
           'group = parser.add_mutually_exclusive_group(); parser.add_argument("--one", dest="n", type=int, default=1); group.add_argument("--two", dest="n", type=int, default=2)',
           "--two=3", ("default=1", "default=3")),
    parser("a flag for off after the one for on", 'parser.add_argument("--gpu", dest="gpu", action="store_true"); parser.add_argument("--cpu", dest="gpu", action="store_false")',
           "--cpu=no", ('"store_true"', '"store_true", default=True')),
    case("options of one attribute in two parsers", """
        import argparse
        parser = argparse.ArgumentParser(prog="p")
        commands = parser.add_subparsers()
        one = commands.add_parser("fit")
        one.add_argument("--fit-lr", dest="lr", default=0.1)
        one = commands.add_parser("eval")
        one.add_argument("--eval-lr", dest="lr", default=0.2)
        print(parser.parse_args(["fit"]), parser.parse_args(["eval"]))
        """, "--eval-lr=3", ("default=0.2", "default=3.0")),
    *(case(f"click: options of one parameter, {given}", """
        import click
        @click.command()
        @click.option("--one", "n", default=1)
        @click.option("--two", "n", default=2)
        def main(n): print(n)
        @click.command()
        @click.option("--three", "n", default=1)
        def other(n): print(n)
        other(standalone_mode=False)
        main()
        """, given, ('"n", default=2', '"n", default=5')) for given in ("--one=5", "--two=5")),
    case("click: flags with values of their own", """
        import click
        @click.command()
        @click.option("--upper", "how", flag_value="upper")
        @click.option("--lower", "how", flag_value="lower", default="lower")
        def main(how): print(how)
        main()
        """, "how=upper", ('default="lower"', 'default="upper"')),
    case("click: a flag for off", """
        import click
        @click.command()
        @click.option("--no-x", "x", is_flag=True, flag_value=False, default=True)
        def main(x): print(x)
        main()
        """, "x=no", ("default=True", "default=False")),
    case("absl: a flag for off", """
        from absl import app, flags
        flags.DEFINE_bool("x", True, "x")
        app.run(lambda argv: print(flags.FLAGS.x))
        """, "x=no", ("True,", "False,")),
    parser("an option without type takes a float", 'parser.add_argument("--n", default=1)', "n=0.5", ("default=1", "default=0.5")),
    parser("a boolean pair", 'parser.add_argument("--fast", action=argparse.BooleanOptionalAction, default=False)', "fast=on", ("default=False", "default=True")),
    parser("append", 'parser.add_argument("--tag", action="append", default=[])', "--tag=['a']", ("[]", "['a']")),
    parser("count", 'parser.add_argument("-v", action="count", default=0)', "-v=3", ("default=0", "default=3")),
    parser("a type of one's own", 'parser.add_argument("--n", type=lambda s: [int(p) for p in s.split(",")], default="1,2")', "--n='3,4'", ('"1,2"', '"3,4"')),
    parser("a default that is not on the line", 'parser.add_argument(\n        "--n",\n        type=int,\n        default=1,  # one\n        help="n",\n    )', "--n=3",
           ("default=1,", "default=3,")),
    parser("a trailing comma and a comment", 'parser.add_argument(\n        "--n",\n        type=int,  # a, b\n    )', "--n=3", ("type=int,", "type=int, default=3,")),
    parser("a comment with a comma and no trailing one", 'parser.add_argument(\n        "--n",\n        type=(int)  # a, b\n    )', "--n=3", ("type=(int)", "type=(int), default=3")),
    parser("set_defaults over it", 'parser.add_argument("--n", type=int, default=1); parser.set_defaults(n=2)', "--n=3", ("n=2", "n=3")),
    parser("set_defaults by dest", 'parser.add_argument("--n-max", type=int, dest="top", default=1); parser.set_defaults(top=2)', "--n-max=3", ("top=2", "top=3")),
    parser("a suppressed default", 'parser.add_argument("--n", type=int, default=argparse.SUPPRESS)', "--n=3", ("argparse.SUPPRESS", "3")),
    parser("a group", 'group = parser.add_argument_group("g"); group.add_argument("--n", type=int, default=1)', "n=3", ("default=1", "default=3")),
    parser("an exclusive group", 'g = parser.add_mutually_exclusive_group(); g.add_argument("--a", default=1, type=int); g.add_argument("--b", type=int)', ("--b=3",),
           ('"--b", type=int', '"--b", type=int, default=3')),
    parser("a default that is None", 'parser.add_argument("--n", type=int, default=None)', "--n=3", ("default=None", "default=3")),
    *(parser(f"text for an option without a type: {text}", 'parser.add_argument("--name", default=None)', f"--name={text}", ("default=None", f"default={text!r}")) for text in ("3", "true", "[1, 2]", "x")),
    parser("None by text", 'parser.add_argument("--n", type=int, default=None); parser.add_argument("--m", type=int)', ("--m=4", "--n=None"), ('"--m", type=int', '"--m", type=int, default=4')),
    parser("text with a type", 'parser.add_argument("--name", type=str, default=None)', "--name=007", ("default=None", 'default="007"')),
    parser("a path", 'from pathlib import Path; parser.add_argument("--out", type=Path, default=Path("a"))', "--out=b/c", ('"a"', '"b/c"')),
    case("options of subcommands", """
        import argparse
        def build():
            p = argparse.ArgumentParser(prog="p")
            sub = p.add_subparsers(dest="cmd", required=True)
            a = sub.add_parser("train")
            a.add_argument("--n", type=int, default=1)
            b = sub.add_parser("test")
            b.add_argument("--n", type=int, default=2)
            return p
        if __name__ == "__main__":
            print(build().parse_args())
        """, "--n=5", ("default=1", "default=5"), ("default=2", "default=5"), argv=("test",)),
    case("a parser that is never built", """
        import argparse
        def build():
            p = argparse.ArgumentParser()
            p.add_argument("--n", default=1)
        print("x")
        """, "--n=5", ("default=1", "default=5"), warned=("--n",), same=True),
    case("click: multiple, flag, prompt, pair, name", """
        import click
        @click.command()
        @click.option("--tag", multiple=True, default=["a"])
        @click.option("--fast", is_flag=True)
        @click.option("--shout/--no-shout", " /-S", default=False)
        @click.option("-n", "--n-times", "count", default=1, show_default=True)
        @click.option("--must", required=True, type=float)
        @click.option("-v", "--verbose", count=True)
        @click.option("--kind", type=click.Choice(["a", "b"]), default="a")
        def main(**given): print(sorted(given.items()))
        main()
        """, ("--tag=['b','c']", "--fast=yes", "--shout=1", "--n-times=4", "--must=2", "--kind=b", "-v=2"),
         ('["a"]', '["b", "c"]') if 0 else ('multiple=True, default=["a"]', 'multiple=True, default=["b", "c"]'), ("is_flag=True", "is_flag=True, default=True"),
         ("default=False", "default=True"), ("default=1", "default=4"), ("required=True", "default=2.0"), ('default="a"', 'default="b"'),
         ("count=True", "count=True, default=2")),
    case("click: an explicit argument wins", """
        import click
        @click.command()
        @click.option("--n", type=int, required=True)
        def main(n): print(n)
        main()
        """, "--n=3", ("required=True", "default=3"), argv=("--n", "4"), same=True),
    case("absl: every kind", """
        from absl import app, flags
        flags.DEFINE_float("lr", 0.1, "rate")
        flags.DEFINE_integer("n", None, "count", lower_bound=0)
        flags.DEFINE_string("name", None, "text", required=True)
        flags.DEFINE_bool("fast", False, "quick")
        flags.DEFINE_enum("kind", "a", ["a", "b"], "which")
        flags.DEFINE_list("xs", ["a"], "items")
        flags.DEFINE_multi_integer("ns", [1], "numbers")
        flags.DEFINE_string(name="word", default="w", help="by keyword")
        F = flags.FLAGS
        def main(_): print(F.lr, F.n, F.name, F.fast, F.kind, F.xs, F.ns, F.word)
        app.run(main)
        """, ("--lr=1", "--n=3", "--name=x", "--fast=yes", "--kind=b", "--xs=['b']", "--ns=[2,3]", "--word=v"),
         ("0.1", "1.0"), ('"n", None', '"n", 3'), ('"name", None, "text", required=True', '"name", "x", "text", required=False'),
         ("False, \"quick\"", "True, \"quick\""), ('"a", ["a", "b"]', '"b", ["a", "b"]'), ('["a"], "items"', '["b"], "items"'), ("[1]", "[2, 3]"),
         ('default="w"', 'default="v"')),
    case("absl: marked as required, and given", """
        from absl import app, flags
        N = flags.DEFINE_integer("n", None, "count")
        flags.mark_flag_as_required("n")
        app.run(lambda _: print(N.value))
        """, "--n=3", ("None", "3")),
    case("options in a loop and in a class", """
        import argparse
        class Cli:
            def __init__(self):
                self.p = argparse.ArgumentParser()
                self.p.add_argument("--depth", type=int, default=1)
        print(Cli().p.parse_args())
        """, "depth=4", ("default=1", "default=4")),
    case("an option and a global of one name", """
        import argparse
        p = argparse.ArgumentParser()
        p.add_argument("--lr", type=float, default=0.1)
        args = p.parse_args()
        lr = args.lr
        print(args, lr)
        """, "lr=5", ("lr = args.lr", "lr = 5")),
    case("what was parsed", """
        import argparse
        p = argparse.ArgumentParser()
        p.add_argument("--lr", type=float, default=0.1)
        args = p.parse_args()
        print(args)
        """, "args.lr=5", ("p.parse_args()", "p.parse_args(); args.lr = 5.0"), argv=("--lr", "3")),
    case("a flag of absl, as the script reads it", """
        from absl import app, flags
        FLAGS = flags.FLAGS
        flags.DEFINE_integer("steps", 5, "Steps.")
        def main(argv): print(FLAGS.steps)
        app.run(main)
        """, "FLAGS.steps=7", ('"steps", 5', '"steps", 7')),
    case("a file gives the parsers defaults", """
        import argparse, json
        parser = argparse.ArgumentParser()
        parser.add_argument("--lr", type=float, default=0.1)
        parser.add_argument("--weight-decay", type=float, default=0.2)
        def parse():
            with open("x.json") as f:
                parser.set_defaults(**json.load(f))
            return parser.parse_args()
        print(parser.parse_args([]))
        print(parse())
        """, ("lr=3", "weight_decay=4"), ("0.1", "3.0"), ("0.2", "4.0"), files={"x.json": '{"lr": 0.5}'}, warned=("--lr",)),
    case("something else has a set_defaults", """
        import argparse
        class Plot:
            def set_defaults(self, **more): print(more)
        parser = argparse.ArgumentParser()
        parser.add_argument("--lr", type=float, default=0.1)
        plot = Plot()
        plot.set_defaults(**{"lr": 3})
        print(parser.parse_args())
        """, "lr=5", ("0.1", "5.0")),
    case("a loop sets attributes of what was parsed", """
        import argparse, json
        p = argparse.ArgumentParser()
        p.add_argument("--lr", type=float, default=0.1)
        p.add_argument("--wd", type=float, default=0.2)
        args, rest = p.parse_known_args()
        print(args)
        for key, value in json.load(open("x.json")).items():
            setattr(args, key, value)
        print(args)
        """, ("lr=3", "wd=4"), ("0.1", "3.0"), ("0.2", "4.0"), files={"x.json": '{"lr": 0.5}'}, warned=("--lr",)),
    case("what a function has parsed is updated", """
        import argparse, json
        def get_args():
            p = argparse.ArgumentParser()
            p.add_argument("--lr", type=float, default=0.1)
            p.add_argument("--wd", type=float, default=0.2)
            return p.parse_args()
        def main():
            opt = get_args()
            print(opt)
            if opt.lr:
                opt.__dict__.update(json.load(open("x.json")))
            print(opt)
        main()
        """, ("lr=3", "wd=4"), ("0.1", "3.0"), ("0.2", "4.0"), files={"x.json": '{"lr": 0.5}'}, warned=("--lr",)),
    case("what was parsed is updated with equal values", """
        import argparse
        p = argparse.ArgumentParser()
        p.add_argument("--lr", type=float, default=0.1)
        args = p.parse_args()
        vars(args).update(lr=args.lr, more=1)
        print(args)
        """, "lr=3", ("0.1", "3.0")),
    case("what was parsed gets a computed value", """
        import argparse
        p = argparse.ArgumentParser()
        p.add_argument("--bs", type=int, default=0)
        p.add_argument("--n", type=int, default=4)
        p.add_argument("--device", default="a")
        p.add_argument("--lr", type=float, default=None)
        args = p.parse_args()
        print(args)
        args.bs = 8 * args.n
        args.device = args.device.upper()
        if args.lr is None:
            args.lr = 0.1
        print(args)
        """, ("bs=3", "n=2", "device=b", "lr=None"), ("default=0", "default=3"), ("default=4", "default=2"), ('"a"', '"b"'), warned=("--bs",)),
]
