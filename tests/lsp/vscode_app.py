"""VS Code, as a server that a headless Chromium shows, with the extension of the docs in it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.web.browser import Page, started

INSTALLED = Path(__file__).parents[2] / ".code-server"
"""What `make vscode` has installed."""
_SETTINGS = {
    # A login shell, which VS Code asks for its PATH, does not know this environment.
    "kogine.command": [str(Path(sys.executable).parent / "kogine"), "lsp"],
    "security.workspace.trust.enabled": False,
    "telemetry.telemetryLevel": "off",
    "workbench.startupEditor": "none",
    "files.autoSave": "off",
    "editor.minimap.enabled": False,
}
_TEXT = """
const lines = [...document.querySelectorAll(".editor-instance .view-lines .view-line")];
lines.sort((a, b) => parseInt(a.style.top) - parseInt(b.style.top));
return lines.map((line) => line.textContent.replaceAll("\\u00a0", " ")).join("\\n");
"""


class VSCode(Page):
    """The window of VS Code. A chord of keys is a tuple of them."""

    def __init__(self, driver: Chrome, settings: Path) -> None:
        super().__init__(driver)
        self._settings = settings

    def set(self, **settings: object) -> None:
        """Write the user's settings, which the window reads when it is loaded."""
        self._settings.parent.mkdir(parents=True, exist_ok=True)
        text = {name.replace("_", "."): value for name, value in settings.items()}
        self._settings.write_text(json.dumps({**_SETTINGS, **text}))

    # --- what a person does ----------------------------------------------------------------------

    def press(self, *chords: str | tuple[str, ...]) -> None:
        """Press one chord after the other, or type a text."""
        for chord in chords:
            *held, last = (chord,) if isinstance(chord, str) else chord
            actions = ActionChains(self.driver)
            for key in held:
                actions.key_down(key)
            actions.send_keys(last)
            for key in held:
                actions.key_up(key)
            actions.perform()

    def open_file(self, name: str) -> None:
        """Open *name* by two clicks in the list of files, and its problems below it."""
        self.wait(lambda: self._click_twice(name), f"the tab {name}")
        if not self.all(".markers-panel"):
            self.press((Keys.CONTROL, Keys.SHIFT, "m"))
            self.wait(lambda: self._click_twice(name), f"the tab {name}")
        self.wait(lambda: self.text_shown(), f"the text of {name}")

    def _click_twice(self, name: str) -> bool:
        """Whether the file opens: a click before the list is ready is lost."""
        if row := self._row(".explorer-folders-view", name):
            ActionChains(self.driver).double_click(row).perform()
            time.sleep(1)
        return self.tab() == name

    def reload(self) -> None:
        """Load the window again, with its settings."""
        self.close_files()
        self.driver.refresh()

    def close_files(self) -> None:
        """Close all files; what was typed is not saved."""
        self.command("View: Close All Editors")
        buttons = ".monaco-dialog-box .monaco-button"
        self.wait(lambda: not self.tab() or self.all(buttons), "no tab, or a question")
        if self.all(buttons):
            self.click(buttons, "Don't Save")
        self.wait(lambda: not self.tab(), "no tab")

    def command(self, title: str) -> None:
        """Choose *title* in the palette of commands."""
        self.press(Keys.F1)
        self.wait(lambda: self.all(".quick-input-widget:not([style*='display: none'])"), "F1")
        self.press(title)
        self.wait(lambda: self._row(".quick-input-list", title), title)
        self.press(Keys.ENTER)

    def go_to(self, text: str, offset: int = 0) -> None:
        """Put the cursor so many characters after the start of *text* in the file."""
        before, found, _ = self.text_shown().partition(text)
        assert found, text
        line, column = before.count("\n") + 1, len(before.rpartition("\n")[2]) + offset + 1
        self.press((Keys.CONTROL, "g"))
        self.wait(lambda: self.all(".quick-input-widget:not([style*='display: none'])"), "Ctrl-G")
        self.press(f"{line}:{column}", Keys.ENTER)
        self.wait(lambda: self.place() == (line, column), f"line {line}, column {column}")

    def add_line(self, text: str) -> None:
        """Type *text* on a line of its own at the end of the file."""
        self.press((Keys.CONTROL, Keys.END), Keys.ENTER, text)

    # --- what a person sees ----------------------------------------------------------------------

    def _row(self, within: str, text: str) -> WebElement | None:
        rows = self.all(f"{within} .monaco-list-row")
        return next((row for row in rows if text in row.text.split("\n")), None)

    def tab(self) -> str:
        """The name of the file that is in front; empty if none is."""
        return next((one.text.strip() for one in self.all(".tabs-container .tab.active")), "")

    def text_shown(self) -> str:
        """The text in the editor."""
        return str(self.script(_TEXT))

    def place(self) -> tuple[int, int] | None:
        """Line and column of the cursor, from 1."""
        shown = " ".join(one.text for one in self.all(".statusbar-item"))
        found = re.search(r"Ln (\d+), Col (\d+)", shown)
        return (int(found[1]), int(found[2])) if found else None

    def problems(self, count: int) -> list[str]:
        """``LINE:COLUMN message`` of each of the *count* problems in the Problems panel."""

        def found() -> list[str] | None:
            rows = [row.text.split("\n") for row in self.all(".markers-panel .monaco-list-row")]
            of_us = [row for row in rows if row[1:2] == ["kogine"]]
            return [f"{row[2]} {row[0]}" for row in of_us] if len(of_us) == count else None

        shown = self.wait(found, f"{count} problems") if count else found() or []
        place = re.compile(r"\[Ln (\d+), Col (\d+)\] ")
        return sorted(place.sub(r"\1:\2 ", text) for text in shown)

    def hover(self) -> str:
        """What is shown about the place of the cursor."""
        self.press((Keys.CONTROL, "k"), (Keys.CONTROL, "i"))
        texts = ".monaco-hover-content"
        shown = self.wait(lambda: [one.text for one in self.all(texts) if one.text], "the hover")
        self.press(Keys.ESCAPE)
        return str(shown[0])

    def suggestions(self) -> list[str]:
        """What completion offers at the cursor."""
        rows = ".suggest-widget.visible .monaco-list-row"
        found = self.wait(lambda: [one.get_attribute("aria-label") for one in self.all(rows)], rows)
        return [str(label).partition(",")[0] for label in found]

    def fixes(self) -> list[str]:
        """The quick fixes at the cursor; they stay open."""
        self.press((Keys.CONTROL, "."))
        rows = ".action-widget .monaco-list-row.action"
        return self.wait(lambda: [one.text for one in self.all(rows) if one.text], "quick fixes")


def _free_port() -> int:
    with socket.socket() as link:
        link.bind(("127.0.0.1", 0))
        return int(link.getsockname()[1])


def _environment(home: Path) -> dict[str, str]:
    """That of somebody who has never used VS Code."""
    return {**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home)}


@contextmanager
def vscode(folder: Path, home: Path) -> Iterator[VSCode]:
    """VS Code with the extension, which shows *folder*; it keeps what is its own in *home*."""
    program = INSTALLED / "node_modules" / ".bin" / "code-server"
    words: list[str | Path] = [
        program,
        "--user-data-dir",
        home,
        "--extensions-dir",
        home / "extensions",
    ]
    environment = _environment(home)
    subprocess.run(
        [*words, "--install-extension", INSTALLED / "kogine.vsix"],
        env=environment, check=True, capture_output=True,
    )  # fmt: skip
    port = _free_port()
    serve = ["--auth", "none", "--bind-addr", f"127.0.0.1:{port}", "--disable-telemetry"]
    with (home / "server.log").open("w") as log, started() as driver:
        window = VSCode(driver, home / "User" / "settings.json")
        window.set()
        process = subprocess.Popen(
            [*words, *serve, "--disable-update-check", "--disable-getting-started-override"],
            env=environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            window.wait(lambda: _opened(driver, f"http://127.0.0.1:{port}/?folder={folder}"), "it")
            yield window
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def _opened(driver: Chrome, url: str) -> bool:
    """Whether VS Code is there: until its server listens that raises, then there is no page."""
    driver.get(url)
    return bool(driver.find_elements(By.ID, "vscode-workbench-web-configuration"))
