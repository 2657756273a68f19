"""The benchmark of a whole job runs, on toy networks, and writes the rows that it promises."""

import json
from pathlib import Path

import pytest
from first_light import main


@pytest.mark.cluster
def test_every_figure_is_there(tmp_path: Path) -> None:
    rows = tmp_path / "rows.json"
    assert main(["--quick", "--engine", "tests.toy_engine:open_engine", "--json", str(rows)]) == 0
    found = json.loads(rows.read_text())
    assert all(list(row) == ["figure", "ours", "beside", "bar", "holds"] for row in found)
    figures = " ".join(row["figure"] for row in found)
    for words in ("whole command", "peak memory", "split over three", "same frames", "ready", "idle"):
        assert words in figures
