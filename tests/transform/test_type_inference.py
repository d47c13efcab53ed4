"""What a parameter's text is read as: by annotation, by the form of the default, by option."""

from __future__ import annotations

import ast
import marshal

import pytest

from kohaku_ast.transform.find.type_inference import reading_of, reading_of_flag, reading_of_option
from kohaku_ast.value_types import Reading

SCRIPT = """
class Mode(str, enum.Enum):
    '''Speed.'''
    FAST = "fast"
    SLOW = OTHER = "slow"
    _ignore_ = ["x"]
    def label(self): return self.name
class Level(IntEnum):
    LOW, HIGH = range(2)
class Base(Enum):
    def hello(self): ...
class Derived(Base):
    A: int = 1
class Made(Enum):
    for i in range(3):
        vars()[f"M{i}"] = i
class Plain:
    x = 1
class Loop(Loop): ...
class Path: ...
"""
CLASSES = {node.name: node for node in ast.parse(SCRIPT).body if isinstance(node, ast.ClassDef)}
OUR_PATH = CLASSES.pop("Path")

ANY, NONE, BOOL, INT, FLOAT, STR = [
    (kind,) for kind in ("any", "none", "bool", "int", "float", "str")
]
LIST, TUPLE, DICT, SET = [(kind,) for kind in ("list", "tuple", "dict", "set")]
PATH = ("path", "pathlib.Path")
MODE = ("enum", "Mode", ("FAST", "SLOW", "OTHER"))


def maybe(reading: Reading) -> Reading:
    return ("optional", reading)


def expression(text: str | None) -> ast.expr | None:
    return None if text is None else ast.parse(text, mode="eval").body


@pytest.mark.parametrize(
    ("annotation", "default", "reading"),
    [
        pytest.param("int", "1", INT, id="builtin"),
        pytest.param("float", "1", FLOAT, id="float with a default of int"),
        pytest.param("bytes", None, ("bytes",), id="no default at all"),
        pytest.param("str", "None", maybe(STR), id="None as default of another type"),
        pytest.param("Optional[int]", "3", maybe(INT), id="Optional"),
        pytest.param("t.Optional[int]", "None", maybe(INT), id="Optional twice over"),
        pytest.param("int | None", "3", maybe(INT), id="int or None"),
        pytest.param("None | int | str", "3", maybe(("union", INT, STR)), id="None in front"),
        pytest.param("Union[int, None]", "3", maybe(INT), id="Union with None"),
        pytest.param("Union[int, Optional[str]]", "3", maybe(("union", INT, STR)), id="nested"),
        pytest.param("Union[int, int]", "3", INT, id="Union of one"),
        pytest.param("Union[int, Foo]", "3", ("union", INT, ANY), id="Union with the unknown"),
        pytest.param("Union[str, Path]", "'a'", STR, id="text or path: the default is text"),
        pytest.param("str | Path", "Path('a')", PATH, id="text or path: the default is a path"),
        pytest.param("str | Path", "None", maybe(("union", STR, PATH)), id="text or path: None"),
        pytest.param("str | Path | None", "'a'", maybe(STR), id="text, path or None"),
        pytest.param("str | Path | int", "'a'", ("union", STR, INT), id="text, path or int"),
        pytest.param("list[int]", "[]", LIST, id="list of"),
        pytest.param("typing.List[int]", "None", maybe(LIST), id="List of"),
        pytest.param("Tuple[int, ...]", "(1,)", TUPLE, id="Tuple of"),
        pytest.param("Dict[str, int]", "f()", DICT, id="Dict of"),
        pytest.param("FrozenSet", "f()", ("frozenset",), id="bare FrozenSet"),
        pytest.param("pathlib.Path", "'x'", PATH, id="Path in full"),
        pytest.param("PurePath", "'x'", ("path", "pathlib.PurePath"), id="PurePath"),
        pytest.param("Literal['a', -1, True]", "'a'", ("literal", ("a", -1, True)), id="Literal"),
        pytest.param("Literal['a', None]", "'a'", maybe(("literal", ("a",))), id="Literal None"),
        pytest.param("Final[int]", "1", INT, id="Final of"),
        pytest.param("Final", "1", INT, id="bare Final"),
        pytest.param("ClassVar[Optional[int]]", "1", maybe(INT), id="ClassVar of Optional"),
        pytest.param("Annotated[float, Gt(0)]", "1", FLOAT, id="Annotated"),
        pytest.param("dataclasses.InitVar[str]", "1", STR, id="InitVar"),
        pytest.param("'int'", "1", INT, id="annotation as text"),
        pytest.param("Optional['Mode']", "None", maybe(MODE), id="text inside"),
        pytest.param("Mode", "Mode.FAST", MODE, id="enum of the script"),
        pytest.param("Level", "x", ("enum", "Level", ("LOW", "HIGH")), id="unpacked members"),
        pytest.param("Derived", "x", ("enum", "Derived", ("A",)), id="enum by way of a base"),
        pytest.param("Made", "x", ("enum", "Made", None), id="members made by a loop"),
        pytest.param("None", "None", NONE, id="None as annotation"),
    ],
)
def test_annotation_decides(annotation: str, default: str | None, reading: Reading) -> None:
    assert reading_of(expression(default), expression(annotation), CLASSES) == reading


@pytest.mark.parametrize(
    "annotation",
    [
        pytest.param("Any", id="Any"),
        pytest.param("np.int", id="builtin's name in another module"),
        pytest.param("svg.Path", id="Path of another module"),
        pytest.param("torch.dtype", id="class of another module"),
        pytest.param("Plain", id="class of the script that is no enum"),
        pytest.param("Loop", id="class that is its own base"),
        pytest.param("Callable[[int], str]", id="callable"),
        pytest.param("Sequence[int]", id="abstract container"),
        pytest.param("type[int]", id="type of"),
        pytest.param("Literal[X]", id="Literal of a name"),
        pytest.param("3", id="number"),
        pytest.param("'not python ('", id="text that is no Python"),
        pytest.param("'a\\0b'", id="text with a null byte"),
        pytest.param("''", id="empty text"),
        pytest.param("f()", id="call"),
        pytest.param("A + B", id="sum"),
        pytest.param("Optional", id="bare Optional"),
        pytest.param("'" + "(" * 9000 + "'", id="hostile text"),
    ],
)
def test_annotation_not_understood_leaves_it_to_the_default(annotation: str) -> None:
    assert reading_of(expression("1.5"), expression(annotation), CLASSES) == FLOAT
    assert reading_of(None, expression(annotation), CLASSES) == ANY
    assert reading_of(expression("None"), expression(annotation), CLASSES) == NONE


def test_optional_of_the_unknown_adds_None_to_the_default() -> None:
    assert reading_of(expression("1"), expression("Optional[Foo]"), CLASSES) == maybe(INT)
    assert reading_of(expression("None"), expression("Foo | None"), CLASSES) == NONE


def test_class_of_the_script_hides_the_library_s() -> None:
    classes = {"Path": OUR_PATH}
    assert reading_of(expression("Path('x')"), expression("Path"), classes) == ANY


@pytest.mark.parametrize(
    ("default", "reading"),
    [
        pytest.param("True", BOOL, id="bool"),
        pytest.param("1", INT, id="int"),
        pytest.param("-1", INT, id="negative int"),
        pytest.param("-1e-3", FLOAT, id="negative float"),
        pytest.param("1j", ("complex",), id="complex"),
        pytest.param("'a'", STR, id="text"),
        pytest.param("b'a'", ("bytes",), id="bytes"),
        pytest.param("None", NONE, id="None"),
        pytest.param("10 * 1024", INT, id="product of ints"),
        pytest.param("2 ** 10 - 1", INT, id="power"),
        pytest.param("10 ** -3", FLOAT, id="negative power"),
        pytest.param("1 << 20", INT, id="shift"),
        pytest.param("7 // 2", INT, id="floor division"),
        pytest.param("1 / 2", FLOAT, id="division"),
        pytest.param("2 * 0.5", FLOAT, id="float among ints"),
        pytest.param("2 * (3 + 1.0)", FLOAT, id="float in brackets"),
        pytest.param("'a' + 'b'", STR, id="sum of texts"),
        pytest.param("+".join(["'a'"] * 900), STR, id="sum of 900 texts"),
        pytest.param("'-' * 20", STR, id="repeated text"),
        pytest.param("[0] * 3", LIST, id="repeated list"),
        pytest.param("'%d' % x", STR, id="formatted text"),
        pytest.param("'{}'.format(x)", STR, id="format"),
        pytest.param("f'{x}'", STR, id="f-string"),
        pytest.param("[1, x]", LIST, id="list"),
        pytest.param("[i for i in y]", LIST, id="list comprehension"),
        pytest.param("(1, 2)", TUPLE, id="tuple"),
        pytest.param("{}", DICT, id="dict"),
        pytest.param("{1}", SET, id="set"),
        pytest.param("dict(a=1)", DICT, id="dict called"),
        pytest.param("int(1e5)", INT, id="int called"),
        pytest.param("float('inf')", FLOAT, id="float called"),
        pytest.param("pathlib.Path('x')", PATH, id="path"),
        pytest.param("Path('x') / 'y'", PATH, id="path joined"),
        pytest.param("Path(__file__).resolve().parent / 'y'", PATH, id="path beside the script"),
        pytest.param("pathlib.Path.home()", PATH, id="home"),
        pytest.param("os.path.join(a, 'b')", STR, id="path as text"),
        pytest.param("Mode.FAST", MODE, id="member"),
        pytest.param("Mode('fast')", MODE, id="member by value"),
        pytest.param("1 if FAST else 2", INT, id="either of two ints"),
        pytest.param("0.1 if FAST else 1", FLOAT, id="either float or int"),
        pytest.param("None if FAST else 1", maybe(INT), id="either None or int"),
        pytest.param("os.environ.get('X')", STR, id="environment"),
        pytest.param("os.environ.get('X', '1')", STR, id="environment with text"),
        pytest.param("os.getenv('X', default=0.1)", FLOAT, id="environment with a number"),
        pytest.param("int(os.environ.get('X', '1'))", INT, id="environment as int"),
        pytest.param("x > 1", BOOL, id="comparison"),
        pytest.param("not x", BOOL, id="not"),
        pytest.param("x > 1 and not y", BOOL, id="both"),
        pytest.param("x and y > 1", BOOL, id="a name and a test"),
        pytest.param("-np.inf", FLOAT, id="an infinity"),
        pytest.param("math.pi / 2", FLOAT, id="made from pi"),
        pytest.param("cfg.get('x', True)", BOOL, id="a truth value to fall back on"),
        pytest.param(
            "getattr(x, 'y', False)", BOOL, id="an attribute with a truth value to fall back on"
        ),
        pytest.param("torch.cuda.is_available()", BOOL, id="whether there is a GPU"),
        pytest.param("isinstance(x, int) or any(y)", BOOL, id="either of two tests"),
        pytest.param("Path('x').exists()", BOOL, id="whether a file exists"),
        pytest.param("name.startswith('a')", BOOL, id="start of a text"),
    ],
)
def test_form_decides_without_annotation(default: str, reading: Reading) -> None:
    found = reading_of(expression(default), None, CLASSES)
    assert found == reading
    assert marshal.loads(marshal.dumps(found)) == found


@pytest.mark.parametrize(
    "default",
    [
        pytest.param("x", id="name"),
        pytest.param("x > 1 and y", id="a test and a name"),
        pytest.param("x or 'a'", id="a name or a text"),
        pytest.param("cfg.get('x', 1)", id="a number to fall back on"),
        pytest.param("cfg.get('x')", id="nothing to fall back on"),
        pytest.param("cfg.inf", id="an attribute of another object"),
        pytest.param("steps // 10", id="derived"),
        pytest.param("-x", id="sign of a name"),
        pytest.param("x + 'a'", id="sum with a name"),
        pytest.param("[1] + (2,)", id="sum that fails"),
        pytest.param("f()", id="call"),
        pytest.param("torch.nn.Linear(1, 2)", id="call of another module"),
        pytest.param("np.float64(1)", id="number of another module"),
        pytest.param("np.int(1)", id="builtin's name in another module called"),
        pytest.param("click.Tuple([int])", id="typing's name in another module called"),
        pytest.param("torch.float32", id="attribute"),
        pytest.param("Plain.x", id="attribute of a plain class"),
        pytest.param("Mode.FAST.value", id="value of a member"),
        pytest.param("Plain()", id="instance"),
        pytest.param("lambda: 1", id="lambda"),
        pytest.param("...", id="ellipsis"),
        pytest.param("x[0]", id="item"),
        pytest.param("1 if FAST else 'a'", id="either int or text"),
        pytest.param("a or b", id="or"),
        pytest.param("(i for i in y)", id="generator"),
        pytest.param("Path('a').name", id="part of a path"),
        pytest.param("1 @ 2", id="matrix product"),
        pytest.param("-" * 80 + "x", id="signs"),
    ],
)
def test_form_not_understood(default: str) -> None:
    assert reading_of(expression(default), None, CLASSES) == ANY


def test_expression_too_deep_is_any() -> None:
    node: ast.expr = ast.Constant(1)
    for _ in range(100_000):
        node = ast.UnaryOp(ast.USub(), node)
    assert reading_of(node, None, {}) == ANY


@pytest.mark.parametrize(
    ("words", "reading"),
    [
        pytest.param("type=int, default=1", INT, id="type"),
        pytest.param("type=float, default=1", FLOAT, id="type before default"),
        pytest.param("default=0.1", FLOAT, id="default alone"),
        pytest.param("type=int", maybe(INT), id="no default is None"),
        pytest.param("type=str, default=None", maybe(STR), id="default None"),
        pytest.param("help='x'", maybe(STR), id="nothing said"),
        pytest.param("type=Path, default='x'", PATH, id="path"),
        pytest.param("type=bool, default=False", BOOL, id="bool"),
        pytest.param("type=str2bool, default='no'", BOOL, id="function for bools"),
        pytest.param("type=Mode, default=Mode.FAST", MODE, id="enum"),
        pytest.param("type=lambda s: 1, default='x'", STR, id="unknown type"),
        pytest.param("type=json.loads, default={}", DICT, id="unknown function"),
        pytest.param("type=click.IntRange(0, 9), default=f()", INT, id="click range"),
        pytest.param("type=click.FLOAT, default=f()", FLOAT, id="click float"),
        pytest.param("type=click.Path(), default='x'", STR, id="click path"),
        pytest.param("type=argparse.FileType('r'), default='-'", STR, id="file"),
        pytest.param(
            "type=click.Choice(['a', 'b']), default='a'", ("literal", ("a", "b")), id="click choice"
        ),
        pytest.param("type=int, choices=[1, 2], default=1", ("literal", (1, 2)), id="choices"),
        pytest.param("choices=('a',)", maybe(("literal", ("a",))), id="choices without default"),
        pytest.param("type=int, choices=range(3), default=1", INT, id="choices not written out"),
        pytest.param("action='store_true'", BOOL, id="store_true"),
        pytest.param("action='store_false', default=None", maybe(BOOL), id="flag of None"),
        pytest.param("action=argparse.BooleanOptionalAction, default=True", BOOL, id="on and off"),
        pytest.param("action='append', default=[]", LIST, id="append"),
        pytest.param("action='store_const', const=5", NONE, id="a constant"),
        pytest.param("action='store_const', const=5, default=1", INT, id="a constant, a default"),
        pytest.param("action='count', default=0", INT, id="count"),
        pytest.param("action='store', type=int, default=0", INT, id="store"),
        pytest.param("action=Custom, type=int, default=0", INT, id="unknown action"),
        pytest.param("nargs='+', type=int, default=[1]", LIST, id="one or more"),
        pytest.param("nargs='*', choices=['a'], default=['a']", LIST, id="several choices"),
        pytest.param("nargs=2, type=int", maybe(LIST), id="two"),
        pytest.param("nargs=2, default=(1, 2)", TUPLE, id="two in a tuple"),
        pytest.param("nargs=-1, type=int, default=[]", LIST, id="click's any number"),
        pytest.param("nargs=argparse.REMAINDER, default=[]", LIST, id="remainder"),
        pytest.param("nargs='?', type=int, default=1", INT, id="at most one"),
    ],
)
def test_option(words: str, reading: Reading) -> None:
    call = expression(f"f({words})")
    assert isinstance(call, ast.Call)
    given = {word.arg: word.value for word in call.keywords}
    kind, default, action = given.get("type"), given.get("default"), given.get("action")
    nargs, choices = given.get("nargs"), given.get("choices")
    assert reading_of_option(kind, default, action, nargs, choices, CLASSES) == reading


@pytest.mark.parametrize(
    ("kind", "default", "reading"),
    [
        pytest.param("float", "1", FLOAT, id="float"),
        pytest.param("integer", "None", maybe(INT), id="integer of None"),
        pytest.param("string", "'1'", STR, id="string"),
        pytest.param("bool", "False", BOOL, id="bool"),
        pytest.param("boolean", "False", BOOL, id="boolean"),
        pytest.param("enum", "'a'", ("literal", ("a", "b")), id="enum"),
        pytest.param("list", "'a,b'", LIST, id="list"),
        pytest.param("multi_integer", "1", LIST, id="several"),
        pytest.param("alias", "1", INT, id="unknown kind"),
    ],
)
def test_flag(kind: str, default: str, reading: Reading) -> None:
    assert reading_of_flag(kind, expression(default), expression("['a', 'b']")) == reading
