"""What a model does on inputs of our own: sizes, ranges, determinism."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pixelproof.challenge import Track
from pixelproof.contract import Contract
from pixelproof.errors import ModelFailed, WorkerStopped
from pixelproof.measure.parity import probe_image
from pixelproof.measure.protocol import Array
from pixelproof.measure.worker import Loaded
from pixelproof.report import RangeSample, SizeTrial
from pixelproof.validate.fidelity import range_of
from pixelproof.validate.pairs import Pair, read_pair
from pixelproof.validate.session import ModelSession

REAL_IMAGES = 3
REAL_CROP = 256


def blocking_reason(loaded: Loaded, contract: Contract) -> str | None:
    """Why there is no point in running the model; None where there is."""
    if loaded.used_input is None or loaded.used_output is None:
        return "not run: the graph's input and output can't be told"
    shape = loaded.interface.inputs[0].shape if loaded.interface.inputs else None
    if shape is not None and len(shape) != 4:
        return f"not run: the input has {len(shape)} dimensions"
    if shape is not None and shape[3] not in (None, contract.channels[0]):
        return f"not run: the input has {shape[3]} channels"
    if loaded.interface.inputs and loaded.interface.inputs[0].dtype != "float32":
        return f"not run: the input is {loaded.interface.inputs[0].dtype}"
    return None


def trial_sizes(contract: Contract) -> tuple[tuple[int, int], ...]:
    """Odd, tiny, portrait and landscape (height, width), within what the contract allows."""
    wanted = ((67, 101), (16, 24), (150, 85), (72, 190))
    m, least = contract.size_multiple, contract.minimum_size
    return tuple(
        (max(-(-h // m), -(-least // m)) * m, max(-(-w // m), -(-least // m)) * m) for h, w in wanted
    )


def try_size(session: ModelSession, contract: Contract, height: int, width: int) -> SizeTrial:
    """Run one size; an error is a result."""
    try:
        output = session.run(probe_image(height, width, contract.channels[0]))
    except (ModelFailed, WorkerStopped) as error:
        return SizeTrial(height=height, width=width, output=None, error=error.found or error.rule)
    return SizeTrial(height=height, width=width, output=tuple(output.shape))


def range_inputs(track: Track, pairs: Sequence[Pair]) -> list[tuple[str, Array]]:
    """Named inputs for the range: black, white, noise, and the middle of a few real images."""
    contract = track.contract
    height, width = trial_sizes(contract)[0]
    channels = contract.channels[0]
    shape = (1, height, width, channels)
    noise = np.random.default_rng(2018).uniform(0, 1, shape).astype(np.float32)
    named = [
        ("black", np.zeros(shape, np.float32)),
        ("white", np.ones(shape, np.float32)),
        ("noise", noise),
    ]
    if track.fidelity is not None:
        for pair in pairs[:REAL_IMAGES]:
            image, _ = read_pair(pair, track.fidelity, scale=contract.scale)
            named.append((pair.name, _middle(image, contract.size_multiple)[None]))
    return named


def measure_ranges(
    session: ModelSession, inputs: Sequence[tuple[str, Array]], contract: Contract
) -> tuple[RangeSample, ...]:
    """Extremes of the output for each input.

    Raises:
        ModelFailed, WorkerStopped: the model can't run.
    """
    return tuple(range_of(name, session.run(x), contract.warn_range) for name, x in inputs)


def clips_by_itself(session: ModelSession, contract: Contract) -> bool:
    """Whether inputs far outside [0, 1] still give outputs inside, with a bound touched."""
    x = probe_image(*trial_sizes(contract)[0], contract.channels[0]) * 8 - 4
    output = session.run(x.astype(np.float32))
    low, high = contract.warn_range
    least, most = float(output.min()), float(output.max())
    return least >= low and most <= high and (least == low or most == high)


def repeat_difference(session: ModelSession, contract: Contract) -> float:
    """Largest absolute difference of two runs on one input."""
    x = probe_image(*trial_sizes(contract)[0], contract.channels[0], seed=7)
    first, second = session.run(x), session.run(x)
    if first.shape != second.shape:
        return float("inf")
    apart = np.abs(first.astype(np.float64) - second)
    return float(np.max(np.where(np.isnan(first) & np.isnan(second), 0.0, apart)))


def _middle(image: Array, multiple: int) -> Array:
    height, width = (min(n, REAL_CROP) // multiple * multiple for n in image.shape[:2])
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]
