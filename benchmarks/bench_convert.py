"""convert-model with full proof, beside the usual tools one after another without any.

    python -m benchmarks.bench_convert --data ai-challenge [--rounds 3] [--shape 1,360,640,3]

Peer: a freeze script as the challenge's, `tflite_convert`, `python -m tf2onnx.convert` and a SavedModel export,
each in a process of its own, as a participant runs them; none of them proves anything.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.row import Row, Skip
from benchmarks.setting import Setting
from benchmarks.table import show
from benchmarks.timing import interleaved, spread, timed

PEERS = Path(__file__).parent / "peers"


TARGET = 0.75


def rows(setting: Setting) -> Iterator[Row | Skip]:
    """What `make bench` runs."""
    data = setting.folder("ai-challenge")
    if isinstance(data, Skip):
        yield data
    elif setting.quick:
        yield measured(data, shape="1,120,160,3", rounds=1, target=None)
    else:
        yield measured(data, shape="1,360,640,3", rounds=3, target=TARGET)
        yield measured(data, shape="1,720,1280,3", rounds=1, target=None)


def measured(data: Path, *, shape: str, rounds: int, target: float | None) -> Row:
    """One row for a TFLite shape; resnet_12_64, four artifacts."""
    checkpoint = data / "models_pretrained" / "dped_resnet_12_64"
    bin_folder = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pb = str(folder / "peer.pb")
        ours = [
            [str(bin_folder / "convert-model"), "--model", "resnet_12_64", "--ckpt", str(checkpoint)]
            + ["--input-shape", shape, "--out", str(folder / "ours")]
        ]
        peer = [
            [sys.executable, str(PEERS / "freeze.py"), str(checkpoint), pb],
            [str(bin_folder / "tflite_convert"), "--enable_v1_converter", f"--graph_def_file={pb}"]
            + [f"--output_file={folder / 'peer.tflite'}", "--input_arrays=input", "--output_arrays=output"]
            + [f"--input_shapes={shape}"],
            [sys.executable, "-m", "tf2onnx.convert", "--graphdef", pb, "--inputs", "input:0"]
            + ["--outputs", "output:0", "--opset", "18", "--output", str(folder / "peer.onnx")],
            [sys.executable, str(PEERS / "export_saved_model.py"), pb, str(folder / "peer_saved_model")],
        ]

        def fresh() -> None:
            shutil.rmtree(folder / "ours", ignore_errors=True)
            shutil.rmtree(folder / "peer_saved_model", ignore_errors=True)

        ours_s, peer_s, ratios = interleaved(
            lambda: timed(ours, prepare=fresh), lambda: timed(peer, prepare=fresh), rounds=rounds
        )
    peer_name = "freeze script, tflite_convert, tf2onnx CLI, SavedModel: no proof"
    what = f"convert-model, 4 artifacts with proof, {shape}"
    return Row(what, ours_s, peer_name, peer_s, target, paired=median(ratios), note=spread(ratios))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="720x1280 as well")
    options = parser.parse_args()
    found = [measured(options.data, shape="1,360,640,3", rounds=options.rounds, target=TARGET)]
    if options.full:
        found.append(measured(options.data, shape="1,720,1280,3", rounds=1, target=None))
    show(found)


if __name__ == "__main__":
    main()
