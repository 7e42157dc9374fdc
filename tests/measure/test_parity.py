"""What counts as the same picture: tolerances, probes, and the verdict on one pair of outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pixelproof.contract import Contract
from pixelproof.errors import ModelFailed, ParityBroken, WorkerStopped
from pixelproof.measure.parity import (
    probe_image,
    probe_sizes,
    require,
    row_for,
    run_artifact,
    size_ladder,
    tolerance_for,
)
from pixelproof.measure.protocol import Array
from pixelproof.measure.worker import Worker


def test_the_large_tolerance_needs_a_large_picture_and_global_statistics() -> None:
    assert tolerance_for(720, 1280, global_statistics=True) == 1e-3
    assert tolerance_for(720, 1280, global_statistics=False) == 1e-4
    assert tolerance_for(500, 500, global_statistics=True) == 1e-4
    assert tolerance_for(500, 501, global_statistics=True) == 1e-3


@pytest.mark.parametrize(("minimum", "multiple"), [(1, 1), (15, 1), (64, 1), (1, 2), (16, 16), (100, 32)])
def test_probe_sizes_keep_to_the_contract(minimum: int, multiple: int) -> None:
    contract = Contract(minimum_size=minimum, size_multiple=multiple)
    (height, width), (tall, narrow) = probe_sizes(contract)
    assert height < width and tall > narrow
    assert contract.allows(height, width) and contract.allows(tall, narrow)
    if multiple == 1 and minimum == 1:
        assert height % 2 == tall % 2 == narrow % 2 == 1


def test_the_ladder_goes_from_odd_sizes_to_multiples_of_64() -> None:
    ladder = size_ladder()
    assert ladder[0] == probe_sizes(Contract())
    for multiple, rung in zip((1, 2, 4, 8, 16, 32, 64), ladder, strict=True):
        assert all(side % multiple == 0 for size in rung for side in size)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_probe_has_no_symmetry_and_is_the_same_everywhere(channels: int) -> None:
    image = probe_image(37, 54, channels)
    assert image.shape == (1, 37, 54, channels) and image.dtype == np.float32
    assert 0 <= image.min() < 0.05 and 0.7 < image.max() <= 1
    np.testing.assert_array_equal(image, probe_image(37, 54, channels))
    for mirrored in (image[:, ::-1], image[:, :, ::-1]):
        assert np.abs(image - mirrored).mean() > 0.05
    for other in range(1, channels):
        assert np.abs(image[..., 0] - image[..., other]).mean() > 0.02
    assert np.abs(image - probe_image(37, 54, channels, seed=1)).mean() > 0.05


def _row(source: Array, output: Array, **options: object):  # type: ignore[no-untyped-def]
    shape = source.shape[1:3]
    usual = {"artifact": "m.pb", "kind": "pb", "shape": shape, "global_statistics": False}
    return row_for(source=source, output=output, **{**usual, **options})  # type: ignore[arg-type]


def test_a_row_states_the_difference_in_every_unit() -> None:
    source = np.full((1, 10, 10, 3), 0.5, np.float32)
    output = source.copy()
    output[0, 0, :5] += 2 / 255
    row = _row(source, output)
    assert not row.passed and row.tolerance == 1e-4
    assert row.difference.max_levels == pytest.approx(2, abs=1e-4)
    assert row.difference.mean_abs == pytest.approx(2 / 255 / 20, rel=1e-4)
    assert row.difference.share_changed == 0.05
    with pytest.raises(
        ParityBroken, match=r"within 0\.0001; found 0\.00784 \(2 of a level\) in m\.pb at 10x10, 5\.00%"
    ):
        require([_row(source, source), row])
    require([_row(source, source), _row(source, source + np.float32(9e-5))])
    assert _row(source, output, tolerance=0.01).passed
    assert not _row(source, source + np.float32(2e-4)).passed


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["artifact", "source", "both"])
def test_what_is_not_finite_never_passes(value: float, where: str) -> None:
    good = np.zeros((1, 4, 4, 3), np.float32)
    bad = good.copy()
    bad[0, 1, 1, 1] = value
    row = _row(bad if where != "artifact" else good, bad if where != "source" else good, tolerance=1e9)
    assert not row.passed
    in_artifact, in_source = int(where != "source"), int(where != "artifact")
    with pytest.raises(
        ParityBroken, match=f"finite; found {in_artifact} NaN.*m.pb at 4x4, {in_source} in its source"
    ):
        require([row])


def test_float64_is_asked_where_the_tolerance_is_large_or_broken() -> None:
    source = np.full((1, 500, 501, 1), 0.5, np.float32)
    output = source + np.float32(3e-4)
    exact = (source + np.float32(1e-4)).astype(np.float64)
    asked = []

    def float64() -> Array:
        asked.append(1)
        return exact

    row = _row(source, output, global_statistics=True, float64=float64)
    assert row.passed and row.tolerance == 1e-3
    assert row.source_to_float64 == pytest.approx(1e-4, rel=1e-3)
    assert row.artifact_to_float64 == pytest.approx(2e-4, rel=1e-3)
    assert not _row(source, output, float64=float64).passed  # no global statistics: 1e-4
    assert len(asked) == 2
    small = _row(source, source, float64=float64)
    assert small.passed and small.source_to_float64 is None
    assert len(asked) == 2


@pytest.mark.parametrize("error", [ModelFailed("no float64"), WorkerStopped("too slow", reason="timed_out")])
def test_a_graph_without_float64_is_compared_all_the_same(error: Exception) -> None:
    def float64() -> Array:
        raise error

    image = np.full((1, 500, 501, 1), 0.5, np.float32)
    row = _row(image, image, global_statistics=True, float64=float64)
    assert row.passed and row.source_to_float64 is None


def test_an_artifact_is_run_in_a_process_of_its_own(blur: Path) -> None:
    images = [probe_image(9, 14, 3), probe_image(30, 21, 3)]
    worker = Worker()
    outputs = run_artifact(blur, "pb", images, worker=worker)
    assert [y.shape for y in outputs] == [x.shape for x in images]
    with pytest.raises(ValueError, match="closed file"):
        worker.run(images[0])  # it is used once
