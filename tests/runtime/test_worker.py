"""What a node does beyond computing: places, deadlines, failures of its engine."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from eapg_split.domain.latent import Latent
from eapg_split.domain.topology import Tier
from eapg_split.domain.workload import Workload
from eapg_split.eapg.pipeline import EapgPipeline
from eapg_split.errors import CapacityExceeded, CorruptWeights, DeadlineExceeded, EngineFailure
from eapg_split.runtime.deadline import Deadline
from eapg_split.runtime.preview import preview_frames
from eapg_split.runtime.settings import Limits
from tests.nodes import coded, ignore, order, served_by, toy_worker, undivided
from tests.toy_engine import open_slow_engine
from tests.toy_networks import ToyNetworks


class _Broken(EapgPipeline):
    def run_step(self, workload: Workload, step: int, state: Latent) -> Latent:
        raise ZeroDivisionError("inside the engine")


class _Greedy(EapgPipeline):
    def run_step(self, workload: Workload, step: int, state: Latent) -> Latent:
        del workload, step, state
        raise MemoryError


class _NotANumber(EapgPipeline):
    def run_step(self, workload: Workload, step: int, state: Latent) -> Latent:
        after = super().run_step(workload, step, state)
        return Latent({name: np.full_like(tensor, np.nan) for name, tensor in after.items()})


async def test_there_are_so_many_places_and_no_more() -> None:
    worker = toy_worker(
        "edge", Tier.EDGE, limits=Limits(sessions=2, queued=0), engine=lambda: open_slow_engine("toy")
    )
    await worker.describe()
    state = undivided(5)
    running = [
        asyncio.create_task(worker.execute(order(5, 9, session=f"s{number}"), state, ignore))
        for number in range(2)
    ]
    await asyncio.sleep(0.05)
    with pytest.raises(CapacityExceeded, match="2 sessions"):
        await worker.execute(order(5, 9, session="late"), state, ignore)
    with pytest.raises(CapacityExceeded):
        async with worker.places.held(order(5, 9, session="late")):
            pass
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert worker.running_sessions == 0


async def test_a_deadline_ends_a_segment() -> None:
    worker = toy_worker("edge", Tier.EDGE, engine=lambda: open_slow_engine("toy"))
    late = replace(order(5, 9), deadline=Deadline.after(0.2))
    with pytest.raises(DeadlineExceeded, match="more time"):
        await worker.execute(late, undivided(5), ignore)
    assert worker.running_sessions == 0


@pytest.mark.parametrize("engine", [_Broken, _NotANumber])
async def test_a_failing_engine_is_named_and_final(engine: type[EapgPipeline]) -> None:
    worker = toy_worker("edge", Tier.EDGE, engine=lambda: engine(ToyNetworks(), kind="toy"))
    with pytest.raises(EngineFailure) as caught:
        await worker.execute(order(5, 9), undivided(5), ignore)
    assert caught.value.node_id == "edge"
    assert "inside the engine" not in caught.value.message


async def test_a_node_without_memory_is_full() -> None:
    worker = toy_worker("edge", Tier.EDGE, engine=lambda: _Greedy(ToyNetworks(), kind="toy"))
    with pytest.raises(CapacityExceeded, match="out of memory"):
        await worker.execute(order(5, 9), undivided(5), ignore)
    assert worker.running_sessions == 0


async def test_an_engine_that_cannot_be_opened_says_why() -> None:
    def missing() -> EapgPipeline:
        raise CorruptWeights("low.safetensors is cut short: fetch it again.")

    worker = toy_worker("edge", Tier.EDGE, engine=missing)
    with pytest.raises(CorruptWeights, match="fetch it again"):
        await worker.describe()


async def test_kept_results_are_bounded() -> None:
    worker = toy_worker("edge", Tier.EDGE, limits=Limits(kept_result_bytes=1))
    state = coded(undivided(5))
    first = await served_by(worker, order(5, 9), state, ignore)
    again = await served_by(worker, order(5, 9), state, ignore)
    assert again is not first
    worker = toy_worker("edge", Tier.EDGE, limits=Limits(kept_result_s=0.01))
    first = await served_by(worker, order(5, 9), state, ignore)
    await asyncio.sleep(0.05)
    assert await served_by(worker, order(5, 9), state, ignore) is not first
    worker = toy_worker("edge", Tier.EDGE)
    first = await served_by(worker, order(5, 9), state, ignore)
    assert await served_by(worker, order(5, 9), state, ignore) is first


@pytest.mark.parametrize("shape", [(1, 9, 16, 3), (121, 36, 64, 3), (5, 2304, 4096, 3)])
def test_previews_stay_small(shape: tuple[int, int, int, int]) -> None:
    frames = list(preview_frames("stage1", 16, np.zeros(shape, np.uint8)))
    assert [frame.index for frame in frames] == list(range(frames[0].count))
    assert all(frame.frame.nbytes <= 512 * 512 * 3 for frame in frames)
