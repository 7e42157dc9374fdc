"""Memory over time in few values: nothing that was seen is lost, and it never grows."""

from __future__ import annotations

import numpy as np
import pytest

from pixelproof.measure.memory_trace import Recorder


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("seconds", [0.5, 2.0, 2.01, 60.0, 3600.0])
def test_the_largest_size_of_each_step_is_kept(seconds: float) -> None:
    clock = Clock()
    recorder = Recorder(clock=clock)
    rng = np.random.default_rng(int(seconds))
    times = np.sort(rng.uniform(0, seconds, 3000))
    sizes = rng.uniform(100, 900, 3000)
    for at, size in zip(times, sizes, strict=True):
        clock.now = 100.0 + float(at)
        recorder.add(float(size))
    trace = recorder.trace()
    assert trace is not None
    step_s = trace.step_ms / 1000
    assert len(trace.rss_mib) <= 200
    assert (len(trace.rss_mib) - 1) * step_s <= times[-1] <= len(trace.rss_mib) * step_s
    places = np.minimum((times / step_s).astype(int), len(trace.rss_mib) - 1)
    for place, kept in enumerate(trace.rss_mib):
        seen = sizes[places == place]
        if len(seen):
            assert kept >= seen.max() - 0.01
    assert max(trace.rss_mib) == pytest.approx(sizes.max(), abs=0.01)


def test_a_pause_keeps_the_size_before_it() -> None:
    clock = Clock()
    recorder = Recorder(clock=clock, step_s=1.0)
    recorder.add(5.0)
    clock.now += 3.5
    recorder.add(1.0)
    trace = recorder.trace()
    assert trace is not None and trace.rss_mib == (5.0, 5.0, 5.0, 1.0)


def test_marks_and_nothing() -> None:
    clock = Clock()
    recorder = Recorder(clock=clock)
    assert recorder.trace() is None
    clock.now += 0.25
    recorder.mark()
    recorder.add(1.0)
    trace = recorder.trace()
    assert trace is not None and trace.runs_ms == (250.0,)
