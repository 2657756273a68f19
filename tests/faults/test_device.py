"""What becomes of a device without room or memory: its jobs end with a word, and it goes on when it has them again."""

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from eapg_split.errors import EapgError, InfeasiblePlan, OutputFailure
from eapg_split.rpc.job_client import list_jobs
from eapg_split.runtime.events import JobDone
from eapg_split.runtime.jobs.ticket import JobState
from tests.faults.kinds import Cell, Fault, Phase, Target
from tests.faults.testbed import Testbed, open_testbed
from tests.faults.trial import Injection, relent

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def testbed() -> AsyncIterator[Testbed]:
    async with open_testbed() as opened:
        yield opened


async def struck(testbed: Testbed, fault: Fault, phase: Phase) -> EapgError | None:
    """How a job ends that meets the fault."""
    injection = Injection(testbed, Cell(fault, phase, Target.DEVICE))
    injection.arm()
    try:
        await testbed.run_job()
    except EapgError as error:
        return error
    finally:
        await injection.done()
    return None


async def ended(testbed: Testbed) -> list[JobState]:
    jobs = await list_jobs(testbed.device.address, ended=True)
    return [each.state for each in jobs if each.ended_s is not None]


async def test_the_end_of_a_job_that_found_no_room_is_known_and_written_when_there_is_room(
    testbed: Testbed,
) -> None:
    before = await ended(testbed)
    assert isinstance(await struck(testbed, Fault.DISK_FULL, Phase.INSIDE_A_STEP), OutputFailure)
    assert await list_jobs(testbed.device.address) == ()
    assert await ended(testbed) == [*before, JobState.FAILED]
    relent(testbed, Target.DEVICE)
    async with asyncio.timeout(20):
        while "are written now" not in testbed.device.log.read_text():  # noqa: ASYNC110  # nothing tells us
            await asyncio.sleep(0.05)
    testbed.device.signal(signal.SIGKILL)
    await testbed.device.died()
    await testbed.device.start()
    assert await list_jobs(testbed.device.address) == ()
    assert await ended(testbed) == [*before, JobState.FAILED]


async def test_a_device_without_memory_says_so_at_once_and_goes_on_when_it_has_some(
    testbed: Testbed,
) -> None:
    """A thread that finds no memory to start held up its daemon for good."""
    async with asyncio.timeout(30):
        error = await struck(testbed, Fault.OUT_OF_MEMORY, Phase.DESCRIBE)
    assert isinstance(error, InfeasiblePlan)
    assert "ran out of memory" in str(error)
    relent(testbed, Target.DEVICE)
    assert await list_jobs(testbed.device.address) == ()
    assert isinstance((await testbed.run_job())[-1], JobDone)
