import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from eapg_split.cli.app import app
from tests.cli.test_simulate import SCENARIO


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(SCENARIO)
    return path


def swept(*arguments: object) -> Result:
    return CliRunner().invoke(
        app, ["sweep", *map(str, arguments), "--policy", "greedy,device-only", "--jobs", "2"]
    )


def test_every_point_is_what_simulate_makes_of_the_file_with_these_values(
    scenario: Path, tmp_path: Path
) -> None:
    flags = ("--set", "links.rate_mbps=1,50", "--set", "nodes.phone.battery.charge=0.3,0.9", "--seeds", 2)
    result = swept(scenario, *flags, "--json", "--out", tmp_path / "out", "--parallel", 2)
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith("4 points, 2 policies, 2 seeds: 16 runs.\n")
    document = json.loads(result.stdout)
    assert document == json.loads((tmp_path / "out" / "sweep.json").read_text())
    assert [tuple(row["settings"].values()) for row in document["rows"][::2]] == [
        (1, 0.3),
        (1, 0.9),
        (50, 0.3),
        (50, 0.9),
    ]
    scenario.write_text(
        SCENARIO.replace("rate_mbps = 20", "rate_mbps = 50") + "[nodes.phone.battery]\ncharge = 0.3\n"
    )
    alone = CliRunner().invoke(
        app,
        [
            "simulate",
            str(scenario),
            "--policy",
            "greedy,device-only",
            "--seeds",
            "2",
            "--jobs",
            "2",
            "--json",
        ],
    )
    expected = json.loads(alone.stdout)["policies"]
    assert {row["policy"]: row["figures"] for row in document["rows"][4:6]} == expected
    rows = list(csv.DictReader((tmp_path / "out" / "sweep.csv").read_text().splitlines()))
    assert [row["links.rate_mbps"] for row in rows] == ["1"] * 4 + ["50"] * 4
    assert float(rows[4]["latency_p50_s"]) == expected["greedy"]["latency_p50_s"]["mean"]
    picture = (tmp_path / "out" / "sweep.svg").read_text()
    assert "latency over links.rate_mbps" in picture


def test_a_table_says_what_won_where(scenario: Path) -> None:
    result = swept(scenario, "--set", "links.rate_mbps=1,50", "--seeds", 1)
    assert result.exit_code == 0, result.output
    assert all(word in result.stdout for word in ("links.rate_mbps", "greedy", "device-only", "p95 s"))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["links.rate_mbps=1,0"], "mine.toml, line 19, with links.rate_mbps=0: rate_mbps: 0 is less"),
        (["links.rat_mbps=1"], "perhaps 'rate_mbps' is meant"),
        (["links.0.to=box,bax"], "with links.0.to=bax: there is no node 'bax'"),
        (["links.delay_ms=1", "links.delay_ms=2"], "set twice"),
        (["seeds=1,2"], "use --seeds"),
        (["links.delay_ms"], "write it like"),
        (
            [f"{key}={','.join(map(str, range(1, 900)))}" for key in ("links.delay_ms", "until_s")],
            "808201 points",
        ),
    ],
)
def test_what_cannot_be_swept_is_said_before_the_first_run(
    scenario: Path, flags: list[str], words: str
) -> None:
    result = swept(scenario, *(part for flag in flags for part in ("--set", flag)))
    assert result.exit_code == 2
    assert words in result.stderr
    assert "runs." not in result.stderr
