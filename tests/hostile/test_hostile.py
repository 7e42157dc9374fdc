"""Files that are no graph, and graphs that the scan refuses: the verdict, and nothing else happens.

Those that the scan lets pass are in test_hostile_running.py, the other formats and archives in
test_hostile_formats.py.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import hostile_graphs as graphs
import hostile_strange_files as strange_files
import pytest
from hostile_arena import Answer, Arena, Row

from pixelproof.cli import group, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="links, pipes, limits and walls as on Linux")

NO_GRAPH = "A .pb must be a frozen TensorFlow graph; found model.pb"
NO_ARTIFACT = "must be a frozen .pb, a SavedModel folder, a .tflite or an .onnx file"


def graph(name: str) -> Callable[[Arena], Path]:
    def write(arena: Arena) -> Path:
        path = arena.box / "model.pb"
        path.write_bytes(graphs.REFUSED[name](graphs.Reach(arena.secret, arena.outside, arena.port)))
        return path

    return write


def strange(name: str) -> Callable[[Arena], Path]:
    return lambda arena: strange_files.BUILDERS[name](arena.box, arena.outside)


def no_graph(name: str, says: str) -> Row:
    return Row(name, graph(name), 2, "", says)


def no_model(name: str, says: str) -> Row:
    return Row(name, strange(name), 2, "", says)


def refused(name: str, says: str) -> Row:
    return Row(name, graph(name), 1, "allowed", says)


ROWS = [
    no_graph("empty", r"an empty file\. Write it again"),
    no_graph("random_bytes", NO_GRAPH),
    no_graph("truncated", NO_GRAPH),
    no_graph("page", NO_GRAPH),
    no_graph("nested_120", f"{NO_GRAPH}.*MaxDepth"),
    no_graph("billion_claimed", NO_GRAPH),
    no_graph("endless_number", NO_GRAPH),
    no_graph("unfrozen", r"must be frozen.*1 variables \(weights.*ckpt2pb"),
    no_graph("control_name", r"must be a complete graph; found model.pb: .*Node 'a"),
    no_model("folder", r"a folder without saved_model\.pb"),
    no_model("link_to_environment", NO_GRAPH),
    no_model("link_to_zeros", "which is no regular file"),
    no_model("link_to_itself", "must exist|must be readable"),
    no_model("fifo", "which is no regular file"),
    no_model("pickle_as_graph", NO_GRAPH),
    no_model("keras", f"{NO_ARTIFACT}; found .*, a Keras file.*convert-model"),
    no_model("hdf5", f"{NO_ARTIFACT}; found .*, a Keras HDF5 file.*convert-model"),
    no_model("torch", f"{NO_ARTIFACT}; found .*, a PyTorch file.*convert-model"),
    no_model("bare_pickle", f"{NO_ARTIFACT}; found .*, a pickle.*convert-model"),
    no_model("object_array", f"{NO_ARTIFACT}; found .*, an array"),
    no_model("zip_file", f"{NO_ARTIFACT}; found .*, an archive.*unpack-submission"),
    no_model("text_graph", r"must be a frozen TensorFlow graph; found model\.pbtxt"),
    no_model("speaking_name", "must be a frozen TensorFlow graph"),
    no_model("undecodable_name", "must be a frozen TensorFlow graph"),
    Row("sparse", strange("sparse"), 1, "allowed", r"3072\.0 MiB or more"),
    refused("cycle", "no cycles but its loops: the cycle y -> z -> y"),
    refused("recursion", "the recursion f -> f"),
    refused("mutual_recursion", "the recursion f -> g -> f"),
    refused("deep_calls", "calls 2000 levels deep"),
    refused("doubling_calls", "at most 100,000 nodes.*1,000,000,000,000 once all calls are expanded"),
    refused("too_many_nodes", "at most 100,000 nodes.*100,007 nodes"),
    refused("control_operation", r"unknown operation Evil\\x1b\[2J"),
    refused("long_operation", r"unknown operation E{80}\.\.\.:"),
    refused("splat", "tensors that claim 4,294,967,292 bytes more than the file stores"),
    refused("text_splat", "tensors that claim 6,442,450,920 bytes more than the file stores"),
    refused("overflow", "a tensor of impossible size"),
    refused("negative_size", "a tensor of impossible size"),
    refused("read_file", "ReadFile, which reads files of the machine"),
    refused("write_file", "WriteFile, which writes files on the machine"),
    refused("matching_files", "MatchingFiles, which reads files of the machine"),
    refused("debug_to_file", "DebugIdentity, which copies tensors to files and network addresses"),
    refused("debug_to_network", "DebugIdentity, which copies tensors to files and network addresses"),
    refused("save", "SaveV2, which writes files"),
    refused("restore", "RestoreV2, which reads files"),
    refused("print_to_file", "PrintV2, which prints"),
    refused("print_frames", "PrintV2, which prints"),
    refused("python_function", "PyFunc, which runs Python code"),
    refused("abort", "Abort, which ends or delays the process"),
    refused("leave", "Abort, which ends or delays the process"),
    refused("hidden_in_a_function", "ReadFile, .*node read of function unused"),
    refused("on_another_machine", "the device /job:worker/replica:0/task:1"),
    refused("waiting_for_nobody", "_Recv, which talks to other devices or machines"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_file_is_refused_and_nothing_happens(row: Row, survives: Callable[[Row], Answer]) -> None:
    answer = survives(row)
    if answer.report is not None and row.name != "sparse":
        scan = answer.report["measurements"]["scan"]
        assert scan["nodes"] > 0 and scan["refusals"]
        assert {c["status"] for c in answer.report["checks"] if c["id"] == "loads"} == {"not_run"}


@pytest.mark.parametrize("name", ["read_file", "random_bytes"])
def test_the_same_without_bubblewrap(
    name: str, survives: Callable[[Row], Answer], without_bubblewrap: None
) -> None:
    survives(next(row for row in ROWS if row.name == name))


class _Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("name", ["control_name", "control_operation"])
def test_a_graph_does_not_speak_to_the_terminal(
    name: str, arena: Arena, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = graph(name)(arena)
    terminal = _Terminal()
    words = ["validate-pb", str(path), "--track", "B", "--data", str(pictures), "--only", "contract"]
    monkeypatch.setattr(sys, "argv", ["pixelproof", *words])
    with monkeypatch.context() as there:
        there.setattr(sys, "stdout", terminal)
        there.setattr(sys, "stderr", terminal)
        with pytest.raises(SystemExit):
            run(group, "pixelproof")
    told = terminal.getvalue()
    assert "Evil" in told or "Node 'a" in told
    for forged in ("\x1b[2J", "\x1b[1;32mPASSED", "\u202e", "\x07"):
        assert forged not in told


@pytest.mark.parametrize("name", ["undecodable_name", "speaking_name"])
def test_a_strange_name_is_told_by_a_terminal_that_takes_text_alone(
    name: str, arena: Arena, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = strange(name)(arena)
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="strict") for _ in range(2)]
    words = ["validate-pb", str(path), "--track", "B", "--data", str(pictures), "--only", "contract"]
    monkeypatch.setattr(sys, "argv", ["pixelproof", *words])
    with monkeypatch.context() as there:
        there.setattr(sys, "stdout", streams[0])
        there.setattr(sys, "stderr", streams[1])
        with pytest.raises(SystemExit) as stop:
            run(group, "pixelproof")
    assert stop.value.code == 2


def test_every_graph_and_file_has_a_row() -> None:
    names = [row.name for row in ROWS]
    assert sorted(names) == sorted([*graphs.REFUSED, *strange_files.BUILDERS])
