"""Scores of handed-in pictures; needs NumPy and Pillow alone."""

from __future__ import annotations

from pathlib import Path

from pixelproof.submit.scoring.columns import CAP_DB, columns_of
from pixelproof.submit.scoring.outcome import HandedIn, Outcome, capped_psnr_db, outcome_of
from pixelproof.submit.scoring.reference import folder_of_pictures
from pixelproof.submit.scoring.settings import Program
from pixelproof.validate.image_results.expected import expected_from
from pixelproof.validate.image_results.judgement import judge_images, results_of


def score(handed_in: HandedIn, reference: Path, program: Program) -> Outcome:
    """Judge a folder of pictures against the reference.

    Raises:
        SubmissionRefused: more files or folders than any honest submission has.
        ImageError: the reference can't be used.
    """
    settings = program.settings
    track, results = results_of(program.challenge, settings.track)
    targets = folder_of_pictures(reference)
    report = judge_images(
        handed_in.folder,
        challenge=program.challenge,
        track_name=settings.track,
        rules_sha256=settings.rules_sha256,
        expected=expected_from(targets, results, scale=track.contract.scale, are_targets=True),
        zip_path=handed_in.zip_path,
    )
    measured = report.fidelity
    values = {} if measured is None else {"psnr_db": capped_psnr_db(measured), "ms_ssim": measured.ms_ssim}
    per_image = () if measured is None else measured.per_image
    equal = sum(1 for image in per_image if image.psnr_db > CAP_DB)
    figures = [f"{report.pictures} pictures"]
    if equal:
        figures.append(f"{equal} pictures are their targets or nearly so, and count as {CAP_DB:g} dB each")
    return outcome_of(
        report.checks,
        values,
        columns_of(track),
        required=tuple(check.id for check in report.checks),
        per_image=per_image,
        figures=tuple(figures),
    )
