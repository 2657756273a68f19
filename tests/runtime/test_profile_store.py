"""Profiles on disk: whole or not at all, refused when damaged, and of no use on another machine."""

import json
import logging
import math
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.domain.profile import Profile, StageCost
from eapg_split.domain.topology import NodeId
from eapg_split.errors import InvalidRequest, OutputFailure
from eapg_split.runtime.profile_store import (
    ANY_NODE,
    Machine,
    StoredProfile,
    default_path,
    find,
    read,
    save,
    to_json,
)

MACHINE = Machine("Some processor", 4, 2)
COST = StageCost(0.01, 3e10, 0.5, 10_000_000, 4.5, False, 2e10)
STAGES = MappingProxyType({"text": replace(COST, entry_flops_per_s=math.inf), "stage1": COST})
PROFILE = Profile(NodeId("edge"), "onnx", "ab" * 32, STAGES)
STORED = StoredProfile(PROFILE, MACHINE)
RATES = st.floats(1.0, 1e15)
COSTS = st.builds(
    StageCost,
    overhead_s=st.floats(0, 100),
    flops_per_s=RATES,
    load_s=st.floats(0, 100),
    memory_bytes=st.integers(0, 2**40),
    joules_per_s=st.none() | st.floats(0, 1000),
    uncertain=st.booleans(),
    entry_flops_per_s=RATES | st.just(math.inf),
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def stored_at(path: Path, **changes: object) -> Path:
    """A file whose content is as it should be, but for the changes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**to_json(STORED), **changes}), encoding="utf-8")
    return path


def test_a_profile_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "p.json"
    save(STORED, path)
    assert read(path) == STORED
    assert [each.name for each in path.parent.iterdir()] == ["p.json"]


@given(cost=COSTS)
def test_any_cost_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, cost: StageCost) -> None:
    path = tmp_path_factory.mktemp("profiles") / "p.json"
    stored = replace(STORED, profile=replace(PROFILE, stages=MappingProxyType({"stage1": cost})))
    save(stored, path)
    assert read(path) == stored


def test_the_place_follows_the_state_directory_and_has_no_strange_characters(home: Path) -> None:
    path = default_path("../we/ird node", "module:call", "0123456789abcdef")
    assert path.parent == home / "eapg_split" / "profiles"
    assert path.name == ".._we_ird_node-module_call-0123456789ab.json"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        b'{"format": 1',
        b"[" * 100_000,
        b" " * 70_000,
    ],
)
def test_what_is_no_profile_is_refused_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(content)
    with pytest.raises(InvalidRequest, match="measure again"):
        read(path)


@pytest.mark.parametrize(
    "stages",
    [
        {},
        [],
        {"stage1": {}},
        {"stage1": {"overhead_s": 0, "flops_per_s": 0}},
        {"stage1": {"overhead_s": -1, "flops_per_s": 1}},
        {"stage1": {"overhead_s": 0, "flops_per_s": math.nan}},
        {"stage1": {"overhead_s": 0, "flops_per_s": math.inf}},
        {"stage1": {"overhead_s": 0, "flops_per_s": True}},
        {"stage1": {"overhead_s": 0, "flops_per_s": "fast"}},
        {"stage1": {"overhead_s": 0, "flops_per_s": 1, "memory_bytes": math.inf}},
        {"stage1": {"overhead_s": 0, "flops_per_s": 1, "joules_per_s": math.nan}},
        {"stage1": {"overhead_s": 0, "flops_per_s": 1, "unheard_of": 1}},
        {f"stage{index}": {"overhead_s": 0, "flops_per_s": 1} for index in range(17)},
    ],
)
def test_impossible_costs_are_refused(tmp_path: Path, stages: object) -> None:
    with pytest.raises(InvalidRequest, match="measure again"):
        read(stored_at(tmp_path / "p.json", stages=stages))


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="format 2"):
        read(stored_at(tmp_path / "p.json", format=2))


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"none\.json"):
        read(tmp_path / "none.json")


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputFailure, match="choose another place"):
        save(STORED, tmp_path / "file" / "p.json")


def test_a_nodes_own_profile_wins_over_the_machines() -> None:
    fast = replace(COST, flops_per_s=9e10)
    any_profile = replace(PROFILE, node=ANY_NODE, stages=MappingProxyType({"stage1": fast}))
    assert find(NodeId("edge"), "onnx", PROFILE.fingerprint, MACHINE) is None
    save(StoredProfile(any_profile, MACHINE), default_path(ANY_NODE, "onnx", PROFILE.fingerprint))
    borrowed = find(NodeId("edge"), "onnx", PROFILE.fingerprint, MACHINE)
    assert borrowed == replace(any_profile, node=NodeId("edge"))
    save(STORED, default_path("edge", "onnx", PROFILE.fingerprint))
    assert find(NodeId("edge"), "onnx", PROFILE.fingerprint, MACHINE) == PROFILE


@pytest.mark.parametrize("change", [{"cpu": "Another"}, {"cores": 8}, {"threads": 4}])
def test_a_profile_of_another_machine_is_passed_over(
    caplog: pytest.LogCaptureFixture, change: dict[str, object]
) -> None:
    save(STORED, default_path("edge", "onnx", PROFILE.fingerprint))
    here = replace(MACHINE, **change)  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        assert find(NodeId("edge"), "onnx", PROFILE.fingerprint, here) is None
    assert "was measured with another" in caplog.text


def test_a_damaged_profile_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    path = default_path("edge", "onnx", PROFILE.fingerprint)
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with caplog.at_level(logging.WARNING):
        assert find(NodeId("edge"), "onnx", PROFILE.fingerprint, MACHINE) is None
    assert "is not a profile" in caplog.text


def test_this_machine_has_a_name_and_cores() -> None:
    here = Machine.here()
    assert here.cpu
    assert here.threads == here.cores >= 1
    assert Machine.here(3).threads == 3
