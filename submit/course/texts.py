"""The text files of a hand-in: Readme.txt, info.txt, and the report of the first zip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pixelproof.printable import printable
from pixelproof.submit.course import facts
from pixelproof.submit.course.facts import Fact, aligned
from pixelproof.submit.course.identity import Identity
from pixelproof.submit.course.run_folder import Run


@dataclass(frozen=True)
class Readme:
    """What a Readme.txt says.

    Attributes:
        title: its first line.
        files: (place in the zip, what it is).
        how_to_run: a line each.
        statements: what the student states, a sentence each.
    """

    title: str
    files: tuple[Fact, ...]
    how_to_run: tuple[str, ...]
    statements: tuple[str, ...] = ()


def readme_text(readme: Readme, *, identity: Identity, run: Run, parameters_below: int | None) -> str:
    """Readme.txt: identity, files, the network, libraries with versions, how to run."""
    who = [("Name", identity.name), ("Matriculation number", identity.matriculation)]
    if identity.codalab_user:
        who.append(("CodaLab user", identity.codalab_user))
    sections: list[tuple[str, list[str]]] = [
        ("", aligned([*who, *identity.fields], indent="")),
        ("Files", aligned(list(readme.files))),
        ("Network", aligned(network(run, parameters_below=parameters_below))),
        ("Libraries", aligned(facts.libraries(run))),
        ("How to run", [f"  {line}" for line in readme.how_to_run]),
        ("Statements", [f"  {line}" for line in readme.statements]),
    ]
    return _text(readme.title, sections)


def report_text(title: str, *, run: Run, parameters_below: int | None) -> str:
    """The report of the first zip: parameters, losses, validation PSNR, machine, hyper-parameters."""
    history = run.history
    sections = [
        ("Network", aligned(network(run, parameters_below=parameters_below))),
        ("Losses", aligned([("Sum of losses", facts.loss_formula(run)), *facts.final_losses(history)])),
        ("Validation", aligned(facts.measures(history))),
        ("Machine", aligned(facts.machine(run))),
        ("Libraries", aligned(facts.libraries(run))),
        ("Hyper-parameters", aligned(facts.hyper_parameters(run))),
        (
            "Curves",
            ["  curves.png shows loss and validation PSNR over epochs; history.csv holds the figures."],
        ),
    ]
    return _text(title, sections)


def info_text(
    title: str, *, who: Sequence[Fact], files: Sequence[Fact], run: Run, fields: Sequence[Fact] = ()
) -> str:
    """info.txt of an assignment: PSNR figures, hyper-parameters, network, machine."""
    sections = [
        ("", aligned([*who, *fields], indent="")),
        ("PSNR", aligned(facts.measures(run.history))),
        ("Network", aligned(network(run, parameters_below=None))),
        ("Losses", aligned([("Sum of losses", facts.loss_formula(run)), *facts.final_losses(run.history)])),
        ("Hyper-parameters", aligned(facts.hyper_parameters(run))),
        ("Machine", aligned(facts.machine(run))),
        ("Libraries", aligned(facts.libraries(run))),
        ("Files", aligned(list(files))),
    ]
    return _text(title, sections)


def network(run: Run, *, parameters_below: int | None) -> list[Fact]:
    """Architecture, its size, the checkpoint."""
    stored = run.checkpoint
    rule = "" if parameters_below is None else f", fewer than {parameters_below:,}"
    return [
        ("Architecture", printable(run.model)),
        ("Parameters", f"{stored.parameters:,}{rule}"),
        ("Epochs", str(stored.epoch)),
        ("Checkpoint", f"SHA-256 {stored.sha256}"),
    ]


def _text(title: str, sections: Sequence[tuple[str, list[str]]]) -> str:
    blocks = [title, "=" * len(title)]
    for heading, lines in sections:
        if lines:
            blocks += ["", heading, "-" * len(heading), *lines] if heading else ["", *lines]
    return "\n".join(blocks) + "\n"
