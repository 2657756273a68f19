"""What the documents say exists: flags, commands, files, exit codes, policies, code."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eapg_split.cli.app import app
from eapg_split.cli.exits import exit_codes
from eapg_split.config import daemon_settings
from eapg_split.domain.topology import Tier
from eapg_split.planner import POLICIES

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = DOCUMENTS[0].read_text(encoding="utf-8")
COMMANDS_DOC = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


def help_of(command: str) -> str:
    return CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).stdout


def flags_in(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))


def code_blocks(text: str, language: str) -> Iterator[str]:
    yield from re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_every_flag_of_generate_in_the_documents_exists() -> None:
    known = flags_in(help_of("generate"))
    for document in (README, COMMANDS_DOC):
        for line in re.findall(r"eapg-split generate .*(?:\n {20,}.*)*", document):
            assert flags_in(line) <= known, line


def test_every_flag_of_generate_is_documented() -> None:
    assert flags_in(help_of("generate")) - {"--help", "--output"} <= flags_in(COMMANDS_DOC)


def test_every_daemon_flag_in_the_readme_exists(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        daemon_settings(["--help"], Tier.EDGE)
    known = flags_in(capsys.readouterr().out)
    for line in re.findall(r"python -m \w+_node .*", README):
        assert flags_in(line) <= known, line


def test_every_command_exists() -> None:
    shown = CliRunner().invoke(app, ["--help"]).stdout
    for command in re.findall(r"^ {4}eapg-split ([a-z]+)", README + COMMANDS_DOC, re.MULTILINE):
        assert command in shown


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for document in DOCUMENTS:
        named = re.findall(r"(?:^ {4}|`)make ([a-z]+)", document.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(named) <= targets, document.name


def test_exit_codes_are_documented_as_they_are() -> None:
    rows = {
        int(code): meaning
        for code, meaning in re.findall(r"^\| (\d+) \| (.+?) \|$", COMMANDS_DOC, re.MULTILINE)
    }
    assert rows == exit_codes()
    named = {
        int(code) for row in re.findall(r"^\| ([\d, ]+) \|", README, re.MULTILINE) for code in row.split(",")
    }
    assert named == set(exit_codes())


def test_policies_are_documented() -> None:
    for name in POLICIES:
        assert f"`{name}`" in README


def test_toml_in_the_readme_is_what_we_read(tmp_path: Path) -> None:
    from eapg_split.config import read_daemon_file, read_nodes_file

    cloud, nodes = code_blocks(README, "toml")
    (tmp_path / "cloud.toml").write_text(cloud)
    (tmp_path / "nodes.toml").write_text(nodes)
    assert read_daemon_file(tmp_path / "cloud.toml", Tier.CLOUD).threads == 8
    assert [node.name for node in read_nodes_file(tmp_path / "nodes.toml").nodes] == [
        "device",
        "edge",
        "cloud",
    ]


def test_python_in_the_readme_is_well_typed(tmp_path: Path) -> None:
    """Types catch a name or an argument that has gone, without running a model."""
    for number, block in enumerate(code_blocks(README, "python")):
        (tmp_path / f"snippet_{number}.py").write_text(block)
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", str(ROOT / "pyproject.toml"), str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    wrong = [line for line in result.stdout.splitlines() if "snippet_" in line and "error" in line]
    assert "Success" in result.stdout or "Found" in result.stdout, result.stdout + result.stderr
    assert wrong == []


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "README.md").read_text(encoding="utf-8")
    assert all(f"({path.name})" in listed for path in folder.glob("0*.md"))
