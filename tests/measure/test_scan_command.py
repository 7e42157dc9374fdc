"""``pixelproof scan``: as typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pixelproof.measure import worker_process
from pixelproof.measure.sandbox.outer import Bubblewrap
from pixelproof.safety import SandboxLayer

Call = Callable[..., object]


@pytest.fixture
def scanned(call: Call) -> Callable[..., tuple[int, dict[str, object]]]:
    """``scanned(file, ...)``: exit code and JSON document."""

    def run(*arguments: object) -> tuple[int, dict[str, object]]:
        answer = call("scan", *map(str, arguments), "--json", "-")
        return answer.code, json.loads(answer.out)  # type: ignore[attr-defined]

    return run


@pytest.mark.parametrize("kind", ["pb", "savedmodel", "tflite", "onnx"])
def test_a_good_file_in_every_format(
    scanned: Callable[..., tuple[int, dict]], blurs: dict[str, Path], kind: str
) -> None:
    code, document = scanned(blurs[kind])
    assert code == 0 and document["passed"] is True
    assert document["scan"]["format"] == kind and document["scan"]["nodes"] >= 1
    assert sum(document["scan"]["operations"].values()) == document["scan"]["nodes"]
    assert document["artifact"]["sha256"] and document["sandbox"][0]["name"] == "process"


def test_what_people_see(call: Call, blur: Path) -> None:
    answer = call("scan", str(blur))
    assert answer.code == 0
    for told in ("Conv2D", "MiB of constants", "Nothing in it is refused", f"Next: validate-pb {blur}"):
        assert told in answer.out.replace("\n", " ") or told.replace(" ", "\n") in answer.out


def test_a_refused_file(
    call: Call, scanned: Callable[..., tuple[int, dict]], blur: Path, tmp_path: Path
) -> None:
    evil = tmp_path / "evil.pb"
    evil.write_bytes(b"\n\x12\n\x01r\x12\x08ReadFile*\x00\x1a\x01a" + blur.read_bytes())
    code, document = scanned(evil)
    assert code == 1 and document["passed"] is False
    assert "ReadFile" in document["scan"]["refusals"][0]["found"]
    answer = call("scan", str(evil))
    assert answer.code == 1 and "REFUSED" in answer.out and "Next:" not in answer.out


def test_size_is_looked_at_first(scanned: Callable[..., tuple[int, dict]], blur: Path) -> None:
    code, document = scanned(blur, "--max-mib", "0.0001")
    assert code == 1 and document["scan"]["nodes"] == 0
    assert "MiB to be opened" in document["scan"]["refusals"][0]["rule"]
    assert scanned(blur, "--max-mib", "1")[0] == 0


@pytest.mark.parametrize("data", [b"", b"noise" * 99, b"<!DOCTYPE html><html></html>"])
def test_what_is_no_graph(call: Call, tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "model.pb"
    file.write_bytes(data)
    answer = call("scan", str(file))
    assert answer.code == 2 and answer.err.startswith("Error: ")


def test_missing_walls_are_told_or_refused(call: Call, blur: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = (SandboxLayer("landlock", active=False, detail="old kernel"),)
    monkeypatch.setattr(worker_process, "bubblewrap", lambda: Bubblewrap(None, "switched off"))
    monkeypatch.setattr("pixelproof.measure.worker.greeting_from", lambda header: (header["pid"], absent))
    answer = call("scan", str(blur))
    assert answer.code == 0 and "without walls" in answer.out and "old kernel" in answer.out
    refused = call("scan", str(blur), "--require-sandbox")
    assert refused.code == 3 and "behind Landlock or bubblewrap" in refused.err
