"""`policy list`, `policy check` and `policy new`, and a package that was begun with it, installed and tested."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from eapg_split.cli.__main__ import run
from eapg_split.cli.policy_new import Level, create_policy
from eapg_split.errors import InvalidRequest
from eapg_split.planner import POLICIES, resolve
from eapg_split.testing.policy_contract import assert_policy

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples" / "policies").glob("*.py"))


def test_list_says_where_policies_come_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    ours = [row for row in rows if row["origin"] == "built in"]
    assert [row["name"] for row in ours] == list(POLICIES)
    assert all(row["summary"] and not row["error"] for row in ours)
    assert run(["policy", "list"]) == 0
    shown = capsys.readouterr().out
    assert "built in" in shown
    assert "policy new" in shown


def test_check_ends_with_0_when_the_contract_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "check", "device-only", "--views", "10"]) == 0
    shown = capsys.readouterr().out
    assert "plans are legal" in shown
    assert "The contract holds." in shown


def test_check_ends_with_1_when_it_does_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.py"
    file.write_text("class Mine:\n    name = 'mine'\n    def plan(self, view):\n        return 3\n")
    assert run(["policy", "check", str(file), "--views", "5"]) == 1
    assert "FAIL" in capsys.readouterr().out
    assert run(["policy", "check", str(file), "--views", "5", "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert {row["check"]: row["passed"] for row in rows}["plans are legal"] is False
    assert run(["policy", "check", "device-only", "--views", "20", "--max-regret", "0.001"]) == 1
    assert "regret" in capsys.readouterr().out


def test_check_of_what_is_no_policy_is_a_wrong_flag(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "check", "fastest"]) == 2
    assert "error: There is no policy" in capsys.readouterr().err


@pytest.mark.parametrize("level", Level)
def test_a_new_policy_keeps_the_contract_as_it_is(level: Level, tmp_path: Path) -> None:
    files = create_policy("green-first", level, tmp_path)
    assert all(file.exists() for file in files)
    module = tmp_path / "green-first" / "green_first" / "__init__.py"
    assert "@" not in module.read_text()
    policy = resolve(str(module))
    assert (policy.name, type(policy).__name__) == ("green-first", "GreenFirstPolicy")
    assert_policy(lambda: resolve(str(module)), views=20)


def test_new_writes_no_file_over_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["policy", "new", "green-first", "--folder", str(tmp_path)]
    assert run(arguments) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 4
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert run(arguments) == 2
    assert "exists already" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert run([*arguments[:2], "other", "--level", "all", "--folder", str(tmp_path)]) == 2
    assert run([*arguments[:2], "other", "--folder", str(Path(shown[0]) / "below")]) == 13


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Green",
        "green_first",
        "-green",
        "1st",
        "a--b",
        "../up",
        "a/b",
        "x" * 80,
        "pyramid",
        "json",
        "class",
    ],
)
def test_a_name_that_cannot_be_a_package_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest):
        create_policy(name, Level.SCORE, tmp_path)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_keep_the_contract(path: Path) -> None:
    assert_policy(lambda: resolve(str(path)), views=30)


@pytest.mark.parametrize("number", range(3))
def test_the_policies_in_the_documents_keep_the_contract(number: int, tmp_path: Path) -> None:
    """One of each level; each block is a whole file."""
    document = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", document, re.DOTALL)
    assert len(blocks) == 3
    file = tmp_path / "documented.py"
    file.write_text(blocks[number])
    assert_policy(lambda: resolve(str(file)), views=20)


def test_there_is_an_example_of_five_lines_and_one_that_learns() -> None:
    lengths = {}
    for path in EXAMPLES:
        body = path.read_text().split("class ", 1)[1]
        lengths[path.stem] = len([line for line in body.splitlines() if line.strip()])
    assert min(lengths.values()) <= 5
    assert any(hasattr(resolve(str(path)), "state_dict") for path in EXAMPLES)


@pytest.mark.slow
def test_new_packages_install_and_their_tests_pass(tmp_path: Path) -> None:
    """In an environment of its own that sees this one's packages, without a network."""
    for level in Level:
        create_policy(f"{level}-green", level, tmp_path)
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False, symlinks=True)
    python = environment / "bin" / "python"
    (site,) = (environment / "lib").glob("python*/site-packages")
    for place in {
        sysconfig.get_path("purelib"),
        *(each for each in sys.path if each.endswith("site-packages")),
    }:
        (site / "outer.pth").write_text(f"import site; site.addsitedir({place!r})\n")
    packages = [argument for level in Level for argument in ("-e", str(tmp_path / f"{level}-green"))]
    shell = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    shell.pop("PYTHONPATH", None)

    def call(*arguments: str, cwd: Path = tmp_path) -> str:
        done = subprocess.run(
            [python, "-m", *arguments],
            cwd=cwd,
            env=shell,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    call("pip", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation", *packages)
    folders = [f"{level}-green/tests" for level in Level]
    assert "6 passed" in call("pytest", "-q", "-p", "no:cacheprovider", *folders)
    listed = json.loads(call("eapg_split.cli", "policy", "list", "--json"))
    assert {row["name"]: (row["origin"], row["error"]) for row in listed}["plan-green"] == (
        "plan-green 0.1.0",
        "",
    )
