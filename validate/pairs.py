"""The image pairs of a track: found, matched by name, read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelproof import images
from pixelproof.bayer import unpack_bayer
from pixelproof.challenge import Bayer, Fidelity
from pixelproof.errors import ImageError
from pixelproof.images import Rgb8
from pixelproof.measure.protocol import Array
from pixelproof.raw import RAW_SUFFIXES, read_raw

Image = Rgb8 | Array
"""An input: RGB as uint8 (height, width, 3) in [0, 255], or Bayer planes as float32 (height, width, 4) in [0, 1]."""


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
    targets = _listed(root / rules.targets, "targets")
    if rules.inputs is None:
        return tuple(Pair(target.name, target, None) for target in targets)
    inputs = _listed(root / rules.inputs, "inputs", suffixes=RAW_SUFFIXES if rules.bayer else None)
    return _matched(targets, inputs, root / rules.inputs, suffix=rules.input_suffix)


def read_pair(pair: Pair, rules: Fidelity, *, scale: int) -> tuple[Image, Rgb8]:
    """(input, target); the target is uint8, (height, width, 3), in [0, 255], the input see `Image`.

    Args:
        scale: target size over input size.

    Raises:
        ImageError: unreadable, or sizes that don't belong together.
    """
    target = images.read_rgb8(pair.target)
    source: Image
    if pair.input is not None:
        source = _planes(pair.input, rules.bayer) if rules.bayer else images.read_rgb8(pair.input)
    else:
        source = _degraded(target, rules, pair.name)
    expected = source.shape[0] * scale, source.shape[1] * scale
    if rules.modcrop and all(0 <= n - e < scale for n, e in zip(target.shape, expected, strict=False)):
        target = target[: expected[0], : expected[1]]
    if expected != target.shape[:2]:
        found = f"{source.shape[0]}x{source.shape[1]} and {target.shape[0]}x{target.shape[1]} for {pair.name}"
        times = "the size" if scale == 1 else f"{scale} times the size"
        raise ImageError(f"A target must have {times} of its input", found=found)
    return source, target


def model_input(stacked: Image) -> Array:
    """Inputs as a model takes them: float32 in [0, 1]."""
    return (
        images.unit_from_8bit(stacked)
        if stacked.dtype == np.uint8
        else stacked.astype(np.float32, copy=False)
    )


def _planes(path: Path, rules: Bayer) -> Array:
    raw = read_raw(path)
    return unpack_bayer(
        raw.mosaic, cfa=rules.cfa, white_level=rules.white_level, black_level=rules.black_level
    )


def _listed(folder: Path, what: str, *, suffixes: tuple[str, ...] | None = None) -> tuple[Path, ...]:
    found = images.list_images(folder, suffixes=suffixes or images.SUFFIXES)
    if not found:
        remedy = f"Put PNG, JPEG, BMP, TIFF or WebP files there; --data names the folder above {what}."
        raise ImageError(f"A folder of {what} must hold images", found=f"none in {folder}", remedy=remedy)
    return found


def _matched(
    targets: Sequence[Path], inputs: Sequence[Path], folder: Path, *, suffix: str
) -> tuple[Pair, ...]:
    _check_unique(targets)
    _check_unique(inputs)
    by_stem = {path.stem: path for path in inputs}
    wanted = {f"{target.stem}{suffix}" for target in targets}
    alone = [t.name for t in targets if f"{t.stem}{suffix}" not in by_stem]
    alone += [p.name for p in inputs if p.stem not in wanted]
    if alone:
        names = f"the targets' names with {suffix} behind" if suffix else "the same names"
        rule = f"Inputs in {folder} and targets in {targets[0].parent} must have {names}"
        raise ImageError(rule, found=f"no partner for {_some(alone)}")
    return tuple(Pair(target.name, target, by_stem[f"{target.stem}{suffix}"]) for target in targets)


def _check_unique(paths: Sequence[Path]) -> None:
    counted = Counter(path.stem for path in paths)
    twice = [path.name for path in paths if counted[path.stem] > 1]
    if twice:
        rule = f"Images of {paths[0].parent} must differ in more than their suffix"
        raise ImageError(rule, found=_some(twice))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


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
