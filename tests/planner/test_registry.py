"""Names to policies: ours, installed ones, modules and files; and one clear sentence for what is wrong."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from eapg_split.errors import InvalidRequest
from eapg_split.planner import POLICIES, absolute, available, registry, resolve

GOOD = """
from eapg_split.planner.device_only import DeviceOnlyPolicy
from eapg_split.planner.scoring import Arc, ScorePolicy

class Mine(ScorePolicy):
    '''Mine alone.'''
    name = "mine"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(GOOD)
    return path


def test_a_file_with_one_policy(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve(str(file)).name == "mine"
    assert resolve(f"{file}:Mine").name == "mine"
    monkeypatch.chdir(file.parent)
    assert resolve("./mine.py").name == "mine"
    assert resolve("mine.py").name == "mine"
    assert absolute("mine.py:Mine") == f"{file}:Mine"
    assert absolute("./mine.py") == str(file)
    assert absolute("pyramid") == "pyramid"
    assert absolute("module:Class") == "module:Class"


def test_a_file_is_read_anew_each_time(file: Path) -> None:
    assert resolve(str(file)).name == "mine"
    file.write_text(GOOD.replace('"mine"', '"changed"'))
    assert resolve(str(file)).name == "changed"


def test_a_file_with_several_policies_needs_a_class(file: Path) -> None:
    file.write_text(GOOD + "class Other(Mine):\n    name = 'other'\n")
    with pytest.raises(InvalidRequest, match=r"2 policy classes \(Mine, Other\).*mine\.py:Mine"):
        resolve(str(file))
    assert resolve(f"{file}:Other").name == "other"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "0 policy classes"),
        ("x = (", "SyntaxError"),
        ("import nothing_of_the_kind", "nothing_of_the_kind"),
        ("raise SystemExit(3)", "SystemExit"),
        ("class Mine:\n    name = 'm'\n    def plan(self): ...\n    def __init__(self, x): ...", "TypeError"),
        ("class Mine:\n    def plan(self, view): ...", 'name = "mine"'),
        ("class Mine:\n    name = 3\n    def plan(self, view): ...", 'name = "mine"'),
        ("class Mine:\n    name = 'm'\n    api_version = 2\n    def plan(self, view): ...", "version 2"),
        (
            "class Mine:\n    name = 'm'\n    api_version = '0.9'\n    def plan(self, view): ...",
            "version 0.9",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(file: Path, text: str, reason: str) -> None:
    file.write_text(text)
    before = set(sys.modules)
    with pytest.raises(InvalidRequest) as caught:
        resolve(str(file))
    assert reason in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.message.endswith(".")
    assert (
        not any(name.startswith("eapg_policy_") for name in set(sys.modules) - before)
        or "class" in text
        or not text
    )


@pytest.mark.parametrize("version", [1, "1", "1.7", 1.2])
def test_a_minor_version_of_the_api_does_not_matter(file: Path, version: object) -> None:
    file.write_text(GOOD + f"    api_version = {version!r}\n")
    assert resolve(str(file)).name == "mine"


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(InvalidRequest, match="FileNotFoundError"):
        resolve("./no/such/file.py")
    with pytest.raises(InvalidRequest, match="1024"):
        resolve("x" * 5000)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InvalidRequest) as caught:
        resolve("fastest")
    assert all(name in caught.value.message for name in POLICIES)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("theirs", f"{__name__}:Theirs", registry.GROUP),
        EntryPoint("broken", "nothing_of_the_kind:Policy", registry.GROUP),
        EntryPoint("pyramid", f"{__name__}:Theirs", registry.GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == registry.GROUP else [])


class Theirs(type(resolve("device-only"))):  # type: ignore[misc]
    """Theirs alone.

    And more.
    """

    name = "theirs"


@pytest.mark.usefixtures("installed")
def test_installed_policies_are_found_and_ours_are_not_replaced() -> None:
    assert resolve("theirs").name == "theirs"
    assert type(resolve("pyramid")) is POLICIES["pyramid"]
    with pytest.raises(InvalidRequest, match="nothing_of_the_kind"):
        resolve("broken")


@pytest.mark.usefixtures("installed")
def test_the_list_has_where_they_come_from_and_what_is_wrong() -> None:
    rows = {(row.name, row.origin): row for row in available()}
    assert {name for name, origin in rows if origin == "built in"} == set(POLICIES)
    theirs = next(row for row in rows.values() if row.name == "theirs")
    assert (theirs.summary, theirs.error) == ("Theirs alone.", "")
    assert "nothing_of_the_kind" in next(row.error for row in rows.values() if row.name == "broken")
    assert any(row.name == "pyramid" and "one of ours" in row.error for row in rows.values())
    assert all(row.summary for row in rows.values() if row.origin == "built in")


def test_python_of_the_same_name_elsewhere_is_another_module(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(GOOD.replace('"mine"', f'"{folder}"'))
    one, two = (resolve(str(tmp_path / folder / "mine.py")) for folder in ("a", "b"))
    assert (one.name, two.name) == ("a", "b")
    assert type(one).__module__ != type(two).__module__
