"""The pipeline over pairs: order, batches, sizes, and figures that equal one-by-one measuring."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.challenge import Fidelity, MsSsim, Psnr, load_challenge
from pixelproof.errors import ImageError, ModelFailed
from pixelproof.measure import metrics
from pixelproof.validate import batching
from pixelproof.validate.batching import usable_batch
from pixelproof.validate.fidelity import BatchMixed, Measurement, measure_fidelity
from pixelproof.validate.figures import figures_of, merge_ranges, range_of
from pixelproof.validate.pairs import Pair
from pixelproof.validate.read_ahead import Decoded, ReadAhead

Array = np.ndarray[Any, np.dtype[Any]]
TRACK_B = load_challenge("pirm2018").track("B")
assert TRACK_B.fidelity is not None
RULES = TRACK_B.fidelity


def decoded(sizes: Sequence[tuple[int, int]], *, seed: int = 0) -> list[Decoded]:
    rng = np.random.default_rng(seed)
    made = []
    for number, size in enumerate(sizes):
        target = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        noisy = np.clip(target.astype(int) + rng.integers(-20, 21, target.shape), 0, 255).astype(np.uint8)
        made.append(Decoded(Pair(f"{number}.png", Path(f"{number}.png"), Path("in")), noisy, target))
    return made


def measured(
    pairs: Sequence[Decoded], run: Callable[[Array], Array], *, batch: int = 1, rules: Fidelity = RULES
) -> Measurement:
    return measure_fidelity(
        run,
        iter(pairs),
        rules,
        batch=batch,
        available=len(pairs),
        warn_range=(0.0, 1.0),
        advance=lambda done, note: None,
    )


class Model:
    """x -> 1.05 x - 0.02; keeps the shapes that it was given."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, x: Array) -> Array:
        assert x.dtype == np.float32
        self.shapes.append(x.shape)
        return x * np.float32(1.05) - np.float32(0.02)


def test_figures_are_the_tracks_formulas_on_each_image() -> None:
    pairs = decoded([(31, 40)] * 5)
    fidelity = measured(pairs, Model(), batch=4).fidelity
    for pair, image in zip(pairs, fidelity.per_image, strict=True):
        output = (pair.input / np.float32(255)).astype(np.float32) * np.float32(1.05) - np.float32(0.02)
        exact = pair.target / 255
        assert image.psnr_db == pytest.approx(metrics.psnr_db(np.clip(output, 0, 1), exact), abs=1e-9)
        assert image.ms_ssim == pytest.approx(metrics.ms_ssim_scipy_fft(output * 255, exact * 255), abs=1e-12)
    assert fidelity.psnr_db == pytest.approx(np.mean([i.psnr_db for i in fidelity.per_image]))
    assert fidelity.ms_ssim == pytest.approx(np.mean([i.ms_ssim for i in fidelity.per_image]))


@pytest.mark.parametrize("batch", [2, 3, 8])
def test_batches_give_what_single_images_give_in_the_order_of_the_pairs(batch: int) -> None:
    pairs = decoded([(24, 32), (24, 32), (40, 30), (24, 32), (24, 32), (40, 30), (33, 21), (24, 32)])
    single = measured(pairs, Model()).fidelity
    together = measured(pairs, Model(), batch=batch).fidelity
    assert [i.name for i in together.per_image] == [p.pair.name for p in pairs]
    for one, both in zip(single.per_image, together.per_image, strict=True):
        assert one.name == both.name
        assert one.psnr_db == pytest.approx(both.psnr_db, abs=1e-9)
        assert one.ms_ssim == pytest.approx(both.ms_ssim, abs=1e-9)
    assert (single.batch, together.batch) == (1, batch)


def test_only_images_of_one_size_share_a_batch() -> None:
    model = Model()
    measured(decoded([(24, 32), (40, 30)] * 4 + [(33, 21)]), model, batch=3)
    alone_once_more = model.shapes.pop(1)
    assert alone_once_more == (1, 24, 32, 3)
    assert sorted(model.shapes) == [
        (1, 24, 32, 3),
        (1, 33, 21, 3),
        (1, 40, 30, 3),
        (3, 24, 32, 3),
        (3, 40, 30, 3),
    ]


def test_many_sizes_do_not_pile_up_in_memory() -> None:
    taken = 0

    def counted() -> Any:
        nonlocal taken
        for item in decoded([(20 + n, 24) for n in range(30)]):
            taken += 1
            yield item

    seen: list[int] = []

    def run(x: Array) -> Array:
        seen.append(taken)
        return x

    measure_fidelity(
        run, counted(), RULES, batch=16, available=30, warn_range=(0, 1), advance=lambda done, note: None
    )
    assert seen[0] < 10
    assert len(seen) == 30


def test_large_images_go_alone() -> None:
    model = Model()
    measured(decoded([(300, 300)] * 3), model, batch=16, rules=Fidelity(targets="t", psnr=Psnr()))
    assert model.shapes == [(1, 300, 300, 3)] * 3


def test_a_batch_that_changes_an_image_is_noticed() -> None:
    def mixing(x: Array) -> Array:
        return x + np.float32(0.001) * (len(x) > 1)

    with pytest.raises(BatchMixed):
        measured(decoded([(24, 32)] * 20), mixing, batch=16)


def test_progress_counts_every_image() -> None:
    steps: list[int] = []
    pairs = decoded([(24, 32)] * 7)
    measure_fidelity(
        Model(),
        pairs,
        RULES,
        batch=4,
        available=9,
        warn_range=(0, 1),
        advance=lambda n, note: steps.append(n),
    )
    assert steps == [4, 3]


def test_the_range_of_all_outputs_is_kept() -> None:
    values = measured(decoded([(24, 32)] * 7), Model(), batch=4).values
    assert values.source == "7 images of the track"
    assert values.minimum == pytest.approx(-0.02)
    assert values.maximum == pytest.approx(1.03)
    assert 0.01 < values.share_outside < 0.2
    assert values.non_finite == 0


def test_one_nan_leaves_the_other_images_alone() -> None:
    def run(x: Array) -> Array:
        y = x.copy()
        y[0, 3, 4, 1] = math.nan
        return y

    pairs = decoded([(24, 32)] * 6)
    plain = measured(pairs, np.copy, batch=6).fidelity
    found = measured(pairs, run, batch=6)
    assert math.isnan(found.fidelity.per_image[0].psnr_db)
    assert math.isnan(found.fidelity.per_image[0].ms_ssim or 0.0)
    assert math.isnan(found.fidelity.psnr_db)
    for image, other in zip(found.fidelity.per_image[1:], plain.per_image[1:], strict=True):
        assert (image.name, image.psnr_db) == (other.name, other.psnr_db)
        assert image.ms_ssim == pytest.approx(other.ms_ssim, abs=1e-9)
    assert found.values.non_finite == 1


def test_an_output_of_another_size_names_the_image() -> None:
    with pytest.raises(ModelFailed) as failed:
        measured(decoded([(24, 32)] * 5), lambda x: x[:, :-1], batch=4)
    assert str(failed.value) == (
        "An output must have the size of its target; found 23x32x3 instead of 24x32x3 for 0.png."
    )


def test_a_models_error_ends_the_measuring() -> None:
    def run(x: Array) -> Array:
        raise ModelFailed("The runtime must be able to run the model", found="enough")

    with pytest.raises(ModelFailed, match="enough"):
        measured(decoded([(24, 32)] * 5), run)


def test_an_image_too_small_for_the_variant_is_an_image_error() -> None:
    rules = Fidelity(targets="t", psnr=Psnr(), ms_ssim=MsSsim(variant="tf"))
    with pytest.raises(ImageError, match="161x161"):
        measured(decoded([(100, 200)]), Model(), rules=rules)


@pytest.mark.parametrize(
    ("psnr", "expected"),
    [
        (Psnr(), lambda y, t: metrics.psnr_db(np.clip(y, 0, 1), t)),
        (Psnr(clip=False), metrics.psnr_db),
        (
            Psnr(round_to_8_bit=True),
            lambda y, t: metrics.psnr_db(np.rint(np.clip(y, 0, 1) * 255.0).astype(np.uint8) / 255, t),
        ),
        (Psnr(crop_border=5), lambda y, t: metrics.psnr_db(np.clip(y, 0, 1)[5:-5, 5:-5], t[5:-5, 5:-5])),
    ],
)
def test_every_variant_of_psnr(psnr: Psnr, expected: Callable[[Array, Array], float]) -> None:
    pair = decoded([(40, 30)])[0]
    y = (pair.input / 255 * 1.1 - 0.05).astype(np.float32)
    ((found, ssim),) = figures_of(y[None], pair.target[None], Fidelity(targets="t", psnr=psnr))
    assert found == pytest.approx(expected(y, pair.target / 255), abs=1e-9)
    assert ssim is None


@pytest.mark.parametrize(("crop", "clip"), [(0, False), (16, True)])
@pytest.mark.parametrize("variant", ["tf", "scipy-fft"])
def test_every_variant_of_ms_ssim(variant: Any, crop: int, clip: bool) -> None:
    pair = decoded([(200, 210)])[0]
    y = (pair.input / 255 * 1.1 - 0.05).astype(np.float32)
    rules = Fidelity(targets="t", psnr=Psnr(), ms_ssim=MsSsim(variant=variant, crop_border=crop, clip=clip))
    kept = slice(crop, -crop or None)
    a = (np.clip(y, 0, 1) if clip else y)[kept, kept]
    b = (pair.target / 255)[kept, kept]
    wanted = metrics.ms_ssim_tf(a, b) if variant == "tf" else metrics.ms_ssim_scipy_fft(a * 255, b * 255)
    ((_, found),) = figures_of(y[None], pair.target[None], rules)
    assert found == pytest.approx(wanted, abs=1e-9)


def test_ranges_are_weighted_by_their_number_of_values() -> None:
    half = range_of("half", np.array([0.0, 2.0]), (0, 1))
    none = range_of("none", np.array([0.5] * 6), (0, 1))
    empty = range_of("nan", np.full(2, math.nan), (0, 1))
    assert (half.share_outside, half.minimum, half.maximum) == (0.5, 0.0, 2.0)
    assert (empty.non_finite, math.isnan(empty.minimum)) == (2, True)
    merged = merge_ranges("all", [(2, half), (6, none), (2, empty)])
    assert merged.share_outside == pytest.approx(0.1)
    assert (merged.minimum, merged.maximum, merged.non_finite) == (0.0, 2.0, 2)
    assert math.isnan(merge_ranges("only", [(2, empty)]).minimum)


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> list[Pair]:
    """Pairs whose images are made when they are read."""
    sizes = [(24, 32)] * 40
    made = decoded(sizes)
    by_name = {item.pair.name: item for item in made}
    monkeypatch.setattr(
        batching,
        "read_pair",
        lambda pair, rules, scale: (by_name[pair.name].input, by_name[pair.name].target),
    )
    return [item.pair for item in made]


def test_a_batch_is_used_where_it_changes_nothing(reading: list[Pair]) -> None:
    assert usable_batch(Model(), "pb", reading, RULES, scale=1) == batching.BATCH > 1


def test_no_batch_for_other_formats_or_few_images(reading: list[Pair]) -> None:
    model = Model()
    assert usable_batch(model, "tflite", reading, RULES, scale=1) == 1
    assert usable_batch(model, "pb", reading[: 2 * batching.BATCH - 1], RULES, scale=1) == 1
    assert model.shapes == []


def test_no_batch_where_it_is_refused_or_mixed(reading: list[Pair]) -> None:
    def refusing(x: Array) -> Array:
        if len(x) > 1:
            raise ModelFailed("The runtime must be able to run the model", found="batch")
        return x

    def mixing(x: Array) -> Array:
        mixed: Array = x - x.mean(axis=0)
        return mixed

    assert usable_batch(refusing, "pb", reading, RULES, scale=1) == 1
    assert usable_batch(mixing, "pb", reading, RULES, scale=1) == 1
    assert usable_batch(lambda x: x[:1], "pb", reading, RULES, scale=1) == 1
    assert usable_batch(lambda x: x + np.float32(1e-3) * len(x), "pb", reading, RULES, scale=1) == 1


def test_a_model_that_runs_no_image_says_so(reading: list[Pair]) -> None:
    def failing(x: Array) -> Array:
        raise ModelFailed("The runtime must be able to run the model", found="no")

    with pytest.raises(ModelFailed):
        usable_batch(failing, "pb", reading, RULES, scale=1)


def test_read_ahead_keeps_the_order_and_the_budget() -> None:
    items = decoded([(10, 10)] * 30)
    by_name = {item.pair.name: item for item in items}
    read: list[str] = []

    def one(pair: Pair) -> tuple[Array, Array]:
        read.append(pair.name)
        return by_name[pair.name].input, by_name[pair.name].target

    with ReadAhead([item.pair for item in items], one, ahead_bytes=4 * 600) as ahead:
        for number, item in enumerate(ahead):
            assert item.pair.name == f"{number}.png"
            assert len(read) <= number + 6
    assert len(read) == 30


def test_read_ahead_raises_where_the_images_turn_comes() -> None:
    items = decoded([(10, 10)] * 5)

    def one(pair: Pair) -> tuple[Array, Array]:
        if pair.name == "3.png":
            raise ImageError("An image must be readable", found=pair.name)
        return items[0].input, items[0].target

    seen = []
    with ReadAhead([item.pair for item in items], one) as ahead, pytest.raises(ImageError, match=r"3\.png"):
        for item in ahead:
            seen.append(item.pair.name)
    assert seen == ["0.png", "1.png", "2.png"]


def test_read_ahead_ends_when_it_is_left_early() -> None:
    items = decoded([(10, 10)] * 50)
    read: list[str] = []

    def one(pair: Pair) -> tuple[Array, Array]:
        read.append(pair.name)
        return items[0].input, items[0].target

    with ReadAhead([item.pair for item in items], one, ahead_bytes=600) as ahead:
        next(iter(ahead))
    assert len(read) < 50
