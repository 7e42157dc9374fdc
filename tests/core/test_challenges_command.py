"""``pixelproof challenges``: list, show, new, check."""

from __future__ import annotations

import dataclasses
import json
import re
import typing
from pathlib import Path
from typing import Any

import pytest

from pixelproof.challenge import Challenge, challenge_text, known_challenges, load_challenge, parse_challenge
from pixelproof.challenge_template import TEMPLATE
from pixelproof.schema import build


def test_bare_command_lists(call: Any) -> None:
    done = call("challenges")
    assert done.code == 0
    for name in known_challenges():
        assert re.search(rf"{name} +. {re.escape(load_challenge(name).title[:20])}", done.out)


def test_show_prints_the_figures(call: Any) -> None:
    done = call("challenges", "show", "pirm2018")
    assert done.code == 0
    for text in (
        "Track A", "Track B", "at most 100 MiB", "at most 3584 MiB at 720x1280", "PSNR - 26.5", "PSNR - 21",
        "MS-SSIM - 0.94", "MS-SSIM - 0.9", "min(speed-up, 4)", "dped/patches/iphone", "made from the targets",
        "16 px dropped a side", "[-0.25, 1.25]", "[Track {track}] [{team_id}] [{team_name}] Submission",
    ):  # fmt: skip
        assert text in done.out
    for row in (("A", 4, 100, 2), ("B", 1, 400, 2), ("C", 2, 200, 2.9), ("C", 2, 200, 1.5)):
        assert re.search(r"[^\n]*".join(rf"\b{value}\b" for value in row), done.out)


def test_show_toml_is_the_file(call: Any) -> None:
    assert call("challenges", "show", "pirm2018", "--toml").out == challenge_text("pirm2018")[1]


def test_show_json_holds_all(call: Any, tmp_path: Path) -> None:
    done = call("challenges", "show", "pirm2018", "--json", "-")
    assert build(Challenge, json.loads(done.out), fail=AssertionError) == load_challenge("pirm2018")
    call("challenges", "show", "pirm2018", "--json", str(tmp_path / "rules.json"))
    assert json.loads((tmp_path / "rules.json").read_text()) == json.loads(done.out)


def test_show_takes_one_form(call: Any) -> None:
    done = call("challenges", "show", "pirm2018", "--json", "-", "--toml")
    assert done.code == 2 and "one form" in done.err


def test_show_of_an_unknown_id_exits_2(call: Any) -> None:
    done = call("challenges", "show", "pirm2081")
    assert done.code == 2 and "Did you mean pirm2018?" in done.err


@pytest.mark.parametrize("source", [None, "pirm2018"])
def test_a_new_file_passes_check(call: Any, tmp_path: Path, source: str | None) -> None:
    file = tmp_path / "My Contest_2.toml"
    made = call("challenges", "new", str(file), *(["--from", source] if source else []))
    assert made.code == 0, made.err
    assert f"Next: pixelproof challenges check '{file}'" in made.out
    done = call("challenges", "check", str(file))
    assert done.code == 0, done.err
    assert "holds to the schema: my-contest-2" in done.out
    assert "Next: validate-pb model.pb --challenge " in done.out
    assert file.read_text().count("#") >= 3
    shown = call("challenges", "show", str(file))
    assert shown.code == 0 and "my-contest-2" in shown.out
    if source:
        assert load_challenge(str(file)).tracks == load_challenge(source).tracks


def test_every_optional_line_of_the_template_is_right() -> None:
    filled = re.sub(r"^#(?=[a-z\[])", "", TEMPLATE, flags=re.MULTILINE)
    challenge = parse_challenge(filled, label="template")
    track = challenge.track("main")
    assert track.runtime and track.scores and track.fidelity and track.fidelity.ms_ssim
    assert track.limits.model_mib and track.limits.peak_memory
    assert challenge.submission and challenge.submission.mail and challenge.submission.registration


def records(hint: Any) -> set[Any]:
    """All dataclasses that a hint reaches."""
    if not dataclasses.is_dataclass(hint):
        return {found for argument in typing.get_args(hint) for found in records(argument)}
    return {hint}.union(*map(records, typing.get_type_hints(hint).values()))


def test_the_template_shows_every_key() -> None:
    for record in records(Challenge):
        for field in dataclasses.fields(record):
            assert re.search(rf"\b{field.name}\b", TEMPLATE), f"{record.__name__}.{field.name}"


def test_new_refuses_to_overwrite(call: Any, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("precious")
    done = call("challenges", "new", str(file))
    assert done.code == 2 and "must not exist yet" in done.err
    assert file.read_text() == "precious"


def test_new_wants_toml_and_a_known_source(call: Any, tmp_path: Path) -> None:
    done = call("challenges", "new", str(tmp_path / "mine.json"))
    assert done.code == 2 and str(tmp_path / "mine.toml") in done.err
    done = call("challenges", "new", str(tmp_path / "mine.toml"), "--from", "nope")
    assert done.code == 2 and "Choices: " in done.err
    assert list(tmp_path.iterdir()) == []


def test_new_says_where_it_cannot_write(call: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = call("challenges", "new", str(tmp_path / "file" / "mine.toml"))
    assert done.code == 3 and "must be writable" in done.err


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("scale = 1 ", "scale = 'x' ", "tracks.main.contract.scale must be a whole number; found 'x'"),
        ("warn_range", "warn_rnage", "Did you mean warn_range?"),
        ("[tracks.main.contract]", "[tracks.main.contract", "must be TOML"),
    ],
)
def test_check_names_key_and_line(call: Any, tmp_path: Path, old: str, new: str, says: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(TEMPLATE.replace(old, new, 1))
    line = TEMPLATE[: TEMPLATE.index(old)].count("\n") + 1
    done = call("challenges", "check", str(file))
    assert done.code == 2
    assert says in done.err and f"line {line}" in done.err


def test_check_of_a_missing_file_exits_2(call: Any, tmp_path: Path) -> None:
    done = call("challenges", "check", str(tmp_path / "absent.toml"))
    assert done.code == 2 and "absent.toml" in done.err


def test_a_misspelt_subcommand_offers_the_nearest(call: Any) -> None:
    done = call("challenges", "shwo")
    assert done.code == 2 and "show" in done.err
