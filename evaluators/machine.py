"""The machine that evaluates, as a run records it: energies are comparable only on the same machine and device."""

from __future__ import annotations

import hashlib
import os
import platform
import socket
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "accelerate",
    "codecarbon",
    "datasets",
    "lm-eval",
    "numpy",
    "nvidia-ml-py",
    "peft",
    "safetensors",
    "tokenizers",
    "torch",
    "transformers",
)


@dataclass(frozen=True, slots=True)
class Machine:
    """Host, processor and memory."""

    machine_id: str
    host: str
    operating_system: str
    cpu_model: str
    cpu_count: int
    ram_total_gb: float


@dataclass(frozen=True, slots=True)
class Device:
    """Where the model runs: `device` is torch's name, the other fields describe the hardware."""

    device: str
    device_name: str
    device_uuid: str | None
    driver_version: str | None


def describe_machine(machine_id: str | None) -> Machine:
    """The machine. `machine_id` None: host name and a hash of the hardware, stable while the hardware is."""
    import psutil

    host, cpu_model = socket.gethostname(), _cpu_model()
    ram_gb = psutil.virtual_memory().total / 2**30
    hardware = f"{host}/{cpu_model}/{os.cpu_count()}/{ram_gb:.0f}"
    return Machine(
        machine_id=machine_id or f"{host}-{hashlib.sha256(hardware.encode()).hexdigest()[:6]}",
        host=host,
        operating_system=platform.platform(),
        cpu_model=cpu_model,
        cpu_count=os.cpu_count() or 1,
        ram_total_gb=round(ram_gb, 2),
    )


def describe_device(wanted: str) -> Device:
    """The device. `wanted`: auto, cpu, cuda, cuda:N or mps. Raises ValueError where torch does not see it."""
    import torch

    name = ("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted
    if name.startswith("cuda"):
        index = int(name.partition(":")[2] or 0)
        if index >= torch.cuda.device_count():
            raise ValueError(
                f"settings.device: {wanted}, but torch {torch.__version__} sees {torch.cuda.device_count()} CUDA "
                "device(s); choose `auto` or `cpu`, or install torch's CUDA build"
            )
        properties = torch.cuda.get_device_properties(index)
        return Device(f"cuda:{index}", properties.name, f"GPU-{properties.uuid}", _nvidia_driver())
    return Device(name, _cpu_model() if name == "cpu" else platform.processor(), None, None)


def native_dtype(device: str) -> str:
    """The dtype that `auto` means: bfloat16 where the device computes in it, else float32.

    A CPU without instructions for bfloat16 converts at every step, which made reading prompts six times slower than in
    float32 (docs/decisions/2026-11-24-dtype-auto.md).
    """
    import torch

    if device.startswith("cuda"):
        supported = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # avx512_bf16 and amx_bf16 on x86, arm_bf16 on Arm
        supported = any(has for name, has in torch.cpu.get_capabilities().items() if "bf16" in name)
    return "bfloat16" if supported else "float32"


def usable_threads() -> int:
    """The number of physical cores that this process may use: more threads slow every evaluation down."""
    import psutil

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    physical = psutil.cpu_count(logical=False) or allowed
    return max(1, min(allowed, physical)) if physical > 1 else allowed


def memory_kills() -> int:
    """The number of processes that the kernel has killed for memory since it started; 0 where that is unknown."""
    try:
        counters = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in counters if line.startswith("oom_kill ")), 0)


def package_versions() -> dict[str, str]:
    """The versions of packages that can change a score or a figure."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def project_git_sha(root: Path) -> str | None:
    """The commit that is checked out around `root`; None outside a repository."""
    import subprocess

    try:
        answer = subprocess.run(["git", "-C", root, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None if answer.returncode == 0 else None


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _nvidia_driver() -> str | None:
    import pynvml

    try:
        pynvml.nvmlInit()
        return str(pynvml.nvmlSystemGetDriverVersion())
    except pynvml.NVMLError:
        return None
