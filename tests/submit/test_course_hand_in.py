"""``package-course hand-in``: the second zip, its report, and everything that may be missing."""

from __future__ import annotations

import html
import importlib.util
import io
import re
import shutil
import sys
import zipfile
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelproof.errors import EnvironmentFault, InputError
from pixelproof.images import write_png
from pixelproof.submit.course.pdf import find_browser, printed, read_pages
from pixelproof.submit.course.report_page import MARK, unfilled_boxes, unfilled_words

_SPEC = importlib.util.spec_from_file_location("course_runs", Path(__file__).with_name("course_runs.py"))
assert _SPEC is not None and _SPEC.loader is not None
runs = importlib.util.module_from_spec(_SPEC)
sys.modules["course_runs"] = runs
_SPEC.loader.exec_module(runs)

pypdf = pytest.importorskip("pypdf", reason="needs pypdf: pip install -e '.[course]'")
needs_browser = pytest.mark.skipif(find_browser() is None, reason="needs a browser: apt install chromium")
BOXES = 8
ZIP, PAGE = "A12345678B.zip", "A12345678B-report.html"


@pytest.fixture(scope="module")
def keras(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    data = runs.keras_file(tmp_path_factory.mktemp("keras"))
    assert isinstance(data, bytes)
    return data


@pytest.fixture
def desk(tmp_path: Path, keras: bytes, call: Callable[..., Any]) -> Any:
    return runs.Desk(tmp_path, keras, runs.write_run(tmp_path / "run", keras), call)


def pdf(pages: int, *, width: float = 595.28, height: float = 841.89, password: str = "") -> bytes:
    writer = pypdf.PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(width=width, height=height)
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    data = io.BytesIO()
    writer.write(data)
    return data.getvalue()


def refused(desk: Any, *more: str, code: int, says: tuple[str, ...], leave: tuple[str, ...] = ()) -> str:
    answer = desk.hand_in("--no-pdf", *more, leave=leave)
    assert answer.code == code, answer.err
    for text in says:
        assert text in answer.err
    assert desk.left() == []
    return str(answer.err)


def test_the_zip_holds_every_part(desk: Any) -> None:
    answer = desk.hand_in("--no-pdf", "--inputs", str(desk.inputs))
    assert answer.code == 0, answer.err
    with zipfile.ZipFile(desk.out / ZIP) as archive:
        names = set(archive.namelist())
        readme = archive.read("Readme.txt").decode()
        assert archive.read("checkpoint/final.keras") == (desk.run / "final.keras").read_bytes()
        page = archive.read("report/report.html").decode()
    assert names >= {
        "Readme.txt", "results/face.png", "code/train.py", "code/model.py", "training/run.toml",
        "training/history.csv", "training/curves.png", "training/machine.json", "training/logs/train.log",
        "training/logs/events/events.out.tfevents.1", "real-world/slightly-1.png",
        "real-world/results/extremely-2.png",
    }  # fmt: skip
    assert "A12345678B" in readme and "checkpoint/final.keras" in readme
    assert page == (desk.out / PAGE).read_text()
    assert desk.left() == sorted([ZIP, PAGE])


def test_the_scaffold_is_one_safe_page_with_boxes_curves_and_pictures(desk: Any) -> None:
    assert desk.hand_in("--no-pdf", "--inputs", str(desk.inputs)).code == 0
    page = (desk.out / PAGE).read_text()
    assert unfilled_boxes(page) == BOXES
    assert page.count("<svg") == 2 and page.count('src="data:image/png;base64,') == 2 * 6 + 2 * 3
    for level in ("Slightly blurry", "Moderately blurry", "Extremely blurry"):
        assert level in page
    assert "<script" not in page and "http://" not in page.replace("http-equiv", "")
    assert "default-src 'none'" in html.unescape(page)
    balance: list[str] = []

    class Balanced(HTMLParser):
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            if tag not in ("meta", "img", "br"):
                balance.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert balance.pop() == tag

    Balanced().feed(page)
    assert balance == []


def test_words_of_strangers_stay_words(desk: Any) -> None:
    text = (desk.run / "run.toml").read_text().replace("A tiny network", "<script>alert(1)</script>")
    (desk.run / "run.toml").write_text(text)
    assert desk.hand_in("--no-pdf", "--readme-field", "Team: <b>&").code == 0
    page = (desk.out / PAGE).read_text()
    assert "<script" not in page and "&lt;script&gt;" in page and "&lt;b&gt;&amp;" in page


def test_without_a_pdf_and_with_empty_boxes_the_command_warns(desk: Any) -> None:
    answer = desk.hand_in("--no-pdf")
    assert f"{BOXES} boxes that are yours to write" in answer.out
    assert "pages weren't counted" in answer.out and "names weren't judged" in answer.out


def test_what_is_missing_is_named_all_at_once(desk: Any) -> None:
    said = refused(
        desk,
        code=2,
        leave=("--run", "--results", "--real-world", "--code"),
        says=("found 4 faults", "--run", "--results", "--real-world", "--code"),
    )
    assert all(f"  {number}. " in said for number in (1, 2, 3, 4))


def test_the_six_pictures_are_checked(desk: Any) -> None:
    real = desk.real_world
    (real / "extremely-1.png").unlink()
    (real / "extremely-2.png").rename(real / "sharp.png")
    (real / "results" / "slightly-1.png").unlink()
    write_png(real / "results" / "slightly-2.png", runs.picture(0, 40, 47))
    refused(
        desk,
        code=2,
        says=(
            "5 in", "none extremely blurry", "sharp.png, whose name tells no blur", "slightly-1.png",
            "40x47", "4 times its picture's size",
        ),
    )  # fmt: skip


def test_results_are_judged_as_for_the_ranking(desk: Any) -> None:
    (desk.results / "face.png").unlink()
    (desk.inputs / "face.png").unlink()
    refused(desk, code=1, says=("4 .png files; found 3",))
    refused(desk, "--inputs", str(desk.inputs), code=2, says=("found 2 faults", "inputs must be as many"))


def test_hidden_files_and_caches_stay_out_of_the_code(desk: Any) -> None:
    (desk.code / ".env").write_text("SECRET=1")
    (desk.code / ".git").mkdir()
    (desk.code / ".git" / "config").write_text("x")
    (desk.code / "__pycache__").mkdir()
    (desk.code / "__pycache__" / "train.pyc").write_bytes(b"x")
    (desk.code / "sub").mkdir()
    (desk.code / "sub" / "blocks.py").write_text("x")
    answer = desk.hand_in("--no-pdf")
    assert answer.code == 0 and ".env" in answer.out
    with zipfile.ZipFile(desk.out / ZIP) as archive:
        code = {name for name in archive.namelist() if name.startswith("code/")}
    assert code == {"code/train.py", "code/model.py", "code/sub/blocks.py"}


@pytest.mark.parametrize(
    ("spoil", "code", "says"),
    [
        (lambda code: (code / "link.py").symlink_to("/etc/hostname"), 2, "no links"),
        (lambda code: (code / "con.py").write_text("x"), 1, "a device's name on Windows"),
        (lambda code: (code / "Train.py").write_text("x"), 1, "one name on some systems"),
        (lambda code: (code / "a\u202egnp.py").write_text("x"), 1, "a character that doesn't print"),
        (lambda code: shutil.rmtree(code), 2, "nothing there"),
        (lambda code: [path.unlink() for path in code.iterdir()], 2, "must hold files"),
    ],
)
def test_code_that_cannot_be_packed_is_named(
    desk: Any, spoil: Callable[[Path], Any], code: int, says: str
) -> None:
    spoil(desk.code)
    refused(desk, code=code, says=(says,))


def test_a_begun_report_is_not_written_over(desk: Any) -> None:
    assert desk.hand_in("--no-pdf").code == 0
    assert desk.hand_in("--no-pdf").code == 0
    begun = (desk.out / PAGE).read_text().replace(']"></div>', ']">My words.</div>', 1)
    (desk.out / PAGE).write_text(begun)
    answer = desk.hand_in("--no-pdf")
    assert answer.code == 2 and "--report" in answer.err and (desk.out / PAGE).read_text() == begun
    answer = desk.hand_in("--no-pdf", "--report", str(desk.out / PAGE))
    assert answer.code == 0 and f"{BOXES - 1} boxes" in answer.out
    with zipfile.ZipFile(desk.out / ZIP) as archive:
        assert archive.read("report/report.html").decode() == begun


def test_an_own_pdf_is_taken_and_counted(desk: Any) -> None:
    (desk.folder / "mine.pdf").write_bytes(pdf(5))
    answer = desk.hand_in("--report", str(desk.folder / "mine.pdf"))
    assert answer.code == 0 and "5 pages of A4" in answer.out and "boxes" not in answer.out
    with zipfile.ZipFile(desk.out / ZIP) as archive:
        assert archive.read("report/report.pdf") == pdf(5)
        assert "report/report.html" not in archive.namelist()
    assert desk.left() == [ZIP]


@pytest.mark.parametrize(
    ("data", "name", "code", "says"),
    [
        (pdf(6), "mine.pdf", 1, "at most 5 pages; found 6"),
        (pdf(2, width=842, height=1191), "mine.pdf", 1, "297 by 420 mm"),
        (pdf(1, width=841.89, height=595.28), "mine.pdf", 0, ""),
        (pdf(1, width=612, height=792), "mine.pdf", 1, "must be A4"),
        (pdf(1, password="x"), "mine.pdf", 2, "encrypted"),
        (b"%PDF-1.7 and so on", "mine.pdf", 2, "whole PDF"),
        (b"", "mine.pdf", 2, "whole PDF"),
        (b"words", "mine.docx", 2, "PDF or an HTML"),
        (b"\xff\xfe", "mine.html", 2, "UTF-8"),
    ],
)
def test_own_reports_are_checked(desk: Any, data: bytes, name: str, code: int, says: str) -> None:
    (desk.folder / name).write_bytes(data)
    if code == 0:
        assert desk.hand_in("--report", str(desk.folder / name)).code == 0
    else:
        refused(desk, "--report", str(desk.folder / name), code=code, says=(says,))


def test_a_report_that_is_not_there_is_one_fault_among_others(desk: Any) -> None:
    refused(
        desk,
        "--report",
        "nowhere.pdf",
        code=2,
        leave=("--code",),
        says=("found 2 faults", "no file nowhere.pdf"),
    )


def test_empty_boxes_are_counted_in_html_and_in_printed_text() -> None:
    box = '<div class="yours" contenteditable="true" data-ask="x">{}</div>'
    assert unfilled_boxes(box.format("") + box.format("<br>") + box.format("words")) == 2
    assert unfilled_words(f"{MARK}, about 80\nwords] then\n[Yours to\nwrite, about") == 2
    assert unfilled_words("[Mine to write]") == 0


@needs_browser
def test_the_printed_scaffold_has_at_most_five_pages_and_the_same_bytes(desk: Any) -> None:
    wide = runs.picture(3, 80, 60)
    for level in ("slightly", "moderately", "extremely"):
        for number in (1, 2):
            write_png(desk.real_world / f"{level}-{number}.png", wide)
            large = Image.fromarray(wide).resize((240, 320))
            write_png(desk.real_world / "results" / f"{level}-{number}.png", np.array(large))
    answer = desk.hand_in("--inputs", str(desk.inputs))
    assert answer.code == 0, answer.err
    first = (desk.out / ZIP).read_bytes()
    with zipfile.ZipFile(desk.out / ZIP) as archive:
        data = archive.read("report/report.pdf")
    pages = read_pages(data, label="it")
    assert 2 <= len(pages.sizes_mm) <= 4 and not pages.larger_than_a4  # room is left for the student's words
    assert unfilled_words(pages.text) == BOXES
    assert (
        "A12345678B" in pages.text and "real-world" in pages.text.lower() and "Click into" not in pages.text
    )
    assert f"{len(pages.sizes_mm)} pages of A4" in answer.out
    assert desk.hand_in("--inputs", str(desk.inputs)).code == 0
    assert (desk.out / ZIP).read_bytes() == first
    (desk.folder / "mine.pdf").write_bytes(data)
    again = desk.hand_in("--report", str(desk.folder / "mine.pdf"))
    assert again.code == 0 and f"{BOXES} boxes" in again.out


@needs_browser
def test_html_that_prints_on_six_pages_is_refused(desk: Any) -> None:
    style = "<style>@page{size:A4} p{break-after:page}</style>"
    (desk.folder / "long.html").write_text(f"<!doctype html>{style}" + "<p>words</p>" * 6)
    answer = desk.hand_in("--report", str(desk.folder / "long.html"))
    assert answer.code == 1 and re.search(r"at most 5 pages; found [67] in", answer.err)
    assert desk.left() == []


def test_a_browser_that_fails_is_the_machines_fault(tmp_path: Path) -> None:
    broken = tmp_path / "browser"
    broken.write_text("#!/bin/sh\necho no display >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(EnvironmentFault, match="no display"):
        printed(b"<p>", browser=str(broken))
    with pytest.raises(EnvironmentFault, match="must start"):
        printed(b"<p>", browser=str(tmp_path / "none"))


def test_a_pdf_without_pages_is_refused() -> None:
    with pytest.raises(InputError):
        read_pages(pdf(0), label="it")
