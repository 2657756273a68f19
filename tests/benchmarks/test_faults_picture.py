"""The matrix of faults is drawn from rows, also from those of several runs."""

import xml.etree.ElementTree as ElementTree

import pytest
from faults_matrix import FIGURE
from faults_picture import Seen, drawing, matrix_of
from figures import Row

from tests.faults.kinds import Fault, Phase


def row(**cells: str) -> Row:
    beside = {str(Phase[name]): text for name, text in cells.items()}
    return Row(FIGURE.format(fault=Fault.SIGKILL), "", beside, "100 %")


def test_trials_of_several_runs_are_added() -> None:
    rows = [row(DESCRIBE="2 of 2 in 1.0 s", RESERVE="0 of 1 in 9.5 s"), row(DESCRIBE="1 of 2 in 3.0 s")]
    assert matrix_of([*rows, Row("soak: jobs lost", 0.0)]) == {
        (Fault.SIGKILL, Phase.DESCRIBE): Seen(3, 4, 2.0),
        (Fault.SIGKILL, Phase.RESERVE): Seen(0, 1, 9.5),
    }


def test_each_cell_says_what_came_of_it() -> None:
    svg = drawing([row(DESCRIBE="19 of 20 in 1.5 s", DOWNLOAD_HALF_WAY="20 of 20 in 4.5 s")])
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    for words in ("killed", "download", "1.5 s", "19 of 20", "4.5 s", "39 of 40 jobs ended right"):
        assert words in svg
    assert Seen(20, 20, 1.0).colour != Seen(19, 20, 1.0).colour != Seen(1, 2, 1.0).colour


@pytest.mark.parametrize("rows", [[], [Row("soak: jobs lost", 0.0)], [row(DESCRIBE="many")]])
def test_what_is_no_matrix_is_said(rows: list[Row]) -> None:
    with pytest.raises(ValueError, match=r"no matrix|no cell"):
        drawing(rows)
