"""Every error that may cross a module or a wire, with who must act and how far to go back.

The codes are names of gRPC status codes, as text, so that this ground floor needs no grpc; `exit_code` is
what the command line returns (0 is success, 1 an error nobody foresaw, 130 an interrupt).
"""

# ruff: noqa: N818  (the names say what went wrong; "Error" after each would say nothing more)

import errno
from enum import StrEnum
from pathlib import PurePath
from typing import ClassVar, Final

MAX_RETRY_AFTER_S: Final = 3600.0


class Retry(StrEnum):
    """How far to go back: the same call, the session's last checkpoint, or not at all."""

    CALL = "call"
    SESSION = "session"
    NEVER = "never"


class EapgError(Exception):
    """Base of all our errors: one sentence that says how to mend it, and where it happened."""

    retry: ClassVar[Retry] = Retry.NEVER
    code: ClassVar[str] = "INTERNAL"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, node_id: str | None = None, session_id: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.node_id = node_id
        self.session_id = session_id

    def __str__(self) -> str:
        return self.message


class InvalidRequest(EapgError):
    """A malformed request, plan, spec or configuration: fix the caller."""

    code = "INVALID_ARGUMENT"
    exit_code = 2


class Unsupported(EapgError):
    """The node lacks a codec, a stage or a protocol version: refresh its description and re-plan."""

    retry = Retry.SESSION
    code = "UNIMPLEMENTED"
    exit_code = 3


class InfeasiblePlan(EapgError):
    """No plan meets the limits: relax the objective or add nodes."""

    code = "FAILED_PRECONDITION"
    exit_code = 4


class NodeUnavailable(EapgError):
    """The node is unreachable or draining: back off within the deadline, then re-plan."""

    retry = Retry.CALL
    code = "UNAVAILABLE"
    exit_code = 5


class DeadlineExceeded(EapgError):
    """The deadline passed: stop and free what is held."""

    code = "DEADLINE_EXCEEDED"
    exit_code = 6


class CapacityExceeded(EapgError):
    """Memory or the queue is full: place the work elsewhere.

    Or place it here again after `retry_after_s`; None says that waiting will not help.
    """

    retry = Retry.SESSION
    code = "RESOURCE_EXHAUSTED"
    exit_code = 7

    def __init__(
        self,
        message: str,
        *,
        node_id: str | None = None,
        session_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, node_id=node_id, session_id=session_id)
        self.retry_after_s = retry_after_s


class CorruptPayload(EapgError):
    """Checksum, size or shape does not match: send this hand-off again."""

    retry = Retry.CALL
    code = "DATA_LOSS"
    exit_code = 8


class SessionNotFound(EapgError):
    """The node restarted or let the session expire: open it again from the checkpoint."""

    retry = Retry.SESSION
    code = "NOT_FOUND"
    exit_code = 9


class SessionConflict(EapgError):
    """A stale plan or a hand-off out of order: read the plan again and resume."""

    retry = Retry.SESSION
    code = "ABORTED"
    exit_code = 10


class EngineFailure(EapgError):
    """The model crashed or gave values that are not numbers: fail, and keep the checkpoint."""

    code = "INTERNAL"
    exit_code = 11


class CorruptWeights(EapgError):
    """A weights file is missing, truncated or altered: fetch it again."""

    code = "FAILED_PRECONDITION"
    exit_code = 12


class OutputFailure(EapgError):
    """A video or another file cannot be written (full disk, no permission): make room or choose another place."""

    code = "INTERNAL"
    exit_code = 13

    @classmethod
    def of(cls, error: Exception, path: PurePath) -> "OutputFailure":
        """One sentence for a person who cannot get `path` written."""
        number = error.errno if isinstance(error, OSError) else None
        if number in (errno.ENOSPC, errno.EDQUOT):
            return cls(f"No space is left for '{path}': free some, or choose another disk.")
        if number in (errno.EACCES, errno.EPERM, errno.EROFS):
            return cls(f"'{path}' may not be written: change its permissions, or choose another place.")
        if number in (errno.ENOENT, errno.ENOTDIR):
            return cls(f"The folder of '{path}' does not exist: create it, or choose another place.")
        return cls(f"'{path}' could not be written ({error}): choose another place or format.")


class AccessDenied(EapgError):
    """The role of whoever calls may not do that: use a certificate or token of another role."""

    retry = Retry.SESSION  # another node may allow it
    code = "PERMISSION_DENIED"
    exit_code = 14


class Unauthenticated(EapgError):
    """A certificate or token is missing, expired, or nobody's that is trusted: renew it, or trust who made it."""

    retry = Retry.SESSION
    code = "UNAUTHENTICATED"
    exit_code = 15


LEAVES: Final[tuple[type[EapgError], ...]] = (
    InvalidRequest,
    Unsupported,
    InfeasiblePlan,
    NodeUnavailable,
    DeadlineExceeded,
    CapacityExceeded,
    CorruptPayload,
    SessionNotFound,
    SessionConflict,
    EngineFailure,
    CorruptWeights,
    OutputFailure,
    AccessDenied,
    Unauthenticated,
)
