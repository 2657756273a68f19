"""All of a plan as one JSON document. Its fields are a promise: docs/plan.md, and plan.schema.json beside this."""

import json
import math
from dataclasses import asdict
from typing import Final

from eapg_split.cli.node_rows import telemetry_object
from eapg_split.cli.planning.made import MadePlan, PlanOptions
from eapg_split.cli.planning.names import stages_in
from eapg_split.domain.plan import Plan
from eapg_split.domain.topology import Ends, Node
from eapg_split.planner.estimates import CodecEstimate
from eapg_split.planner.explain import Alternative, Explanation
from eapg_split.planner.policy import Objective
from eapg_split.planner.sweep import SweepPoint
from eapg_split.planner.walk import Score

FORMAT: Final = "eapg-split plan"
VERSION: Final = 1


def document(made: MadePlan, options: PlanOptions) -> str:
    """The document, in which whatever is infinite or unknown is null. The prompt is not in it."""
    request = asdict(options.request)
    del request["prompt"], request["prompt_withheld"]
    survey = made.survey
    fields: dict[str, object] = {
        "format": FORMAT,
        "version": VERSION,
        "request": request,
        "objective": _objective(made.view.objective, options.quality_db),
        "policy": {"asked": options.policy, "planner": made.planner, "warning": made.warning or None},
        "stages": [
            {"name": stage.name, "start_step": stage.start_step, "stop_step": stage.stop_step}
            for stage in made.workload.stages
        ],
        "plan": _plan(made, made.plan),
        "score": _score(made.score),
        "explanation": None if made.explanation is None else _explanation(made, made.explanation),
        "nodes": [_node(made, node) for node in survey.topology.nodes],
        "links": [_link(made, ends) for ends in survey.estimates.links],
        "codecs": [_codec(codec) for codec in survey.estimates.codecs],
        "entropy_bits": list(survey.estimates.entropy_bits),
        "unreachable": list(survey.missing),
        "sweep": None if made.points is None else [_point(made, point) for point in made.points],
        "pareto": None
        if made.choices is None
        else [{"plan": _plan(made, each.plan), "score": _score(each.score)} for each in made.choices],
    }
    return json.dumps(_finite(fields), ensure_ascii=False, allow_nan=False)


def _objective(objective: Objective, quality_db: float) -> dict[str, object]:
    return {
        "goal": str(objective.goal),
        "codec": objective.codec,
        "quality_db": quality_db,
        "privacy": str(objective.privacy),
        "deadline_s": objective.deadline_s,
        "max_entropy_bits": objective.max_entropy_bits,
        "max_cuts": objective.max_cuts,
        "pins": dict(objective.pins),
        "memory_caps": dict(objective.memory_caps),
    }


def _plan(made: MadePlan, plan: Plan) -> dict[str, object]:
    topology = made.survey.topology
    return {
        "segments": [
            {
                "node": part.node,
                "tier": str(topology.node(part.node).tier),
                "start_step": part.start_step,
                "stop_step": part.stop_step,
                "stages": stages_in(made.workload, part.start_step, part.stop_step),
            }
            for part in plan.segments
        ],
        "cuts": [{"step": cut.step, "codec": cut.codec} for cut in plan.cuts],
        "notes": list(plan.notes),
    }


def _score(score: Score) -> dict[str, object]:
    return {**asdict(score), "why": score.why or None}


def _explanation(made: MadePlan, explanation: Explanation) -> dict[str, object]:
    return {
        "exact": explanation.exact,
        "weights": asdict(explanation.weights),
        "terms": [asdict(term) for term in explanation.terms],
        "runner_up": None if explanation.runner_up is None else _other(made, explanation.runner_up),
        "binding": explanation.binding or None,
        "assumptions": list(explanation.assumptions),
    }


def _other(made: MadePlan, other: Alternative) -> dict[str, object]:
    return {"plan": _plan(made, other.plan), "score": _score(other.score), "behind": other.behind}


def _node(made: MadePlan, node: Node) -> dict[str, object]:
    known, heard = made.survey.estimates.nodes[node.id], made.survey.heard.get(node.id)
    return {
        "node": node.id,
        "tier": str(node.tier),
        "engines": list(node.engines),
        "codecs": list(node.codecs),
        "memory_bytes": node.memory_bytes,
        "estimate": {
            "step_s": list(known.step_s),
            "entry_s": list(known.entry_s),
            "ready_s": known.ready_s,
            "active_w": known.active_w,
            "idle_w": known.idle_w,
            "price_per_s": known.price_per_s,
            "battery_j": known.battery_j,
            "max_entropy_bits": known.max_entropy_bits,
            "temperature_c": known.temperature_c,
            "charge": known.charge,
            "warms": known.heat is not None,
            "uncertain": known.uncertain,
        },
        "telemetry": None if heard is None else {"age_s": heard.age_s, **telemetry_object(heard.telemetry)},
    }


def _link(made: MadePlan, ends: Ends) -> dict[str, object]:
    link = made.survey.estimates.links[ends]
    return {
        "source": ends[0],
        "target": ends[1],
        **asdict(link),
        "age_s": made.survey.ages_s.get(ends),
        "through_device": ends in made.survey.relayed,
    }


def _codec(codec: CodecEstimate) -> dict[str, object]:
    return {
        "name": codec.name,
        "bits": list(codec.bits),
        "encode_s": list(codec.encode_s),
        "decode_s": list(codec.decode_s),
    }


def _point(made: MadePlan, point: SweepPoint) -> dict[str, object]:
    return {
        "bits_per_s": point.bits_per_s,
        "plan": None if point.plan is None else _plan(made, point.plan),
        "score": None if point.score is None else _score(point.score),
        "why": point.why or None,
    }


def _finite(value: object) -> object:
    """JSON knows no infinity and no NaN: both become null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return value
