"""The search for a faster graph, and the commands that begin it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.convert.optimize import optimizer
from pixelproof.convert.optimize.optimizer import Optimized, Trial, optimize
from pixelproof.convert.optimize.trial import Bench
from pixelproof.errors import ParityBroken
from pixelproof.measure.parity import probe_image, run_artifact
from pixelproof.measure.runtime import Ratio

GAIN, NOTHING, LOSS = Ratio(1.5, 1.4, 1.6), Ratio(1.0, 0.95, 1.05), Ratio(0.8, 0.7, 0.9)
SHAPE = (1, 64, 96, 3)


@pytest.fixture(scope="module")
def graph_file(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with a scale in front, a thin last convolution and a constant that isn't computed yet."""
    from pixelproof.convert.frozen_graph import freeze_function, tidy

    rng = np.random.default_rng(0)
    first, last = (rng.normal(0, 0.1, shape).astype(np.float32) for shape in ((3, 3, 3, 16), (9, 9, 16, 3)))

    def body(x: Any) -> Any:
        y = tf.nn.relu(tf.nn.conv2d(x * 2.0, first, 1, "SAME"))
        return tf.tanh(
            tf.nn.conv2d(y, last, 1, "SAME") + tf.reshape(tf.constant(rng.normal(size=3), tf.float32), (3,))
        )

    function = tf.function(body).get_concrete_function(tf.TensorSpec((1, None, None, 3), tf.float32))
    graph, start, end = freeze_function(function)
    tidied = tidy(graph, input_tensor=start, output_tensor=end, input_name="input", output_name="output")
    path = tmp_path_factory.mktemp("graph") / "model.pb"
    path.write_bytes(tidied.SerializeToString(deterministic=True))
    return path


@pytest.fixture
def search(
    graph_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Optimized]]:
    """``search({"pack_last": GAIN}, ...)``: the search with the clock and the memory gauge replaced."""
    from pixelproof.measure.graph_def import read_graph

    def run(
        ratios: dict[str, Ratio], *, memory: dict[str, float] | None = None, last: Ratio = GAIN
    ) -> Optimized:
        trying: list[str] = []
        attempt = optimizer._Search.attempt

        def watched(self: Any, rewrite: Any) -> None:
            trying.append(rewrite.id)
            attempt(self, rewrite)
            trying.pop()

        def timed(bench: Bench, before: Path, after: Path, **options: Any) -> tuple[Ratio, float, float]:
            return (ratios.get(trying[-1], NOTHING) if trying else last), 3.0, 2.0

        def weighed(bench: Bench, path: Path) -> float:
            return (memory or {}).get(trying[-1], 100.0) if trying else 100.0

        monkeypatch.setattr(optimizer._Search, "attempt", watched)
        monkeypatch.setattr(optimizer, "timed_ratio", timed)
        monkeypatch.setattr(optimizer, "peak_memory_mib", weighed)
        bench = Bench(tmp_path, "pb", SHAPE, ("input:0", "output:0"), 10, 1)
        shapes = [(1, 13, 10, 3), (1, 8, 17, 3)]
        return optimize(read_graph(str(graph_file)), bench, shapes=shapes, note=lambda line: None)

    yield run


def verdicts(result: Optimized) -> dict[str, str]:
    """Each rewrite's verdict."""
    return {trial.id: trial.verdict for trial in result.trials}


def test_what_gains_is_kept_with_what_made_room_for_it(search: Callable[..., Optimized]) -> None:
    result = search({"pack_last": GAIN})
    assert result.gains
    assert verdicts(result) == {
        "fold_constants": "kept",
        "scale_before": "kept",
        "pack_last": "kept",
        "fill_last": "no gain",
    }
    assert {node.op for node in result.graph.node} >= {"DepthToSpace"}
    assert 0 <= result.max_abs <= optimizer.TOLERANCE


def test_what_follows_the_last_gain_without_gaining_is_left_out(search: Callable[..., Optimized]) -> None:
    result = search({"scale_before": GAIN, "pack_last": NOTHING})
    assert verdicts(result)["pack_last"] == "no gain"
    operations = {node.op for node in result.graph.node}
    assert "DepthToSpace" not in operations
    assert "Mul" not in operations


@pytest.mark.parametrize("first", [GAIN, NOTHING, LOSS])
def test_a_faster_alternative_takes_the_place_of_the_one_before(
    search: Callable[..., Optimized], first: Ratio
) -> None:
    result = search({"pack_last": first, "fill_last": GAIN})
    said = verdicts(result)
    assert said["fill_last"] == said["scale_before"] == "kept"
    assert said["pack_last"] == ("slower" if first == LOSS else "less gain")
    operations = [node.op for node in result.graph.node]
    assert "DepthToSpace" not in operations
    assert operations.count("Conv2D") == 2
    assert 0 <= result.max_abs <= optimizer.TOLERANCE


@pytest.mark.parametrize(("ratio", "verdict"), [(LOSS, "slower"), (NOTHING, "no gain")])
def test_without_a_gain_the_graph_stays(search: Callable[..., Optimized], ratio: Ratio, verdict: str) -> None:
    result = search({"fold_constants": ratio, "scale_before": ratio, "pack_last": ratio, "fill_last": ratio})
    assert set(verdicts(result).values()) == {verdict}
    assert not result.gains
    assert "Mul" in {node.op for node in result.graph.node}


def test_a_gain_that_takes_memory_is_left_out(search: Callable[..., Optimized]) -> None:
    result = search({"pack_last": GAIN}, memory={"pack_last": 106.0})
    assert verdicts(result)["pack_last"] == "more memory"
    assert not result.gains


def test_a_gain_that_the_last_run_does_not_confirm_is_none(search: Callable[..., Optimized]) -> None:
    result = search({"pack_last": GAIN}, last=NOTHING)
    assert not result.gains
    assert "DepthToSpace" not in {node.op for node in result.graph.node}


def test_another_picture_is_never_kept(
    search: Callable[..., Optimized], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pixelproof.convert.optimize import pack_last

    right = pack_last.packed_kernel
    monkeypatch.setattr(pack_last, "packed_kernel", lambda kernel, block: right(kernel, block) * 1.001)
    result = search({"pack_last": GAIN})
    assert verdicts(result)["pack_last"] == "differs"
    assert not result.gains


def test_the_last_proof_is_of_the_result(
    search: Callable[..., Optimized], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    right = optimizer.outputs_of

    def broken(*asked: Any) -> Any:
        calls.append(1)
        of_the_result = len(calls) == 1 + 4 + 1  # the original, four rewrites, the result
        return [y * 1.001 if of_the_result else y for y in right(*asked)]

    monkeypatch.setattr(optimizer, "outputs_of", broken)
    with pytest.raises(ParityBroken):
        search({"pack_last": GAIN})


def test_the_command_writes_what_gains_and_says_what_it_did(
    call: Callable[..., Any], graph_file: Path, tmp_path: Path
) -> None:
    out, report = tmp_path / "faster.pb", tmp_path / "said.json"
    answer = call(
        "optimize", str(graph_file), "--out", str(out), "--input-shape", "1,160,240,3", "--max-runs", "10",
        "--threads", "1", "--json", str(report),
    )  # fmt: skip
    assert answer.code == 0, answer.err
    document = json.loads(report.read_text())
    said = document["optimized"]
    tried = {trial["id"]: trial for trial in said["rewrites"]}
    assert set(tried) == {"fold_constants", "scale_before", "pack_last", "fill_last"}
    assert all(trial["max_abs"] <= optimizer.TOLERANCE for trial in tried.values())
    assert out.exists() == said["gains"] == bool(document["artifacts"])
    assert ("Next: pixelproof compare" in answer.out) == said["gains"]
    if said["gains"]:
        assert json.loads((tmp_path / "faster.parity.json").read_text()) == document
        probe = [probe_image(31, 18, 3)]
        (before,), (after,) = (run_artifact(path, "pb", probe) for path in (graph_file, out))
        np.testing.assert_allclose(after, before, atol=optimizer.TOLERANCE)


def test_a_process_of_its_own_says_nothing_of_tensorflow(graph_file: Path, tmp_path: Path) -> None:
    """What TensorFlow logs when it is imported stays away, whichever module asks for it first."""
    words = ["optimize", str(graph_file), "--out", str(tmp_path / "faster.pb"), "--input-shape", "1,32,48,3"]
    command = [sys.executable, "-c", "from pixelproof.cli import main; main()", *words, "--max-runs", "10"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert lines
    assert all(line.startswith("  ") and line.endswith(" ...") for line in lines), done.stderr


def test_the_judge_knows_by_which_rewrites_a_file_was_made(
    call: Callable[..., Any], graph_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimizer, "timed_ratio", lambda *files, **options: (GAIN, 3.0, 2.0))
    monkeypatch.setattr(optimizer, "peak_memory_mib", lambda bench, path: 100.0)
    out = tmp_path / "faster.pb"
    assert call("optimize", str(graph_file), "--out", str(out), "--input-shape", "1,32,48,3").code == 0
    judging = ("--track", "A", "--only", "contract", "--json", "-")
    judged = json.loads(call("validate-pb", str(out), *judging).out)
    assert judged["measurements"]["optimized"] == ["fold_constants", "scale_before", "fill_last"]
    out.write_bytes(graph_file.read_bytes())  # another file under the same name
    assert json.loads(call("validate-pb", str(out), *judging).out)["measurements"]["optimized"] is None


@pytest.mark.parametrize("kind", ["tflite", "onnx"])
def test_candidates_are_timed_in_another_format(
    call: Callable[..., Any], graph_file: Path, tmp_path: Path, kind: str
) -> None:
    answer = call(
        "optimize", str(graph_file), "--for", kind, "--input-shape", "1,32,48,3", "--max-runs", "10",
        "--out", str(tmp_path / "faster.pb"), "--json", "-",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    said = json.loads(answer.out)["optimized"]
    assert said["timed_as"] == kind
    assert {trial["verdict"] for trial in said["rewrites"]} <= {
        "kept",
        "no gain",
        "less gain",
        "slower",
        "more memory",
    }


def test_a_conversion_says_how_it_was_optimized(
    convert_with: Callable[..., dict[str, Any]],
    srcnn_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(optimizer, "timed_ratio", lambda *files, **options: (GAIN, 3.0, 2.0))
    monkeypatch.setattr(optimizer, "peak_memory_mib", lambda bench, path: 100.0)
    document = convert_with(
        "srcnn", srcnn_checkpoint, tmp_path, formats=("pb", "tflite", "onnx"), optimize_for="pb"
    )
    assert document["passed"]
    said = json.loads((tmp_path / "parity.json").read_text())["optimized"]
    assert said["gains"] and said["timed_as"] == "pb"
    assert {trial["id"] for trial in said["rewrites"] if trial["verdict"] == "kept"} >= {"fill_last"}
    assert b"fill_last" in (tmp_path / "model.pb").read_bytes()


def test_a_plain_conversion_says_nothing_of_it(
    convert_with: Callable[..., dict[str, Any]], srcnn_checkpoint: Path, tmp_path: Path
) -> None:
    assert "optimized" not in convert_with("srcnn", srcnn_checkpoint, tmp_path)
    written = (tmp_path / "model.pb").read_bytes()
    assert b"pack_last" not in written
    assert b"fill_last" not in written


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{graph}", "--out", "{graph}"], "must not be the graph itself"),
        (["{folder}/none.pb"], "none.pb"),
        (["{folder}/empty.pb"], "frozen"),
        (["{folder}/model.tflite"], "frozen .pb"),
        (["{graph}", "--input-shape", "1,64,64,4"], "4"),
        (["{graph}", "--input-arrays", "imput"], "input"),
        (["{graph}", "--for", "savedmodel"], "savedmodel"),
        (["{graph}", "--max-runs", "1"], "10"),
    ],
)
def test_bad_calls_say_what_is_wrong(
    call: Callable[..., Any], graph_file: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "empty.pb").write_bytes(b"")
    (tmp_path / "model.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3" + b"\x00" * 64)
    answer = call("optimize", *(a.format(graph=graph_file, folder=tmp_path) for a in arguments))
    assert answer.code == 2
    assert said in answer.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty.pb", "model.tflite"]


def test_for_goes_with_optimize(call: Callable[..., Any], srcnn_checkpoint: Path) -> None:
    answer = call("convert-model", "--model", "srcnn", "--ckpt", str(srcnn_checkpoint), "--for", "tflite")
    assert answer.code == 2
    assert "--optimize" in answer.err


def test_a_trial_reads_well() -> None:
    trial = Trial("pack_last", "packed", ("a", "b"), "kept", GAIN, 1e-7, 1.02)
    assert "2 places, 1.500x (1.400 to 1.600), difference 1.0e-07, memory 1.020" in optimizer.line_for(trial)


def test_loops_are_refused_by_name(tf: Any, call: Callable[..., Any], tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        tf.compat.v1.disable_control_flow_v2()
        x = tf.compat.v1.placeholder(tf.float32, (1, None, None, 3), name="input")
        _, y = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * 0.5), (0, x))
        tf.identity(y, name="output")
        tf.compat.v1.enable_control_flow_v2()
    model = tmp_path / "loop.pb"
    model.write_bytes(graph.as_graph_def().SerializeToString())
    answer = call("optimize", str(model), "--input-shape", "1,16,24,3", "--output-arrays", "output")
    assert answer.code == 2
    assert "without functions and loops" in answer.err and "while" in answer.err
