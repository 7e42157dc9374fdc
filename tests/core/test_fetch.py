"""Fetching: every file checked, nothing brought twice, clear words when it fails."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from pixelproof.download import Patience, Stopped, download, part_of
from pixelproof.errors import CallError, ChallengeError, EnvironmentFault, InputError
from pixelproof.fetch import Mirror, carry_out, make_plan, open_source
from pixelproof.fetch_command import _in_kib
from pixelproof.file_list import FileList, ListedFile, load_file_list, parse_file_list

HASTY = Patience(tries=3, first_pause_s=0.01, silence_s=10.0)
BIG = "models_pretrained/big net.data-00000-of-00001"


def listed(files: dict[str, bytes], base_url: str = "http://127.0.0.1:1/") -> FileList:
    """The list that describes these files."""
    rows = [ListedFile(p, len(data), hashlib.sha256(data).hexdigest()) for p, data in files.items()]
    return FileList(base_url, tuple(rows))


@pytest.fixture
def files() -> dict[str, bytes]:
    """Small files, an empty one, and one of several blocks."""
    rng = random.Random(7)
    made = {f"dped/patches/canon/{n}.jpg": rng.randbytes(700 + n) for n in range(12)}
    return made | {"empty": b"", BIG: rng.randbytes(300_001)}


@pytest.fixture
def site(files: dict[str, bytes], serve: Any) -> Any:
    """The files on a web server; paths are quoted there as in addresses."""
    return serve({path.replace(" ", "%20"): data for path, data in files.items()})


def bring(site: Any, files: dict[str, bytes], target: Path) -> None:
    """Fetch all from the site."""
    carry_out(make_plan(listed(files), target), Mirror(site.url, HASTY), advance=lambda _: None)


def have(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_all_files_come_once(site: Any, files: dict[str, bytes], tmp_path: Path) -> None:
    counted: list[int] = []
    carry_out(make_plan(listed(files), tmp_path), Mirror(site.url, HASTY), advance=counted.append)
    assert have(tmp_path) == files
    assert sum(counted) == sum(map(len, files.values())) == sum(site.served.values())


def test_what_is_right_is_not_brought_again(site: Any, files: dict[str, bytes], tmp_path: Path) -> None:
    bring(site, files, tmp_path)
    (tmp_path / "dped/patches/canon/3.jpg").write_bytes(b"x" * len(files["dped/patches/canon/3.jpg"]))
    (tmp_path / "dped/patches/canon/4.jpg").unlink()
    site.requests.clear()
    plan = make_plan(listed(files), tmp_path)
    assert plan.already == len(files) - 2
    bring(site, files, tmp_path)
    assert set(site.requests) == {"dped/patches/canon/3.jpg", "dped/patches/canon/4.jpg"}
    assert have(tmp_path) == files


def test_a_broken_line_is_continued(site: Any, files: dict[str, bytes], tmp_path: Path) -> None:
    path = BIG.replace(" ", "%20")
    site.cut[path] = 100_000
    bring(site, files, tmp_path)
    assert have(tmp_path) == files
    assert site.requests[path] == 2
    assert site.served[path] == len(files[BIG])


def test_a_part_of_an_earlier_run_is_continued(site: Any, files: dict[str, bytes], tmp_path: Path) -> None:
    part = part_of(tmp_path / BIG)
    part.parent.mkdir()
    part.write_bytes(files[BIG][:123_456])
    bring(site, files, tmp_path)
    assert have(tmp_path) == files
    assert site.served[BIG.replace(" ", "%20")] == len(files[BIG]) - 123_456


def test_a_complete_part_needs_no_request(site: Any, files: dict[str, bytes], tmp_path: Path) -> None:
    part = part_of(tmp_path / BIG)
    part.parent.mkdir()
    part.write_bytes(files[BIG])
    bring(site, files, tmp_path)
    assert have(tmp_path) == files
    assert site.requests[BIG.replace(" ", "%20")] == 0


@pytest.mark.parametrize("bad", [b"of another file", b"x" * 400_000])
def test_a_wrong_part_is_dropped(site: Any, files: dict[str, bytes], tmp_path: Path, bad: bytes) -> None:
    part = part_of(tmp_path / BIG)
    part.parent.mkdir()
    part.write_bytes(bad)
    counted: list[int] = []
    carry_out(make_plan(listed(files), tmp_path), Mirror(site.url, HASTY), advance=counted.append)
    assert have(tmp_path) == files
    assert sum(counted) == sum(map(len, files.values()))


def test_a_server_without_ranges_starts_over(site: Any, files: dict[str, bytes], tmp_path: Path) -> None:
    site.ranges = False
    site.cut[BIG.replace(" ", "%20")] = 100_000
    bring(site, files, tmp_path)
    assert have(tmp_path) == files
    assert site.served[BIG.replace(" ", "%20")] == len(files[BIG]) + 100_000


def test_a_server_that_stumbles_is_asked_again(site: Any, files: dict[str, bytes], tmp_path: Path) -> None:
    site.statuses["empty"] = [503, 429]
    bring(site, files, tmp_path)
    assert have(tmp_path) == files
    assert site.requests["empty"] == 3


def test_a_server_that_keeps_failing_is_named(site: Any, files: dict[str, bytes], tmp_path: Path) -> None:
    site.statuses["empty"] = [503] * 9
    with pytest.raises(EnvironmentFault, match=r"HTTP 503 for http://127.*/empty.*--from"):
        bring(site, files, tmp_path)
    assert site.requests["empty"] == HASTY.tries


def test_a_file_that_is_not_there_is_named(site: Any, files: dict[str, bytes], tmp_path: Path) -> None:
    del site.files["empty"]
    with pytest.raises(InputError, match=r"HTTP 404 for http://127.*/empty.*--from"):
        bring(site, files, tmp_path)
    assert site.requests["empty"] == 1


def test_a_wrong_file_is_named_and_not_kept(site: Any, files: dict[str, bytes], tmp_path: Path) -> None:
    site.files["dped/patches/canon/5.jpg"] = wrong = b"!" * len(files["dped/patches/canon/5.jpg"])
    with pytest.raises(InputError) as caught:
        bring(site, files, tmp_path)
    for part in (
        "dped/patches/canon/5.jpg",
        hashlib.sha256(files["dped/patches/canon/5.jpg"]).hexdigest(),
        hashlib.sha256(wrong).hexdigest(),
    ):
        assert part in str(caught.value)
    assert "dped/patches/canon/5.jpg" not in have(tmp_path)
    assert "dped/patches/canon/5.jpg.part" not in have(tmp_path)


@pytest.mark.parametrize("wrong", [b"<html>log in</html>", b"!" * 500_000])
def test_a_file_of_another_size_is_refused(
    site: Any, files: dict[str, bytes], tmp_path: Path, wrong: bytes
) -> None:
    site.files[BIG.replace(" ", "%20")] = wrong
    with pytest.raises(InputError, match="must have sha256"):
        bring(site, files, tmp_path)
    assert not (tmp_path / BIG).exists()
    assert not part_of(tmp_path / BIG).exists()


def test_a_wrong_file_ends_it_even_if_the_line_breaks(
    site: Any, files: dict[str, bytes], tmp_path: Path
) -> None:
    path = BIG.replace(" ", "%20")
    site.files[path] = b"!" * len(files[BIG])
    site.cut[path] = 1000
    with pytest.raises(InputError, match="must have sha256"):
        bring(site, files, tmp_path)
    assert site.requests[path] == 3


def closed_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_no_network_is_said_with_the_way_out(files: dict[str, bytes], tmp_path: Path) -> None:
    nobody = Mirror(f"http://127.0.0.1:{closed_port()}/", HASTY)
    with pytest.raises(
        EnvironmentFault, match=r"must be reachable; found .*refused.*--from: a clone, or the zip"
    ):
        carry_out(make_plan(listed(files), tmp_path), nobody, advance=lambda _: None)
    assert have(tmp_path) == {}


def test_one_download_stops_when_told(site: Any, files: dict[str, bytes], tmp_path: Path) -> None:
    stopped = Event()
    stopped.set()
    file = next(f for f in listed(files).files if f.path == BIG)
    with pytest.raises(Stopped):
        download(site.url, file, tmp_path / "x", stopped=stopped, advance=lambda _: None, patience=HASTY)
    assert not site.requests


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_fills_up_is_said(site: Any, files: dict[str, bytes], tmp_path: Path) -> None:
    part_of(tmp_path / "empty").symlink_to("/dev/full")
    big = {"empty": files[BIG]}
    site.files["empty"] = files[BIG]
    with pytest.raises(EnvironmentFault, match="The disk is full"):
        bring(site, big, tmp_path)


def test_too_little_space_is_said_before_anything_comes(
    site: Any, files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type(shutil.disk_usage(tmp_path))(10**9, 10**9, 5)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(EnvironmentFault, match=r"MiB free; found 0 MiB.*--to"):
        bring(site, files, tmp_path)
    assert not site.requests


def test_a_target_that_cannot_be_made_is_said(site: Any, files: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EnvironmentFault, match="must be writable"):
        bring(site, files, tmp_path / "file" / "below")


def spread(files: dict[str, bytes], folder: Path) -> Path:
    """The files on disk."""
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def zipped(files: dict[str, bytes], path: Path, *, top: str) -> Path:
    """The files in a zip archive below one folder."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(top + name, data)
    return path


def copies(files: dict[str, bytes], folder: Path) -> list[Path]:
    """The same files as a folder, one folder deeper, and as archives."""
    folder.mkdir()
    return [
        spread(files, folder / "flat"),
        spread(files, folder / "deep" / "ai-challenge-master").parent,
        zipped(files, folder / "github.zip", top="ai-challenge-master/"),
        zipped(files, folder / "plain.zip", top=""),
    ]


def copy_from(source: Path, files: dict[str, bytes], target: Path) -> None:
    """Fetch with --from a local copy."""
    with open_source(str(source), listed(files)) as origin:
        carry_out(make_plan(listed(files), target), origin, advance=lambda _: None)


@pytest.mark.parametrize("kind", range(4))
def test_local_copies_are_taken(files: dict[str, bytes], tmp_path: Path, kind: int) -> None:
    source = copies(files | {"README.md": b"more"}, tmp_path / "from")[kind]
    copy_from(source, files, tmp_path / "to")
    assert have(tmp_path / "to") == files


@pytest.mark.parametrize("kind", range(4))
def test_missing_files_of_a_copy_are_named_and_counted(
    files: dict[str, bytes], tmp_path: Path, kind: int
) -> None:
    some = {p: d for p, d in files.items() if not p.startswith("dped") or p.endswith("1.jpg")}
    source = copies(some, tmp_path / "from")[kind]
    with pytest.raises(InputError) as caught:
        copy_from(source, files, tmp_path / "to")
    lost = len(files) - len(some)
    assert f"{lost} of {len(files)} missing: dped/patches/canon/0.jpg, " in str(caught.value)
    assert f"and {lost - 5} more" in str(caught.value)
    assert not (tmp_path / "to").exists()


def test_a_copy_needs_only_what_is_still_missing(files: dict[str, bytes], tmp_path: Path) -> None:
    spread({p: d for p, d in files.items() if p != BIG}, tmp_path / "to")
    copy_from(spread({BIG: files[BIG]}, tmp_path / "from"), files, tmp_path / "to")
    assert have(tmp_path / "to") == files


@pytest.mark.parametrize("kind", range(4))
def test_a_changed_copy_is_refused(files: dict[str, bytes], tmp_path: Path, kind: int) -> None:
    changed = b"?" * len(files[BIG])
    source = copies(files | {BIG: changed}, tmp_path / "from")[kind]
    with pytest.raises(InputError) as caught:
        copy_from(source, files, tmp_path / "to")
    for data in (files[BIG], changed):
        assert hashlib.sha256(data).hexdigest() in str(caught.value)
    assert not any("big net" in name for name in have(tmp_path / "to"))


def test_a_damaged_archive_is_refused(files: dict[str, bytes], tmp_path: Path) -> None:
    archive = zipped(files, tmp_path / "x.zip", top="")
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 255
    archive.write_bytes(data)
    with pytest.raises(InputError, match=r"must be readable; found .*big net"):
        copy_from(archive, files, tmp_path / "to")
    (tmp_path / "text.zip").write_text("not an archive")
    with pytest.raises(InputError, match="must be a folder or a zip archive"):
        copy_from(tmp_path / "text.zip", files, tmp_path / "to")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("no/such/folder", "must exist"),
        ("ftp://example.org/x", "http and https"),
        ("https://", "http and https"),
        ("https://example.org/archive/master.zip", "not of an archive"),
    ],
)
def test_other_sources_are_refused(files: dict[str, bytes], given: str, says: str) -> None:
    with pytest.raises(CallError, match=says), open_source(given, listed(files)):
        raise AssertionError


def test_the_lists_own_address_is_the_default(files: dict[str, bytes]) -> None:
    with open_source(None, listed(files, "https://example.org/master/")) as origin:
        assert origin.label == "https://example.org/master/"


def test_progress_counts_whole_kib() -> None:
    steps: list[int] = []
    count = _in_kib(lambda step, note: steps.append(step), 10_240)
    for number in (1000, 1000, 5000, -6000, 9000, 240):
        count(number)
    assert steps == [0, 1, 5, -6, 9, 1]


def test_the_list_of_pirm2018() -> None:
    official = load_file_list("pirm2018")
    paths = [file.path for file in official.files]
    assert len(set(paths)) == len(paths) == 623
    assert sum(p.startswith("dped/patches/iphone/") for p in paths) == 300
    assert sum(p.startswith("models_pretrained/") for p in paths) == 13
    assert not any(p.endswith(".npz") or "reference" in p for p in paths)
    assert official.example is not None and official.example.model in paths
    assert all(len(file.sha256) == 64 and file.bytes > 0 for file in official.files)


@pytest.mark.parametrize("path", ["/etc/passwd", "a/../../b"])
def test_a_list_may_not_leave_its_folder(path: str) -> None:
    text = json.dumps({"base_url": "x", "files": [{"path": path, "bytes": 1, "sha256": "0"}]})
    with pytest.raises(ChallengeError, match="must stay below"):
        parse_file_list(text, label="x.files.json")


@pytest.mark.official
def test_the_official_files_come_from_a_local_copy(
    call: Any, official_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIXELPROOF_DATA", str(tmp_path / "data"))
    done = call("fetch", "pirm2018", "--from", str(official_data))
    assert done.code == 0, done.err
    here = tmp_path / "data" / "ai-challenge"
    assert f"623 files, each with the right SHA-256, are in {here}." in done.out
    model = here / "models_pretrained/dped_srcnn.pb"
    assert model.is_file()
    assert f"Next: validate-pb {model} --challenge pirm2018 --track B\n" in done.out
    again = call("fetch", "pirm2018", "--from", str(tmp_path / "absent"))
    assert (again.code, "All 623 files are already" in again.out) == (0, True)


def test_the_command_fetches_from_a_mirror(
    call: Any, site: Any, files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pixelproof.file_list.load_file_list", lambda name: listed(files))
    monkeypatch.delenv("PIXELPROOF_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    done = call("fetch", "pirm2018", "--from", site.url)
    assert done.code == 0, done.err
    assert have(tmp_path / "ai-challenge") == files
    assert f"export PIXELPROOF_DATA={tmp_path}\n" in done.out
    assert "Next: validate-pb model.pb --challenge pirm2018 --track A --data ai-challenge\n" in done.out


def test_the_command_says_what_cannot_be_fetched(call: Any, tmp_path: Path) -> None:
    done = call("fetch", "pirm2081")
    assert done.code == 2
    assert "must have a file list" in done.err and "Did you mean pirm2018?" in done.err
    done = call("fetch", "pirm2018", "--to", str(tmp_path / "x"), "--from", str(tmp_path))
    assert done.code == 2
    assert "623 of 623 missing" in done.err


def wait_for(condition: Callable[[], bool]) -> None:
    """Until it holds; the suite's own time limit ends a hang."""
    while not condition():
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_keeps_what_came_and_the_next_run_goes_on(site: Any, tmp_path: Path) -> None:
    body = random.Random(1).randbytes(400_000)
    site.files = {"big": body}
    site.hold = Event()
    rows = [{"path": "big", "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}]
    list_file = tmp_path / "list.json"
    list_file.write_text(json.dumps({"base_url": site.url, "files": rows}))
    program = (
        "import sys, pathlib; from pixelproof import cli, file_list\n"
        f"text = pathlib.Path({str(list_file)!r}).read_text()\n"
        "file_list.load_file_list = lambda name: file_list.parse_file_list(text, label='x')\n"
        f"sys.argv = ['pixelproof', 'fetch', 'pirm2018', '--to', {str(tmp_path / 'to')!r}]\n"
        "cli.main()\n"
    )
    first = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    part = part_of(tmp_path / "to" / "big")
    wait_for(lambda: part.exists() and part.stat().st_size == len(body) // 2)
    first.send_signal(signal.SIGINT)
    site.hold.set()
    _, said = first.communicate()
    assert first.returncode == 130
    assert "Stopped: 0 files are complete" in said and "1 are kept half-downloaded" in said
    assert part.read_bytes() == body[: len(body) // 2]

    site.hold = None
    second = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stderr
    assert have(tmp_path / "to") == {"big": body}
    assert site.served["big"] == len(body)
