"""What the network costs, by the convention of the track."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pixelproof.challenge import ComplexityRules, Track
from pixelproof.contract import Contract
from pixelproof.errors import ArtifactError, CallError, ModelFailed
from pixelproof.measure.complexity import Layer, complexity
from pixelproof.measure.formats import Kind
from pixelproof.report import Complexity, LayerCost
from pixelproof.validate.session import ModelSession

LAYERS_KEPT = 200
USUAL_SIZE = (256, 256)
USUAL_CONVENTION: Literal["ntire2022"] = "ntire2022"


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
        layers=_kept(found.layers),
    )


def rules_to_look_by(track: Track) -> ComplexityRules:
    """The track's rules; where it counts no complexity, the usual convention at the size that it weighs or times."""
    if track.complexity is not None:
        return track.complexity
    weighed = track.limits.peak_memory or track.runtime
    height, width = USUAL_SIZE if weighed is None else (weighed.height, weighed.width)
    height, width = track.contract.fixed_size or (height, width)
    return ComplexityRules(convention=USUAL_CONVENTION, height=height, width=width)


def _kept(layers: Sequence[Layer]) -> tuple[LayerCost, ...]:
    """Those with FLOPs; the most expensive where a file has very many."""
    costly = [layer for layer in layers if layer.flops]
    least = sorted((layer.flops for layer in costly), reverse=True)[LAYERS_KEPT - 1 : LAYERS_KEPT]
    kept = [layer for layer in costly if not least or layer.flops >= least[0]][:LAYERS_KEPT]
    return tuple(
        LayerCost(name=layer.name, op=layer.op, params=layer.params, flops=layer.flops, share=layer.share)
        for layer in kept
    )
