"""``package-submission`` as users and scripts call it: options, output, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pixelproof import cli
from pixelproof.report import CheckResult, read_report
from pixelproof.submit import package
from pixelproof.submit.commands import package_submission


@pytest.fixture
def call(desk: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the command as the installed script does; returns the exit code."""
    monkeypatch.setattr(package, "_judge_contract", desk.recheck)

    def run(*arguments: str, name: str = "Name") -> int:
        monkeypatch.setattr(sys, "argv", ["package-submission", "--team-name", name, *arguments])
        with pytest.raises(SystemExit) as exited:
            cli.package_submission()
        assert isinstance(exited.value.code, int)
        return exited.value.code

    return run


def flat(text: str) -> str:
    return " ".join(text.split())


def test_packs_with_defaults(
    desk: Any, call: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert call("--model", str(desk.model), "--team-id", "42") == 0
    assert sorted(p.name for p in here.iterdir()) == ["submission.mail.txt", "submission.zip"]
    out = flat(capsys.readouterr().out)
    for part in (
        "model.pb",
        "report.json",
        "mail.txt",
        "[Track B] [42] [Name] Submission",
        "Next: upload model.pb",
    ):
        assert part in out
    assert "ai.mobile.challenge@gmail.com; at most 2 a day" in out
    assert "samples" not in out and "FORCED" not in out


def test_a_link_changes_the_next_step(desk: Any, call: Any, capsys: pytest.CaptureFixture[str]) -> None:
    code = call(
        "--model", str(desk.model), "--team-id", "42", "--out", str(desk.out), "--link", "https://a.b/m"
    )
    assert code == 0
    out = flat(capsys.readouterr().out)
    assert "Link to model.pb file: https://a.b/m" in out
    assert "at the link, then send the mail" in out


def test_json_on_standard_output_is_one_document(
    desk: Any, call: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("--model", str(desk.model), "--team-id", "42", "--out", str(desk.out), "--json", "-") == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert document["packed"] is True
    assert document["path"] == str(desk.out)
    assert document["manifest"]["team"] == {"id": "42", "name": "Name"}
    assert document["mail"]["subject"] == "[Track B] [42] [Name] Submission"
    assert document["registration"] is None
    assert "model.pb" in captured.err


def test_a_refusal_exits_1_and_says_so_in_json(
    desk: Any, call: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.model.write_bytes(b"other")
    assert call("--model", str(desk.model), "--team-id", "42", "--out", str(desk.out), "--json", "-") == 1
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert document["packed"] is False
    assert "must be the one that was judged" in document["refused"]["rule"]
    assert "Error: The model must be the one that was judged" in captured.err
    assert "Traceback" not in captured.err
    assert desk.left_behind() == []


def test_force_is_loud(desk: Any, call: Any, capsys: pytest.CaptureFixture[str]) -> None:
    desk.model.write_bytes(b"other")
    assert call("--model", str(desk.model), "--team-id", "42", "--out", str(desk.out), "--force") == 0
    out = flat(capsys.readouterr().out)
    assert "FORCED, model_changed: The model must be the one that was judged" in out


def test_samples_are_named(desk: Any, call: Any, capsys: pytest.CaptureFixture[str]) -> None:
    desk.write_report(replace(read_report(desk.report), official_data=False))
    assert call("--model", str(desk.model), "--team-id", "42", "--out", str(desk.out)) == 0
    assert "a demonstration, not the challenge's figures" in flat(capsys.readouterr().out)


def test_registration_alone(desk: Any, call: Any, capsys: pytest.CaptureFixture[str]) -> None:
    people = ("--member", "Ada, Lovelace, London", "--member", "Alan, Turing, Manchester")
    assert call("--registration", *people, "--out", str(desk.out), "--json", "-") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["registration"]["text"] == "Name\nAda, Lovelace, London\nAlan, Turing, Manchester"
    assert desk.left_behind() == ["submission.registration.mail.txt"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "needs a model"),
        (("--registration", "--member", "A, B, C", "--force"), "--force without it"),
        (("--registration",), "--member"),
        (("--model", "{model}"), "needs the team's id"),
        (("--model", "{model}", "--team-id", "42", "--track", "Z"), "'Z'"),
        (("--model", "{model}", "--team-id", "4/2"), "--team-id"),
        (("--model", "{model}", "--team-id", "42", "--challenge", "nope"), "'nope'"),
        (("--model", "{model}", "--team-id", "42", "--report", "{model}"), "report must be JSON"),
        (("--model", "{model}", "--team-id", "42", "--report", "none.json"), "no file none.json"),
        (("--model", "none.pb", "--team-id", "42"), "no file none.pb"),
        (("--model", "{model}", "--team-id", "42", "--colour"), "No such option"),
    ],
)
def test_wrong_calls_exit_2(
    desk: Any, call: Any, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    filled = [argument.format(model=desk.model) for argument in arguments]
    assert call(*filled, "--out", str(desk.out)) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert desk.left_behind() == []


def test_a_name_with_a_header_in_it_exits_2(desk: Any, call: Any, capsys: pytest.CaptureFixture[str]) -> None:
    model = ("--model", str(desk.model), "--team-id", "42", "--out", str(desk.out))
    assert call(*model, name="a\nBcc: everyone@example.org") == 2
    assert "U+000A" in capsys.readouterr().err
    assert desk.left_behind() == []


def test_a_model_that_no_longer_loads_exits_1_even_forced(
    desk: Any, call: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.recheck.results = (CheckResult("loads", "loads", "failed", "a graph", "text"),)
    assert call("--model", str(desk.model), "--team-id", "42", "--out", str(desk.out), "--force") == 1
    assert "must load" in capsys.readouterr().err
    assert desk.left_behind() == []


def test_a_place_that_cannot_be_written_exits_3(
    desk: Any, call: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    out = desk.model / "submission.zip"
    assert call("--model", str(desk.model), "--team-id", "42", "--out", str(out)) == 2
    blocked = desk.folder / "report.json.d"
    blocked.write_text("a file")
    assert call("--model", str(desk.model), "--team-id", "42", "--out", str(blocked / "s.zip")) == 3
    assert "writable" in capsys.readouterr().err


def test_help_names_every_option() -> None:
    result = CliRunner().invoke(package_submission, ["--help"])
    assert result.exit_code == 0
    for option in ("--challenge", "--track", "--team-id", "--team-name", "--model", "--report", "--out"):
        assert option in result.output
    for option in ("--link", "--member", "--registration", "--force", "--json"):
        assert option in result.output


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys, pixelproof.submit.commands; "
        "print([m for m in ('tensorflow', 'numpy', 'rich', 'PIL', 'zipfile') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
