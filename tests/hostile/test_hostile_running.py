"""Graphs that the scan lets pass and that misbehave when they run: each ends in a verdict, and in time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import hostile_graphs as graphs
import pytest
from hostile_arena import Answer, Arena, Row

from pixelproof.measure.sandbox.outer import bubblewrap

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="links, pipes, limits and walls as on Linux")


def row(
    name: str,
    failed: str,
    says: str,
    *,
    code: int = 1,
    only: str = "contract,range",
    time_limit_s: float = 20,
    within_s: float = 40,
) -> Row:
    def write(arena: Arena) -> Path:
        path = arena.box / "model.pb"
        path.write_bytes(graphs.RUNNING[name](graphs.Reach(arena.secret, arena.outside, arena.port)))
        return path

    return Row(name, write, code, failed, says, only, time_limit_s, within_s)


ROWS = [
    row("many_results", "loads", "interface|names|outputs|large"),
    row("long_name", "loads", "interface|names|outputs|large"),
    row("endless_function", "runs", "no answer after 2 s at 67x101", time_limit_s=2),
    row("endless_frames", "runs", "no answer after 2 s at 67x101", time_limit_s=2),
    row("eight_gigabytes", "memory", r"stopped at 3[56]\d\d MiB: \d+ the runtime's own, 3\d\d\d the model's",
        only="memory", time_limit_s=60, within_s=60),
    row("terabytes", "memory", r"ResourceExhausted|OOM", only="memory"),
    row("overflow_at_run_time", "runs", "it ran at no size: the worker ended with SIGABRT"),
    row("deep_chain", "runs", "it ran at no size: the worker ended with SIGSEGV", within_s=60),
    row("huge_output", "tensors runs", "float32 1x16384x16384x4 out", within_s=60, time_limit_s=60),
    row("forged_frames", "range", r"to 9\.\d+e\+35"),
    row("random_numbers", "determinism", "0.0[0-9]+ apart"),
    row("not_a_number", "finite range", "NaN or infinity: 20301 values on black, 20301 values on white"),
    row("infinite", "finite range", "NaN or infinity: 20301 values on black, 20301 values on white"),
    row("to_255", "range", "0.0000 to 255"),
    row("scalar", "tensors", "The output must have four dimensions; found 0"),
    row("nine_dimensions", "tensors runs", "The output must have four dimensions; found 9"),
    row("nothing", "range", "no finite value"),
    row("half_size", "resolution", "67x101 became 34x51", only="contract,resolution"),
    row("four_channels", "tensors runs", "The input must have 3 channels; found 4"),
    row("one_channel", "tensors", "The output must have 3 channels; found 1"),
    row("bytes_in", "tensors runs", "The input must be float32; found uint8"),
    row("double_out", "tensors", "The output must be float32; found float64"),
    row("complex_out", "tensors runs", "The output must be float32; found complex64"),
    row("other_names", "names", "Placeholder:0 in; result:0 out"),
    row("batch_of_two", "tensors runs", "batch must be 1 or open; found 2"),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_graph_ends_in_a_verdict(row: Row, survives: Callable[[Row], Answer]) -> None:
    answer = survives(row)
    assert answer.report is not None
    assert not answer.report["measurements"]["scan"]["refusals"]
    walls = {wall["name"]: wall["active"] for wall in answer.report["environment"]["sandbox"]}
    assert walls["bubblewrap"] is (bubblewrap().program is not None)


WITHOUT_BUBBLEWRAP = ("endless_function", "eight_gigabytes", "overflow_at_run_time")


@pytest.mark.parametrize("name", WITHOUT_BUBBLEWRAP)
def test_the_same_without_bubblewrap(
    name: str, survives: Callable[[Row], Answer], without_bubblewrap: None
) -> None:
    answer = survives(next(row for row in ROWS if row.name == name))
    assert answer.report is not None
    walls = {wall["name"]: wall for wall in answer.report["environment"]["sandbox"]}
    assert (walls["bubblewrap"]["active"], walls["bubblewrap"]["detail"]) == (False, "switched off")


def test_every_graph_has_a_row() -> None:
    assert sorted(row.name for row in ROWS) == sorted(graphs.RUNNING)
