"""A stranger's policy in a real job: from a file, from a module, installed; and ones that would rather break it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = (ROOT / "examples" / "policies" / "little_cloud.py").read_text(encoding="utf-8")
SMALL = (
    *("--engine", "tests.toy_engine:open_engine", "--seconds", "1", "--fps", "4"),
    *("--width", "64", "--height", "64", "--steps", "2,1,1,1"),
)

pytestmark = pytest.mark.cluster


def generate(folder: Path, policy: str) -> subprocess.CompletedProcess[str]:
    """Runs a job in a folder that is on the path of Python, as an installed package would be."""
    arguments = ["generate", "A cat running", "-o", "out.gif", *SMALL, "--policy", policy]
    return subprocess.run(
        [sys.executable, "-m", "eapg_split.cli", *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}",
            "XDG_STATE_HOME": str(folder / "state"),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("policy", ["./mine.py", "./mine.py:LittleCloud", "mine:LittleCloud", "installed"])
def test_five_lines_by_path_by_module_and_installed(tmp_path: Path, policy: str) -> None:
    (tmp_path / "mine.py").write_text(EXAMPLE)
    package = tmp_path / "stranger-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[eapg_split.policies]\ninstalled = mine:LittleCloud\n")
    done = generate(tmp_path, policy)
    assert done.returncode == 0, done.stderr
    assert "plan (little-cloud)" in done.stdout + done.stderr
    assert (tmp_path / "out.gif").stat().st_size > 0


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("import time; time.sleep(3600)", "did not answer within 1 seconds"),
        ("raise ValueError('out of order')", "out of order"),
        ("return 'to the moon'", "must return a Plan"),
    ],
)
def test_one_that_breaks_costs_a_warning_and_not_the_job(tmp_path: Path, body: str, reason: str) -> None:
    (tmp_path / "mine.py").write_text(
        f"class Mine:\n    name = 'mine'\n    def plan(self, view):\n        {body}\n"
    )
    began = time.perf_counter()
    done = generate(tmp_path, "./mine.py")
    shown = done.stdout + done.stderr
    assert done.returncode == 0, shown
    assert shown.count(reason) == 1, shown
    assert "dp-static plans instead" in shown
    assert time.perf_counter() - began < 60


def test_what_is_learned_is_kept_for_the_next_job(tmp_path: Path) -> None:
    for jobs in (1, 2):
        done = generate(tmp_path, "bandit")
        assert done.returncode == 0, done.stdout + done.stderr
        (file,) = (tmp_path / "state" / "eapg_split" / "policies").rglob("*.json")
        state = json.loads(file.read_text())
        assert state["jobs"] == jobs
        assert "node device" in state["beliefs"]


def test_one_that_cannot_be_loaded_is_a_wrong_flag(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import nothing_of_the_kind\n")
    done = generate(tmp_path, "./mine.py")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "nothing_of_the_kind" in done.stderr
    assert "Traceback" not in done.stderr
