"""A competition bundle for Codabench: competition.yaml, pages, scoring program, reference data.

Keys and layout: Codabench's documentation, "Competition Bundle Structure" and "YAML Structure" (version 2).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pixelproof.files import replacing_file
from pixelproof.submit.archive import write_zip
from pixelproof.submit.scoring.block_yaml import to_yaml
from pixelproof.submit.scoring.bundle import Plan, from_template, logo, program_files, reference_files
from pixelproof.submit.scoring.columns import columns_of
from pixelproof.submit.scoring.texts import as_markdown, evaluation, handing_in, overview, terms
from pixelproof.temporary import temporary_folder

COMMAND = "python3 /app/program/scoring.py /app/input/ /app/output/"
IMAGE = "codalab/codalab-legacy:py312"
"""Codabench's own image with Python 3.12, NumPy and, through matplotlib, Pillow; its default one has Python 3.7."""

PROGRAM, REFERENCE = "scoring_program.zip", "reference_data.zip"
_PAGES = {"Overview": overview, "Evaluation": evaluation, "Submission": handing_in}
_TIME_LIMIT_S = {"image": 1200, "model": 4 * 3600}
_UNLIMITED = 10_000  # Codabench would else take its own defaults, 5 a day and 100 in all
_RULES = {"last": "Force_Last", "best": "Force_Best"}


def write_bundle(path: Path, plan: Plan, *, reference: Path | None) -> None:
    """Write the bundle's zip, whole or not at all.

    Args:
        reference: see `reference_files`; None to add the data on the platform later.

    Raises:
        CallError, ImageError: the reference is not what the challenge needs.
        EnvironmentFault: the disk is full or the folder can't be written.
    """
    with temporary_folder("pixelproof-bundle-") as place:
        logo(place / "logo.png")
        write_zip(place / PROGRAM, program(plan))
        contents: dict[str, bytes | Path] = {
            "competition.yaml": to_yaml(competition(plan, has_reference=reference is not None)).encode(),
            "logo.png": place / "logo.png",
            "pages/terms.md": as_markdown(terms(plan.challenge)).encode(),
            PROGRAM: place / PROGRAM,
        }
        for title, make in _PAGES.items():
            page = make(plan.challenge, plan.track)
            contents[f"pages/{title.lower()}.md"] = as_markdown(page).encode()
        if reference is not None:
            write_zip(place / REFERENCE, reference_files(plan, reference))
            contents[REFERENCE] = place / REFERENCE
        with replacing_file(path) as temporary:
            write_zip(temporary, contents)


def program(plan: Plan) -> dict[str, bytes | Path]:
    """The scoring program's files."""
    return {
        "metadata.yaml": to_yaml({"command": COMMAND}).encode(),
        "scoring.py": from_template("scoring.py", plan),
        **program_files(plan, "image_scores", "program"),
    }


def competition(plan: Plan, *, has_reference: bool) -> dict[str, Any]:
    """The document ``competition.yaml``."""
    challenge, track, rules = plan.challenge, plan.track, plan.challenge.submission
    task: dict[str, Any] = {
        "index": 0,
        "name": track.title,
        "description": challenge.title,
        "scoring_program": PROGRAM,
    }
    if has_reference:
        task["reference_data"] = REFERENCE
    phase: dict[str, Any] = {
        "index": 0,
        "name": plan.track_name,
        "description": track.title,
        "start": f"{plan.start} 00:00:00",
        "execution_time_limit": _TIME_LIMIT_S[plan.kind],
        "accepts_only_result_submissions": True,
        "tasks": [0],
    }
    if plan.end is not None:
        phase["end"] = f"{plan.end} 00:00:00"
    per_day = None if rules is None else rules.per_day
    phase["max_submissions_per_day"] = _UNLIMITED if per_day is None else per_day
    phase["max_submissions"] = _UNLIMITED
    columns = [
        {
            "title": column.title,
            "key": column.key,
            "index": index,
            "sorting": column.sorting,
            "precision": column.precision,
        }
        for index, column in enumerate(columns_of(track))
    ]
    leaderboard = {
        "title": "Results",
        "key": "main",
        "submission_rule": _RULES["last" if rules is None else rules.counts],
        "columns": columns,
    }
    return {
        "version": 2,
        "title": challenge.title,
        "description": track.title,
        "image": "logo.png",
        "terms": "pages/terms.md",
        "registration_auto_approve": False,
        "docker_image": plan.docker_image or IMAGE,
        "enable_detailed_results": True,
        "pages": [{"title": title, "file": f"pages/{title.lower()}.md"} for title in _PAGES],
        "tasks": [task],
        "phases": [phase],
        "leaderboards": [leaderboard],
    }
