"""Why a submission is refused: the report, the model and the challenge must agree. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pixelproof.challenge import Challenge
from pixelproof.errors import SubmissionRefused
from pixelproof.report import Artifact, CheckResult, Report
from pixelproof.submit.manifest import Override

_EXPORT = {
    "pb": "Export a frozen graph: convert-model --format pb.",
    "savedmodel": "Export a SavedModel: convert-model --format savedmodel.",
    "tflite": "Export TFLite: convert-model --format tflite, or pb2tflite.",
    "onnx": "Export ONNX: convert-model --format onnx.",
}


@dataclass(frozen=True)
class Refusal:
    """A reason not to pack.

    Attributes:
        id: stable name, as in docs/package.md.
        rule, found, remedy: as in every error.
        mark: what a manifest says in place of ``found``, where that holds this machine's paths.
    """

    id: str
    rule: str
    found: str
    remedy: str = ""
    mark: str = ""

    def as_override(self) -> Override:
        """The reason as a manifest keeps it: nothing in it depends on the machine or on the folder."""
        return Override(self.id, self.rule, self.mark or self.found)


def refusals(
    report: Report,
    *,
    artifact: Artifact,
    challenge: Challenge,
    track_name: str,
    rules_sha256: str,
    judge_again: str,
) -> tuple[Refusal, ...]:
    """All that speaks against packing this artifact with this report; empty where nothing does.

    Args:
        report: what was measured.
        artifact: the file as it is now.
        challenge, track_name, rules_sha256: where it goes, and the hash of today's rules.
        judge_again: the sentence that says how to make a right report.
    """
    return (
        *_format(artifact, challenge),
        *_same_model(report, artifact, judge_again),
        *_same_rules(report, challenge, track_name, rules_sha256, judge_again),
        *_checks(report, challenge, judge_again),
    )


def recheck_refusals(results: Sequence[CheckResult], *, required: Sequence[str]) -> tuple[Refusal, ...]:
    """What the second judgement, of the packed model, speaks against."""
    broken = [r for r in results if r.status == "failed" or (r.status == "not_run" and r.id in required)]
    if not broken:
        return ()
    return (
        Refusal(
            id="packed_model_failed",
            rule="The packed model must keep the contract",
            found="; ".join(_told(result) for result in broken),
            remedy=next((r.remedy for r in broken if r.remedy), ""),
            mark=", ".join(result.id for result in broken),
        ),
    )


def require_loads(results: Sequence[CheckResult]) -> None:
    """Refuse, whatever was forced, a packed model that doesn't load.

    Raises:
        SubmissionRefused: the check ``loads`` failed or did not run.
    """
    loads = next((result for result in results if result.id == "loads"), None)
    if loads is not None and loads.status in ("passed", "warning"):
        return
    found = "no check that it loads" if loads is None else _told(loads)
    remedy = "Export the model again; --force does not help here."
    raise SubmissionRefused("The packed model must load", found=found, remedy=remedy)


def refuse(reasons: Sequence[Refusal]) -> SubmissionRefused:
    """The error for one or more reasons; the message names them all."""
    if len(reasons) == 1:
        only = reasons[0]
        return SubmissionRefused(only.rule, found=only.found, remedy=only.remedy)
    found = "; ".join(f"({n}) {r.rule}: {r.found}" for n, r in enumerate(reasons, start=1))
    remedies = dict.fromkeys(r.remedy for r in reasons if r.remedy)
    rule = "Model, report and challenge must agree"
    return SubmissionRefused(rule, found=f"{len(reasons)} faults: {found}", remedy=" ".join(remedies))


def _format(artifact: Artifact, challenge: Challenge) -> Iterator[Refusal]:
    submission = challenge.submission
    if submission is not None and artifact.format not in submission.formats:
        taken = " or ".join(submission.formats)
        remedy = " ".join(_EXPORT[name] for name in submission.formats)
        rule = f"{challenge.id} takes {taken}"
        yield Refusal(id="format", rule=rule, found=artifact.format, remedy=remedy)


def _same_model(report: Report, artifact: Artifact, judge_again: str) -> Iterator[Refusal]:
    judged = report.evidence.artifact.sha256
    if judged != artifact.sha256:
        yield Refusal(
            id="model_changed",
            rule="The model must be the one that was judged",
            found=f"sha256 {artifact.sha256[:12]}..., the report is of {judged[:12]}...",
            remedy=judge_again,
        )


def _same_rules(
    report: Report, challenge: Challenge, track_name: str, rules_sha256: str, judge_again: str
) -> Iterator[Refusal]:
    if report.challenge != challenge.id:
        rule = f"The report must be for the challenge {challenge.id}"
        yield Refusal(id="other_challenge", rule=rule, found=repr(report.challenge), remedy=judge_again)
    elif report.rules_sha256 != rules_sha256:
        yield Refusal(
            id="other_rules",
            rule=f"The report must be by today's rules of {challenge.id}",
            found=f"rules {report.rules_sha256[:12]}..., today's are {rules_sha256[:12]}...",
            remedy=judge_again,
        )
    if report.track != track_name:
        rule = f"The report must be for track {track_name}"
        yield Refusal(id="other_track", rule=rule, found=repr(report.track), remedy=judge_again)


def _checks(report: Report, challenge: Challenge, judge_again: str) -> Iterator[Refusal]:
    failed = [check for check in report.checks if check.status == "failed"]
    if failed:
        yield Refusal(
            id="report_failed",
            rule="Every check of the report must have passed",
            found="failed: " + "; ".join(_told(check) for check in failed),
            remedy="Mend the model (the report says how), then judge it again.",
        )
    fidelity = report.evidence.fidelity
    if fidelity is not None and len(fidelity.per_image) < fidelity.images_available:
        yield Refusal(
            id="partial_images",
            rule="Fidelity must be measured on every image",
            found=f"{len(fidelity.per_image)} of {fidelity.images_available}",
            remedy=f"{judge_again} Leave out --images.",
        )
    ran = {check.id for check in report.checks if check.status != "not_run"}
    required = challenge.submission.required_checks if challenge.submission else ()
    missing = [name for name in required if name not in ran]
    if missing:
        yield Refusal(
            id="check_not_run",
            rule=f"Every check that {challenge.id} requires must have run",
            found=f"not run: {', '.join(missing)}",
            remedy=f"{judge_again} Leave out --only and --skip.",
        )


def _told(check: CheckResult) -> str:
    return f"{check.id} ({check.found})" if check.found else check.id
