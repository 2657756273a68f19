import json
from pathlib import Path

import networkx
import pytest
from jsonschema import Draft202012Validator

from eapg_split.domain.topology import NodeId, Tier
from eapg_split.errors import InvalidRequest
from eapg_split.planner import resolve
from simulations.arrivals import Listed, Poisson, read_arrivals
from simulations.building import build
from simulations.node_link import read_node_link
from simulations.outcomes import End
from simulations.scenario import parse_scenario, read_scenario, schema, shipped
from simulations.simulation import simulate
from simulations.streams import stream

SMALL = """
title = "Small"

[workloads.clip]
at_s = [0]
seconds = 1
steps = [2, 1, 1, 1]

[nodes.phone]
like = "phone"

[nodes.edge]
like = "edge-box"

[[links]]
from = "phone"
to = "edge"
rate_mbps = 20
"""


def test_eight_scenarios_are_shipped_and_the_schema_is_one() -> None:
    assert len(shipped()) >= 8
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_scenario_runs(name: str) -> None:
    """In a short form: the first jobs under its first policy, until they are done."""
    scenario = read_scenario(name)
    assert scenario.tables["about"]
    setup = build(scenario, seed=1)
    run = simulate(
        setup, ("", lambda: resolve(scenario.policies[0])), seed=1, until_s=scenario.until_s, jobs=3
    )
    assert len(run.outcomes) == 3
    assert {outcome.end for outcome in run.outcomes} <= {End.DONE, End.LATE}
    assert all(outcome.policy_failures == 0 for outcome in run.outcomes)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("seconds = 1", "second = 1", 6, "'seconds' is meant"),
        ("seconds = 1", "seconds = 99", 6, "99"),
        ('like = "edge-box"', 'like = "toaster"', 13, "'toaster' is not one of"),
        ('to = "edge"', 'to = "edg"', 17, "there is no node 'edg'"),
        ("rate_mbps = 20", 'through = ["air"]', 18, "add [media.air]"),
        ("rate_mbps = 20", "delay_ms = 3", 15, "needs a rate_mbps"),
        ("at_s = [0]", "every_s = 5", 5, "add until_s"),
        ("at_s = [0]", "", 4, "give one of every_s, at_s and arrivals"),
        (
            'like = "phone"',
            'like = "phone"\n[nodes.phone.stages]\nstage9 = 1',
            9,
            "no workload has a stage 'stage9'",
        ),
        ('title = "Small"', "", 1, "'title' is missing"),
        ('like = "phone"', 'tier = "edge"', 1, "no node of tier device"),
        ("rate_mbps = 20", 'rate_mbps = 20\nmodel = "oboe"', 15, "give one of rate_mbps, trace and model"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_line(old: str, new: str, line: int, words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        build(parse_scenario(Path("mine.toml"), SMALL.replace(old, new)), seed=1)
    assert caught.value.message.startswith(f"mine.toml, line {line}: ")
    assert words in caught.value.message


def test_what_is_no_toml_or_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="is not TOML"):
        parse_scenario(Path("mine.toml"), "title =")
    with pytest.raises(InvalidRequest, match="home-wifi"):
        read_scenario("home-wify")


@pytest.mark.parametrize("kind", ["star", "tree", "metro", "random-geometric"])
def test_generated_networks_reach_an_edge_and_the_cloud_from_every_device(kind: str) -> None:
    text = SMALL.partition("[nodes.phone]")[0] + f'[[generate]]\nkind = "{kind}"\ndevices = 30\n'
    scenario = parse_scenario(Path("mine.toml"), text)
    layout = build(scenario, seed=2).layout
    tiers = {spec.id: spec.tier for spec in layout.nodes}
    devices = [name for name, tier in tiers.items() if tier is Tier.DEVICE]
    assert len(devices) == 30
    for device in devices:
        reached = {tiers[target] for source, target in layout.ways if source == device}
        assert reached == {Tier.EDGE, Tier.CLOUD}
        assert all((target, source) in layout.ways for source, target in layout.ways if source == device)
    assert build(scenario, seed=2).layout.ways == layout.ways


def test_a_count_makes_numbered_nodes_with_links_of_their_own() -> None:
    text = SMALL.replace('like = "phone"', 'like = "phone"\ncount = 3')
    layout = build(parse_scenario(Path("mine.toml"), text), seed=1).layout
    assert [spec.id for spec in layout.nodes] == ["phone-1", "phone-2", "phone-3", "edge"]
    up = [layout.ways[NodeId(f"phone-{number}"), NodeId("edge")].media for number in (1, 2, 3)]
    assert len(set(up)) == 3


def test_a_networkx_graph_is_read(tmp_path: Path) -> None:
    graph = networkx.DiGraph()
    graph.add_node("phone", like="phone")
    graph.add_node("edge", like="edge-box")
    graph.add_edge("phone", "edge", rate_mbps=20)
    graph.add_edge("edge", "phone", rate_mbps=50, delay_ms=9)
    (tmp_path / "graph.json").write_text(json.dumps(networkx.node_link_data(graph)))
    text = SMALL.partition("[nodes.phone]")[0].replace("\n\n", '\ntopology = "graph.json"\n\n', 1)
    layout = build(parse_scenario(tmp_path / "mine.toml", text), seed=1).layout
    assert layout.ways[NodeId("edge"), NodeId("phone")].delay_s == pytest.approx(0.009)
    (tmp_path / "graph.json").write_text("{}")
    with pytest.raises(InvalidRequest, match="no list of nodes"):
        build(parse_scenario(tmp_path / "mine.toml", text), seed=1)


def test_arrivals_come_from_files_and_at_random(tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text("at_s,device\n3,a\n1,\n2,b\n")
    listed = read_arrivals(tmp_path / "jobs.csv")
    draws = stream(1, "x")
    assert list(listed.moments_s(NodeId("a"), draws)) == [1.0, 3.0]
    assert list(Listed((5.0,)).moments_s(NodeId("b"), draws)) == [5.0]
    moments = list(Poisson(10.0, 100.0, 20_100.0).moments_s(NodeId("a"), draws))
    assert 1800 < len(moments) < 2200
    assert 100.0 < moments[0] < moments[-1] < 20_100.0
    (tmp_path / "jobs.csv").write_text("at_s,device\nsoon,a\n")
    with pytest.raises(InvalidRequest, match=r"jobs.csv, line 2: at_s must be seconds"):
        read_arrivals(tmp_path / "jobs.csv")


MODELS = """
tiny: {layers: 2, mem_MB: [10, 20], parameters_in: 50000, parameters_out: [100000, 1000]}
"""
TYPES = """
slow: {bw_Mbps: 100, mem_MB: 512, model_profiles: {tiny: [{batch_size: 4, dtype: torch.float32, time_s: [2.0, 3.0]}]}}
fast: {bw_Mbps: 100, mem_MB: 512, model_profiles: {tiny: [{batch_size: 4, dtype: torch.float32, time_s: [0.2, 0.3]}]}}
"""
LAYERS = (
    SMALL.replace('title = "Small"', 'title = "Small"\npipeedge = "."')
    .replace("seconds = 1\nsteps = [2, 1, 1, 1]", 'model = "tiny"')
    .replace('like = "phone"', 'like = "laptop"\ntype = "slow"')
    .replace('like = "edge-box"', 'like = "edge-box"\ntype = "fast"\nnoise = 0')
)


def test_a_model_that_pipeedge_profiled_runs_layer_by_layer(tmp_path: Path) -> None:
    (tmp_path / "models.yml").write_text(MODELS)
    (tmp_path / "device_types.yml").write_text(TYPES)
    scenario = parse_scenario(tmp_path / "mine.toml", LAYERS)
    setup = build(scenario, seed=1)
    assert [stage.name for stage in setup.demands[0][0].workload.stages] == [
        "input",
        "layer1",
        "layer2",
        "output",
    ]
    (outcome,) = simulate(setup, seed=1).outcomes
    assert outcome.nodes == ["phone", "edge", "phone"]
    assert 0.5 < outcome.latency_s < 2.0  # 800 kB there, half a second of computing, and little back


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('type = "slow"', "", "needs a type"),
        ('type = "slow"', 'type = "slower"', "no type of device 'slower'"),
        ('model = "tiny"', 'model = "huge"', "no model 'huge'"),
        ('pipeedge = "."', "", "add pipeedge = FOLDER"),
        ('pipeedge = "."', 'pipeedge = "elsewhere"', "cannot be read"),
    ],
)
def test_what_is_missing_of_pipeedge_is_said(tmp_path: Path, old: str, new: str, words: str) -> None:
    (tmp_path / "models.yml").write_text(MODELS)
    (tmp_path / "device_types.yml").write_text(TYPES)
    with pytest.raises(InvalidRequest, match=words):
        build(parse_scenario(tmp_path / "mine.toml", LAYERS.replace(old, new)), seed=1)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_a_number_that_is_none_is_refused_with_its_line(number: str) -> None:
    text = f'title = "x"\n[nodes.a]\nlike = "phone"\noverhead_s = {number}\n[workloads.b]\nat_s = [0]\n'
    with pytest.raises(InvalidRequest, match=r"line 4: overhead_s: it must be finite\."):
        parse_scenario(Path("mine.toml"), text)


def test_a_graph_with_an_attribute_that_no_node_has(tmp_path: Path) -> None:
    path = tmp_path / "graph.json"
    path.write_text('{"nodes": [{"id": 1, "slot": 2}], "edges": []}')
    with pytest.raises(InvalidRequest, match=r"graph\.json, nodes 1 slot: .*perhaps 'slots' is meant"):
        read_node_link(path)
