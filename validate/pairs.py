"""The image pairs of a track: found, matched by name, read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pixelproof import images
from pixelproof.challenge import Fidelity
from pixelproof.errors import ImageError
from pixelproof.images import Rgb8
from pixelproof.measure.protocol import Array


@dataclass(frozen=True)
class Pair:
    """One target and its input; no input where it is made from the target."""

    name: str
    target: Path
    input: Path | None


def find_pairs(root: Path, rules: Fidelity) -> tuple[Pair, ...]:
    """The track's pairs, in natural order.

    Args:
        root: the challenge's data folder.

    Raises:
        ImageError: folders missing or empty, or images without a partner.
    """
    targets = images.list_images(root / rules.targets)
    if not targets:
        raise ImageError("A folder of targets must hold images", found=f"none in {root / rules.targets}")
    if rules.inputs is None:
        return tuple(Pair(target.name, target, None) for target in targets)
    return _matched(targets, images.list_images(root / rules.inputs), root / rules.inputs)


def _matched(targets: tuple[Path, ...], inputs: tuple[Path, ...], folder: Path) -> tuple[Pair, ...]:
    by_stem = {path.stem: path for path in inputs}
    alone = [t.name for t in targets if t.stem not in by_stem]
    alone += sorted(p.name for stem, p in by_stem.items() if stem not in {t.stem for t in targets})
    if alone:
        listed = ", ".join(alone[:5]) + (f" and {len(alone) - 5} more" if len(alone) > 5 else "")
        raise ImageError(
            f"Inputs in {folder} and targets must have the same names", found=f"no partner for {listed}"
        )
    return tuple(Pair(target.name, target, by_stem[target.stem]) for target in targets)


def read_pair(pair: Pair, rules: Fidelity, *, scale: int) -> tuple[Array, Rgb8]:
    """(input float32 in [0, 1], target uint8), both (height, width, 3).

    Raises:
        ImageError: unreadable, or sizes that don't belong together.
    """
    target = images.read_rgb8(pair.target)
    if pair.input is not None:
        source = images.read_rgb8(pair.input)
    else:
        source = _degraded(target, rules, pair.name)
    expected = source.shape[0] * scale, source.shape[1] * scale
    if expected != target.shape[:2]:
        found = f"{source.shape[0]}x{source.shape[1]} and {target.shape[0]}x{target.shape[1]} for {pair.name}"
        raise ImageError(f"A target must be {scale} times the size of its input", found=found)
    return images.unit_from_8bit(source), target


def _degraded(target: Rgb8, rules: Fidelity, name: str) -> Rgb8:
    degrade = rules.degrade
    assert degrade is not None
    height, width = target.shape[:2]
    if height % degrade.factor or width % degrade.factor:
        remedy = f"Crop it to multiples of {degrade.factor}."
        rule = f"The sides of a target must be multiples of {degrade.factor}"
        raise ImageError(rule, found=f"{height}x{width} for {name}", remedy=remedy)
    small = images.bicubic_resize_8bit(target, height // degrade.factor, width // degrade.factor)
    return images.bicubic_resize_8bit(small, height, width) if degrade.restore_size else small
