"""Flat pairs for what is said of a state before its parts."""

import math
from collections.abc import Sequence
from typing import assert_never

from eapg_split.codecs.base import Fidelity
from eapg_split.domain.latent import MAX_TENSORS, TensorSpec
from eapg_split.errors import InvalidRequest
from eapg_split.rpc.frames import CHECKSUM_BYTES
from eapg_split.rpc.v1 import common_pb2, node_pb2
from eapg_split.runtime.handoff import Coded, Declaration, HeldThere, Item, SameAsInput

_MAX_TEXT = 64
_MAX_CHANNELS = 1024


def declaration_to_proto(declaration: Declaration) -> common_pb2.Handoff:
    return common_pb2.Handoff(id=declaration.id, tensors=[_item_to_proto(item) for item in declaration.items])


def declaration_from_proto(message: common_pb2.Handoff) -> Declaration:
    """Raises InvalidRequest for what is beyond the bounds of a latent, or does not say how a tensor comes."""
    if not (1 <= len(message.id) <= _MAX_TEXT and message.id.isascii() and message.id.isalnum()):
        raise InvalidRequest(f"A hand-off's id is 1 to {_MAX_TEXT} letters and digits.")
    if len(message.tensors) > MAX_TENSORS:
        raise InvalidRequest(f"A latent has at most {MAX_TENSORS} tensors.")
    return Declaration(message.id, tuple(_item_from_proto(each) for each in message.tensors))


def fidelity_to_proto(fidelity: Fidelity) -> list[node_pb2.TensorFidelity]:
    return [
        node_pb2.TensorFidelity(
            tensor=name,
            step=fidelity.steps.get(name, 0),
            bits=fidelity.bits.get(name, 0),
            channels=fidelity.channels.get(name, ()),
        )
        for name in sorted({*fidelity.steps, *fidelity.bits, *fidelity.channels})
    ]


def fidelity_from_proto(messages: Sequence[node_pb2.TensorFidelity]) -> Fidelity:
    """Raises InvalidRequest for numbers that are no steps, factors or bits."""
    if len(messages) > MAX_TENSORS or any(len(each.tensor) > _MAX_TEXT for each in messages):
        raise InvalidRequest("The fidelity names more tensors than a latent has.")
    for each in messages:
        numbers = (each.step, each.bits, *each.channels)
        if len(each.channels) > _MAX_CHANNELS or not all(0 <= number < math.inf for number in numbers):
            raise InvalidRequest(
                "Quantiser steps, their factors and bits are positive numbers, or not given."
            )
    return Fidelity(
        steps={each.tensor: each.step for each in messages if each.step},
        channels={each.tensor: tuple(each.channels) for each in messages if each.channels},
        bits={each.tensor: each.bits for each in messages if each.bits},
    )


def _item_to_proto(item: Item) -> common_pb2.StateTensor:
    spec = common_pb2.Tensor(name=item.tensor.name, shape=item.tensor.shape, dtype=item.tensor.dtype)
    match item:
        case Coded(codec=codec):
            return common_pb2.StateTensor(tensor=spec, codec=codec)
        case HeldThere(digest=digest):
            return common_pb2.StateTensor(tensor=spec, digest=bytes.fromhex(digest))
        case SameAsInput(input=name):
            return common_pb2.StateTensor(tensor=spec, input=name)
        case _:
            assert_never(item)


def _item_from_proto(message: common_pb2.StateTensor) -> Item:
    tensor = TensorSpec(message.tensor.name, tuple(message.tensor.shape), message.tensor.dtype)
    match bool(message.codec), bool(message.digest), bool(message.input):
        case (True, False, False):
            return Coded(tensor, message.codec)
        case (False, True, False) if len(message.digest) == CHECKSUM_BYTES:
            return HeldThere(tensor, message.digest.hex())
        case (False, False, True):
            return SameAsInput(tensor, message.input)
    raise InvalidRequest(
        f"Tensor {tensor.name} must name one of: its codec, its digest, the input which it is."
    )
