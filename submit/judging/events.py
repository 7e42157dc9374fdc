"""What happens, as one JSON line each."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from pixelproof.errors import EnvironmentFault
from pixelproof.files import disk_faults, make_folder
from pixelproof.schema import to_jsonable

Event = Mapping[str, Any]
OnEvent = Callable[[Event], None]


def event(kind: str, /, **fields: Any) -> dict[str, Any]:
    """An event with the time, UTC."""
    return {"event": kind, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), **fields}


class EventLog:
    """A file, or standard output, to which each event is added as a line at once; a context manager.

    It grows while it is written, so that others can follow it: the one file that doesn't appear whole.

    Args:
        where: a file's path, which is begun anew, or ``-``.

    Raises:
        EnvironmentFault: it can't be written.
    """

    def __init__(self, where: str) -> None:
        self._closing: AbstractContextManager[TextIO]
        if where == "-":
            if sys.stdout is None:
                raise EnvironmentFault("Output must be writable", found="a closed standard output")
            self._stream, self._closing = sys.stdout, nullcontext(sys.stdout)
            return
        path = Path(where)
        make_folder(path.parent)
        try:
            self._stream = path.open("w", encoding="utf-8")
        except OSError as error:
            found = f"{error.strerror} at {path}"
            remedy = "Choose another folder, or make this one writable."
            raise EnvironmentFault("Output must be writable", found=found, remedy=remedy) from error
        self._closing = self._stream

    def __enter__(self) -> EventLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.__exit__(kind, error, trace)

    def write(self, happened: Event) -> None:
        """Add one line."""
        line = json.dumps(to_jsonable(happened), allow_nan=False) + "\n"
        with disk_faults(Path(getattr(self._stream, "name", "-"))):
            self._stream.write(line)
            self._stream.flush()
