"""The report as people read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pixelproof.challenge import Challenge, load_challenge
from pixelproof.console import Console
from pixelproof.environment import environment
from pixelproof.report import (
    Artifact,
    CheckResult,
    Evidence,
    Percentiles,
    Report,
    Runtime,
    RuntimeSamples,
    Status,
)
from pixelproof.validate.judgement import LEFT_OUT
from pixelproof.validate.verdict import next_step, show, verdict_of

PIRM = load_challenge("pirm2018")


def check(name: str, status: Status = "passed", **more: str) -> CheckResult:
    return CheckResult(
        id=name, title=name.title(), status=status, expected="the rule", found=more.get("found", "what there is"),
        remedy=more.get("remedy", ""),
    )  # fmt: skip


def report(
    checks: Sequence[CheckResult], *, kind: str = "pb", path: str = "model.pb", **more: object
) -> Report:
    return Report(
        challenge="pirm2018",
        track="B",
        data="ai-challenge",
        official_data=bool(more.get("official_data", True)),
        created="2026-01-01T00:00:00+00:00",
        evidence=Evidence(
            artifact=Artifact(path, kind, "0" * 64, 1),
            runtime=Runtime(
                Percentiles(1, 1),
                Percentiles(9, 9),
                9.0,
                8.9,
                9.1,
                True,
                720,
                1280,
                2,
                RuntimeSamples((1.0,), (9.0,)),
            ),
        ),
        checks=tuple(checks),
        scores=more.get("scores"),  # type: ignore[arg-type]
        environment=environment(),
        rules_sha256="0" * 64,
        measured_as_sha256="0" * 64,
        mos=more.get("mos"),  # type: ignore[arg-type]
    )


def whole(*changed: CheckResult) -> list[CheckResult]:
    assert PIRM.submission is not None
    by_id = {c.id: c for c in changed}
    return [by_id.get(name, check(name)) for name in PIRM.submission.required_checks]


def printed(made: Report, capsys: pytest.CaptureFixture[str], challenge: Challenge = PIRM) -> str:
    show(Console(), made, challenge)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ([], "PASSED"),
        ([check("range", "warning")], "PASSED, with a warning: Range"),
        ([check("range", "warning"), check("size", "failed")], "FAILED: Size"),
        ([check("runtime", "not_run")], "PASSED; not judged: Runtime"),
        ([check("names", "failed"), check("memory", "not_run")], "FAILED: Names; not judged: Memory"),
        ([check("memory", "not_run", found=LEFT_OUT)], "PASSED"),
    ],
)
def test_one_line_says_it_all(changed: list[CheckResult], text: str) -> None:
    assert verdict_of(report(whole(*changed)))[0] == text


def test_remedies_follow_the_table_and_what_was_left_out_is_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = printed(
        report(
            whole(check("range", "warning", remedy="Clip it."), check("memory", "not_run", found=LEFT_OUT))
        ),
        capsys,
    )
    assert "Range: Clip it." in out
    assert "Left out by --only or --skip: Memory" in out
    table = out[: out.index("Range: Clip it.")]
    assert "Memory" not in table
    assert "warning" in table


def test_scores_say_what_replaced_or_capped_a_figure(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(report(whole(), scores={"A": 1.0, "B": 2.5}, mos=3.0), capsys)
    assert (
        "Scores: A 1.000, B 2.500 (the mean opinion score 3 in place of MS-SSIM; the speed-up counts as 4)"
        in out
    )
    assert "Scores" not in printed(report(whole()), capsys)


def test_samples_are_called_samples(capsys: pytest.CaptureFixture[str]) -> None:
    assert "bundled samples" in printed(report(whole(), official_data=False), capsys)
    assert "samples" not in printed(report(whole()), capsys)


def test_square_brackets_of_a_message_are_not_markup(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(
        report(whole(check("range", "failed", found="[0, 1] [bold]x[/bold]", remedy="[red]y"))), capsys
    )
    assert "[0, 1] [bold]x[/bold]" in out
    assert "Range: [red]y" in out


JUDGE = "validate-pb model.pb --track B"
SAVED = ("pirm2018", "r.json")


@pytest.mark.parametrize(
    ("made", "given", "step"),
    [
        (
            report(whole()),
            SAVED,
            "package-submission --model model.pb --report r.json --team-id ID --team-name",
        ),
        (
            report(whole(), path="my model.pb"),
            SAVED,
            "package-submission --model 'my model.pb' --report r.json",
        ),
        (report(whole()), ("pirm2018", None), f"keep the report: {JUDGE} --json report.json"),
        (report(whole()), ("pirm2018", "-"), f"keep the report: {JUDGE} --json report.json"),
        (
            report(whole()),
            ("./my.toml", None),
            f"keep the report: {JUDGE} --challenge ./my.toml --json report.json",
        ),
        (report(whole(check("size", "failed"))), SAVED, f"mend what failed, then {JUDGE} --json r.json"),
        (
            report(whole(check("memory", "not_run"))),
            SAVED,
            f"judge memory too, which a submission needs: {JUDGE}",
        ),
        (report(whole(), kind="tflite"), SAVED, "pirm2018 takes pb: judge that artifact too"),
        (
            report(whole()),
            ("./my.toml", "r.json"),
            "package-submission --model model.pb --report r.json --challenge ./my.toml --team-id ID",
        ),
    ],
)
def test_what_to_do_next(made: Report, given: tuple[str, str | None], step: str) -> None:
    assert next_step(made, PIRM, challenge_name=given[0], json_to=given[1]).startswith(step)


def test_a_challenge_without_submissions_has_no_packing_as_next_step() -> None:
    silent = replace(PIRM, submission=None)
    assert "says nothing of submissions" in next_step(
        report(whole()), silent, challenge_name="x", json_to="r.json"
    )
