"""Smaller parts of the benchmarks: traces, timing, the hardware's limits, a peer's process."""

from __future__ import annotations

import sys

import pytest

from benchmarks import hardware, trace
from benchmarks.peer_process import PeerFailed, peer_process
from benchmarks.timing import in_turn, interleaved, timed


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("[cpu] conv/Conv2D = _MklNativeFusedConv2D(a, b)", "FusedConv2D"),
        ("[cpu] conv/Conv2D = _MklNativeConv2D(a, b)", "Conv2D"),
        ("[cpu] x = _FusedConv2D(a)", "FusedConv2D"),
        ("[cpu] x = Relu(a)", "Relu"),
        ("conv/Conv2D:_FusedConv2D", "node"),
    ],
)
def test_types_of_operations(label: str, kind: str) -> None:
    assert trace.operation(label, "node") == kind


def test_shares_and_their_words() -> None:
    found = trace.shares({"Relu": 1.0, "Conv2D": 7.0, "Add": 1.5, "Mul": 0.5, "Tanh": 0.001})
    assert [name for name, _ in found] == ["Conv2D", "Add", "Relu", "Mul", "Tanh"]
    assert sum(share for _, share in found) == pytest.approx(1.0)
    assert trace.in_words(found) == "Conv2D 70%, Add 15%, Relu 10%, others 5%"
    assert trace.in_words(trace.shares({"Conv2D": 1.0, "Tanh": 1e-4})) == "Conv2D 100%"
    assert trace.shares({"Conv2D": 0.0}) == []


def test_who_goes_first_alternates() -> None:
    order: list[str] = []

    def call(name: str, value: float) -> float:
        order.append(name)
        return value

    assert in_turn(lambda: call("a", 1.0), lambda: call("b", 4.0), rounds=3) == [(1.0, 4.0)] * 3
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert interleaved(lambda: 1.0, lambda: 4.0, rounds=2) == (1.0, 4.0, [0.25, 0.25])


def test_a_command_that_fails_is_no_time() -> None:
    assert timed([[sys.executable, "-c", ""]]) > 0
    with pytest.raises(RuntimeError, match="broken"):
        timed([[sys.executable, "-c", "raise SystemExit('broken')"]])


def test_a_peer_answers_and_its_end_is_told() -> None:
    program = "import sys\nfor line in sys.stdin:\n    print(len(line), 2 / int(line), flush=True)\n"
    with peer_process([sys.executable, "-c", program]) as peer:
        assert peer.ask("44") == [3.0, 2 / 44]
        with pytest.raises(PeerFailed, match=r"exit 1 at '0'") as failure:
            peer.ask("0")
    assert "ZeroDivisionError" in str(failure.value)


def test_rates_are_those_of_this_machine() -> None:
    assert 0.1 < hardware.numpy_gflops(side=256, rounds=2) < 1e6
    assert 0.05 < hardware.copy_gib_s(cores=2, mib=8, rounds=2) < 1e5
