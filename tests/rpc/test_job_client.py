"""Small questions to a device's daemon that answers nonsense."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc
import pytest

from eapg_split.domain.request import Request
from eapg_split.errors import CorruptPayload
from eapg_split.rpc import methods
from eapg_split.rpc.job_client import JobOptions, cancel, forget, list_jobs, outlook, submit

REQUEST = Request("A cat running")
QUESTIONS: list[Callable[[str], Awaitable[object]]] = [
    lambda address: submit(address, REQUEST, JobOptions()),
    lambda address: cancel(address, "job"),
    lambda address: forget(address, "job"),
    list_jobs,
    lambda address: outlook(address, REQUEST, JobOptions(), steps=33),
]


@asynccontextmanager
async def answering(reply: bytes) -> AsyncIterator[str]:
    """The address of a device that says this, whatever it is asked."""

    async def answer(request: bytes, context: object) -> bytes:
        del request, context
        return reply

    method = grpc.unary_unary_rpc_method_handler(answer)
    server = grpc.aio.server()
    names = [path.rpartition("/")[2] for path in (methods.SUBMIT, methods.CANCEL, methods.FORGET)]
    names += [path.rpartition("/")[2] for path in (methods.LIST, methods.OUTLOOK)]
    handler = grpc.method_handlers_generic_handler(methods.JOB_SERVICE, dict.fromkeys(names, method))
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


@pytest.mark.parametrize("ask", QUESTIONS)
async def test_an_answer_that_cannot_be_read_is_an_error(ask: Callable[[str], Awaitable[object]]) -> None:
    async with answering(b"\xff\xff\xff") as address:
        with pytest.raises(CorruptPayload, match=r"127\.0\.0\.1.*same version"):
            await ask(address)
