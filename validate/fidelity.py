"""PSNR and MS-SSIM over a track's pairs: decoding, inference and metrics overlap."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from pixelproof import images
from pixelproof.challenge import Fidelity as Rules
from pixelproof.errors import ModelFailed
from pixelproof.images import Rgb8
from pixelproof.measure import metrics
from pixelproof.measure.protocol import Array
from pixelproof.report import Fidelity, ImageFidelity, RangeSample
from pixelproof.validate.pairs import Pair, read_pair

DECODE_AHEAD = 32
METRIC_THREADS = 2


@dataclass(frozen=True)
class _Group:
    """Images of one size that go through the model together."""

    pairs: list[Pair]
    inputs: list[Array]
    targets: list[Rgb8]


def measure_fidelity(
    run: Callable[[Array], Array],
    pairs: Sequence[Pair],
    rules: Rules,
    *,
    scale: int,
    batch: int,
    available: int,
    warn_range: tuple[float, float],
    advance: Callable[[int, str], None],
) -> tuple[Fidelity, RangeSample]:
    """Run a model over all pairs and measure each as the track does.

    Args:
        run: float32 (batch, height, width, channels) in, the model's output out.
        batch: at most so many images of one size at a time.
        available: how many pairs there are, measured or not.
        warn_range: (low, high); outputs outside are counted.
        advance: told the images done.

    Raises:
        ImageError: a pair can't be used.
        ModelFailed, WorkerStopped: the model can't run, or its output has another size than the target.
    """
    results: list[Future[tuple[list[ImageFidelity], RangeSample]]] = []
    with ThreadPoolExecutor(METRIC_THREADS) as pool:
        for group in _groups(pairs, rules, scale=scale, batch=batch, pool=pool):
            outputs = run(np.stack(group.inputs))
            _check_size(outputs, group)
            results.append(pool.submit(_measure_group, outputs, group, rules, warn_range))
            advance(len(group.pairs), "")
        measured = [future.result() for future in results]
    by_name = {item.name: item for items, _ in measured for item in items}
    per_image = tuple(by_name[pair.name] for pair in pairs)
    ssims = [item.ms_ssim for item in per_image if item.ms_ssim is not None]
    fidelity = Fidelity(
        psnr_db=metrics.mean_of_image_psnr_db([item.psnr_db for item in per_image]),
        ms_ssim=metrics.mean_of_image_ms_ssim(ssims) if ssims else None,
        per_image=per_image,
        images_available=available,
        batch=batch,
    )
    return fidelity, merge_ranges(f"{len(pairs)} images of the track", [sample for _, sample in measured])


def image_fidelity(output: Array, target: Rgb8, rules: Rules) -> tuple[float, float | None]:
    """(PSNR in dB, MS-SSIM or None) of one image.

    Args:
        output: float, (height, width, 3), nominally in [0, 1].
        target: uint8, (height, width, 3).
    """
    if not np.isfinite(output).all():
        return math.nan, math.nan if rules.ms_ssim else None
    exact = target.astype(np.float64) / 255
    psnr = metrics.psnr_db(
        _prepared(output, clip=rules.psnr.clip, round_to_8_bit=rules.psnr.round_to_8_bit),
        exact,
        crop_border=rules.psnr.crop_border,
    )
    ssim = rules.ms_ssim
    if ssim is None:
        return psnr, None
    a, b = (
        images.crop_border(image, ssim.crop_border)
        for image in (_prepared(output, clip=ssim.clip, round_to_8_bit=False), exact)
    )
    if ssim.variant == "tf":
        return psnr, metrics.ms_ssim_tf(a, b)
    return psnr, metrics.ms_ssim_scipy_fft(a * 255, b * 255)


def range_of(source: str, output: Array, warn_range: tuple[float, float]) -> RangeSample:
    """Extremes of an output, and the share of its values outside a range."""
    finite = output[np.isfinite(output)]
    low, high = warn_range
    outside = int(np.count_nonzero((finite < low) | (finite > high)))
    return RangeSample(
        source=source,
        minimum=float(finite.min()) if finite.size else math.nan,
        maximum=float(finite.max()) if finite.size else math.nan,
        share_outside=outside / output.size if output.size else 0.0,
        non_finite=int(output.size - finite.size),
    )


def merge_ranges(source: str, samples: Sequence[RangeSample]) -> RangeSample:
    """One sample for several of equal weight."""
    return RangeSample(
        source=source,
        minimum=float(np.nanmin([s.minimum for s in samples])) if samples else math.nan,
        maximum=float(np.nanmax([s.maximum for s in samples])) if samples else math.nan,
        share_outside=float(np.mean([s.share_outside for s in samples])) if samples else 0.0,
        non_finite=sum(s.non_finite for s in samples),
    )


def _prepared(output: Array, *, clip: bool, round_to_8_bit: bool) -> Array:
    if round_to_8_bit:
        return images.rounded_8bit(output) / 255.0
    return np.clip(output, 0.0, 1.0) if clip else output


def _measure_group(
    outputs: Array, group: _Group, rules: Rules, warn_range: tuple[float, float]
) -> tuple[list[ImageFidelity], RangeSample]:
    items = []
    for pair, output, target in zip(group.pairs, outputs, group.targets, strict=True):
        psnr, ssim = image_fidelity(output, target, rules)
        items.append(ImageFidelity(name=pair.name, psnr_db=psnr, ms_ssim=ssim))
    return items, range_of("", outputs, warn_range)


def _groups(
    pairs: Sequence[Pair], rules: Rules, *, scale: int, batch: int, pool: ThreadPoolExecutor
) -> Iterator[_Group]:
    """Pairs in groups of one size, each at most ``batch`` long; decoded ahead of their use."""
    coming: list[Future[tuple[Array, Rgb8]]] = []
    waiting: dict[tuple[int, ...], _Group] = {}
    todo = iter(pairs)
    for pair in pairs:
        while len(coming) < DECODE_AHEAD and (ahead := next(todo, None)) is not None:
            coming.append(pool.submit(read_pair, ahead, rules, scale=scale))
        source, target = coming.pop(0).result()
        group = waiting.setdefault(source.shape, _Group([], [], []))
        group.pairs.append(pair)
        group.inputs.append(source)
        group.targets.append(target)
        if len(group.pairs) == batch:
            yield waiting.pop(source.shape)
    yield from waiting.values()


def _check_size(outputs: Array, group: _Group) -> None:
    expected = (len(group.targets), *group.targets[0].shape)
    if outputs.shape != expected:
        shape, wanted = "x".join(map(str, outputs.shape)), "x".join(map(str, expected))
        raise ModelFailed(f"The output must be {wanted}", found=f"{shape} for {group.pairs[0].name}")
