"""The state at the last committed boundary, kept so that a lost node costs one segment."""

import asyncio
from collections.abc import Mapping

from eapg_split.codecs.base import Codec, Payload
from eapg_split.domain.latent import Latent, LatentSpec


class Checkpoint:
    """A latent, a payload, or both: each is made from the other at most once, off the event loop.

    A payload that came from one node goes to the next as it is, so a lossy codec costs its loss once per cut.
    """

    def __init__(self, step: int, codecs: Mapping[str, Codec], held: Latent | Payload) -> None:
        self.step = step
        self._codecs = codecs
        self._latent = held if isinstance(held, Latent) else None
        self._payload = held if isinstance(held, Payload) else None

    @property
    def spec(self) -> LatentSpec:
        """The shape of the state."""
        held = self._latent if self._latent is not None else self._payload
        assert held is not None
        return held.spec

    async def latent(self) -> Latent:
        """The state decoded. Raises CorruptPayload."""
        if self._latent is None:
            payload = self._payload
            assert payload is not None
            self._latent = await asyncio.to_thread(self._codecs[payload.codec].decode, payload)
        return self._latent

    async def payload(self, codec: str) -> Payload:
        """The state coded by `codec`."""
        if self._payload is None or self._payload.codec != codec:
            latent = await self.latent()
            self._payload = await asyncio.to_thread(self._codecs[codec].encode, latent)
        return self._payload
