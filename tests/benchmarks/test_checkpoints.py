"""The benchmark of checkpoints runs, on toy networks, and writes the rows that it promises."""

import json
from pathlib import Path

import pytest
from checkpoints import main


@pytest.mark.cluster
def test_every_figure_is_there(tmp_path: Path) -> None:
    rows = tmp_path / "rows.json"
    assert main(["--quick", "--engine", "tests.toy_engine:open_slow_engine", "--json", str(rows)]) == 0
    found = {row["figure"]: row for row in json.loads(rows.read_text())}
    for words in ("wall time", "processor time", "came home", "same frames"):
        assert any(words in figure for figure in found)
    assert not found["what came home on the way"]["ours"].startswith("0 states")
