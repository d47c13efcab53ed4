"""Programs as files: how their bytes become text, and where they lie."""

from __future__ import annotations

from pathlib import Path

from tests.fidelity.probes import Probe, assert_like_python, probes, run_kogine, run_plain

SHOW = "\nimport sys\nprint(sys.argv, __file__, sys.path[0])\n"
FAIL = "\ndef f():\n    return 'é' + 1\nf()\n"


def _latin(text: str) -> bytes:
    return text.encode("latin-1")


CONTENTS = [
    Probe("utf-8", "# é\nprint('é', len('é'))" + FAIL),
    Probe("utf-8 with a cookie", "# -*- coding: utf-8 -*-\nprint('é')" + FAIL),
    Probe("byte order mark", b"\xef\xbb\xbfunrelated = 1\nprint('\xc3\xa9')\n1 / 0\n"),
    Probe("byte order mark and cookie", b"\xef\xbb\xbf# coding: utf-8\nunrelated = 1\nprint('\xc3\xa9')\n"),
    Probe("latin-1", _latin("# coding: latin-1\nunrelated = 1\nprint('é')" + FAIL)),
    Probe("latin-1 in the second line", _latin("#!/usr/bin/python\n# vim: set fileencoding=latin-1 :\nunrelated = 1\nprint('é')\n")),
    Probe("cookie after code", "unrelated = 1\n# coding: latin-1\nprint('é')\n"),
    Probe("cp1252", "# coding: cp1252\nunrelated = 1\nprint('€')\n1 / 0  # €\n".encode("cp1252")),
    Probe("shift jis", "# coding: shift_jis\nunrelated = 1\nprint('日本')\n1 / 0  # 日\n".encode("shift_jis")),
    Probe("crlf", b"unrelated = 1\r\ntext = '''a\r\nb'''\r\nprint(repr(text))\r\ndef f():\r\n    1 / 0\r\nf()\r\n"),
    Probe("cr", b"unrelated = 1\rprint('x')\rdef f():\r    return 1\rprint(f())\r"),
    Probe("newlines of all kinds", b"unrelated = 1\r\nprint('x')\rprint('y')\nprint('z')"),
    Probe("crlf and a backslash", b"unrelated = 1\r\nx = 1 + \\\r\n  2\r\nprint(x)\r\n"),
    Probe("form feed", b"unrelated = 1\n\x0c\ndef f():\n    return 1\n\x0cprint(f())\n1 / 0\n"),
    Probe("tabs", b"unrelated = 1\nif unrelated:\n\tprint(1)\n\tif 2:\n\t\t1 / 0\n"),
    Probe("no final newline", b"unrelated = 1\nprint('end')"),
    Probe("no final newline in a block", b"unrelated = 1\nif unrelated:\n    print('end')"),
    Probe("comment at the end", b"unrelated = 1\nprint('end') # end"),
    Probe("blank lines at the end", b"unrelated = 1\nprint('end')\n\n   \n\t\n"),
    Probe("the override alone", b"unrelated = 1"),
    Probe("the override alone with a semicolon", b"unrelated = 1;"),
    Probe("blanks in odd places", b"unrelated  =   1   ;  print ( unrelated )  ;x=2\n1 /0\n"),
    Probe("a backslash at the override", b"unrelated = \\\n    1\nprint(unrelated)\n1 / 0\n"),
    Probe("parentheses at the override", b"unrelated = (\n    1  # one\n)\nprint(unrelated)\n1 / 0\n"),
    Probe("a comment that ends in a backslash", b"unrelated = 1 # \\\nprint(unrelated)\n"),
    Probe("line separator in a text", "unrelated = 1; x = 'a\u2028b\x85c\x1cd'; 1 / 0\n".encode()),
    Probe("line of ten thousand letters", b"unrelated = 1\nx = '" + b"a" * 10000 + b"'; 1 / 0\n"),
    Probe("ten thousand lines", b"unrelated = 1\n" + b"x = 1\n" * 10000 + b"1 / 0\n"),
    Probe("shebang", b"#!/usr/bin/env python\nunrelated = 1\nprint(__doc__)\n"),
    Probe("a surrogate in a text", b"unrelated = 1\nprint(ascii('\\ud800'))\n"),
    Probe("a null byte in a text", b"unrelated = 1\nprint(len('\\0'))\n"),
    Probe("names of other letters", "unrelated = 1\nÅ = 2\nﬁ = 3\nprint(sorted(globals())[-3:], fi)\n".encode()),
]  # fmt: skip

# These never begin to run.
MISTAKES = [
    Probe("byte order mark and another cookie", b"\xef\xbb\xbf# coding: latin-1\nunrelated = 1\n"),
    Probe("cookie in the third line", _latin("\n\n# coding: latin-1\nunrelated = 1\nprint('é')\n")),
    Probe("unknown encoding", b"# coding: nothing\nunrelated = 1\n"),
    Probe("not utf-8", b"unrelated = 1\nprint('\xe9')\n"),
    Probe("not utf-8 in a comment", b"unrelated = 1\n# \xe9\nprint('x')\n"),
    Probe("utf-16", "unrelated = 1\n".encode("utf-16")),
    Probe("rot13 is no encoding of text", b"# coding: rot13\nunrelated = 1\n"),
    Probe("vertical tab", b"unrelated = 1\n\x0bprint(1)\n"),
    Probe("tabs and blanks", b"unrelated = 1\nif unrelated:\n        print(1)\n\tprint(2)\n"),
    Probe("null byte", b"unrelated = 1\nprint('\x00')\n"),
    Probe("open parenthesis", "print((1)"),
    Probe("open text", "x = 'abc"),
    Probe("open long text", "x = '''abc"),
    Probe("missing colon", "if unrelated\n    pass"),
    Probe("indented for nothing", "x = 1\n  y = 2"),
    Probe("not indented", "if unrelated:\nx = 1"),
    Probe("tab error", "if unrelated:\n        x = 1\n\ty = 2"),
    Probe("return outside", "return 1"),
    Probe("await outside", "await x"),
    Probe("break outside", "break"),
    Probe("future in the middle", "x = 1\nfrom __future__ import annotations"),
    Probe("global after use", "def f():\n    x = 1\n    global x"),
    Probe("name given twice", "def f(a, a): pass"),
    Probe("assigned to a literal", "1 = x"),
    Probe("print of old", "print 'x'"),
    Probe("mistake far from the start", "x = 1\n" * 50 + "y = = 2\n"),
    Probe("beside other letters", "'é'; x = = 1  # ü"),
    Probe("nested too deep", "x = " + "(" * 250 + ")" * 250),
    Probe("text of a wrong escape", "x = '\\N{no such letter}'"),
    Probe("number too long", "x = " + "9" * 5000, since=(3, 11)),
]  # fmt: skip

NOT_FOR_OVERRIDES = [
    Probe("unknown future", "from __future__ import nothing\nunrelated = 1"),
    Probe("empty file", b""),
    Probe("only a comment", b"# nothing"),
    Probe("only a docstring", b"'''Doc.'''"),
    Probe("only blanks", b"   \n\t\n\x0c"),
]

PLACES = [
    Probe("no suffix", SHOW, path="probe"),
    Probe("another suffix", SHOW, path="probe.txt"),
    Probe("two suffixes", SHOW, path="probe.tar.py"),
    Probe("a name that is no identifier", SHOW, path="1-probe.py"),
    Probe("a hidden file", SHOW, path=".probe.py"),
    Probe("a link", SHOW, path="link.py", stored="real/probe.py", files={"real/helper.py": ""}),
    Probe("a link and a helper", "import helper\nprint(helper.__file__)", path="link.py", stored="real/probe.py", files={"real/helper.py": ""}),
    Probe("a link that fails", "def f():\n    1 / 0\nf()", path="link.py", stored="real/probe.py"),
    Probe("a link without suffix", SHOW, path="link", stored="real/probe.py"),
    Probe("a name with an equals sign", SHOW, path="lr=1.py"),
    Probe("a name with a colon", SHOW, path="a:b.py"),
    Probe("a name with a percent sign", SHOW + FAIL, path="100%.py"),
    Probe("a name of another script", SHOW + FAIL, path="日本.py"),
    Probe("named like a module of Python", SHOW + "import json\nprint(json.dumps([1]))", path="random.py"),
    Probe("named like a module of ours", SHOW + "print(__name__)", path="kogine.py"),
    Probe("named like the front door", SHOW + "print(__name__)", path="kohaku_ast.py"),
    Probe("a file that may only be read", SHOW, path="probe.py", shell="chmod 400 probe.py; {command}"),
    Probe("a folder that may only be read", SHOW, path="sub/probe.py", shell="chmod 500 sub; {command}; chmod 700 sub"),
    Probe("nothing is left beside it", "import helper", files={"helper.py": ""}, environment={"PYTHONDONTWRITEBYTECODE": "1"}),
]  # fmt: skip


@probes(*CONTENTS)
def test_contents(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)


@probes(*MISTAKES)
def test_mistakes(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path, ways=["as it is"])


@probes(*MISTAKES)
def test_mistakes_with_an_override(probe: Probe, tmp_path: Path) -> None:
    """Python's own words, and the status that says that no override was applied."""
    expected, got = run_plain(probe, tmp_path), run_kogine(probe, tmp_path, "overridden")
    assert (got.stdout, got.stderr) == (expected.stdout, expected.stderr)
    assert (expected.status, got.status) == (1, 2)


@probes(*NOT_FOR_OVERRIDES)
def test_nothing_to_override(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path, ways=["as it is"])


@probes(*PLACES)
def test_places(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)
