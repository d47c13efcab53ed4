"""``kogine completion``: the script that makes a shell complete kogine's command lines."""

from __future__ import annotations

import os
import sys
from importlib.resources import files

from kohaku_ast.errors import UsageError, did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SHELLS = {
    "bash": """put this line into ~/.bashrc: eval "$(kogine completion bash)\"""",
    "zsh": """put this line into ~/.zshrc: eval "$(kogine completion zsh)\"""",
    "fish": "run this once: kogine completion fish > ~/.config/fish/completions/kogine.fish",
}
"""The shells, and what their users do with the script."""


def completion(arguments: list[str]) -> Callable[[], int]:
    """What comes back prints the script of the shell that *arguments* name."""
    if len(arguments) != 1:
        raise UsageError(_which())
    if arguments[0] not in SHELLS:
        raise UsageError(_unknown(arguments[0]))
    text = (files("kogine") / "completions" / f"kogine.{arguments[0]}").read_text("utf-8")
    return lambda: _print(text)


def _print(text: str) -> int:
    sys.stdout.write(text)
    sys.stdout.flush()
    return 0


def _which() -> str:
    guessed = os.path.basename(os.environ.get("SHELL", ""))
    known = {guessed: SHELLS[guessed]} if guessed in SHELLS else SHELLS
    ways = "".join(f"\n  {shell}: {way}" for shell, way in known.items())
    return f"say for which shell: kogine completion {'|'.join(SHELLS)}{ways}"


def _unknown(shell: str) -> str:
    hint = did_you_mean(shell, SHELLS)
    return f"no completion for {shell!r} (expected one of: {', '.join(SHELLS)}).{hint}"
