"""Where pictures come from: files that are read when they are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from pixelproof.errors import ImageError, ShapeMismatch
from pixelproof.images import SUFFIXES, Rgb8, list_images, read_rgb8
from pixelproof.models.training.data.fit import Fit, paired, reduced
from pixelproof.models.training.data.training_data import Skipped

Pair8 = tuple[Rgb8, Rgb8]
"""Input and target: uint8, (height, width, 3)."""


class Source(Protocol):
    """One pair of pictures, not yet read. Can be pickled."""

    @property
    def name(self) -> str:
        """The file, for messages."""

    def read(self) -> Pair8:
        """Input and target.

        Raises:
            ImageError: it can't be used.
            ShapeMismatch: the two don't belong together.
        """


@dataclass(frozen=True)
class Photograph:
    """A photograph that is its own target.

    Attributes:
        path: the file.
        fit: how the input is made of it.
        shrink: a whole number by which it is reduced first, by means of squares of pixels.
    """

    path: Path
    fit: Fit
    shrink: int = 1

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    def read(self) -> Pair8:
        """See `Source`."""
        shrunk8 = _shrunk(read_rgb8(self.path), self.shrink)
        try:
            return reduced(shrunk8, self.fit)
        except ImageError as error:
            found = error.found if self.shrink == 1 else f"{error.found} when reduced by {self.shrink}"
            raise ImageError(error.rule, found=found, remedy=error.remedy) from None


@dataclass(frozen=True)
class TwoFiles:
    """An input and its target in two files."""

    input: Path
    target: Path
    fit: Fit

    @property
    def name(self) -> str:
        """The target's file name."""
        return self.target.name

    def read(self) -> Pair8:
        """See `Source`."""
        small8, target8 = read_rgb8(self.input), read_rgb8(self.target)
        try:
            return paired(small8, target8, self.fit)
        except ShapeMismatch as error:
            files = " and ".join(f"{path.parent.name}/{path.name}" for path in (self.input, self.target))
            remedy = (
                "scale is the target's size over the input file's; 1 where the files are enlarged already."
            )
            raise ShapeMismatch(error.rule, found=f"{error.found} for {files}", remedy=remedy) from None


def listed(folder: Path) -> tuple[Path, ...]:
    """The images of a folder, in natural order.

    Raises:
        ImageError: no readable folder, or none in it.
    """
    found = list_images(folder)
    if not found:
        remedy = f"Known suffixes: {' '.join(SUFFIXES)}."
        raise ImageError("A folder of images must hold images", found=f"none in {folder}", remedy=remedy)
    return found


def matched(inputs: Path, targets: Path, fit: Fit) -> tuple[tuple[TwoFiles, ...], tuple[Skipped, ...]]:
    """The pairs of two folders, by their files' names without suffix, and what has no partner.

    Raises:
        ImageError: a folder is missing or empty, two files of one have the same name, or no file has a partner.
    """
    inputs_by_stem, targets_by_stem = _by_stem(listed(inputs)), _by_stem(listed(targets))
    pairs = tuple(
        TwoFiles(inputs_by_stem[stem], target, fit)
        for stem, target in targets_by_stem.items()
        if stem in inputs_by_stem
    )
    alone = _alone(inputs_by_stem, targets_by_stem, targets) + _alone(targets_by_stem, inputs_by_stem, inputs)
    if not pairs:
        rule = f"Inputs in {inputs} and targets in {targets} must have the same names"
        raise ImageError(rule, found=f"{len(alone)} files, and no partner for any of them")
    return pairs, alone


def _alone(files: dict[str, Path], others: dict[str, Path], folder: Path) -> tuple[Skipped, ...]:
    return tuple(
        Skipped(f"{path.parent.name}/{path.name}", f"no file of this name in {folder}")
        for stem, path in files.items()
        if stem not in others
    )


def _by_stem(paths: Sequence[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        if path.stem in found:
            rule = f"Images of {path.parent} must differ in more than their suffix"
            raise ImageError(rule, found=f"{found[path.stem].name} and {path.name}")
        found[path.stem] = path
    return found


def _shrunk(image8: Rgb8, factor: int) -> Rgb8:
    from PIL import Image

    return image8 if factor == 1 else np.array(Image.fromarray(image8).reduce(factor))
