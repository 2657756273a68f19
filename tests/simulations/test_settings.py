from pathlib import Path

import pytest

from eapg_split.errors import InvalidRequest
from simulations.scenario import Scenario, parse_scenario
from simulations.settings import Setting, read_parameter

FILE = """
title = "Small"

[workloads.clip]
every_s = 60
until_s = 600

[nodes.phone]
like = "phone"

[nodes."box.1"]
like = "edge-box"

[media.air]
model = "oboe"

[[links]]
from = "phone"
to = "box.1"
through = ["air"]

[[links]]
from = "box.1"
to = "phone"
through = ["air"]
delay_ms = 3
"""


@pytest.fixture
def scenario() -> Scenario:
    return parse_scenario(Path("mine.toml"), FILE)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("media.air.rate_mbps=1,10", (1, 10)),
        ("nodes.phone.battery.charge = 0.2, 0.8", (0.2, 0.8)),
        ("media.air.model=oboe,lte-4g", ("oboe", "lte-4g")),
        ('workloads.clip.prompt="a, b","c"', ("a, b", "c")),
        ("workloads.clip.steps=[2,1,1,1],[4,3,2,2]", ([2, 1, 1, 1], [4, 3, 2, 2])),
        ("links.0.one_way=true,false", (True, False)),
    ],
)
def test_values_are_toml_or_else_text(text: str, values: tuple[object, ...]) -> None:
    parameter = read_parameter(text)
    assert parameter.values == values
    assert parameter.path == text.partition("=")[0].strip()


@pytest.mark.parametrize(
    "text", ["", "x", "=1", "x=", "a..b=1", "a.=1", "a=nan", "a=1,1", "a=2020-01-01", "a=" + "1," * 9000]
)
def test_what_is_no_parameter_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"--set|is no path"):
        read_parameter(text)


def test_a_value_reaches_every_table_that_its_path_leads_to(scenario: Scenario) -> None:
    def delays(path: str) -> list[float | None]:
        return [link.get("delay_ms") for link in scenario.having([Setting(path, 9)]).tables["links"]]

    assert delays("links.delay_ms") == delays("links.*.delay_ms") == [9, 9]
    assert delays("links.1.delay_ms") == delays('links."box.1:phone".delay_ms') == [None, 9]
    assert [link.get("delay_ms") for link in scenario.tables["links"]] == [None, 3]
    nodes = scenario.having([Setting("nodes.*.noise", 0)]).tables["nodes"]
    assert [node["noise"] for node in nodes.values()] == [0, 0]


def test_what_is_set_takes_the_place_of_what_it_stands_for(scenario: Scenario) -> None:
    set_here = scenario.having([Setting("media.air.rate_mbps", 5), Setting("workloads.clip.at_s", [0])])
    assert set_here.tables["media"]["air"] == {"rate_mbps": 5}
    assert set_here.tables["workloads"]["clip"] == {"until_s": 600, "at_s": [0]}
    assert scenario.having([Setting("nodes.phone.battery.charge", 0.3)]).tables["nodes"]["phone"] == {
        "like": "phone",
        "battery": {"charge": 0.3},
    }


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("nodes.phon.noise", 0, "no 'phon' under nodes: there are phone, box.1"),
        (
            "nodes.phone.noize",
            0,
            "line 8, with nodes.phone.noize=0: there is no key 'noize' here: perhaps 'noise'",
        ),
        ("nodes.phone.batery.charge", 1, "there is no key 'batery' here: perhaps 'battery'"),
        ("nodes.phone.battery.charge", 2, "with nodes.phone.battery.charge=2: charge: 2 is greater"),
        ("links.2.delay_ms", 1, "counted from 0 to 1"),
        ("links.phone:cloud.delay_ms", 1, "there is no 'phone:cloud' under links: there are phone:box.1"),
        ("faults.lasts_s", 1, "has no faults"),
        ("title.x", 1, "title is no table"),
        ("media.air.model", "oboo", "'oboo' is not one of"),
    ],
)
def test_a_place_that_is_not_there_is_said_as_in_a_file(
    scenario: Scenario, path: str, value: object, words: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        scenario.having([Setting(path, value)])
    assert words in caught.value.message
    assert caught.value.message.startswith("mine.toml, ")


def test_what_is_no_number_is_no_number_in_a_file_either() -> None:
    with pytest.raises(InvalidRequest, match=r"mine.toml, line 6: until_s: it must be finite"):
        parse_scenario(Path("mine.toml"), FILE.replace("600", "nan"))
