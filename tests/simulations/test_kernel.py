import numpy as np
import pytest

from simulations.kernel import Kernel
from simulations.streams import stream


def test_events_come_by_time_then_priority_then_order() -> None:
    kernel, seen = Kernel(), list[str]()
    for when, name, priority in ((2.0, "late", 0), (1.0, "b", 1), (1.0, "c", 1), (1.0, "a", 0)):
        kernel.at(when, seen.append, name, priority)
    kernel.run()
    assert seen == ["a", "b", "c", "late"]
    assert kernel.now_s == 2.0


def test_what_lies_beyond_the_end_stays_for_the_next_call() -> None:
    kernel, seen = Kernel(), list[float]()

    def again(_: None) -> None:
        seen.append(kernel.now_s)
        kernel.at(kernel.now_s + 1.0, again)

    kernel.at(0.0, again)
    kernel.run(2.5)
    assert (seen, kernel.now_s) == ([0.0, 1.0, 2.0], 2.5)
    kernel.run(3.5)
    assert seen[-1] == 3.0
    with pytest.raises(AssertionError):
        kernel.at(1.0, again)


def test_streams_are_of_their_names_alone() -> None:
    assert stream(1, "a").random() == stream(1, "a").random()
    draws = {stream(seed, *names).random() for seed in (1, 2) for names in (("a",), ("b",), ("a", "b"))}
    assert len(draws) == 6
    assert np.isclose(np.mean([stream(0, str(i)).random() for i in range(500)]), 0.5, atol=0.05)
