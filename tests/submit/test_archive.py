"""The zip's bytes depend on its contents alone, and nothing in it can change unnoticed."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pixelproof.challenge import Format, Submission
from pixelproof.errors import ChallengeError, SubmissionRefused
from pixelproof.report import dump_json
from pixelproof.submit.archive import (
    MANIFEST,
    describe,
    model_contents,
    model_root,
    verify_zip,
    write_zip,
)
from pixelproof.submit.manifest import Figures, Manifest, PackedModel, Team


def submission(member: str, *formats: Format) -> Submission:
    return Submission(formats=formats, model_member=member, required_checks=())


@pytest.mark.parametrize(
    ("member", "formats", "kind", "root"),
    [
        ("model.pb", ("pb",), "pb", "model.pb"),
        ("model", ("pb",), "pb", "model"),
        ("model.bin", ("onnx",), "onnx", "model.bin"),
        ("model.pb", ("pb",), "tflite", "model.tflite"),
        ("model.pb", ("pb", "savedmodel"), "savedmodel", "model"),
        ("model.pb", ("pb", "savedmodel"), "pb", "model.pb"),
        ("nets/model", ("pb", "savedmodel"), "pb", "nets/model.pb"),
        ("model.v2", ("pb", "onnx"), "onnx", "model.v2.onnx"),
    ],
)
def test_model_root(member: str, formats: tuple[Format, ...], kind: str, root: str) -> None:
    assert model_root(submission(member, *formats), kind=kind, where="c.toml") == root


@pytest.mark.parametrize(
    "member",
    [
        "/etc/model.pb",
        "../model.pb",
        "a/../b.pb",
        "a\\b.pb",
        "c:model.pb",
        "",
        ".",
        "a//b.pb",
        "a\nb.pb",
        "report.json",
        "manifest.json/model.pb",
    ],
)
def test_a_hostile_member_is_the_challenges_fault(member: str) -> None:
    with pytest.raises(ChallengeError, match=r"c\.toml: submission\.model_member"):
        model_root(submission(member, "pb"), kind="pb", where="c.toml")


def test_plain_headers(tmp_path: Path) -> None:
    source = tmp_path / "m"
    source.write_bytes(b"model")
    source.chmod(0o700)
    path = tmp_path / "a.zip"
    write_zip(path, {"z": b"last", "a/b": b"first", "m": source})
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        assert [info.filename for info in infos] == ["a/b", "m", "z"]
        for info in infos:
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            assert info.external_attr >> 16 == 0o100644
            assert (info.extra, info.comment, info.create_system) == (b"", b"", 3)
            assert info.compress_type == zipfile.ZIP_STORED
            assert info.flag_bits == 0
        assert archive.testzip() is None
        assert archive.read("m") == b"model"


def test_order_times_and_permissions_leave_no_trace(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"same")
    two.write_bytes(b"same")
    two.chmod(0o600)
    os.utime(two, (10**9, 10**9))
    write_zip(tmp_path / "1.zip", {"x": one, "y": b"y"})
    write_zip(tmp_path / "2.zip", {"y": b"y", "x": two})
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def packed(tmp_path: Path) -> tuple[Path, Manifest, dict[str, bytes | Path]]:
    model = tmp_path / "saved"
    (model / "variables").mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"graph")
    (model / "variables" / "variables.index").write_bytes(b"index")
    contents: dict[str, bytes | Path] = {**model_contents(model, "model"), "report.json": b"{}"}
    from pixelproof.measure.formats import artifact_at

    artifact = artifact_at(model)
    manifest = Manifest(
        challenge="c",
        track="t",
        rules_sha256="",
        team=Team("1", "n"),
        model=PackedModel("model", "savedmodel", artifact.size_bytes, artifact.sha256),
        members=describe(contents),
        figures_of="challenge",
        figures=Figures(),
        forced=(),
        pixelproof="0",
    )
    path = tmp_path / "a.zip"
    contents[MANIFEST] = dump_json(manifest.to_json()).encode()
    write_zip(path, contents)
    return path, manifest, contents


def test_a_tree_reads_back(tmp_path: Path) -> None:
    path, manifest, _ = packed(tmp_path)
    (tmp_path / "back").mkdir()
    model = verify_zip(path, expected=manifest, folder=tmp_path / "back")
    assert (model / "saved_model.pb").read_bytes() == b"graph"
    assert (model / "variables" / "variables.index").read_bytes() == b"index"
    assert not (tmp_path / "back" / "report.json").exists()


def _missing(contents: dict[str, bytes | Path]) -> None:
    del contents["report.json"]


def _surplus(contents: dict[str, bytes | Path]) -> None:
    contents["extra"] = b""


def _changed(contents: dict[str, bytes | Path]) -> None:
    contents["model/saved_model.pb"] = b"grapf"


def _other_manifest(contents: dict[str, bytes | Path]) -> None:
    contents[MANIFEST] = b"{}"


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        (_missing, "the members"),
        (_surplus, "the members"),
        (_changed, r"other bytes in model/saved_model\.pb"),
        (_other_manifest, "another manifest"),
    ],
)
def test_any_change_is_noticed(
    tmp_path: Path, tamper: Callable[[dict[str, bytes | Path]], None], found: str
) -> None:
    path, manifest, contents = packed(tmp_path)
    tamper(contents)
    write_zip(path, contents)
    (tmp_path / "back").mkdir()
    with pytest.raises(SubmissionRefused, match=found):
        verify_zip(path, expected=manifest, folder=tmp_path / "back")


def test_a_flipped_byte_and_half_a_zip_are_noticed(tmp_path: Path) -> None:
    path, manifest, _ = packed(tmp_path)
    whole = path.read_bytes()
    at = whole.index(b"graph")
    for number, damaged in enumerate((whole[:at] + b"G" + whole[at + 1 :], whole[: len(whole) // 2])):
        path.write_bytes(damaged)
        folder = tmp_path / f"back{number}"
        folder.mkdir()
        with pytest.raises(SubmissionRefused, match="read back"):
            verify_zip(path, expected=manifest, folder=folder)


def test_another_model_hash_is_noticed(tmp_path: Path) -> None:
    path, manifest, contents = packed(tmp_path)
    lying = replace(manifest, model=replace(manifest.model, sha256="0" * 64))
    contents[MANIFEST] = dump_json(lying.to_json()).encode()
    write_zip(path, contents)
    (tmp_path / "back").mkdir()
    with pytest.raises(SubmissionRefused, match="another model"):
        verify_zip(path, expected=lying, folder=tmp_path / "back")
