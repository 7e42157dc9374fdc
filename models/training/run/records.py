"""What a run writes for people: a table of figures, lines of text, TensorBoard's events, curves."""

from __future__ import annotations

import csv
import importlib
import io
import os
from collections.abc import Sequence
from pathlib import Path
from time import time
from typing import Any

from pixelproof.files import disk_faults, make_folder, replacing_file, write_text
from pixelproof.models.training.run.checkpoints import Row

_FIRST = ("epoch", "step", "samples", "seconds", "learning_rate", "loss")
_LAST = (
    "validation_psnr_db",
    "validation_psnr_y_db",
    "validation_ssim",
    "bicubic_psnr_db",
    "images_per_second",
    "waiting_share",
)
_COUNTS = ("epoch", "step", "samples", "seconds")


def write_history(path: Path, history: Sequence[Row]) -> None:
    """Write the figures as CSV, an epoch a row; what wasn't measured stays empty."""
    between = [name for row in history for name in row if name not in (*_FIRST, *_LAST)]
    columns = [*_FIRST, *dict.fromkeys(between), *_LAST]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(dict(row) for row in history)
    write_text(path, text.getvalue())


def line_of(row: Row, *, epochs: int) -> str:
    """An epoch's figures in a line."""
    parts = [f"epoch {row['epoch']} of {epochs}", f"loss {row['loss']:.5g}"]
    if "validation_psnr_db" in row:
        parts.append(f"{row['validation_psnr_db']:.3f} dB")
    parts.append(f"{row['images_per_second']:.1f} images/s")
    if row["waiting_share"] >= 0.05:
        parts.append(f"{row['waiting_share']:.0%} of the time waiting for data")
    return ", ".join(parts)


def write_log(path: Path, history: Sequence[Row], *, epochs: int) -> None:
    """Write a line of text for every epoch."""
    write_text(path, "".join(f"{line_of(row, epochs=epochs)}\n" for row in history))


def can_draw() -> bool:
    """Whether Matplotlib is installed, which the curves need."""
    return _there("matplotlib")


def can_log_events() -> bool:
    """Whether TensorBoard is installed, whose files these are."""
    return _there("tensorboard")


def write_curves(path: Path, history: Sequence[Row], *, title: str) -> None:
    """Draw loss and, where it was measured, PSNR over epochs.

    Raises:
        EnvironmentFault: the file can't be written.
    """
    figure_module = importlib.import_module("matplotlib.figure")
    figure = figure_module.Figure(figsize=(9, 4), dpi=120, layout="constrained")
    figure.suptitle(title)
    measured = [row for row in history if "validation_psnr_db" in row]
    axes = figure.subplots(1, 2 if measured else 1, squeeze=False)[0]
    _draw(axes[0], [(history, "loss", "training loss")], label="loss")
    if all(row["loss"] > 0 for row in history):
        axes[0].set_yscale("log")
    if measured:
        curves = [(measured, "validation_psnr_db", "RGB")]
        if "validation_psnr_y_db" in measured[-1]:
            curves.append((measured, "validation_psnr_y_db", "Y"))
        if "bicubic_psnr_db" in measured[-1]:
            curves.append((measured, "bicubic_psnr_db", "bicubic, RGB"))
        _draw(axes[1], curves, label="validation PSNR / dB")
    with replacing_file(path) as temporary:
        figure.savefig(temporary, format="png")


class Events:
    """TensorBoard's events of a run, framed by its own record writer, which needs no TensorFlow.

    Args:
        folder: where their file goes.
    """

    def __init__(self, folder: Path) -> None:
        records = importlib.import_module("tensorboard.summary.writer.record_writer")
        self._summary = importlib.import_module("tensorboard.compat.proto.summary_pb2").Summary
        self._event = importlib.import_module("tensorboard.compat.proto.event_pb2").Event
        make_folder(folder)
        path = folder / f"events.out.tfevents.{time():.0f}.{os.getpid()}"
        with disk_faults(path):
            self._file = path.open("xb")
        self._writer = records.RecordWriter(self._file)
        self._write(self._event(wall_time=time(), file_version="brain.Event:2"))

    def add(self, row: Row) -> None:
        """Write an epoch's figures, at its step."""
        values = [
            self._summary.Value(tag=name, simple_value=float(value))
            for name, value in row.items()
            if name not in _COUNTS
        ]
        summary = self._summary(value=values)
        self._write(self._event(wall_time=time(), step=int(row["step"]), summary=summary))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, event: Any) -> None:
        with disk_faults(Path(self._file.name)):
            self._writer.write(event.SerializeToString())
            self._file.flush()


def _draw(axes: Any, curves: Sequence[tuple[Sequence[Row], str, str]], *, label: str) -> None:
    for rows, key, name in curves:
        points = [(row["epoch"], row[key]) for row in rows if key in row]
        marker = "o" if len(points) < 30 else None
        axes.plot([x for x, _ in points], [y for _, y in points], label=name, marker=marker, markersize=3)
    axes.set_xlabel("epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_ylabel(label)
    axes.grid(alpha=0.3)
    if len(curves) > 1:
        axes.legend()


def _there(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None
