"""A run's folder and its checkpoint, whole and damaged, as package-course reads them."""

from __future__ import annotations

import importlib.util
import io
import json
import re
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pixelproof.errors import CheckpointError, InputError, PixelproofError
from pixelproof.submit.course.chart import curve
from pixelproof.submit.course.checkpoint import read_stored_checkpoint
from pixelproof.submit.course.facts import duration, epochs_table
from pixelproof.submit.course.faults import Faults
from pixelproof.submit.course.history import PSNR, parse_history
from pixelproof.submit.course.run_folder import read_run

_SPEC = importlib.util.spec_from_file_location("course_runs", Path(__file__).with_name("course_runs.py"))
assert _SPEC is not None and _SPEC.loader is not None
runs = importlib.util.module_from_spec(_SPEC)
sys.modules["course_runs"] = runs
_SPEC.loader.exec_module(runs)


@pytest.fixture(scope="module")
def keras(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    data = runs.keras_file(tmp_path_factory.mktemp("keras"))
    assert isinstance(data, bytes)
    return data


@pytest.fixture
def run(tmp_path: Path, keras: bytes) -> Path:
    folder = runs.write_run(tmp_path / "run", keras)
    assert isinstance(folder, Path)
    return folder


def faults_of(path: Path | None, *, checkpoint: Path | None = None) -> str:
    """What is told of a run, all at once; empty for a good one."""
    faults = Faults("A run")
    read = read_run(path, checkpoint=checkpoint, faults=faults)
    try:
        faults.settle()
    except PixelproofError as error:
        return str(error)
    assert read is not None
    return ""


def test_a_good_run_is_read(run: Path) -> None:
    faults = Faults("A run")
    read = read_run(run, checkpoint=None, faults=faults)
    assert read is not None and not faults.any
    assert read.checkpoint.parameters == runs.PARAMETERS  # not the optimizer's variables
    assert read.checkpoint.epoch == 5 and read.model == "tiny_net"
    assert read.history.best(PSNR) == (5, 26.5) and read.history.terms == ("l1", "ssim")
    assert sorted(read.logs) == ["logs/events/events.out.tfevents.1", "logs/train.log"]


@pytest.mark.parametrize(
    "name", ["run.toml", "history.csv", "curves.png", "machine.json", "final.keras", "logs"]
)
def test_what_is_missing_is_named(run: Path, name: str) -> None:
    path = run / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert name in faults_of(run)


def test_everything_is_told_at_once(run: Path) -> None:
    for name in ("run.toml", "history.csv", "curves.png", "machine.json", "final.keras"):
        (run / name).unlink()
    told = faults_of(run)
    assert "found 5 faults" in told and all(f"  {number}. " in told for number in range(1, 6))


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("run.toml", b"model = ", "must be TOML"),
        ("run.toml", b'model = "a"\n', "without data, training, optimizer, loss"),
        ("run.toml", b"\xff", "must be TOML"),
        ("machine.json", b"{", "must be JSON"),
        ("machine.json", b"[" * 100_000, "must be JSON"),
        ("machine.json", b'{"versions": {"numpy": 2}}', "without versions"),
        ("curves.png", b"no picture", "PNG"),
        ("curves.png", b"", "empty file"),
        ("history.csv", b"", "without epoch and loss"),
        ("history.csv", b"epoch,loss\n", "none in"),
        ("history.csv", b"epoch,loss\n1,nan\n", "nan for loss"),
        ("history.csv", b"epoch,loss\n1,1.0\n2,inf\n", "line 3"),
        ("history.csv", b"epoch,loss\n1,much\n", "must hold numbers"),
        ("history.csv", b"epoch,loss\n1\n", "2 cells a line"),
        ("history.csv", b"epoch,loss\n2,1\n1,1\n", "in order"),
        ("history.csv", b"epoch,loss\n1,\n", "loss in every line"),
        ("history.csv", b'epoch,loss\n1,"1\n', "CSV"),
        ("history.csv", b"epoch,loss,loss\n1,1,1\n", "twice"),
        ("final.keras", b"", "damaged"),
        ("final.keras", b"PK\x03\x04 and so on", "damaged"),
    ],
)
def test_damaged_files_are_named(run: Path, name: str, data: bytes, says: str) -> None:
    (run / name).write_bytes(data)
    assert says in faults_of(run) and name in faults_of(run)


def test_a_checkpoint_without_digests_is_refused(run: Path, keras: bytes) -> None:
    bare = runs.checkpoint_bytes(keras, epochs=5, without=("training/digests.json",))
    (run / "final.keras").write_bytes(bare)
    assert "no training/digests.json" in faults_of(run)


def test_a_bare_keras_file_is_refused(run: Path, keras: bytes) -> None:
    (run / "final.keras").write_bytes(keras)
    assert "must hold its digests" in faults_of(run)


@pytest.mark.parametrize("name", ["model.weights.h5", "training/state.npz", "config.json"])
def test_a_changed_member_is_found_by_its_digest(run: Path, name: str) -> None:
    with zipfile.ZipFile(run / "final.keras") as archive:
        members = {n: archive.read(n) for n in archive.namelist()}
    members[name] = members[name][:-1] + bytes([members[name][-1] ^ 1])
    with zipfile.ZipFile(run / "final.keras", "w") as archive:
        for n, data in members.items():
            archive.writestr(n, data)
    assert f"another SHA-256 for {name}" in faults_of(run)


def test_a_surplus_member_is_found(run: Path) -> None:
    with zipfile.ZipFile(run / "final.keras", "a") as archive:
        archive.writestr("more.bin", b"x")
    assert "another SHA-256 for more.bin" in faults_of(run)


def test_every_byte_cut_off_is_an_input_error(run: Path) -> None:
    data = (run / "final.keras").read_bytes()
    for kept in range(0, len(data), max(1, len(data) // 40)):
        (run / "final.keras").write_bytes(data[:kept])
        with pytest.raises(CheckpointError):
            read_stored_checkpoint(run / "final.keras")


def test_weights_that_are_no_hdf5_are_refused(tmp_path: Path, keras: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(keras)) as archive:
        members = {n: archive.read(n) for n in archive.namelist()}
    members["model.weights.h5"] = b"\x89HDF\r\n\x1a\n" + bytes(200)
    spoilt = io.BytesIO()
    with zipfile.ZipFile(spoilt, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    (tmp_path / "final.keras").write_bytes(runs.checkpoint_bytes(spoilt.getvalue(), epochs=5))
    with pytest.raises(CheckpointError, match="damaged"):
        read_stored_checkpoint(tmp_path / "final.keras")


def test_a_checkpoint_of_another_run_is_refused(run: Path, keras: bytes) -> None:
    (run / "final.keras").write_bytes(runs.checkpoint_bytes(keras, epochs=5, model="other_net"))
    assert "'other_net'" in faults_of(run)
    (run / "final.keras").write_bytes(runs.checkpoint_bytes(keras, epochs=4))
    assert "epoch 4" in faults_of(run)
    (run / "final.keras").write_bytes(runs.checkpoint_bytes(keras, epochs=5))
    (run / "history.csv").write_text(runs.csv_of([{**row, "loss": 9.0} for row in runs.history_rows(5)]))
    assert "must be of this run" in faults_of(run)


def test_an_earlier_checkpoint_may_be_named(run: Path, keras: bytes) -> None:
    earlier = run / "checkpoints" / "epoch-0003.keras"
    earlier.write_bytes(runs.checkpoint_bytes(keras, epochs=3))
    (run / "final.keras").unlink()
    assert faults_of(run, checkpoint=earlier) == ""


def test_links_among_the_logs_are_refused(run: Path) -> None:
    (run / "logs" / "secret").symlink_to("/etc/hostname")
    assert "no links" in faults_of(run)


def test_no_run_at_all() -> None:
    assert "no --run" in faults_of(None)
    assert "no folder" in faults_of(Path("/nowhere"))


def test_the_table_holds_the_first_the_best_and_the_last_epoch() -> None:
    rows = [{**row, "validation_psnr_db": 20.0 - abs(row["epoch"] - 37)} for row in runs.history_rows(100)]
    history = parse_history(runs.csv_of(rows).encode(), label="history.csv")
    titles, table = epochs_table(history)
    assert titles == ["Epoch", "Loss", "PSNR (dB)", "SSIM"]
    epochs = [int(row[0]) for row in table]
    assert epochs[0] == 1 and epochs[-1] == 100 and 37 in epochs and epochs == sorted(epochs)
    assert len(epochs) <= 8
    assert parse_history(b"epoch,loss\n1,2\n", label="h").last(PSNR) is None


def test_one_epoch_makes_a_table_of_one_line() -> None:
    history = parse_history(b"epoch,loss\n1,2\n", label="h")
    assert epochs_table(history) == (["Epoch", "Loss"], [["1", "2"]])


@pytest.mark.parametrize(
    "series", [[(1, 2.0)], [(1, 2.0), (2, 1.0)], [(1, 3.0), (3, 3.0)], [(n, 0.0) for n in range(1, 3000)]]
)
def test_curves_have_whole_epochs_and_finite_points(series: list[tuple[int, float]]) -> None:
    drawn = str(curve("loss", series, title="Loss", unit="loss"))
    labels = re.findall(r'text-anchor="middle">([^<]*)<', drawn)
    assert (
        labels[-1] == "epoch"
        and labels[:-1]
        and all(label.replace(",", "").isdigit() for label in labels[:-1])
    )
    assert "nan" not in drawn and drawn.count("L") <= 601


def test_durations() -> None:
    assert [duration(s) for s in (5, 600, 3725, 90_000)] == ["5 s", "10 min", "1 h 02 min", "25 h 00 min"]


def test_a_run_of_another_schema_is_no_crash(run: Path, keras: bytes) -> None:
    with zipfile.ZipFile(run / "final.keras") as archive:
        members = {n: archive.read(n) for n in archive.namelist()}
    for document in ([], {"epoch": "five"}, {"recipe": {}, "epoch": True}):
        members["training/arguments.json"] = json.dumps(document).encode()
        digests = {n: runs.hashlib.sha256(d).hexdigest() for n, d in members.items() if "digests" not in n}
        members["training/digests.json"] = json.dumps(digests).encode()
        with zipfile.ZipFile(run / "final.keras", "w") as archive:
            for n, data in members.items():
                archive.writestr(n, data)
        with pytest.raises(InputError):
            read_stored_checkpoint(run / "final.keras")


def test_a_history_without_validation_is_refused(
    run: Path, tmp_path: Path, keras: bytes, call: Callable[..., Any]
) -> None:
    rows = [{k: v for k, v in row.items() if "validation" not in k} for row in runs.history_rows(5)]
    (run / "history.csv").write_text(runs.csv_of(rows))
    desk = runs.Desk(tmp_path, keras, run, call)
    answer = desk.pack_results()
    assert answer.code == 1 and "validation PSNR" in answer.err and desk.left() == []
