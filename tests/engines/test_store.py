"""What ships, and what is said when it is not what the manifest promises."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from safetensors import safe_open

from eapg_split.eapg.networks import PARTS
from eapg_split.engines.store import SHIPPED, read_manifest
from eapg_split.errors import CorruptWeights

pytestmark = pytest.mark.skipif(
    not (SHIPPED / "manifest.json").exists(), reason="the weights are not in this tree"
)

MB = 1_000_000


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    shutil.copytree(SHIPPED, folder)
    return folder


def edit(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    path = folder / "manifest.json"
    body = json.loads(path.read_bytes())
    change(body)
    path.write_text(json.dumps(body))


def test_the_manifest_vouches_for_every_part() -> None:
    manifest = read_manifest()
    assert set(manifest.files) == {f"{part}.{kind}" for part in PARTS for kind in ("onnx", "safetensors")}
    for part in PARTS:
        assert manifest.path(part, "onnx").parent == manifest.path(part, "safetensors").parent == SHIPPED


def test_what_ships_is_small() -> None:
    sizes = {path.name: path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()}
    assert max(sizes.values()) < 15 * MB, sizes
    assert sum(sizes.values()) < 60 * MB, sizes


@pytest.mark.parametrize("part", PARTS)
def test_graphs_point_into_the_weights(part: str) -> None:
    """No weight ships twice: what a graph holds itself are small constants of its own."""
    graph = onnx.load(str(SHIPPED / f"{part}.onnx"), load_external_data=False).graph
    weights = SHIPPED / f"{part}.safetensors"
    pointers = [i for i in graph.initializer if i.data_location == onnx.TensorProto.EXTERNAL]
    kept = [i for i in graph.initializer if i.data_location != onnx.TensorProto.EXTERNAL]
    assert all(i.ByteSize() <= 2048 for i in kept), [i.name for i in kept]
    with safe_open(weights, framework="numpy") as opened:
        shapes = {key: list(opened.get_slice(key).get_shape()) for key in opened.keys()}  # noqa: SIM118
    for pointer in pointers:
        entries = {entry.key: entry.value for entry in pointer.external_data}
        assert entries["location"] == weights.name
        assert int(entries["offset"]) + int(entries["length"]) <= weights.stat().st_size
        assert shapes[pointer.name.removesuffix("/half")] == list(pointer.dims)
    inside = {pointer.name.removesuffix("/half") for pointer in pointers}
    assert sum(shapes[name] != [] for name in inside) > 0
    # only the value tables of the text encoder's training may be left out of the graph
    assert len(set(shapes) - inside) <= len(shapes) // 4, set(shapes) - inside


def test_graphs_tell_nothing_of_where_they_were_made() -> None:
    for part in PARTS:
        raw = (SHIPPED / f"{part}.onnx").read_bytes()
        assert b"/home/" not in raw
        assert b"site-packages" not in raw
        assert b".py" not in raw


def test_a_file_that_is_missing_truncated_or_altered_is_named(weights: Path) -> None:
    path = weights / "stage2.safetensors"
    whole = path.read_bytes()
    manifest = read_manifest(weights)
    path.write_bytes(whole[:-1])
    with pytest.raises(CorruptWeights, match=r"stage2.safetensors has \d+ bytes instead of \d+: reinstall"):
        manifest.path("stage2", "safetensors")
    path.write_bytes(whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:])
    with pytest.raises(CorruptWeights, match=r"stage2.safetensors was altered: reinstall"):
        manifest.path("stage2", "safetensors")
    path.unlink()
    with pytest.raises(CorruptWeights, match=r"stage2.safetensors cannot be read \(No such file"):
        manifest.path("stage2", "safetensors")
    path.mkdir()
    with pytest.raises(CorruptWeights, match=r"stage2.safetensors"):
        manifest.path("stage2", "safetensors")
    assert manifest.path("stage1", "safetensors").exists()


def test_no_weights_at_all(tmp_path: Path) -> None:
    with pytest.raises(CorruptWeights, match=r"There are no weights in .*: reinstall"):
        read_manifest(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(CorruptWeights, match="There are no weights in"):
        read_manifest(tmp_path / "file")


def test_a_part_that_the_manifest_does_not_know(weights: Path) -> None:
    edit(weights, lambda body: body["files"].pop("low.onnx"))  # type: ignore[attr-defined]
    with pytest.raises(CorruptWeights, match=r"have no low.onnx"):
        read_manifest(weights).path("low", "onnx")


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", "null", "3", "\udc80", "[" * 100_000, '{"format": 2}', "{" + " " * (1 << 20) + "}",
        '{"format": 1, "files": [], "time_shift": [1, 1, 1, 1]}',
        '{"format": 1, "files": {"low.onnx": 3}, "time_shift": [1, 1, 1, 1]}',
        '{"format": 1, "files": {"low.onnx": {"size_bytes": 1e999, "sha256": ""}}, "time_shift": [1, 1, 1, 1]}',
        '{"format": 1, "files": {"low.onnx": {"size_bytes": -1, "sha256": ""}}, "time_shift": [1, 1, 1, 1]}',
        '{"format": 1, "files": {"../low.onnx": {"size_bytes": 1, "sha256": ""}}, "time_shift": [1, 1, 1, 1]}',
        '{"format": 1, "files": {}, "time_shift": [1, 1, 1]}',
        '{"format": 1, "files": {}, "time_shift": [1, 1, 1, 0]}',
        '{"format": 1, "files": {}, "time_shift": [1, 1, 1, NaN]}',
        '{"format": 1, "files": {}, "time_shift": [1, 1, 1, "1"]}',
        '{"format": 1, "files": {}, "time_shift": null}',
    ],
    ids=lambda text: text[:24] or "empty",
)  # fmt: skip
def test_a_malformed_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(CorruptWeights, match=r"manifest.json is malformed .*: reinstall"):
        read_manifest(tmp_path)


def test_the_fingerprint_is_that_of_the_contents(weights: Path) -> None:
    assert read_manifest(weights).fingerprint == read_manifest().fingerprint
    edit(weights, lambda body: body.update(time_shift=[2.0, 1.0, 1.0, 1.0]))
    other = read_manifest(weights)
    assert other.fingerprint != read_manifest().fingerprint
    assert other.time_shift == (2.0, 1.0, 1.0, 1.0)
