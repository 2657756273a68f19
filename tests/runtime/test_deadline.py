"""A deadline is a moment of the loop's clock; none is never."""

import asyncio
import math
import time

import pytest

from eapg_split.runtime.deadline import Deadline


async def test_a_deadline_runs_down() -> None:
    deadline = Deadline.after(0.05)
    assert 0 < deadline.remaining() <= 0.05
    assert deadline.capped(10) <= 0.05
    assert 0 < deadline.wire_seconds() <= 0.05
    with pytest.raises(TimeoutError):
        async with asyncio.timeout_at(deadline.when):
            await asyncio.sleep(1)
    assert deadline.remaining() == 0
    assert deadline.wire_seconds() > 0  # 0 would say that there is none


async def test_a_moment_of_the_wall_clock_may_be_over_already() -> None:
    assert 9 < Deadline.on_wall_clock(time.time() + 10).remaining() <= 10
    past = Deadline.on_wall_clock(time.time() - 10)
    assert past.remaining() == 0
    assert past.when is not None
    assert Deadline.on_wall_clock(math.inf).when is None


@pytest.mark.parametrize("seconds", [0, -1])
async def test_no_deadline_is_never(seconds: float) -> None:
    deadline = Deadline.after(seconds)
    assert deadline.when is None
    assert math.isinf(deadline.remaining())
    assert deadline.capped(10) == 10
    assert deadline.wire_seconds() == 0
