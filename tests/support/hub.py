"""A stand-in for the Hugging Face hub: one gated data set, served from memory, that can refuse, fail and cut off."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

REPOSITORY = "MERChallenge/MER2025"
REVISION = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """The server's state. `refuse` is a status for every file, `fail` names files that end in a server's error.

    `cut` says after how many bytes the first answer with a file ends, and `hang` after how many it stops until the
    server ends; `hanging` is set then. `asked` are method, path and Range of every request.
    """

    def __init__(self, files: dict[str, bytes], token: str = "hf_users_own") -> None:  # noqa: S107  # opens nothing
        self.files = files
        self.token = token
        self.refuse: int | None = None
        self.fail: set[str] = set()
        self.cut: dict[str, int] = {}
        self.hang: dict[str, int] = {}
        self.hanging = threading.Event()
        self.ended = threading.Event()
        self.asked: list[tuple[str, str, str | None]] = []
        self.url = ""

    def starts_of(self, name: str) -> list[str | None]:
        """The Range of every request for a file's content."""
        return [start for method, path, start in self.asked if method == "GET" and path.endswith(f"/{name}")]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def hub(self) -> Hub:
        return self.server.hub

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._answer()

    def do_GET(self):
        self._answer()

    def _answer(self):
        path = urlsplit(self.path).path
        self.hub.asked.append((self.command, path, self.headers["Range"]))
        if path.startswith(f"/api/datasets/{REPOSITORY}"):
            self._send(200, json.dumps(self._described(path)).encode(), {"Content-Type": "application/json"})
        elif path.startswith(f"/datasets/{REPOSITORY}/resolve/{REVISION}/"):
            self._file(path.split(f"{REVISION}/", 1)[1])
        else:
            self._send(404, b"", {"X-Error-Code": "RepoNotFound"})

    def _described(self, path):
        if "/tree/" in path:
            return [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha256(content).hexdigest()[:40]}
                for name, content in self.hub.files.items()
            ]
        return {"id": REPOSITORY, "sha": REVISION, "siblings": [{"rfilename": name} for name in self.hub.files]}

    def _file(self, name):
        if self.hub.refuse or self.headers["Authorization"] != f"Bearer {self.hub.token}":
            self._send(self.hub.refuse or 401, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access denied"})
        elif name in self.hub.fail:
            self._send(501, b"", {})
        else:
            self._content(name, self.hub.files[name])

    def _content(self, name, content):
        digest = hashlib.sha256(content).hexdigest()
        headers = {"ETag": f'"{digest}"', "X-Repo-Commit": REVISION, "Accept-Ranges": "bytes"}
        start = self.headers["Range"]
        if start and self.command == "GET":
            first = int(start.removeprefix("bytes=").split("-")[0])
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
            self._send(206, content[first:], headers)
        else:
            self._send(200, content, headers, name)

    def _send(self, status, body, headers, name=None):
        self.send_response(status)
        for header, value in headers.items():
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        end = self.hub.cut.pop(name, None) or self.hub.hang.get(name)
        self.wfile.write(body[:end])
        self.close_connection = end is not None
        if self.hub.hang.pop(name, None):
            self.wfile.flush()
            self.hub.hanging.set()
            self.hub.ended.wait()


@contextlib.contextmanager
def serving(hub: Hub):
    """Serve until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.hub = hub
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hub
    finally:
        hub.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
