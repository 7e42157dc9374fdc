"""What the network costs, by the convention of the track."""

from __future__ import annotations

from pathlib import Path

from pixelproof.challenge import ComplexityRules
from pixelproof.contract import Contract
from pixelproof.errors import ArtifactError, CallError, ModelFailed
from pixelproof.measure.complexity import complexity
from pixelproof.measure.formats import Kind
from pixelproof.report import Complexity
from pixelproof.validate.session import ModelSession


def measure_complexity(
    session: ModelSession, path: Path, kind: Kind, rules: ComplexityRules, contract: Contract
) -> Complexity:
    """Parameters, FLOPs, activations and convolutions, read off the file in the worker.

    Raises:
        ModelFailed, WorkerStopped: the file doesn't take the size, or can't be counted.
    """
    with session.worker() as worker:
        try:
            found = complexity(
                worker,
                path,
                kind,
                height=rules.height,
                width=rules.width,
                convention=rules.convention,
                channels=contract.channels[0],
                output_name=contract.output,
            )
        except (CallError, ArtifactError) as error:  # the file's own contradiction, not the user's
            raise ModelFailed(error.rule, found=error.found, remedy=error.remedy) from error
    return Complexity(
        convention=found.convention,
        height=found.height,
        width=found.width,
        params=found.params,
        flops=found.flops,
        activations=found.activations,
        conv_layers=found.conv_layers,
    )
