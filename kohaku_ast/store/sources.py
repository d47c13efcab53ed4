"""Sources: the texts of a run's script and of the user's own modules, by their content; and the
values that the script gives its parameters.

State of this process: ``_versions`` and ``_distributions``, of the installed packages.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b, sha256
from pathlib import Path
from stat import S_ISREG
from types import FunctionType
from typing import Any, TypeAlias, TypeVar

from kohaku_ast import files
from kohaku_ast.config.config import Config
from kohaku_ast.errors import KogineError, UncrossableValue
from kohaku_ast.runner.bind import Bound
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.transport import dump_values, load_values
from kohaku_ast.runner.usage import Usage
from kohaku_ast.store.environment import RUN_DIR
from kohaku_ast.store.identity import script_hash
from kohaku_ast.store.own_modules import own_files
from kohaku_ast.store.run_folder import mark_root
from kohaku_ast.store.values import TEXT, form_of_text, is_whole, written
from kohaku_ast.transform.program.bound_program import Pickled, load
from kohaku_ast.user_code import is_local_file

OBJECTS = "objects"
"""The folder of the texts, beside that of the records."""

_FOLDER_MODE, _MODE = 0o700, 0o600
_DEFAULTS = "defaults.json"
"""The end of the names of files with the values of a script's parameters."""
_MOST = 100_000_000
"""Bytes of a value that is kept as an object."""
_NAMES_FILES = RUN_DIR.encode()
_VERSION = 2
"""Grows when the same script gets other defaults."""


Values: TypeAlias = "Mapping[str, dict[str, object]]"
"""Target -> the field of its value."""
_T = TypeVar("_T")


class Objects:
    """Texts as files that are named after their SHA-256, for the records below *root*."""

    def __init__(self, root: Path) -> None:
        self.folder = root.parent / OBJECTS
        self._known: set[str] = set()

    def path(self, digest: str, end: str = "") -> Path:
        """The file of the text with this SHA-256."""
        return self.folder / digest[:2] / (digest[2:] + end)

    def put(self, data: bytes, digest: str = "") -> str:
        """Keep *data*; its SHA-256, which is *digest* if that is known. Raises OSError."""
        digest = digest or sha256(data).hexdigest()
        if digest not in self._known:
            path = self.path(digest)
            try:
                is_whole = path.read_bytes() == data  # somebody may have damaged it
            except FileNotFoundError:
                is_whole = False
            except OSError:
                is_whole = True  # this user may not look
            if is_whole:
                _refresh(path)
            else:
                self.write(path, data)
            self._known.add(digest)
        return digest

    def get(self, digest: str) -> bytes | None:
        """The text; None if it is missing or damaged."""
        try:
            data = self.path(digest).read_bytes()
        except OSError:
            return None
        return data if sha256(data).hexdigest() == digest else None

    def found_in(self, digest: str, end: str, kind: type[Any], find: Callable[[], _T]) -> _T:
        """What *find* finds in the text with this SHA-256 alone, of the class *kind*. It is in the
        file of an earlier flow, beside the text: to find it takes longer than a short run.
        """
        import json

        path = self.path(digest, end)
        try:
            found: _T = json.loads(path.read_bytes())
            if isinstance(found, kind):
                return found
        except (OSError, ValueError):  # no earlier flow has written it, or it is damaged
            pass
        made = find()
        try:
            self.write(path, json.dumps(made).encode())
        except (OSError, ValueError):
            pass  # it is found again next time
        return made

    def write(self, path: Path, data: bytes) -> None:
        """Write *data* to *path*, as a whole. Raises OSError."""
        mark_root(self.folder)
        os.makedirs(path.parent, _FOLDER_MODE, exist_ok=True)
        files.write_atomically(str(path), data, _MODE)


def _refresh(path: Path) -> None:
    """Make it look new: gc leaves it for the record that is about to be written."""
    try:
        os.utime(path)
    except OSError:
        pass  # this user may only read it


class Sources:
    """Keeps the sources of a flow's runs; each text is read once for each of its versions."""

    def __init__(self, root: Path) -> None:
        self.objects = Objects(root)
        self._defaults: dict[str, dict[str, dict[str, object]]] = {}
        #: The file and hash of a module -> whether its text is kept.
        self._kept: dict[tuple[str, str], str] = {}
        #: The SHA-256 of those that name the folder for files.
        self._naming: set[str] = set()
        #: The SHA-256 of a text -> the variables of the environment that it names.
        self._variables: dict[str, frozenset[str]] = {}
        #: Id of a function or class -> itself, and the name of its object.
        self._objects: dict[int, tuple[object, str]] = {}
        #: The packages that runs in this process have loaded: later runs find them there.
        self._packages: set[str] = set()

    def fields(self, bound: Bound) -> dict[str, object]:
        """The field ``sources``: where the texts are from, and their SHA-256. Raises OSError."""
        overridden = {name: file for name, (file, _) in bound.prepared.modules.items()}
        return {
            **self.texts_of(bound.launch, overridden, script_hash(bound)),
            "configs": [*self._configs(bound.config)],
        }

    def texts_of(
        self, launch: Launch, others: Mapping[str, str], digest: str = ""
    ) -> dict[str, Any]:
        """``script``, whose SHA-256 is *digest* if that is known, and ``modules``: those that it
        imports, and the files *others*, by name. Raises OSError.
        """
        own = own_files(launch)
        found = {name: (file, digest) for name, (file, digest) in own.items() if digest}
        modules = {
            name: {"file": files.short_path(file), "sha256": self._keep(file, digest)}
            for name, (file, digest) in {
                **found, **{name: (file, "") for name, file in others.items()},
            }.items()
        }  # fmt: skip
        script = self.objects.put(launch.data, digest)
        if script not in self._variables:
            self._variables[script] = _named_variables(launch.data)
        return {"script": script, "modules": modules}

    def name_files(self, bound: Bound, sources: Any) -> bool:
        """Whether one of the texts in the field *sources* names the variable with the folder for
        files; also if they could not be kept.
        """
        if sources is None or _NAMES_FILES in bound.launch.data:
            return True
        others = [*sources["modules"].values(), *sources["configs"]] if self._naming else []
        return any(one["sha256"] in self._naming for one in others)

    def _configs(self, config: Config | None) -> Iterator[dict[str, str]]:
        """The files that *config* is from, as they are now."""
        for siblings in config.siblings if config else ():
            for file in siblings.files():
                try:
                    found = os.stat(file)
                except OSError:
                    continue  # it was removed, or is a stream
                if S_ISREG(found.st_mode):
                    stamp = f"{found.st_mtime_ns}:{found.st_size}"
                    yield {"file": files.short_path(file), "sha256": self._keep(file, stamp)}

    def _keep(self, file: str, digest: str) -> str:
        if not digest or (file, digest) not in self._kept:
            with open(file, "rb") as opened:
                data = opened.read()
            self._kept[file, digest] = self.objects.put(data)
            self._variables[self._kept[file, digest]] = _named_variables(data)
            if _NAMES_FILES in data:
                self._naming.add(self._kept[file, digest])
        return self._kept[file, digest]

    def end_fields(
        self, sources: Any, usage: Usage | None, started: float = 0.0
    ) -> dict[str, object]:
        """The fields that only the end of a run tells: ``sources`` with the modules that it has
        found while it ran, ``packages``, CPU seconds, peak memory and GPU. A module that was
        written after *started* has a mark: the run may have loaded another text. Raises OSError.
        """
        if usage is None:
            return {}
        modules = {**sources["modules"]} if sources else {}
        for name, file in usage.files.items():
            if name not in modules and is_local_file(file):
                modules[name] = {"file": files.short_path(file), "sha256": self._keep(file, "")}
                if started and os.stat(file).st_mtime > started:
                    modules[name] = {**modules[name], "changed": True}
        self._packages.update(usage.packages)
        seconds = usage.cpu_seconds
        return {
            "sources": sources and {**sources, "modules": modules},
            "packages": versions(self._packages),
            "cpu_seconds": None if seconds is None else round(seconds, 3),
            "peak_memory": usage.peak_memory,
            "device": usage.device,
        }

    def reads(self, sources: Any, own: Mapping[str, str]) -> dict[str, str | None]:
        """The field ``reads``: variable of the environment that one of the texts in the field
        *sources* names -> the hash of its value, None if it is not set. *own* are those of the run.
        """
        digests = [one["sha256"] for one in sources["modules"].values()] if sources else []
        digests += [sources["script"]] if sources else []
        names = {name for one in digests for name in self._variables.get(one, ())}
        return {name: value_hash(own.get(name, os.environ.get(name))) for name in sorted(names)}

    def form(self, value: Any) -> dict[str, object]:
        """*value* as a field of run.json; what has no text there is kept as an object, too. What is
        Pickled is kept as it is: it refers to modules of the script.
        """
        fields = written(value)
        if is_whole(fields):
            return fields
        if type(value) is Pickled:
            return {**fields, **self._of_pickled(value)}
        if id(value) in self._objects:
            return {**fields, "object": self._objects[id(value)][1]}
        try:
            is_plain, data = dump_values({"value": {"value": value}})
            digest = self.objects.put(bytes([is_plain]) + data) if len(data) < _MOST else ""
        except (UncrossableValue, OSError):
            return fields
        if isinstance(value, (FunctionType, type)):  # others may change
            self._objects[id(value)] = value, digest
        return {**fields, "object": digest} if digest else fields

    def _of_pickled(self, value: Pickled) -> dict[str, object]:
        try:
            return {"object": self.objects.put(value.data), "inside": value.name}
        except OSError:
            return {}

    def params(self, bound: Bound, overrides: Any) -> dict[str, object]:
        """The field ``params``: the value of every parameter of the script that its text says, or
        an argument, and those of the field *overrides*.
        """
        defaults = self._with_arguments(self._of_script(bound), bound)
        own = {
            one["target"]: {k: v for k, v in one.items() if k not in ("target", "origin", TEXT)}
            for one in overrides
        }
        return {**defaults, **own}

    def _with_arguments(self, defaults: Values, bound: Bound) -> Values:
        """*defaults* with what ``sys.argv`` gives to options; without those of which only the run
        knows the value.
        """
        if not bound.argv[1:]:
            return defaults
        from kohaku_ast.transform.find.accepted_options import accepted_options_of

        launch, found = bound.launch, dict(defaults)
        accepted = accepted_options_of(launch.data, launch.filename, launch.path0, launch.package)
        for targets, value in accepted.values(bound.argv[1:]):
            for target in [one for one in targets if one in defaults] or targets[:1]:
                form = _argument_form(value, defaults.get(target))
                found.pop(target, None)
                found |= {target: form} if form else {}
        return found

    def _of_script(self, bound: Bound) -> Values:
        digest = script_hash(bound)
        if digest not in self._defaults:
            self._defaults[digest] = self.objects.found_in(
                digest, f".{_VERSION}.{_DEFAULTS}", dict, lambda: default_values(bound.launch)
            )
        return self._defaults[digest]


def _argument_form(value: str | bool, default: object) -> dict[str, object] | None:
    """The field of an option that an argument gives this *value*, as ``AcceptedOptions.values``;
    None if only the run knows it.
    """
    if isinstance(value, str):
        return {name: one for name, one in form_of_text(value).items() if name != TEXT}
    return {"json": True} if value and default == {"json": False} else None


def default_values(launch: Launch) -> dict[str, dict[str, object]]:
    """Target -> the value that the text of the script gives it, for each setting whose default is a
    literal.
    """
    from kohaku_ast.transform.find.parameters import find_parameters
    from kohaku_ast.transform.find.source import decode

    try:
        source = decode(launch.data, launch.filename, launch.path0, launch.package)
        parameters = find_parameters(source)
    except (KogineError, SyntaxError, RecursionError):
        return {}  # what cannot be read has no parameters
    found = {}
    for one in parameters:
        # No accumulators (`loss = 0.0`): their last values are results.
        if one.is_setting and not one.refused and one.default:
            try:
                found[one.target] = written(ast.literal_eval(one.default))
            except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
                pass  # an expression: only the run knows its value
    return found


def load_object(data: bytes, inside: str = "") -> object:
    """The value of an object that ``Sources.form`` has kept, of a Pickled the one called *inside*.
    Raises UncrossableValue.

    It is unpickled: whoever can write to the store can run code here.
    """
    if inside:
        try:
            return load(Pickled(data, inside))
        except Exception as error:
            raise UncrossableValue(f"{type(error).__name__}: {error}") from error
    return load_values(bool(data[0]), data[1:])["value"]["value"]


def load_text(text: str, inside: str = "") -> object:
    """The same, of an object as text in a config of ``kogine runs export config``."""
    from base64 import b64decode
    from zlib import decompress

    return load_object(decompress(b64decode(text)), inside)


_VARIABLE = re.compile(
    rb"""environ\s*(?:\.\s*(?:get|pop|setdefault)\s*\(|\[)\s*["'](\w+)["']"""
    rb"""|getenv\s*\(\s*["'](\w+)["']"""
    rb"""|["'](\w+)["']\s+(?:not\s+)?in\s+(?:os\s*\.\s*)?environ\b"""
)


def _named_variables(text: bytes) -> frozenset[str]:
    if b"environ" not in text and b"getenv" not in text:
        return frozenset()
    found = (name for names in _VARIABLE.findall(text) for name in names if name)
    return frozenset(name.decode("utf-8", "replace") for name in found)


def value_hash(value: str | None) -> str | None:
    """The hash of the *value* of a variable, which may be a secret; None if it is not set."""
    if value is None:
        return None
    return blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


_versions: dict[str, str] = {}
_distributions: dict[str, list[str]] = {}


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Top-level name of an installed package -> its version, for those that have one."""
    names = sorted(packages)
    for name in names:
        if name not in _versions:
            _versions[name] = _version(name)
    return {name: _versions[name] for name in names if _versions[name]}


def _version(package: str) -> str:
    # Here: it takes 36 ms, and the packages themselves take longer.
    from importlib.metadata import PackageNotFoundError, packages_distributions, version

    try:
        return version(package)
    except (PackageNotFoundError, ValueError):
        pass
    if not _distributions:
        _distributions.update(packages_distributions())  # yaml is in PyYAML; this may take a second
    try:
        return version(_distributions[package][0])
    except (PackageNotFoundError, LookupError, ValueError):
        return ""
