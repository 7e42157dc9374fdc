"""The quantised file beside the float one that has just been proven."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from pixelproof.errors import ModelFailed
from pixelproof.measure.worker import Worker
from pixelproof.tflite.material import Chosen, Material, settled
from pixelproof.tflite.operators import float_operations
from pixelproof.tflite.proof import GraphSource
from pixelproof.tflite.quality import Advance, Quality, measure_quality, samples
from pixelproof.tflite.quantize import Image, Quantization, Stream
from pixelproof.tflite.result import Converted

Stage = Callable[[str, int], Advance]


def quantised(
    done: Converted,
    source: GraphSource,
    made: Path,
    *,
    chosen: Chosen,
    material: Material,
    multiple: int,
    stage: Stage | None,
) -> Converted:
    """Quantise, and measure what it costs on images.

    Args:
        done: of the float file, which lies in ``made``; the quantised one takes its place there.
        multiple: sides of which the graph takes multiples, where the file is of any size.

    Raises:
        ImageError: an image is unreadable, of another kind, or smaller than the file's size.
        ModelFailed: TFLite can't run the file.
        ParityBroken: the file lost weights, or gives NaN.
        EnvironmentFault: the converter fails.
    """
    quantization, stage = done.quantization, stage or _silent
    from_files = bool(chosen.calibration or chosen.quality)
    size = None if done.variable and from_files else (done.shape[1], done.shape[2])
    chosen = settled(chosen, size, multiple=multiple)
    started = time.monotonic()
    shape = (1, None, None, done.shape[3]) if done.variable else done.shape
    file = source.convert(shape, quantization, _calibration(chosen, quantization, stage))
    plain = made.with_name(f"{made.name}.float")
    made.rename(plain)
    made.write_bytes(file.data)
    convert_s = time.monotonic() - started
    quality = _measured(plain, made, chosen, material, quantization, stage)
    return replace(
        done,
        weights=file.weights,
        size_bytes=len(file.data),
        quality=quality,
        calibration_images=len(chosen.calibration),
        float_operations=float_operations(file.data) if quantization.calibrated else {},
        convert_s=done.convert_s + convert_s,
    )


def _silent(name: str, total: int) -> Advance:
    return lambda steps, note: None


def _calibration(chosen: Chosen, quantization: Quantization, stage: Stage) -> Stream | None:
    if not quantization.calibrated:
        return None
    advance = stage("calibrate", quantization.passes * len(chosen.calibration))

    def stream() -> Iterator[Image]:
        for image in chosen.stream():
            yield image
            advance(1, "")

    return stream


def _measured(
    plain: Path,
    made: Path,
    chosen: Chosen,
    material: Material,
    quantization: Quantization,
    stage: Stage,
) -> Quality:
    count = len(chosen.quality) or material.quality_images
    with Worker() as first, Worker() as second:
        first.prepare("tflite")
        second.prepare("tflite")
        first.load(plain, "tflite")
        second.load(made, "tflite")

        def run(image: Image) -> Image:
            try:
                return second.run(image)
            except ModelFailed as error:
                rule = "TFLite must be able to run the quantised file"
                remedy = _without_kernels(quantization)
                raise ModelFailed(rule, found=error.found or error.rule, remedy=remedy) from error

        return measure_quality(
            samples(chosen, count=count),
            plain=first.run,
            quantised=run,
            chosen=chosen,
            material=material,
            label=made.name,
            advance=stage("compare", count),
        )


def _without_kernels(quantization: Quantization) -> str:
    others = {"int16x8": "int8, dynamic or fp16", "int8": "dynamic or fp16"}.get(quantization.kind, "")
    return f"An operation has no such kernel: use --quantize {others}." if others else quantization.way_out
