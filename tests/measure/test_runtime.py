"""The ratio of two runtimes: its interval holds the truth, and timing stops when it is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import t as student
from scipy.stats import trim_mean
from scipy.stats.mstats import winsorize

from pixelproof.errors import CallError
from pixelproof.measure.runtime import MIN_PAIRS, Ratio, interleaved, paired_ratio

TRUE_RATIO = 1.7


class Clock:
    """Two models whose calls take known times with noise; keeps the order of the calls."""

    def __init__(self, *, noise: float, outliers: float = 0.0, drift: float = 0.0, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.noise, self.outliers, self.drift = noise, outliers, drift
        self.calls: list[tuple[str, int]] = []

    def model(self, name: str, base_ms: float) -> Callable[[int], float]:
        def call(image: int) -> float:
            self.calls.append((name, image))
            slower = math.exp(self.drift * len(self.calls) + self.rng.normal(0, self.noise))
            disturbed = 1 + self.rng.uniform(0.2, 3) if self.rng.uniform() < self.outliers else 1.0
            return base_ms * slower * disturbed

        return call


def simulated(clock: Clock, pairs: int) -> tuple[list[float], list[float]]:
    first, second = clock.model("a", 100.0), clock.model("b", 100.0 * TRUE_RATIO)
    return [first(0) for _ in range(pairs)], [second(0) for _ in range(pairs)]


def coverage(clock: Clock, *, pairs: int, rounds: int = 600) -> float:
    held = 0
    for _ in range(rounds):
        ratio = paired_ratio(*simulated(clock, pairs))
        held += ratio.low <= TRUE_RATIO <= ratio.high
    return held / rounds


@pytest.mark.parametrize("pairs", [10, 25, 60])
@pytest.mark.parametrize(("noise", "outliers"), [(0.01, 0.0), (0.03, 0.0), (0.02, 0.05), (0.02, 0.12)])
def test_the_interval_holds_the_true_ratio_95_times_in_100(pairs: int, noise: float, outliers: float) -> None:
    assert 0.915 <= coverage(Clock(noise=noise, outliers=outliers, seed=pairs), pairs=pairs) <= 0.99


def test_disturbed_pairs_hardly_move_the_ratio() -> None:
    first, second = simulated(Clock(noise=0.005, seed=1), 40)
    calm = paired_ratio(first, second)
    for place in (3, 11, 17, 29):
        first[place] *= 8
    disturbed = paired_ratio(first, second)
    assert disturbed.value == pytest.approx(calm.value, rel=0.003)
    mean = math.exp(float(np.mean(np.log(np.divide(second, first)))))
    assert abs(mean / calm.value - 1) > 0.1


def test_the_figures_are_those_of_scipys_trimmed_mean_and_winsorised_variance() -> None:
    first, second = simulated(Clock(noise=0.05, outliers=0.1, seed=3), 23)
    logs = np.log(np.divide(second, first))
    kept = len(logs) - 2 * int(0.2 * len(logs))
    spread = np.std(np.asarray(winsorize(logs, limits=(0.2, 0.2))), ddof=1)
    share = kept / len(logs)
    half = student.ppf(0.975, kept - 1) * spread / (share * math.sqrt(len(logs)))
    ratio = paired_ratio(first, second)
    assert math.log(ratio.value) == pytest.approx(trim_mean(logs, 0.2))
    assert math.log(ratio.high) - math.log(ratio.value) == pytest.approx(half)
    assert math.log(ratio.value) - math.log(ratio.low) == pytest.approx(half)


def test_swapping_the_models_inverts_the_ratio() -> None:
    first, second = simulated(Clock(noise=0.02, seed=4), 15)
    ratio, inverse = paired_ratio(first, second), paired_ratio(second, first)
    assert inverse.value == pytest.approx(1 / ratio.value)
    assert (inverse.low, inverse.high) == pytest.approx((1 / ratio.high, 1 / ratio.low))


@pytest.mark.parametrize(
    ("first", "second"), [([1.0], [1.0]), ([], []), ([1, 2], [1]), ([1, 0], [1, 1]), ([1, 1], [1, math.nan])]
)
def test_times_that_are_no_pairs_are_refused(first: list[float], second: list[float]) -> None:
    with pytest.raises(CallError):
        paired_ratio(first, second)


def test_narrow_means_within_one_percent() -> None:
    assert Ratio(1.0, math.exp(-0.0099), math.exp(0.0099)).is_narrow
    assert not Ratio(1.0, math.exp(-0.0101), math.exp(0.0101)).is_narrow
    assert Ratio(5.0, 5 * math.exp(-0.009), 5 * math.exp(0.009)).is_narrow


def timed(clock: Clock, **options: int) -> object:
    given = {"images": 4, "max_pairs": 60, **options}
    return interleaved(clock.model("a", 100.0), clock.model("b", 100.0 * TRUE_RATIO), **given)


def test_a_quiet_machine_needs_the_fewest_pairs() -> None:
    timing = timed(Clock(noise=0.001))
    assert timing.converged
    assert len(timing.first_ms) == len(timing.second_ms) == MIN_PAIRS == 10
    assert timing.ratio.value == pytest.approx(TRUE_RATIO, rel=0.003)
    assert timing.ratio == paired_ratio(timing.first_ms, timing.second_ms)


def test_a_noisy_machine_ends_at_the_last_pair_without_having_converged() -> None:
    timing = timed(Clock(noise=0.2), max_pairs=23)
    assert not timing.converged
    assert len(timing.first_ms) == 23


def test_it_must_stay_narrow_for_three_pairs() -> None:
    hasty = 0
    for seed in range(40):
        timing = timed(Clock(noise=0.015, seed=seed))
        prefixes = range(MIN_PAIRS, len(timing.first_ms) + 1)
        narrow = {
            n: paired_ratio(timing.first_ms[:n], timing.second_ms[:n]).is_narrow for n in (8, 9, *prefixes)
        }
        steady = [n for n in prefixes if narrow[n] and narrow[n - 1] and narrow[n - 2]]
        assert steady == ([len(timing.first_ms)] if timing.converged else [])
        hasty += any(narrow[n] for n in prefixes[:-2])
    assert hasty > 20  # so often the first narrow interval came earlier


def test_it_is_told_after_each_pair() -> None:
    told: list[tuple[int, Ratio]] = []
    clock = Clock(noise=0.3)
    timing = interleaved(
        clock.model("a", 1.0),
        clock.model("b", 2.0),
        images=1,
        max_pairs=12,
        note=lambda n, r: told.append((n, r)),
    )
    assert [n for n, _ in told] == list(range(2, 13))
    assert told[-1][1] == timing.ratio


def test_fewer_pairs_than_the_rules_ask_for_never_converge() -> None:
    timing = timed(Clock(noise=0.0001), max_pairs=6)
    assert len(timing.first_ms) == 6
    assert timing.ratio.is_narrow
    assert not timing.converged


@pytest.mark.parametrize(("images", "pairs"), [(0, 10), (1, 1), (1, 0)])
def test_timing_needs_an_image_and_two_pairs(images: int, pairs: int) -> None:
    with pytest.raises(CallError):
        timed(Clock(noise=0.01), images=images, max_pairs=pairs)


@pytest.mark.parametrize("images", [1, 2, 3, 4])
def test_each_image_sees_either_model_first_equally_often(images: int) -> None:
    clock = Clock(noise=0.3)
    timed(clock, images=images, max_pairs=images * 8)
    pairs = [clock.calls[n : n + 2] for n in range(0, len(clock.calls), 2)]
    assert all({name for name, _ in pair} == {"a", "b"} for pair in pairs)
    assert all(pair[0][1] == pair[1][1] for pair in pairs)
    assert [pair[0][1] for pair in pairs] == [n % images for n in range(images * 8)]
    for image in range(images):
        first = [pair[0][0] for pair in pairs if pair[0][1] == image]
        assert first.count("a") == first.count("b") == 4


def test_a_machine_that_grows_slower_favours_neither() -> None:
    clock = Clock(noise=0.002, drift=0.004)
    timing = timed(clock, max_pairs=40)
    assert timing.ratio.value == pytest.approx(TRUE_RATIO, rel=0.006)
    assert timing.first_ms[-1] > timing.first_ms[0] * 1.05


def test_stopping_when_it_is_narrow_still_holds_the_truth_nine_times_in_ten() -> None:
    held = converged = 0
    for seed in range(250):
        timing = timed(Clock(noise=0.018, seed=seed))
        converged += timing.converged
        held += timing.converged and timing.ratio.low <= TRUE_RATIO <= timing.ratio.high
    assert converged > 200
    assert held / converged >= 0.88
