"""Fixtures: a web server that counts and misbehaves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any

import pytest


class _Server(ThreadingHTTPServer):
    request_queue_size = 64


class Site:
    """Files over HTTP with Range.

    Attributes:
        files: bytes by path.
        served: how many bytes of each path went out.
        requests: how often each path was asked for.
        cut: close the connection after so many bytes of the next answer for a path.
        statuses: answer the next requests for a path with these codes.
        ranges: whether Range is honoured.
        hold: where set, an answer waits after its first half until this event.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.served: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self.cut: dict[str, int] = {}
        self.statuses: dict[str, list[int]] = {}
        self.ranges = True
        self.hold: Event | None = None
        self.halfway = Event()
        self._lock = Lock()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        """Address of the folder."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/master/"

    def close(self) -> None:
        """Stop serving."""
        if self.hold is not None:
            self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """One GET."""
        path = handler.path.removeprefix("/master/")
        with self._lock:
            self.requests[path] += 1
            status = self.statuses.get(path, [])
            refused = status.pop(0) if status else (None if path in self.files else 404)
            limit = self.cut.pop(path, None)
        if refused is not None:
            handler.send_error(refused)
            return
        whole = self.files[path]
        start = self._start(handler)
        if start is not None and start >= len(whole):
            handler.send_error(416)
            return
        body = whole[start or 0 :]
        handler.send_response(200 if start is None else 206)
        if start is not None:
            handler.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        sent = body if limit is None else body[:limit]
        if self.hold is not None:
            self._send(handler, path, sent[: len(sent) // 2])
            self.halfway.set()
            self.hold.wait()
            sent = b""
        self._send(handler, path, sent)
        handler.close_connection = True

    def _start(self, handler: BaseHTTPRequestHandler) -> int | None:
        asked = handler.headers.get("Range", "")
        return int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.ranges else None

    def _send(self, handler: BaseHTTPRequestHandler, path: str, data: bytes) -> None:
        handler.wfile.write(data)
        handler.wfile.flush()
        with self._lock:
            self.served[path] += len(data)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: the test's output stays clean."""

        return Handler


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[dict[str, bytes]], Site]]:
    """``serve({path: bytes})``: a `Site`; paths as in addresses."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    sites: list[Site] = []

    def start(files: dict[str, bytes]) -> Site:
        sites.append(Site(files))
        return sites[-1]

    yield start
    for site in sites:
        site.close()
