import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from eapg_split.cli.simulated.schema import schema, schema_text
from eapg_split.planner.models.thermal import ThermalModel
from simulations import record
from simulations.arrivals import Listed
from simulations.body import Cell
from simulations.record_lines import EVENTS, NodeSample
from simulations.simulation import Run
from tests.simulations.small import CLOUD, DEVICE, EDGE, layout, run
from tests.simulations.test_simulation import busy_world

DOCUMENT = Path(__file__).parents[2] / "docs" / "simulation-record.md"
SHIPPED = Path(record.__file__).with_name("record.schema.json")
PHONE = layout({DEVICE: {"cell": Cell(0.6), "heat": ThermalModel(), "noise": 0.05}})


def recorded(policy: str = "cloud-only", until_s: float = float("inf")) -> tuple[Run, list[dict[str, Any]]]:
    lines = list[str]()
    done = run(policy, PHONE, arrivals=Listed((0.0, 40.0)), until_s=until_s, write=lines.append)
    return done, [json.loads(line) for line in lines]


def test_every_line_fits_the_schema() -> None:
    validator = jsonschema.Draft202012Validator(schema())
    full = layout({CLOUD: {"slots": 1}})
    told = busy_world()
    run("cloud-only", full, arrivals=Listed((0.0, 0.1)), write=told.append)
    lines = [*map(json.loads, told), *recorded(until_s=41.0)[1]]
    for line in lines:
        validator.validate(line)
    assert {line["event"] for line in lines} == set(EVENTS)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(lines[0] | {"more": 1})


def test_the_shipped_schema_is_up_to_date() -> None:
    shipped = SHIPPED.read_text(encoding="utf-8")
    assert shipped == schema_text(), f"python -m eapg_split.cli.simulated.schema > {SHIPPED}"
    jsonschema.Draft202012Validator.check_schema(json.loads(shipped))


def test_every_event_and_field_is_documented() -> None:
    words = set(re.findall(r"`(\w+)`", DOCUMENT.read_text(encoding="utf-8")))
    parts = {each.name for line in (*EVENTS.values(), NodeSample) for each in fields(line)}
    assert set(EVENTS) | parts <= words


@pytest.mark.parametrize("until_s", [float("inf"), 60.0])
def test_looking_on_changes_nothing(until_s: float) -> None:
    watched, _ = recorded(until_s=until_s)
    alone = run("cloud-only", PHONE, arrivals=Listed((0.0, 40.0)), until_s=until_s)
    assert watched == alone


def test_samples_add_up() -> None:
    """Busy shares to what was computed, bits to what was sent."""
    done, lines = recorded("edge-only", until_s=60.0)
    samples = [line for line in lines if line["event"] == "sample"]
    assert [line["at_s"] for line in samples] == [*map(float, range(61))]
    for node in (DEVICE, EDGE, CLOUD):
        computed_s = sum(
            line["seconds"] for line in lines if line["event"] == "step" and line["node"] == node
        )
        busy_s = sum(sample["nodes"].get(node, {}).get("busy", 0.0) for sample in samples)
        assert busy_s == pytest.approx(computed_s, abs=0.01)
    up = sum(sample["bits"].get("up", 0) for sample in samples)
    sent = sum(8 * line["bytes"] for line in lines if line["event"] == "hop" and line["source"] == DEVICE)
    assert sent > 0
    assert up == pytest.approx(sent, rel=0.05)  # and short probes
    charges = [s["nodes"][DEVICE]["charge"] for s in samples if "charge" in s["nodes"].get(DEVICE, {})]
    assert charges == sorted(charges, reverse=True)
    assert (charges[0], charges[-1]) == (0.6, pytest.approx(done.charge[DEVICE], abs=2e-4))
    assert max(s["nodes"][DEVICE].get("temperature_c", 0.0) for s in samples if DEVICE in s["nodes"]) > 25.5


def test_the_end_of_a_job_has_all_that_became_of_it() -> None:
    done, lines = recorded(until_s=40.5)
    ends = [line for line in lines if line["event"] == "end"]
    assert [(each["end"], each["nodes"]) for each in ends] == [(job.end, job.nodes) for job in done.outcomes]
    assert [each["end"] for each in ends] == ["done", "open"]
    assert ends[0]["latency_s"] == pytest.approx(done.outcomes[0].latency_s, abs=1e-6)
    assert ends[0]["sent_bytes"] == pytest.approx(done.outcomes[0].sent_bytes, abs=1)
