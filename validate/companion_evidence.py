"""The second file of the same network: found, read, and compared with the judged one."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import numpy as np

from pixelproof.challenge import Companion as Rules
from pixelproof.challenge import Track
from pixelproof.errors import ArtifactError, GraphRefused, ModelFailed, WorkerStopped
from pixelproof.measure.formats import Kind, artifact_at, detect_kind
from pixelproof.measure.parity import probe_image
from pixelproof.report import Companion, SizeTrial
from pixelproof.safety import Refusal
from pixelproof.validate.checks.base import Group
from pixelproof.validate.contract_evidence import blocking_reason, short, trial_sizes
from pixelproof.validate.session import ModelSession

MEASURED_BY: frozenset[Group] = frozenset({"contract", "resolution", "fidelity"})
REFUSED = "refused by the scan of its file"

QUANTISED = frozenset({"QUANTIZE", "DEQUANTIZE"})
"""Operations of a .tflite that lead from floats to whole numbers and back."""

Opener = Callable[[Path, Kind], ModelSession]


def companion_path(model: Path, rules: Rules, *, given: Path | None) -> Path:
    """Where the companion is: as given, else under the challenge's name beside the model."""
    return given if given is not None else model.parent / rules.member


def open_companion(path: Path, open_session: Opener) -> tuple[Companion, ModelSession | None]:
    """The companion's scan and interface, and a session in which it is loaded; None where it can't be.

    Args:
        open_session: makes the session, which the caller closes.

    Raises:
        EnvironmentFault: the worker can't start, or can't be locked in as required.
    """
    found = Companion(path=str(path))
    if not path.exists():
        return replace(found, error="no such file"), None
    try:
        kind = detect_kind(path)
        found = replace(found, artifact=artifact_at(path))
    except (ArtifactError, OSError) as error:
        return replace(found, error=_told(error)), None
    session = open_session(path, kind)
    try:
        scan = session.scan()
        found = replace(found, scan=scan)
        if scan.refusals:
            return replace(found, error=REFUSED), None
        loaded = session.load()
    except GraphRefused as error:
        refusal = Refusal(error.rule, error.found, error.remedy)
        return replace(found, scan=replace(scan, refusals=(refusal,)), error=REFUSED), None
    except (ModelFailed, WorkerStopped) as error:
        return replace(found, error=short(error)), None
    except ArtifactError as error:
        return replace(found, error=_told(error)), None
    quantised = found.scan is not None and bool(QUANTISED & set(found.scan.operations))
    return replace(found, interface=loaded.interface, is_quantised=quantised), session


def compare_companion(
    found: Companion,
    session: ModelSession,
    judged: ModelSession,
    track: Track,
    *,
    groups: Collection[Group],
) -> Companion:
    """Sizes that the companion takes, and its difference from the judged file at the size that the rules fix."""
    contract = track.contract
    trials: list[SizeTrial] = []
    try:
        blocked = blocking_reason(session.load(), contract)
        if blocked is not None:
            return replace(found, error=blocked)
        if "resolution" in groups:
            for height, width in trial_sizes(contract):
                trials.append(_trial(session, height, width, contract.channels[0]))
            found = replace(found, size_trials=tuple(trials))
        if contract.fixed_size is not None and "contract" in groups:
            x = probe_image(*contract.fixed_size, contract.channels[0])
            ours, theirs = judged.run(x), session.run(x)
            if ours.shape != theirs.shape:
                return replace(
                    found, error=f"another output: {_shape(theirs.shape)} and not {_shape(ours.shape)}"
                )
            apart = ours.astype(np.float64) - theirs
            mean_square = float(np.mean(apart**2))
            psnr = -10 * math.log10(mean_square) if mean_square > 0 else math.inf
            return replace(found, max_abs=float(np.abs(apart).max()), psnr_db=psnr)
    except (ModelFailed, WorkerStopped) as error:
        return replace(found, error=short(error))
    return found


def _trial(session: ModelSession, height: int, width: int, channels: int) -> SizeTrial:
    try:
        output = session.run(probe_image(height, width, channels))
    except ModelFailed as error:
        return SizeTrial(height=height, width=width, output=None, error=short(error))
    return SizeTrial(height=height, width=width, output=tuple(output.shape))


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _told(error: ArtifactError | OSError) -> str:
    return error.found or error.rule if isinstance(error, ArtifactError) else str(error.strerror)
