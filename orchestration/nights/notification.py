"""Bringing a night's message to where the settings want it: `notification: [log, webhook, email]`.

Each place is told once per night: its claim is a file that is created before anything is sent, so a retry finds it. A
message that could not be delivered is kept and logged, and `evalwatt status` says so; it is not sent again, because it
may have arrived. Addresses and passwords come from the environment only, and nothing is sent unless a place is named.

    webhook  EVALWATT_WEBHOOK_URL, which is sent {"text": …} as JSON, what Slack and Mattermost read
    email    EVALWATT_EMAIL_TO (addresses with commas), EVALWATT_EMAIL_FROM, EVALWATT_SMTP_HOST, and where they are
             wanted EVALWATT_SMTP_PORT (465: TLS from the start; 587 otherwise, with STARTTLS where the server has it),
             EVALWATT_SMTP_USER, EVALWATT_SMTP_PASSWORD
"""

from __future__ import annotations

import json
import os
import smtplib
import ssl
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import httpx

from evaluators.redaction import redact
from orchestration.home import Home
from orchestration.nights.message import Message, folder, keep

LOG = "log"
_TIMEOUT_S = 20.0
_TLS_PORT = 465

Send = Callable[[Message], None]


class NotDelivered(Exception):
    """The message was not accepted, or the environment does not say where to send it; the message says what to do."""


def tell(home: Home, message: Message, places: Iterable[str], log: Callable[[str], None]) -> None:
    """Keep the message and bring it to every place that was not told of this night yet; the log is one of them.

    A place that cannot be reached is logged. Raises OSError where the message cannot be kept.
    """
    kept = keep(home, message)
    senders: dict[str, Send] = {LOG: lambda message: log(message.text()), "webhook": _post, "email": _mail}
    for place in dict.fromkeys([LOG, *places]):
        claim = kept / f"{place}.json"
        try:
            claim.touch(exist_ok=False)
        except FileExistsError:
            continue
        try:
            senders[place](message)
            outcome = "delivered"
        except (NotDelivered, httpx.HTTPError, httpx.InvalidURL, smtplib.SMTPException, OSError) as error:
            outcome = redact(f"not delivered: {error or type(error).__name__}")
            log(f"the night's message was {outcome} ({place}); it is kept in {kept}")
        claim.write_text(json.dumps({"at": datetime.now(UTC).isoformat(timespec="seconds"), "outcome": outcome}))


def was_told(home: Home, night: datetime) -> bool:
    """Whether the night's message has been logged, which comes first."""
    return (folder(home, night) / f"{LOG}.json").exists()


def deliveries(place: Path) -> dict[str, str]:
    """What became of a night's message, by place."""
    claims = sorted(path for path in place.glob("*.json") if path.name != "message.json")
    return {path.stem: _outcome(path) for path in claims}


def _outcome(claim: Path) -> str:
    try:
        return str(json.loads(claim.read_text())["outcome"])
    except ValueError:
        return "not known: the process ended while it was sent"


def _post(message: Message) -> None:
    address = _variable("EVALWATT_WEBHOOK_URL")
    httpx.post(address, json={"text": message.text()}, timeout=_TIMEOUT_S).raise_for_status()


def _mail(message: Message) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"] = _variable("EVALWATT_EMAIL_FROM"), _variable("EVALWATT_EMAIL_TO")
    mail["Subject"] = " ".join(f"[Evalwatt] {redact(message.headline)}".split())
    mail.set_content(message.text())
    host, port = _variable("EVALWATT_SMTP_HOST"), int(os.environ.get("EVALWATT_SMTP_PORT") or 587)
    user, password = os.environ.get("EVALWATT_SMTP_USER"), os.environ.get("EVALWATT_SMTP_PASSWORD", "")
    tls = ssl.create_default_context()
    connection = (
        smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT_S, context=tls)
        if port == _TLS_PORT
        else smtplib.SMTP(host, port, timeout=_TIMEOUT_S)
    )
    with connection as server:
        server.ehlo()
        encrypted = port == _TLS_PORT
        if not encrypted and server.has_extn("starttls"):
            server.starttls(context=tls)
            encrypted = True
        if user:
            if not encrypted:
                raise NotDelivered(f"{host} offers no TLS, so the password was not sent; unset EVALWATT_SMTP_USER")
            server.login(user, password)
        server.send_message(mail)


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise NotDelivered(f"{name} is not set; set it in the daemon's environment, or shorten `notification`")
    return value
