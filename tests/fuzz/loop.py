"""An event loop whose clock is its own: nothing is waited for, and a wait that nothing would end is an error."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")
_LONG_S: Final = 600.0


class StuckError(Exception):
    """Every task waits, and no timer will wake one."""


class _Selector(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StuckError("every task waits for another one")
        self.now_s += max(0.0, timeout)
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def pass_time(self, seconds: float) -> None:
        """What is kept for a while is let go before the next input."""
        self._clock.now_s += seconds

    def time(self) -> float:
        return self._clock.now_s

    def run_in_executor(self, executor: object, func: Callable[..., T], *args: Any) -> "asyncio.Future[T]":  # type: ignore[override]
        """Whatever the executor: a thread would only make runs differ."""
        del executor
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


LOOP = _Loop()


def run(main: Coroutine[Any, Any, T]) -> T:
    """What it returns. Raises StuckError, and AssertionError where it leaves a task behind."""
    try:
        return LOOP.run_until_complete(main)
    finally:
        LOOP.pass_time(_LONG_S)
        left = asyncio.all_tasks(LOOP)
        for task in left:
            task.cancel()
        if left:
            LOOP.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        assert not left, "a task is left behind"
