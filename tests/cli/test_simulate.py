import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eapg_split.cli.app import app
from eapg_split.errors import OutputFailure

SCENARIO = """
title = "A phone and a box"
until_s = 300

[workloads.clip]
every_s = 40
seconds = 1
steps = [2, 1, 1, 1]

[nodes.phone]
like = "phone"

[nodes.box]
like = "edge-server"

[[links]]
from = "phone"
to = "box"
rate_mbps = 20
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(SCENARIO)
    return path


def simulated(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["simulate", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_table_says_what_each_policy_made_of_it(scenario: Path) -> None:
    text = simulated(scenario, "--policy", "dp-static,device-only", "--seeds", 3)
    assert "A phone and a box: 3 runs of each policy" in text
    assert all(word in text for word in ("dp-static", "device-only", "p95 s", "±"))


def test_the_document_and_the_files_hold_every_run(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    text = simulated(scenario, "--policy", "device-only", "--seeds", 2, "--jobs", 2, "--json", "--out", out)
    document = json.loads(text)
    assert document == json.loads((out / "summary.json").read_text())
    assert [run["seed"] for run in document["runs"]] == [1, 2]
    assert document["policies"]["device-only"]["jobs"] == {"mean": 2.0, "half": 0.0}
    lines = [json.loads(line) for line in (out / "0-device-only-1.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines if line["event"] in ("job", "end")].count("end") == 2
    assert [line["at_s"] for line in lines] == sorted(line["at_s"] for line in lines)


def test_processes_change_nothing(scenario: Path, tmp_path: Path) -> None:
    for folder, processes in (("one", 1), ("two", 2)):
        simulated(scenario, "--seeds", 2, "--jobs", 1, "--parallel", processes, "--out", tmp_path / folder)
    one, two = (
        {path.name: path.read_bytes() for path in sorted((tmp_path / folder).iterdir())}
        for folder in ("one", "two")
    )
    assert one == two
    assert {Path(name).suffix for name in one} == {".json", ".jsonl", ".parquet", ".svg"}


def test_what_is_not_there_is_said_with_the_code_of_a_bad_request(scenario: Path) -> None:
    for arguments in (["nowhere"], [], [str(scenario), "--policy", "clever"]):
        result = CliRunner().invoke(app, ["simulate", *arguments])
        assert result.exit_code == 2
        assert result.stderr.startswith("error: ")


def test_the_shipped_scenarios_are_listed() -> None:
    assert "home-wifi            Home Wi-Fi" in simulated("--list")


def test_a_folder_that_takes_no_files_is_said_before_anything_is_computed(scenario: Path) -> None:
    result = CliRunner().invoke(app, ["simulate", str(scenario), "--out", "/dev/null/there"])
    assert result.exit_code == OutputFailure.exit_code
    assert "choose another folder" in result.output
