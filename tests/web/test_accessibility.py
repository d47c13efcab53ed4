"""Every page: what axe-core finds, light and dark, wide and narrow; and the keyboard."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.web.browser import Page

pytestmark = pytest.mark.browser

PAGES = {
    "runs": "/",
    "runs-filtered": "/?where=lr+%3E+0.2&sort=-loss&columns=number%2Clr%2Closs%2Cspark%3Aloss",
    "sweeps": "/?group=flow",
    "groups": "/?group=lr&columns=loss",
    "trash": "/?trash=1",
    "run": "/runs/1",
    "run-failed": "/runs/30",
    "run-log": "/runs/1?tab=log",
    "run-source": "/runs/1?tab=source",
    "run-files": "/runs/1?tab=files",
    "run-environment": "/runs/1?tab=environment",
    "pipeline": "/pipelines/32?node=show",
    "systems": "/systems?file=robot.py&name=robot",
    "cache": "/cache?why=1",
    "compare": "/compare?where=script+%3D%3D+%22fit.py%22&colour=bs",
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_read_by_everybody(view: Callable[[str], Page], name: str) -> None:
    page = view(PAGES[name])
    page.picture(name)
    assert page.barriers() == []
    page.dark(True)
    try:
        page.picture(f"{name}-narrow", width=500)
        assert page.barriers("color-contrast") == []
        wide = page.script("return document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, "the page scrolls sideways"
    finally:
        page.dark(False)
        page.driver.set_window_size(1280, 900)


def test_the_keyboard_is_enough(view: Callable[[str], Page]) -> None:
    page = view("/")

    def focused() -> str:
        return str(
            page.script(
                "return document.activeElement.innerText || document.activeElement.ariaLabel"
            )
        )

    def press(*keys: str) -> None:
        ActionChains(page.driver).send_keys(*keys).perform()

    press(Keys.TAB)
    assert focused() == "Skip to the content"
    press(Keys.ENTER)
    seen = []
    for _ in range(30):
        press(Keys.TAB)
        seen.append(focused())
        assert page.script("return document.activeElement.matches(':focus-visible')")
    assert "Filter runs" in seen
    assert "Filter" in seen
