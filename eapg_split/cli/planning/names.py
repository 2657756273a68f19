"""Plans and their parts in a few words."""

import math

from eapg_split.domain.plan import Plan
from eapg_split.domain.workload import Workload


def stages_in(workload: Workload, start_step: int, stop_step: int) -> str:
    """The stages of a run of steps: `text to stage2`, and how many of its steps where a stage is divided."""
    parts = []
    for stage in workload.stages:
        begin, end = max(start_step, stage.start_step), min(stop_step, stage.stop_step)
        if begin < end:
            whole = stage.stop_step - stage.start_step
            parts.append(stage.name if end - begin == whole else f"{stage.name} ({end - begin} of {whole})")
    if len(parts) < 2:
        return "".join(parts)
    return f"{parts[0]} {'and' if len(parts) == 2 else 'to'} {parts[-1]}"


def steps_in(start_step: int, stop_step: int) -> str:
    """0-24, or 33 for one step."""
    return f"{start_step}-{stop_step - 1}" if stop_step - start_step > 1 else str(start_step)


def brief(workload: Workload, plan: Plan) -> str:
    """Who computes what, in one line. That the device ends what was away goes without saying."""
    segments = list(plan.segments)
    if len(segments) > 1 and workload.stages[-1].start_step <= segments[-1].start_step:
        segments.pop()
    return ", ".join(
        f"{part.node}: {stages_in(workload, part.start_step, part.stop_step)}" for part in segments
    )


def rate(bits_per_s: float) -> str:
    """Bits a second: 850 kbit/s, 12.5 Mbit/s, 8.5 Gbit/s."""
    for unit, size in (("Gbit/s", 1e9), ("Mbit/s", 1e6)):
        if bits_per_s >= 0.9995 * size:
            return f"{bits_per_s / size:.3g} {unit}"
    return f"{bits_per_s / 1e3:.3g} kbit/s"


def share(part: float) -> str:
    """4.1 %, with more places where it is less."""
    return f"{100 * part:.2g} %" if abs(part) < 0.095 else f"{100 * part:.0f} %"


def amount(value: float, unit: str) -> str:
    """Three digits and a unit; infinite values are words."""
    return f"{value:.3g} {unit}" if math.isfinite(value) else f"no end of {unit}"
