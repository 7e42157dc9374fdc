"""What the rewrites did, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pixelproof.schema import to_jsonable

if TYPE_CHECKING:
    from pixelproof.convert.optimize.optimizer import Optimized


def gain_line(result: Optimized) -> str:
    """The gain of the whole, or that there is none."""
    ratio = result.ratio
    if ratio is None:
        return "Nothing is measured to gain."
    interval = f"{ratio.value:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"
    if not result.gains:
        return f"Nothing gains in the last run: {interval} times as fast."
    return (
        f"{interval} times as fast, {result.original_ms:.1f} to {result.optimized_ms:.1f} ms; "
        f"largest difference {result.max_abs:.1e}, peak memory {result.memory_ratio:.3f} of before"
    )


def document_of(result: Optimized) -> dict[str, Any]:
    """What the rewrites did, as JSON."""
    return {
        "gains": result.gains,
        "ratio": to_jsonable(result.ratio),
        "original_ms": result.original_ms,
        "optimized_ms": result.optimized_ms,
        "max_abs": result.max_abs,
        "memory_ratio": result.memory_ratio,
        "proven_at": [list(shape[1:3]) for shape in result.shapes],
        "rewrites": to_jsonable(result.trials),
    }
