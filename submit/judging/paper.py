"""A folder with each submission's report, and its page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pixelproof.files import make_folder, write_text
from pixelproof.report import Report, dump_json
from pixelproof.submit.ledger.records import Entry

LONGEST = 80
REPORT, PAGE, PICTURES = "report.json", "report.html", "pictures"


@dataclass(frozen=True)
class Paper:
    """Where reports go.

    Attributes:
        pages: write HTML too.
    """

    folder: Path
    pages: bool = False

    def place(self, entry: Entry) -> Path:
        """The folder of one submission; its number keeps it apart from others of the same name."""
        return self.folder / f"{entry.id:04d}-{plain_name(entry.ticket.name)}"

    def pictures(self, entry: Entry) -> Path | None:
        """Where its pictures go; None where no page shows them."""
        return self.place(entry) / PICTURES if self.pages else None

    def has(self, entry: Entry) -> bool:
        """Whether all is there."""
        place = self.place(entry)
        return (place / REPORT).is_file() and (not self.pages or (place / PAGE).is_file())

    def write(self, entry: Entry, report: Report) -> None:
        """Write the report, and the page where one is wanted.

        Raises:
            EnvironmentFault: the folder can't be written.
        """
        place = self.place(entry)
        make_folder(place)
        write_text(place / REPORT, dump_json(report.to_json()))
        if self.pages:
            from pixelproof.validate.html_report import write_html

            pictures = place / PICTURES
            write_html(report, place / PAGE, pictures=pictures if pictures.is_dir() else None)


def plain_name(name: str) -> str:
    """A stranger's name as a folder's: letters, digits, points, hyphens and underscores."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._")
    return plain[:LONGEST] or "submission"
