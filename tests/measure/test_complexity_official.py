"""The official weights of NTIRE 2022's efficient super-resolution, counted as their own counter did."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pixelproof.measure.complexity import complexity
from pixelproof.measure.worker import Worker

pytestmark = pytest.mark.official

MODELS = {"imdn": "imdn_baseline", "rfdn": "rfdn_baseline", "rlfn": "team04_rlfn"}
FIGURES = ("params", "flops", "activations", "conv_layers")
GraphOf = Callable[[str], Any]


@pytest.fixture(scope="module")
def weights(shared_data: Path) -> Path:
    """The folder of NTIRE 2022's weights and figures."""
    folder = shared_data / "ntire2022_esr"
    if not (folder / "reference.json").is_file():
        pytest.skip(f"needs the weights and figures of NTIRE 2022 in {folder}")
    return folder


@pytest.fixture(scope="module")
def graph_of(tf: Any, weights: Path) -> GraphOf:
    """``graph_of("imdn")``: the frozen graph that convert-model exports."""
    from pixelproof.convert.source import Ends, registered_source
    from pixelproof.models import registry

    made: dict[str, Any] = {}

    def graph(name: str) -> Any:
        if name not in registry.names():
            pytest.skip(f"needs the architecture {name}")
        if name not in made:
            checkpoint = weights / "model_zoo" / f"{MODELS[name]}.pth"
            source = registered_source(
                name, checkpoint, probes=[[(1, 32, 32, 3)]], ends=Ends(), allow_surplus=False
            )
            made[name] = source.graph
        return made[name]

    return graph


@pytest.mark.parametrize("name", MODELS)
def test_the_official_figures_to_the_last_digit(
    shared_worker: Worker, weights: Path, graph_of: GraphOf, tmp_path: Path, name: str
) -> None:
    reference = json.loads((weights / "reference.json").read_text())[MODELS[name]]
    path = tmp_path / "model.pb"
    path.write_bytes(graph_of(name).SerializeToString())
    found = complexity(shared_worker, path, "pb", height=256, width=256)
    assert {key: getattr(found, key) for key in FIGURES} == {key: reference[key] for key in FIGURES}


def test_the_published_figure_of_2024(shared_worker: Worker, graph_of: GraphOf, tmp_path: Path) -> None:
    """RLFN was the baseline of NTIRE 2024, by fvcore 19.67 G (README of github.com/Amazingren/NTIRE2024_ESR)."""
    path = tmp_path / "model.pb"
    path.write_bytes(graph_of("rlfn").SerializeToString())
    found = complexity(shared_worker, path, "pb", height=256, width=256, convention="fvcore")
    assert round(found.flops / 1e9, 2) == 19.67 and round(found.params / 1e6, 3) == 0.317


@pytest.mark.parametrize("name", ["rfdn", "rlfn"])
def test_the_other_formats_say_the_same(
    shared_worker: Worker, weights: Path, graph_of: GraphOf, tmp_path: Path, name: str
) -> None:
    from pixelproof.convert.onnx import to_onnx
    from pixelproof.tflite.converter import to_tflite

    reference = json.loads((weights / "reference.json").read_text())[MODELS[name]]
    graph, paths = graph_of(name), {"onnx": tmp_path / "m.onnx", "tflite": tmp_path / "m.tflite"}
    paths["onnx"].write_bytes(to_onnx(graph, input_name="input", output_name="output"))
    shape = (1, 256, 256, 3)
    paths["tflite"].write_bytes(to_tflite(graph, input_name="input:0", output_name="output:0", shape=shape))
    for kind, path in paths.items():
        found = complexity(shared_worker, path, kind, height=256, width=256)  # type: ignore[arg-type]
        assert {key: getattr(found, key) for key in FIGURES} == {key: reference[key] for key in FIGURES}
