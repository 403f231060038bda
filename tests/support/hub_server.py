"""A model hub on this machine that knows one gated repository, and answers as the real one does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

REPO = "owner/gated"
REVISION = "c" * 40


@dataclass
class Hub:
    """`accounts` are the tokens that it knows, and whether their account has accepted the terms."""

    accounts: dict[str, bool] = field(default_factory=dict)
    address: str = ""
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str, token: str) -> tuple[int, dict[str, str], bytes]:
        self.asked.append(path)
        if token and token not in self.accounts:
            return 401, {"X-Error-Message": "Invalid credentials in Authorization header"}, b"{}"
        if path.startswith(f"/api/models/{REPO}/tree/"):
            tree = [{"type": "file", "path": "config.json", "oid": "0" * 40, "size": 2}]
            return 200, {"Content-Type": "application/json"}, json.dumps(tree).encode()
        if path.startswith(f"/api/models/{REPO}"):  # what a gated repository is called and holds is public
            facts = {"id": REPO, "sha": REVISION, "gated": "manual", "siblings": [{"rfilename": "config.json"}]}
            return 200, {"Content-Type": "application/json"}, json.dumps(facts).encode()
        if not self.accounts.get(token, False):
            reason = f"Access to model {REPO} is restricted. The token was {token}."
            return 403 if token else 401, {"X-Error-Code": "GatedRepo", "X-Error-Message": reason}, reason.encode()
        return 200, {"X-Repo-Commit": REVISION, "ETag": '"e1"'}, b"{}"


@contextmanager
def gated_hub(**accounts: bool) -> Iterator[Hub]:
    """Serve until the block ends."""
    hub = Hub(dict(accounts))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            status, headers, body = hub.answer(self.path, token)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
