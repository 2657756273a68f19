"""Imports go down, as docs/architecture.md says, and a device needs no torch."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_import_contracts_hold() -> None:
    result = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr


def test_daemons_and_the_command_line_import_no_torch() -> None:
    """Nor what only computing or encoding needs: an idle daemon is small."""
    modules = "device_node.app, edge_node.app, cloud_node.app, eapg_split.cli.run"
    code = f"import sys, {modules}; print([m for m in ('torch', 'onnxruntime', 'av', 'onnx') if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.strip() == "[]"
