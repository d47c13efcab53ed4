"""The errors for mistakes that the user can correct, each with an anchor in the docs.

None of them stands for an exception of the user's script, which is printed as Python prints it.
Each is one of Python's own families as well: a wrong value is a ValueError, a wrong type a
TypeError, a file or module that does not exist a FileNotFoundError.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO


class KogineError(Exception):
    """A mistake that the user can correct; the command line prints it and exits with status 2."""

    #: The anchor of this message in ``docs/reference/messages.md``.
    slug = "error"
    #: The target that the message is about, as the user wrote it; empty if it is about none.
    target = ""

    def __str__(self) -> str:
        """The message: of bounded length, and plain text, whatever names and values are in it."""
        return visible(cut_long(super().__str__()))

    def _render_traceback_(self) -> list[str]:
        """The lines that IPython and Jupyter print for it: the places in the user's own files, and
        the message; no frame of ours.
        """
        import os
        import traceback

        ours = os.path.dirname(os.path.abspath(__file__)) + os.sep
        frames = [
            one
            for one in traceback.extract_tb(self.__traceback__)
            if not one.filename.startswith(ours) and f"{os.sep}IPython{os.sep}" not in one.filename
        ]
        return [*traceback.format_list(frames), f"{type(self).__name__}: {self}"]


class UsageError(KogineError, ValueError):
    """The command line, or a call of the Python API, is wrong."""

    slug = "usage"


class UsageTypeError(UsageError, TypeError):
    """An argument of the Python API has a wrong type."""


class SourceError(KogineError, ValueError):
    """The script cannot be read, decoded or parsed."""

    slug = "source"


class UnreadableScript(SourceError, OSError):
    """The script's file cannot be read."""


class MissingScript(UnreadableScript, FileNotFoundError):
    """There is no file, and no module, of the script's name."""

    errno = 2


class ScriptIsDirectory(UnreadableScript, IsADirectoryError):
    """A folder, without a ``__main__.py``, has the script's name."""

    errno = 21


class UnknownTarget(KogineError, ValueError):
    """A target names nothing that the script defines."""

    slug = "unknown-target"
    #: The targets that look like it, the nearest first.
    near: tuple[str, ...] = ()

    def with_near(self, names: Iterable[str]) -> UnknownTarget:
        """The same error, with the targets that look like the unknown one."""
        self.near = tuple(names)
        return self


class AmbiguousTarget(KogineError, ValueError):
    """A short target fits several parameters."""

    slug = "ambiguous-target"


class RefusedTarget(KogineError, ValueError):
    """A target names something that cannot be overridden; the message says why."""

    slug = "refused-target"


class DuplicateTarget(KogineError, ValueError):
    """Two overrides of one rank give one parameter two values."""

    slug = "duplicate-target"


class ValueMismatch(KogineError, ValueError):
    """A value does not fit the type of its parameter."""

    slug = "value-mismatch"


class ConfigError(KogineError, ValueError):
    """A config file or a sweep is wrong."""

    slug = "config"
    #: The line of the file at which it cannot be read; 0 if that is not the reason.
    line = 0

    def at_line(self, line: int) -> ConfigError:
        """The same error, with the *line* of the file."""
        self.line = line
        return self


class ConfigTypeError(ConfigError, TypeError):
    """A part of a Config or Sweep has a wrong type."""


class UnreadableConfig(ConfigError, OSError):
    """The file of a config or a table cannot be read."""


class MissingConfig(UnreadableConfig, FileNotFoundError):
    """There is no file of the config's name."""

    errno = 2


class ConfigIsDirectory(UnreadableConfig, IsADirectoryError):
    """A folder has the config's name."""

    errno = 21


def unreadable_config(what: str, path: str, error: OSError) -> ConfigError:
    """The error for the file *path* of a config or a table, which *error* says of."""
    kinds = {FileNotFoundError: MissingConfig, IsADirectoryError: ConfigIsDirectory}
    found = kinds.get(type(error), UnreadableConfig)(
        f"can't open {what} {path!r}: {error.strerror or error}"
    )
    found.errno = error.errno
    return found


class EntrypointError(KogineError, ValueError):
    """There is no call, or no function, that could get ``args`` and ``kwargs``."""

    slug = "entrypoint"


class FreezeError(KogineError, ValueError):
    """A value cannot be written into a script."""

    slug = "freeze"


class UncrossableValue(KogineError, TypeError):
    """A value or a result cannot be sent to another process."""

    slug = "uncrossable-value"


class PipelineError(KogineError, ValueError):
    """A pipeline cannot be built, or cannot run with what it was given."""

    slug = "pipeline"


class PipelineTypeError(PipelineError, TypeError):
    """A part or an argument of a pipeline has a wrong type."""


class SystemsError(KogineError, ValueError):
    """A system of components cannot be built, compiled or launched."""

    slug = "system"


class SystemsTypeError(SystemsError, TypeError):
    """A part or an argument of a system has a wrong type."""


class SystemFailed(KogineError, RuntimeError):
    """A system ended with an error that is not an exception of this process."""

    slug = "system-failed"


_TYPE_ERRORS: dict[type[KogineError], type[KogineError]] = {
    UsageError: UsageTypeError, ConfigError: ConfigTypeError, PipelineError: PipelineTypeError,
    SystemsError: SystemsTypeError,
}  # fmt: skip

PATHS = (str, os.PathLike)
"""The classes of values that name a file."""


def check_type(
    value: object,
    kinds: type | tuple[type, ...],
    what: str,
    of: type[KogineError] = UsageError,
) -> None:
    """Raise the TypeError among the errors *of* a part of the API unless *value* is one of *kinds*.
    *what* begins the message: "path is a file's name".
    """
    if not isinstance(value, kinds):
        raise _TYPE_ERRORS[of](f"{what}, got {value!r}")


def check_named(
    values: object, kinds: type | tuple[type, ...], what: str, of: type[KogineError] = UsageError
) -> None:
    """The same for a mapping of texts to values of *kinds*."""
    from collections.abc import Mapping

    check_type(values, Mapping, what, of)
    for name, value in values.items():  # type: ignore[attr-defined]
        if not isinstance(name, str) or not isinstance(value, kinds):
            raise _TYPE_ERRORS[of](f"{what}, got {name!r}: {value!r}")


def read_number(
    name: str,
    value: object,
    least: float = float("-inf"),
    *,
    is_whole: bool = True,
    of: type[KogineError] = UsageError,
) -> float:
    """The number of the argument *name*. Raises an error *of* a part of the API, a TypeError for
    what is no number, for others and for fewer than *least*.
    """
    try:
        if isinstance(value, (bool, str, bytes)):
            raise TypeError
        number: float = value.__index__() if is_whole else float(value)  # type: ignore[attr-defined,arg-type]
    except (TypeError, AttributeError):
        kind = "a whole number" if is_whole else "a number"
        raise _TYPE_ERRORS[of](f"{name} is {kind}, got {value!r}") from None
    if not number >= least:  # nan is not, either
        raise of(f"{name} is at least {least:g}, got {value!r}")
    return number


class TransformError(KogineError, RuntimeError):
    """The script could not be rewritten, or the rewrite not proved; nothing was run."""

    slug = "transform"


class BrokenInstallation(KogineError, ImportError):
    """A package that kohaku_ast needs cannot be imported."""

    slug = "installation"


class PluginError(KogineError, ImportError):
    """A plug-in cannot be loaded, or does not do what its kind of plug-in has to do."""

    slug = "plug-in"


class UnusedOverride(UserWarning):
    """An override was in force, but the definition it replaces never ran."""


class CacheWarning(UserWarning):
    """A result cannot be cached or found in the cache; the run goes on without it."""


# Colours, titles and movements of the cursor; text in the other direction; text without a picture.
_INVISIBLE = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\U000e0000-\U000e007f]"


def visible(text: str) -> str:
    r"""*text* with an escape, such as ``\x1b``, for each character that gives the terminal an order
    or hides text. Line ends and tabs stay.
    """
    if text.isprintable():
        return text
    import re

    return re.sub(_INVISIBLE, lambda found: repr(found[0])[1:-1], text)


_HALF_LINES, _HALF_LINE = 100, 500


def cut_long(text: str) -> str:
    """*text*, of which the middle is left out if a line, or the number of lines, is very long."""
    if len(text) <= 2 * _HALF_LINE:
        return text
    lines = [_cut_line(line) for line in text.split("\n")]
    left_out = len(lines) - 2 * _HALF_LINES
    if left_out > 0:
        lines[_HALF_LINES:-_HALF_LINES] = [f"... ({left_out} lines left out)"]
    return "\n".join(lines)


def _cut_line(line: str) -> str:
    left_out = len(line) - 2 * _HALF_LINE
    if left_out <= 0:
        return line
    return f"{line[:_HALF_LINE]} ... ({left_out} characters left out) ... {line[-_HALF_LINE:]}"


_COLOURS = {"error": "1;31", "warning": "1;33", "note": "1;36"}


def label(kind: str, stream: TextIO | None) -> str:
    """``kogine: error: ``, for the start of a message on *stream*; coloured on a terminal."""
    if not wants_colour(stream):
        return f"kogine: {kind}: "
    return f"\x1b[1mkogine:\x1b[0m \x1b[{_COLOURS[kind]}m{kind}:\x1b[0m "


def wants_colour(stream: TextIO | None) -> bool:
    """Whether text on *stream* is coloured: on a terminal, unless ``NO_COLOR`` or a dumb terminal
    forbids it; elsewhere if ``FORCE_COLOR`` or ``CLICOLOR_FORCE`` asks for it.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if any(
        os.environ.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")
    ):
        return True
    try:
        return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):  # it is no stream, or closed
        return False


def near(name: str, names: list[str], most: int = 3, cutoff: float = 0.6) -> list[str]:
    """Up to *most* of *names* that are similar to *name* (*cutoff* 1: equal), the nearest first."""
    import difflib  # takes 3 ms, and only an error needs it

    folded = {candidate.casefold(): candidate for candidate in reversed(names)}
    if len(name) < 4:
        cutoff = min(cutoff, 0.5)  # one letter of "lr" is half of it
    typed = name.casefold()
    found = difflib.get_close_matches(typed, list(folded), n=max(most, 3), cutoff=cutoff)
    # Two letters in the wrong order are the usual slip: --form is --from, not --format.
    found = sorted(found, key=lambda one: sorted(one) != sorted(typed))[:most]
    return [folded[key] for key in found]


def did_you_mean(name: str, names: Iterable[str], cutoff: float = 0.6) -> str:
    """For the end of a message: `` Did you mean 'lr'?``; empty if no name looks like *name*."""
    found = near(name, list(names), 1, cutoff)
    return f" Did you mean {found[0]!r}?" if found else ""


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The message for a *name* that is none of *known*."""
    known = list(known)
    begun = [one for one in known if name and one.startswith(name)]
    hint = f" Did you mean {begun[0]!r}?" if len(begun) == 1 else did_you_mean(name, known)
    return f"unknown {what} {name!r} (expected one of: {', '.join(known)}).{hint}"
