"""A policy behind guards: whatever a stranger's code does, a job gets a legal plan, late by a bounded time at most.

A policy is called in a thread of its own, one call at a time. One that raises, takes too long or returns what is not
a legal plan costs one warning and the answer of a fallback. Python cannot end a thread: one that hangs is left alone
(a daemon thread holds up neither the end of the process nor other jobs) and its policy is not called again until it
returns. Nothing here helps against code that means harm: load only policies that you would run as a program.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from eapg_split.domain.plan import Plan
from eapg_split.errors import InfeasiblePlan, InvalidRequest
from eapg_split.planner import fallbacks, resolve
from eapg_split.planner.limits import check_plan
from eapg_split.planner.policy import (
    LearningPolicy,
    Measurement,
    Occasion,
    PlanView,
    Policy,
    Refusal,
    Revision,
    revises,
)
from eapg_split.planner.revisions import check_revision, illegal
from eapg_split.runtime.daemon_thread import RaisedToExit, TooLate, in_daemon_thread
from eapg_split.runtime.policy_state import PolicyStates

T = TypeVar("T")

LOAD_S: Final = 20.0  # for a policy's code: it may import a framework
_MAX_PENDING: Final = 4096  # measurements that wait for the policy's next call


@dataclass(frozen=True, slots=True)
class HostLimits:
    """What a policy may cost: seconds of waiting for one call, and failures after which it is not asked again."""

    plan_s: float = 1.0
    revise_s: float = 0.5
    failures: int = 3


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A plan or a revision, the name of the policy that gave it, and a sentence for the person where one is due."""

    value: T
    policy: str
    warning: str = ""


async def open_policy(name: str, limit_s: float = LOAD_S) -> Policy:
    """`planner.resolve` for a daemon: what a module does while it is imported must not hold up the others' jobs.

    Raises InvalidRequest, also where it takes longer than the limit.
    """
    try:
        return await in_daemon_thread(lambda: resolve(name), limit_s, "policy that is loaded")
    except TooLate:
        raise InvalidRequest(
            f"The policy {name[:128]!r} was not loaded within {limit_s:g} seconds: do less while it is imported."
        ) from None


class PolicyHost:
    """One per job. `failures` counts what went wrong; only the first time has a warning.

    `states` keeps what a LearningPolicy learned: it is loaded before the first call and saved by `close`.
    """

    def __init__(
        self, policy: Policy, *, limits: HostLimits | None = None, states: PolicyStates | None = None
    ) -> None:
        self._policy = policy
        self._limits = limits or HostLimits()
        self._states = states
        self._fallbacks: Sequence[Policy] = fallbacks()
        self._pending: deque[Measurement] = deque(maxlen=_MAX_PENDING)
        self._loaded = False
        self._busy = threading.Lock()  # held by the policy's thread, however long it takes
        self._problems: list[str] = []
        self._lost_state = ""
        self.name = _name_of(policy)
        self._learner = _learner(policy)

    @property
    def failures(self) -> int:
        """How often the policy raised, was too late or answered what is not legal."""
        return len(self._problems)

    async def plan(self, view: PlanView) -> Answer[Plan]:
        """A legal plan. Raises InfeasiblePlan where no fallback finds one either, or the policy refuses."""
        try:
            made = await self._ask(lambda: check_plan(view, self._policy.plan(view)), self._limits.plan_s)
            warning, self._lost_state = self._lost_state, ""
            return Answer(made, self.name, warning)
        except _PolicyFailure as failure:
            if isinstance(failure.infeasible, Refusal):
                raise InfeasiblePlan(failure.infeasible.message) from None
            found = await self._fall_back(view, failure)
            return Answer(found.value, found.policy, self._count(failure, f"{found.policy} plans instead"))

    async def revise(self, view: PlanView, current: Plan, occasion: Occasion) -> Answer[Revision]:
        """What is to be done from `view.start_step` on. Raises InfeasiblePlan where nothing can be.

        A policy without `revise` keeps its plan as long as it is legal, and plans again when it is not.
        """
        policy = self._policy
        if not revises(policy):
            return await self._plan_again_if_illegal(view, current, "the policy plans once")

        def call() -> Revision:
            return check_revision(view, current, policy.revise(view, current, occasion))

        try:
            return Answer(await self._ask(call, self._limits.revise_s), self.name)
        except _PolicyFailure as failure:
            kept = await self._plan_again_if_illegal(view, current, "the policy gave no answer", failure)
            what = "the plan is kept" if kept.value.plan is None else f"{kept.policy} plans instead"
            return Answer(kept.value, kept.policy, self._count(failure, what))

    def observe(self, measurement: Measurement) -> None:
        """Tells a LearningPolicy what happened, at its next call or when the host is closed."""
        if self._learner is not None:
            self._pending.append(measurement)

    async def close(self) -> str:
        """Hands over the last measurements and saves what was learned. Returns a warning, or an empty text."""
        policy, states = self._learner, self._states
        if policy is None:
            return ""
        try:
            await self._ask(lambda: states.save(policy) if states else None, self._limits.plan_s)
        except _PolicyFailure as failure:
            return self._count(failure, "what it learned in this job is not kept")
        return ""

    async def _plan_again_if_illegal(
        self, view: PlanView, current: Plan, reason: str, failure: "_PolicyFailure | None" = None
    ) -> Answer[Revision]:
        broken = illegal(view, current)
        if not broken:
            return Answer(Revision(None, reason), self.name)
        if failure is None:
            answer = await self.plan(view)
        else:
            answer = await self._fall_back(view, failure)
        return Answer(Revision(answer.value, broken), answer.policy, answer.warning)

    async def _fall_back(self, view: PlanView, failure: "_PolicyFailure") -> Answer[Plan]:
        """The first fallback that finds a plan; where one says that there is none, the next is not asked."""
        for policy in self._fallbacks:
            try:
                plan = check_plan(view, await asyncio.to_thread(policy.plan, view))
            except InfeasiblePlan as error:
                raise failure.infeasible or error from None
            except Exception:  # a fault of ours must not end the job either
                continue
            return Answer(plan, policy.name)
        raise InfeasiblePlan(f"{failure.sentence} No other policy found a plan either.")

    def _count(self, failure: "_PolicyFailure", consequence: str) -> str:
        """A warning for the first failure, and none for the ones after it."""
        self._problems.append(failure.sentence)
        if len(self._problems) > 1:
            return ""
        return f"{failure.sentence.rstrip('.')}; {consequence}."

    async def _ask(self, call: Callable[[], T], limit_s: float) -> T:
        """The result of a call in a thread. Raises _PolicyFailure for everything that can go wrong."""
        if self.failures >= self._limits.failures:
            raise _PolicyFailure(
                f"The policy {self.name} failed {self.failures} times and is not asked again."
            )
        if not self._busy.acquire(blocking=False):
            raise _PolicyFailure(f"The policy {self.name} is still busy with an earlier call.")

        def work() -> T:
            try:
                self._catch_up()
                return call()
            finally:
                self._busy.release()

        try:
            return await in_daemon_thread(work, limit_s, f"policy {self.name}")
        except TooLate:
            raise _PolicyFailure(
                f"The policy {self.name} did not answer within {limit_s:g} seconds."
            ) from None
        except InfeasiblePlan as error:
            raise _PolicyFailure(f"The policy {self.name}: {error.message}", error) from None
        except Exception as error:
            raise _PolicyFailure(_raised(self.name, error)) from None

    def _catch_up(self) -> None:
        """Runs in the policy's thread, before its call."""
        if self._learner is None:
            return
        if self._states is not None and not self._loaded:
            self._loaded = True
            try:
                self._states.load(self._learner)
            except Exception as error:  # what was kept is not worth a plan: it starts anew
                self._lost_state = (
                    f"{_raised(self.name, error)[:-1]} while it read what it learned: it starts anew."
                )
        while self._pending:
            self._learner.observe(self._pending.popleft())


class _PolicyFailure(Exception):  # noqa: N818  (a failure of the policy, which need not be an error of ours)
    """What went wrong, as a sentence; `infeasible` where the policy itself said that there is no plan."""

    def __init__(self, sentence: str, infeasible: InfeasiblePlan | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.infeasible = infeasible


def _raised(name: str, error: Exception) -> str:
    text = " ".join(str(error).split())[:200]
    kind = str(error) if isinstance(error, RaisedToExit) else type(error).__name__
    return f"The policy {name} failed ({kind}{': ' + text if text and text != kind else ''})."


def _learner(policy: Policy) -> LearningPolicy | None:
    try:
        return policy if isinstance(policy, LearningPolicy) else None
    except Exception:  # looking at a stranger's attributes may raise anything
        return None


def _name_of(policy: Policy) -> str:
    try:
        name: object = policy.name
    except Exception:  # a stranger's property may raise anything
        name = ""
    return name[:64] if isinstance(name, str) and name else type(policy).__name__[:64]
