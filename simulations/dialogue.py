"""A run that asks in the midst of its callbacks: it stands still, in a thread of its own, until it is answered.

Only one side ever moves, so that nothing depends on how threads are scheduled.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class _Closed(BaseException):
    """Nobody will answer: no `except Exception` on the way out holds it."""


class Dialogue(Generic[Question, Answer]):
    """`body` is called with what asks; begin it with `start`, and `close` it if it is not over."""

    def __init__(self, body: Callable[[Callable[[Question], Answer]], None]) -> None:
        self._body = body
        self._said: SimpleQueue[tuple[Question | None, BaseException | None]] = SimpleQueue()
        self._heard: SimpleQueue[Answer | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="eapg-split dialogue", daemon=True)
        self._over = False

    def start(self) -> Question | None:
        """The first question, None where the body ends without one. Raises what the body raises."""
        self._thread.start()
        return self._next()

    def answer(self, answer: Answer) -> Question | None:
        """The next question, as `start`."""
        self._heard.put(answer)
        return self._next()

    def close(self) -> None:
        """Ends the body where it stands, and its thread."""
        if self._thread.is_alive():
            self._heard.put(None)
            self._thread.join()
        self._over = True

    def _next(self) -> Question | None:
        question, error = self._said.get()
        if question is None:
            self._thread.join()
            if error is not None:
                raise error
        return question

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._body(self._ask)
        except _Closed:
            pass
        except BaseException as raised:  # it is raised again on the other side
            error = raised
        self._said.put((None, error))

    def _ask(self, question: Question) -> Answer:
        self._said.put((question, None))
        answer = self._heard.get()
        if answer is None:
            raise _Closed
        return answer
