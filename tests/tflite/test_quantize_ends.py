"""Files with integer ends run like any other; what they declare stays what they are. And the arithmetic of a loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.errors import ModelFailed, ParityBroken
from pixelproof.measure.graph_def import read_graph
from pixelproof.measure.parity import probe_image
from pixelproof.measure.runners import as_real, as_stored
from pixelproof.measure.worker import Worker
from pixelproof.tflite.converter import make_tflite
from pixelproof.tflite.inputs import RawOptions
from pixelproof.tflite.material import Chosen, Material
from pixelproof.tflite.quality import Sample, expected_loss_db, measure_quality
from pixelproof.tflite.quantize import EndType, Quantization, QuantizeKind

SIZE = (24, 36)


@pytest.fixture(scope="module")
def made(
    tf: Any, save_graph: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """``made(kind, io, size)``: a quantised file, calibrated on generated images."""
    folder = tmp_path_factory.mktemp("ends")
    kernel = np.asarray(np.random.default_rng(2).normal(0, 0.15, (3, 3, 4, 3)), np.float32)
    path = save_graph(
        folder / "m.pb", lambda x: tf.nn.relu6(tf.nn.conv2d(x, kernel, 1, "SAME")), (1, None, None, 4)
    )
    graph = read_graph(str(path))

    def make(kind: QuantizeKind, io: EndType, *, variable: bool = False) -> Path:
        path = folder / f"{kind}.{io}.{variable}.tflite"
        if not path.exists():
            file = make_tflite(
                graph,
                input_name="x_in:0",
                output_name="y_out:0",
                shape=(1, None, None, 4) if variable else (1, *SIZE, 4),
                quantization=Quantization(kind, io),
                calibration=lambda: (probe_image(*SIZE, 4, seed=seed) for seed in range(4)),
            )
            path.write_bytes(file.data)
        return path

    return make


@pytest.mark.parametrize(
    ("kind", "io", "levels"), [("int8", "uint8", 256), ("int8", "int8", 256), ("int16x8", "int16", 65536)]
)
@pytest.mark.parametrize("variable", [False, True])
def test_integer_ends_are_bridged(
    made: Callable[..., Path], kind: Any, io: Any, levels: int, variable: bool
) -> None:
    x = probe_image(*SIZE, 4, seed=9)
    with Worker() as worker:
        worker.load(made(kind, "float32", variable=variable), "tflite")
        expected = worker.run(x)
        loaded = worker.load(made(kind, io, variable=variable), "tflite")
        output = worker.run(x)
        assert [t.dtype for t in (*loaded.interface.inputs, *loaded.interface.outputs)] == [io, io]
        assert output.dtype == np.float32 and output.shape == (1, *SIZE, 3)
        step = (expected.max() - expected.min()) / levels
        assert np.abs(output - expected).max() < 4 * step + 1e-6
        worker.put(0, x)
        assert worker.timed(0)[1] == output.shape
        for wrong in (x.astype(np.float64), x.astype(np.int32)):
            with pytest.raises(ModelFailed, match="The input must be"):
                worker.run(wrong)
        np.testing.assert_array_equal(worker.run(x), output)


def test_what_is_compared_with_a_graph_may_have_integer_ends(
    call: Callable[..., Any], made: Callable[..., Path]
) -> None:
    file = made("int8", "uint8")
    graph = str(file.with_name("m.pb"))
    answer = call("compare", graph, str(file))
    assert answer.code == 1 and "They compute different pictures" in answer.out
    assert call("compare", graph, str(file), "--tolerance", "0.3").code == 0


def test_the_bridge_rounds_and_limits() -> None:
    detail = {"dtype": np.uint8, "quantization": (0.5, 10)}
    x = np.array([-99, -5, 0, 0.2, 0.3, 1, 99, np.inf, -np.inf, np.nan, 122.5, 123], np.float32)
    stored = as_stored(x, detail)
    assert stored.dtype == np.uint8
    assert stored.tolist() == [0, 0, 10, 10, 11, 12, 208, 255, 0, 10, 255, 255]
    assert as_real(stored, detail)[:6].tolist() == [-5, -5, 0, 0, 0.5, 1]
    assert as_stored(stored, detail) is stored
    unscaled = {"dtype": np.int32, "quantization": (0.0, 0)}
    assert as_real(np.array([3]), unscaled).dtype.kind == "i"
    with pytest.raises(ModelFailed, match="The input must be float32; found int32"):
        as_stored(x, unscaled)
    edge = {"dtype": np.int16, "quantization": (1 / 32768, 0)}
    assert as_stored(np.array([-1, 1], np.float32), edge).tolist() == [-32768, 32767]


def test_two_errors_that_have_nothing_to_do_with_each_other_add() -> None:
    rng = np.random.default_rng(0)
    own, added = rng.normal(0, 10 ** (-30 / 20), 10**6), rng.normal(0, 10 ** (-38 / 20), 10**6)
    loss = 10 * math.log10(np.mean((own + added) ** 2) / np.mean(own**2))
    assert expected_loss_db(38, reference_psnr_db=30) == pytest.approx(loss, abs=0.01)
    assert expected_loss_db(30, reference_psnr_db=30) == pytest.approx(3.0103, abs=1e-4)
    assert expected_loss_db(math.inf, reference_psnr_db=30) == 0
    assert expected_loss_db(0, reference_psnr_db=30) == pytest.approx(30, abs=0.01)


def quality_of(plain: Any, quantised: Any, *, target: Any = None) -> Any:
    image = np.zeros((1, 4, 6, 3), np.float32)
    chosen = Chosen((), (), (Path("t"),) if target is not None else (), "images", 3, RawOptions(), (4, 6))
    sample = Sample("0.png", image, None if target is None else lambda shape: target)
    return measure_quality(
        [sample],
        plain=lambda x: plain,
        quantised=lambda x: quantised,
        chosen=chosen,
        material=Material(),
        label="m.tflite",
        advance=lambda steps, note: None,
    )


def test_not_a_number_is_looked_for_first() -> None:
    fine = np.full((1, 4, 6, 3), 0.5, np.float32)
    broken = fine.copy()
    broken[0, 0, 0, :2] = np.nan, np.inf
    with pytest.raises(ParityBroken, match=r"finite; found 2 NaN or infinite values of m\.tflite on 0\.png"):
        quality_of(fine, broken)
    with pytest.raises(ParityBroken, match="of the float file"):
        quality_of(broken, fine)


def test_figures_are_of_what_a_challenge_sees() -> None:
    fine = np.full((1, 4, 6, 3), 0.5, np.float32)
    high = np.full((1, 4, 6, 3), 1.5, np.float32)
    same = quality_of(high, high + 1)
    assert (same.psnr_db, same.max_levels, same.psnr_loss_db, same.passed) == (math.inf, 0, 0, True)
    apart = quality_of(fine, fine + 0.1)
    assert apart.psnr_db == pytest.approx(20, abs=1e-3)
    assert apart.max_levels == apart.mean_levels == pytest.approx(25.5, abs=1e-3)
    assert not apart.passed
    better = quality_of(fine + 0.1, fine + 0.01, target=fine[0])
    assert better.psnr_loss_db == pytest.approx(-20, abs=1e-3) and better.passed
    exact = quality_of(fine, fine + 0.01, target=fine[0])
    assert exact.psnr_loss_db == math.inf and not exact.passed
    assert quality_of(fine, fine, target=fine[0]).psnr_loss_db == 0
