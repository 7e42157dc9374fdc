"""Which checkpoint a path means; no TensorFlow needed."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from pixelproof.errors import CheckpointError
from pixelproof.models.checkpoints.locate import locate

TABLE = b"a table" + bytes.fromhex("57fb808b247547db")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A V2 checkpoint with its graph, in a folder of its own."""
    for name in ("m.ckpt-7.index", "m.ckpt-7.data-00000-of-00001", "m.ckpt-7.meta"):
        (tmp_path / name).write_bytes(TABLE)
    return tmp_path


@pytest.mark.parametrize("suffix", ["", ".index", ".data-00000-of-00001", ".meta"])
def test_any_file_of_a_checkpoint_means_the_checkpoint(folder: Path, suffix: str) -> None:
    located = locate(folder / f"m.ckpt-7{suffix}")
    assert (located.kind, located.path) == ("tf1-v2", folder / "m.ckpt-7")
    assert [file.name for file in located.files] == ["m.ckpt-7.index", "m.ckpt-7.data-00000-of-00001"]


def test_a_folder_with_one_checkpoint(folder: Path) -> None:
    (folder / "notes.txt").write_text("not a checkpoint")
    assert locate(folder).path == folder / "m.ckpt-7"


def test_a_folder_with_several_needs_a_name_or_a_state_file(folder: Path) -> None:
    for name in ("m.ckpt-12.index", "m.ckpt-12.data-00000-of-00001"):
        (folder / name).write_bytes(TABLE)
    with pytest.raises(CheckpointError, match=r"exactly one checkpoint.*found m\.ckpt-12, m\.ckpt-7"):
        locate(folder)
    state = folder / "checkpoint"
    state.write_text(
        'model_checkpoint_path: "/another/machine/m.ckpt-7"\n'
        'all_model_checkpoint_paths: "/another/machine/m.ckpt-12"\n'
    )
    assert locate(folder).path == folder / "m.ckpt-7"
    assert locate(state).path == folder / "m.ckpt-7"
    state.write_text('model_checkpoint_path: "m.ckpt-99"\n')
    with pytest.raises(CheckpointError, match=r"naming m\.ckpt-99\. There is: m\.ckpt-12, m\.ckpt-7"):
        locate(folder)
    state.write_text("nothing of use")
    with pytest.raises(CheckpointError, match="without a model_checkpoint_path"):
        locate(folder)


def test_a_state_file_with_letters_beyond_ascii(tmp_path: Path) -> None:
    for name in ("größe.index", "größe.data-00000-of-00001"):
        (tmp_path / name).write_bytes(TABLE)
    (tmp_path / "checkpoint").write_text(r'model_checkpoint_path: "gr\303\266\303\237e"' + "\n")
    assert locate(tmp_path).path == tmp_path / "größe"


@pytest.mark.parametrize("named", ["m.ckpt-7", "m.ckpt-7.index"])
def test_an_index_without_data(folder: Path, named: str) -> None:
    (folder / "m.ckpt-7.data-00000-of-00001").unlink()
    with pytest.raises(CheckpointError, match=r"index without m\.ckpt-7\.data-00000-of-00001\. Put "):
        locate(folder / named)


@pytest.mark.parametrize("named", ["m.ckpt-7", "m.ckpt-7.data-00000-of-00001", ""])
def test_data_without_an_index(folder: Path, named: str) -> None:
    (folder / "m.ckpt-7.index").unlink()
    with pytest.raises(CheckpointError, match=r"00001 without m\.ckpt-7\.index"):
        locate(folder / named)


def test_a_missing_shard_is_named(folder: Path) -> None:
    (folder / "m.ckpt-7.data-00000-of-00001").rename(folder / "m.ckpt-7.data-00002-of-00003")
    with pytest.raises(CheckpointError, match=r"data-00000-of-00003, m\.ckpt-7\.data-00001-of-00003\. Put"):
        locate(folder / "m.ckpt-7")


@pytest.mark.parametrize("named", ["m.ckpt-7", "m.ckpt-7.meta"])
def test_a_meta_alone(folder: Path, named: str) -> None:
    (folder / "m.ckpt-7.index").unlink()
    (folder / "m.ckpt-7.data-00000-of-00001").unlink()
    with pytest.raises(CheckpointError, match=r"meta alone, which holds only the training graph"):
        locate(folder / named)


def test_the_old_single_file_and_its_shards(tmp_path: Path) -> None:
    (tmp_path / "one.ckpt").write_bytes(TABLE)
    (tmp_path / "one.ckpt.meta").write_bytes(b"graph")
    for name in ("one.ckpt", "one.ckpt.meta", ""):
        assert locate(tmp_path / name).kind == "tf1-v1"
    shards = tmp_path / "shards"
    shards.mkdir()
    for place in range(2):
        (shards / f"two-0000{place}-of-00002").write_bytes(TABLE)
    for name in ("two", "two-00001-of-00002", ""):
        located = locate(shards / name)
        assert (located.kind, located.path, len(located.files)) == ("tf1-v1", shards / "two", 2)


def test_content_counts_more_than_the_suffix(tmp_path: Path) -> None:
    (tmp_path / "renamed").write_bytes(TABLE)
    assert locate(tmp_path / "renamed").kind == "tf1-v1"
    (tmp_path / "weights").write_bytes(b"\x89HDF\r\n\x1a\n and more")
    assert locate(tmp_path / "weights").kind == "weights.h5"
    with zipfile.ZipFile(tmp_path / "model", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", "")
    assert locate(tmp_path / "model").kind == "keras"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the empty file"),
        (b"hello, I am text\nand more", "a text file that begins"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"\x00\x01\x02" * 50, "150 bytes of an unknown format"),
        (b"PK\x03\x04 cut", "a zip archive of another kind"),
    ],
)
def test_unknown_kinds_list_the_supported_ones(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "odd.ckpt").write_bytes(content)
    with pytest.raises(CheckpointError, match=said) as caught:
        locate(tmp_path / "odd.ckpt")
    assert not content or ".index with .data" in str(caught.value)


def test_an_artifact_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "model.pb").write_bytes(b"\n\x11\x00graph")
    with pytest.raises(CheckpointError, match=r"a \.pb file, which is an artifact"):
        locate(tmp_path / "model.pb")


def test_pytorch_files_are_known_by_their_content(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")
    with zipfile.ZipFile(tmp_path / "new", "w") as archive:
        archive.writestr("archive/data.pkl", "")
    (tmp_path / "tensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    assert [locate(tmp_path / name).kind for name in ("old", "new", "tensors")] == [
        "torch",
        "torch",
        "safetensors",
    ]


def test_nothing_there_offers_what_is_near(folder: Path) -> None:
    with pytest.raises(CheckpointError, match=r"Did you mean m\.ckpt-7\?"):
        locate(folder / "m.ckpt-1")
    with pytest.raises(CheckpointError, match=r"In that folder: m\.ckpt-7\."):
        locate(folder / "unlike")
    with pytest.raises(CheckpointError, match="no folder"):
        locate(folder / "nowhere" / "m")


def test_folders_without_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="found no checkpoint"):
        locate(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="the SavedModel"):
        locate(tmp_path)
