"""Delivers a night's message to the places in the settings: `notification: [log, webhook, email]`.

Each place gets one message per night: a file claims the delivery before anything is sent, so that a retry finds it. A
message that could not be delivered is kept and logged, and `evalwatt status` shows it; it is not sent again, because it
may have arrived. Addresses and passwords come from the environment only, and without a place nothing is sent.

    webhook  EVALWATT_WEBHOOK_URL, which receives {"text": …} as JSON, the format of Slack and Mattermost
    email    EVALWATT_EMAIL_TO (comma-separated), EVALWATT_EMAIL_FROM, EVALWATT_SMTP_HOST, and optionally
             EVALWATT_SMTP_PORT (465: TLS from the start; 587 otherwise, with STARTTLS if the server offers it),
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
    """The message was rejected, or the environment lacks an address; the error says what to do."""


def deliver(home: Home, message: Message, places: Iterable[str], log: Callable[[str], None]) -> None:
    """Keep the message and deliver it to the log and every place that has not received this night's message.

    A failed delivery is logged. Raises OSError if the message cannot be kept.
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


def was_delivered(home: Home, night: datetime) -> bool:
    """Whether the night's message has been logged, the first delivery."""
    return (folder(home, night) / f"{LOG}.json").exists()


def deliveries(place: Path) -> dict[str, str]:
    """The outcome of each delivery of a night's message, by place."""
    claims = sorted(path for path in place.glob("*.json") if path.name != "message.json")
    return {path.stem: _outcome(path) for path in claims}


def _outcome(claim: Path) -> str:
    try:
        return str(json.loads(claim.read_text())["outcome"])
    except ValueError:
        return "not known: the process ended during the delivery"


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
                raise NotDelivered(f"{host} does not offer TLS, so the password was not sent; unset EVALWATT_SMTP_USER")
            server.login(user, password)
        server.send_message(mail)


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise NotDelivered(
            f"{name} is not set; set it in the daemon's environment, or remove the place from `notification`"
        )
    return value
