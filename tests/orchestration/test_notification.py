"""A night's message goes to a real HTTP server and a real SMTP server, once per night, and nowhere unless named."""

from __future__ import annotations

import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from orchestration.home import Home
from orchestration.nights.message import Line, Message, folder, last_kept
from orchestration.nights.notification import deliver, deliveries

MESSAGE = Message(
    datetime(2026, 3, 1, 2, tzinfo=UTC),
    "Night of 2026-03-01 02:00 UTC: 1 of 2 models succeeded, nothing new was published",
    (
        Line("failed", "gone: no folder\nof that name", "`evalwatt evaluate gone`, then `evalwatt build`"),
        Line("succeeded", "base"),
    ),
)
TEXT = """\
Night of 2026-03-01 02:00 UTC: 1 of 2 models succeeded, nothing new was published
  failed      gone: no folder
              of that name
              -> `evalwatt evaluate gone`, then `evalwatt build`
  succeeded   base"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "data")


@pytest.fixture
def log() -> list[str]:
    return []


@contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[int]:
    """The port of a server that answers while the block lasts."""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield int(server.server_address[1])
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


class Mailbox:
    """What a real SMTP server got, and as whom; `tls` makes it offer STARTTLS, and a login of ann's only over that."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.users: list[bytes] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.mails.append(envelope.content)
        return "250 ok"

    @contextmanager
    def serving(self, tls: ssl.SSLContext | None = None) -> Iterator[int]:
        """Its port."""
        options: dict[str, Any] = {"tls_context": tls, "authenticator": self._log_in, "auth_required": tls is not None}
        controller = Controller(self, hostname="127.0.0.1", port=_free_port(), **options)
        controller.start()
        try:
            yield controller.port
        finally:
            controller.stop()

    def _log_in(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        self.users.append(data.login)
        return AuthResult(success=data == LoginPassword(b"ann", b"a long secret"), handled=False)


def environment(monkeypatch: pytest.MonkeyPatch, **values: object) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"EVALWATT_{name}", str(value))


def test_the_log_is_told_once_and_the_message_is_kept(home: Home, log: list[str]) -> None:
    deliver(home, MESSAGE, ["log"], log.append)
    deliver(home, MESSAGE, ["log"], log.append)
    assert log == [TEXT]
    kept = last_kept(home)
    assert kept is not None
    assert (kept["text"], kept["good"], kept["night"]) == (TEXT, False, "2026-03-01T02:00:00+00:00")


def test_a_webhook_gets_the_text_once(home: Home, log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[dict[str, Any]] = []
    with serving(webhook(200, got)) as port:
        environment(monkeypatch, WEBHOOK_URL=f"http://127.0.0.1:{port}/hook")
        deliver(home, MESSAGE, ["log"], log.append)
        assert got == [], "nothing is sent unless it is named"
        for _ in range(2):
            deliver(home, MESSAGE, ["log", "webhook"], log.append)
    assert got == [{"text": TEXT}]
    assert deliveries(folder(home, MESSAGE.night)) == {"log": "delivered", "webhook": "delivered"}


def test_a_mail_arrives_once(home: Home, log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    box = Mailbox()
    with box.serving() as port:
        environment(monkeypatch, SMTP_HOST="127.0.0.1", SMTP_PORT=port)
        environment(monkeypatch, EMAIL_FROM="evalwatt@example.org", EMAIL_TO="ann@example.org, bob@example.org")
        for _ in range(2):
            deliver(home, MESSAGE, ["email"], log.append)
    (mail,) = (message_from_bytes(content, policy=policy.default) for content in box.mails)
    assert (mail["Subject"], mail["To"]) == (f"[Evalwatt] {MESSAGE.headline}", "ann@example.org, bob@example.org")
    assert mail.get_content().replace("\r\n", "\n").strip() == TEXT
    assert log == [TEXT]


@pytest.mark.parametrize(
    ("trusted", "password", "said"),
    [
        (True, "a long secret", None),
        (True, "a wrong secret", "Authentication credentials invalid"),
        (False, "a long secret", "certificate verify failed"),
    ],
)
def test_a_login_is_sent_only_encrypted_and_to_the_server_that_was_meant(
    home: Home,
    log: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    trusted: bool,
    password: str,
    said: str | None,
) -> None:
    authority, tls, box = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), Mailbox()
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    (authority if trusted else trustme.CA()).cert_pem.write_to_path(tmp_path / "trusted.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    with box.serving(tls) as port:
        environment(monkeypatch, SMTP_HOST="127.0.0.1", SMTP_PORT=port, SMTP_USER="ann", SMTP_PASSWORD=password)
        environment(monkeypatch, EMAIL_FROM="evalwatt@example.org", EMAIL_TO="ann@example.org")
        deliver(home, MESSAGE, ["email"], log.append)
    assert set(box.users) == ({b"ann"} if trusted else set())
    assert len(box.mails) == (said is None)
    if said is None:
        assert log == [TEXT]
    else:
        assert said in log[-1]
    assert password not in str(log)


def test_a_password_is_not_sent_in_the_clear(home: Home, log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    box = Mailbox()
    with box.serving() as port:
        environment(monkeypatch, SMTP_HOST="127.0.0.1", SMTP_PORT=port, SMTP_USER="ann", SMTP_PASSWORD="a long secret")
        environment(monkeypatch, EMAIL_FROM="evalwatt@example.org", EMAIL_TO="ann@example.org")
        deliver(home, MESSAGE, ["email"], log.append)
    assert (box.mails, box.users) == ([], [])
    assert "127.0.0.1 does not offer TLS, so the password was not sent" in log[-1]


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
            deliver(home, MESSAGE, ["webhook"], log.append)
    assert len(got) == (trouble == "an error")
    said = {"refused": "Connection refused", "an error": "500", "no address": "EVALWATT_WEBHOOK_URL is not set"}
    assert len(log) == 2
    assert log[0] == TEXT
    assert said[trouble] in log[1]
    assert "CanaryInTheAddress" not in str([log, deliveries(folder(home, MESSAGE.night))])


def test_secrets_are_blanked(home: Home, log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_TheCanaryThatNobodyMayHear")
    line = Line("failed", "refused hf_TheCanaryThatNobodyMayHear", "take hf_TheCanaryThatNobodyMayHear away")
    deliver(home, Message(MESSAGE.night, "hf_TheCanaryThatNobodyMayHear", (line,)), ["log"], log.append)
    kept = "".join(path.read_text() for path in home.nights.rglob("*.json"))
    assert "Canary" not in log[0] + kept
    assert log[0].count("[redacted]") == 3


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
