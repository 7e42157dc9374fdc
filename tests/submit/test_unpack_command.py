"""``pixelproof unpack-submission`` as typed: what it prints, its exit codes, the models that it finds."""

from __future__ import annotations

import importlib.util
import io
import json
import shlex
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pixelproof.errors import ArtifactError
from pixelproof.measure.formats import detect_kind
from pixelproof.submit.find_models import find_models
from pixelproof.submit.unpack_command import unpack_submission
from pixelproof.submit.zip_rules import Limits, Rule

DOCS = Path(__file__).resolve().parents[2] / "docs"
TFLITE = b"\x1c\x00\x00\x00TFL3" + bytes(20)


def load_archives() -> Any:
    path = Path(__file__).parents[1] / "hostile" / "archives.py"
    spec = importlib.util.spec_from_file_location("archives", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def zipped(path: Path, files: Mapping[str, bytes]) -> Path:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    path.write_bytes(buffer.getvalue())
    return path


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zip with a model, in the working folder."""
    monkeypatch.chdir(tmp_path)
    return zipped(Path("team 42.zip"), {"nets/model.pb": b"\x0agraph", "readme.txt": b"hello"})


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def flat(text: str) -> str:
    return " ".join(text.split())


def test_unpacks_and_says_what_is_next(call: Callable[..., Any], team: Path) -> None:
    done = call("unpack-submission", str(team), "--out", "team 42")
    assert done.code == 0
    for part in ("2 files, 11 bytes", "nets/model.pb", "readme.txt", "Model: team 42/nets/model.pb (pb)"):
        assert part in flat(done.out)
    next_step = next(line for line in done.out.splitlines() if line.startswith("Next: "))
    words = shlex.split(next_step.removeprefix("Next: "))
    assert words == ["validate-pb", "team 42/nets/model.pb", "--track", "NAME"]
    assert Path(words[1]).read_bytes() == b"\x0agraph"


def test_json_is_one_document(call: Callable[..., Any], team: Path) -> None:
    done = call("unpack-submission", str(team), "--out", "out", "--json", "-")
    document = json.loads(done.out)
    assert (document["schema_version"], document["unpacked"], document["total_bytes"]) == (1, True, 11)
    assert [member["name"] for member in document["members"]] == ["nets/model.pb", "readme.txt"]
    assert document["members"][1]["size_bytes"] == 5
    assert document["models"] == [{"path": "out/nets/model.pb", "format": "pb", "problem": None}]
    assert "Model:" in done.err


def test_json_into_a_file(call: Callable[..., Any], team: Path) -> None:
    assert call("unpack-submission", str(team), "--out", "out", "--json", "told.json").code == 0
    assert json.loads(Path("told.json").read_text())["folder"] == "out"


def test_a_refusal_is_exit_1_with_its_reason(call: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(load_archives().symlink_slip())
    done = call("unpack-submission", str(path), "--out", str(tmp_path / "out"), "--json", "-")
    assert done.code == 1
    refused = json.loads(done.out)["refused"]
    assert refused == {
        "rule": "A member must be a plain file or folder",
        "found": "models, a symbolic link",
        "remedy": "Pack the file itself.",
    }
    assert "Error: A member must be a plain file or folder; found models, a symbolic link." in done.err
    assert not (tmp_path / "out").exists()


def test_no_zip_is_exit_2(call: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("<html>404</html>")
    for name in ("a.zip", "none.zip"):
        assert call("unpack-submission", str(tmp_path / name), "--out", str(tmp_path / "out")).code == 2
    assert call("unpack-submission", str(tmp_path / "a.zip")).code == 2  # no --out


def test_a_full_folder_needs_force(call: Callable[..., Any], team: Path) -> None:
    Path("out").mkdir()
    Path("out/mine.txt").write_text("mine")
    done = call("unpack-submission", str(team), "--out", "out")
    assert done.code == 2
    assert "--force" in done.err
    assert names_in(Path("out")) == ["mine.txt"]
    assert call("unpack-submission", str(team), "--out", "out", "--force").code == 0
    assert names_in(Path("out")) == ["nets", "readme.txt"]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a file system that takes no folders")
def test_a_folder_that_cant_be_written_is_exit_3(call: Callable[..., Any], team: Path) -> None:
    done = call("unpack-submission", str(team), "--out", "/proc/nothing/out")
    assert done.code == 3
    assert "Output must be writable" in done.err


def test_no_model_is_said(call: Callable[..., Any], tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"model.tflite": b"<html>", "model.h5": b"x", "__MACOSX/._m.pb": b"x"})
    done = call("unpack-submission", str(path), "--out", str(tmp_path / "out"))
    assert done.code == 0
    told = flat(done.out)
    assert "No model, in spite of its name: A .tflite file must be a TFLite flatbuffer" in told
    assert "There is no .pb, .tflite, .onnx or SavedModel in it to judge." in told
    assert "Next:" not in told


def test_square_brackets_in_names_stay_text(call: Callable[..., Any], tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"[bold]model[/red].pb": b"x"})
    done = call("unpack-submission", str(path), "--out", str(tmp_path / "out"))
    assert done.code == 0
    assert "[bold]model[/red].pb" in done.out


# Models


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"model.pb": b"x"}, {"model.pb": "pb"}),
        ({"a/m.tflite": TFLITE, "m.ONNX": b"x"}, {"a/m.tflite": "tflite", "m.ONNX": "onnx"}),
        (
            {
                "model/saved_model.pb": b"x",
                "model/fingerprint.pb": b"x",
                "model/variables/variables.index": b"",
                "model/assets/other.onnx": b"x",
                "small.tflite": TFLITE,
            },
            {"model": "savedmodel", "small.tflite": "tflite"},
        ),
        ({"saved_model.pb": b"x", "variables/variables.index": b""}, {".": "savedmodel"}),
        ({"empty.pb": b"", "none.tflite": b"x"}, {"empty.pb": None, "none.tflite": None}),
        ({"__MACOSX/model.pb": b"x", "a/._model.pb": b"x", "notes.txt": b"x"}, {}),
    ],
)
def test_models_are_found(files: dict[str, bytes], expected: dict[str, str | None], tmp_path: Path) -> None:
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    found = find_models(tmp_path, files)
    assert {m.path.relative_to(tmp_path).as_posix(): m.format for m in found} == expected
    assert all(bool(m.problem) == (m.format is None) for m in found)


def test_a_zip_for_an_artifact_gets_the_way_out(tmp_path: Path) -> None:
    path = zipped(tmp_path / "model.zip", {"model.pb": b"x"})
    with pytest.raises(ArtifactError, match="Unpack it: pixelproof unpack-submission FILE --out DIR"):
        detect_kind(path)
    (tmp_path / "model.h5").write_bytes(b"x")
    with pytest.raises(ArtifactError, match="Export it first"):
        detect_kind(tmp_path / "model.h5")


# The page


@pytest.mark.skipif(not DOCS.is_dir(), reason="the pages are in the checkout only")
def test_the_page_names_every_rule_limit_and_option() -> None:
    page = (DOCS / "unpack.md").read_text(encoding="utf-8")
    for rule in Rule:
        assert f"| {rule.value} |" in page, rule
    for value in (Limits().members, Limits().ratio, Limits().name_bytes, Limits().part_bytes, Limits().depth):
        assert str(value) in page
    for parameter in unpack_submission.params:
        for option in parameter.opts:
            assert option.startswith("--") is False or f"`{option}" in page, option
