"""Scores of a handed-in model, judged by its challenge's rules in locked workers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from pixelproof.challenge import Challenge, Track
from pixelproof.data import DataSource
from pixelproof.errors import SubmissionRefused
from pixelproof.report import Report
from pixelproof.submit.find_models import FoundModel, find_models
from pixelproof.submit.scoring.columns import columns_of, score_key
from pixelproof.submit.scoring.outcome import HandedIn, Outcome, capped_psnr_db, outcome_of
from pixelproof.submit.scoring.reference import folder_with
from pixelproof.submit.scoring.settings import Program
from pixelproof.validate.image_results.listing import plain_files
from pixelproof.validate.judgement import judge
from pixelproof.validate.options import Options


def score(handed_in: HandedIn, reference: Path, program: Program) -> Outcome:
    """Judge the model in a folder.

    Raises:
        SubmissionRefused: no model, or several; links; more files than any honest submission has.
        ImageError: the reference lacks the challenge's folders.
        EnvironmentFault: the worker can't be locked in, where that is asked for.
    """
    challenge, settings = program.challenge, program.settings
    track = challenge.track(settings.track)
    model = the_model(handed_in.folder, challenge, track)
    data = folder_with(reference, data_folders(track))
    report = judge(
        model,
        challenge_name=str(program.rules),
        track_name=settings.track,
        data=DataSource(data, "given"),
        options=Options(require_sandbox=settings.require_sandbox),
        progress=_silent,
    )
    fidelity, handing_in = report.evidence.fidelity, challenge.submission
    return outcome_of(
        report.checks,
        figures_by_column(report),
        columns_of(track),
        required=() if handing_in is None else handing_in.required_checks,
        per_image=() if fidelity is None else fidelity.per_image,
        figures=(
            f"{model.name}, {report.evidence.artifact.format}, sha256 {report.evidence.artifact.sha256}",
        ),
    )


def the_model(folder: Path, challenge: Challenge, track: Track) -> Path:
    """The one model of a submission: under the challenge's own name, or alone in the challenge's formats.

    Raises:
        SubmissionRefused: none, several, or links.
    """
    files, strange, _ = plain_files(folder)
    if strange:
        remedy = "Hand in the files themselves."
        raise SubmissionRefused(
            "A submission must hold plain files", found=", ".join(strange[:5]), remedy=remedy
        )
    rules = challenge.submission
    companion = None if track.companion is None else track.companion.member
    found = [model for model in find_models(folder, map(str, files)) if model.path.name != companion]
    taken = [m for m in found if m.format is not None and (rules is None or m.format in rules.formats)]
    if rules is not None and len(taken) > 1:
        named = [model for model in taken if model.path.name == Path(rules.model_member).name]
        taken = named or taken
    if len(taken) == 1:
        return taken[0].path
    remedy = f"Zip {'the model' if rules is None else rules.model_member} and nothing like it."
    raise SubmissionRefused("A submission must hold one model", found=_told(found, folder), remedy=remedy)


def data_folders(track: Track) -> tuple[str, ...]:
    """The folders that a judgement of this track reads, relative to the challenge's data."""
    fidelity, runtime = track.fidelity, track.runtime
    named = [fidelity.targets, fidelity.inputs] if fidelity is not None else []
    named += [runtime.images] if runtime is not None else []
    return tuple(dict.fromkeys(name for name in named if name is not None))


def figures_by_column(report: Report) -> Mapping[str, float | None]:
    """Every figure of a report that a leaderboard may show, under its column's key."""
    evidence = report.evidence
    figures: dict[str, float | None] = {score_key(k): v for k, v in (report.scores or {}).items()}
    if evidence.fidelity is not None:
        figures["psnr_db"] = capped_psnr_db(evidence.fidelity)
        figures["ms_ssim"] = evidence.fidelity.ms_ssim
    if evidence.runtime is not None:
        figures["latency_ms"] = evidence.runtime.latency_ms.p50
        figures["speedup"] = evidence.runtime.speedup
    if evidence.memory is not None:
        figures["peak_rss_mib"] = evidence.memory.peak_rss_mib
    if evidence.complexity is not None:
        for name in ("params", "flops", "activations"):
            figures[name] = getattr(evidence.complexity, name)
    return figures


def _told(found: list[FoundModel], folder: Path) -> str:
    if not found:
        return "none"
    named = [str(model.path.relative_to(folder)) for model in found[:5]]
    wrong = "; ".join(model.problem for model in found if model.problem)
    return ", ".join(named) + (f" ({wrong})" if wrong else "")


def _silent(stage: str, steps: int) -> Callable[[int, str], None]:
    return lambda done, note: None
