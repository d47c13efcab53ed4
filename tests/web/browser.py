"""A headless Chromium that a test drives: pages, their numbers, pictures and accessibility."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

if TYPE_CHECKING:
    from tests.web.ui_server import UiServer

Result = TypeVar("Result")

ROOT = Path(__file__).parents[2]
PICTURES = Path(os.environ.get("KOGINE_TEST_PICTURES", ROOT / ".ci-artifacts" / "browser"))
"""Where the screenshots are kept."""
FOREIGN = "rebound.test"
"""A name that leads to this machine, as one of an attacker would after DNS rebinding."""
_SECONDS = 60.0
_WORDS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    "--window-size=1280,900",
    # Whatever a page would fetch from elsewhere fails, and is an error in the console.
    f"--host-resolver-rules=MAP {FOREIGN} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_TABLE = """
const table = arguments[0];
const texts = (row) => [...row.cells].map((cell) => cell.innerText.trim());
return [...table.rows].filter((row) => row.offsetParent !== null).map(texts);
"""
_AXE = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ["violations"], ...(arguments[0] ? {runOnly: arguments[0]} : {})}).then(
  (found) => done(found.violations.map((one) =>
    `${one.id} (${one.impact}): ${one.help}: ` + one.nodes.map((node) => node.html.slice(0, 120)).join(" | "))),
  (error) => done([`axe-core failed: ${error}`]),
);
"""


def chromium() -> tuple[str, str] | None:
    """The programs Chromium and ChromeDriver; None if this machine lacks one."""
    found = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    return (found[0], found[1]) if found[0] and found[1] else None


@contextmanager
def started(*more: str) -> Iterator[Chrome]:
    """A Chromium with an empty profile, in English, with a light theme."""
    programs = chromium()
    assert programs is not None, "apt-get install chromium chromium-driver"
    options = ChromeOptions()
    options.binary_location = programs[0]
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for word in (*_WORDS, f"--user-data-dir={profile}", *more):
            options.add_argument(word)
        driver = Chrome(options=options, service=Service(programs[1]))
        try:
            yield driver
        finally:
            driver.quit()


class Page:
    """What a person sees of the page that is open, and does there."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        """Go to *url*, and wait until its script says that the page is shown."""
        self.driver.get(url)
        self.wait_until_shown()

    def sign_in(self, server: UiServer) -> None:
        """Open the address that *server* has printed, if it has not been opened yet."""
        if not self.driver.current_url.startswith(server.url):
            self.open(server.entry)

    def leave(self) -> None:
        """Close the page, before its server ends."""
        self.driver.get("about:blank")

    def wait_until_shown(self) -> None:
        """Wait until the page has drawn what its address says: it says that it is not busy."""
        shown = "return document.getElementById('main')?.getAttribute('aria-busy') === 'false'"
        self.wait(lambda: self.script(shown), "the page")

    def script(self, text: str, *arguments: Any) -> Any:
        """What the JavaScript *text* returns."""
        return self.driver.execute_script(text, *arguments)

    def find(self, css: str) -> WebElement:
        """The first element of *css*, as soon as there is one."""
        return self.wait(lambda: next(iter(self.all(css)), None), css)

    def all(self, css: str) -> list[WebElement]:
        """The elements of *css* that there are now."""
        return [*self.driver.find_elements(By.CSS_SELECTOR, css)]

    def text(self, css: str) -> str:
        """The visible text of the first element of *css*."""
        return str(self.wait(lambda: [self.find(css).text], css)[0])

    def click(self, css: str, text: str = "") -> None:
        """Click on the first element of *css*, or the one with this visible *text*."""

        def clicked() -> bool:
            found = next(
                (one for one in self.all(css) if not text or one.text.strip() == text), None
            )
            if found is None or not found.is_displayed():
                return False
            self.script("arguments[0].scrollIntoView({block: 'center'})", found)
            found.click()
            return True

        self.wait(clicked, f"{css} {text}")

    def table(self, css: str = "table") -> list[dict[str, str]]:
        """The rows of a table: heading -> text of the cell."""
        head, *rows = self.wait(lambda: self.script(_TABLE, self.find(css)), css)
        return [dict(zip(head, row)) for row in rows]

    def wait(self, found: Callable[[], Result | None], what: str) -> Result:
        """What *found* gives once that is true. What is gone from the page meanwhile is no error."""
        end = time.monotonic() + _SECONDS
        while True:
            try:
                result = found()
            except (StaleElementReferenceException, WebDriverException) as error:
                if time.monotonic() > end:
                    raise AssertionError(f"{what}: {error}") from error
                result = None
            if result:
                return result
            if time.monotonic() > end:
                shown = self.driver.find_element(By.TAG_NAME, "body").text[:2000]
                raise AssertionError(f"{what} did not come; the page shows:\n{shown}")
            time.sleep(0.03)

    def wait_for(self, css: str, text: str) -> None:
        """Wait until *text* stands in the first element of *css*."""
        self.wait(lambda: text in self.text(css), f"{text!r} in {css}")

    def picture(self, name: str, *, docs: str = "", width: int = 1280, height: int = 900) -> Path:
        """Keep what is seen now as NAME.png; the artefacts of CI have it. With KOGINE_ACCEPT=1 it
        becomes the picture *docs* of the docs.
        """
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.driver.set_window_size(width, height)
        path = PICTURES / f"{name}.png"
        path.write_bytes(self.driver.get_screenshot_as_png())
        if docs and os.environ.get("KOGINE_ACCEPT"):
            shutil.copy(path, ROOT / "docs" / "images" / f"{docs}.png")
        return path

    def dark(self, is_dark: bool) -> None:
        """Show pages as on a screen with a dark theme."""
        theme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [theme]})

    def errors(self) -> list[str]:
        """What the console says since the last call: errors, and what the policy has blocked."""
        found = self.driver.get_log("browser")
        return [one["message"] for one in found if one["level"] in ("SEVERE", "WARNING")]

    def barriers(self, *rules: str) -> list[str]:
        """What axe-core finds wrong for people with a screen reader, a keyboard, or weak eyes; by
        these *rules* alone.
        """
        if not self.script("return typeof axe === 'object'"):
            self.script(axe_source() + "\nwindow.axe = axe;")
        return list(self.driver.execute_async_script(_AXE, rules or None))


def axe_source() -> str:
    """The script of axe-core, which a package on PyPI brings along."""
    found = importlib.util.find_spec("axe_playwright_python")
    assert found is not None, "make browser installs axe-core"
    return Path(next(iter(found.submodule_search_locations or ())), "axe.min.js").read_text("utf-8")
