"""Metrics: which there are, that their labels are bounded, and who may read the page."""

import asyncio
import json
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from eapg_split.domain.telemetry import RANGES, LinkSight, Quality, Reading, Telemetry, reading
from eapg_split.errors import CapacityExceeded, InvalidRequest
from eapg_split.observing.prometheus import MAX_VALUES, OTHER, Metrics
from eapg_split.observing.scrape import MAX_CONNECTIONS, MAX_REQUEST_BYTES, scraped
from eapg_split.runtime.instruments import LOST, Kind, Span

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "observing.md"
LOOK = Telemetry(
    queue_s=reading("queue_s", 2.5),
    sessions=reading("sessions", 3),
    links=(LinkSight("a", "b", 1e6),),
)


async def page_of(metrics: Metrics, look: Telemetry = LOOK) -> str:
    async def looked() -> Telemetry:
        return look

    _, text = await metrics.page(looked, lambda: 2)()
    return text.decode()


async def test_what_a_node_knows_of_itself_is_shown_and_what_it_does_not_know_is_not() -> None:
    text = await page_of(Metrics())
    assert "eapg_split_queue_seconds 2.5" in text
    assert "eapg_split_sessions 3.0" in text
    assert "eapg_split_waiting 2.0" in text
    assert 'eapg_split_link_bits_per_second{source="a",target="b"} 1e+06' in text
    assert "eapg_split_battery_ratio" not in text


async def test_failures_are_counted_by_their_class() -> None:
    metrics = Metrics()
    for error in (CapacityExceeded("full"), ValueError("bad"), asyncio.CancelledError()):
        with suppress(type(error)), metrics.span(Span(Kind.SERVE)):
            raise error
    metrics.replanned(LOST)
    metrics.refused("Generate", CapacityExceeded("full"))
    text = await page_of(metrics)
    assert 'eapg_split_failures_total{error="CapacityExceeded",of="serve"} 1.0' in text
    assert 'eapg_split_failures_total{error="Unforeseen",of="serve"} 1.0' in text
    assert 'eapg_split_segments_total{outcome="failed",role="served"} 2.0' in text
    assert 'eapg_split_segments_total{outcome="cancelled",role="served"} 1.0' in text
    assert 'eapg_split_replans_total{trigger="lost"} 1.0' in text
    assert 'eapg_split_refusals_total{call="Generate",error="CapacityExceeded"} 1.0' in text


async def test_states_that_come_home_early_are_counted_beside_those_that_jobs_wait_for() -> None:
    metrics = Metrics()
    for kind, size in ((Kind.WIRE, 10), (Kind.CHECKPOINT, 7)):
        metrics.past(Span(kind, "s", 3, source="edge", target="device", bytes=size), 0.0, 1.0)
    text = await page_of(metrics)
    assert 'eapg_split_link_bytes_total{source="edge",target="device"} 10.0' in text
    assert 'eapg_split_checkpoint_bytes_total{source="edge",target="device"} 7.0' in text
    assert 'eapg_split_handoff_seconds_count{source="edge",target="device"} 1.0' in text


async def test_strangers_cannot_make_more_and_more_series() -> None:
    metrics = Metrics()
    for number in range(3 * MAX_VALUES):
        metrics.past(Span(Kind.WIRE, "s", source=f"n{number}", target="here", bytes=10), 0.0, 1.0)
    links = tuple(LinkSight(f"m{number}", "here", 1e6) for number in range(3 * MAX_VALUES))
    text = await page_of(metrics, Telemetry(links=links))
    counted = re.findall(r'eapg_split_link_bytes_total\{source="(\w+)",target="(\w+)"\} (\S+)', text)
    assert len(counted) <= MAX_VALUES + 1
    assert sum(float(value) for *_, value in counted) == 30 * MAX_VALUES
    assert OTHER in {source for source, *_ in counted}
    assert text.count("eapg_split_link_bits_per_second{") <= MAX_VALUES + 1


async def asked(address: str, request: bytes) -> bytes:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def short() -> tuple[str, bytes]:
    return "text/plain", b"words\n"


async def test_the_page_is_served_and_nothing_else() -> None:
    async with scraped("127.0.0.1:0", short, public=False) as address:
        assert (await asked(address, b"GET /metrics HTTP/1.1\r\n\r\n")).endswith(b"\r\n\r\nwords\n")
        assert (await asked(address, b"HEAD /metrics HTTP/1.1\r\n\r\n")).endswith(
            b"Connection: close\r\n\r\n"
        )
        assert b" 404 " in await asked(address, b"GET /etc/passwd HTTP/1.1\r\n\r\n")
        assert b" 405 " in await asked(address, b"POST /metrics HTTP/1.1\r\n\r\n")
        assert await asked(address, b"GET /" + MAX_REQUEST_BYTES * b"x" + b"\r\n\r\n") == b""


async def test_only_so_many_are_served_at_a_time() -> None:
    async with scraped("127.0.0.1:0", short, public=False) as address:
        host, _, port = address.rpartition(":")
        waiting = [await asyncio.open_connection(host, int(port)) for _ in range(MAX_CONNECTIONS)]
        assert await asked(address, b"GET /metrics HTTP/1.1\r\n\r\n") == b""
        for _, writer in waiting:
            writer.close()
        async with asyncio.timeout(20):
            while not await asked(address, b"GET /metrics HTTP/1.1\r\n\r\n"):
                pass


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("0.0.0.0:0", "--metrics-public"),
        ("[::]:0", "--metrics-public"),
        ("127.0.0.1", "HOST:PORT"),
        ("127.0.0.1:70000", "HOST:PORT"),
        ("127.0.0.1:x", "HOST:PORT"),
        ("nowhere.invalid:1", "HOST:PORT"),
    ],
)
async def test_where_the_page_cannot_be_is_said(address: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        async with scraped(address, short, public=False):
            pass


async def test_a_public_page_must_be_asked_for_and_a_port_must_be_free() -> None:
    async with scraped("0.0.0.0:0", short, public=True) as address:
        port = address.rpartition(":")[2]
        assert (await asked(f"127.0.0.1:{port}", b"GET /metrics HTTP/1.1\r\n\r\n")).endswith(b"words\n")
        with pytest.raises(InvalidRequest, match="--metrics"):
            async with scraped(f"0.0.0.0:{port}", short, public=True):
                pass


async def test_every_metric_is_documented_with_its_kind_and_labels() -> None:
    rows = re.findall(
        r"^\| `(eapg_split_\w+)` \| (\w+) \| [^|]+ \|([^|]*)\| [^|]+ \|$",
        DOCUMENT.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    documented = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    metrics = Metrics()
    for kind in Kind:
        with suppress(CapacityExceeded), metrics.span(Span(kind)):
            raise CapacityExceeded("full")
        with metrics.span(Span(kind, stage="stage1")):
            metrics.past(Span(kind, source="a", target="b", codec="clean"), 0.0, 1.0)
    metrics.replanned(LOST)
    metrics.refused("Run", CapacityExceeded("full"))
    everything = Telemetry.of({name: Reading(0.5, Quality.MEASURED) for name in RANGES})
    text = await page_of(metrics, replace(everything, links=LOOK.links))
    shown = {
        f"{family.name}_total" if family.type == "counter" else family.name: (
            family.type,
            {label for sample in family.samples for label in sample.labels} - {"le"},
        )
        for family in text_string_to_metric_families(text)
        if family.name.startswith("eapg_split_")
    }
    assert documented == shown


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    documented = set(
        re.findall(r"^\| `(eapg_split_\w+)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    )
    board = json.loads((ROOT / "examples" / "grafana" / "eapg_split.json").read_text(encoding="utf-8"))
    asked = " ".join(target["expr"] for panel in board["panels"] for target in panel["targets"])
    names = {name.removesuffix("_bucket") for name in re.findall(r"eapg_split_\w+", asked)}
    assert names
    assert names <= documented
