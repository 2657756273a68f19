"""From a scenario's tables to what is simulated, for one seed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from eapg_split.domain.profile import StageCost
from eapg_split.domain.request import Privacy, Request
from eapg_split.domain.topology import NodeId, Tier
from eapg_split.domain.workload import Workload
from eapg_split.eapg.workload import unroll
from eapg_split.errors import EapgError, InvalidRequest
from eapg_split.planner import resolve
from eapg_split.planner.policy import Goal, Objective
from simulations.arrivals import Arrivals, Listed, Poisson, read_arrivals
from simulations.faults import Fault
from simulations.generators import GENERATORS
from simulations.node_link import read_node_link
from simulations.node_specs import NodeSpec
from simulations.pipeedge import PipeEdge, read_pipeedge
from simulations.presets import MODELS, Table
from simulations.scenario import Scenario
from simulations.simulation import Setup
from simulations.sites import Way
from simulations.specs import spec_of
from simulations.streams import stream
from simulations.traces import (
    LinkStatistics,
    RateTrace,
    read_mahimahi,
    read_throughput,
    synthetic,
    with_blackouts,
)
from simulations.world import Demand, Layout

MAX_NODES: Final = 100_000
MAX_WAYS: Final = 1_000_000
_MODEL_S: Final = 600  # of a synthetic trace, after which it begins again
_REQUEST: Final = ("seconds", "fps", "width", "height")
_LIMITS: Final = ("max_energy_j", "max_money", "max_temperature_c")


def build(scenario: Scenario, seed: int) -> Setup:
    """What the scenario says, with the random parts as this seed draws them. Raises InvalidRequest."""
    builder = _Builder(scenario, seed)
    return builder.built()


@dataclass
class _Builder:
    scenario: Scenario
    seed: int
    nodes: dict[str, NodeSpec] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)  # of all nodes that a table stands for
    media: dict[str, RateTrace] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)  # of the media
    ways: dict[tuple[NodeId, NodeId], Way] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)  # of PipeEdge's, by their workloads

    def built(self) -> Setup:
        tables = self.scenario.tables
        workloads = {name: self._workload(name, table) for name, table in tables["workloads"].items()}
        self.models = {
            name: table["model"] for name, table in tables["workloads"].items() if "model" in table
        }
        stages = {stage.name for workload in workloads.values() for stage in workload.stages}
        for where, node, media, links in self._networks():
            for name, table in node.items():
                self._nodes_of((*where, "nodes", name), name, table, stages)
            for name, table in media.items():
                self._medium(name, self._rate((*where, "media", name), name, table))
            for number, table in enumerate(links):
                self._link((*where, "links", number), table)
        if not any(spec.tier is Tier.DEVICE for spec in self.nodes.values()):
            raise self.scenario.wrong((), "there is no node of tier device: add one under [nodes].")
        demands = tuple(
            (self._demand(name, workloads[name], table), self._arrivals(name, table))
            for name, table in tables["workloads"].items()
        )
        faults = tuple(self._faults())
        return Setup(Layout(tuple(self.nodes.values()), self.media, self.ways), demands, faults)

    def _networks(
        self,
    ) -> Iterator[tuple[tuple[str | int, ...], Mapping[str, Table], Mapping[str, Table], Sequence[Table]]]:
        """What is written by hand, what a file says and what generators make, each with the place it is told by."""
        tables = self.scenario.tables
        if "topology" in tables:
            nodes, links = read_node_link(self._beside(tables["topology"]))
            yield ("topology",), nodes, {}, links
        for number, wanted in enumerate(tables.get("generate", ())):
            draws = stream(self.seed, "generate", str(number))
            made = GENERATORS[wanted["kind"]](wanted, draws)
            yield ("generate", number), made.nodes, made.media, made.links
        yield (), tables.get("nodes", {}), tables.get("media", {}), tables.get("links", ())

    # nodes

    def _nodes_of(self, where: Sequence[str | int], name: str, table: Table, stages: set[str]) -> None:
        count = table.get("count")
        names = [name] if count is None else [f"{name}-{number}" for number in range(1, count + 1)]
        if len(self.nodes) + len(names) > MAX_NODES:
            raise self.scenario.wrong(where, f"there are more than {MAX_NODES} nodes: use fewer.")
        taken = next((each for each in names if each in self.nodes), None)
        if taken is not None:
            raise self.scenario.wrong(where, f"there are two nodes {taken!r}: give one another name.")
        try:
            spec = spec_of(NodeId(name), table, stages, self._profiled(table))
        except EapgError as error:
            raise self.scenario.wrong(where, error.message) from error
        self.nodes.update((each, replace(spec, id=NodeId(each))) for each in names)
        self.names[name] = names
        for each in names:
            self.names.setdefault(each, [each])

    def _profiled(self, table: Table) -> dict[str, StageCost]:
        """What PipeEdge's profiles say of the node. Raises InvalidRequest where they are wanted and missing."""
        if not self.models:
            return {}
        if "type" not in table:
            raise InvalidRequest("a node that computes a model of PipeEdge's needs a type of its devices.")
        costs = dict[str, StageCost]()
        for model in self.models.values():
            costs |= self._pipeedge.costs(table["type"], model)
        return costs

    @cached_property
    def _pipeedge(self) -> PipeEdge:
        folder = self.scenario.tables.get("pipeedge")
        if folder is None:
            raise InvalidRequest("a model needs PipeEdge's profiles: add pipeedge = FOLDER at the top.")
        return read_pipeedge(self._beside(folder))

    def _named(self, where: Sequence[str | int], name: str) -> list[str]:
        if name not in self.names:
            known = ", ".join(list(self.names)[:12])
            raise self.scenario.wrong(where, f"there is no node {name!r}: the known ones are {known}.")
        return self.names[name]

    # links

    def _link(self, where: tuple[str | int, ...], table: Table) -> None:
        sources = self._named((*where, "from"), table["from"])
        targets = self._named((*where, "to"), table["to"])
        for name in table.get("through", ()):
            if name not in self.media:
                raise self.scenario.wrong(
                    (*where, "through"), f"there is no medium {name!r}: add [media.{name}]."
                )
        if len(self.ways) + len(sources) * len(targets) > MAX_WAYS:
            raise self.scenario.wrong(
                where, f"there are more than {MAX_WAYS} ways: use fewer nodes or links."
            )
        for source in sources:
            for target in targets:
                if source != target:
                    self._way(where, table, NodeId(source), NodeId(target))

    def _way(self, where: tuple[str | int, ...], table: Table, source: NodeId, target: NodeId) -> None:
        own = any(key in table for key in ("rate_mbps", "trace", "model"))
        if not own and not table.get("through"):
            raise self.scenario.wrong(
                where, "a link needs a rate_mbps, a trace, a model or media to go through."
            )
        shared = tuple(self.numbers[name] for name in table.get("through", ()))
        delay_s = table.get("delay_ms", 5.0) / 1e3
        ends = [(source, target, 1.0)]
        if not table.get("one_way"):
            ends.append((target, source, float(table.get("down", 1.0))))
        # a tunnel cuts both ways off: they follow one trace
        trace = self._rate(where, f"{source}>{target}", table) if own else None
        for begin, end, factor in ends:
            media = shared
            if trace is not None:
                media = (self._medium(f"{begin}>{end}", trace.scaled(factor)), *shared)
            self.ways[begin, end] = Way(media, delay_s)

    def _medium(self, name: str, trace: RateTrace) -> int:
        """Adds a medium; returns its number."""
        self.media[name] = trace
        return self.numbers.setdefault(name, len(self.media) - 1)

    def _rate(self, where: tuple[str | int, ...], name: str, table: Table) -> RateTrace:
        """The rates of a medium; a model's are another for each seed and medium."""
        given = [key for key in ("rate_mbps", "trace", "model") if key in table]
        if len(given) != 1:
            raise self.scenario.wrong(where, "give one of rate_mbps, trace and model.")
        draws = stream(self.seed, "medium", name)
        if "rate_mbps" not in given and ("sigma" in table or "memory_s" in table):
            raise self.scenario.wrong(
                where, "sigma and memory_s are of rate_mbps: a trace or a model varies itself."
            )
        if given == ["rate_mbps"]:
            trace = RateTrace(np.array([table["rate_mbps"] * 1e6]))
            if "sigma" in table:
                wandering = LinkStatistics.of_logarithm(
                    table["rate_mbps"] * 1e6, table["sigma"], table.get("memory_s", 1.0)
                )
                trace = synthetic(wandering, _MODEL_S, int(draws.integers(2**31)))
        elif given == ["trace"]:
            read = read_mahimahi if table.get("format") == "mahimahi" else read_throughput
            trace = read(self._beside(table["trace"]))
        else:
            trace = synthetic(MODELS[table["model"]], _MODEL_S, int(draws.integers(2**31)))
        if "blackouts_every_s" in table:
            trace = with_blackouts(trace, int(draws.integers(2**31)), every_s=table["blackouts_every_s"])
        return trace.scaled(table["scale"]) if "scale" in table else trace

    def _beside(self, name: str) -> Path:
        return self.scenario.path.parent / name

    # jobs

    def _workload(self, name: str, table: Table) -> Workload:
        wishes: dict[str, Any] = {key: table[key] for key in _REQUEST if key in table}
        if "steps" in table:
            wishes["steps"] = tuple(table["steps"])
        privacy = Privacy(table.get("privacy", Privacy.PROMPT_LOCAL))
        try:
            if "model" in table:
                return self._pipeedge.workload(table["model"])
            return unroll(Request(table.get("prompt", "A cat running"), **wishes, privacy=privacy))
        except InvalidRequest as error:
            raise self.scenario.wrong(("workloads", name), error.message) from error

    def _demand(self, name: str, workload: Workload, table: Table) -> Demand:
        limits: dict[str, Any] = {key: float(table[key]) for key in _LIMITS if key in table}
        objective = Objective(
            privacy=workload.request.privacy,
            codec=table.get("codec", "auto"),
            goal=Goal(table.get("goal", Goal.BALANCED)),
            **limits,
        )
        first = self.scenario.policies[0]
        devices = None
        if "devices" in table:
            devices = frozenset(map(NodeId, self._named(("workloads", name, "devices"), table["devices"])))
        deadline_s = float(table.get("deadline_s", "inf"))
        return Demand(name, workload, objective, lambda: resolve(first), deadline_s, devices)

    def _arrivals(self, name: str, table: Table) -> Arrivals:
        given = [key for key in ("every_s", "at_s", "arrivals") if key in table]
        if len(given) != 1:
            raise self.scenario.wrong(("workloads", name), "give one of every_s, at_s and arrivals.")
        if given == ["at_s"]:
            return Listed(tuple(map(float, table["at_s"])))
        if given == ["arrivals"]:
            return read_arrivals(self._beside(table["arrivals"]))
        until_s = float(table.get("until_s", self.scenario.until_s))
        if until_s == float("inf"):
            where = ("workloads", name, "every_s")
            raise self.scenario.wrong(where, "jobs would come for ever: add until_s here or at the top.")
        return Poisson(float(table["every_s"]), float(table.get("from_s", 0.0)), until_s)

    def _faults(self) -> Iterator[Fault]:
        for number, table in enumerate(self.scenario.tables.get("faults", ())):
            where = ("faults", number)
            medium = table.get("medium")
            if medium is not None and medium not in self.media:
                known = ", ".join(list(self.media)[:12])
                raise self.scenario.wrong(
                    (*where, "medium"), f"there is no medium {medium!r}: known are {known}."
                )
            names = self._named((*where, "node"), table["node"]) if "node" in table else [None]
            for name in names:
                yield Fault(
                    at_s=float(table.get("at_s", 0.0)),
                    lasts_s=float(table["lasts_s"]),
                    node=None if name is None else NodeId(name),
                    medium=medium,
                    factor=float(table.get("factor", 0.0)),
                    every_s=table.get("every_s"),
                )
