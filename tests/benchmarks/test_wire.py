"""The benchmark of the wire: its link keeps bytes, order and time, its arithmetic is right, and no bar gets lost."""

import math
import socket
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import wire_echo
import wire_handoff
import wire_idle
import wire_quality
from figures import Row
from wire_codecs import FP16, FP16_ZSTD, HIVEMIND, Coded, Place, elements, fp16, fp16_zstd, our_coder
from wire_handoff import HandOffs
from wire_latents import PROMPTS, cuts_of, run_of
from wire_links import PartCost, pipelined_s
from wire_our_echo import array_of, parts_of
from wire_peers import PeerError, PeerProcess
from wire_quality import Sample, Tally
from wire_series import Series
from wire_shaper import Lane, Link, Shaper

from eapg_split.codecs import CODECS
from eapg_split.codecs.base import DEFAULT_FIDELITY
from eapg_split.domain.latent import Latent
from eapg_split.eapg.attributes import SCENES
from eapg_split.eapg.calibration import psnr
from eapg_split.eapg.lexicon import understand
from tests.nodes import SMALL
from tests.toy_engine import open_engine

PEER = """
import sys, time
sys.path.insert(0, {folder!r})
from peer_pipe import serve
def double(fields, array):
    print("a library's words")
    return {{"by": fields["by"]}}, array * fields["by"]
serve({{"double": double, "fail": lambda f, a: 1 / 0, "sleep": lambda f, a: (time.sleep(60), None)}})
"""


def test_a_lane_gives_every_byte_its_time_and_then_the_delay() -> None:
    now = 100.0
    lane = Lane(Link(rate_bit_s=8000, rtt_s=0.2), clock=lambda: now)
    assert lane.admit(500) == pytest.approx(100.6)  # half a second of the lane, then half a round trip
    assert lane.admit(500) == pytest.approx(101.1)  # queues behind the first
    now = 200.0
    assert lane.admit(100) == pytest.approx(200.2)  # an idle lane saves nothing up
    assert lane.carried == 1100


def test_a_link_takes_bytes_over_bandwidth_and_one_round_trip() -> None:
    assert Link(10e6, 0.04).ideal_s(125_000) == pytest.approx(0.14)


def test_the_shaped_link_keeps_all_bytes_in_their_order_both_ways() -> None:
    data = np.random.default_rng(0).bytes(300_000)

    def echo(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            while read := connection.recv(1 << 16):
                connection.sendall(read)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=echo, args=(listener,), daemon=True).start()
        with Shaper(Link(400e6, 0.002), ("127.0.0.1", listener.getsockname()[1])) as shaper:
            with socket.create_connection(("127.0.0.1", shaper.port), timeout=30) as sender:
                threading.Thread(target=sender.sendall, args=(data,), daemon=True).start()
                back = bytearray()
                while len(back) < len(data):
                    back += sender.recv(1 << 16)
            assert bytes(back) == data
            assert shaper.forth.carried == shaper.back.carried == len(data)


def test_psnr_of_frames() -> None:
    dark, light, bright = ([np.full((4, 4, 3), level, np.uint8)] * 2 for level in (0, 1, 255))
    assert psnr(dark, dark) == math.inf
    assert psnr(dark, bright) == pytest.approx(0.0)
    assert psnr(dark, light) == pytest.approx(20 * math.log10(255))


def test_coding_sending_and_decoding_overlap() -> None:
    link = Link(8e6, 0.1)  # a megabyte a second
    parts = [PartCost(encode_s=1.0, size_bytes=2_000_000, decode_s=0.5)] * 3
    assert pipelined_s(parts, link) == pytest.approx(1 + 3 * 2 + 0.05 + 0.5 + 0.05)
    slow = [PartCost(encode_s=3.0, size_bytes=1_000_000, decode_s=0.5)] * 2
    assert pipelined_s(slow, link) == pytest.approx(2 * 3 + 1 + 0.05 + 0.5 + 0.05)


def test_bits_count_what_grows_with_the_clip_and_the_text_stays_exact() -> None:
    rng = np.random.default_rng(1)
    latent = Latent(
        {
            "xbar": rng.standard_normal((1, 4, 3, 8, 8), dtype=np.float32),
            "text": rng.standard_normal((2, 7, 48), dtype=np.float32),
        }
    )
    engine = open_engine("toy")
    place = Place(engine, engine.unroll(SMALL), 1)
    assert elements(latent) == 768
    assert fp16(latent, place).size == 2 * 768
    assert np.array_equal(fp16_zstd(latent, place).latent["text"], latent["text"])
    lossless = our_coder(CODECS["lossless"])(latent, place)
    assert lossless.latent == latent
    assert set(lossless.tensor_bytes) == {"xbar"}


def test_the_prompts_ask_for_every_scene() -> None:
    assert {understand(prompt).attributes.scene for prompt in PROMPTS} == set(SCENES)


def test_a_kept_run_is_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wire_latents.KEPT", tmp_path)
    engine = open_engine("toy")
    first, second = run_of(engine, SMALL), run_of(engine, SMALL)
    assert first.states == second.states
    assert np.array_equal(first.frames, second.frames)
    assert cuts_of(first.workload) == tuple(range(1, 9))

    def scaled(latent: Latent, place: Place) -> Coded:
        del place
        return Coded(Latent({**latent, "xbar": latent["xbar"] * np.float32(0.5)}), {"xbar": 10})

    worse = wire_quality.sample(engine, first, 8, scaled, finished=True)
    assert worse.psnr_db is not None
    assert worse.psnr_db < 40
    assert worse.bits == 80
    lossless = wire_quality.sample(engine, first, 8, our_coder(CODECS["lossless"]), finished=True)
    assert lossless.psnr_db == math.inf


def tally(bits: int, decibels: float) -> Tally:
    return Tally([Sample(step, "stage1", 100, bits, decibels) for step in (1, 2)])


def test_the_bars_of_bits_need_the_quality_too() -> None:
    others = {FP16: tally(1600, 69.0), FP16_ZSTD: tally(1400, 69.0), HIVEMIND: tally(800, 50.0)}
    good = list(wire_quality.rows({"clean": tally(120, 46.0), **others}, "clips"))
    bars = [row for row in good if row.bar]
    assert [row.holds for row in bars] == [True, True, True]
    assert bars[2].ours == pytest.approx(800 / 120)
    poor = list(wire_quality.rows({"clean": tally(120, 44.0), **others}, "clips"))
    assert [row.holds for row in poor if row.bar] == [False, False, False]
    assert wire_quality.handed_row({"clean": tally(120, 45.0)}, "a latent").holds
    assert not wire_quality.handed_row({"clean": tally(120, 44.9)}, "a latent").holds


def test_who_does_not_run_is_named_and_holds_no_bar() -> None:
    found = {
        wire_echo.OURS: Series([0.010, 0.012, 0.011]),
        wire_echo.DASK: Series([0.006]),
        wire_echo.HIVEMIND: Series(failed="not installed: no wheel"),
        wire_echo.RAY: Series([0.02]),
    }
    table = _by_figure(list(wire_echo.rows(found)))
    assert table[f"echo, times faster than {wire_echo.HIVEMIND}"].ours == "not installed: no wheel"
    assert not table[f"echo, times faster than {wire_echo.HIVEMIND}"].holds
    assert table[f"echo, times faster than {wire_echo.DASK}"].holds

    series = HandOffs([0.2, 0.15, 0.16], coded_bytes=145_000, ideal_s=0.156)
    raw = HandOffs([1.7], coded_bytes=1_900_000, ideal_s=1.56)
    rows = list(wire_handoff.rows({"clean": series, FP16: raw}, wire_handoff.SLOW, "a latent"))
    assert [row.holds for row in rows if row.bar] == [True, False, True]


def test_the_idle_engine_gives_frames_of_the_right_size() -> None:
    engine = wire_idle.open_engine("idle")
    workload = engine.unroll(SMALL)
    frames = list(engine.decode(workload, Latent()))
    last = workload.stages[-1].geometry
    assert [frame.shape for frame in frames] == [(SMALL.height, SMALL.width, 3)] * last.frames
    stage = workload.stage("stage2")
    preview = engine.preview(workload, stage.start_step, Latent())
    assert preview.shape[1:] == (stage.geometry.height, stage.geometry.width, 3)
    assert engine.fidelity(workload, stage.start_step, 45.0) == DEFAULT_FIDELITY


def test_an_echo_is_put_together_again() -> None:
    array = np.random.default_rng(2).standard_normal(wire_echo.SHAPE, dtype=np.float32)
    parts = parts_of(array)
    assert len(parts) > 1
    assert np.array_equal(array_of(parts, array.shape), array)


def test_a_peer_answers_fails_and_is_given_up(tmp_path: Path) -> None:
    folder = Path(wire_echo.__file__).parent / "peers"
    script = tmp_path / "peer.py"
    script.write_text(PEER.format(folder=str(folder)), encoding="utf-8")
    peer = PeerProcess(Path(sys.executable), str(script), tmp_path / "log")
    try:
        answer = peer.ask("double", np.ones((2, 3), np.float32), by=2)
        assert answer.fields["by"] == 2
        assert np.array_equal(answer.array, np.full((2, 3), 2, np.float32))
        with pytest.raises(PeerError, match="ZeroDivisionError"):
            peer.ask("fail")
        with pytest.raises(PeerError, match="no answer"):
            peer.ask("sleep", limit_s=0.2)
        with pytest.raises(PeerError, match="ended"):
            peer.ask("double", by=1)
    finally:
        peer.close()


def _by_figure(rows: list[Row]) -> dict[str, Row]:
    return {row.figure: row for row in rows}
