"""The leaderboard as a site: whole or not at all, its own folder, its links, its looks in a browser."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pixelproof.submit.board.curve import sparkline
from pixelproof.submit.board.render import file_names
from pixelproof.submit.board.standing import Board, TrackBoard
from pixelproof.submit.ledger.store import open_ledger

_spec = importlib.util.spec_from_file_location("ledger_desk", Path(__file__).with_name("ledger_desk.py"))
assert _spec is not None and _spec.loader is not None
desk = importlib.util.module_from_spec(_spec)
sys.modules["ledger_desk"] = desk
_spec.loader.exec_module(desk)
judged, report, ticket, verdict = desk.judged, desk.report, desk.ticket, desk.verdict

Call = Callable[..., Any]
SCRIPT = "<script>document.title='run'</script>"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of four teams, one called as a script, one that copies, one that failed."""
    made = tmp_path / "ledger.sqlite"
    with open_ledger(str(made), create=True) as ledger:
        for number in range(3):
            judged(ledger, ticket(f"n{number}", hours=number * 24), verdict(report(psnr_db=22 + number)))
        mine = ticket("script", team_id="2", team_name=SCRIPT, name=f"{SCRIPT}.zip")
        judged(ledger, mine, verdict(report(psnr_db=23)))
        judged(ledger, ticket("script", team_id="3", team_name="Copy \"'&", hours=1))
        broken = ticket("broken", team_id="4", team_name="Broken")
        judged(ledger, broken, verdict(report(failed=("memory",))))
        judged(
            ledger, ticket("none", team_id="4", team_name="Broken"), verdict(outcome="refused", rule="No zip")
        )
    return made


def site(call: Call, path: Path, *options: str) -> Path:
    """Made, or made again."""
    out = path.with_name("site")
    answer = call("leaderboard", "--ledger", str(path), "--html", str(out), *options)
    assert answer.code == 0, answer.err
    return out


class Page(HTMLParser):
    """What a page points at, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.scripts: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect."""
        found = dict(attrs)
        self.links += [value for name, value in attrs if name in ("href", "src") and value is not None]
        if found.get("id"):
            assert found["id"] not in self.anchors, f"{found['id']} twice"
            self.anchors.add(str(found["id"]))
        if tag == "script":
            self.scripts.append(found.get("src"))


def test_every_link_leads_somewhere(call: Call, path: Path) -> None:
    out = site(call, path)
    pages = {p.name: Page(p.read_text(encoding="utf-8")) for p in out.glob("*.html")}
    assert set(pages) == {
        "index.html", "pirm2018-A.html", "pirm2018-A-submissions.html", "pirm2018-B.html",
        "pirm2018-B-submissions.html",
    }  # fmt: skip
    for page in pages.values():
        assert page.scripts == ["tables.js"]
        for link in page.links:
            target, _, anchor = link.partition("#")
            if link.startswith("data:") or link == "https://github.com/aiff22/ai-challenge":
                continue
            assert (out / target).is_file() if target else anchor in page.anchors, link
            if anchor and target:
                assert anchor in pages[target].anchors, link
    assert sorted(p.name for p in (out / "reports").iterdir()) == [f"{n}.html" for n in range(1, 6)]
    linked = {link for link in pages["pirm2018-B-submissions.html"].links if link.startswith("reports/")}
    assert linked == {f"reports/{n}.html" for n in range(1, 6)}


def test_names_stay_text(call: Call, path: Path) -> None:
    out = site(call, path)
    for file in out.glob("*.html"):
        assert SCRIPT not in file.read_text(encoding="utf-8")
    assert "&lt;script&gt;document" in (out / "pirm2018-B.html").read_text(encoding="utf-8")
    assert "same content as submission 4 of &lt;script" in (out / "pirm2018-B-submissions.html").read_text()


def test_pages_are_made_once_and_taken_over(call: Call, path: Path) -> None:
    out = site(call, path)
    before = {p.name: p.stat().st_ino for p in (out / "reports").iterdir()}
    with open_ledger(str(path)) as ledger:
        judged(ledger, ticket("new", hours=99))
    site(call, path)
    after = {p.name: p.stat().st_ino for p in (out / "reports").iterdir()}
    assert {name: after[name] for name in before} == before and len(after) == len(before) + 1
    assert not (site(call, path, "--no-pages") / "reports").exists()
    assert "reports/" not in (out / "pirm2018-B.html").read_text(encoding="utf-8")


def test_another_ledgers_pages_are_not_taken_over(call: Call, path: Path) -> None:
    out = site(call, path)
    before = (out / "reports" / "1.html").read_bytes()
    path.unlink()
    with open_ledger(str(path), create=True) as ledger:
        judged(ledger, ticket("other"), verdict(report(psnr_db=27.125)))
    site(call, path)
    assert [p.name for p in (out / "reports").iterdir()] == ["1.html"]
    assert (out / "reports" / "1.html").read_bytes() != before


def test_a_recheck_makes_its_own_pages(call: Call, path: Path, tmp_path: Path) -> None:
    out = site(call, path)
    before = (out / "reports" / "1.html").read_bytes()
    rules = tmp_path / "stricter.toml"
    from pixelproof.challenge import challenge_text

    rules.write_text(challenge_text("pirm2018")[1].replace("total_rss_mib = 3584", "total_rss_mib = 10"))
    site(call, path, "--recheck", "--challenge", str(rules))
    assert (out / "reports" / "1.html").read_bytes() != before
    assert "Judged again by these rules" in (out / "index.html").read_text(encoding="utf-8")
    assert json.loads((out / "leaderboard.json").read_text())["challenges"][0]["rechecked"] is True


@pytest.mark.parametrize("content", ["thesis.txt", "index.html", "site.json"])
def test_a_folder_with_other_things_is_left_alone(call: Call, path: Path, content: str) -> None:
    out = path.with_name("site")
    out.mkdir()
    (out / content).write_text("mine")
    answer = call("leaderboard", "--ledger", str(path), "--html", str(out))
    assert answer.code == 2 and f"folder of its own; found {content} in" in answer.err
    assert [p.name for p in out.iterdir()] == [content] and (out / content).read_text() == "mine"


def test_a_site_with_a_stranger_in_it_is_left_alone(call: Call, path: Path) -> None:
    out = site(call, path)
    (out / "CNAME").write_text("example.org")
    answer = call("leaderboard", "--ledger", str(path), "--html", str(out))
    assert answer.code == 2 and "found CNAME in" in answer.err and (out / "CNAME").exists()
    file = path.with_name("file")
    file.touch()
    assert (
        "must name a folder; found a file"
        in call("leaderboard", "--ledger", str(path), "--html", str(file)).err
    )


def test_the_old_site_stays_where_the_new_one_is_not_finished(
    call: Call, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = site(call, path)
    before = {p.name: p.read_bytes() for p in out.glob("*.*")}

    def stopped(*arguments: Any, **options: Any) -> Any:
        raise KeyboardInterrupt

    with open_ledger(str(path)) as ledger:
        judged(ledger, ticket("new", hours=99))
    monkeypatch.setattr("pixelproof.submit.board.site.render", stopped)
    assert call("leaderboard", "--ledger", str(path), "--html", str(out)).code == 130
    assert {p.name: p.read_bytes() for p in out.glob("*.*")} == before
    assert sorted(p.name for p in out.parent.iterdir() if p.name.startswith(".")) == []


def test_missing_pictures_are_said_and_the_page_is_made(call: Call, path: Path) -> None:
    with open_ledger(str(path)) as ledger:
        judged(ledger, ticket("pictured", hours=50), verdict(pictures="/nowhere/pictures"))
    out = path.with_name("site")
    answer = call("leaderboard", "--ledger", str(path), "--html", str(out))
    assert answer.code == 0 and "the page of pictured.zip has no pictures: " in answer.out
    assert (out / "reports" / "7.html").is_file()


def test_an_empty_ledger_has_a_site_too(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    open_ledger(str(path), create=True).close()
    assert "holds no submission yet" in (site(call, path) / "index.html").read_text(encoding="utf-8")


def test_strange_names_of_tracks_become_file_names() -> None:
    names = ["B", "b", "../up", "a/b", "a b", "", "B-submissions", "é" * 300]
    tracks = tuple(TrackBoard(name, "", (), ()) for name in names)
    board = Board("index", "", "", "", "last", None, False, tracks)
    found = list(file_names([board]).values())
    every = [name.casefold() for stem in found for name in (stem, f"{stem}-submissions")]
    assert len(set(every)) == 2 * len(names) and "index" not in every
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,90}", name) for name in every)


def test_a_curve_says_its_values_and_keeps_its_label_text() -> None:
    drawn = str(sparkline([1.0, 3.0, float("nan"), 2.0], higher_is_better=True, label='<b> "A"'))
    assert 'aria-label="&lt;b&gt; &#34;A&#34;: 3 values, from 1 to 2"' in drawn
    assert '<polyline points="4.0,22.0 48.0,4.0 92.0,13.0"/>' in drawn
    assert "polyline" not in str(sparkline([1.0], higher_is_better=False, label="x"))
    assert str(sparkline([], higher_is_better=True, label="x")) == ""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("needs chromium and chromedriver")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--disable-dev-shm-usage", "--window-size=1360,1000"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options=options, service=Service(driver)) as opened:
        yield opened


def column(browser: Any, number: int) -> list[str]:
    """Texts of a column of the first table, as shown."""
    return list(
        browser.execute_script(
            "return [...document.querySelectorAll('table')[0].tBodies[0].rows].filter(r => !r.hidden)"
            f".map(r => r.cells[{number}].innerText.split('\\n')[0].trim())"
        )
    )


def test_in_a_browser(call: Call, path: Path, browser: Any) -> None:
    out = site(call, path)
    browser.get((out / "pirm2018-B.html").as_uri())
    assert "run" not in browser.title
    assert column(browser, 0) == ["1", "2", "2", "–"]
    values = column(browser, 2)
    heading = browser.find_elements("css selector", "table th button")[2]
    heading.click()
    heading.click()
    assert column(browser, 2)[:3] == values[:3][::-1] and column(browser, 2)[3] == "–"
    assert heading.find_element("xpath", "..").get_attribute("aria-sort") == "ascending"
    browser.find_element("css selector", "input[type=search]").send_keys("copy")
    assert column(browser, 1) == ["Copy \"'& 3"]
    browser.find_element("css selector", "tbody tr:not([hidden]) th a").click()
    assert browser.current_url.endswith("pirm2018-B-submissions.html#team-3")
    assert browser.execute_script("return document.querySelector(':target h2').innerText").startswith("Copy")
    field = browser.find_element("css selector", "input[type=search]")
    field.send_keys("<SCRIPT")
    shown = browser.execute_script(
        "return [...document.querySelectorAll('section.team')].filter(s => !s.hidden).length"
    )
    assert shown == 1
    loaded = "return [...document.querySelectorAll('link, script, img')].map(e => e.href || e.src)"
    asked = browser.execute_script(loaded)
    assert len(asked) == 3 and all(name.startswith(("file:", "data:")) for name in asked)
    assert browser.get_log("browser") == []


def brightness(colour: str) -> float:
    """Relative luminance of an rgb() colour: WCAG 2.1."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1360, 500])
def test_both_themes_can_be_read_and_nothing_sticks_out(
    call: Call, path: Path, browser: Any, theme: str, width: int
) -> None:
    out = site(call, path)
    feature = {"name": "prefers-color-scheme", "value": theme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.set_window_size(width, 900)
    for file in sorted(out.glob("*.html")):
        browser.get(file.as_uri())
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth"), file.name
        pairs = browser.execute_script(
            """
            const behind = (e) => { for (; e; e = e.parentElement) {
                const c = getComputedStyle(e).backgroundColor; if (c !== 'rgba(0, 0, 0, 0)') return c; } };
            return [...document.querySelectorAll('h1,h2,p,a,th,td,.chip,.place,footer,small')]
                .filter(e => e.innerText && e.offsetParent && !e.closest('.skip'))
                .map(e => [getComputedStyle(e).color, behind(e), e.innerText]);
            """
        )
        assert pairs
        for front, back, text in pairs:
            light, dark = sorted((brightness(front), brightness(back)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (file.name, text, front, back)
        assert (brightness(pairs[0][1]) < 0.2) == (theme == "dark")
    assert browser.get_log("browser") == []
