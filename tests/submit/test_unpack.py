"""Unpacking: what ordinary writers make comes out as it went in; what lies is refused, and nothing is left."""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import io
import os
import random
import shutil
import stat
import subprocess
import time
import tracemalloc
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pixelproof.errors import CallError, EnvironmentFault, InputError, PixelproofError, SubmissionRefused
from pixelproof.submit import unpack
from pixelproof.submit.unpack import Limits, Rule, Unpacked, unpack_submission

MIB = 1024 * 1024


def load_archives() -> ModuleType:
    path = Path(__file__).parents[1] / "hostile" / "archives.py"
    spec = importlib.util.spec_from_file_location("archives", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


zips = load_archives()


@pytest.fixture
def unpacked(tmp_path: Path) -> Callable[..., Unpacked]:
    """Unpack these bytes into ``tmp_path/"box"/"out"``."""

    def run(data: bytes, **options: Any) -> Unpacked:
        path = tmp_path / "a.zip"
        path.write_bytes(data)
        (tmp_path / "box").mkdir(exist_ok=True)
        return unpack_submission(path, tmp_path / "box" / "out", **options)

    return run


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every file's bytes and every folder (None) below a folder, hidden ones included."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")
    }


def files(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in tree(folder).items() if data is not None}


def as_zipfile_reads(data: bytes) -> dict[str, bytes]:
    """The files in an ordinary zip, by Python's reader, UTF-8 names without the flag included."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {
            info.filename
            if info.flag_bits & 0x800
            else info.orig_filename.encode("cp437").decode(): archive.read(info)
            for info in archive.infolist()
            if not info.is_dir()
        }


# What is refused


@pytest.mark.parametrize("name", zips.HOSTILE)
def test_hostile_zips_are_refused_and_leave_nothing(
    name: str, tmp_path: Path, unpacked: Callable[..., Unpacked]
) -> None:
    rule, build = zips.HOSTILE[name]
    before = build()
    with pytest.raises(SubmissionRefused) as refusal:
        unpacked(before)
    assert refusal.value.rule == Rule[rule].value, refusal.value
    assert refusal.value.exit_code == 1
    assert refusal.value.found and refusal.value.remedy
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 500
    assert tree(tmp_path) == {"a.zip": before, "box": None}


def test_every_rule_has_a_hostile_zip() -> None:
    assert {hostile.rule for hostile in zips.HOSTILE.values()} == {rule.name for rule in Rule}


@pytest.mark.parametrize("name", ["quoted_overlap", "shared_data"])
def test_overlaps_are_such_that_zipfile_reads_them(name: str) -> None:
    with zipfile.ZipFile(io.BytesIO(zips.HOSTILE[name].build())) as archive:
        assert len(archive.infolist()) == 2
        assert archive.testzip() is None


@pytest.mark.parametrize("name", ["nul_in_name", "twice", "link", "unlisted_member", "bomb"])
def test_members_are_named(name: str, unpacked: Callable[..., Unpacked]) -> None:
    with pytest.raises(SubmissionRefused) as refusal:
        unpacked(zips.HOSTILE[name].build())
    assert "model.pb" in refusal.value.found


@pytest.mark.parametrize("name", zips.NO_ZIPS)
def test_no_zips(name: str, tmp_path: Path, unpacked: Callable[..., Unpacked]) -> None:
    with pytest.raises(InputError, match="A submission must be a zip") as error:
        unpacked(zips.NO_ZIPS[name])
    assert error.value.exit_code == 2
    assert tree(tmp_path / "box") == {}


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.zip")
    (tmp_path / "folder.zip").mkdir()
    for name, found in (
        ("pipe.zip", "a device or pipe"),
        ("folder.zip", "a folder"),
        ("none.zip", "No such"),
    ):
        with pytest.raises(InputError, match=found):
            unpack_submission(tmp_path / name, tmp_path / "out")
    with pytest.raises(InputError, match="File name too long"):
        unpack_submission(tmp_path / ("n" * 300), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("limits", "rule"),
    [
        (Limits(members=3), Rule.MEMBERS),
        (Limits(total_bytes=1000), Rule.TOTAL),
        (Limits(ratio=1), None),
        (Limits(name_bytes=20), Rule.NAME_LENGTH),
        (Limits(part_bytes=12), Rule.NAME_LENGTH),
        (Limits(depth=3), Rule.NAME_LENGTH),
        (Limits(directory_bytes=100), Rule.DIRECTORY),
    ],
)
def test_limits_are_kept(limits: Limits, rule: Rule | None, unpacked: Callable[..., Unpacked]) -> None:
    if rule is None:
        unpacked(zips.python_zip(), limits=limits)
        return
    with pytest.raises(SubmissionRefused) as refusal:
        unpacked(zips.python_zip(), limits=limits)
    assert refusal.value.rule == rule.value


def test_total_is_exact(unpacked: Callable[..., Unpacked]) -> None:
    total = sum(len(data) for data in zips.FILES.values())
    assert unpacked(zips.python_zip(), limits=Limits(total_bytes=total)).total_bytes == total
    with pytest.raises(SubmissionRefused, match=f"{total} bytes where at most {total - 1}"):
        unpacked(zips.python_zip(), limits=Limits(total_bytes=total - 1), replace=True)


# What comes out


@pytest.mark.parametrize("name", zips.ORDINARY)
def test_ordinary_zips_come_out_as_zipfile_reads_them(
    name: str, tmp_path: Path, unpacked: Callable[..., Unpacked]
) -> None:
    data = zips.ORDINARY[name]()
    found = unpacked(data)
    expected = as_zipfile_reads(data)
    assert expected
    assert files(tmp_path / "box" / "out") == expected
    assert [member.name for member in found.members] == sorted(expected)
    for member in found.members:
        assert member.size_bytes == len(expected[member.name])
        assert member.sha256 == hashlib.sha256(expected[member.name]).hexdigest()
    assert found.total_bytes == sum(map(len, expected.values()))
    assert found.folder == tmp_path / "box" / "out"


def test_folders_without_files_come_out_too(tmp_path: Path, unpacked: Callable[..., Unpacked]) -> None:
    unpacked(zips.finder_zip())
    assert tree(tmp_path / "box")["out/__MACOSX/sub"] is None
    unpacked(zips.build(zips.Part(), zips.Part(b"empty/", b"", attributes=zips.FOLDER)), replace=True)
    assert sorted(tree(tmp_path / "box")) == ["out", "out/empty", "out/model.pb"]


@pytest.mark.skipif(not shutil.which("zip"), reason="needs Info-ZIP's zip")
@pytest.mark.parametrize(
    "options", ["-r a.zip .", "-0 -r a.zip .", "-9 -D -r a.zip .", "-X -r a.zip .", "-r - .", "-z -r a.zip ."]
)
def test_info_zip(options: str, tmp_path: Path, unpacked: Callable[..., Unpacked]) -> None:
    data = outside(["zip", "-q", *options.split()], tmp_path)
    unpacked(data)
    assert files(tmp_path / "box" / "out") == zips.FILES


@pytest.mark.skipif(not shutil.which("zip"), reason="needs Info-ZIP's zip")
def test_info_zip_of_its_input(tmp_path: Path, unpacked: Callable[..., Unpacked]) -> None:
    (tmp_path / "graph").write_bytes(zips.GRAPH)
    with (tmp_path / "graph").open("rb") as stream:
        whole = subprocess.run(["zip", "-q", "-", "-"], stdin=stream, capture_output=True, check=True).stdout
    unpacked(whole)
    assert files(tmp_path / "box" / "out") == {"-": zips.GRAPH}


@pytest.mark.skipif(not shutil.which("zip"), reason="needs Info-ZIP's zip")
@pytest.mark.parametrize(("target", "rule"), [("-", Rule.PLAIN), ("b.zip", Rule.ZIP64_END)])
def test_info_zip_of_a_pipe_marks_it_as_one(
    target: str, rule: Rule, tmp_path: Path, unpacked: Callable[..., Unpacked]
) -> None:
    command = ["zip", "-q", target, "-"]
    done = subprocess.run(command, cwd=tmp_path, input=zips.GRAPH, capture_output=True, check=True)
    made = tmp_path / target
    with pytest.raises(SubmissionRefused) as refusal:
        unpacked(made.read_bytes() if made.exists() else done.stdout)
    assert refusal.value.rule == rule.value


@pytest.mark.skipif(not shutil.which("jar"), reason="needs Java's jar")
@pytest.mark.parametrize("options", ["cMf a.zip .", "c0Mf a.zip ."])
def test_java(options: str, tmp_path: Path, unpacked: Callable[..., Unpacked]) -> None:
    unpacked(outside(["jar", *options.split()], tmp_path))
    assert files(tmp_path / "box" / "out") == zips.FILES


def outside(command: list[str], tmp_path: Path) -> bytes:
    """The zip that a program writes of `FILES`, to ``a.zip`` or its output."""
    source = tmp_path / "source"
    for name, data in zips.FILES.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(data)
    done = subprocess.run(command, cwd=source, capture_output=True, input=b"a comment\n.\n", check=True)
    made = source / "a.zip"
    return made.read_bytes() if made.exists() else done.stdout


def test_what_package_submission_writes(desk: Any, tmp_path: Path) -> None:
    packed = desk.pack(link="https://example.org/model.pb")
    found = unpack_submission(desk.out, tmp_path / "back")
    listed = {member.name: member for member in found.members}
    assert listed.pop("manifest.json").size_bytes > 100
    assert tuple(listed.values()) == packed.manifest.members
    assert (tmp_path / "back" / "model.pb").read_bytes() == desk.model.read_bytes()


NAMES = st.text(st.characters(categories=["L", "N"], include_characters="._- "), min_size=1, max_size=12).map(
    lambda text: "x" + text + "x"
)
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=4).map("/".join),
    st.binary(max_size=200).map(lambda data: b"." + data),
    min_size=1,
    max_size=8,
).filter(lambda files: one_place_each(list(files)))


def one_place_each(names: list[str]) -> bool:
    """Whether no file is a folder of another and no two spellings meet."""
    folded = [unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", n).casefold()) for n in names]
    prefixes = {n.rsplit("/", depth)[0] for n in folded for depth in range(1, n.count("/") + 1)}
    spelt = {part for name in names for part in name.split("/")}
    keys = {unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", p).casefold()) for p in spelt}
    return len(set(folded)) == len(names) and not prefixes & set(folded) and len(keys) == len(spelt)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(made=TREES, method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]), streamed=st.booleans())
def test_any_tree_comes_out_whole(
    made: dict[str, bytes], method: int, streamed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("tree")
    (folder / "a.zip").write_bytes(zips.python_zip(made, method=method, streamed=streamed))
    unpack_submission(folder / "a.zip", folder / "out")
    assert files(folder / "out") == made


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_modes_and_times_are_plain(mask: int, tmp_path: Path, unpacked: Callable[..., Unpacked]) -> None:
    parts = (
        zips.Part(b"nets/run.sh", attributes=0o106777 << 16),
        zips.Part(b"nets/", b"", attributes=0o041777 << 16),
        zips.Part(b"secret", attributes=0o100000 << 16),
    )
    old = os.umask(mask)
    try:
        unpacked(zips.build(*parts))
    finally:
        os.umask(old)
    out = tmp_path / "box" / "out"
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (out, *out.rglob("*"))}
    assert modes == {"out": 0o777 & ~mask, "nets": 0o755, "run.sh": 0o644, "secret": 0o644}
    assert all(abs(p.stat().st_mtime - time.time()) < 600 for p in out.rglob("*"))


# Where it goes


def test_an_empty_folder_is_filled(tmp_path: Path, unpacked: Callable[..., Unpacked]) -> None:
    (tmp_path / "box" / "out").mkdir(parents=True)
    unpacked(zips.python_zip())
    assert files(tmp_path / "box" / "out") == zips.FILES


def test_a_full_folder_is_kept_unless_told(tmp_path: Path, unpacked: Callable[..., Unpacked]) -> None:
    kept = tmp_path / "box" / "out" / "mine.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("mine")
    with pytest.raises(CallError, match="--force"):
        unpacked(zips.python_zip())
    with pytest.raises(SubmissionRefused):
        unpacked(zips.HOSTILE["other_checksum_in_both"].build(), replace=True)
    assert tree(tmp_path / "box") == {"out": None, "out/mine.txt": b"mine"}
    unpacked(zips.python_zip(), replace=True)
    assert files(tmp_path / "box" / "out") == zips.FILES


def test_a_file_stands_there(tmp_path: Path, unpacked: Callable[..., Unpacked]) -> None:
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "out").write_text("mine")
    with pytest.raises(CallError, match="a file"):
        unpacked(zips.python_zip(), replace=True)
    assert tree(tmp_path / "box") == {"out": b"mine"}


def test_folders_that_must_not_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unpacked: Callable[..., Unpacked]
) -> None:
    here = tmp_path / "box" / "out"
    (here / "deep").mkdir(parents=True)
    path = here / "a.zip"
    path.write_bytes(zips.python_zip())
    with pytest.raises(CallError, match=r"a\.zip"):
        unpack_submission(path, here, replace=True)
    path.rename(tmp_path / "b.zip")
    monkeypatch.chdir(here / "deep")
    for folder in (here, Path(), Path("..")):
        with pytest.raises(CallError, match="which holds"):
            unpack_submission(tmp_path / "b.zip", folder, replace=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os.path, "ismount", lambda path: path == here)
    with pytest.raises(CallError, match="a mount point"):
        unpack_submission(tmp_path / "b.zip", here, replace=True)
    assert here.is_dir()


def test_a_name_that_no_folder_can_have(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zips.python_zip())
    for length in (240, 300):  # the folder itself has room for the first, the temporary one beside it has not
        with pytest.raises(EnvironmentFault, match="File name too long"):
            unpack_submission(tmp_path / "a.zip", tmp_path / ("n" * length))
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]


def test_a_link_to_a_folder_is_followed(tmp_path: Path, unpacked: Callable[..., Unpacked]) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "out").symlink_to(tmp_path / "real")
    unpacked(zips.python_zip())
    assert (tmp_path / "box" / "out").is_symlink()
    assert files(tmp_path / "real") == zips.FILES


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), EnvironmentFault),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_what_stops_halfway_leaves_nothing(
    raised: BaseException,
    expected: type[BaseException],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    unpacked: Callable[..., Unpacked],
) -> None:
    blocks = unpack.checked_blocks

    def stopping(stream: Any, entry: Any) -> Iterator[bytes]:
        yield from blocks(stream, entry)
        if entry.name == "nets/saved/saved_model.pb":
            raise raised

    monkeypatch.setattr(unpack, "checked_blocks", stopping)
    with pytest.raises(expected):
        unpacked(zips.python_zip())
    assert tree(tmp_path / "box") == {}


def test_progress_counts_every_byte(unpacked: Callable[..., Unpacked]) -> None:
    seen: list[tuple[int, str]] = []
    totals: list[int] = []

    def stage(title: str, total: int) -> Callable[[int, str], None]:
        totals.append(total)
        return lambda steps, note: seen.append((steps, note))

    total = unpacked(zips.python_zip(method=zipfile.ZIP_DEFLATED), stage=stage).total_bytes
    assert totals == [total] == [sum(steps for steps, _ in seen)]
    assert {note for _, note in seen} <= set(zips.FILES)


# Damage of any kind


SMALL = {"m/a.pb": b"some bytes of a model" * 4, "b.txt": b"x"}
SEEDS = {
    "stored": zips.python_zip(SMALL),
    "deflated": zips.python_zip(SMALL, method=zipfile.ZIP_DEFLATED),
    "streamed": zips.python_zip(SMALL, method=zipfile.ZIP_DEFLATED, streamed=True),
    "zip64": zips.python_zip(SMALL, method=zipfile.ZIP_DEFLATED, streamed=True, zip64=True, comment=b"hi"),
}


def refused_or_unchanged(data: bytes, folder: Path) -> bool:
    """Unpack damaged bytes; whether they were refused. What isn't refused must be what went in."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "box").mkdir(parents=True)
    (folder / "a.zip").write_bytes(data)
    try:
        unpack_submission(folder / "a.zip", folder / "box" / "out")
    except PixelproofError as error:
        assert isinstance(error, SubmissionRefused | InputError)
        assert tree(folder) == {"a.zip": data, "box": None}
        return True
    assert files(folder) == {"a.zip": data, **{f"box/out/{name}": SMALL[name] for name in SMALL}}
    return False


@pytest.mark.parametrize("seed", SEEDS)
def test_every_flipped_byte_is_refused_or_harmless(seed: str, tmp_path: Path) -> None:
    whole, refused = SEEDS[seed], 0
    for at in range(len(whole)):
        for mask in (0x01, 0x80, 0xFF):
            damaged = whole[:at] + bytes([whole[at] ^ mask]) + whole[at + 1 :]
            refused += refused_or_unchanged(damaged, tmp_path / "x")
    assert refused > 2 * len(whole)  # times, versions, comments and some attributes may change


@pytest.mark.parametrize("seed", SEEDS)
def test_every_truncation_and_every_insertion_is_refused(seed: str, tmp_path: Path) -> None:
    whole = SEEDS[seed]
    for at in range(len(whole)):
        assert refused_or_unchanged(whole[:at], tmp_path / "x"), at
        assert refused_or_unchanged(whole[:at] + b"P" + whole[at:], tmp_path / "x"), at
        assert refused_or_unchanged(whole[:at] + whole[at + 1 :], tmp_path / "x"), at


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """An ordinary zip, bytes of it changed, cut, doubled or moved."""
    data = bytearray(SEEDS[draw(st.sampled_from(sorted(SEEDS)))])
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        end = draw(st.integers(at, min(len(data), at + 40)))
        kind = draw(st.sampled_from(["byte", "long", "cut", "double", "insert"]))
        if kind == "byte":
            data[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
        elif kind == "long":
            number = draw(st.sampled_from([0, 1, 8, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF]))
            data[at : at + 4] = number.to_bytes(4, "little")
        elif kind == "cut":
            del data[at:end]
        elif kind == "double":
            data[at:at] = data[at:end]
        else:
            data[at:at] = draw(st.binary(max_size=40))
    return bytes(data)


@settings(max_examples=1500, deadline=None)
@given(data=damaged())
def test_damage_raises_nothing_but_our_errors(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "damage"
    refused_or_unchanged(data, folder)


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=300), end=st.booleans())
def test_noise_raises_nothing_but_our_errors(
    data: bytes, end: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tail = zips.end_record(
        here=1, count=1, directory_bytes=min(len(data), 60), directory_offset=len(data[60:])
    )
    assert refused_or_unchanged(data + tail if end else data, tmp_path_factory.getbasetemp() / "noise")


# What it costs


def peak_mib(run: Callable[[], object]) -> float:
    """Python's and zlib's largest allocation meanwhile."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1] / MIB
    finally:
        tracemalloc.stop()


def refused_by(rule: Rule, path: Path) -> Callable[[], None]:
    def run() -> None:
        with pytest.raises(SubmissionRefused) as refusal:
            unpack_submission(path, path.parent / "out")
        assert refusal.value.rule == rule.value

    return run


def test_a_gigabyte_that_claims_a_megabyte_stops_there(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zips.lying_bomb(1024, claimed=MIB))
    start = time.perf_counter()
    assert peak_mib(refused_by(Rule.SIZE, path)) < 8
    assert time.perf_counter() - start < 5
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]


def test_an_honest_gigabyte_of_nothing_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zips.zip_bomb(1000))
    start = time.perf_counter()
    assert peak_mib(refused_by(Rule.RATIO, path)) < 1
    assert time.perf_counter() - start < 1


def test_memory_stays_flat(tmp_path: Path) -> None:
    block, mib = random.Random(5).randbytes(MIB // 64) * 2 + bytes(MIB - MIB // 32), 96
    packer, crc, packed = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS), 0, b""
    for _ in range(mib):
        packed += packer.compress(block)
        crc = zlib.crc32(block, crc)
    packed += packer.flush()
    part = zips.Part(b"m.pb", b"", 0, zips.DEFLATED, b"", crc, mib * MIB, payload=packed)
    path = tmp_path / "a.zip"
    path.write_bytes(zips.build(part, zips.Part(b"stored.pb", block * 8)))
    assert peak_mib(lambda: unpack_submission(path, tmp_path / "out")) < 8
    assert (tmp_path / "out" / "m.pb").stat().st_size == mib * MIB


@pytest.mark.parametrize("wide", [True, False])
def test_a_directory_of_ten_million_costs_nothing(wide: bool, tmp_path: Path) -> None:
    members, path = 10_000_000, tmp_path / "a.zip"
    directory_bytes = members * 47
    with path.open("wb") as stream:  # a sparse file, as large as such a directory
        stream.write(zips.own_header(zips.Part()) + zips.GRAPH)
        start_of_directory = stream.tell()
        stream.seek(directory_bytes, os.SEEK_CUR)
        if wide:
            stream.write(zips.with_zip64_end(members)[-98:-22])
        claims = {"directory_bytes": directory_bytes, "directory_offset": start_of_directory}
        stream.write(
            zips.end_record(
                here=0xFFFE if not wide else 0xFFFF, count=0xFFFE if not wide else 0xFFFF, **claims
            )
        )
    start = time.perf_counter()
    assert peak_mib(refused_by(Rule.ZIP64_END if wide else Rule.MEMBERS, path)) < 1
    assert time.perf_counter() - start < 1


def test_a_directory_of_millions_behind_a_small_count_costs_nothing(tmp_path: Path) -> None:
    data = zips.own_header(zips.Part()) + zips.GRAPH
    directory = zips.record(zips.Part(), 0)
    path = tmp_path / "a.zip"
    with path.open("wb") as stream:
        stream.write(data)
        for _ in range(1000):
            stream.write(directory * 1000)
        claims = {"directory_bytes": len(directory) * 10**6, "directory_offset": len(data)}
        stream.write(zips.end_record(here=1, count=1, **claims))
    start = time.perf_counter()
    assert peak_mib(refused_by(Rule.DIRECTORY, path)) < 1
    assert time.perf_counter() - start < 1


def test_end_records_without_end_cost_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zips.build(zips.Part(), comment=b"PK\x05\x06" * 16_000 + bytes(22)))
    start = time.perf_counter()
    refused_by(Rule.END, path)()
    assert time.perf_counter() - start < 1
