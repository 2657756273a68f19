"""Flags that stand in a file."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from eapg_split.cli.app import app


def run(folder: Path, text: str, *arguments: str) -> tuple[int, str]:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(app, ["--config", str(path), *arguments])
    return result.exit_code, result.output


def test_a_file_says_what_to_make_small_and_flags_win(tmp_path: Path) -> None:
    text = """
    [generate]
    objective = "speed"
    max-entropy = -3
    """
    code, said = run(tmp_path, text, "generate", "A cat")
    assert code == 2
    assert "speed" in said
    code, said = run(tmp_path, text, "generate", "A cat", "--objective", "energy")
    assert code == 2
    assert "speed" not in said
    assert "--max-entropy" in said


def test_lists_and_switches(tmp_path: Path) -> None:
    text = """
    [generate]
    pin = ["stage4"]
    json = true
    """
    code, said = run(tmp_path, text, "generate", "A cat")
    assert code == 2
    assert "stage4" in said


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[generat]\nseed = 1", "[generate]"),
        ("seed = 1", "[generate]"),
        ("[generate]\nsped = 1", "objective"),
        ("[generate]\njson = 1", "true or false"),
        ("[generate]\nseed = true", "text or a number"),
        ("[generate]\nseed = {}", "text or a number"),
        ("[generate", "TOML"),
    ],
)
def test_what_is_no_flag_is_refused(tmp_path: Path, text: str, word: str) -> None:
    code, said = run(tmp_path, text, "generate", "A cat")
    assert code == 2
    assert word in said
