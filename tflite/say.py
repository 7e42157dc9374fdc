"""A conversion in words, and as the JSON that ``pb2tflite`` writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pixelproof.files import MIB
from pixelproof.measure.parity import ParityRow
from pixelproof.tflite.quality import Quality
from pixelproof.tflite.result import Converted

FLOAT_BYTES = 4
SMALLER = 0.9

_SOURCES = {
    "images": "of --images",
    "calibration, held out": "of --calibration that it was not calibrated with",
    "calibration": "of --calibration",
    "generated": "made on the spot (name real ones with --images)",
}


def document(done: Converted, *, source: Path) -> dict[str, Any]:
    """What ``--json`` writes."""
    quality = None if done.quality is None else {"passed": done.quality.passed, **vars(done.quality)}
    return {
        "artifact": str(done.path),
        "source": str(source),
        "input": done.input_name,
        "output": done.output_name,
        "passed": done.passed,
        "rows": done.rows,
        "shape": _file_shape(done),
        "quantize": done.quantization.kind,
        "io": done.quantization.io,
        "calibration_images": done.calibration_images,
        "float_operations": done.float_operations,
        "quality": quality,
        "weights": done.weights,
        "size_bytes": done.size_bytes,
        "convert_s": round(done.convert_s, 3),
        "prove_s": round(done.prove_s, 3),
    }


def lines(done: Converted) -> Iterator[str]:
    """The proof, for people."""
    for row in done.rows:
        yield f"  {_row(row, quantised=done.quantization.kind != 'none')}"
    if done.quality is not None:
        yield from _quality(done, done.quality)
    weights = done.weights
    if (
        done.quantization.kind == "dynamic"
        and weights.constant_bytes > SMALLER * FLOAT_BYTES * weights.parameters
    ):
        yield "  Hardly a weight is smaller: dynamic leaves tensors of less than 1,024 numbers in float"
    if done.float_operations:
        listed = ", ".join(f"{name} ({count})" for name, count in done.float_operations.items())
        yield f"  Stay in float, because TFLite computes them so: {listed}"
    bits = f"{done.size_bytes / MIB:.2f} MiB, {weights.parameters:,} weights"
    ends = f"{done.input_name} -> {done.output_name}"
    shape = ",".join("any" if n is None else str(n) for n in _file_shape(done))
    kind = "" if done.quantization.kind == "none" else f", {done.quantization.kind}"
    io = "" if done.quantization.io == "float32" else f" with {done.quantization.io} ends"
    yield f"Written: {done.path} ({ends}, input {shape}{kind}{io}, {bits})"


def _row(row: ParityRow, *, quantised: bool) -> str:
    return (
        f"{row.height}x{row.width}{', in float' if quantised else ''}: largest difference "
        f"{row.difference.max_abs:.1e} ({row.difference.max_levels:.4f} of a level)"
    )


def _quality(done: Converted, quality: Quality) -> Iterator[str]:
    calibrated = f" calibrated on {_images(done.calibration_images)}," if done.calibration_images else ""
    yield (
        f"  {done.quantization.kind},{calibrated} beside float on {_images(len(quality.images))} of "
        f"{quality.height}x{quality.width} {_SOURCES[quality.images_from]}:"
    )
    yield (
        f"    {quality.psnr_db:.2f} dB, largest difference {quality.max_levels:.1f} levels, "
        f"mean {quality.mean_levels:.2f}"
    )
    basis = (
        f"measured on targets, where float has {quality.reference_psnr_db:.2f} dB"
        if quality.psnr_loss_basis == "targets"
        else f"{quality.psnr_loss_basis}, not measured (--targets does)"
    )
    yield f"    loss of PSNR {quality.psnr_loss_db:.3f} dB, {basis}; at most {quality.max_psnr_loss_db:g}"


def _file_shape(done: Converted) -> tuple[int | None, ...]:
    return (1, None, None, done.shape[3]) if done.variable else done.shape


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count:,} images"
