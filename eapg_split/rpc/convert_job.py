"""Flat pairs for JobService: what a person's program sends and what it gets."""

from eapg_split.errors import CorruptPayload
from eapg_split.rpc.convert import step_from_proto, step_to_proto
from eapg_split.rpc.convert_checks import with_numbers
from eapg_split.rpc.convert_hop import hop_from_proto, hop_to_proto
from eapg_split.rpc.convert_observed import observed_from_proto, observed_to_proto
from eapg_split.rpc.previews import preview_from_proto, preview_to_proto
from eapg_split.rpc.v1 import job_pb2
from eapg_split.runtime.events import (
    CheckpointKept,
    FrameDone,
    Goodput,
    Hop,
    JobDone,
    JobEvent,
    Notice,
    OutputChunk,
    OutputFile,
    PlacedSegment,
    PlanMade,
    PlanReviewed,
    PreviewFrame,
    StepDone,
)
from eapg_split.runtime.jobs.ticket import JobState, JobSummary, Terms


def event_to_proto(event: JobEvent) -> job_pb2.JobEvent:
    match event:
        case PlanMade():
            return job_pb2.JobEvent(plan=_plan_to_proto(event))
        case PlanReviewed():
            return job_pb2.JobEvent(reviewed=_reviewed_to_proto(event))
        case StepDone():
            return job_pb2.JobEvent(step=step_to_proto(event))
        case PreviewFrame():
            return job_pb2.JobEvent(preview=preview_to_proto(event))
        case Hop():
            return job_pb2.JobEvent(hop=hop_to_proto(event))
        case Goodput():
            return job_pb2.JobEvent(goodput=_goodput_to_proto(event))
        case CheckpointKept():
            return job_pb2.JobEvent(checkpoint=_checkpoint_to_proto(event))
        case Notice(text):
            return job_pb2.JobEvent(notice=job_pb2.Notice(text=text))
        case FrameDone(frame, total):
            return job_pb2.JobEvent(frame=job_pb2.FrameDone(frame=frame, total_frames=total))
        case OutputFile(name, size, sha256):
            return job_pb2.JobEvent(file=job_pb2.OutputFile(name=name, size_bytes=size, sha256=sha256))
        case OutputChunk(data):
            return job_pb2.JobEvent(chunk=data)
        case JobDone():
            return job_pb2.JobEvent(done=_done_to_proto(event))
        case _:
            return observed_to_proto(event)


def event_from_proto(message: job_pb2.JobEvent) -> JobEvent:
    """Raises CorruptPayload for a kind that this version does not know, a plan of nothing and numbers that are none."""
    event = with_numbers(_event(message))
    if isinstance(event, PlanMade) and not event.segments:
        raise CorruptPayload(
            "The device's daemon sent a plan without a segment: update the older of the two."
        )
    return event


def _event(message: job_pb2.JobEvent) -> JobEvent:
    match message.WhichOneof("kind"):
        case "plan":
            return _plan_from_proto(message.plan)
        case "reviewed":
            return _reviewed_from_proto(message.reviewed)
        case "step":
            return step_from_proto(message.step)
        case "preview":
            return preview_from_proto(message.preview)
        case "hop":
            return hop_from_proto(message.hop)
        case "goodput":
            return _goodput_from_proto(message.goodput)
        case "checkpoint":
            return _checkpoint_from_proto(message.checkpoint)
        case "notice":
            return Notice(message.notice.text)
        case "frame":
            return FrameDone(message.frame.frame, message.frame.total_frames)
        case "file":
            return OutputFile(message.file.name, message.file.size_bytes, message.file.sha256)
        case "chunk":
            return OutputChunk(message.chunk)
        case "done":
            return _done_from_proto(message.done)
    if (observed := observed_from_proto(message)) is not None:
        return observed
    raise CorruptPayload(
        "The device's daemon sent an event that is not known here: update the older of the two."
    )


def summary_to_proto(summary: JobSummary) -> job_pb2.JobSummary:
    terms = summary.terms
    return job_pb2.JobSummary(
        session=summary.session,
        step=summary.step,
        total_steps=summary.total_steps,
        elapsed_s=summary.age_s,
        state=summary.state,
        policy=terms.policy,
        label=terms.label,
        suffix=terms.suffix,
        ended_s=summary.ended_s,
    )


def summary_from_proto(message: job_pb2.JobSummary) -> JobSummary:
    """Raises CorruptPayload for a state that this version does not know, and numbers that are none."""
    try:
        state = JobState(message.state)
    except ValueError as error:
        raise CorruptPayload(
            f"The device's daemon has a job that is {message.state[:20]!r}: update the older of the two."
        ) from error
    return with_numbers(
        JobSummary(
            session=message.session,
            state=state,
            step=message.step,
            total_steps=message.total_steps,
            age_s=message.elapsed_s,
            ended_s=message.ended_s if message.HasField("ended_s") else None,
            terms=Terms("", message.policy, message.label, message.suffix),
        )
    )


def _segment_to_proto(segment: PlacedSegment) -> job_pb2.PlanSegment:
    return job_pb2.PlanSegment(
        node=segment.node, tier=segment.tier, start_step=segment.start_step, stop_step=segment.stop_step
    )


def _segment_from_proto(message: job_pb2.PlanSegment) -> PlacedSegment:
    return PlacedSegment(message.node, message.tier, message.start_step, message.stop_step)


def _plan_to_proto(event: PlanMade) -> job_pb2.PlanMade:
    return job_pb2.PlanMade(
        session=event.session,
        policy=event.policy,
        segments=[_segment_to_proto(segment) for segment in event.segments],
        notes=event.notes,
        total_steps=event.total_steps,
        revision=event.revision,
        at_s=event.at_s,
        reason=event.reason,
        predicted_s=event.predicted_s,
    )


def _plan_from_proto(message: job_pb2.PlanMade) -> PlanMade:
    segments = tuple(_segment_from_proto(segment) for segment in message.segments)
    notes = tuple(message.notes)
    return PlanMade(
        session=message.session,
        policy=message.policy,
        segments=segments,
        notes=notes,
        total_steps=message.total_steps,
        revision=message.revision,
        at_s=message.at_s,
        reason=message.reason,
        predicted_s=message.predicted_s,
    )


def _reviewed_to_proto(event: PlanReviewed) -> job_pb2.PlanReviewed:
    return job_pb2.PlanReviewed(
        trigger=event.trigger,
        node=event.node,
        occasion=event.occasion,
        outcome=event.outcome,
        reason=event.reason,
        step=event.step,
        current_s=event.current_s,
        chosen_s=event.chosen_s,
        at_s=event.at_s,
    )


def _reviewed_from_proto(message: job_pb2.PlanReviewed) -> PlanReviewed:
    return PlanReviewed(
        trigger=message.trigger,
        node=message.node,
        occasion=message.occasion,
        outcome=message.outcome,
        reason=message.reason,
        step=message.step,
        current_s=message.current_s,
        chosen_s=message.chosen_s,
        at_s=message.at_s,
    )


def _goodput_to_proto(goodput: Goodput) -> job_pb2.Goodput:
    return job_pb2.Goodput(
        source=goodput.source,
        target=goodput.target,
        bytes=goodput.bytes,
        seconds=goodput.seconds,
        at_s=goodput.at_s,
    )


def _goodput_from_proto(message: job_pb2.Goodput) -> Goodput:
    return Goodput(message.source, message.target, message.bytes, message.seconds, message.at_s)


def _checkpoint_to_proto(event: CheckpointKept) -> job_pb2.CheckpointKept:
    return job_pb2.CheckpointKept(
        node=event.node,
        step=event.step,
        codec=event.codec,
        raw_bytes=event.raw_bytes,
        wire_bytes=event.wire_bytes,
        seconds=event.seconds,
        at_s=event.at_s,
    )


def _checkpoint_from_proto(message: job_pb2.CheckpointKept) -> CheckpointKept:
    return CheckpointKept(
        node=message.node,
        step=message.step,
        codec=message.codec,
        raw_bytes=message.raw_bytes,
        wire_bytes=message.wire_bytes,
        seconds=message.seconds,
        at_s=message.at_s,
    )


def _done_to_proto(done: JobDone) -> job_pb2.JobDone:
    return job_pb2.JobDone(
        session=done.session,
        frames=done.frames,
        width=done.width,
        height=done.height,
        fps=done.fps,
        seed=done.seed,
        wall_s=done.wall_s,
        frames_sha256=done.frames_sha256,
        segments=[_segment_to_proto(segment) for segment in done.segments],
        hops=[hop_to_proto(hop) for hop in done.hops],
        peak_rss=[
            job_pb2.NodeMemory(node=node, peak_rss_bytes=size) for node, size in done.peak_rss_bytes.items()
        ],
        checkpoints=done.checkpoints,
        checkpoint_bytes=done.checkpoint_bytes,
    )


def _done_from_proto(message: job_pb2.JobDone) -> JobDone:
    return JobDone(
        session=message.session,
        frames=message.frames,
        width=message.width,
        height=message.height,
        fps=message.fps,
        seed=message.seed,
        wall_s=message.wall_s,
        frames_sha256=message.frames_sha256,
        segments=tuple(_segment_from_proto(segment) for segment in message.segments),
        hops=tuple(hop_from_proto(hop) for hop in message.hops),
        peak_rss_bytes={each.node: each.peak_rss_bytes for each in message.peak_rss},
        checkpoints=message.checkpoints,
        checkpoint_bytes=message.checkpoint_bytes,
    )
