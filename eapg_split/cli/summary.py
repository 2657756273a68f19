"""What a job leaves to say: the tables at the end, and the one-line record of `--json`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from eapg_split.cli.display import where
from eapg_split.cli.text import duration, size, table
from eapg_split.eapg.completion import Completion
from eapg_split.runtime.events import Hop, JobDone, PlacedSegment, StepDone


@dataclass
class StepLog:
    """Which stage every finished step belonged to and how long it took; a repeated step counts once more."""

    stages: dict[int, str] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)

    def add(self, step: StepDone) -> None:
        self.stages[step.step] = step.stage
        self.seconds[step.step] = self.seconds.get(step.step, 0.0) + step.seconds


def render(done: JobDone, log: StepLog, output: str, wall_s: float) -> str:
    """The summary for a person: what ran where, how long, and what crossed each cut."""
    clip = f"{done.frames} frames, {done.width}x{done.height}, {done.fps} FPS, seed {done.seed}"
    parts = [_segments(done.segments, done.peak_rss_bytes, log)]
    if done.hops:
        parts.append(_hops(done.hops))
    parts.append(f"{output}: {clip}, in {duration(wall_s)}")
    return "\n\n".join(parts)


def _segments(segments: Sequence[PlacedSegment], memory: Mapping[str, int], log: StepLog) -> str:
    rows = []
    for segment in segments:
        steps = range(segment.start_step, segment.stop_step)
        stages = list(dict.fromkeys(log.stages[step] for step in steps if step in log.stages))
        rows.append(
            (
                f"{segment.start_step}-{segment.stop_step - 1}"
                if len(steps) > 1
                else str(segment.start_step),
                stages[0] if len(stages) == 1 else f"{stages[0]} to {stages[-1]}" if stages else "",
                where(segment.node, segment.tier),
                duration(sum(log.seconds.get(step, 0.0) for step in steps)),
                size(memory[segment.node]) if segment.node in memory else "",
            )
        )
    return table(("steps", "stages", "node", "time", "peak memory"), rows)


def _hops(hops: Sequence[Hop]) -> str:
    rows = [
        (
            hop.source,
            hop.target,
            str(hop.step),
            hop.codec,
            size(hop.raw_bytes),
            size(hop.wire_bytes),
            duration(hop.seconds),
        )
        for hop in hops
    ]
    return table(("from", "to", "before step", "codec", "raw", "on the wire", "time"), rows)


def record(done: JobDone, reading: Completion | None, output: str, wall_s: float) -> str:
    """The JSON line of `--json`. Its fields are a promise: see docs/cli.md. Without the prompt there is no reading."""
    fields: dict[str, object] = {
        "output": output,
        "frames": done.frames,
        "width": done.width,
        "height": done.height,
        "fps": done.fps,
        "seed": done.seed,
        "wall_s": round(wall_s, 3),
        "frames_sha256": done.frames_sha256,
        "plan": [
            {
                "node": segment.node,
                "tier": segment.tier,
                "start_step": segment.start_step,
                "stop_step": segment.stop_step,
            }
            for segment in done.segments
        ],
        "hops": [
            {
                "from": hop.source,
                "to": hop.target,
                "step": hop.step,
                "codec": hop.codec,
                "raw_bytes": hop.raw_bytes,
                "wire_bytes": hop.wire_bytes,
                "seconds": round(hop.seconds, 6),
            }
            for hop in done.hops
        ],
        "peak_rss_mb": {node: round(count / 1e6, 1) for node, count in done.peak_rss_bytes.items()},
    }
    if reading is not None:
        fields["understood"] = reading.sentence().removeprefix("understood: ")
    return json.dumps(fields, ensure_ascii=False)
