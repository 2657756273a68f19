from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.domain.request import Privacy, Request
from eapg_split.errors import InvalidRequest

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("prompt", ["", "  \n\t", "x" * 2001, "x" * 10_000_000, "🐈" * 2000 + " ", 5, None, "\ud800"]),
        ("seconds", [0, -1, 0.49, 30.1, NAN, INF, -INF, "5", True, None]),
        ("fps", [0, -1, 61, 24.0, NAN, True, "24"]),
        ("width", [0, -2, 62, 63, 65, 4097, 4098, 512.0, None]),
        ("height", [0, 62, 65, 2306, 10**9, True]),
        (
            "steps",
            [(), (1, 2, 3), (1, 2, 3, 4, 5), (0, 1, 1, 1), (1, 1, 1, 65), [1, 1, 1, 1], (1, 1, 1, 1.0), 4],
        ),
        ("seed", [-1, 2**63, 0.5, None]),
        ("guidance", [-0.1, 10.1, NAN, INF, "2"]),
        ("privacy", ["prompt-local", None]),
        ("prompt_withheld", [True]),
    ],
)
def test_fields_outside_their_range_are_refused(field: str, bad: list[Any]) -> None:
    for value in bad:
        with pytest.raises(InvalidRequest) as caught:
            Request(**{"prompt": "A cat", field: value})
        message = str(caught.value)
        assert 10 < len(message) < 300
        assert "\n" not in message


@pytest.mark.parametrize(
    "good",
    [
        {"prompt": "x" * 2000},
        {"prompt": "  x  "},
        {"prompt": "城市夜景"},
        {"prompt": "🐈" * 2000},
        {"seconds": 0.5},
        {"seconds": 30},
        {"fps": 1},
        {"fps": 60},
        {"width": 64, "height": 64},
        {"width": 4096, "height": 2304},
        {"steps": (1, 1, 1, 1)},
        {"steps": (64, 64, 64, 64)},
        {"seed": 2**63 - 1},
        {"guidance": 0},
        {"guidance": 10.0},
        {"privacy": Privacy.ANY},
    ],
)
def test_the_ends_of_the_ranges_are_legal(good: dict[str, Any]) -> None:
    Request(**{"prompt": "A cat", **good})


def test_bytes_are_limited_too() -> None:
    with pytest.raises(InvalidRequest, match="8001 bytes"):
        Request("🐈" * 2000 + " ")


def test_without_prompt_keeps_the_rest() -> None:
    request = Request("A cat", seed=7)
    withheld = request.without_prompt()
    assert (withheld.prompt, withheld.prompt_withheld, withheld.seed) == ("", True, 7)
    assert withheld.without_prompt() == withheld


@given(
    st.fixed_dictionaries(
        {"prompt": st.text()},
        optional={
            "seconds": st.floats() | st.integers(),
            "fps": st.integers(),
            "width": st.integers(0, 5000),
            "height": st.integers(0, 3000),
            "steps": st.lists(st.integers(0, 70)).map(tuple),
            "seed": st.integers(),
            "guidance": st.floats(),
        },
    )
)
def test_anything_gives_a_request_or_one_clear_error(fields: dict[str, Any]) -> None:
    with suppress(InvalidRequest):
        Request(**fields)
