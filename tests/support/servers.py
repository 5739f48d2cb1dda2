"""A server on loopback that stands before a real one, or answers by itself, and goes wrong when it is told to."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Request:
    """A request as it came in (its headers' names in lower case), and when."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float = field(default_factory=time.monotonic)


class Server:
    """Forwards what it gets to `upstream` (host:port), or answers by `answer`; keeps all POST requests.

    `faults` are spent one a request: a reply to give instead, "cut" to end the connection, or seconds to stay silent.
    """

    def __init__(self, upstream: str | None = None, answer: Callable[[Request], Reply] | None = None) -> None:
        self.upstream = upstream
        self.answer = answer
        self.requests: list[Request] = []
        self.faults: list[Reply | str | float] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.serve(self)

            def do_POST(self) -> None:
                outer.serve(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def forget(self) -> None:
        """Be as new, for the next test: wait for requests under way, and forget them and the faults."""
        while self._at_once:
            time.sleep(0.01)
        self.requests.clear()
        self.faults.clear()
        self.most_at_once = 0

    def bodies(self) -> list[dict[str, Any]]:
        """Return the bodies of all POST requests."""
        return [request.body for request in self.requests]

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        content = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        posted = handler.command == "POST"
        request = Request(handler.path, _lower(handler.headers), json.loads(content) if content else {})
        with self._lock:
            self._at_once += posted
            self.most_at_once = max(self.most_at_once, self._at_once)
            fault = self.faults.pop(0) if posted and self.faults else None
            if posted:
                self.requests.append(request)
        try:
            self._reply(handler, request, content, fault)
        finally:
            with self._lock:
                self._at_once -= posted

    def _reply(
        self, handler: BaseHTTPRequestHandler, request: Request, content: bytes, fault: Reply | str | float | None
    ) -> None:
        if isinstance(fault, float):
            time.sleep(fault)
        if isinstance(fault, (float, str)):
            # Reset, not closed: the client finds the connection gone in the middle of its request.
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.close_connection = True
            handler.connection.close()
            return
        if fault:
            status, headers, body = fault
        elif self.upstream:
            status, headers, body = self._forward(handler, content)
        else:
            status, headers, body = self.answer(request)
        handler.send_response(status)
        for name, value in {**headers, "content-type": "application/json", "content-length": str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def _forward(self, handler: BaseHTTPRequestHandler, content: bytes) -> Reply:
        connection = http.client.HTTPConnection(self.upstream, timeout=300)
        headers = {"content-type": "application/json"} if content else {}
        connection.request(handler.command, handler.path, content, headers)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, {}, body


def _lower(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def reply(body: object, status: int = 200, **headers: str) -> Reply:
    """Make a reply of JSON; `_` in a header's name stands for `-`."""
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(body).encode()
