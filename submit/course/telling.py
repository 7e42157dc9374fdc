"""What ``package-course`` says: the zip's folders, warnings, the JSON document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pixelproof.console import Console
from pixelproof.errors import PixelproofError
from pixelproof.files import MIB
from pixelproof.submit.course.identity import (
    Identity,
    codalab_user,
    further_fields,
    matriculation_number,
    person,
)
from pixelproof.submit.course.proven_zip import Written
from pixelproof.submit.mail import one_line
from pixelproof.submit.manifest import Member

SCHEMA_VERSION = 1


@contextmanager
def refusal_told(console: Console) -> Iterator[None]:
    """A block whose error goes into the JSON document as well."""
    try:
        yield
    except PixelproofError as error:
        refusal = {"rule": error.rule, "found": error.found, "remedy": error.remedy}
        console.json({"schema_version": SCHEMA_VERSION, "packed": False, "refused": refusal})
        raise


def identity_of(*, matric: str, name: str, user: str | None, fields: Sequence[str]) -> Identity:
    """Who hands in, from the options.

    Raises:
        CallError: a value in another form.
    """
    return Identity(
        matriculation=matriculation_number(matric),
        name=person(name),
        codalab_user="" if user is None else codalab_user(user),
        fields=further_fields(fields),
    )


def lines_of(values: Sequence[str]) -> tuple[str, ...]:
    """Lines for Readme.txt.

    Raises:
        CallError: one that is no line of text.
    """
    return tuple(one_line(value, option="--how-to-run") for value in values)


def show(
    console: Console,
    written: Written,
    *,
    warnings: Sequence[str],
    left_out: Sequence[str] = (),
    pages: int | None = None,
) -> None:
    """The zip's contents by folder, and what the student should know.

    Args:
        left_out: names of --code that were not packed.
        pages: of the report, where they were counted.
    """
    groups = _groups(written.members)
    rows = [(name, str(count), f"{size / MIB:.2f}") for name, (count, size) in groups.items()]
    console.line(f"{written.path}: {written.size_bytes / MIB:.2f} MiB", style="bold")
    console.table("", ("in the zip", "files", "MiB"), rows)
    console.line("Read back: every member is as it was packed.")
    if pages is not None:
        console.line(f"The report has {pages} page{'' if pages == 1 else 's'} of A4.")
    if left_out:
        listed = ", ".join(dict.fromkeys(left_out))
        console.line(f"Left out of --code (hidden files and caches): {listed}")
    for warning in warnings:
        console.line(f"Warning: {warning}", style="yellow")
    console.json(
        {
            "schema_version": SCHEMA_VERSION,
            "packed": True,
            "path": str(written.path),
            "sha256": written.sha256,
            "size_bytes": written.size_bytes,
            "members": written.members,
            "warnings": list(warnings),
            "report_pages": pages,
        }
    )


def _groups(members: Sequence[Member]) -> dict[str, tuple[int, int]]:
    groups: dict[str, tuple[int, int]] = {}
    for member in members:
        top, slash, _ = member.name.partition("/")
        count, size = groups.get(top + slash, (0, 0))
        groups[top + slash] = count + 1, size + member.size_bytes
    return groups
