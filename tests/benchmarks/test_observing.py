"""The benchmark of watching and mutual TLS runs, on toy networks, and writes the rows that it promises."""

import json
from pathlib import Path

import pytest
from observing import main


@pytest.mark.cluster
def test_every_figure_is_there(tmp_path: Path) -> None:
    rows = tmp_path / "rows.json"
    assert main(["--quick", "--engine", "tests.toy_engine:open_engine", "--json", str(rows)]) == 0
    figures = [row["figure"] for row in json.loads(rows.read_text())]
    for words in ("logs, processor", "logs, wall", "TLS, processor", "TLS, wall", "same frames"):
        assert sum(words in figure for figure in figures) == 1
