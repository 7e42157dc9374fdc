"""PSNR and MS-SSIM over a track's pairs: decoding, inference and metrics overlap."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from pixelproof.challenge import Fidelity as Rules
from pixelproof.environment import usable_cores
from pixelproof.errors import ModelFailed
from pixelproof.measure import metrics
from pixelproof.measure.protocol import Array
from pixelproof.report import Fidelity, ImageFidelity, RangeSample
from pixelproof.validate.batching import LARGEST_PIXELS, same_image
from pixelproof.validate.figures import figures_of, merge_ranges, range_of
from pixelproof.validate.pairs import model_input
from pixelproof.validate.read_ahead import Decoded

SPOT_CHECK_EVERY = 8
UNMEASURED_GROUPS = 4
WAITING_SIZES = 4

Shape = tuple[int, ...]
_Measured = tuple[list[ImageFidelity], int, RangeSample]


class BatchMixed(Exception):
    """An image came out of a batch other than it comes out alone: the batch must not be used."""


@dataclass(frozen=True)
class Measurement:
    """Fidelity of all pairs, and the range of their outputs."""

    fidelity: Fidelity
    values: RangeSample


def measure_fidelity(
    run: Callable[[Array], Array],
    pairs: Iterable[Decoded],
    rules: Rules,
    *,
    batch: int,
    available: int,
    warn_range: tuple[float, float],
    advance: Callable[[int, str], None],
) -> Measurement:
    """Run a model over all pairs and measure each as the track does.

    Args:
        run: float32 (batch, height, width, channels) in [0, 1] in, the model's output out.
        batch: at most so many images of one size at a time; above 1, an image of every eighth batch is run
            once more alone.
        available: how many pairs there are, measured or not.
        warn_range: (low, high); outputs outside are counted.
        advance: told the images done.

    Returns:
        ``per_image`` is in the order of the pairs.

    Raises:
        ImageError: a pair can't be used.
        ModelFailed, WorkerStopped: the model can't run, or its output has another size than the target.
        BatchMixed: the model treats an image of a batch otherwise than alone.
    """
    order: list[str] = []
    measured: list[_Measured] = []
    unmeasured: deque[Future[_Measured]] = deque()
    pool = ThreadPoolExecutor(usable_cores())
    try:
        for number, group in enumerate(_groups(_noted(pairs, order), batch)):
            x = model_input(np.stack([item.input for item in group]))
            y = run(x)
            _check_size(y, group)
            if len(group) > 1 and number % SPOT_CHECK_EVERY == 0:
                _check_alone(run, x, y, number // SPOT_CHECK_EVERY % len(group))
            unmeasured.append(pool.submit(_measure, y, group, rules, warn_range))
            while len(unmeasured) > UNMEASURED_GROUPS:
                measured.append(unmeasured.popleft().result())
            advance(len(group), "")
        measured += [future.result() for future in unmeasured]
    finally:
        pool.shutdown(cancel_futures=True)
    return _summed_up(measured, order, available=available, batch=batch)


def _summed_up(
    measured: Sequence[_Measured], order: Sequence[str], *, available: int, batch: int
) -> Measurement:
    by_name = {item.name: item for items, _, _ in measured for item in items}
    per_image = tuple(by_name[name] for name in order)
    ssims = [item.ms_ssim for item in per_image if item.ms_ssim is not None]
    fidelity = Fidelity(
        psnr_db=metrics.mean_of_image_psnr_db([item.psnr_db for item in per_image]),
        ms_ssim=metrics.mean_of_image_ms_ssim(ssims) if ssims else None,
        per_image=per_image,
        images_available=available,
        batch=batch,
    )
    what = f"{len(order)} images of the track" if len(order) > 1 else order[0]
    return Measurement(fidelity, merge_ranges(what, [(count, sample) for _, count, sample in measured]))


def _measure(
    outputs: Array, group: Sequence[Decoded], rules: Rules, warn_range: tuple[float, float]
) -> _Measured:
    figures = figures_of(outputs, np.stack([item.target for item in group]), rules)
    items = [
        ImageFidelity(name=item.pair.name, psnr_db=psnr, ms_ssim=ssim)
        for item, (psnr, ssim) in zip(group, figures, strict=True)
    ]
    return items, outputs.size, range_of("", outputs, warn_range)


def _noted(pairs: Iterable[Decoded], order: list[str]) -> Iterator[Decoded]:
    for item in pairs:
        order.append(item.pair.name)
        yield item


def _groups(pairs: Iterable[Decoded], batch: int) -> Iterator[list[Decoded]]:
    """Images of one size together, as many as a batch may have; large ones go alone."""
    waiting: dict[Shape, list[Decoded]] = {}
    for item in pairs:
        shape = item.input.shape
        group = waiting.setdefault(shape, [])
        group.append(item)
        if len(group) >= (batch if shape[0] * shape[1] <= LARGEST_PIXELS else 1):
            yield waiting.pop(shape)
        elif len(waiting) > WAITING_SIZES:
            yield waiting.pop(max(waiting, key=lambda size: len(waiting[size])))
    yield from waiting.values()


def _check_size(outputs: Array, group: Sequence[Decoded]) -> None:
    expected = (len(group), *group[0].target.shape)
    if outputs.shape != expected:
        image = outputs.shape[1:] if len(outputs) == len(group) else outputs.shape
        shape, wanted = ("x".join(map(str, s)) for s in (image, expected[1:]))
        found = f"{shape} instead of {wanted} for {group[0].pair.name}"
        raise ModelFailed("An output must have the size of its target", found=found)


def _check_alone(run: Callable[[Array], Array], x: Array, y: Array, place: int) -> None:
    if not same_image(run(x[place : place + 1])[0], y[place]):
        raise BatchMixed
