"""A survey and its message. Every number is checked where it arrives: a plan is made from nothing else."""

import math
from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Final

from eapg_split.domain.topology import Ends, Node, NodeId, Tier, Topology
from eapg_split.errors import CorruptPayload, InvalidRequest
from eapg_split.planner.estimates import CodecEstimate, Estimates, LinkEstimate, NodeEstimate
from eapg_split.planner.models.governor import Governor
from eapg_split.planner.models.thermal import ThermalModel
from eapg_split.rpc.convert_telemetry import telemetry_from_proto, telemetry_to_proto
from eapg_split.rpc.v1 import outlook_pb2
from eapg_split.runtime.settings import MAX_PRICE_PER_S
from eapg_split.runtime.survey import Heard, Survey

MAX_NODES: Final = 32
MAX_CODECS: Final = 16
MAX_STEPS: Final = 512
_MAX_NAMES: Final = 32  # of codecs and engines that a node has
_MAX_LEVELS: Final = 32
_MAX_NAME: Final = 200
_MAX_SENTENCE: Final = 1000
_LONGEST_S: Final = 1e9
_MOST_BITS: Final = 1e15
_FASTEST: Final = 1e13  # bits a second
_LARGEST: Final = 1e12  # of anything else


def survey_to_proto(survey: Survey) -> outlook_pb2.OutlookReply:
    known = survey.estimates
    nodes = [_node_to_proto(node, known.nodes[node.id], survey) for node in survey.topology.nodes]
    links = [_link_to_proto(ends, link, survey) for ends, link in known.links.items()]
    return outlook_pb2.OutlookReply(
        nodes=nodes,
        links=links,
        codecs=[
            outlook_pb2.CodecOutlook(
                name=codec.name, bits=codec.bits, encode_s=codec.encode_s, decode_s=codec.decode_s
            )
            for codec in known.codecs
        ],
        entropy_bits=known.entropy_bits,
        missing=[_printable(each) for each in survey.missing],
    )


def survey_from_proto(message: outlook_pb2.OutlookReply, steps: int) -> Survey:
    """A survey for a workload of so many steps. Raises CorruptPayload for whatever cannot be."""
    if not 1 <= steps <= MAX_STEPS:
        raise InvalidRequest(f"A plan has 1 to {MAX_STEPS} steps: ask for fewer.")
    try:
        return _survey(message, steps)
    except (InvalidRequest, _Impossible) as error:
        words = error.message if isinstance(error, InvalidRequest) else f"It says {error}."
        raise CorruptPayload(
            f"What the device's daemon tells of its nodes cannot be: update the older of the two. {words}"
        ) from None


class _Impossible(Exception):  # noqa: N818
    """What is wrong with a message, to be read after "It says"."""


def _survey(message: outlook_pb2.OutlookReply, steps: int) -> Survey:
    most = len(message.nodes)
    counts = (most, len(message.links), len(message.codecs), len(message.missing))
    if (
        not 1 <= most <= MAX_NODES
        or counts[1] > most * most
        or counts[2] > MAX_CODECS
        or counts[3] > MAX_NODES
    ):
        raise _Impossible(f"that there are {most} nodes, {counts[1]} links and {counts[2]} codecs")
    topology = Topology(tuple(_node(each) for each in message.nodes))
    links = {_ends(each, topology): each for each in message.links}
    if len(links) != len(message.links):
        raise _Impossible("two things of one link")
    estimates = Estimates(
        MappingProxyType({NodeId(each.node): _estimate(each, steps) for each in message.nodes}),
        MappingProxyType({ends: _link(each) for ends, each in links.items()}),
        tuple(_codec(each, steps) for each in message.codecs),
        _list(message.entropy_bits, (0, steps + 1), _MOST_BITS, "the information in a state"),
    )
    ages = {ends: each.age_s for ends, each in links.items() if each.HasField("age_s")}
    return Survey(
        topology=topology,
        estimates=estimates,
        heard={NodeId(each.node): _heard(each) for each in message.nodes if each.HasField("telemetry")},
        ages_s={ends: _number(age_s, 0, _LONGEST_S, "the age of a link") for ends, age_s in ages.items()},
        relayed=frozenset(ends for ends, each in links.items() if each.relayed),
        missing=tuple(_text(each, _MAX_SENTENCE) for each in message.missing),
    )


def _node_to_proto(node: Node, known: NodeEstimate, survey: Survey) -> outlook_pb2.NodeOutlook:
    message = outlook_pb2.NodeOutlook(
        node=node.id,
        tier=node.tier,
        engines=node.engines,
        codecs=node.codecs,
        memory_bytes=node.memory_bytes or 0,
        step_s=known.step_s,
        entry_s=known.entry_s,
        ready_s=known.ready_s,
        active_w=known.active_w,
        idle_w=known.idle_w,
        price_per_s=known.price_per_s,
        battery_j=None if math.isinf(known.battery_j) else known.battery_j,
        max_entropy_bits=None if math.isinf(known.max_entropy_bits) else known.max_entropy_bits,
        temperature_c=None if math.isnan(known.temperature_c) else known.temperature_c,
        charge=None if math.isnan(known.charge) else known.charge,
        uncertain=known.uncertain,
        heat=None if known.heat is None else _heat_to_proto(known.heat),
    )
    heard = survey.heard.get(node.id)
    if heard is not None:
        message.telemetry.CopyFrom(telemetry_to_proto(heard.telemetry))
        message.telemetry_age_s = heard.age_s
    return message


def _heat_to_proto(model: ThermalModel) -> outlook_pb2.ThermalModel:
    return outlook_pb2.ThermalModel(
        air_c=model.air_c,
        die_k_per_w=model.die_k_per_w,
        die_j_per_k=model.die_j_per_k,
        skin_k_per_w=model.skin_k_per_w,
        skin_j_per_k=model.skin_j_per_k,
        power_exponent=model.power_exponent,
        ratios=model.governor.ratios,
        up_c=model.governor.up_c,
        hysteresis_c=model.governor.hysteresis_c,
    )


def _link_to_proto(ends: Ends, link: LinkEstimate, survey: Survey) -> outlook_pb2.LinkOutlook:
    return outlook_pb2.LinkOutlook(
        source=ends[0],
        target=ends[1],
        bits_per_s=link.bits_per_s,
        rtt_s=link.rtt_s,
        sigma=link.sigma,
        joules_per_byte=link.joules_per_byte,
        age_s=survey.ages_s.get(ends),
        relayed=ends in survey.relayed,
    )


def _node(message: outlook_pb2.NodeOutlook) -> Node:
    try:
        tier = Tier(message.tier)
    except ValueError:
        raise _Impossible(f"that a node is of tier {message.tier[:32]!r}") from None
    return Node(
        NodeId(_text(message.node)),
        tier,
        engines=_names(message.engines),
        codecs=_names(message.codecs),
        memory_bytes=message.memory_bytes or None,
    )


def _estimate(message: outlook_pb2.NodeOutlook, steps: int) -> NodeEstimate:
    entry = (0, steps)
    return NodeEstimate(
        step_s=_list(message.step_s, (steps,), _LONGEST_S, "what a step takes"),
        ready_s=_number(message.ready_s, 0, _LONGEST_S, "when a node is ready", endless=True),
        active_w=_number(message.active_w, 0, _LARGEST, "what a node draws"),
        idle_w=_number(message.idle_w, 0, _LARGEST, "what a node draws"),
        price_per_s=_number(message.price_per_s, 0, MAX_PRICE_PER_S, "a price"),
        battery_j=_number(message.battery_j, 0, _LARGEST, "what is in a battery")
        if message.HasField("battery_j")
        else math.inf,
        max_entropy_bits=_number(message.max_entropy_bits, 0, _MOST_BITS, "an entropy budget")
        if message.HasField("max_entropy_bits")
        else math.inf,
        temperature_c=_number(message.temperature_c, -40, 150, "a temperature")
        if message.HasField("temperature_c")
        else math.nan,
        uncertain=message.uncertain,
        entry_s=_list(message.entry_s, entry, _LONGEST_S, "what arriving takes"),
        charge=_number(message.charge, 0, 1, "a charge") if message.HasField("charge") else math.nan,
        heat=_heat(message.heat) if message.HasField("heat") else None,
    )


def _heat(message: outlook_pb2.ThermalModel) -> ThermalModel:
    levels = len(message.ratios)
    if not 1 <= levels <= _MAX_LEVELS or len(message.up_c) != levels - 1:
        raise _Impossible(f"that a node slows down in {levels} levels")
    return ThermalModel(
        air_c=_number(message.air_c, -100, 150, "the temperature of the air"),
        die_k_per_w=_number(message.die_k_per_w, 1e-6, 1e6, "how a node warms"),
        die_j_per_k=_number(message.die_j_per_k, 1e-6, 1e6, "how a node warms"),
        skin_k_per_w=_number(message.skin_k_per_w, 1e-6, 1e6, "how a node warms"),
        skin_j_per_k=_number(message.skin_j_per_k, 1e-6, 1e6, "how a node warms"),
        governor=Governor(
            tuple(_number(each, 1e-3, 1, "a clock") for each in message.ratios),
            tuple(_number(each, -100, 200, "a threshold") for each in message.up_c),
            _number(message.hysteresis_c, 1e-3, 100, "a hysteresis"),
        ),
        power_exponent=_number(message.power_exponent, 0, 10, "how power follows the clock"),
    )


def _heard(message: outlook_pb2.NodeOutlook) -> Heard:
    age_s = _number(message.telemetry_age_s, 0, _LONGEST_S, "the age of a look")
    return Heard(telemetry_from_proto(message.telemetry, at_s=-age_s), age_s)


def _ends(message: outlook_pb2.LinkOutlook, topology: Topology) -> Ends:
    ends = NodeId(message.source), NodeId(message.target)
    known = {node.id for node in topology.nodes}
    if ends[0] == ends[1] or not known.issuperset(ends):
        raise _Impossible("that there is a link of a node which it does not name")
    return ends


def _link(message: outlook_pb2.LinkOutlook) -> LinkEstimate:
    return LinkEstimate(
        _number(message.bits_per_s, 1e-3, _FASTEST, "the rate of a link"),
        _number(message.rtt_s, 0, _LONGEST_S, "a round trip"),
        _number(message.sigma, 0, 100, "the spread of a rate"),
        _number(message.joules_per_byte, 0, _LARGEST, "what a radio draws"),
    )


def _codec(message: outlook_pb2.CodecOutlook, steps: int) -> CodecEstimate:
    length = (steps + 1,)
    return CodecEstimate(
        _text(message.name),
        _list(message.bits, length, _MOST_BITS, "the size of a state"),
        _list(message.encode_s, length, _LONGEST_S, "what coding takes"),
        _list(message.decode_s, length, _LONGEST_S, "what coding takes"),
    )


def _list(values: Sequence[float], lengths: Sequence[int], most: float, what: str) -> tuple[float, ...]:
    """Numbers of which each may be infinite."""
    if len(values) not in lengths:
        raise _Impossible(f"{what} {len(values)} times and not {lengths[-1]} times")
    return tuple(_number(value, 0, most, what, endless=True) for value in values)


def _number(value: float, least: float, most: float, what: str, *, endless: bool = False) -> float:
    if not (least <= value <= most or (endless and value == math.inf)):
        raise _Impossible(f"{value:g} for {what}")
    return value


def _printable(words: str) -> str:
    """What another node answered may be anything; as one line of bounded length it does no harm."""
    return "".join(each if each.isprintable() else " " for each in words[:_MAX_SENTENCE])


def _names(values: Iterable[str]) -> tuple[str, ...]:
    names = tuple(_text(each) for each in values)
    if len(names) > _MAX_NAMES:
        raise _Impossible(f"that a node has {len(names)} codecs or engines")
    return names


def _text(value: str, most: int = _MAX_NAME) -> str:
    if not (1 <= len(value) <= most and value.isprintable()):
        raise _Impossible(f"a name of {len(value)} characters, or one that cannot be printed")
    return value
