"""What a model does on inputs of our own: sizes, ranges, determinism."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np

from pixelproof.challenge import Track
from pixelproof.contract import Contract
from pixelproof.errors import ModelFailed, WorkerStopped
from pixelproof.images import Rgb8
from pixelproof.measure.parity import probe_image
from pixelproof.measure.protocol import Array
from pixelproof.measure.worker import Loaded
from pixelproof.report import NOISE, Evidence, RangeSample, SizeTrial, TensorInfo
from pixelproof.validate.checks.base import Group
from pixelproof.validate.figures import range_of
from pixelproof.validate.pairs import Image, Pair, model_input, read_pair
from pixelproof.validate.range_trials import Picture, range_trials
from pixelproof.validate.session import ModelSession

SIZES = ((67, 101), (16, 24), (150, 85), (72, 190))
REAL_IMAGES = 3
REAL_CROP = 256
MESSAGE_LENGTH = 200
_WRAPPING = re.compile(
    r"Graph execution error:|Detected at node.*|Node: '[^']*'|\[\[\{\{node [^}]*\}\}\]\]|\(most recent call last\):"
)

Size = tuple[int, int]


def short(error: ModelFailed | WorkerStopped) -> str:
    """What an error found, in one line for a table; TensorFlow wraps its reason into much else."""
    told = (error.found or error.rule).split("Original stack trace")[0]
    text = " ".join(_WRAPPING.sub(" ", told).split())
    return text if len(text) <= MESSAGE_LENGTH else text[: MESSAGE_LENGTH - 3] + "..."


def blocking_reason(loaded: Loaded, contract: Contract) -> str | None:
    """Why there is no point in running the model; None where there is."""
    inputs = loaded.interface.inputs
    if len(inputs) != 1 or loaded.used_input is None:
        return f"it has {len(inputs)} inputs" if inputs else "it has no input"
    if loaded.used_output is None:
        return f"it has {len(loaded.interface.outputs)} outputs, and none is {contract.output}"
    source = inputs[0]
    if source.dtype not in contract.dtypes:
        return f"its input is {source.dtype}, images are {' or '.join(contract.dtypes)}"
    if source.shape is None:
        return None
    if len(source.shape) != 4:
        return f"its input has {len(source.shape)} dimensions, images have 4"
    if source.shape[3] not in (None, contract.channels[0]):
        return f"its input has {source.shape[3]} channels, the track's images have {contract.channels[0]}"
    if source.shape[0] not in (None, 1):
        return f"its input takes {source.shape[0]} images at a time, the challenge gives one"
    return None


def trial_sizes(contract: Contract) -> tuple[Size, ...]:
    """Odd, tiny, portrait and landscape (height, width), within what the contract allows."""
    multiple, least = contract.size_multiple, contract.minimum_size

    def allowed(side: int) -> int:
        return -(-max(side, least) // multiple) * multiple

    return tuple(dict.fromkeys((allowed(height), allowed(width)) for height, width in SIZES))


def gather_contract(
    session: ModelSession,
    evidence: Evidence,
    track: Track,
    *,
    groups: Collection[Group],
    pairs: Sequence[Pair],
    more_sizes: Sequence[Size],
    advance: Callable[[int, str], None],
) -> Evidence:
    """Try sizes, and at one that the model takes its range and its determinism; `evidence` holds the interface.

    Args:
        groups: what is judged; nothing is run for the others.
        pairs: real images to look at.
        more_sizes: (height, width) to try beside the usual ones.
        advance: told of two steps.
    """
    judges_values = bool({"contract", "range"} & set(groups))
    if "resolution" in groups:
        usual = trial_sizes(track.contract) if track.contract.any_resolution else ()
        evidence = _with_trials(session, evidence, track.contract, (*usual, *more_sizes))
    advance(1, "values")
    if judges_values and evidence.stopped is None:
        if _working_size(evidence) is None:
            evidence = _with_trials(session, evidence, track.contract, _own_sizes(evidence, track.contract))
        size = _working_size(evidence)
        if size is not None:
            evidence = _values(session, evidence, track, size, pairs, tries_ranges="range" in groups)
        elif evidence.stopped is None and evidence.size_trials:
            evidence = replace(evidence, stopped=f"it ran at no size: {evidence.size_trials[-1].error}")
    advance(1, "")
    return evidence


def _with_trials(
    session: ModelSession, evidence: Evidence, contract: Contract, sizes: Sequence[Size]
) -> Evidence:
    trials = list(evidence.size_trials or ())
    done = {(t.height, t.width) for t in trials}
    stopped = evidence.stopped
    for height, width in sizes:
        if (height, width) in done or stopped is not None:
            continue
        try:
            output = session.run(probe_image(height, width, contract.channels[0]))
            trials.append(SizeTrial(height=height, width=width, output=tuple(output.shape)))
        except (ModelFailed, WorkerStopped) as error:
            trials.append(SizeTrial(height=height, width=width, output=None, error=short(error)))
            if isinstance(error, WorkerStopped) and error.reason == "timed_out":
                stopped = f"{short(error)} at {height}x{width}"
    return replace(evidence, size_trials=tuple(trials) or None, stopped=stopped)


def _working_size(evidence: Evidence) -> Size | None:
    return next(((t.height, t.width) for t in evidence.size_trials or () if t.output is not None), None)


def _own_sizes(evidence: Evidence, contract: Contract) -> list[Size]:
    """The size that the file states, then the usual odd one."""
    return [size for size in (stated_size(evidence), trial_sizes(contract)[0]) if size is not None]


def stated_size(evidence: Evidence) -> Size | None:
    """(height, width) where the file fixes both."""
    source: TensorInfo | None = evidence.interface.inputs[0] if evidence.interface else None
    if source is None or source.shape is None or len(source.shape) != 4:
        return None
    height, width = source.shape[1:3]
    return (height, width) if height is not None and width is not None else None


def _values(
    session: ModelSession,
    evidence: Evidence,
    track: Track,
    size: Size,
    pairs: Sequence[Pair],
    *,
    tries_ranges: bool,
) -> Evidence:
    contract = track.contract
    samples: list[RangeSample] = []
    looked_at: list[Picture] = []
    where = ""
    try:
        for where, x in _artificial(size, contract.channels[0]):
            samples.append(range_of(where, session.run(x), contract.warn_range))
        for where, x, target in _photographs(track, size, pairs, is_fixed=stated_size(evidence) is not None):
            output = session.run(x)
            samples.append(range_of(where, output, contract.warn_range))
            looked_at.append(Picture(x, output, target))
        where = "a repeated input"
        apart = _repeat_difference(session, contract, size)
        where = "an input far outside [0, 1]"
        clips = _clips_by_itself(session, contract, size)
    except (ModelFailed, WorkerStopped) as error:
        return replace(evidence, range_samples=tuple(samples) or None, stopped=f"on {where}: {short(error)}")
    evidence = replace(evidence, range_samples=tuple(samples), clips_itself=clips, determinism_max_abs=apart)
    if not (tries_ranges and looked_at and track.fidelity is not None):
        return evidence
    border = track.fidelity.psnr.crop_border
    return replace(evidence, range_trials=range_trials(session.run, looked_at, crop_border=border))


def _artificial(size: Size, channels: int) -> list[tuple[str, Array]]:
    """Named inputs: black, white, noise."""
    shape = (1, *size, channels)
    noise = np.random.default_rng(2018).uniform(0, 1, shape).astype(np.float32)
    return [("black", np.zeros(shape, np.float32)), ("white", np.ones(shape, np.float32)), (NOISE, noise)]


def _photographs(
    track: Track, size: Size, pairs: Sequence[Pair], *, is_fixed: bool
) -> Iterator[tuple[str, Array, Rgb8]]:
    """Names, the middle of a few real images, and what should come out."""
    if track.fidelity is None:
        return
    scale = track.contract.scale
    for pair in pairs[:REAL_IMAGES]:
        image, target = read_pair(pair, track.fidelity, scale=scale)
        inner = _middle(image, size if is_fixed else None, track.contract)
        if inner is not None:
            enlarged = tuple(slice(side.start * scale, side.stop * scale) for side in inner)
            yield pair.name, model_input(image[inner])[None], target[enlarged]


def _middle(image: Image, size: Size | None, contract: Contract) -> tuple[slice, slice] | None:
    """Where the middle of an image is, of a size that the model takes; None where the image is too small for it."""
    if size is None:
        height, width = (
            min(n, REAL_CROP) // contract.size_multiple * contract.size_multiple for n in image.shape[:2]
        )
    else:
        height, width = size
    if (
        not contract.allows(height, width)
        or 0 in (height, width)
        or image.shape[0] < height
        or image.shape[1] < width
    ):
        return None
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return slice(top, top + height), slice(left, left + width)


def _clips_by_itself(session: ModelSession, contract: Contract, size: Size) -> bool:
    """Whether inputs far outside [0, 1] still give outputs inside, with a bound touched."""
    output = session.run(probe_image(*size, contract.channels[0]) * np.float32(8) - np.float32(4))
    if not output.size:
        return False
    low, high = contract.warn_range
    least, most = float(output.min()), float(output.max())
    return least >= low and most <= high and (least == low or most == high)


def _repeat_difference(session: ModelSession, contract: Contract, size: Size) -> float:
    """Largest absolute difference of two runs on one input; infinite where one is finite and the other not."""
    x = probe_image(*size, contract.channels[0], seed=7)
    first, second = session.run(x), session.run(x)
    if first.shape != second.shape:
        return float("inf")
    finite = np.isfinite(first) & np.isfinite(second)
    if not np.array_equal(first[~finite], second[~finite], equal_nan=True):
        return float("inf")
    apart = np.abs(first[finite].astype(np.float64) - second[finite])
    return float(apart.max()) if apart.size else 0.0
