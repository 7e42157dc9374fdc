"""The report scaffold: one page of HTML that asks for nothing from outside and prints on A4.

What pixelproof knows stands in it: network, training, curves, figures, pictures. What only the student can say are
marked boxes, which a browser lets one write into (``contenteditable``), without a script.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from pixelproof.images import read_rgb8
from pixelproof.printable import printable
from pixelproof.submit.course import facts, texts
from pixelproof.submit.course.chart import curve
from pixelproof.submit.course.history import PSNR
from pixelproof.submit.course.identity import Identity
from pixelproof.submit.course.real_world import LEVELS, RealWorld
from pixelproof.submit.course.run_folder import Run

MARK = "[Yours to write"
"""How each box begins that the student has not filled yet; the box itself is empty, its style sheet writes this."""

_EMPTY_BOX = re.compile(r'<div class="yours"[^>]*>(?:\s|<br ?/?>|&nbsp;)*</div>')

MOST_PAGES = 5
FIGURES = 3
_PACKAGE = "pixelproof.submit.course"
_LONGEST_SIDE = 512


@dataclass(frozen=True)
class Figure:
    """A picture before and after; ``before`` is None where the inputs weren't given."""

    name: str
    before: Path | None
    after: Path


def scaffold(
    *,
    title: str,
    identity: Identity,
    run: Run,
    parameters_below: int | None,
    figures: Sequence[Figure],
    real_world: Sequence[RealWorld],
) -> str:
    """The page as HTML.

    Raises:
        ImageError: a picture that can't be read any more.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(_PACKAGE, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_plain,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = "\n" + resources.files(_PACKAGE).joinpath("templates", "report.css").read_text(encoding="utf-8")
    titles, rows = facts.epochs_table(run.history)
    return environment.get_template("report.html.j2").render(
        title=title,
        identity=identity,
        network=texts.network(run, parameters_below=parameters_below)[:-1],  # a digest is no reading
        losses=[("Sum of losses", facts.loss_formula(run)), *facts.final_losses(run.history)],
        settings=facts.hyper_parameters(run),
        machine=facts.machine(run),
        libraries=facts.libraries(run),
        measures=facts.measures(run.history),
        epochs={"titles": titles, "rows": rows},
        curves=_curves(run),
        figures=[_shown(figure) for figure in figures],
        levels=[(level, _pairs(level, real_world)) for level in LEVELS],
        mark=MARK,
        most_pages=MOST_PAGES,
        style=Markup(style),
        policy="default-src 'none'; img-src data:; style-src 'unsafe-inline'",
    )


def unfilled_boxes(page: str) -> int:
    """How many boxes of a scaffold still wait for the student's words."""
    return len(_EMPTY_BOX.findall(page))


def unfilled_words(text: str) -> int:
    """The same of a printed scaffold, by its text."""
    return len(re.findall(r"\s+".join(map(re.escape, MARK.split())), text))


def figures_of(results: Mapping[str, Path], inputs: Mapping[str, Path] | None) -> tuple[Figure, ...]:
    """A few results to be shown, evenly taken from all by name, each beside its input where that is known."""
    names = list(results)
    chosen = (
        sorted({round(i * (len(names) - 1) / max(FIGURES - 1, 1)) for i in range(FIGURES)}) if names else []
    )
    known = inputs or {}
    return tuple(Figure(names[i], known.get(names[i]), results[names[i]]) for i in chosen)


def _curves(run: Run) -> list[Markup]:
    drawn = [curve("loss", run.history.series("loss"), title="Loss", unit="loss")]
    if series := run.history.series(PSNR):
        drawn.append(curve("psnr", series, title="Validation PSNR", unit="PSNR in dB"))
    return drawn


def _shown(figure: Figure) -> dict[str, Any]:
    before = None if figure.before is None else _picture(figure.before)
    return {"name": figure.name, "before": before, "after": _picture(figure.after)}


def _pairs(level: str, pictures: Sequence[RealWorld]) -> list[dict[str, Any]]:
    return [
        {"name": one.source.name, "before": _picture(one.source), "after": _picture(one.result)}
        for one in pictures
        if one.level == level
    ]


def _picture(path: Path) -> Markup:
    """A picture as a data address, no larger than print needs."""
    from PIL import Image

    image = Image.fromarray(read_rgb8(path))
    factor = _LONGEST_SIDE / max(image.size)
    if factor < 1:
        size = tuple(max(1, round(side * factor)) for side in image.size)
        image = image.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    packed = io.BytesIO()
    Image.fromarray(np.array(image)).save(
        packed, format="PNG", optimize=True
    )  # without what the file says besides
    return Markup("data:image/png;base64," + base64.b64encode(packed.getvalue()).decode("ascii"))


def _plain(value: Any) -> Any:
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
