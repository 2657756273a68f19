"""Scenarios of the simulator: what is taken is built, and lives for some seconds."""

import json
import math
from typing import Any, Final
from unittest.mock import patch

from eapg_split.planner import resolve
from simulations import building
from simulations.building import build
from simulations.node_link import read_node_link
from simulations.scenario import read_scenario, shipped
from simulations.simulation import simulate
from tests.fuzz.files import FOLDER, IN_JSON, IN_TOML, deep_or, file_of, texts
from tests.fuzz.target import MIB, Target

_MOST_NODES: Final = 300  # more are taken in earnest, and take their time
_LIVES_S: Final = 20.0
_WHOLE: Final = """
title = "All that there is"
until_s = 60
seeds = 2
policies = ["pyramid"]
[workloads.clip]
seconds = 1.0
fps = 12
width = 128
height = 72
steps = [2, 1, 1, 1]
every_s = 20
deadline_s = 30
goal = "energy"
codec = "lossless"
privacy = "any"
max_energy_j = 1e5
[workloads.look]
at_s = [0, 5.5]
devices = "phone"
[nodes.phone]
like = "phone"
count = 2
technology = "wifi"
heat = {air_c = 30}
battery = {charge = 0.5, capacity_wh = 15.0, charger_w = 10.0, plugged_s = [5, 50]}
[nodes.box]
like = "edge-box"
slots = 2
engines = 1
batch = 2
batch_cost = 0.3
memory_mb = 4000
load = 0.1
drift = 1.2
noise = 0.1
stages = {stage1 = 1e10}
[media.air]
model = "lte-4g"
blackouts_every_s = 30
[[links]]
from = "phone"
to = "box"
through = ["air"]
delay_ms = 3
[[links]]
from = "phone"
to = "cloud"
rate_mbps = 20
down = 2.5
scale = 0.5
[[links]]
from = "box"
to = "cloud"
rate_mbps = 100
one_way = true
[[generate]]
kind = "star"
devices = 3
[[faults]]
node = "box"
at_s = 5
lasts_s = 3
every_s = 20
[[faults]]
medium = "air"
lasts_s = 2
factor = 0.1
"""
_GRAPH: Final[dict[str, Any]] = {
    "directed": False,
    "nodes": [{"id": "a", "like": "phone"}, {"id": 2, "tier": "edge", "slots": 1}],
    "edges": [{"source": "a", "target": 2, "key": 0, "rate_mbps": 10, "delay_ms": 1}],
}
_AROUND_A_GRAPH: Final = """
title = "A graph"
topology = "graph.json"
[workloads.clip]
at_s = [0]
"""


def _scenarios() -> list[bytes]:
    return [_WHOLE.encode(), *(read_scenario(name).text.encode() for name in shipped())]


def _scenario(data: bytes) -> None:
    _live(file_of(data, "input.toml").as_posix())


def _graph(data: bytes) -> None:
    file_of(data, "graph.json")
    read_node_link(FOLDER / "graph.json")
    _live(file_of(_AROUND_A_GRAPH.encode(), "around.toml").as_posix())


def _live(name: str) -> None:
    """Reads and builds; a few jobs begin."""
    scenario = read_scenario(name)
    if any(wanted.get("devices", 0) > _MOST_NODES for wanted in scenario.tables.get("generate", ())):
        return
    with (
        patch.object(building, "MAX_NODES", _MOST_NODES),
        patch.object(building, "MAX_WAYS", 4 * _MOST_NODES),
    ):
        setup = build(scenario, 1)
    run = simulate(setup, ("pyramid", lambda: resolve("pyramid")), seed=1, until_s=_LIVES_S, jobs=2)
    assert math.isfinite(run.until_s)
    for outcome in run.outcomes:
        costs = outcome.latency_s, outcome.energy_j, outcome.money
        assert all(math.isfinite(cost) and cost >= 0 for cost in costs)


SCENARIO_TARGETS: Final = (
    Target("scenarios", "topologies", _scenarios, deep_or(IN_TOML), _scenario, base_bytes=64 * MIB, quick_runs=60),
    Target(
        "graphs-of-nodes", "topologies", texts(json.dumps(_GRAPH)), deep_or(IN_JSON), _graph,
        base_bytes=64 * MIB, quick_runs=60,
    ),
)  # fmt: skip
