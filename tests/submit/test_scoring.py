"""Bundles for Codabench and EvalAI, and the program in them, laid out and run as the platforms do: pictures."""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
import yaml
from skimage.metrics import peak_signal_noise_ratio

from pixelproof.challenge import load_challenge, parse_challenge
from pixelproof.cli import group, run
from pixelproof.images import read_rgb8, write_png
from pixelproof.report import CheckResult, Fidelity, ImageFidelity
from pixelproof.submit.scoring.block_yaml import to_yaml
from pixelproof.submit.scoring.closure import closure
from pixelproof.submit.scoring.columns import columns_of
from pixelproof.submit.scoring.outcome import Outcome, capped_psnr_db, outcome_of
from pixelproof.submit.scoring.page import page
from pixelproof.submit.scoring.texts import as_html, as_markdown, terms

NAMES = ("1.png", "2.png", "10.png", "face.png")
RULES = """
id = "tiny"
title = "Tiny <b>&amp;</b>"
url = "https://example.org"
data_folder = "tiny"
honour = ["No external data."]
[tracks.pictures]
title = "Pictures"
contract = { scale = 4 }
results = { count = 4, height = 24, width = 32, zip_mib = 1, folder_depth = 1 }
fidelity = { targets = "gt", psnr = { round_to_8_bit = true }, inputs = "lq" }
[submission]
formats = ["pb"]
model_member = "model.pb"
required_checks = []
per_day = 10
counts = "best"
"""
# Codabench's documentation, "YAML Structure": the keys of version 2 that may occur.
CODABENCH = {
    "top": set(
        "version title image terms description registration_auto_approve docker_image make_programs_available "
        "make_input_data_available queue enable_detailed_results show_detailed_results_in_submission_panel "
        "show_detailed_results_in_leaderboard contact_email reward auto_run_submissions "
        "can_participants_make_submissions_public forum_enabled pages phases tasks solutions fact_sheet "
        "leaderboards".split()
    ),
    "pages": {"title", "file"},
    "phases": set(
        "index name description start end tasks max_submissions max_submissions_per_day auto_migrate_to_this_phase "
        "execution_time_limit hide_output hide_prediction_output hide_score_output starting_kit public_data "
        "accepts_only_result_submissions".split()
    ),
    "tasks": set(
        "index name key description scoring_program input_data reference_data ingestion_program "
        "ingestion_only_during_scoring".split()
    ),
    "leaderboards": {"title", "key", "columns", "submission_rule", "hidden"},
    "columns": {
        "title",
        "key",
        "index",
        "sorting",
        "computation",
        "computation_indexes",
        "precision",
        "hidden",
    },
}
# EvalAI's documentation, "Challenge Configuration" and "Challenge Phases Setup".
EVALAI = set(
    "title short_description description evaluation_details terms_and_conditions image submission_guidelines "
    "leaderboard_description evaluation_script remote_evaluation start_date end_date published tags leaderboard "
    "challenge_phases dataset_splits challenge_phase_splits".split()
)
EVALAI_PHASE = set(
    "id name description leaderboard_public is_public is_submission_public start_date end_date test_annotation_file "
    "codename max_submissions_per_day max_submissions_per_month max_submissions default_submission_meta_attributes "
    "submission_meta_attributes is_restricted_to_select_one_submission is_partial_submission_evaluation_enabled "
    "allowed_submission_file_types".split()
)


def picture(seed: int, size: tuple[int, int] = (24, 32)) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


@dataclass(frozen=True)
class Done:
    """What a program answered."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Place:
    """A platform's folders, in place of ``/app``: the program, what it is given, what it writes."""

    root: Path

    @property
    def res(self) -> Path:
        return self.root / "input" / "res"

    @property
    def ref(self) -> Path:
        return self.root / "input" / "ref"

    @property
    def output(self) -> Path:
        return self.root / "output"

    @property
    def scores(self) -> dict[str, float] | None:
        path = self.output / "scores.json"
        return json.loads(path.read_text(), parse_constant=_refuse) if path.exists() else None

    @property
    def page(self) -> str:
        return (self.output / "detailed_results.html").read_text(encoding="utf-8")

    def run(self, site: Path) -> Done:
        """metadata.yaml's command, in a Python that has NumPy and Pillow and nothing else."""
        command = yaml.safe_load((self.root / "program" / "metadata.yaml").read_text())["command"]
        assert command == "python3 /app/program/scoring.py /app/input/ /app/output/"
        words = command.replace("/app/", f"{self.root}/").split()[1:]
        base = Path(sys.base_prefix) / "bin" / "python3"
        done = subprocess.run(
            [str(base), "-S", "-W", "error", *words],
            cwd=self.root / "program",
            env={"PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)


def _refuse(name: str) -> None:
    raise AssertionError(f"scores.json holds {name}")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """NumPy and Pillow alone, as links."""
    folder = tmp_path_factory.mktemp("site")
    for package in (np, PIL):
        assert package.__file__ is not None
        packages = Path(package.__file__).parent.parent
        wanted = (package.__name__, f"{'pillow' if package is PIL else package.__name__}.libs")
        for name in wanted:
            if (packages / name).is_dir():
                (folder / name).symlink_to(packages / name)
    return folder


def typed(*arguments: str) -> None:
    """A command that must succeed."""
    before, sys.argv = sys.argv, ["pixelproof", *arguments]
    try:
        with pytest.raises(SystemExit) as stop:
            run(group, "pixelproof")
    finally:
        sys.argv = before
    assert stop.value.code == 0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Targets, rules and both bundles, made once."""
    root = tmp_path_factory.mktemp("made")
    for seed, name in enumerate(NAMES):
        write_png(root / "gt" / name, picture(seed))
    (root / "tiny.toml").write_text(RULES)
    words = ["--challenge", str(root / "tiny.toml"), "--reference", str(root / "gt"), "--start", "2027-01-01"]
    typed("codabench-bundle", *words, "--out", str(root / "bundle.zip"))
    typed("evalai-bundle", *words, "--end", "2027-06-01", "--out", str(root / "evalai.zip"))
    return root


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Place:
    """The bundle taken apart as Codabench does, with a good submission."""
    there = Place(tmp_path / "app")
    with zipfile.ZipFile(made / "bundle.zip") as bundle:
        bundle.extractall(tmp_path / "bundle")
    for name, target in (("scoring_program", there.root / "program"), ("reference_data", there.ref)):
        with zipfile.ZipFile(tmp_path / "bundle" / f"{name}.zip") as part:
            part.extractall(target)
    there.output.mkdir()
    for seed, name in enumerate(NAMES):
        noise = np.random.default_rng(seed).integers(-9, 10, (24, 32, 3))
        noisy = np.clip(read_rgb8(made / "gt" / name) + noise, 0, 255).astype(np.uint8)
        write_png(there.res / "results" / name, noisy)
    return there


class Text(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


# Codabench.


def test_the_program_scores_with_numpy_and_pillow_alone(place: Place, site: Path, made: Path) -> None:
    done = place.run(site)
    assert done.code == 0, done.err
    assert done.out.startswith("Scored: psnr_db ") and done.err == ""
    expected = [
        peak_signal_noise_ratio(
            read_rgb8(made / "gt" / name), read_rgb8(place.res / "results" / name), data_range=255
        )
        for name in NAMES
    ]
    assert place.scores == {"psnr_db": pytest.approx(np.mean(expected), abs=1e-9)}
    assert sorted(p.name for p in place.output.iterdir()) == ["detailed_results.html", "scores.json"]
    text = Text(place.page).text
    assert "Scored: every rule is kept." in text and all(name in text for name in NAMES)
    assert not list((place.root / "program").rglob("__pycache__"))


def test_equal_pictures_score_a_finite_hundred(place: Place, site: Path, made: Path) -> None:
    for name in NAMES[:2]:
        (place.res / "results" / name).write_bytes((made / "gt" / name).read_bytes())
    assert place.run(site).code == 0
    others = [
        peak_signal_noise_ratio(
            read_rgb8(made / "gt" / name), read_rgb8(place.res / "results" / name), data_range=255
        )
        for name in NAMES[2:]
    ]
    assert place.scores == {"psnr_db": pytest.approx((200 + sum(others)) / 4, abs=1e-9)}
    assert "2 pictures are their targets or nearly so, and count as 100 dB each" in place.page


def spoil_missing(place: Place) -> None:
    (place.res / "results" / "10.png").unlink()


def spoil_empty(place: Place) -> None:
    for path in (place.res / "results").iterdir():
        path.unlink()
    (place.res / "results").rmdir()


def spoil_outer(place: Place) -> None:
    (place.res / "mine").mkdir()
    (place.res / "results").rename(place.res / "mine" / "results")


def spoil_extra(place: Place) -> None:
    write_png(place.res / "results" / "5.png", picture(1))


def spoil_link(place: Place) -> None:
    (place.res / "results" / "1.png").unlink()
    (place.res / "results" / "1.png").symlink_to(place.ref / "1.png")


def spoil_nest(place: Place) -> None:
    (place.res / "/".join("d" * 40)).mkdir(parents=True)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (spoil_missing, "1 missing: 10.png"),
        (spoil_empty, "The submission is empty."),
        (spoil_outer, "pictures 2 deep, in mine/results"),
        (spoil_extra, "1 extra: 5.png"),
        (spoil_link, "links or devices: results/1.png"),
        (spoil_nest, "folders more than 32 deep"),
    ],
)
def test_a_broken_submission_gets_no_scores_and_is_told_why(
    place: Place, site: Path, spoil: Callable[[Place], None], why: str
) -> None:
    spoil(place)
    (place.output / "scores.json").write_text('{"psnr_db": 99}')  # of an earlier run
    done = place.run(site)
    assert done.code == 1
    assert place.scores is None
    assert done.err.startswith("Not scored. ") and why in done.err and "Traceback" not in done.err
    assert why in Text(place.page).text
    assert not re.search(
        r"\d dB|PSNR", done.err + Text(place.page).text.replace("Tiny <b>&amp;</b> | Pictures", "")
    )


def test_names_of_strangers_stay_text(place: Place, site: Path) -> None:
    names = [
        "<script>alert(1)<!--.png",
        "\"><img src=x onerror='alert(1)'>.png",
        "a\x1b[2J\u202egnp.png",
        "&lt;b&gt;.png",
        os.fsdecode(b"\xff\xfe.png"),
    ]
    before = {p: p.read_bytes() for p in place.root.rglob("*") if p.is_file()}
    for name in names:
        (place.res / "results" / name).write_bytes(b"x")
    done = place.run(site)
    assert done.code == 1 and "\x1b" not in done.err + done.out
    read = Text(place.page)
    assert {"script", "img", "a", "b"} & read.elements == set()
    assert read.attributes <= {"lang", "charset", "class", "scope"}
    assert "<script>alert(1)<!--.png" in read.text and "&lt;b&gt;.png" in read.text
    assert "\x1b" not in place.page and "\u202e" not in place.page
    assert {p: p.read_bytes() for p in before} == before


def test_a_reference_that_cannot_be_used_is_the_organisers_fault(place: Place, site: Path) -> None:
    (place.ref / "1.png").unlink()
    done = place.run(site)
    assert done.code == 2 and place.scores is None
    assert "not the participant's fault" in done.err and "as many as the rules say, 4; found 3" in done.err
    for path in place.ref.iterdir():
        path.unlink()
    place.ref.rmdir()
    done = place.run(site)
    assert done.code == 2 and "The reference data must hold the targets" in done.err
    assert "not the participant's fault" in Text(place.page).text


def test_a_reference_zipped_with_its_folder_is_found(place: Place, site: Path) -> None:
    inner = place.ref / "data" / "GT"
    inner.mkdir(parents=True)
    for path in list(place.ref.glob("*.png")):
        path.rename(inner / path.name)
    (place.ref / "__MACOSX" / "GT").mkdir(parents=True)
    for name in (*NAMES, "more.png"):
        (place.ref / "__MACOSX" / "GT" / name).write_bytes(b"mac")
    assert place.run(site).code == 0 and place.scores is not None


def test_a_damaged_or_foreign_program_says_so(place: Place, site: Path) -> None:
    settings = place.root / "program" / "settings.json"
    good = settings.read_text()
    settings.write_text(good.replace('"pixelproof": "', '"pixelproof": "9.'))
    done = place.run(site)
    assert done.code == 3 and "Make the bundle again" in done.err
    settings.write_text("{")
    assert place.run(site).code == 2
    (place.root / "program" / "challenge.toml").unlink()
    settings.write_text(good)
    done = place.run(site)
    assert done.code == 2 and "challenge.toml must be a readable file" in done.err


def test_without_its_libraries_it_says_what_it_needs(place: Place, tmp_path: Path) -> None:
    done = place.run(tmp_path)
    assert done.code == 1 and "the image must have NumPy and Pillow" in done.err and place.scores is None


def test_the_program_takes_two_folders(place: Place, site: Path) -> None:
    script = place.root / "program" / "scoring.py"
    done = subprocess.run(
        [sys.executable, "-S", str(script), "one"],
        env={"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and "an input folder and an output folder" in done.stderr


def test_the_competition_has_documented_keys_alone(made: Path) -> None:
    with zipfile.ZipFile(made / "bundle.zip") as bundle:
        held = set(bundle.namelist())
        document = yaml.safe_load(bundle.read("competition.yaml"))
        logo = bundle.read("logo.png")
    assert set(document) <= CODABENCH["top"] and document["version"] == 2
    assert {"title", "image", "terms"} <= set(document)
    for part in ("pages", "phases", "tasks", "leaderboards"):
        assert document[part] and all(set(item) <= CODABENCH[part] for item in document[part]), part
    (phase,), (task,), (board,) = document["phases"], document["tasks"], document["leaderboards"]
    assert all(set(column) <= CODABENCH["columns"] for column in board["columns"])
    named = [document["image"], document["terms"], *(page["file"] for page in document["pages"])]
    assert {*named, task["scoring_program"], task["reference_data"], "competition.yaml"} == held
    assert phase["tasks"] == [task["index"]] and phase["max_submissions_per_day"] == 10
    assert phase["start"] == "2027-01-01 00:00:00" and "end" not in phase
    assert board["submission_rule"] == "Force_Best"
    assert [column["key"] for column in board["columns"]] == ["psnr_db"]
    assert document["docker_image"] == "codalab/codalab-legacy:py312"
    assert logo.startswith(b"\x89PNG")


def test_a_bundle_is_the_same_every_time(made: Path, tmp_path: Path) -> None:
    words = ["--challenge", str(made / "tiny.toml"), "--reference", str(made / "gt"), "--start", "2027-01-01"]
    typed("codabench-bundle", *words, "--out", str(tmp_path / "again.zip"))
    digests = {hashlib.sha256(p.read_bytes()).digest() for p in (made / "bundle.zip", tmp_path / "again.zip")}
    assert len(digests) == 1


def test_the_program_takes_along_what_it_needs_and_no_more(made: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(made / "bundle.zip") as bundle:
        bundle.extract("scoring_program.zip", tmp_path)
    with zipfile.ZipFile(tmp_path / "scoring_program.zip") as program:
        names = program.namelist()
    assert "pixelproof/measure/metrics.py" in names and "pixelproof/__init__.py" in names
    assert not [
        name for name in names if re.search(r"convert|models|tflite|worker|sandbox|console|cli", name)
    ]
    everything = closure("pixelproof.submit.scoring.image_scores", "pixelproof.submit.scoring.program")
    assert set(everything) == {name for name in names if name.startswith("pixelproof/")}


# EvalAI.


@pytest.fixture
def evaluate(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """``evaluate`` as EvalAI's worker gets it: unpacked in a package of its own, imported, called with paths."""
    root = tmp_path / "compute"
    package = root / "challenge_data" / "challenge_1"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("")
    with zipfile.ZipFile(made / "evalai.zip") as bundle:
        bundle.extractall(tmp_path / "config")
    with zipfile.ZipFile(tmp_path / "config" / "evaluation_script.zip") as script:
        script.extractall(package)
    monkeypatch.syspath_prepend(str(root))
    for name in [name for name in sys.modules if name.startswith("challenge_data")]:
        monkeypatch.delitem(sys.modules, name)
    path = list(sys.path)
    module = importlib.import_module("challenge_data.challenge_1")

    def called(submission: Path, **more: Any) -> dict[str, Any]:
        annotations = str(tmp_path / "config" / "annotations" / "reference.zip")
        answer: dict[str, Any] = module.evaluate(annotations, str(submission), "test", **more)
        return answer

    monkeypatch.setattr(sys, "path", path)
    return called


def packed(folder: Path, out: Path) -> Path:
    with zipfile.ZipFile(out, "w") as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(path, path.relative_to(folder))
    return out


def test_evalai_gets_the_same_scores(
    evaluate: Callable[..., dict[str, Any]], place: Place, site: Path, tmp_path: Path
) -> None:
    answer = evaluate(packed(place.res, tmp_path / "sub.zip"), submission_metadata={"id": 1})
    assert place.run(site).code == 0
    assert answer == {"result": [{"test_split": place.scores}], "submission_result": place.scores}
    json.dumps(answer, allow_nan=False)


def test_evalais_script_needs_numpy_and_pillow_alone(
    evaluate: Callable[..., dict[str, Any]], place: Place, site: Path, tmp_path: Path
) -> None:
    submission = packed(place.res, tmp_path / "sub.zip")
    code = (
        "import importlib, json, sys; module = importlib.import_module('challenge_data.challenge_1');"
        "print(json.dumps(module.evaluate(sys.argv[1], sys.argv[2], 'test', submission_metadata={})))"
    )
    done = subprocess.run(
        [str(Path(sys.base_prefix) / "bin" / "python3"), "-S", "-W", "error", "-c", code]
        + [str(tmp_path / "config" / "annotations" / "reference.zip"), str(submission)],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{tmp_path / 'compute'}:{site}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == evaluate(submission)


def test_evalai_is_told_of_a_broken_submission_by_an_error(
    evaluate: Callable[..., dict[str, Any]], place: Place, tmp_path: Path
) -> None:
    spoil_missing(place)
    with pytest.raises(Exception, match=r"Not scored\. .*1 missing: 10\.png"):
        evaluate(packed(place.res, tmp_path / "sub.zip"))
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../../out.png", b"x")
    with pytest.raises(Exception, match="A member's name must be a plain relative path"):
        evaluate(tmp_path / "bad.zip")
    assert not list(tmp_path.rglob("out.png"))
    (tmp_path / "no.zip").write_text("no zip")
    with pytest.raises(Exception, match="zip"):
        evaluate(tmp_path / "no.zip")


def test_evalai_holds_the_zips_own_size_against_the_limit(
    evaluate: Callable[..., dict[str, Any]], place: Place, tmp_path: Path
) -> None:
    (place.res / "Readme.txt").write_bytes(np.random.default_rng(0).bytes(2**20))
    with pytest.raises(Exception, match=r"Size of the zip \(1\.\d\d MiB\)"):
        evaluate(packed(place.res, tmp_path / "sub.zip"))


def test_the_configuration_has_documented_keys_alone(made: Path) -> None:
    with zipfile.ZipFile(made / "evalai.zip") as bundle:
        held = set(bundle.namelist())
        document = yaml.safe_load(bundle.read("challenge_config.yaml"))
        pages = {name: bundle.read(name).decode() for name in held if name.endswith(".html")}
    assert set(document) <= EVALAI
    (phase,), (split,), (joined,), (board,) = (
        document[part]
        for part in ("challenge_phases", "dataset_splits", "challenge_phase_splits", "leaderboard")
    )
    assert set(phase) <= EVALAI_PHASE and phase["max_submissions_per_day"] == 10
    files = ("description", "evaluation_details", "terms_and_conditions", "submission_guidelines", "image")
    named = {document[key] for key in files} | {phase["description"], phase["test_annotation_file"]}
    assert {*named, document["evaluation_script"], "challenge_config.yaml"} == held
    assert joined["challenge_phase_id"] == phase["id"] and joined["dataset_split_id"] == split["id"]
    assert joined["leaderboard_id"] == board["id"] and split["codename"] == "test_split"
    assert board["schema"]["labels"] == ["psnr_db"] and board["schema"]["default_order_by"] == "psnr_db"
    assert (document["start_date"], document["end_date"]) == ("2027-01-01 00:00:00", "2027-06-01 00:00:00")
    assert all(Text(page).elements <= {"h2", "p", "ul", "li"} for page in pages.values())


# The commands.


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--challenge", "ai6126-face"], "--track must be given"),
        (["--challenge", "ai6126-face", "--track", "model"], "no --docker-image"),
        (["--challenge", "ai6126-face", "--track", "nope"], "Choices: model, results"),
        (["--challenge", "nope"], "A challenge is named by its id"),
        (["--challenge", "TOML", "--reference", "nowhere"], "--reference must be a folder"),
        (["--challenge", "TOML", "--start", "1.1.2027"], "--start must be a day"),
        (["--challenge", "TOML", "--start", "2027-02-01", "--end", "2027-01-01"], "--end must come after"),
        (["--challenge", "TOML", "--out", "bundle.tar"], "ending in .zip"),
    ],
)
def test_wrong_calls_exit_2_and_write_nothing(
    call: Any, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = call("codabench-bundle", *(word.replace("TOML", str(made / "tiny.toml")) for word in words))
    assert done.code == 2 and told in done.err
    assert list(tmp_path.iterdir()) == []


def test_evalai_wants_an_end(call: Any, made: Path, tmp_path: Path) -> None:
    done = call("evalai-bundle", "--challenge", str(made / "tiny.toml"), "--out", str(tmp_path / "a.zip"))
    assert done.code == 2 and "Add --end" in done.err and list(tmp_path.iterdir()) == []


def test_without_reference_data_the_bundle_says_so(call: Any, made: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle.zip"
    done = call("codabench-bundle", "--challenge", str(made / "tiny.toml"), "--out", str(out))
    assert done.code == 0 and "no reference data" in done.out
    with zipfile.ZipFile(out) as bundle:
        assert "reference_data" not in yaml.safe_load(bundle.read("competition.yaml"))["tasks"][0]


# The parts.


def test_yaml_reads_back_as_it_was() -> None:
    document = {
        "text": "no: \"#yes' \u202e é\n- x",
        "words that YAML takes otherwise": ["yes", "1.0", "2027-01-01", "null", "", "- a", "{}"],
        "numbers": [1, -2.5, True, False, None],
        "nested": [{"a": 1, "b": {"c": ["d", {"e": []}]}}, {"f": {}, "g h": "i"}],
    }
    read = yaml.safe_load(to_yaml(document))
    assert read == document


def test_columns_follow_the_track() -> None:
    pirm = columns_of(load_challenge("pirm2018").track("B"))
    assert [c.key for c in pirm] == [
        "score_A", "score_B", "score_C", "psnr_db", "ms_ssim", "latency_ms", "speedup", "peak_rss_mib",
    ]  # fmt: skip
    esr = columns_of(load_challenge("ntire2022-esr").track("runtime"))
    assert (esr[0].key, esr[0].sorting) == ("latency_ms", "asc") and len({c.key for c in esr}) == len(esr)
    assert columns_of(load_challenge("mai2021-isp").track("isp"))[0].key == "score_total"
    assert [c.key for c in columns_of(load_challenge("ai6126-face").track("model"))] == [
        "psnr_db", "params", "flops",
    ]  # fmt: skip


def test_a_score_that_is_no_finite_number_is_no_score() -> None:
    columns = columns_of(parse_challenge(RULES, label="tiny").track("pictures"))
    for value in (math.inf, math.nan, None):
        outcome = outcome_of((), {"psnr_db": value}, columns, required=())
        assert outcome.scores is None and "PSNR [dB]" in outcome.problem
    left_out = CheckResult("fidelity", "Fidelity", "not_run", "", "")
    assert outcome_of((left_out,), {"psnr_db": 1}, columns, required=("fidelity",)).scores is None
    assert outcome_of((left_out,), {"psnr_db": 1}, columns, required=()).scores == {"psnr_db": 1.0}


def test_the_cap_holds_for_each_image_before_the_mean() -> None:
    images = tuple(ImageFidelity(str(n), value, None) for n, value in enumerate((math.inf, 30.0, 107.1)))
    assert capped_psnr_db(Fidelity(math.inf, None, images, 3)) == pytest.approx(230 / 3)


def test_a_page_of_many_pictures_stays_small() -> None:
    images = tuple(ImageFidelity(f"{n}.png", 30 + n / 1000, 0.9) for n in range(5000))
    html = page(Outcome({"psnr_db": 1.0}, "", per_image=images), title="T", columns=())
    assert len(html) < 300_000 and "3000 more pictures are not listed" in html
    assert "MS-SSIM" in html and "0.png" in html


def test_pages_escape_the_challenges_own_text() -> None:
    challenge = parse_challenge(RULES, label="tiny")
    assert "<b>" not in as_markdown(terms(challenge)) and "- No external data." in as_markdown(
        terms(challenge)
    )
    assert Text(as_html(terms(challenge))).elements == {"h2", "p", "ul", "li"}
