"""`eapg-split doctor`: what is installed, what was found, and what is missing for what."""

import importlib
import os
import platform
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from eapg_split.cli.text import size, table
from eapg_split.errors import EapgError

_BASE: Final = "generating"
_TORCH: Final = "--engine torch"
_TRAIN: Final = "eapg-split train"
_REPORT: Final = "eapg-split report"

# distribution, module, what it is for, the extra that brings it ("" for the base install)
_PACKAGES: Final = (
    ("numpy", "numpy", _BASE, ""),
    ("grpcio", "grpc", _BASE, ""),
    ("protobuf", "google.protobuf", _BASE, ""),
    ("onnxruntime", "onnxruntime", _BASE, ""),
    ("zstandard", "zstandard", _BASE, ""),
    ("xxhash", "xxhash", _BASE, ""),
    ("safetensors", "safetensors", _BASE, ""),
    ("av", "av", "video files", ""),
    ("prometheus-client", "prometheus_client", "--metrics", ""),
    ("torch", "torch", f"{_TORCH}, {_TRAIN}", "torch"),
    ("matplotlib", "matplotlib", f"{_REPORT}, pictures of plan and simulate", "plots"),
    ("pyarrow", "pyarrow", "jobs.parquet of simulate", "parquet"),
    ("gymnasium", "gymnasium", "learning to place", "gym"),
    ("ray", "ray", "simulate --ray, sweep --ray", "ray"),
    ("cryptography", "cryptography", "certs init, issue and show", "certs"),
    ("opentelemetry-sdk", "opentelemetry.sdk", "--traces otlp:URL", "otel"),
    ("onnx", "onnx", _TRAIN, "train"),
    ("onnxscript", "onnxscript", _TRAIN, "train"),
    ("opencv-python-headless", "cv2", _TRAIN, "train"),
)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `needed` where `generate` cannot do without it."""

    name: str
    fine: bool
    detail: str
    needed: bool = False
    remedy: str = ""


def examine() -> list[Finding]:
    """Looks at everything; never raises."""
    return [_machine(), *_packages(), *_engines(), _accelerator(), _weights(), _loopback()]


def render(findings: list[Finding]) -> str:
    """A table, and below it what to do about what is missing."""
    rows = [
        ("ok" if finding.fine else "MISSING" if finding.needed else "-", finding.name, finding.detail)
        for finding in findings
    ]
    remedies = [
        f"{finding.name}: {finding.remedy}" for finding in findings if finding.remedy and not finding.fine
    ]
    return "\n".join([table(("", "what", "found"), rows), *([""] if remedies else []), *remedies])


def _machine() -> Finding:
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = size(psutil.virtual_memory().total)
    detail = f"{platform.system()} {platform.machine()}, {cores} cores, {memory}, Python {platform.python_version()}"
    return Finding("machine", True, detail)


def _packages() -> Iterator[Finding]:
    for distribution, module, purpose, extra in _PACKAGES:
        needed = not extra
        remedy = f"pip install 'eapg-split[{extra}]'" if extra else "pip install --force-reinstall eapg-split"
        remedy = f"for {purpose}: {remedy}"
        try:
            found = version(distribution)
            if needed:
                importlib.import_module(module)
            yield Finding(distribution, True, found, needed)
        except PackageNotFoundError:
            yield Finding(distribution, False, f"not installed; for {purpose}", needed, remedy)
        except Exception as error:  # a broken install may raise anything
            yield Finding(distribution, False, f"cannot be imported ({_first_line(error)})", needed, remedy)


def _engines() -> Iterator[Finding]:
    from eapg_split.engines import available_engines

    for report in available_engines():
        yield Finding(f"engine {report.kind}", report.available, report.detail, report.kind == "onnx")


def _accelerator() -> Finding:
    gpu = _nvidia_gpu()
    return Finding("GPU", bool(gpu), gpu or "none found; everything runs on the CPU")


def _nvidia_gpu() -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    query = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        found = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return "; ".join(found.stdout.split("\n")).strip("; ")


def _weights() -> Finding:
    from eapg_split.engines.store import read_manifest

    try:
        manifest = read_manifest()
        total = sum(entry.size_bytes for entry in manifest.files.values())
        for name in manifest.files:
            part, _, suffix = name.partition(".")
            manifest.path(part, suffix)
    except EapgError as error:
        return Finding("weights", False, error.message, needed=True)
    return Finding(
        "weights", True, f"{len(manifest.files)} files, {size(total)}, {manifest.fingerprint[:12]}", True
    )


def _loopback() -> Finding:
    try:
        with socket.create_server(("127.0.0.1", 0)):
            return Finding("loopback", True, "local daemons can listen on 127.0.0.1", needed=True)
    except OSError as error:
        detail = f"nothing can listen on 127.0.0.1 ({error.strerror})"
        return Finding(
            "loopback", False, detail, True, "allow this user to open ports on the loopback interface"
        )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
