"""What was found of handed-in pictures: the counterpart of a model's report, with the same kind of checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pixelproof.report import CheckResult, Fidelity
from pixelproof.schema import to_jsonable

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class ImageReport:
    """All checks of one folder or zip of results.

    Attributes:
        path: the folder or zip.
        sha256: of the zip, or of all names and contents of the folder.
        rules_sha256: of the challenge file's text.
        data: the folder that they were held against; empty where there was none.
        pictures: how many were found.
        fidelity: of the pictures that could be measured; the challenge's figure if that is all of them.
    """

    challenge: str
    track: str
    created: str
    path: str
    sha256: str
    rules_sha256: str
    data: str
    pictures: int
    checks: tuple[CheckResult, ...]
    fidelity: Fidelity | None = None
    schema_version: int = SCHEMA_VERSION

    @property
    def passed(self) -> bool:
        """Whether no check failed; checks that did not run don't count here."""
        return all(check.status != "failed" for check in self.checks)

    @property
    def complete(self) -> bool:
        """Whether every check passed, none was left out, and so the figures are the challenge's."""
        return self.passed and all(check.status != "not_run" for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """The document: the fields, ``passed``, and ``kind`` by which it differs from a model's report."""
        document = to_jsonable(self)
        return dict(sorted({**document, "kind": "images", "passed": self.passed}.items()))
