import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulations.kernel import Kernel
from simulations.links import Media
from simulations.traces import RateTrace


def world(*rates: list[float]) -> tuple[Kernel, Media]:
    kernel = Kernel()
    return kernel, Media(kernel, [RateTrace(np.array(each)) for each in rates])


def ended(kernel: Kernel, media: Media, flows: list[tuple[float, tuple[int, ...], float]]) -> list[float]:
    """When each flow is done, of (begin, media, bits)."""
    ends = [np.nan] * len(flows)

    def begin(number: int) -> None:
        _, ways, bits = flows[number]
        media.send(ways, bits, lambda: ends.__setitem__(number, kernel.now_s))

    for number, (when, _, _) in enumerate(flows):
        kernel.at(when, begin, number)
    kernel.run()
    return ends


@given(
    st.lists(st.floats(1e5, 1e7), min_size=1, max_size=8),
    st.floats(0, 20),
    st.floats(1e3, 1e8),
)
@settings(max_examples=60, deadline=None)
def test_a_flow_alone_ends_when_its_trace_has_carried_it(
    rates: list[float], begin: float, bits: float
) -> None:
    kernel, media = world(rates)
    expected = RateTrace(np.array(rates)).arrival(begin, bits)
    assert ended(kernel, media, [(begin, (0,), bits)])[0] == pytest.approx(expected, rel=1e-9)


def test_two_flows_share_and_the_longer_one_then_has_it_all() -> None:
    kernel, media = world([10e6])
    assert ended(kernel, media, [(0.0, (0,), 10e6), (0.0, (0,), 20e6)]) == pytest.approx([2.0, 3.0])


def test_a_flow_over_two_media_gets_what_the_tighter_one_leaves_and_the_others_the_rest() -> None:
    kernel, media = world([9e6], [3e6])
    # the second medium gives its two flows 1.5 each, so that the one on the first alone has 7.5
    ends = ended(kernel, media, [(0.0, (0,), 7.5e6), (0.0, (0, 1), 1.5e6), (0.0, (1,), 1.5e6)])
    assert ends == pytest.approx([1.0, 1.0, 1.0])


def test_an_outage_holds_a_flow_up_and_is_seen() -> None:
    kernel, media = world([1e6])
    done = list[float]()
    flow = media.send((0,), 2e6, lambda: done.append(kernel.now_s))
    kernel.at(1.0, lambda _: media.throttle(0, 0.0))
    kernel.at(5.0, lambda _: media.throttle(0, 1.0))
    kernel.run(3.0)
    assert (flow.dark_since_s, media.carries((0,))) == (1.0, False)
    kernel.run()
    assert done == pytest.approx([6.0], abs=0.01)  # next to nothing passed meanwhile


def test_who_is_dropped_leaves_its_share_to_the_others() -> None:
    kernel, media = world([2e6])
    done = list[float]()
    media.send((0,), 3e6, lambda: done.append(kernel.now_s))
    other = media.send((0,), 3e6, lambda: done.append(-1.0))
    kernel.at(1.0, lambda _: media.drop(other))
    kernel.run()
    assert done == pytest.approx([2.0])


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_bit_is_lost_or_made_and_no_medium_carries_more_than_it_can(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 4))
    kernel, media = world(*([data.draw(st.floats(1e5, 1e6))] for _ in range(count)))
    flows = data.draw(
        st.lists(
            st.tuples(
                st.floats(0, 5),
                st.sets(st.integers(0, count - 1), min_size=1).map(tuple),
                st.floats(1e3, 1e6),
            ),
            min_size=1,
            max_size=8,
        )
    )
    ends = ended(kernel, media, flows)
    assert all(end >= begin for end, (begin, _, _) in zip(ends, flows, strict=True))
    for medium in range(count):
        used = [
            (begin, end, bits) for end, (begin, ways, bits) in zip(ends, flows, strict=True) if medium in ways
        ]
        if used:
            first, last = min(each[0] for each in used), max(each[1] for each in used)
            most = media.rate(medium) * (last - first)
            assert sum(each[2] for each in used) <= most * (1 + 1e-9)
