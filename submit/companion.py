"""The second file that some challenges take beside the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pixelproof.challenge import Track
from pixelproof.errors import ArtifactError
from pixelproof.measure.formats import artifact_at
from pixelproof.report import Artifact, Report
from pixelproof.submit.manifest import PackedModel
from pixelproof.submit.refusals import Refusal


@dataclass(frozen=True)
class CompanionFile:
    """A companion as it lies on disk, and its name in the zip."""

    path: Path
    artifact: Artifact
    member: str

    @property
    def packed(self) -> PackedModel:
        """As the manifest tells it."""
        return PackedModel(self.member, self.artifact.format, self.artifact.size_bytes, self.artifact.sha256)


def find_companion(model: Path, track: Track, *, root: str, given: Path | None) -> CompanionFile | None:
    """The companion that a track asks for: the given file, else the one beside the model.

    Args:
        root: the model's name in the zip; the companion goes beside it.

    Returns:
        None where the track asks for none.

    Raises:
        ArtifactError: it isn't there, or can't be read.
    """
    if track.companion is None:
        return None
    path = given if given is not None else model.parent / track.companion.member
    remedy = "pb2tflite --challenge writes both; name it with --companion."
    if not path.exists():
        raise ArtifactError("The challenge takes two files", found=f"no file {path}", remedy=remedy)
    try:
        artifact = artifact_at(path)
    except OSError as error:
        found = f"{path}: {error.strerror}"
        raise ArtifactError("The second file must be readable", found=found, remedy=remedy) from error
    return CompanionFile(path, artifact, str(PurePosixPath(root).parent / track.companion.member))


def companion_refusals(
    companion: CompanionFile | None, report: Report, *, judge_again: str
) -> Iterator[Refusal]:
    """What speaks against packing this second file with this report."""
    judged = report.evidence.companion
    if companion is None:
        return
    sha256 = companion.artifact.sha256
    if judged is None or judged.artifact is None or judged.artifact.sha256 != sha256:
        known = judged.artifact.sha256[:12] if judged is not None and judged.artifact is not None else "none"
        yield Refusal(
            id="companion_changed",
            rule="The second file must be the one that was judged",
            found=f"sha256 {sha256[:12]}..., the report is of {known}",
            remedy=judge_again,
        )
