"""The page of a report: what it says, that it is whole, that it asks for nothing, that names stay text."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pixelproof.report import Artifact, Companion, ImageFidelity, Report, dump_json
from pixelproof.safety import SandboxLayer
from pixelproof.validate.html_report import html_of, write_html
from pixelproof.validate.page import words
from pixelproof.validate.page.parity_rows import parity_of
from pixelproof.validate.page.plots import histogram
from pixelproof.validate.page.svg import tick_text, ticks

NASTY = """<script>alert("x")</script>'&amp; </title>--><!-- \u202e {{ 7 * 7 }}"""
VOID = {"meta", "link", "br", "img", "input", "hr", "rect", "path", "line", "circle", "stop"}
ADDRESSES = {"src", "href", "action", "poster", "data", "srcset", "xlink:href", "formaction"}


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("html_reports", Path(__file__).with_name("html_reports.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


made = _loaded()
KINDS: dict[str, Callable[[], Report]] = {
    "full": made.full,
    "refused": made.refused,
    "efficient": made.efficient,
    "phone": made.phone,
}


class Page(HTMLParser):
    """A page as it is read: what stands in it, what is wrong with it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.ids: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.headings: list[int] = []
        self.feed(text)
        self.close()
        self.wrong += [f"{tag} is not closed" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if len(given) != len(attrs):
            self.wrong.append(f"{tag} has an attribute twice")
        self.elements.append((tag, given))
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open[-1] != tag:
            self.wrong.append(f"</{tag}> within {self.open[-3:]}")
        else:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        """What a reader reads."""
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of a kind."""
        return [given for name, given in self.elements if name == tag]


@pytest.mark.parametrize("kind", KINDS)
def test_every_page_is_whole_and_stands_alone(kind: str, tmp_path: Path) -> None:
    report = KINDS[kind]()
    pictures = made.save(tmp_path / "pictures", report) if report.evidence.fidelity else None
    page = Page(html_of(report, pictures=pictures))
    assert page.wrong == []
    assert len(set(page.ids)) == len(page.ids)
    for tag, given in page.elements:
        for name in ADDRESSES & set(given):
            value = str(given[name])
            assert value.startswith(("data:", "#")), (tag, name, value[:60])
        assert "style" not in given and not [name for name in given if name.startswith("on")], tag
        for name in ("aria-labelledby", "aria-describedby"):
            assert set(str(given.get(name) or "").split()) <= set(page.ids)
    targets = {str(given["href"])[1:] for given in page.all("a")}
    assert targets and targets <= set(page.ids)
    assert page.headings[0] == 1 and page.headings.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in zip(page.headings, page.headings[1:], strict=False))
    assert len(page.all("table")) == len(page.all("caption"))
    assert all(given.get("alt") for given in page.all("img"))
    assert {"header", "main", "nav", "footer"} <= {tag for tag, _ in page.elements}


def test_nothing_may_be_fetched_and_only_its_own_script_runs() -> None:
    text = html_of(made.full())
    policy = str(next(m["content"] for m in Page(text).all("meta") if m.get("http-equiv")))
    assert policy.startswith("default-src 'none'; img-src data:; ")
    for tag in ("style", "script"):
        inside = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        assert inside is not None
        digest = base64.b64encode(hashlib.sha256(inside[1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"url\((?!#)|@import|https?://", re.sub(r"data:[^\"]+", "", text))


@pytest.mark.parametrize(
    ("report", "headline", "told"),
    [
        (made.full(), "Passed", "All 6 rules that were judged hold."),
        (made.phone(), "Passed, with a warning", "Range: -0.1 to 1.1"),
        (made.efficient(), "Failed", "One rule is broken, of 8 that were judged."),
        (made.refused(), "Refused", "A graph works on tensors. Found ReadFile. Leave it out."),
        (
            made.with_check(
                made.full(), made.check("loads", "failed", found="no magic", remedy="Convert it again.")
            ),
            "Failed",
            "Loads: no magic Convert it again.",
        ),
    ],
)
def test_the_verdict(report: Report, headline: str, told: str) -> None:
    page = Page(html_of(report))
    start = page.text.index("Skip to the verdict")
    assert f"{headline} {Path(report.evidence.artifact.path).name} {report.challenge}" in page.text[start:]
    assert told in page.text


def test_the_first_screen_has_the_figures() -> None:
    text = Page(html_of(made.full())).text
    first = text[: text.index("Expected")]
    for told in (
        "A 3.709 B 4.371 C 4.665",
        "21.26 dB",
        "MS-SSIM 0.9048",
        "2.33 ×",
        "95 % interval 2.311 to 2.355",
        "1,500 MiB",
        "42 % of the cap of 3,584 MiB",
    ):
        assert told in first, told


def test_every_check_and_every_figure_is_there() -> None:
    report = made.efficient()
    text = Page(html_of(report)).text
    for check in report.checks:
        assert f"{check.title} {check.id} {check.expected} {check.found}" in text
    for told in (
        "320.50 ms 95 % interval 310.00 to 330.00 ms mean over 3 images",
        "These figures are of the bundled samples",
        "Left out by --only or --skip: Size",
        "The gate for PSNR was set to 26 dB",
        "17,139 (17.1 k)",
        "landlock active closed",
        "bubblewrap not active not installed",
        "34" * 32,
        report.evidence.artifact.sha256,
        "19.png" if len(report.evidence.fidelity.per_image) > 19 else "11.png",
        "This report has no samples over time.",
        "block_19/conv",
    ):
        assert told in text, told


def test_a_model_that_is_locked_in_by_nothing_is_told() -> None:
    report = made.full()
    open_layers = (
        SandboxLayer("landlock", False, "old kernel"),
        SandboxLayer("bubblewrap", False, "missing"),
    )
    report = replace(report, environment=replace(report.environment, sandbox=open_layers))
    assert "The model ran without walls (no landlock: old kernel" in Page(html_of(report)).text


@pytest.mark.parametrize("kind", KINDS)
def test_names_stay_text(kind: str, tmp_path: Path) -> None:
    def nasty(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: nasty(v) for k, v in value.items()}
        if isinstance(value, list):
            return [nasty(v) for v in value]
        return value

    report = KINDS[kind]()
    document = nasty(report.to_json())
    document["artifact"]["path"] = f"folder/{NASTY.replace('/', '')}"
    document["challenge"], document["track"], document["data"] = NASTY, NASTY, NASTY
    for check in document["checks"]:
        check.update(title=NASTY, expected=NASTY, found=NASTY, remedy=NASTY, id=NASTY)
    if document["fidelity"]:
        document["fidelity"]["per_image"][0]["name"] = NASTY
    if document["measurements"]["complexity"]:
        document["measurements"]["complexity"]["layers"][-1].update(name=NASTY, op=NASTY)
    document["measurements"]["scan"]["operations"] = {NASTY: 1}
    document["environment"].update(cpu=NASTY, libraries={NASTY: NASTY})
    document["environment"]["sandbox"][0].update(name=NASTY, detail=NASTY)
    report = Report.from_json(document, label="nasty")
    pictures = None
    if report.evidence.fidelity is not None:
        pictures = made.save(tmp_path / "pictures", report)
    text = html_of(report, pictures=pictures)
    page = Page(text)
    assert page.wrong == []
    clean = Page(html_of(KINDS[kind]()))
    assert len(page.all("script")) == len(clean.all("script")) == 2
    assert page.all("b") == []
    assert "alert(" not in "".join(re.findall(r"<script>(.*?)</script>", text, re.S))
    assert '<script>alert("x")</script>' in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "\u202e" not in text.replace("\\u202e", "")


def test_the_page_carries_its_report() -> None:
    report = replace(made.full(), data=NASTY + "\u2028")
    inside = re.search(r'<script type="application/json" id="document">(.*?)</script>', html_of(report), re.S)
    assert inside is not None
    assert "<" not in inside[1] and "\u2028" not in inside[1]
    assert Report.from_json(json.loads(inside[1]), label="page") == report


def test_a_report_without_the_newer_keys(tmp_path: Path) -> None:
    document = made.full().to_json()
    del document["memory"]["trace"]
    del document["measurements"]["complexity"]["layers"]
    text = Page(html_of(Report.from_json(document, label="old"))).text
    assert "This report has no samples over time." in text
    assert "What the network costs" in text and "Share of compute" not in text


def test_figures_that_are_no_numbers() -> None:
    report = made.full()
    images = (
        ImageFidelity("a.png", float("inf"), 1.0),
        ImageFidelity("b.png", float("nan"), float("nan")),
        ImageFidelity("c.png", 20.0, 0.5),
    )
    fidelity = replace(report.evidence.fidelity, per_image=images, psnr_db=float("nan"), ms_ssim=float("nan"))
    page = Page(html_of(replace(report, evidence=replace(report.evidence, fidelity=fidelity))))
    assert page.wrong == []
    assert "Fidelity no number MS-SSIM no number" in page.text
    assert (
        "1 image: lowest 20.00, median 20.00, mean 20.00, highest 20.00. 2 images without a finite value"
        in page.text
    )
    nothing = replace(fidelity, per_image=images[1:2])
    page = Page(html_of(replace(report, evidence=replace(report.evidence, fidelity=nothing))))
    assert "No image has a finite figure" in page.text and page.wrong == []


def test_four_hundred_patches_stay_small(tmp_path: Path) -> None:
    report = made.full(images=400)
    made.save(tmp_path / "pictures", report, side=256)
    out = tmp_path / "page.html"
    write_html(report, out, pictures=tmp_path / "pictures")
    assert out.stat().st_size < 5_000_000
    text = out.read_text(encoding="utf-8")
    assert text.count('<tr><th scope="row">') >= 400
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_parity_from_the_proof_beside_the_model(tmp_path: Path) -> None:
    row = {
        "height": 37,
        "width": 54,
        "difference": {"max_levels": 0.0134, "mean_levels": 7.6e-5, "share_changed": 0.0035},
        "tolerance": 1e-4,
        "passed": True,
    }
    artifacts = [
        {"name": "model.pb", "sha256": made.SHA256, "rows": [row]},
        {"name": "model.onnx", "sha256": "0" * 64, "rows": [{**row, "passed": False}]},
    ]
    proof = tmp_path / "parity.json"
    report = made.full(path=str(tmp_path / "model.pb"))
    assert "No parity.json lies beside the model" in parity_of(report).note
    proof.write_text(json.dumps({"source": "resnet with weights.h5", "artifacts": artifacts}))
    text = Page(html_of(report)).text
    assert "model.pb this model 37x54 0.0134 < 0.0001 0.35 % 0.0255 equal" in text
    assert "model.onnx 37x54 0.0134 < 0.0001 0.35 % 0.0255 differs" in text
    assert "resnet with weights.h5" in text
    proof.write_text(json.dumps({"source": "x", "artifacts": artifacts[1:]}))
    assert parity_of(report).lines == () and "of another file" in parity_of(report).note
    for broken in (
        "",
        "[",
        "[]",
        '{"source": 1}',
        '{"source": "x", "artifacts": [{"rows": [1]}]}',
        "[" * 100_000,
    ):
        proof.write_text(broken)
        assert parity_of(report).lines == () and "can't be read" in parity_of(report).note, broken[:20]
    proof.write_text(" " * (5 << 20))
    assert "too large" in parity_of(report).note
    proof.unlink()
    proof.mkdir()
    assert "No parity.json lies" in parity_of(report).note


def test_parity_of_two_files() -> None:
    text = Page(html_of(made.phone())).text
    assert "model_none.tflite beside the judged file – 0.255" in text
    lone = replace(made.phone().evidence, companion=Companion("x.tflite", error="none there"))
    assert parity_of(replace(made.phone(), evidence=lone)).lines == ()


def test_a_savedmodel_folder_and_empty_parts() -> None:
    report = made.full()
    evidence = replace(
        report.evidence,
        artifact=Artifact("somewhere/saved_model", "savedmodel", made.SHA256, 1),
        scan=None,
        interface=None,
        complexity=replace(report.evidence.complexity, layers=()),
    )
    bare = replace(report.environment, libraries={}, worker={}, sandbox=())
    page = Page(html_of(replace(report, evidence=evidence, environment=bare, checks=(), scores={})))
    assert page.wrong == [] and "saved_model" in page.text and "The report names none." in page.text


def test_a_cost_that_could_not_be_counted_is_told() -> None:
    evidence = replace(made.full().evidence, complexity=None, complexity_error="an operation nobody knows")
    page = Page(html_of(replace(made.full(), evidence=evidence)))
    assert "It could not be counted: an operation nobody knows" in page.text
    assert page.ids.count("complexity") == 1 and page.wrong == []


def test_a_gpu_is_named() -> None:
    report = made.full()
    runtime = replace(report.evidence.runtime, device="Some GPU", clock="device events")
    memory = replace(report.evidence.memory, device="Some GPU", device_peak_mib=512.0)
    text = Page(
        html_of(replace(report, evidence=replace(report.evidence, runtime=runtime, memory=memory)))
    ).text
    assert "720x1280, on Some GPU, by device events" in text
    assert "512 MiB of Some GPU" in text and "Most that the model took of Some GPU 512 MiB" in text


def test_the_saved_report_makes_the_same_page() -> None:
    report = made.full()
    again = Report.from_json(json.loads(dump_json(report.to_json())), label="saved")
    assert html_of(again) == html_of(report)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (words.number(None, 2), "–"),
        (words.number(float("inf"), 2), "∞"),
        (words.number(-1234.5, 1), "−1,234.5"),
        (words.significant(0.0), "0"),
        (words.significant(0.01234), "0.0123"),
        (words.significant(1.2e-9), "1.20e−09"),
        (words.significant(12345.6), "12,346"),
        (words.milliseconds(1.5), "1.50 ms"),
        (words.mib(99.96), "100.0 MiB"),
        (words.file_size(79041), "77.2 KiB"),
        (words.count(15_733_555_200), "15.7 G"),
        (words.percent(0.0), "0.0 %"),
        (words.percent(0.0001), "< 0.1 %"),
        (words.percent(float("nan")), "not known"),
        (words.levels(0.00001), "< 0.0001"),
        (words.sort_key(float("nan")), ""),
        (words.sort_key(float("-inf")), "-Infinity"),
    ],
)
def test_words(text: str, expected: str) -> None:
    assert text == expected


def test_ticks_are_round_and_within() -> None:
    assert ticks(0, 10) == [0, 2, 4, 6, 8, 10]
    assert ticks(3, 3) == [3]
    for low, high in ((0.0, 1e-7), (-3.3, 4.1), (0.9999, 1.0), (0, 1e12)):
        found = ticks(low, high)
        assert 2 <= len(found) <= 8
        assert all(low - 1e-9 * (high - low) <= tick <= high + 1e-9 * (high - low) for tick in found)
        step = found[1] - found[0]
        assert len({tick_text(tick, step) for tick in found}) == len(found)
    assert all(tick == int(tick) for tick in ticks(0, 3, most=4, least_step=1))


def test_a_histogram_counts_every_image() -> None:
    values = [20.0, 20.0, 20.1, 25.0, 30.0]
    plot = histogram("psnr", values, title="PSNR", unit="dB", digits=2)
    assert plot is not None
    assert sum(int(times) for times in re.findall(r": (\d+) images?</title>", str(plot.svg))) == len(values)
    alone = histogram("psnr", [21.0] * 3, title="PSNR", unit="dB", digits=2)
    assert alone is not None and "3 images: lowest 21.00" in alone.words
    assert histogram("psnr", [float("nan")], title="PSNR", unit="dB", digits=2) is None
