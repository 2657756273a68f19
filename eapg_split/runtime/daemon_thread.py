"""A call that nobody vouches for, in a thread that holds up neither the loop nor the end of the process."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from eapg_split.runtime.threads import check_memory_for_a_thread

T = TypeVar("T")


class TooLate(Exception):  # noqa: N818  (the name says it)
    """The call goes on in its thread, and nobody waits for it."""


class RaisedToExit(Exception):  # noqa: N818
    """The call raised what ends programs, such as SystemExit: here it ends nothing. Its text is that one's name."""


async def in_daemon_thread(call: Callable[[], T], limit_s: float, name: str) -> T:
    """The result of a call in a daemon thread of its own; when this is cancelled the call goes on alone.

    Raises TooLate after `limit_s` seconds, RaisedToExit, CapacityExceeded where there is no memory for a thread, and
    whatever the call raises.
    """
    check_memory_for_a_thread()
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def work() -> None:
        try:
            result = call()
        except BaseException as error:  # a stranger's SystemExit must end no daemon
            _deliver(loop, future, error=error)
        else:
            _deliver(loop, future, result=result)

    threading.Thread(target=work, name=name, daemon=True).start()
    try:
        async with asyncio.timeout(limit_s):
            return await future
    except TimeoutError:
        if future.cancelled():
            raise TooLate from None
        raise  # the call's own


def _deliver(
    loop: asyncio.AbstractEventLoop,
    future: "asyncio.Future[T]",
    *,
    result: T | None = None,
    error: BaseException | None = None,
) -> None:
    def settle() -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)  # type: ignore[arg-type]  # None only where T is None
        elif isinstance(error, Exception) and not isinstance(error, StopIteration):
            future.set_exception(error)
        else:  # a future would hand SystemExit on to the loop, and refuses StopIteration
            future.set_exception(RaisedToExit(type(error).__name__))

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:
        return  # the loop was closed meanwhile: nobody waits any more
