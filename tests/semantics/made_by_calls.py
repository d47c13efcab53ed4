"""Text for a default that a call makes: the text is the argument, and goes through the same call."""

from tests.semantics.case import Case, Refusal, case, refusal

HEAD = """
    import collections, datetime as dt, decimal, fractions, uuid
    import numpy as np
    from datetime import date, datetime, time, timedelta
    from decimal import Decimal
    from enum import Enum
    from typing import Optional, Union

    class Mode(Enum):
        FAST = 1

    class Box:
        def __init__(self, size, *rest, name="b"): self.given = (size, *rest, name)
        def __repr__(self): return f"Box{self.given}"

    def double(items): return items * 2
    """


def made(default: str, text: str, written: str, annotation: str = "") -> Case:
    """``x = default`` with ``x=text``, and as somebody would have written it."""
    script = f"{HEAD}x{annotation} = {default}\n    print(repr(x), type(x))\n"
    return case(f"{annotation} = {default} given {text}".lstrip(": "), script, f"x={text}", (f" = {default}\n", f" = {written}\n"))


def refused(default: str, text: str, *words: str, annotation: str = "") -> Refusal:
    script = f"{HEAD}x{annotation} = {default}\n    print(repr(x), type(x))\n"
    return refusal(f"{annotation} = {default} refuses {text}".lstrip(": "), script, f"x={text}", *words)


CASES = [
    made("np.array([1, 2, 3])", "[4, 5]", "np.array([4, 5])"),
    made("np.array([1, 2], dtype=np.float32)", "(4, 5)", "np.array([4, 5], dtype=np.float32)"),
    made("np.array([i for i in range(3)])", "[4]", "np.array([4])"),
    made("np.float32(0.1)", "0.25", "np.float32(0.25)"), made("np.int64(3)", "1e3", "np.int64(1000)"),
    made("np.array([1, 2])", "None", "None"),
    made("Decimal('0.1')", "0.30", "Decimal('0.30')"), made("decimal.Decimal(1)", "0.5", "decimal.Decimal(0.5)"),
    made("fractions.Fraction(1, 3)", "(2, 5)", "fractions.Fraction(2, 5)"), made("fractions.Fraction('1/3')", "2/5", "fractions.Fraction('2/5')"),
    made("date(2020, 1, 2)", "2021-10-12", "date(2021, 10, 12)"), made("date(2020, 1, 2)", "(2021, 10, 12)", "date(2021, 10, 12)"),
    made("dt.date(year=2020, month=1, day=2)", "2021-10-12", "dt.date(2021, 10, 12)"),
    made("datetime(2020, 1, 2, tzinfo=dt.timezone.utc)", "2021-10-12T08:30:00", "datetime(2021, 10, 12, 8, 30, tzinfo=dt.timezone.utc)"),
    made("datetime(2020, 1, 2)", "2021-10-12", "datetime(2021, 10, 12)"), made("time(10, 30)", "23:59:01", "time(23, 59, 1)"),
    made("date.fromisoformat('2020-01-02')", "2021-10-12", "date.fromisoformat('2021-10-12')"),
    made("date(2020, 1, 2)", "2021-10-12", "date(2021, 10, 12)", ": date"), made("date(2020, 1, 2)", "2021-10-12", "date(2021, 10, 12)", ": Optional[date]"),
    made("date(2020, 1, 2)", "none", "None", ": Optional[date]"),
    made("timedelta(days=1)", "0.5", "timedelta(days=0.5)"), made("timedelta(1)", "3", "timedelta(3)"), made("timedelta(1, 30)", "(2, 5)", "timedelta(2, 5)"),
    made("uuid.UUID('12345678123456781234567812345678')", "00000000-0000-0000-0000-000000000001", "uuid.UUID(int=1)"),
    made("collections.deque([1, 2], maxlen=2)", "[3, 4, 5]", "collections.deque([3, 4, 5], maxlen=2)"),
    made("collections.OrderedDict({'a': 1})", "{'b': 2}", "collections.OrderedDict({'b': 2})"),
    made("range(10)", "3", "range(3)"), made("range(0, 10)", "(2, 4)", "range(2, 4)"),
    made("Box(3)", "4", "Box(4)"), made("Box(3, name='a')", "4", "Box(4, name='a')"), made("Box('a')", "None of it", "Box('None of it')"),
    made("double([1])", "[2]", "double([2])"), made("Box(np.array([1, 2]))", "[3]", "Box(np.array([3]))"), made("Box(Box(Decimal('0.1')), name='a')", "0.2", "Box(Box(Decimal('0.2')), name='a')"),
    made("Box(date(2020, 1, 2))", "2021-10-12", "Box(date(2021, 10, 12))"),
    made("date(2020, 1, 2) if Box else date(2000, 1, 1)", "1", "1"),  # no call: the value itself, as before
    # Look-ups and results: the text is not their argument.
    made("dict(a=1).get('a')", "5", "5"), made("max(1, 2)", "5", "5"), made("np.sqrt(4)", "0.5", "0.5"), made("len('abc')", "7", "7"),
    made("None", "2021-10-12", "date(2021, 10, 12)", ": date"), made("None", "2021-10-12", "date(2021, 10, 12)", ": Optional[dt.date]"),
    made("None", "0.10", "Decimal('0.10')", ": Decimal"), made("None", "1/3", "fractions.Fraction(1, 3)", ": 'fractions.Fraction | None'"),
    made("None", "[1, 2]", "[1, 2]", ": np.ndarray"), made("None", "3", "3", ": Optional[Box]"), made("Mode.FAST", "none", "None", ": Optional[Mode]"),
    made("Mode.FAST", "None", "None"),
    case("a path below a path", """
        import pathlib
        from pathlib import Path
        ROOT = pathlib.Path("/tmp")
        class Args:
            logs = ROOT / "logs" / f"{1 + 1}"
        def main(out=ROOT / "runs"):
            print(repr(out), repr(Args.logs))
        main()
        """, ("main(out)=/data", "Args.logs=None"), ('out=ROOT / "runs"', 'out=Path("/data")'), ('ROOT / "logs" / f"{1 + 1}"', "None")),
    case("an address below an address stays a text", """
        class URL(str):
            def __truediv__(self, other): return URL(f"{self}/{other}")
        ROOT = URL("https://host")
        page = ROOT / "a"
        print(repr(page))
        """, "page=https://host//b", ('ROOT / "a"', "'https://host//b'")),
    case("a generator that gives itself back", """
        class Generator:
            def manual_seed(self, seed): self.seed = seed; return self
            def draw(self, n): return self.seed + n
        gen = Generator().manual_seed(3)
        number = Generator().manual_seed(1).draw(2)
        print(gen.draw(1), number)
        """, ("gen=4", "number=5"), ("manual_seed(3)", "manual_seed(4)"), ("Generator().manual_seed(1).draw(2)", "5")),
    case("every arm gets the new call", """
        import numpy as np
        if np:
            x = np.array([1, 2], dtype=np.int8)
        else:
            x = None
        print(repr(x))
        """, "x=[3]", ("np.array([1, 2], dtype=np.int8)", "np.array([3], dtype=np.int8)")),
    case("in a dict, a class, a default and a local", """
        from decimal import Decimal
        from dataclasses import dataclass, field
        cfg = {"step": Decimal("0.1")}
        @dataclass
        class Args:
            rate: Decimal = Decimal("0.1")
            more: list = field(default_factory=lambda: [1])
        def main(size=Decimal("1")):
            width = Decimal("7")
            print(repr(cfg), Args(), repr(size), repr(width))
        main()
        """, ("cfg.step=0.20", "Args.rate=0.30", "size=0.40", "main.width=0.50"), ('cfg = {"step": Decimal("0.1")}', 'cfg = {"step": Decimal("0.20")}'),
         ('rate: Decimal = Decimal("0.1")', 'rate: Decimal = Decimal("0.30")'), ('size=Decimal("1")', 'size=Decimal("0.40")'), ('Decimal("7")', 'Decimal("0.50")')),
    case("an option", """
        import argparse
        from datetime import date
        p = argparse.ArgumentParser()
        p.add_argument("--day", type=date.fromisoformat, default=date(2020, 1, 2))
        print(p.parse_args())
        """, "day=2021-10-12", ("date(2020, 1, 2)", "date(2021, 10, 12)")),
    case("a call that fails raises in the script's own line", """
        from datetime import date
        d = date(2020, 1, 2)
        print(d)
        """, "d=(2021, 13, 1)", ("date(2020, 1, 2)", "date(2021, 13, 1)"), frames=True),
    case("a data file", f"{HEAD}w = np.array([1])\n    d = date(2020, 1, 2)\n    t = Decimal('1')\n    n = np.array([1])\n    print(repr(w), d, t, n)\n", ("--config", "c.yaml"),
         ("w = np.array([1])", "w = np.array([4, 5])"), ("date(2020, 1, 2)", "date(2021, 10, 12)"), ("Decimal('1')", "Decimal('0.10')"), ("n = np.array([1])", "n = None"),
         files={"c.yaml": "w: [4, 5]\nd: 2021-10-12\nt: 0.10\nn: null\n"}),
    case("the value itself, as it is", f"{HEAD}x = np.array([1, 2])\n    print(repr(x))\n", ("--as-is", "x=[4, 5]"), ("np.array([1, 2])", "[4, 5]")),
    case("a Python config gives the object itself", f"{HEAD}x = np.array([1, 2])\n    print(repr(x))\n", ("--config", "c.py"), ("np.array([1, 2])", "[4, 5]"),
         files={"c.py": "x = [4, 5]\n"}),
]
REFUSALS = [
    refused("np.array([1, 2])", "4", "x=4", "list for np.array", "script.py:16:"),
    refused("date(2020, 1, 2)", "tomorrow", "a date (2020-12-31)"), refused("date(2020, 1, 2)", "2021-13-01", "a date"),
    refused("datetime(2020, 1, 2)", "2021-10-12T00:00:00+02:00", "a date and time"),
    refused("timedelta(days=1)", "1 day", "int for timedelta"), refused("fractions.Fraction(1, 3)", "0.5", "tuple for fractions.Fraction"),
    refused("None", "abc", "np.ndarray", "Python config", annotation=": np.ndarray"), refused("None", "abc", "Box", annotation=": Optional[Box]"),
    refused("None", "abc", "Decimal", annotation=": Decimal"), refused("3", "abc", "int or a literal", annotation=": Union[int, Box]"),
]
