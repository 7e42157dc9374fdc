"""The artifact that restores: the one that was named, or one made from a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pixelproof.errors import CallError
from pixelproof.measure.formats import Kind, artifact_at, detect_kind
from pixelproof.report import Artifact
from pixelproof.temporary import temporary_folder

if TYPE_CHECKING:
    from pixelproof.convert.plan import Request


@dataclass(frozen=True)
class Named:
    """The model as the user named it.

    Attributes:
        artifact: a .pb, SavedModel, .tflite or .onnx; None where ``model`` is given.
        model: a registered name, ``FILE.py:FUNCTION`` or a ``.keras`` file.
        checkpoint: of ``model``.
        options: of a registered architecture.
        input_name, output_name: nodes to use, or to be named so where a graph is made.
    """

    artifact: Path | None = None
    model: str | None = None
    checkpoint: Path | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    input_name: str | None = None
    output_name: str | None = None

    @property
    def label(self) -> str:
        """The model for people."""
        if self.artifact is not None:
            return str(self.artifact)
        return f"{self.model} with {self.checkpoint.name}" if self.checkpoint else str(self.model)

    @property
    def stem(self) -> str:
        """What a file that is made from it is called, without suffix."""
        if self.artifact is not None:
            return self.artifact.stem
        from pixelproof.convert.plan import default_folder

        return default_folder(str(self.model), self.checkpoint).name


@dataclass(frozen=True)
class Opened:
    """An artifact that is there."""

    path: Path
    kind: Kind
    record: Artifact


def check_named(named: Named) -> None:
    """Look at the files before anything heavy is imported.

    Raises:
        ArtifactError: no artifact.
        CallError, CheckpointError, InputError: as `convert.plan.check_files`.
    """
    if named.artifact is not None:
        if named.checkpoint is not None or named.options:
            remedy = "A checkpoint's architecture is named: --model NAME --ckpt FILE."
            raise CallError(
                "An artifact brings its own weights", found="--ckpt or its options", remedy=remedy
            )
        detect_kind(named.artifact)
    else:
        from pixelproof.convert.plan import check_files

        check_files(_request(named, Path()))


@contextmanager
def opened(named: Named, *, note: Callable[[str], None]) -> Iterator[Opened]:
    """The artifact; one that is made from a checkpoint is proven, and stands in a temporary folder.

    Args:
        note: told a line for each step of a conversion.

    Raises:
        CallError, CheckpointError, InputError, ParityBroken: as `convert.conversion.convert`.
    """
    if named.artifact is not None:
        yield Opened(named.artifact, detect_kind(named.artifact), artifact_at(named.artifact))
        return
    with temporary_folder("pixelproof-restore-") as folder:
        path = _converted(named, folder, note=note)
        made = artifact_at(path)
        yield Opened(path, "pb", Artifact(named.label, made.format, made.sha256, made.size_bytes))


def _converted(named: Named, folder: Path, *, note: Callable[[str], None]) -> Path:
    from pixelproof.convert.workers import WarmWorkers
    from pixelproof.measure.interrupts import interrupts_deferred
    from pixelproof.quiet import import_tensorflow

    request = _request(named, folder)
    with WarmWorkers() as workers:
        workers.warm("pb")
        with interrupts_deferred():
            import_tensorflow()
            from pixelproof.convert.conversion import convert

        convert(request, workers=workers, note=note)
    return request.files[0]


def _request(named: Named, folder: Path) -> Request:
    from pixelproof.convert.plan import Request
    from pixelproof.convert.source import Ends

    return Request(
        model=str(named.model),
        checkpoint=named.checkpoint,
        folder=folder,
        formats=("pb",),
        shape=None,
        ends=Ends(input_name=named.input_name or "input", output_name=named.output_name or "output"),
        options=named.options,
    )
