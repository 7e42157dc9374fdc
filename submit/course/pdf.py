"""Pages: HTML to PDF by an installed browser, and how many A4 pages a PDF has."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pixelproof.errors import EnvironmentFault, InputError
from pixelproof.files import MIB
from pixelproof.janitor import watched_group
from pixelproof.temporary import temporary_folder

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
)
A4_MM = (210.0, 297.0)
_MM_A_POINT = 25.4 / 72
_ROOM_MM = 2.0
_TIMEOUT_S = 180.0
_MOST_BYTES = 100 * MIB
_DATE = re.compile(rb"(/(?:CreationDate|ModDate) \(D:)\d{14}")
_SWITCHES = (
    "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--no-first-run",
    "--no-pdf-header-footer", "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip


@dataclass(frozen=True)
class Pages:
    """What a PDF holds.

    Attributes:
        sizes_mm: (width, height) of each page.
        text: of all pages, as far as it can be taken out.
    """

    sizes_mm: tuple[tuple[float, float], ...]
    text: str

    @property
    def larger_than_a4(self) -> list[int]:
        """Pages, from 1, that are larger than A4, upright or lying."""
        return [
            number
            for number, size in enumerate(self.sizes_mm, start=1)
            if any(side > limit + _ROOM_MM for side, limit in zip(sorted(size), A4_MM, strict=True))
        ]


def find_browser() -> str | None:
    """A browser that can print without a screen."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def printed(page: bytes, *, browser: str) -> bytes:
    """An HTML page as PDF, by Chromium or its kin; nothing is fetched for it.

    The same page gives the same bytes: the time of printing, which the browser writes, is set to 1980.

    Raises:
        EnvironmentFault: the browser doesn't do it.
    """
    with temporary_folder("pixelproof-print-") as folder:
        source, target = folder / "report.html", folder / "report.pdf"
        source.write_bytes(page)
        switches = [*_SWITCHES, f"--user-data-dir={folder / 'profile'}", f"--print-to-pdf={target}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            switches.append("--no-sandbox")  # Chromium refuses root its own; the page is the student's
        said = _run([browser, *switches, source.as_uri()], folder)
        if not target.is_file():
            remedy = "Leave the PDF out with --no-pdf, and print the HTML yourself."
            last = " ".join(said.splitlines()[-1:])[:300]
            raise EnvironmentFault("The browser must print the report", found=last or "no PDF", remedy=remedy)
        return _DATE.sub(rb"\g<1>19800101000000", target.read_bytes())


def read_pages(data: bytes, *, label: str) -> Pages:
    """The pages of a PDF.

    Raises:
        InputError: no PDF, a damaged or an encrypted one.
        EnvironmentFault: pypdf, which reads it, isn't installed.
    """
    import io
    import logging

    try:
        import pypdf
    except ImportError as error:
        remedy = "Install it: pip install 'pixelproof[course]'."
        raise EnvironmentFault("Counting a PDF's pages needs pypdf", found="none", remedy=remedy) from error
    if len(data) > _MOST_BYTES:
        raise InputError(
            f"A report must be at most {_MOST_BYTES // MIB} MiB", found=f"{len(data) / MIB:.1f}: {label}"
        )
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it mends on the way is no news
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted:
            raise InputError(
                "A report must not be encrypted", found=label, remedy="Save it without a password."
            )
        boxes = [page.mediabox for page in reader.pages]
        sizes = tuple((float(box.width) * _MM_A_POINT, float(box.height) * _MM_A_POINT) for box in boxes)
        text = "\n".join(page.extract_text() for page in reader.pages)
    except (
        pypdf.errors.PyPdfError, ValueError, TypeError, KeyError, IndexError, AttributeError, OSError,
        RecursionError, NotImplementedError,
    ) as error:  # fmt: skip
        raise InputError("A report must be a whole PDF", found=f"{label}: {error}") from error
    if not sizes:
        raise InputError("A report must have pages", found=f"none in {label}")
    return Pages(sizes, text)


def _run(command: list[str], folder: Path) -> str:
    environment = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder)}
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        found = f"{command[0]}: {error.strerror}"
        raise EnvironmentFault(
            "The browser must start", found=found, remedy="Leave the PDF out: --no-pdf."
        ) from error
    with child, watched_group(child):
        try:
            _, said = child.communicate(timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            remedy = "Leave the PDF out with --no-pdf, and print the HTML yourself."
            rule = f"The browser must print the report within {_TIMEOUT_S:g} s"
            raise EnvironmentFault(rule, found="no end", remedy=remedy) from error
    return said.decode(errors="replace")
