"""A challenge configuration for EvalAI: challenge_config.yaml, the evaluation script, annotations, templates.

Keys: EvalAI's documentation for hosts, "Challenge Configuration", "Challenge Phases Setup", "Evaluation Scripts".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pixelproof.files import replacing_file
from pixelproof.submit.archive import write_zip
from pixelproof.submit.scoring.block_yaml import to_yaml
from pixelproof.submit.scoring.bundle import Plan, from_template, logo, program_files, reference_files
from pixelproof.submit.scoring.columns import columns_of
from pixelproof.submit.scoring.evalai import PHASE, SPLIT
from pixelproof.submit.scoring.texts import Page, as_html, evaluation, handing_in, overview, terms
from pixelproof.temporary import temporary_folder

SCRIPT, ANNOTATIONS = "evaluation_script.zip", "annotations/reference.zip"
_EVERYONE = 3  # visibility of a leaderboard, "Challenge Phase Splits"
_REQUIREMENTS = b"Pillow\n"


def write_bundle(path: Path, plan: Plan, *, reference: Path | None) -> None:
    """Write the configuration's zip, whole or not at all; errors as in `codabench_bundle.write_bundle`.

    Args:
        reference: see `reference_files`; None leaves ``annotations/`` to be filled in.
    """
    with temporary_folder("pixelproof-bundle-") as place:
        logo(place / "logo.png")
        write_zip(place / SCRIPT, script(plan))
        contents: dict[str, bytes | Path] = {
            "challenge_config.yaml": to_yaml(configuration(plan)).encode(),
            "logo.png": place / "logo.png",
            SCRIPT: place / SCRIPT,
            **{f"templates/{name}.html": as_html(page).encode() for name, page in _templates(plan).items()},
        }
        if reference is not None:
            write_zip(place / "reference.zip", reference_files(plan, reference))
            contents[ANNOTATIONS] = place / "reference.zip"
        with replacing_file(path) as temporary:
            write_zip(temporary, contents)


def script(plan: Plan) -> dict[str, bytes | Path]:
    """The evaluation script's files; EvalAI imports them as a package."""
    files: dict[str, bytes | Path] = {
        "__init__.py": b"from .main import evaluate\n",
        "main.py": from_template("evalai_main.py", plan),
        **program_files(plan, "image_scores", "evalai"),
    }
    if plan.kind == "image":
        files["requirements.txt"] = _REQUIREMENTS
    return files


def configuration(plan: Plan) -> dict[str, Any]:
    """The document ``challenge_config.yaml``."""
    challenge, track, rules = plan.challenge, plan.track, plan.challenge.submission
    columns = columns_of(track)
    start, end = f"{plan.start} 00:00:00", f"{plan.end} 00:00:00"
    phase: dict[str, Any] = {
        "id": 1,
        "name": track.title,
        "description": "templates/phase.html",
        "leaderboard_public": True,
        "is_public": True,
        "is_submission_public": False,
        "start_date": start,
        "end_date": end,
        "test_annotation_file": ANNOTATIONS,
        "codename": PHASE,
    }
    if rules is not None and rules.per_day is not None:
        phase["max_submissions_per_day"] = rules.per_day
    phase |= {
        "is_restricted_to_select_one_submission": False,
        "is_partial_submission_evaluation_enabled": False,
        "allowed_submission_file_types": ".zip",
    }
    metadata = {
        column.key: {"sort_ascending": column.sorting == "asc", "description": column.title}
        for column in columns
    }
    split = {
        "challenge_phase_id": 1,
        "leaderboard_id": 1,
        "dataset_split_id": 1,
        "visibility": _EVERYONE,
        "leaderboard_decimal_precision": columns[0].precision,
        "is_leaderboard_order_descending": columns[0].sorting == "desc",
    }
    schema = {
        "labels": [column.key for column in columns],
        "default_order_by": columns[0].key,
        "metadata": metadata,
    }
    return {
        "title": challenge.title,
        "short_description": track.title,
        "description": "templates/description.html",
        "evaluation_details": "templates/evaluation_details.html",
        "terms_and_conditions": "templates/terms_and_conditions.html",
        "image": "logo.png",
        "submission_guidelines": "templates/submission_guidelines.html",
        "leaderboard_description": f"Ranked by {columns[0].title}.",
        "evaluation_script": SCRIPT,
        "remote_evaluation": False,
        "start_date": start,
        "end_date": end,
        "published": False,
        "leaderboard": [{"id": 1, "schema": schema}],
        "challenge_phases": [phase],
        "dataset_splits": [{"id": 1, "name": "Test", "codename": SPLIT}],
        "challenge_phase_splits": [split],
    }


def _templates(plan: Plan) -> dict[str, Page]:
    challenge, track = plan.challenge, plan.track
    return {
        "description": overview(challenge, track),
        "evaluation_details": evaluation(challenge, track),
        "submission_guidelines": handing_in(challenge, track),
        "terms_and_conditions": terms(challenge),
        "phase": (track.title, (f"{challenge.title}.",)),
    }
