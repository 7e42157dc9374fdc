"""The zip of the SRCNN assignment: training and model files, info.txt, checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelproof.errors import CallError
from pixelproof.submit.course import texts
from pixelproof.submit.course.checks import check_validated
from pixelproof.submit.course.code_files import Code, collect_code
from pixelproof.submit.course.facts import Fact
from pixelproof.submit.course.faults import Faults
from pixelproof.submit.course.identity import name_in_file, student_number
from pixelproof.submit.course.proven_zip import Written, check_free, write_proven
from pixelproof.submit.course.run_folder import Run, read_run, training_files

INFO, CHECKPOINT, TRAINING = "info.txt", "checkpoint.keras", "training"
_PARTS = {"train": "a training file", "model": "a model file"}


@dataclass(frozen=True)
class PackedAssignment:
    """What was packed, and what the student should know."""

    written: Written
    left_out: tuple[str, ...]
    warnings: tuple[str, ...]


def pack_assignment(
    *,
    student: str,
    last_name: str,
    first_name: str,
    run: Path | None,
    code: Sequence[Path],
    out: Path,
    checkpoint: Path | None = None,
    fields: tuple[Fact, ...] = (),
) -> PackedAssignment:
    """Pack the assignment as ``1155xxxxxx_lastname_firstname.zip``.

    Args:
        student, last_name, first_name: for the zip's name.
        run: the training run.
        code: files and folders of the student's.
        out: the folder for the zip.
        checkpoint: of the run; its last one where it is None.
        fields: further lines of info.txt.

    Raises:
        PixelproofError: all faults at once.
    """
    faults = Faults("The assignment must be complete and right")
    parts: list[str] = []
    packed = Code({}, ())
    with faults.noted():
        parts.append(student_number(student))
    with faults.noted():
        parts.append(name_in_file(last_name, option="--last-name"))
    with faults.noted():
        parts.append(name_in_file(first_name, option="--first-name"))
    with faults.noted():
        packed = collect_code(code)
        _check_names(packed)
    found = read_run(run, checkpoint=checkpoint, faults=faults)
    if found is not None:
        with faults.noted():
            check_validated(found)
    path = out / f"{'_'.join(parts)}.zip"
    with faults.noted():
        check_free(path, inputs=[*code, *([run] if run is not None else [])])
    faults.settle()
    assert found is not None  # settled otherwise
    who = [("Student", parts[0]), ("Last name", last_name), ("First name", first_name)]
    info = texts.info_text("SRCNN assignment", who=who, files=_files(packed, found), run=found, fields=fields)
    contents: dict[str, bytes | Path] = {
        **packed.files,
        **training_files(found, below=TRAINING),
        INFO: info.encode(),
        CHECKPOINT: found.checkpoint.path,
    }
    return PackedAssignment(write_proven(path, contents), packed.left_out, tuple(_warnings(packed)))


def _check_names(code: Code) -> None:
    taken = [name for name in code.files if name.split("/")[0].casefold() in (INFO, CHECKPOINT, TRAINING)]
    if taken:
        found = f"{taken[0]} in --code"
        rule = f"{INFO}, {CHECKPOINT} and {TRAINING}/ are written here"
        raise CallError(rule, found=found, remedy="Give your file another name.")


def _files(code: Code, run: Run) -> list[Fact]:
    return [
        *((name, "code") for name in code.files),
        (INFO, "this file"),
        (CHECKPOINT, f"the checkpoint after epoch {run.checkpoint.epoch}"),
        (f"{TRAINING}/", "recipe, history, curves and machine of the run"),
    ]


def _warnings(code: Code) -> list[str]:
    missing = [
        what for word, what in _PARTS.items() if not any(word in name.lower() for name in code.files)
    ]  # fmt: skip
    return [f"No file of --code has the name of {what}; the assignment asks for one." for what in missing]
