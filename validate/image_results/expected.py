"""What results are held against: the targets, or the inputs alone, which give names and sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pixelproof import images
from pixelproof.challenge import Results
from pixelproof.errors import ImageError

Size = tuple[int, int]


@dataclass(frozen=True)
class Expected:
    """One picture a name.

    Attributes:
        sources: result's name to its target, or to its input.
        scale: result's size over the source's.
        are_targets: whether the sources are targets.
        label: where they lie, for people.
    """

    sources: Mapping[str, Path]
    scale: int
    are_targets: bool
    label: str


def expected_from(
    folder: Path, results: Results, *, scale: int, are_targets: bool, input_suffix: str = ""
) -> Expected:
    """The names that results must have, from a folder of targets or inputs.

    Args:
        scale: of the challenge; used for inputs alone.
        input_suffix: what inputs have behind the targets' stem.

    Raises:
        ImageError: no readable folder, two pictures of one stem, or not as many as the rules say.
    """
    what = "targets" if are_targets else "inputs"
    sources: dict[str, Path] = {}
    for path in images.list_images(folder):
        stem = path.stem if are_targets else path.stem.removesuffix(input_suffix)
        name = f"{stem}{results.extension}"
        if name in sources:
            rule = f"Images of {folder} must differ in more than their suffix"
            raise ImageError(rule, found=f"{sources[name].name} and {path.name}")
        sources[name] = path
    if len(sources) != results.count:
        remedy = f"Name the folder with the challenge's own {what}."
        rule = f"The {what} must be as many as the rules say, {results.count}"
        raise ImageError(rule, found=f"{len(sources)} in {folder}", remedy=remedy)
    return Expected(sources, 1 if are_targets else scale, are_targets, str(folder))


def size_of(path: Path) -> Size:
    """(height, width) as an image's header says it.

    Raises:
        ImageError: no image.
    """
    from PIL import Image

    try:
        with Image.open(path, formats=images.FORMATS) as image:
            return image.height, image.width
    except (OSError, SyntaxError, ValueError) as error:
        raise images.unreadable(path, error) from error
