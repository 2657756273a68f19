"""Reads what a person's program asks for: a message into a job, with the nodes that it may use."""

import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from google.protobuf.message import DecodeError

from eapg_split.domain.error_budget import DEFAULT_QUALITY_DB, MAX_QUALITY_DB, MIN_QUALITY_DB
from eapg_split.errors import InvalidRequest
from eapg_split.planner.checkpoints import Checkpoints
from eapg_split.planner.policy import Policy
from eapg_split.rpc.client import GrpcPeer
from eapg_split.rpc.convert import checkpoints_from_proto, request_from_proto
from eapg_split.rpc.convert_wishes import wishes_from_proto
from eapg_split.rpc.security import split_address
from eapg_split.rpc.v1 import job_pb2
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.deadline import Deadline
from eapg_split.runtime.job import Job
from eapg_split.runtime.jobs.ticket import Terms, Ticket
from eapg_split.runtime.peer import Peer
from eapg_split.runtime.policy_host import open_policy
from eapg_split.runtime.policy_state import PolicyStates
from eapg_split.runtime.settings import PeerAddress
from eapg_split.runtime.worker import Worker

MAX_LABEL: Final = 40  # characters of a prompt that a list shows
_MAX_SUFFIX: Final = 8
_MAX_PEERS: Final = 16


class JobRequests:
    """One per device's daemon: what its requests are checked against."""

    def __init__(
        self,
        worker: Worker,
        peers: Sequence[Peer],
        *,
        open_peer: Callable[[PeerAddress], GrpcPeer] | None = None,
        policy_states: PolicyStates | None = None,
    ) -> None:
        self.worker = worker
        self._peers = tuple(peers)
        self._open_peer = open_peer
        self._policy_states = policy_states

    async def terms(self, message: job_pb2.GenerateRequest, caller: str) -> Terms:
        """What is noted beside an acceptable request. Raises InvalidRequest for others."""
        self._check_peers(message)
        job = self.job("", message, await open_policy(message.policy))
        words = " ".join(job.request.prompt.split())
        return Terms(
            caller=caller,
            policy=message.policy,
            label=words if len(words) <= MAX_LABEL else f"{words[: MAX_LABEL - 1]}…",
            suffix=message.suffix,
            deadline_s=time.time() + message.deadline_s if message.deadline_s else math.inf,
        )

    @asynccontextmanager
    async def opened(self, ticket: Ticket) -> AsyncIterator[tuple[Job, Cluster]]:
        """A job that was accepted, with its nodes for as long as the block lasts."""
        try:
            message = job_pb2.GenerateRequest.FromString(ticket.request)
        except DecodeError as error:
            raise InvalidRequest("The job was accepted by another version: generate it again.") from error
        job = self.job(ticket.session, message, await open_policy(message.policy), ticket.terms.deadline_s)
        async with self.peers_for(message) as peers:
            yield job, Cluster(self.worker, peers)

    @asynccontextmanager
    async def peers_for(self, message: job_pb2.GenerateRequest) -> AsyncIterator[Sequence[Peer]]:
        """The peers that the job names, for as long as it runs, or else those of the daemon."""
        if not message.peers:
            yield self._peers
            return
        self._check_peers(message)
        assert self._open_peer is not None
        peers = [
            self._open_peer(PeerAddress(peer.name or peer.address, peer.address)) for peer in message.peers
        ]
        try:
            yield peers
        finally:
            for each in peers:
                await each.close()

    def _check_peers(self, message: job_pb2.GenerateRequest) -> None:
        if message.peers and (self._open_peer is None or len(message.peers) > _MAX_PEERS):
            raise InvalidRequest(
                f"A job may name at most {_MAX_PEERS} other nodes, where the device allows it."
            )
        for peer in message.peers:
            split_address(peer.address)  # nothing else: the device's files are none of the caller's business

    def job(
        self, session: str, message: job_pb2.GenerateRequest, policy: Policy, deadline_s: float = math.inf
    ) -> Job:
        """Raises InvalidRequest for what cannot be asked for. `deadline_s` is a moment of the wall clock."""
        setup = self.worker.setup
        if message.codec not in setup.codecs:
            raise InvalidRequest(
                f"There is no codec {message.codec[:32]!r}: choose one of {', '.join(setup.codecs)}."
            )
        if len(message.suffix) > _MAX_SUFFIX:
            raise InvalidRequest("The ending of the output's name is too long: choose for example .mp4.")
        if not 0 <= message.deadline_s < float("inf"):
            raise InvalidRequest("The deadline must be a number of seconds, or 0 for none.")
        quality_db = message.quality_db or DEFAULT_QUALITY_DB
        if not MIN_QUALITY_DB <= quality_db <= MAX_QUALITY_DB:
            raise InvalidRequest(
                f"The quality is {MIN_QUALITY_DB:g} to {MAX_QUALITY_DB:g} dB: 45 cannot be told from the original."
            )
        return Job(
            session=session,
            request=request_from_proto(message.request),
            policy=policy,
            policy_states=self._policy_states,
            codec=message.codec,
            suffix=message.suffix,
            previews=message.previews,
            observed=message.observations,
            checkpoints=checkpoints_from_proto(message.checkpoints or Checkpoints.AUTO),
            quality_db=quality_db,
            deadline=Deadline.on_wall_clock(deadline_s),
            wishes=wishes_from_proto(message.wishes),
        )
