"""Tables of figures find their place in the page, and nothing else of it changes."""

import pytest
from fill_docs import filled

ROWS = [
    {"figure": "size", "ours": 1.23456, "beside": {"theirs": 9.0}, "bar": "<= 1", "holds": False},
    {"figure": "note", "ours": "3 of 3", "beside": {}, "bar": "", "holds": True},
]


def test_only_the_named_table_is_replaced() -> None:
    page = (
        "# A\n<!-- wire -->\nstale\n<!-- end wire -->\ntext\n<!-- quality -->\nkept\n<!-- end quality -->\n"
    )
    new = filled(page, "wire", ROWS)
    assert "stale" not in new
    assert "kept" in new
    assert new.startswith("# A\n")
    assert "| size | 1.235 | theirs 9 | <= 1 | **no** |" in new
    assert "| note | 3 of 3 |  |  |  |" in new
    assert filled(new, "wire", ROWS) == new


def test_a_page_without_a_place_is_left_alone() -> None:
    with pytest.raises(ValueError, match="no place for 'wire'"):
        filled("# A\n", "wire", ROWS)
