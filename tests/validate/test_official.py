"""The official models of PIRM 2018 against the figures of the original evaluation code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.official

MODELS = {
    "dped_srcnn": ("B", "srcnn"),
    "dped_resnet_8_32": ("B", "resnet_8_32"),
    "dped_resnet_12_64": ("B", "resnet_12_64"),
    "div2k_srcnn": ("A", "srcnn"),
    "div2k_resnet_6_16": ("A", "resnet_6_16"),
    "div2k_vgg19_vdsr": ("A", "vgg_19"),
}
PSNR_WITHIN = {"A": 1e-3, "B": 1e-4}
MS_SSIM_WITHIN = 1e-5


@pytest.fixture(scope="session")
def converted(official_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The official checkpoints as frozen graphs."""
    from pixelproof.convert.source import Ends, registered_source
    from pixelproof.quiet import import_tensorflow

    import_tensorflow()
    folder = tmp_path_factory.mktemp("official")
    weights = official_data / "models_pretrained"
    paths = {}
    for name, (_, model) in MODELS.items():
        found = weights / f"{name}.ckpt"
        source = registered_source(
            model, found if found.exists() else weights / name, probes=[], ends=Ends(), allow_surplus=False
        )
        paths[name] = folder / f"{name}.pb"
        paths[name].write_bytes(source.graph.SerializeToString())
    return paths


@pytest.fixture(scope="session")
def reference(official_data: Path) -> dict[str, Any]:
    """reference_scores.json."""
    read: dict[str, Any] = json.loads((official_data / "reference_scores.json").read_text())
    return read


def check_figures(
    report: dict[str, Any], reference: dict[str, Any], *, track: str, name: str, images: int,
    psnr_within: float | None = None, ms_ssim_within: float = MS_SSIM_WITHIN,
) -> None:  # fmt: skip
    expected = reference[f"track_{track}"][name]
    measured = report["fidelity"]["per_image"]
    assert len(measured) == images
    assert [item["name"] for item in measured] == sorted(
        (item["name"] for item in measured), key=lambda n: int(n.split(".")[0])
    )
    for item in measured:
        figures = expected["per_image"][item["name"]]
        psnr_db, ms_ssim = (
            figures[:2] if isinstance(figures, list) else (figures["psnr_db"], figures["ms_ssim"])
        )
        assert item["psnr_db"] == pytest.approx(psnr_db, abs=psnr_within or PSNR_WITHIN[track]), item["name"]
        assert item["ms_ssim"] == pytest.approx(ms_ssim, abs=ms_ssim_within), item["name"]
    if images == expected["images"]:
        assert report["fidelity"]["psnr_db"] == pytest.approx(
            expected["mean_psnr_db"], abs=PSNR_WITHIN[track]
        )
        assert report["fidelity"]["ms_ssim"] == pytest.approx(expected["mean_ms_ssim"], abs=MS_SSIM_WITHIN)


@pytest.mark.parametrize(
    ("name", "images"),
    [
        ("dped_srcnn", 300),
        ("dped_resnet_8_32", 300),
        ("dped_resnet_12_64", 60),
        ("div2k_srcnn", 2),
        ("div2k_resnet_6_16", 2),
        ("div2k_vgg19_vdsr", 1),
    ],
)
def test_converted_checkpoints_score_as_the_original_code_scored_them(
    typed, lending, converted, reference, official_data, name: str, images: int
) -> None:
    track = MODELS[name][0]
    answer = typed(
        converted[name], "--track", track, "--data", official_data, "--only", "fidelity", "--images", images,
        "--json", "-",
    )  # fmt: skip
    assert answer.code == 0
    check_figures(answer.report, reference, track=track, name=name, images=images)


@pytest.mark.parametrize(("name", "images"), [("dped_srcnn", 300), ("div2k_srcnn", 2)])
def test_the_official_graphs_themselves(
    typed, lending, reference, official_data, name: str, images: int
) -> None:
    track = MODELS[name][0]
    model = official_data / "models_pretrained" / f"{name}.pb"
    answer = typed(model, "--track", track, "--data", official_data, "--only", "fidelity", "--json", "-")
    assert answer.code == 0
    check_figures(answer.report, reference, track=track, name=name, images=images)


def test_an_official_graph_keeps_the_contract_with_a_warning_for_its_range(
    typed, lending, official_data
) -> None:
    model = official_data / "models_pretrained" / "dped_srcnn.pb"
    answer = typed(model, "--track", "B", "--data", official_data, "--skip", "memory,runtime", "--json", "-")
    assert answer.code == 0
    assert list(answer.checks("warning")) == ["range"]
    assert "720x1280" in answer.checks()["resolution"]["found"]


@pytest.mark.parametrize("kind", ["savedmodel", "tflite", "onnx"])
def test_the_other_formats_score_the_same(
    typed, lending, converted, reference, official_data, tmp_path, kind: str
) -> None:
    """Other runtimes add in another order: 1e-3 dB and 1e-5 a picture, ten times what a .pb is held to."""
    from pixelproof.convert.onnx import to_onnx
    from pixelproof.convert.saved_model import write_saved_model
    from pixelproof.measure.graph_def import read_graph
    from pixelproof.tflite.converter import to_tflite

    graph = read_graph(str(converted["dped_resnet_8_32"]))
    model = tmp_path / {"savedmodel": "saved", "tflite": "model.tflite", "onnx": "model.onnx"}[kind]
    if kind == "savedmodel":
        write_saved_model(graph, model, input_name="input", output_name="output", channels=3)
    elif kind == "tflite":
        model.write_bytes(
            to_tflite(graph, input_name="input:0", output_name="output:0", shape=(1, 100, 100, 3))
        )
    else:
        model.write_bytes(to_onnx(graph, input_name="input", output_name="output"))
    answer = typed(
        model,
        "--track",
        "B",
        "--data",
        official_data,
        "--skip",
        "memory,runtime",
        "--images",
        "40",
        "--json",
        "-",
    )
    assert answer.code == 0
    assert answer.report["artifact"]["format"] == kind
    check_figures(
        answer.report,
        reference,
        track="B",
        name="dped_resnet_8_32",
        images=40,
        psnr_within=1e-3,
        ms_ssim_within=1e-5,
    )
    warned = {"range", "fidelity"} | ({"resolution"} if kind == "tflite" else set())
    assert set(answer.checks("warning")) == warned
