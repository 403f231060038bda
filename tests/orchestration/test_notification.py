"""A night's message goes to a real HTTP server and a real SMTP server, once per night, and nowhere unless named."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from orchestration.home import Home
from orchestration.night_message import Line, Message, folder, last_kept
from orchestration.notification import deliveries, tell

MESSAGE = Message(
    datetime(2026, 3, 1, 2, tzinfo=UTC),
    "Night of 2026-03-01 02:00 UTC: 1 of 2 models good, nothing new is published",
    (
        Line("failed", "gone: no folder\nof that name", "`evalwatt evaluate gone`, then `evalwatt build`"),
        Line("good", "base"),
    ),
)
TEXT = """\
Night of 2026-03-01 02:00 UTC: 1 of 2 models good, nothing new is published
  failed      gone: no folder
              of that name
              -> `evalwatt evaluate gone`, then `evalwatt build`
  good        base"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "data")


@pytest.fixture
def log() -> list[str]:
    return []


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[int]:
    """The port of a server that answers while the block lasts."""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def webhook(status: int, got: list[dict[str, Any]]) -> HTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return HTTPServer(("127.0.0.1", 0), Handler)


def mail_server(got: list[bytes]) -> socketserver.TCPServer:
    """As much of SMTP as one message needs."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline():
                verb = line.split()[0].upper()
                if verb == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    got.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
                if verb == b"QUIT":
                    return

    return socketserver.TCPServer(("127.0.0.1", 0), Handler)


def environment(monkeypatch: pytest.MonkeyPatch, **values: object) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"EVALWATT_{name}", str(value))


def test_the_log_is_told_once_and_the_message_is_kept(home: Home, log: list[str]) -> None:
    tell(home, MESSAGE, ["log"], log.append)
    tell(home, MESSAGE, ["log"], log.append)
    assert log == [TEXT]
    kept = last_kept(home)
    assert kept is not None
    assert (kept["text"], kept["good"], kept["night"]) == (TEXT, False, "2026-03-01T02:00:00+00:00")


def test_a_webhook_gets_the_text_once(home: Home, log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[dict[str, Any]] = []
    with serving(webhook(200, got)) as port:
        environment(monkeypatch, WEBHOOK_URL=f"http://127.0.0.1:{port}/hook")
        tell(home, MESSAGE, ["log"], log.append)
        assert got == [], "nothing is sent unless it is named"
        for _ in range(2):
            tell(home, MESSAGE, ["log", "webhook"], log.append)
    assert got == [{"text": TEXT}]
    assert deliveries(folder(home, MESSAGE.night)) == {"log": "delivered", "webhook": "delivered"}


def test_a_mail_arrives_once(home: Home, log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[bytes] = []
    with serving(mail_server(got)) as port:
        environment(monkeypatch, SMTP_HOST="127.0.0.1", SMTP_PORT=port)
        environment(monkeypatch, EMAIL_FROM="evalwatt@example.org", EMAIL_TO="ann@example.org, bob@example.org")
        for _ in range(2):
            tell(home, MESSAGE, ["email"], log.append)
    (mail,) = (message_from_bytes(content, policy=policy.default) for content in got)
    assert (mail["Subject"], mail["To"]) == (f"[Evalwatt] {MESSAGE.headline}", "ann@example.org, bob@example.org")
    assert mail.get_content().replace("\r\n", "\n").strip() == TEXT
    assert log == [TEXT]


def test_a_password_is_not_sent_in_the_clear(home: Home, log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[bytes] = []
    with serving(mail_server(got)) as port:
        environment(monkeypatch, SMTP_HOST="127.0.0.1", SMTP_PORT=port, SMTP_USER="ann", SMTP_PASSWORD="a long secret")
        environment(monkeypatch, EMAIL_FROM="evalwatt@example.org", EMAIL_TO="ann@example.org")
        tell(home, MESSAGE, ["email"], log.append)
    assert got == []
    assert "127.0.0.1 offers no TLS, so the password was not sent" in log[-1]


@pytest.mark.parametrize("trouble", ["refused", "an error", "no address"])
def test_a_place_that_fails_is_logged_and_neither_sent_to_again_nor_anybodys_end(
    home: Home, log: list[str], monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    got: list[dict[str, Any]] = []
    with serving(webhook(500, got)) as port:
        if trouble != "no address":
            port = port if trouble == "an error" else _free_port()
            environment(monkeypatch, WEBHOOK_URL=f"http://127.0.0.1:{port}/services/CanaryInTheAddress")
        else:
            monkeypatch.delenv("EVALWATT_WEBHOOK_URL", raising=False)
        for _ in range(2):
            tell(home, MESSAGE, ["webhook"], log.append)
    assert len(got) == (trouble == "an error")
    said = {"refused": "Connection refused", "an error": "500", "no address": "EVALWATT_WEBHOOK_URL is not set"}
    assert len(log) == 2
    assert log[0] == TEXT
    assert said[trouble] in log[1]
    assert "CanaryInTheAddress" not in str([log, deliveries(folder(home, MESSAGE.night))])


def test_secrets_are_blanked(home: Home, log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_TheCanaryThatNobodyMayHear")
    line = Line("failed", "refused hf_TheCanaryThatNobodyMayHear", "take hf_TheCanaryThatNobodyMayHear away")
    tell(home, Message(MESSAGE.night, "hf_TheCanaryThatNobodyMayHear", (line,)), ["log"], log.append)
    kept = "".join(path.read_text() for path in home.nights.rglob("*.json"))
    assert "Canary" not in log[0] + kept
    assert log[0].count("[redacted]") == 3


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
