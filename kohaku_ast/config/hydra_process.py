"""The process that composes a config of Hydra; it is started by its path, and imports nothing of
ours. ``hydra_config.py`` is its other side.

Hydra and OmegaConf have state of their own (GlobalHydra, resolvers, plugins), which the script must
not find: it may use them itself.
"""

from __future__ import annotations

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


def compose(order: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to *order*: the values of the config, and what is wrong with which of them."""
    import hydra
    from hydra.core.global_hydra import GlobalHydra
    from hydra.types import RunMode
    from omegaconf import OmegaConf

    if not order["name"]:
        from hydra.core.utils import setup_globals

        setup_globals()
        return _answer(OmegaConf.load(order["file"]), order, None)
    name, words = order["name"], order["words"]
    job = order["job"] or "app"
    with hydra.initialize_config_dir(order["folder"], version_base=None, job_name=job):
        loader = GlobalHydra.instance().config_loader()
        try:
            known = loader.compute_defaults_list(name, words, RunMode.MULTIRUN)
            choices = _choices(known.overrides.known_choices)
        except Exception:
            choices = None
        try:
            config = hydra.compose(name, words, return_hydra_config=True)
        except Exception as error:
            return {"failure": _failure(error), "choices": choices}
        return _answer(config, order, _choices(config.hydra.runtime.choices))


def _choices(found: Mapping[str, Any]) -> dict[str, Any]:
    """Group -> the option chosen in the defaults list, without Hydra's own groups."""
    plain = {group: one for group, one in found.items() if not group.startswith("hydra/")}
    return {group: one if one is None else str(one) for group, one in plain.items()}


def _failure(error: BaseException) -> dict[str, Any]:
    """The message of Hydra on one line, and the options of the group that it is about."""
    texts = [str(error)]
    if error.__cause__ is not None and str(error.__cause__) not in texts[0]:
        texts.append(str(error.__cause__))
    rows = [row for text in texts for row in text.splitlines() if not _ROWS.match(row)]
    return {
        "text": " ".join(" ".join(rows).split()),
        "missing": getattr(error, "missing_cfg_file", None),
        "options": getattr(error, "options", None),
    }


def _answer(config: Any, order: Mapping[str, Any], choices: Any) -> dict[str, Any]:
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


def _replace_resolver(config: Any, order: Mapping[str, Any]) -> None:
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


def main() -> None:
    """Read an order from stdin, write the answer to stdout; Hydra's own output goes nowhere."""
    answer = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    order = marshal.loads(sys.stdin.buffer.read())
    try:
        found = compose(order)
    except ModuleNotFoundError as error:
        found = {"absent": str(error.name)}
    except Exception as error:
        found = {"failure": _failure(error)}
    with open(answer, "wb") as file:
        file.write(marshal.dumps(found))


if __name__ == "__main__":
    del sys.path[0]  # this folder, whose modules have names such as `config`
    main()
