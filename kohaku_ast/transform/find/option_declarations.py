"""The options that a file declares by calls (argparse, optparse, click, absl and the like) or in a
docopt text, with their widths; and those that it quotes: ``if "--lr" in sys.argv``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from kohaku_ast.transform.find.options import attribute_of
from kohaku_ast.transform.find.paths import called_name, dotted_name, nodes_of

Width = int | str | None
"""How many words follow an option: N; ``"?"``: one at most; ``"*"``: as many as there are; None:
not known.
"""
OptionFields = tuple[tuple[str, ...], Width, tuple[str, ...], bool, bool]
"""The arguments of an AcceptedOption: names, width, targets, whether names may be abbreviated,
whether paths below them are options too.
"""

ADDERS = {"add_argument", "add_option", "add_flag", "option", "Option", "arg"}
"""Functions that are called with an option's names; one word follows unless a keyword changes
it.
"""
NO_WORDS = {
    "store_true", "store_false", "store_const", "append_const", "count", "help", "version",
    "BooleanOptionalAction",
}  # fmt: skip
ONE_WORD = {"store", "append", "extend", "callback"}
MANY = {"*": "*", "+": "*", "...": "*", "A...": "*", "?": "?"}
NAMED_MANY = {
    "OPTIONAL": "?", "ZERO_OR_MORE": "*", "ONE_OR_MORE": "*", "REMAINDER": "*", "PARSER": "*",
}  # fmt: skip
PARSERS = {"ArgumentParser", "ArgParser", "OptionParser", "add_parser"}
CLICK_READY = {
    "version_option": ("--version", 0), "help_option": ("--help", 0),
    "confirmation_option": ("--yes", 0), "password_option": ("--password", 1),
}  # fmt: skip
CLICK_COMMANDS = {"command", "group", "Command", "Group"}
ABSL_BOOLEAN = ("DEFINE_bool", "DEFINE_boolean")
ABSL_PATHS = ("DEFINE_config_file", "DEFINE_config_dict", "DEFINE_config_dataclass")
ABSL_FLAGS = {
    "alsologtostderr": 0, "logtostderr": 0, "showprefixforinfo": 0, "only_check_args": 0,
    "pdb": 0, "pdb_post_mortem": 0, "run_with_pdb": 0, "run_with_profiling": 0,
    "use_cprofile_for_profiling": 0, "help": 0, "helpfull": 0, "helpshort": 0, "helpxml": 0,
    "log_dir": 1, "logger_levels": 1, "profile_file": 1, "stderrthreshold": 1, "verbosity": 1,
    "v": 1, "flagfile": 1, "undefok": 1,
}  # fmt: skip
"""The flags that ``absl.app`` and ``absl.logging`` define, with their widths."""
HYDRA = (
    ("--help", "-h", 0), ("--hydra-help", 0), ("--version", 0), ("--cfg", "-c", 1),
    ("--resolve", 0), ("--package", "-p", 1), ("--run", "-r", 0), ("--multirun", "-m", 0),
    ("--shell-completion", "-sc", 0), ("--config-path", "-cp", 1), ("--config-name", "-cn", 1),
    ("--config-dir", "-cd", 1), ("--experimental-rerun", 1), ("--info", "-i", "?"),
)  # fmt: skip


def declared_options(
    tree: ast.Module, names: dict[str, str], libraries: set[str]
) -> list[OptionFields]:
    """The options of every declaration in the file, and those that the libraries define
    themselves.
    """
    calls = [node for node in nodes_of(tree) if isinstance(node, ast.Call)]
    prefixes = "-" + "".join(_keywords(calls, "prefix_chars"))
    shortens = not any(_keyword_is(call, "allow_abbrev", False) for call in calls)
    found = [one for call in calls for one in _options_of_call(call, prefixes, shortens, libraries)]
    found += _absl_aliases(calls, found)
    has_parser = bool(libraries & {"argparse", "optparse", "configargparse"})
    if has_parser and not _all_calls(calls, PARSERS, "add_help", False):
        found.append((_help_names(prefixes), 0, (), shortens, False))
    if "optparse" in libraries and _keywords(calls, "version"):
        found.append((("--version",), 0, (), True, False))
    if "click" in libraries and _is_click(tree, calls):
        found.append((("--help",), 0, (), False, False))
    if "absl" in libraries:
        found += [((f"--{n}", f"-{n}"), width, (), False, False) for n, width in ABSL_FLAGS.items()]
        found += [_negative(name, ()) for name, width in ABSL_FLAGS.items() if not width]
        found.append((("-?",), 0, (), False, False))
    if "hydra" in libraries:
        found += [(tuple(map(str, one[:-1])), one[-1], (), True, False) for one in HYDRA]
    if "docopt" in libraries or "docopt_ng" in libraries:
        found += _docopt(tree)
    return found


def _help_names(prefixes: str) -> tuple[str, ...]:
    return tuple(
        name for char in dict.fromkeys(prefixes) for name in (f"{char}h", f"{char * 2}help")
    )


def _all_calls(calls: list[ast.Call], called: set[str], keyword: str, value: object) -> bool:
    own = [call for call in calls if called_name(call.func) in called]
    return bool(own) and all(_keyword_is(call, keyword, value) for call in own)


def _keywords(calls: list[ast.Call], name: str) -> list[str]:
    """The constants that calls get as the keyword *name*."""
    values = [one.value for call in calls for one in call.keywords if one.arg == name]
    return [str(one.value) for one in values if isinstance(one, ast.Constant)]


def _keyword_is(call: ast.Call, name: str, value: object) -> bool:
    found = _keyword(call, name)
    return isinstance(found, ast.Constant) and found.value is value


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((one.value for one in call.keywords if one.arg == name), None)


def _texts(call: ast.Call) -> list[str]:
    """The texts among the positional arguments; click's classes take a list of them."""
    parts = [
        part for arg in call.args for part in (arg.elts if isinstance(arg, ast.List) else [arg])
    ]
    values = [one.value for one in parts if isinstance(one, ast.Constant)]
    return [one for one in values if isinstance(one, str)]


def _options_of_call(
    call: ast.Call, prefixes: str, shortens: bool, libraries: set[str]
) -> Iterator[OptionFields]:
    called = called_name(call.func)
    if called.startswith("DEFINE_"):
        yield from _absl(call, called)
        return
    if called in CLICK_READY and isinstance(call.func, (ast.Attribute, ast.Name)):
        name, width = CLICK_READY[called]
        given = tuple(text for text in _texts(call) if text.startswith("-"))
        yield given or (name,), width, (), False, False
        return
    if called == "getopt" or called == "gnu_getopt":
        yield from _getopt(call)
        return
    if called == "Option" and "typer" in libraries:
        return  # its width comes from the annotation of its parameter
    texts = [text for text in _texts(call) if text[:1] in prefixes and text.strip(prefixes)]
    if not texts or not all(_is_declaration(text) for text in texts):
        return
    if called in ADDERS or WIDTH_KEYWORDS & {one.arg for one in call.keywords}:
        is_click = called in ("option", "Option") and bool(libraries & CLICKS)
        yield from _by_names(call, texts, shortens and not is_click, is_click)


WIDTH_KEYWORDS = {"action", "nargs", "is_flag", "flag_value", "count"}
CLICKS = {"click", "asyncclick", "rich_click", "cloup"}


def _is_declaration(text: str) -> bool:
    return not re.search(r"\s", text.replace("/ ", "/").replace(" /", "/"))


def _by_names(
    call: ast.Call, texts: list[str], shortens: bool, is_click: bool
) -> Iterator[OptionFields]:
    """The options of one declaration; of ``--shout/--no-shout`` two."""
    halves = [text.split("/") if is_click else [text] for text in texts]
    on = tuple(half[0].strip() for half in halves if half[0].strip())
    off = tuple(part.strip() for half in halves for part in half[1:] if part.strip())
    width = 0 if off else _width(call, is_click)
    targets = _targets(call, on, is_click) if on else ()
    if on:
        yield on, width, targets, shortens, False
    if off:
        yield off, 0, targets, shortens, False
    action = _keyword(call, "action")
    if action is not None and _last_name(action) == "BooleanOptionalAction":
        negative = tuple(f"--no-{name[2:]}" for name in on if name.startswith("--"))
        yield negative, 0, targets, shortens, False


def _targets(call: ast.Call, flags: tuple[str, ...], is_click: bool) -> tuple[str, ...]:
    """The targets of the option: its flag, and its attribute, which another flag may give a value
    as well (``--cache`` and ``--no-cache``).
    """
    flag = next((name for name in flags if name.startswith("--")), flags[0])
    return tuple(dict.fromkeys((flag, f"--{attribute_of(call, flag, is_click)}")))


def _last_name(node: ast.expr | None) -> str:
    return called_name(node) if node is not None else ""


def _width(call: ast.Call, is_click: bool) -> Width:
    if any(one.arg is None for one in call.keywords):
        return None  # **common
    return _click_width(call) if is_click else _argparse_width(call)


def _argparse_width(call: ast.Call) -> Width:
    action, nargs = _keyword(call, "action"), _keyword(call, "nargs")
    name = action.value if isinstance(action, ast.Constant) else _last_name(action)
    if name in NO_WORDS:
        return 0
    if nargs is not None:
        return _nargs_width(nargs)
    return 1 if action is None or name in ONE_WORD else None


def _nargs_width(nargs: ast.expr) -> Width:
    if isinstance(nargs, ast.Constant):
        value = nargs.value
        if value is None:
            return 1
        return value if isinstance(value, int) else MANY.get(str(value))
    return NAMED_MANY.get(_last_name(nargs))


def _click_width(call: ast.Call) -> Width:
    flag, value = _keyword(call, "is_flag"), _keyword(call, "flag_value")
    if value is not None and not _keyword_is(call, "is_flag", True):
        return "?" if _keyword_is(call, "is_flag", False) else 0
    if flag is not None:
        if not isinstance(flag, ast.Constant):
            return None
        if flag.value:
            return 0
    count, nargs, kind = (_keyword(call, name) for name in ("count", "nargs", "type"))
    if count is not None:
        return (0 if count.value else 1) if isinstance(count, ast.Constant) else None
    if nargs is not None:
        return _nargs_width(nargs)
    if isinstance(kind, ast.Call) and called_name(kind.func) == "Tuple" and kind.args:
        kind = kind.args[0]
    return len(kind.elts) if isinstance(kind, (ast.Tuple, ast.List)) else 1


# --- absl, getopt, docopt ------------------------------------------------------------------------


def _absl_aliases(calls: list[ast.Call], found: list[OptionFields]) -> Iterator[OptionFields]:
    """The options of ``DEFINE_alias("rate", "lr")``: ``--rate`` is as ``--lr``."""
    known = {name: one for one in found for name in one[0]}
    for call in calls:
        texts = _texts(call)
        if called_name(call.func) == "DEFINE_alias" and len(texts) == 2:
            name, original = texts
            _, width, targets, _, has_paths = known.get(f"--{original}", ((), None, (), 0, False))
            yield (f"--{name}", f"-{name}"), width, targets, False, has_paths
            if f"--no{original}" in known:
                yield _negative(name, targets)


def _absl(call: ast.Call, called: str) -> Iterator[OptionFields]:
    named = [*call.args[:1], *(one.value for one in call.keywords if one.arg == "name")]
    if not named or not isinstance(named[0], ast.Constant) or called == "DEFINE_alias":
        return
    name, short = str(named[0].value), _keyword(call, "short_name")
    every = [name, *([str(short.value)] if isinstance(short, ast.Constant) and short.value else [])]
    spelled = tuple(f"{dashes}{one}" for one in every for dashes in ("--", "-"))
    if called in ABSL_PATHS:
        yield spelled, 1, _holder(call), False, True
        negative = tuple(f"{one[: -len(name)]}no{name}" for one in spelled[:2])
        yield negative, 0, _holder(call), False, True
        return
    targets = (f"--{name}",)
    width = 0 if called in ABSL_BOOLEAN else None if called == "DEFINE_flag" else 1
    yield spelled, width, targets, False, False
    if width != 1:
        for one in every:
            yield _negative(one, targets)


def _negative(name: str, targets: tuple[str, ...]) -> OptionFields:
    return (f"--no{name}", f"-no{name}"), 0, targets, False, False


def _holder(call: ast.Call) -> tuple[str, ...]:
    """The target of the paths below a config flag: ``cfg`` or, of ``Args()``, the class."""
    value = call.args[1] if len(call.args) > 1 else None
    name = dotted_name(value.func if isinstance(value, ast.Call) else value) if value else ""
    return (name,) if name else ()


def _getopt(call: ast.Call) -> Iterator[OptionFields]:
    """The options of ``getopt.getopt(argv, "ho:", ["help", "output="])``."""
    short = call.args[1] if len(call.args) > 1 else None
    if isinstance(short, ast.Constant) and isinstance(short.value, str):
        for letter, colon in re.findall(r"(\w)(:?)", short.value):
            yield (f"-{letter}",), len(colon), (), False, False
    long = call.args[2] if len(call.args) > 2 else _keyword(call, "longopts")
    for node in ast.walk(long) if long is not None else ():
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            name, equals, _ = node.value.partition("=")
            yield (f"--{name}",), len(equals), (), True, False


def _docopt(tree: ast.Module) -> Iterator[OptionFields]:
    """The options of every text with a ``Usage:`` in the file."""
    for node in nodes_of(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _docopt_text(node.value)


def _docopt_text(text: str) -> Iterator[OptionFields]:
    if not re.search(r"(?i)usage:", text):
        return
    known: set[str] = set()
    for line in re.findall(r"(?m)^[ \t]*(-\S.*)$", text):
        words = re.split(r"[ ,=]+", re.split(r"\s{2,}", line.strip())[0])
        names = tuple(word for word in words if word.startswith("-"))
        known |= {*names}
        yield names, int(len(names) < len(words)), (), True, False
    for name, equals in re.findall(r"(?<![\w<-])(--?[A-Za-z][\w-]*)(=?)", text):
        if name not in known:
            known.add(name)
            yield (name,), len(equals), (), True, False
    yield ("-h", "--help"), 0, (), True, False
    yield ("--version",), 0, (), True, False


def _is_click(tree: ast.Module, calls: list[ast.Call]) -> bool:
    decorators = [one for node in nodes_of(tree) for one in getattr(node, "decorator_list", [])]
    called = [call.func for call in calls]
    return any(called_name(one) in CLICK_COMMANDS for one in [*decorators, *called])


# --- quoted names --------------------------------------------------------------------------------

QUOTED = re.compile(r"--?[A-Za-z][\w.-]*=?")
STARTERS = {"run", "call", "Popen", "check_call", "check_output", "getoutput", "system", "execv",
            "execvp", "execve", "execvpe", "execl", "execlp", "spawnv", "create_subprocess_exec",
            "posix_spawn"}  # fmt: skip
"""Functions that start another program: the options in their arguments belong to that program."""


def quoted_options(tree: ast.Module) -> list[tuple[str, ...]]:
    """The option names in texts of nothing else: ``"--lr"``, ``"-f, --file"``, ``"--a/--b"``."""
    foreign = _of_other_programs(tree)
    found: list[tuple[str, ...]] = []
    for node in nodes_of(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in foreign:
            parts = [part for part in re.split(r"[\s,/|]+", node.value) if part]
            if parts and all(QUOTED.fullmatch(part) for part in parts):
                found += [(part.rstrip("="),) for part in parts]
    return list(dict.fromkeys(found))


def _of_other_programs(tree: ast.Module) -> set[ast.AST]:
    """The texts in command lines that the script builds for another program."""
    nodes = nodes_of(tree)
    commands = [node for node in nodes if _is_command_line(node) or _starts_program(node)]
    commands += [node for node in nodes if isinstance(node, ast.JoinedStr)]  # parts of a text
    variables = {
        target.id
        for node in nodes
        if isinstance(node, ast.Assign) and _is_command_line(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    variables |= {
        arg.id
        for node in commands
        if isinstance(node, ast.Call)
        for arg in node.args[:1]
        if isinstance(arg, ast.Name)
    }
    commands += [node for node in nodes if _adds_to(node, variables)]
    return {inner for node in commands for inner in ast.walk(node)}


def _is_command_line(node: ast.AST) -> bool:
    """Whether *node* is like ``["head", "-n", "3"]`` or ``[sys.executable, "-m", "pip"]``: a
    list that begins with no option.
    """
    if not isinstance(node, ast.List) or len(node.elts) < 2:
        return False
    first = node.elts[0]
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        return not first.value.startswith("-")
    return dotted_name(first) == "sys.executable"


def _starts_program(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or called_name(node.func) not in STARTERS:
        return False
    return dotted_name(node.func).partition(".")[0] in (
        "subprocess", "os", "asyncio", "Popen", "check_call", "check_output", "sp",
    )  # fmt: skip


def _adds_to(node: ast.AST, variables: set[str]) -> bool:
    """Whether *node* is like ``cmd += ["-n"]`` or ``cmd.append("-n")``."""
    if isinstance(node, ast.AugAssign):
        return isinstance(node.target, ast.Name) and node.target.id in variables
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return isinstance(node.func.value, ast.Name) and node.func.value.id in variables
    return False
