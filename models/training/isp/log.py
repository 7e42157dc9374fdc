"""The challenge's training log: one line of figures each time that the network is measured."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from pixelproof.files import write_text

_STEP = re.compile(r"step (\d+) \|")


def log_path(folder: Path, *, restored: int, iterations: int) -> Path:
    """``logs_[restore_iter]-[num_train_iters].txt``, as the challenge's README names it."""
    return folder / f"logs_{restored}-{iterations}.txt"


def log_line(iteration: int, terms: Mapping[str, float], *, psnr: float | None, ms_ssim: float | None) -> str:
    """A line in the format of the challenge's ``train_model.py``; ``nan`` for what wasn't measured.

    Args:
        iteration: steps so far, those before a restored checkpoint included.
        terms: ``training`` and ``validation`` (the whole loss), ``content`` and ``mse``.
        psnr: in decibels.
    """
    figures = {**terms, "psnr": psnr, "ms-ssim": ms_ssim}

    def shown(name: str) -> str:
        value = figures.get(name)
        return f"{name}: {'nan' if value is None else format(value, '.4g')}"

    whole = ", ".join(map(shown, ("training", "validation")))
    return f"step {iteration} | {whole} | {', '.join(map(shown, ('content', 'mse', 'psnr', 'ms-ssim')))}"


def write_log_line(path: Path, iteration: int, line: str) -> None:
    """Add a line, an empty one after it, as that script does.

    What a run wrote beyond the point at which it was resumed goes: lines of this iteration and of later ones.
    """
    kept = []
    if path.is_file():
        for earlier in path.read_text(encoding="utf-8", errors="replace").splitlines():
            match = _STEP.match(earlier)
            if match is not None and int(match[1]) < iteration:
                kept.append(earlier)
    write_text(path, "".join(f"{one}\n\n" for one in [*kept, line]))
