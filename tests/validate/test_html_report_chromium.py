"""The page in a browser: the slider moves, tables sort, checks are filtered, themes differ, nothing complains."""

from __future__ import annotations

import base64
import importlib.util
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import PIL.Image
import pytest

from pixelproof.validate.html_report import write_html

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytest.importorskip("selenium", reason="needs selenium: pip install -e '.[dev]'")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="needs a browser: apt install chromium chromium-driver"
)

NASTY = "<script>document.title = 'taken'</script>.pb"


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("html_reports", Path(__file__).with_name("html_reports.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


made = _loaded()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    profile = tmp_path_factory.mktemp("profile")
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--force-device-scale-factor=1",
        "--window-size=1280,900",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    report = made.full(path=NASTY.replace("/", ""))
    report = made.with_check(report, made.check("range", "failed", found=NASTY, remedy="Mend it."))
    pictures = made.save(folder / "pictures", report, side=96)
    write_html(report, folder / "page.html", pictures=pictures)
    return (folder / "page.html").as_uri()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """The page at 1280 pixels in light colours; at the end the console must be empty."""
    show(browser, width=1280, theme="light")
    browser.get(address)
    browser.execute_script("localStorage.clear()")
    browser.refresh()
    yield browser
    assert browser.get_log("browser") == []


def show(browser: Any, *, width: int, theme: str, media: str = "screen") -> None:
    features = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def picture(browser: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What is on the screen, grey."""
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})["data"]
    return np.array(PIL.Image.open(io.BytesIO(base64.b64decode(shot))).convert("L"), dtype=np.float64)


def all_of(browser: Any, selector: str) -> list[Any]:
    return list(browser.find_elements("css selector", selector))


def test_the_slider_moves_by_keys_and_by_pointer(page: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    slider = all_of(page, ".stage input[type=range]")[0]
    page.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", slider)
    over = all_of(page, ".stage .over")[0]
    assert over.value_of_css_property("clip-path") == "inset(0px 50% 0px 0px)"
    slider.send_keys(Keys.ARROW_RIGHT * 5)
    assert over.value_of_css_property("clip-path") == "inset(0px 45% 0px 0px)"
    assert slider.get_attribute("aria-valuetext") == "55 % input"
    assert "Divide between input on the left and output on the right" in slider.get_attribute("aria-label")
    slider.send_keys(Keys.HOME)
    assert over.value_of_css_property("clip-path") == "inset(0px 100% 0px 0px)"
    before = picture(page)
    width = slider.rect["width"]
    ActionChains(page).move_to_element_with_offset(slider, int(width * 0.25), 0).click().perform()
    assert 70 <= int(slider.get_property("value")) <= 80
    assert np.abs(picture(page) - before).max() > 20


def test_other_pictures_can_be_compared(page: Any) -> None:
    from selenium.webdriver.support.ui import Select

    box = all_of(page, ".compare")[0]
    left, right, size = (Select(element) for element in box.find_elements("css selector", "select"))
    names = [option.text for option in left.options]
    assert names == ["input", "output", "target", "error map", "marked pixels"]
    right.select_by_visible_text("error map")
    strip = {
        image.get_attribute("data-part"): image for image in all_of(page, "article:first-of-type .strip img")
    }
    under = box.find_element("css selector", ".stage img")
    assert under.get_attribute("src") == strip["error"].get_attribute("src")
    stage = box.find_element("css selector", ".stage")
    for zoom in (1, 3):
        size.select_by_visible_text(f"{zoom}:1")
        assert round(stage.rect["width"]) == zoom * 96 and round(stage.rect["height"]) == zoom * 96
    assert {image.rect["width"] for image in strip.values()} == {96}


def test_tables_sort_both_ways(page: Any) -> None:
    page.execute_script("document.querySelectorAll('details').forEach((box) => { box.open = true; })")
    table = "#fidelity table.sortable"
    heads = all_of(page, f"{table} thead th")

    def figures(column: int) -> list[float]:
        return [float(cell.text) for cell in all_of(page, f"{table} tbody tr > :nth-child({column})")]

    for column in (2, 3):
        button = heads[column - 1].find_element("css selector", "button")
        page.execute_script("arguments[0].click()", button)
        assert heads[column - 1].get_attribute("aria-sort") == "ascending"
        assert figures(column) == sorted(figures(column)) != []
        page.execute_script("arguments[0].click()", button)
        assert heads[column - 1].get_attribute("aria-sort") == "descending"
        assert figures(column) == sorted(figures(column), reverse=True)
    assert heads[1].get_attribute("aria-sort") is None
    verdict = all_of(page, "#checks-table thead th button")[0]
    page.execute_script("arguments[0].click()", verdict)
    assert all_of(page, "#checks-table tbody tr")[0].get_attribute("data-status") == "failed"
    names = all_of(page, f"{table} thead th button")[0]
    page.execute_script("arguments[0].click()", names)
    assert [cell.text for cell in all_of(page, f"{table} tbody th")] == [f"{i}.png" for i in range(12)]


def test_checks_are_filtered(page: Any) -> None:
    rows = all_of(page, "#checks-table tbody tr")
    failed = all_of(page, "[data-show=failed]")[0]
    failed.click()
    assert [row.get_attribute("data-status") for row in rows if row.is_displayed()] == ["failed"]
    assert failed.get_attribute("aria-pressed") == "true"
    assert page.find_element("id", "shown").get_property("textContent") == "1 of 6 checks shown"
    all_of(page, "[data-show=all]")[0].click()
    assert all(row.is_displayed() for row in rows)


def test_names_are_not_run(page: Any) -> None:
    assert page.title.startswith("Failed: <script>document.title")
    assert "<script>document.title" in page.find_element("tag name", "h1").text


def test_both_themes_are_seen_and_differ(page: Any) -> None:
    light = picture(page)
    page.find_element("id", "theme").click()
    dark = picture(page)
    for shot in (light, dark):
        assert shot.std() > 5
    assert light.mean() > 200 and dark.mean() < 60
    page.refresh()
    assert page.find_element("id", "theme").get_attribute("aria-pressed") == "true"
    assert picture(page).mean() < 60
    page.execute_script("localStorage.clear()")
    show(page, width=1280, theme="dark")
    page.refresh()
    assert picture(page).mean() < 60
    show(page, width=1280, theme="dark", media="print")
    assert picture(page).mean() > 200
    assert not any(element.is_displayed() for element in all_of(page, ".tools, .compare, .filter"))


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_cut_off_and_text_can_be_read(page: Any, width: int, theme: str) -> None:
    show(page, width=width, theme=theme)
    page.refresh()
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    least = page.execute_script(LEAST_CONTRAST)
    assert least["contrast"] >= 4.5, least


def test_the_verdict_and_the_figures_stand_in_the_first_screen(page: Any) -> None:
    for selector in ("#verdict h1", ".tiles", ".broken"):
        box = all_of(page, selector)[0].rect
        assert box["y"] + box["height"] < 900, selector


def test_the_way_by_keyboard(page: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    page.find_element("tag name", "body").send_keys(Keys.TAB)
    assert page.switch_to.active_element.text == "Skip to the verdict"
    page.switch_to.active_element.send_keys(Keys.TAB)
    assert page.switch_to.active_element.get_attribute("id") == "save"
    outline = page.switch_to.active_element.value_of_css_property("outline-style")
    assert outline == "solid"


LEAST_CONTRAST = """
const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const ground = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = rgb(getComputedStyle(at).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
let least = { contrast: 21, text: "" };
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const element = walk.currentNode.parentElement, text = walk.currentNode.textContent.trim();
  if (!text || ["SCRIPT", "STYLE"].includes(element.tagName) || !element.checkVisibility()) continue;
  const style = getComputedStyle(element);
  const [a, b] = [light(rgb(element.closest("svg") ? style.fill : style.color)), light(ground(element))];
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (contrast < least.contrast) least = { contrast, text: text.slice(0, 60) };
}
return least;
"""
