"""``pixelproof complexity``: as typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pixelproof.errors import CallError
from pixelproof.measure.cost.commands import parse_size

Call = Callable[..., Any]


def test_the_document(call: Call, blur: Path) -> None:
    answer = call("complexity", str(blur), "--input", "24,40", "--json", "-")
    document = json.loads(answer.out)
    macs, relus = 5 * 5 * 3 * 3 * 24 * 40, 3 * 24 * 40
    assert answer.code == 0 and "FLOPs" in answer.err
    assert document["format"] == "pb" and document["convention"] == "ntire2022"
    assert document["input"] == {"height": 24, "width": 40, "channels": 3}
    assert document["artifact"]["sha256"] and document["assumptions"] == []
    assert (document["params"], document["flops"]) == (225, macs + relus)
    assert (document["activations"], document["conv_layers"]) == (relus, 1)
    first, second = document["layers"]
    assert first["op"] == "Conv2D" and first["kind"] == "conv" and first["output_shape"] == [1, 24, 40, 3]
    assert (first["params"], first["flops"], first["activations"]) == (225, macs, relus)
    assert second["op"] == "Relu" and first["share"] + second["share"] == pytest.approx(1)


@pytest.mark.parametrize("kind", ["savedmodel", "tflite", "onnx"])
def test_every_format(call: Call, blurs: dict[str, Path], kind: str, tmp_path: Path) -> None:
    made = tmp_path / "cost.json"
    answer = call("complexity", str(blurs[kind]), "--input", "24x40", "--json", str(made))
    assert answer.code == 0
    assert json.loads(made.read_text())["flops"] == (5 * 5 * 3 + 1) * 3 * 24 * 40


def test_what_people_see(call: Call, blur: Path) -> None:
    shown = " ".join(call("complexity", str(blur), "--all").out.split())  # long paths break its lines
    for told in (
        "256x256x3, ntire2022",
        "All 2 layers",
        "Conv2D",
        "1x256x256x3",
        "14,942,208 (14.94 M)",
        "98.7%",
    ):
        assert told in shown
    top = call("complexity", str(blur), "--top", "1", "--convention", "2xmac").out
    assert "Conv2D" in top and "Without FLOPs under 2xmac: Relu 1." in top
    assert "Next: validate-pb" in top
    assert "Conv2D" not in call("complexity", str(blur), "--top", "0").out


def test_the_conventions_differ_by_name(call: Call, blur: Path) -> None:
    flops = {}
    for name in ("ntire2022", "fvcore", "2xmac"):
        answer = call("complexity", str(blur), "--convention", name, "--json", "-")
        flops[name] = json.loads(answer.out)["flops"]
    assert flops["2xmac"] == 2 * flops["fvcore"] < 2 * flops["ntire2022"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--convention", "ntire22"), "Did you mean ntire2022?"),
        (("--input", "256"), "two positive whole numbers"),
        (("--input", "0,16"), "two positive whole numbers"),
        (("--input", "1,256,256,4"), "must have 3 channels, as model.pb states; found 4"),
        (("--input", "2,256,256,3"), "batch"),
        (("--all", "--top", "3"), "exclude each other"),
        (("--top", "-1"), "--top"),
    ],
)
def test_wrong_calls(call: Call, blur: Path, arguments: tuple[str, ...], told: str) -> None:
    answer = call("complexity", str(blur), *arguments)
    assert answer.code == 2 and told in answer.err.replace("\n", " ")


def test_files_that_are_no_models(call: Call, blur: Path, tmp_path: Path) -> None:
    evil, noise = tmp_path / "evil.pb", tmp_path / "noise.pb"
    evil.write_bytes(b"\n\x12\n\x01r\x12\x08ReadFile*\x00\x1a\x01a" + blur.read_bytes())
    refused = call("complexity", str(evil), "--json", "-")
    assert refused.code == 1 and "ReadFile" in refused.err and refused.out == ""
    noise.write_bytes(b"noise" * 99)
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"PK")
    for file in (noise, weights, tmp_path / "missing.pb"):
        answer = call("complexity", str(file))
        assert answer.code == 2 and answer.err.startswith("Error: ")


def test_a_size_that_the_file_refuses(call: Call, tf: Any, save_graph: Callable[..., Path]) -> None:
    stuck = save_graph(lambda x: tf.concat([x, tf.repeat(x[:, ::16], 16, 1)], -1))
    answer = call("complexity", str(stuck), "--input", "250,256")
    assert answer.code == 1
    assert "must take an image of 250x256" in answer.err and "try --input 256,256" in answer.err


def test_sizes() -> None:
    assert parse_size("24,40") == parse_size("24x40") == parse_size("[24, 40]") == (24, 40, None)
    assert parse_size("1,24,40,4") == (24, 40, 4)
    for text in ("", "24", "24,40,3", "a,b", "-4,4", "24.5,40", "1,2,3,4,5", "100000,1"):
        with pytest.raises(CallError):
            parse_size(text)
