"""What `simulate --out` writes beside the summary and the records."""

import json
import xml.etree.ElementTree as ElementTree
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from eapg_split.cli.app import app
from eapg_split.cli.simulated.jobs_table import schema
from eapg_split.cli.simulated.places import network
from eapg_split.cli.simulated.progress import shown
from eapg_split.cli.simulated.style import line_style
from eapg_split.domain.topology import NodeId
from simulations.building import build
from simulations.scenario import parse_scenario, shipped

MOST_BYTES = 300_000
PICTURES = {"latency.svg", "jobs.svg", "devices.svg", "load.svg", "map.svg"}
SHORT = ("--seeds", "1", "--jobs", "2", "--until", "400")
METRO = """
title = "A metro"
until_s = 20

[workloads.clip]
seconds = 1
steps = [2, 1, 1, 1]
privacy = "any"
every_s = 200

[[generate]]
kind = "metro"
devices = 1000
"""


def simulated(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["simulate", *map(str, arguments)])


def words(picture: Path) -> str:
    """All text of a picture that is well-formed and not large."""
    assert picture.stat().st_size < MOST_BYTES
    return " ".join(ElementTree.parse(picture).getroot().itertext())


@pytest.mark.parametrize("scenario", shipped())
def test_every_shipped_scenario_has_its_pictures(scenario: str, tmp_path: Path) -> None:
    result = simulated(scenario, *SHORT, "--policy", "dp-static,device-only", "--out", tmp_path, "--pictures")
    assert result.exit_code == 0, result.output
    made = {path.name for path in tmp_path.glob("*.svg")}
    missing = {word for word in PICTURES if f"no {word}" in result.stderr}
    assert made == PICTURES - missing
    assert missing <= {"devices.svg", "load.svg"}
    for name in made:
        assert "dp-static" in words(tmp_path / name)
    assert "stage4" in words(tmp_path / "jobs.svg")


def test_the_table_of_jobs_is_what_the_records_say(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    simulated("commuter-4g", "--seeds", 2, "--jobs", 2, "--until", 500, "--no-pictures", "--out", tmp_path)
    table = parquet.read_table(tmp_path / "jobs.parquet")
    assert table.schema.equals(schema())
    rows: list[dict[str, Any]] = table.to_pylist()
    found = [
        line
        for path in sorted(tmp_path.glob("*.jsonl"))
        for line in map(json.loads, path.read_text().splitlines())
    ]
    ends = {(e["policy"], e["job"], e["latency_s"]): e for e in found if e["event"] == "end"}
    assert len(rows) == len(ends) > 2
    for row in rows:
        line = ends[row["policy"], row["job"], row["latency_s"]]
        assert {key: row[key] for key in row if key != "seed"} == {
            key: line[key] for key in row if key != "seed"
        }
    assert not list(tmp_path.glob("*.svg"))


def test_a_thousand_nodes_are_a_small_map(tmp_path: Path) -> None:
    scenario = tmp_path / "metro.toml"
    scenario.write_text(METRO)
    result = simulated(
        scenario, "--seeds", 1, "--jobs", 10, "--policy", "edge-only", "--out", tmp_path, "--pictures"
    )
    assert result.exit_code == 0, result.output
    assert "edge-20" in words(tmp_path / "map.svg")


def test_a_way_that_is_two_others_is_drawn_as_them() -> None:
    layout = build(parse_scenario(Path("metro.toml"), METRO), seed=1).layout
    made = network(layout)
    device, edge, cloud = NodeId("device-1"), made.route("device-1", "cloud")[0], NodeId("cloud")
    home = edge[1] if edge[0] == device else edge[0]
    assert made.route(device, cloud) == [made.route(device, home)[0], made.route(home, cloud)[0]]
    assert (cloud, device) not in made.lines
    places = list(made.places.values())
    assert len(set(places)) == len(places) == 1021


def test_more_devices_than_dots_are_one_for_each_home() -> None:
    text = METRO.replace("1000", "3000")
    made = network(build(parse_scenario(Path("metro.toml"), text), seed=1).layout)
    assert len(made.places) < 200
    assert sum(made.counts.values()) == 3000 + 60 + 1


def test_another_job_can_be_drawn(tmp_path: Path) -> None:
    short = ("commuter-4g", "--seeds", 1, "--until", 900, "--policy", "device-only", "--out", tmp_path)
    assert simulated(*short, "--job", 1).exit_code == 0
    assert "job 1, 'clip' from phone" in words(tmp_path / "jobs.svg")
    result = simulated(*short, "--job", 1000)
    assert result.exit_code == 2
    assert "There is no job 1000 to draw: under seed 1 they are 0 to" in result.stderr
    assert (tmp_path / "map.svg").exists()
    assert not (tmp_path / "jobs.svg").exists()


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--pictures"], "add --out DIR"),
        (["--job", "1", "--no-pictures", "--out", "there"], "leave --no-pictures"),
    ],
)
def test_what_cannot_be_drawn_is_said_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = simulated("home-wifi", *flags)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert not list(tmp_path.iterdir())


def test_without_the_extras_all_else_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(name: str) -> object:
        return None if name in ("matplotlib", "pyarrow") else find_spec(name)

    monkeypatch.setattr("eapg_split.cli.report_page.figure.find_spec", without)
    monkeypatch.setattr("eapg_split.cli.simulated.jobs_table.find_spec", without)
    short = ("commuter-4g", *SHORT, "--policy", "device-only", "--out", tmp_path)
    result = simulated(*short)
    assert result.exit_code == 0
    assert 'pip install "eapg-split[parquet]"' in result.stderr
    assert 'pip install "eapg-split[plots]"' in result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"0-device-only-1.jsonl", "summary.json"}
    asked = simulated(*short, "--pictures")
    assert asked.exit_code != 0
    assert 'pip install "eapg-split[plots]"' in asked.stderr


def test_a_bar_says_how_far_the_runs_are(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    assert list(shown(iter("abc"), 3)) == ["a", "b", "c"]
    assert "3/3" in terminal.getvalue()


def test_policies_look_different_for_longer_than_there_are_colours() -> None:
    looks = [line_style(number) for number in range(16)]
    assert len({(look["color"], look["linestyle"]) for look in looks}) == len(looks)
