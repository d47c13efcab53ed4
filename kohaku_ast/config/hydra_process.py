"""The process that composes a config of Hydra; it is started by its path, and imports nothing of
ours. ``hydra_config.py`` is its other side.

Hydra and OmegaConf have state of their own (GlobalHydra, resolvers, plugins), which the script must
not find: it may use them itself.
"""

from __future__ import annotations

import io
import marshal
import os
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

_READ = re.compile(
    r"\$\{\s*(?:oc\.(?:select|dict\.keys|dict\.values)\s*:)?\s*(\.*)([^\s.,:${}][^\s,:${}]*)"
)
"""``${db.host}`` and ``${..host}``: the dots, and the key."""
_ROWS = re.compile(r"\s*(full_key|object_type|reference_type|Config search path|provider=|title):?")


Order = Mapping[str, Any]
Answer = dict[str, Any]
Record = dict[str, dict[str, Any]]
"""``texts``: file -> its text; ``folders``: folder -> the names in it, None if there is none."""


def answer_to(order: Order) -> Answer:
    """The answer to *order*: the values of a config and what is wrong with which of them; or, with
    ``files``, the files that it is made of. Files are read as the record of *order* has them, and
    the answer has a record of all that a later order may read.
    """
    if not order["name"]:
        return _answer_without_hydra(order)
    import hydra

    record = order["record"]
    sources = _keep_files(record, without_own=order["files"])
    with hydra.initialize_config_dir(
        order["folder"], version_base=None, job_name=order["job"] or "app"
    ):
        made = _file_list(order, sources) if order["files"] else _compose(order)
        groups = _read_ahead(sources, order["name"], _groups_of(order["words"]))
    return {**made, "record": record, "groups": groups}


def _answer_without_hydra(order: Order) -> Answer:
    from hydra.core.utils import setup_globals
    from omegaconf import OmegaConf

    setup_globals()
    record = order["record"]
    text = _text(record, order["file"])
    return {**_values(OmegaConf.load(text), order, None), "record": record, "groups": {}}


def _compose(order: Order) -> Answer:
    """The values of the config."""
    import hydra
    from hydra.core.global_hydra import GlobalHydra
    from hydra.types import RunMode

    name, words = order["name"], order["words"]
    loader = GlobalHydra.instance().config_loader()
    try:
        known = loader.compute_defaults_list(name, words, RunMode.MULTIRUN)
        choices = _choices(known.overrides.known_choices)
    except Exception:  # `compose` raises the same below, and its message is shown
        choices = None
    try:
        config = hydra.compose(name, words, return_hydra_config=True)
    except Exception as error:
        return {"failure": _failure(error), "choices": choices}
    return _values(config, order, _choices(config.hydra.runtime.choices))


def _file_list(order: Order, sources: list[Any]) -> Answer:
    """The files of the defaults list in their order, each with its package, and the values that
    they make together, interpolations as they are written. A file that does not exist counts as an
    empty one: a script may store it in Hydra's ConfigStore.
    """
    from hydra.core.config_store import ConfigStore
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import MissingConfigException
    from hydra.types import RunMode
    from omegaconf import OmegaConf

    loader = GlobalHydra.instance().config_loader()
    absent: list[str] = []
    while True:
        try:
            found = loader.compute_defaults_list(order["name"], [], RunMode.MULTIRUN)
            break
        except MissingConfigException as error:
            missing = error.missing_cfg_file or ""
            if not missing or missing in absent:
                raise
            group, _, option = missing.rpartition("/")
            ConfigStore.instance().store(name=option, node={}, group=group or None)
            absent.append(missing)
    config = loader.load_configuration(order["name"], [], RunMode.MULTIRUN)
    values = OmegaConf.to_container(config, resolve=False)
    assert isinstance(values, dict)
    del values["hydra"]
    choices = _choices(found.overrides.known_choices)
    listed = [
        (one.config_path, one.parent, one.package, _file_of(sources, str(one.config_path)))
        for one in found.defaults
        if not str(one.config_path).startswith("hydra/")
    ]
    return {"values": values, "listed": listed, "unfound": absent, "choices": choices}


def _choices(found: Mapping[str, Any]) -> dict[str, Any]:
    """Group -> the option chosen in the defaults list, without Hydra's own groups."""
    plain = {group: one for group, one in found.items() if not group.startswith("hydra/")}
    return {group: one if one is None else str(one) for group, one in plain.items()}


def _failure(error: BaseException) -> Answer:
    """The message of Hydra on one line, and the options of the group that it is about."""
    if isinstance(error, RecursionError):
        error = ValueError("a file stands in its own defaults list, or in one of a file in it")
    texts = [str(error)]
    if error.__cause__ is not None and str(error.__cause__) not in texts[0]:
        texts.append(str(error.__cause__))
    rows = [row for text in texts for row in text.splitlines() if not _ROWS.match(row)]
    return {
        "text": " ".join(" ".join(rows).split()),
        "missing": getattr(error, "missing_cfg_file", None),
        "options": getattr(error, "options", None),
    }


def _values(config: Any, order: Order, choices: Any) -> Answer:
    from omegaconf import OmegaConf

    if not OmegaConf.is_dict(config):
        return {"failure": _failure(TypeError("a config is a mapping of keys to values"))}
    problems: dict[str, str] = {}
    OmegaConf.set_struct(config, False)
    OmegaConf.set_readonly(config, False)
    applied = [key for key, _ in order["values"] if _has(config, key)]
    for key, value in order["values"]:
        if key not in applied:
            continue
        try:
            OmegaConf.update(config, key, value, merge=False)
        except Exception as error:
            problems[key] = _failure(error)["text"]
    _replace_resolver(config, order)
    own = OmegaConf.to_container(config, resolve=False)
    assert isinstance(own, dict)
    own.pop("hydra", None)
    reads = sorted({key for key in _reads(own, ()) if key})
    found = {key: _value(config, key, (str(key),), problems) for key in own}
    return {"values": found, "problems": problems, "reads": reads, "choices": choices,
            "applied": applied}  # fmt: skip


def _has(config: Any, key: str) -> bool:
    """Whether the config has *key* itself, not below an interpolation."""
    from omegaconf import OmegaConf

    node: Any = OmegaConf.to_container(config, resolve=False)
    for step in key.split("."):
        if isinstance(node, list) and step.isdigit() and int(step) < len(node):
            node = node[int(step)]
        elif isinstance(node, dict) and step in node and step != "hydra":
            node = node[step]
        else:
            return False
    return True


def _value(container: Any, key: Any, path: tuple[str, ...], problems: dict[str, str]) -> object:
    """The resolved value of *key*, as builtins; where it has none, its text, and a problem."""
    from omegaconf import OmegaConf

    try:
        if OmegaConf.is_missing(container, key):
            problems[".".join(path)] = "???"
            return "???"
        value = container[key]
    except Exception as error:
        problems[".".join(path)] = _failure(error)["text"]
        return str(OmegaConf.to_container(container, resolve=False)[key])  # type: ignore[index]
    if OmegaConf.is_dict(value):
        return {one: _value(value, one, (*path, str(one)), problems) for one in value}
    if OmegaConf.is_list(value):
        return [_value(value, i, (*path, str(i)), problems) for i in range(len(value))]
    if value is not None and type(value) not in (bool, int, float, str):
        problems[".".join(path)] = f"a value of type {type(value).__name__} has no meaning here"
        return str(value)
    return value


def _replace_resolver(config: Any, order: Order) -> None:
    """Make ``${hydra:...}`` an error where only a run of Hydra has the value: Hydra's own resolver
    would give None.
    """
    from omegaconf import OmegaConf

    def resolve(path: str) -> object:
        if "hydra" not in config:
            raise LookupError(f"hydra:{path}: only a config of Hydra has it (a .yaml file)")
        is_of_words = path.startswith(("overrides", "job.override_dirname")) and order["values"]
        if is_of_words or (path in ("job.name", "job") and not order["job"]):
            raise LookupError(f"hydra:{path}: kogine does not know it")
        try:
            return OmegaConf.select(config, f"hydra.{path}", throw_on_missing=True)
        except Exception:
            raise LookupError(f"hydra:{path}: only a run of Hydra itself has it") from None

    OmegaConf.register_new_resolver("hydra", resolve, replace=True)


def _reads(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    """The keys that interpolations in *value* read."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _reads(one, (*path, str(key)))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _reads(one, (*path, str(number)))
    elif isinstance(value, str) and "${" in value:
        for dots, key in _READ.findall(value):
            start = path[: len(path) - len(dots)] if dots else ()
            yield ".".join([*start, *filter(None, re.split(r"[.\[\]]", key))])


def _file_of(sources: list[Any], path: str) -> str:
    """The file of the config *path*; empty if it comes from elsewhere."""
    found: list[str] = [one.file(path) for one in sources if one.is_config(path)]
    return found[0] if found else ""


# --- the files, as they were when they were read first --------------------------------------------


def _text(record: Record, path: str) -> io.StringIO:
    """The text of the file at *path*, from *record* if it is there."""
    texts = record["texts"]
    if path not in texts:
        with open(path, encoding="utf-8") as file:
            texts[path] = file.read()
    made = io.StringIO(texts[path])
    made.name = path  # YAML's errors name it
    return made


def _names(record: Record, folder: str) -> list[str] | None:
    """The names in *folder*, None if there is none; from *record* if they are there."""
    folders = record["folders"]
    if folder not in folders:
        try:
            folders[folder] = os.listdir(folder)
        except OSError:
            folders[folder] = None
    names: list[str] | None = folders[folder]
    return names


def _keep_files(record: Record, *, without_own: bool) -> list[Any]:
    """Make Hydra read files by *record*, and record what it reads: a script may edit them while it
    runs, and the runs after it are of the same flow. The result gets the sources of Hydra's files.

    *without_own*: Hydra's own settings are left out of them, for a plugin may be absent.
    """
    from hydra._internal.core_plugins.file_config_source import FileConfigSource
    from hydra._internal.sources_registry import SourcesRegistry
    from hydra.core.plugins import Plugins
    from hydra.plugins.config_source import ConfigResult
    from omegaconf import OmegaConf

    made = []

    class Kept(FileConfigSource):
        def __init__(self, provider: str, path: str) -> None:
            super().__init__(provider, path)
            made.append(self)

        def full(self, path: str) -> str:
            return os.path.realpath(os.path.join(self.path, path))

        def file(self, config_path: str) -> str:
            return self.full(self._normalize_file_name(config_path))

        def text(self, config_path: str) -> io.StringIO:
            return _text(record, self.file(config_path))

        def load_config(self, config_path: str) -> ConfigResult:
            text = self.text(config_path)
            header = self._get_header_dict(text.getvalue()[:512])
            config = OmegaConf.load(text)
            if without_own:
                _drop_own_settings(config)
            return ConfigResult(self.provider, self.full_path(), config, header)

        def is_group(self, config_path: str) -> bool:
            return _names(record, self.full(config_path)) is not None

        def is_config(self, config_path: str) -> bool:
            path = self.file(config_path)
            if path in record["texts"]:
                return True
            folder, name = os.path.split(path)
            return name in (_names(record, folder) or ()) and not os.path.isdir(path)

        def list(self, config_path: str, results_filter: Any) -> Any:
            found: list[str] = []
            for name in _names(record, self.full(config_path)) or ():
                path = os.path.join(config_path, name)
                self._list_add_result(found, path, name, results_filter)
            return sorted(set(found))

    Plugins.instance()  # registers Hydra's own
    SourcesRegistry.instance().types["file"] = Kept
    return made


def _drop_own_settings(config: Any) -> None:
    """Take what is for Hydra itself out of the content of a file, but for its search path."""
    from omegaconf import OmegaConf

    if not OmegaConf.is_dict(config):
        return
    own = config.pop("hydra", None)
    path = own.get("searchpath") if OmegaConf.is_dict(own) else None
    if path is not None:
        config["hydra"] = {"searchpath": path}
    content = OmegaConf.to_container(config, resolve=False)
    listed = content.get("defaults") if isinstance(content, dict) else None
    if isinstance(listed, list):
        config["defaults"] = [
            one for one in listed if not _group_of(one).lstrip("/").startswith("hydra/")
        ]


def _group_of(entry: Any) -> str:
    """The group of an entry of a defaults list: ``/db`` of ``override /db@backup: mysql``; empty
    for the name of a file.
    """
    key = next(iter(entry), "") if isinstance(entry, dict) else ""
    return str(key).rpartition(" ")[2].partition("@")[0]


def _read_ahead(sources: list[Any], name: str, groups: list[str]) -> dict[str, list[str]]:
    """Read the config *name*, and each file that any option of its groups, and of *groups*, brings.
    Group -> its options.
    """
    found: dict[str, list[str]] = {}
    waiting, seen = [name], set()
    while waiting or groups:
        for group in groups:
            if group not in found and not group.startswith("hydra/"):
                found[group] = _options(sources, group)
                waiting += [f"{group}/{one}" for one in found[group]]
        groups = []
        path = waiting.pop() if waiting else ""
        if path and path not in seen:
            seen.add(path)
            files, groups = _named_in(_defaults(sources, path), path.rpartition("/")[0])
            waiting += files
    return found


def _options(sources: list[Any], group: str) -> list[str]:
    from hydra.core.object_type import ObjectType

    own = [one for one in sources if one.is_group(group)]
    return sorted({name for one in own for name in one.list(group, ObjectType.CONFIG)})


def _defaults(sources: list[Any], path: str) -> list[Any]:
    """The defaults list of the config *path*; empty without one."""
    from omegaconf import OmegaConf

    try:
        source = next(one for one in sources if one.is_config(path))
        text = source.text(path)
        if "defaults" not in text.getvalue():
            return []
        content = OmegaConf.to_container(OmegaConf.load(text), resolve=False)
    except Exception:  # it may be an option that nobody chooses
        return []
    listed = content.get("defaults") if isinstance(content, dict) else None
    return listed if isinstance(listed, list) else []


def _named_in(entries: list[Any], folder: str) -> tuple[list[str], list[str]]:
    """The files and the groups that *entries*, of a file in *folder*, name."""
    files, groups = [], []
    for entry in entries:
        if isinstance(entry, dict):
            groups.append(_below(folder, _group_of(entry)))
        elif isinstance(entry, str) and entry != "_self_":
            path = _below(folder, entry.partition("@")[0])
            if "${" in path:
                groups.append(path.rpartition("/")[0])
            else:
                files.append(path)
    return files, groups


def _below(folder: str, name: str) -> str:
    """The config or group *name*, as a file in *folder* writes it."""
    return name[1:] if name.startswith("/") else f"{folder}/{name}".lstrip("/")


def _groups_of(words: list[str]) -> list[str]:
    """The groups that *words* of Hydra may name: ``db`` of ``+db@backup=mysql``."""
    keys = [word.lstrip("+~").partition("=")[0].partition("@")[0] for word in words]
    return [key for key in keys if "." not in key]


def main() -> None:
    """Read an order from stdin, write the answer to stdout; Hydra's own output goes nowhere."""
    answer = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    order = marshal.loads(sys.stdin.buffer.read())
    try:
        found = answer_to(order)
    except ModuleNotFoundError as error:
        found = {"absent": str(error.name)}
    except Exception as error:
        found = {"failure": _failure(error)}
    with open(answer, "wb") as file:
        file.write(marshal.dumps(found))


if __name__ == "__main__":
    if sys.path[0] == os.path.dirname(os.path.realpath(__file__)):
        del sys.path[0]  # its modules have names such as `config`
    main()
