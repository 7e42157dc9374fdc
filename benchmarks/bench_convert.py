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
from pathlib import Path

from benchmarks.table import Row, interleaved, show, timed

PEERS = Path(__file__).parent / "peers"


def rows(data: Path, *, shape: str, rounds: int, target: float | None) -> list[Row]:
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
        spread = f"rounds {min(ratios):.2f} to {max(ratios):.2f}"
    what = f"convert-model, 4 artifacts with proof, {shape} ({spread})"
    return [Row(what, ours_s, "freeze + tflite_convert + tf2onnx + SavedModel, no proof", peer_s, target)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="720x1280 as well")
    options = parser.parse_args()
    found = rows(options.data, shape="1,360,640,3", rounds=options.rounds, target=0.75)
    if options.full:
        found += rows(options.data, shape="1,720,1280,3", rounds=1, target=None)
    show(found)


if __name__ == "__main__":
    main()
