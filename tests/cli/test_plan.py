"""`eapg-split plan`: words, one JSON document and pictures of a plan, by what a device tells."""

import itertools
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from eapg_split.cli.__main__ import run
from eapg_split.cli.planning.made import PlanOptions
from eapg_split.cli.planning.names import brief, rate, share, stages_in
from eapg_split.codecs import CODECS
from eapg_split.domain.plan import Cut, Plan, Segment
from eapg_split.domain.profile import Profile, StageCost
from eapg_split.domain.telemetry import Telemetry, reading
from eapg_split.domain.topology import Node, NodeId, Tier, Topology
from eapg_split.domain.workload import Workload
from eapg_split.planner.estimates import LinkEstimate
from eapg_split.planner.knowledge import NodeKnowledge
from eapg_split.planner.outlook import Outlook, codec_options
from eapg_split.runtime.survey import Heard, Survey
from tests.cli.test_end_to_end import TOY, daemon, daemons_of, nodes_file

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "eapg_split" / "cli" / "planning" / "plan.schema.json"
DOCUMENT = ROOT / "docs" / "plan.md"
SVG = "{http://www.w3.org/2000/svg}"
SPEEDS = {"phone": 3e10, "edge": 1.2e11, "cloud": 4e11}
SMALL = ["--seconds", "1", "--fps", "4", "--width", "64", "--height", "64", "--steps", "2,1,1,1"]


def surveyed(options: PlanOptions, workload: Workload, names: tuple[str, ...] = tuple(SPEEDS)) -> Survey:
    """A phone on battery, an edge node, and a cloud node that costs money, behind links of 20 and 80 Mbit/s."""
    nodes = [Node(NodeId(name), tier, codecs=tuple(CODECS)) for name, tier in zip(names, Tier, strict=True)]
    topology = Topology(tuple(nodes))
    draining = Telemetry.of({"charge": reading("charge", 0.9), "plugged": reading("plugged", 0.0)})
    known = {}
    for node, speed in zip(nodes, SPEEDS.values(), strict=True):
        costs = {stage.name: StageCost(0.002, speed, entry_flops_per_s=speed) for stage in workload.stages}
        known[node.id] = NodeKnowledge(Profile(node.id, "onnx", "f" * 64, costs), price_per_s=speed / 1e15)
    known[nodes[0].id] = replace(known[nodes[0].id], telemetry=draining, telemetry_age_s=0.2, price_per_s=0.0)
    links = {
        (source.id, target.id): LinkEstimate(2e7 if Tier.CLOUD in (source.tier, target.tier) else 8e7, 0.02)
        for source, target in itertools.permutations(nodes, 2)
    }
    outlook = Outlook(workload, topology, codec_options(options.codec), objective=options.objective)
    return Survey(
        topology,
        outlook.estimates(known, links),
        heard={nodes[0].id: Heard(draining, 0.2)},
        ages_s={ends: 1.5 for ends in links if nodes[0].id in ends},
    )


Answer = Callable[[PlanOptions, Workload], Survey]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], None]:
    """Makes the device answer so instead of asking one."""

    def set_answer(answer: Answer) -> None:
        async def ask(options: PlanOptions, workload: Workload) -> Survey:
            return answer(options, workload)

        monkeypatch.setattr("eapg_split.cli.planning.made._ask", ask)

    set_answer(surveyed)
    return set_answer


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], answers: object) -> Callable[..., str]:
    """What the command prints; it must succeed."""
    del answers

    def say(*arguments: str) -> str:
        assert run(["plan", "A cat running", *arguments]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return say


Said = Callable[..., str]
BEST = ("--policy", "dp-adaptive", "--objective", "latency")


def test_the_plan_is_told_in_a_few_lines(said: Said) -> None:
    lines = said(*BEST).splitlines()
    assert lines[0].split() == ["steps", "stages", "node", "waits", "computes"]
    assert lines[1].split()[:2] == ["0-24", "text"]
    assert "phone" in lines[1]
    cuts = next(index for index, line in enumerate(lines) if line.startswith("before step"))
    assert lines[cuts + 1].split()[:4] == ["25", "phone", "edge", "lossless"]
    assert lines[-1].startswith("dp-adaptive, for latency: ")
    assert "J of the device's battery" in lines[-1]
    assert "of money" in lines[-1]


def test_a_policy_that_is_not_exact_is_measured_by_the_best(said: Said) -> None:
    text = said("--policy", "device-only", "--objective", "latency")
    assert re.search(
        r"The best plan is \d+ % better \(phone: text to stage2, edge: stage3 and stage4\)", text
    )
    assert "better" not in said(*BEST)


def test_explain_has_terms_reasons_nodes_and_links(said: Said) -> None:
    text = said(*BEST, "--explain")
    for words in (
        "leg                      encode",
        "Made small: 1 a second",
        "No plan is better.",
        "The runner-up is",
        "That the prompt stays on the device binds",
        "90 % draining",
        "200 ms ago",
        "1.5 s ago",
        "assumed",
    ):
        assert words in text, words
    assert "~" not in text, "every speed here is a measured one"


@pytest.mark.parametrize(
    "flags",
    [
        BEST,
        ("--policy", "pyramid"),
        ("--policy", "cloud-only", "--privacy", "any", "--codec", "auto"),
        ("--policy", "random-valid", "--objective", "cost", "--pin", "stage3=edge", "--cap", "cloud=900"),
        ("--policy", "pyramid", "--deadline", "1"),
        ("--policy", "bandit", "--codec", "int8", *SMALL),
    ],
    ids=lambda flags: flags[1],
)
def test_the_document_fits_its_schema(flags: tuple[str, ...], said: Said) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    record = json.loads(said(*flags, "--json"))
    jsonschema.validate(record, schema, cls=jsonschema.Draft202012Validator)
    assert "A cat running" not in json.dumps(record), "the prompt is nobody's business"
    plan, explanation = record["plan"], record["explanation"]
    assert plan["segments"][0]["start_step"] == 0
    assert plan["segments"][-1]["stop_step"] == record["stages"][-1]["stop_step"]
    spent = sum(term["move_s"] + term["wait_s"] + term["compute_s"] for term in explanation["terms"])
    assert spent == pytest.approx(record["score"]["time_s"])
    assert record["score"]["feasible"] == ("--deadline" not in flags)


def test_the_schema_refuses_other_fields(said: Said) -> None:
    schema, record = json.loads(SCHEMA.read_text(encoding="utf-8")), json.loads(said("--json"))
    for spoiled in (record | {"more": 1}, record | {"version": 2}, record | {"score": {}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(spoiled, schema)


def test_every_field_is_documented() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    text = DOCUMENT.read_text(encoding="utf-8")
    for part in (schema, *schema["$defs"].values()):
        for name in part["properties"]:
            assert f"`{name}`" in text, name


def texts_of(path: Path) -> list[str]:
    root = ET.parse(path).getroot()
    assert root.tag == f"{SVG}svg"
    assert root.find(f"{SVG}title") is not None
    return ["".join(each.itertext()) for each in root.iter(f"{SVG}text")]


def test_pictures_are_svg_that_says_what_it_shows(said: Said, tmp_path: Path) -> None:
    who, front = tmp_path / "who.svg", tmp_path / "front.svg"
    out = said(*BEST, "--sweep", "bandwidth", "-o", str(who), "--pareto", str(front))
    assert out.splitlines()[-2:] == [str(who), str(front)]
    swept = texts_of(who)
    assert {"phone", "cloud", "text", "stage4", "predicted seconds"} <= set(swept)
    assert any(words.startswith("Mbit/s on every link of the device") for words in swept)
    plans = texts_of(front)
    assert "phone: text to stage2, edge: stage3 and stage4" in plans
    assert "joules of the device's battery" in plans
    for path in (who, front):
        assert "prefers-color-scheme: dark" in path.read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["front.svg", "who.svg"]


def test_a_picture_is_the_same_twice(said: Said, tmp_path: Path) -> None:
    pictures = []
    for name in ("one.svg", "two.svg"):
        said(*BEST, "--sweep", "bandwidth", "-o", str(tmp_path / name), *SMALL)
        pictures.append((tmp_path / name).read_bytes())
    assert pictures[0] == pictures[1]


def test_what_is_drawn_is_in_the_document_too(said: Said, tmp_path: Path) -> None:
    files = ("--sweep", "bandwidth", "-o", str(tmp_path / "w.svg"), "--pareto", str(tmp_path / "f.svg"))
    record = json.loads(said(*BEST, "--json", *files))
    jsonschema.validate(record, json.loads(SCHEMA.read_text(encoding="utf-8")))
    times = [point["score"]["time_s"] for point in record["sweep"]]
    assert len(times) == 161
    assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(times))
    best = min(record["pareto"], key=lambda each: each["score"]["time_s"])
    assert best["score"]["time_s"] == pytest.approx(record["score"]["time_s"])


def test_a_sweep_has_gaps_where_no_plan_keeps_the_limits(said: Said, tmp_path: Path) -> None:
    fast = json.loads(said(*BEST, "--json"))["score"]["time_s"]
    deadline = ("--deadline", f"{1.02 * fast:.2f}")
    path = tmp_path / "who.svg"
    said(*BEST, *deadline, "--sweep", "bandwidth", "-o", str(path))
    assert "no plan keeps the limits" in texts_of(path)


def test_names_of_nodes_are_no_markup(said: Said, answers: Callable[[Answer], None], tmp_path: Path) -> None:
    names = ("<script>", "$x^2$", "a&b")
    answers(lambda options, workload: surveyed(options, workload, names))
    files = ("--sweep", "bandwidth", "-o", str(tmp_path / "w.svg"), "--pareto", str(tmp_path / "f.svg"))
    said("--policy", "pyramid", *files)
    assert {"<script>", "$x^2$", "a&b"} <= set(texts_of(tmp_path / "w.svg"))
    assert any("<script>: text to stage2" in words for words in texts_of(tmp_path / "f.svg"))


def failure(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = run(["plan", "A cat running", *arguments])
    (line,) = [each for each in capsys.readouterr().err.splitlines() if each.startswith("error: ")]
    return code, line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--sweep", "bandwidth"), "--sweep needs a file"),
        (("-o", "who.svg"), "-o is for the picture of a sweep"),
        (("--sweep", "latency", "-o", "who.svg"), "choose one of bandwidth"),
        (("--sweep", "bandwidth", "-o", "who.png"), "call it for instance who.svg"),
        (("--pareto", "front"), "call it for instance front.svg"),
        (("--sweep", "bandwidth", "-o", "a.svg", "--pareto", "a.svg"), "choose two"),
        (("--policy", "nothing"), "There is no policy"),
        (("--codec", "nothing"), "codec"),
        (("--quality", "5"), "--quality"),
        (("--objective", "joy"), "--objective"),
        (("--seconds", "900"), "seconds"),
        (("--cap", "edge"), "--cap"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "",
)
def test_a_wrong_flag_is_one_sentence_before_anything_is_started(
    arguments: tuple[str, ...],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("nothing is to be started for a wrong flag")

    monkeypatch.setattr("eapg_split.cli.planning.made._ask", never)
    code, line = failure(capsys, *arguments)
    assert code == 2
    assert words in line


def test_without_matplotlib_a_picture_says_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eapg_split.cli.report_page.figure.find_spec", lambda name: None)
    code, line = failure(capsys, "--pareto", "front.svg")
    assert code == 3
    assert 'pip install "eapg-split[plots]"' in line


def test_a_picture_that_cannot_be_written_is_one_sentence(
    capsys: pytest.CaptureFixture[str], answers: object
) -> None:
    del answers
    code, line = failure(capsys, "--pareto", "/proc/none/front.svg", *SMALL)
    assert code == 13
    assert "/proc/none" in line


def test_no_plan_names_the_limit_and_who_was_not_reached(
    capsys: pytest.CaptureFixture[str], answers: Callable[[Answer], None]
) -> None:
    answers(
        lambda options, workload: replace(
            surveyed(options, workload), missing=("attic (it does not answer)",)
        )
    )
    code, line = failure(capsys, *BEST, "--deadline", "1")
    assert code == 4
    assert "deadline" in line
    assert "Not reached: attic (it does not answer)." in line


def test_a_policy_that_fails_is_stood_in_for_as_in_a_job(said: Said, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        'class Broken:\n    name = "broken"\n\n    def plan(self, view):\n        raise RuntimeError("no")\n'
    )
    text = said("--policy", str(path))
    assert "The policy broken failed (RuntimeError: no); dp-static plans instead." in text
    record = json.loads(said("--policy", str(path), "--json"))
    assert record["policy"]["planner"] == "dp-static"
    assert "RuntimeError" in record["policy"]["warning"]


def test_a_policy_that_wants_no_estimates_gets_none(said: Said, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from eapg_split.planner.device_only import DeviceOnlyPolicy\n\n\n"
        "class Blind(DeviceOnlyPolicy):\n"
        '    name = "blind"\n'
        "    uses_estimates = False\n\n"
        "    def plan(self, view):\n"
        "        assert view.estimates is None\n"
        "        return super().plan(view)\n"
    )
    assert "blind, for balanced: " in said("--policy", f"{path}:Blind")


def test_names_of_stages_and_rates(workload: Workload) -> None:
    assert stages_in(workload, 0, 17) == "text and stage1"
    assert stages_in(workload, 0, 34) == "text to decode"
    assert stages_in(workload, 10, 12) == "stage1 (2 of 16)"
    assert stages_in(workload, 10, 18) == "stage1 (7 of 16) and stage2 (1 of 8)"
    device, cloud = NodeId("device"), NodeId("cloud")
    away = Plan(
        (Segment(device, 0, 20), Segment(cloud, 20, 33), Segment(device, 33, 34)),
        (Cut(20, "lossless"), Cut(33, "lossless")),
    )
    assert brief(workload, away) == "device: text to stage2 (3 of 8), cloud: stage2 (5 of 8) to stage4"
    assert brief(workload, Plan((Segment(device, 0, 34),))) == "device: text to decode"
    assert [rate(value) for value in (8.5e9, 999.6e6, 12.34e6, 850e3)] == [
        "8.5 Gbit/s",
        "1 Gbit/s",
        "12.3 Mbit/s",
        "850 kbit/s",
    ]
    assert [share(value) for value in (0.0041, 0.052, 0.3)] == ["0.41 %", "5.2 %", "30 %"]


@pytest.fixture
def workload() -> Workload:
    from eapg_split.domain.request import Request
    from eapg_split.eapg.workload import unroll

    return unroll(Request("A cat running"))


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "eapg_split.cli", "plan", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.cluster
def test_a_local_topology_is_started_asked_and_stopped(tmp_path: Path) -> None:
    files = ("--sweep", "bandwidth", "-o", "who.svg", "--pareto", "front.svg")
    done = command(tmp_path, "一只猫", "--engine", TOY, *SMALL, *BEST, "--json", *files)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    jsonschema.validate(record, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert [node["node"] for node in record["nodes"]] == ["device", "edge", "cloud"]
    assert all(node["telemetry"] is not None for node in record["nodes"])
    assert all(link["age_s"] is not None for link in record["links"] if "device" in link.values())
    assert record["unreachable"] == []
    assert {"who.svg", "front.svg"} == {path.name for path in tmp_path.iterdir()}
    for name in ("who.svg", "front.svg"):
        assert texts_of(tmp_path / name)
    assert daemons_of(tmp_path) == []


@pytest.mark.cluster
def test_nodes_that_are_listed_are_asked_and_those_that_are_gone_named(tmp_path: Path) -> None:
    with daemon(tmp_path, "edge") as edge, daemon(tmp_path, "device") as device:
        gone: dict[str, object] = {"node": "attic", "address": "127.0.0.1:1"}
        listed = nodes_file(tmp_path, [device, edge, gone])
        done = command(tmp_path, "A cat running", "--nodes", listed, "--explain", *SMALL)
        wrong = command(tmp_path, "A cat running", "--nodes", listed, "--pin", "stage3=moon", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "Not reached: attic" in done.stdout
    assert "stage4" in done.stdout
    assert wrong.returncode == 2
    assert "moon" in wrong.stderr
