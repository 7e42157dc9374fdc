"""SavedModel folders, TFLite and ONNX files, and archives from strangers: the verdict, and nothing else happens."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import hostile_archives as archives
import hostile_onnxes as onnxes
import hostile_saved_models as saved_models
import hostile_tflites as tflites
import pytest
from hostile_arena import Answer, Arena, Row

from pixelproof.submit.zip_rules import Rule

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="links, pipes, limits and walls as on Linux")


def saved_model(name: str, says: str, *, code: int = 1, failed: str = "allowed") -> Row:
    def write(arena: Arena) -> Path:
        return saved_models.BUILDERS[name](arena.box / "model", arena.secret, arena.outside)

    return Row(name, write, code, failed, says)


SAVED_MODELS = [
    saved_model("initialiser_of_an_object", "an object with an initialiser of its own"),
    saved_model("initialiser_of_the_graph", "an initialiser: node WriteFile"),
    saved_model("asset", "an asset: assets/words.txt"),
    saved_model("asset_elsewhere", r"an asset: (\.\./)+outside/secret\.txt"),
    saved_model("reading", "ReadFile, which reads files of the machine"),
    saved_model("writing_variables", "A signature must be one that can be frozen: "),
    saved_model("saver_called", "a call of a saver: node sneaky"),
    saved_model("two_graphs", "2 meta-graphs"),
    saved_model("without_signature", "no signature"),
    saved_model("noise", r"A SavedModel must be complete; found model: saved_model\.pb", code=2, failed=""),
    saved_model("weights_as_a_link", r"a symbolic link: variables/variables\.data"),
    saved_model("folder_as_a_link", "a symbolic link: variables"),
    saved_model("weights_cut", "A SavedModel must be complete; found model", code=2, failed=""),
    saved_model("with_fifo", r"more\.index, a special file"),
    saved_model("fifo_as_graph", "whose saved_model.pb is no regular file", code=2, failed=""),
    saved_model("with_device", "zeros, a special file"),
    saved_model("undecodable_member", "", code=0, failed=""),
    saved_model("deep_folders", "more than 8 levels"),
]


def one_file(suffix: str, builders: Mapping[str, Callable[[], bytes]]) -> Callable[..., Row]:
    def row(name: str, says: str, *, code: int = 1, failed: str = "allowed", time_limit_s: float = 20) -> Row:
        def write(arena: Arena) -> Path:
            path = arena.box / f"model.{suffix}"
            path.write_bytes(builders[name]())
            return path

        return Row(name, write, code, failed, says, time_limit_s=time_limit_s)

    return row


tflite = one_file("tflite", tflites.BUILDERS)
NO_TFLITE = r"must be a TFLite flatbuffer; found model\.tflite"
TFLITES = [
    tflite("custom", "CUSTOM ReadSecret"),
    tflite("flex", "FlexReadFile"),
    tflite("custom_unused", "CUSTOM ReadSecret"),
    tflite("no_such_code", "builtin code 32000"),
    tflite("mutated", NO_TFLITE, code=2, failed=""),
    tflite("truncated", NO_TFLITE, code=2, failed=""),
    tflite("pointing_outside", NO_TFLITE, code=2, failed=""),
    tflite("mark_alone", NO_TFLITE, code=2, failed=""),
    tflite("tensor_beyond", "tensors of their subgraph"),
    tflite("huge_tensor", "between"),
    tflite("short_weights", "400 bytes, stored 4"),
    tflite("weights_elsewhere", "in the file"),
    tflite("called_once", "CALL_ONCE"),
    tflite("recursion", "without circles"),
    tflite("endless", "no answer after 2 s", failed="runs", time_limit_s=2),
    tflite("control_name", "", code=0, failed=""),
]

onnx = one_file("onnx", onnxes.BUILDERS)
NO_ONNX = r"must hold an ONNX model; found model\.onnx"
ONNXES = [
    onnx("external_by_dots", r"external data: factor in \.\./outside/secret\.txt"),
    onnx("external_absolute", "external data: factor in /etc/passwd"),
    onnx("external_in_memory", "external data"),
    onnx("custom", "strange.ReadSecret"),
    onnx("of_the_runtime", "onnxruntime's own"),
    onnx("unknown", "NoSuchOperation"),
    onnx("splat", "1,099,511,627,776"),
    onnx("overflow", "more elements than can be counted"),
    onnx("recursion", "a function that calls itself"),
    onnx("configured", "ort_config"),
    onnx("cycle", "not acyclic", failed="loads"),
    onnx("endless", "no answer after 2 s", failed="runs tensors", time_limit_s=2),
    onnx("truncated", NO_ONNX, code=2, failed=""),
    onnx("page", NO_ONNX, code=2, failed=""),
    onnx("control_name", "", code=0, failed=""),
    Row("external_by_link", lambda arena: onnxes.through_a_link(arena.box, arena.secret), 1, "allowed",
        "external data: factor in weights.bin"),
]  # fmt: skip

Harmless = Callable[[str], AbstractContextManager[list[Answer]]]
needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may make a device"
)


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, marks=needs_root if row.name == "with_device" else ()) for row in SAVED_MODELS],
    ids=lambda row: row.name,
)
def test_a_saved_model_is_refused(row: Row, survives: Callable[[Row], Answer]) -> None:
    survives(row)


@pytest.mark.parametrize("row", TFLITES, ids=lambda row: row.name)
def test_a_tflite_file_is_judged(row: Row, survives: Callable[[Row], Answer]) -> None:
    survives(row)


@pytest.mark.parametrize("row", ONNXES, ids=lambda row: row.name)
def test_an_onnx_file_is_judged(row: Row, survives: Callable[[Row], Answer]) -> None:
    survives(row)


@pytest.mark.parametrize(
    "row",
    [SAVED_MODELS[0], TFLITES[0], ONNXES[0]],
    ids=["saved_model", "tflite", "onnx"],
)
def test_the_same_without_bubblewrap(
    row: Row, survives: Callable[[Row], Answer], without_bubblewrap: None
) -> None:
    survives(row)


ZIPS = {
    "slip": "parent",
    "absolute": "absolute",
    "symlink": "link_and_file_through_it",
    "duplicate": "twice",
    "bomb": "bomb",
    "overlap": "quoted_overlap",
    "lying_size": "lying_bomb",
}


@pytest.mark.parametrize("name", ZIPS)
def test_an_archive_is_refused(
    name: str, arena: Arena, typed: Callable[..., Answer], harmless: Harmless
) -> None:
    hostile = archives.HOSTILE[ZIPS[name]]
    path = arena.box / "submission.zip"
    path.write_bytes(hostile.build())
    team = arena.root / "team"
    team.mkdir()
    with harmless("tflite") as told:
        answer = typed("unpack-submission", path, "--out", team / "out", report=arena.root / "report.json")
        told.append(answer)
    assert list(team.iterdir()) == []
    assert answer.code == 1
    assert answer.report is not None and answer.report["unpacked"] is False
    refused = answer.report["refused"]
    assert refused["rule"] == Rule[hostile.rule].value
    assert f"{refused['rule']}; found {refused['found']}" in answer.err
    assert answer.seconds < 10


def test_every_file_has_a_row() -> None:
    tables: list[tuple[list[Row], Mapping[str, Any]]] = [
        (SAVED_MODELS, saved_models.BUILDERS), (TFLITES, tflites.BUILDERS), (ONNXES, onnxes.BUILDERS)
    ]  # fmt: skip
    for rows, builders in tables:
        assert {row.name for row in rows} - {"external_by_link"} == set(builders) - {"good"}
