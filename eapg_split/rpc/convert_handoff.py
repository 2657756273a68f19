"""Flat pairs for what is said of a state before its parts."""

from typing import assert_never

from eapg_split.domain.latent import MAX_TENSORS, TensorSpec
from eapg_split.errors import InvalidRequest
from eapg_split.rpc.frames import CHECKSUM_BYTES
from eapg_split.rpc.v1 import common_pb2
from eapg_split.runtime.handoff import Coded, Declaration, HeldThere, Item, SameAsBefore, SameAsInput

_MAX_TEXT = 64


def declaration_to_proto(declaration: Declaration) -> common_pb2.Handoff:
    return common_pb2.Handoff(id=declaration.id, tensors=[_item_to_proto(item) for item in declaration.items])


def declaration_from_proto(message: common_pb2.Handoff) -> Declaration:
    """Raises InvalidRequest for what is beyond the bounds of a latent, or does not say how a tensor comes."""
    if not (1 <= len(message.id) <= _MAX_TEXT and message.id.isascii() and message.id.isalnum()):
        raise InvalidRequest(f"A hand-off's id is 1 to {_MAX_TEXT} letters and digits.")
    if len(message.tensors) > MAX_TENSORS:
        raise InvalidRequest(f"A latent has at most {MAX_TENSORS} tensors.")
    return Declaration(message.id, tuple(_item_from_proto(each) for each in message.tensors))


def _item_to_proto(item: Item) -> common_pb2.StateTensor:
    spec = common_pb2.Tensor(name=item.tensor.name, shape=item.tensor.shape, dtype=item.tensor.dtype)
    match item:
        case Coded(codec=codec):
            return common_pb2.StateTensor(tensor=spec, codec=codec)
        case HeldThere(digest=digest):
            return common_pb2.StateTensor(tensor=spec, digest=bytes.fromhex(digest))
        case SameAsInput(input=name):
            return common_pb2.StateTensor(tensor=spec, input=name)
        case SameAsBefore(before=name):
            return common_pb2.StateTensor(tensor=spec, before=name)
        case _:
            assert_never(item)


def _item_from_proto(message: common_pb2.StateTensor) -> Item:
    tensor = TensorSpec(message.tensor.name, tuple(message.tensor.shape), message.tensor.dtype)
    match bool(message.codec), bool(message.digest), bool(message.input), bool(message.before):
        case (True, False, False, False):
            return Coded(tensor, message.codec)
        case (False, True, False, False) if len(message.digest) == CHECKSUM_BYTES:
            return HeldThere(tensor, message.digest.hex())
        case (False, False, True, False):
            return SameAsInput(tensor, message.input)
        case (False, False, False, True):
            return SameAsBefore(tensor, message.before)
    raise InvalidRequest(
        f"Tensor {tensor.name} must name one of: its codec, its digest, the input or the earlier one which it is."
    )
