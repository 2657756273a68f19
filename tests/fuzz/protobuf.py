"""Changes to protobuf messages by their descriptors, so that a field which is added is fuzzed at once."""

from collections.abc import Iterator, MutableMapping
from random import Random
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from tests.fuzz.mutations import FLOATS, TEXTS, mutated_bytes

_WORDS: Final = (
    "device", "edge", "cloud", "attic", "lossless", "int8", "int4", "clean", "auto", "prompt-local", "any", "xbar",
    "source", "text", "float32", "stage1", "stage4", "decode", "onnx", "balanced", "energy", "s1", "a" * 32,
)  # fmt: skip
_UNSIGNED: Final = (
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    9,
    16,
    64,
    65,
    288,
    512,
    4096,
    65536,
    65537,
    2**31 - 1,
    2**31,
    2**32 - 1,
)
_MANY: Final = 70


def mutated_message(kind: type[Message], data: bytes, other: bytes, random: Random) -> bytes:
    """Four times out of five one to three fields are changed, else the bytes."""
    if random.random() < 0.2:
        return mutated_bytes(data, other, random)
    try:
        message = kind.FromString(data)
    except DecodeError:
        return mutated_bytes(data, other, random)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        change_message(message, random)
    return message.SerializeToString()


def change_message(message: Message, random: Random) -> None:
    """One field, somewhere in it, set, cleared, repeated or filled with anything."""
    inner = random.choice(list(_messages(message)))
    present = inner.ListFields()
    field: Any
    fields = inner.DESCRIPTOR.fields
    if present and random.random() < 0.7:
        field = random.choice(present)[0]
    elif fields:
        field = random.choice(fields)
    else:
        return
    if random.random() < 0.1:
        inner.ClearField(field.name)
    elif _is_map(field):
        _change_map(getattr(inner, field.name), field, random)
    elif field.is_repeated:
        _change_list(getattr(inner, field.name), field, random)
    elif field.message_type is not None:
        fill(getattr(inner, field.name), random)
        getattr(inner, field.name).SetInParent()
    else:
        setattr(inner, field.name, _scalar(field, random, getattr(inner, field.name)))


def fill(message: Message, random: Random, depth: int = 0) -> None:
    """Some fields, set to anything."""
    for field in message.DESCRIPTOR.fields:
        if random.random() < 0.4 or depth > 3:
            continue
        if _is_map(field):
            _change_map(getattr(message, field.name), field, random)
        elif field.is_repeated:
            _change_list(getattr(message, field.name), field, random)
        elif field.message_type is not None:
            fill(getattr(message, field.name), random, depth + 1)
        else:
            setattr(message, field.name, _scalar(field, random))


def names_within(kind: type[Message]) -> set[str]:
    """Of the message and of all that can be inside it."""
    waiting: list[Any] = [kind.DESCRIPTOR]
    found = set[str]()
    while waiting:
        each = waiting.pop()
        if each.name not in found:
            found.add(each.name)
            waiting += [field.message_type for field in each.fields if field.message_type is not None]
    return found


def _is_map(field: Any) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _messages(message: Message) -> Iterator[Message]:
    yield message
    for field, value in message.ListFields():
        if field.message_type is None or _is_map(field):
            continue
        for each in value if field.is_repeated else (value,):
            yield from _messages(each)


def _change_list(values: Any, field: Any, random: Random) -> None:
    match random.randrange(6):
        case 0 if len(values):
            del values[random.randrange(len(values))]
        case 1 if len(values):
            values.extend([values[random.randrange(len(values))]] * random.choice((1, 1, 1, _MANY)))
        case 2 if len(values) > 1:
            kept = list(values)
            random.shuffle(kept)
            del values[:]
            values.extend(kept)
        case 3 if len(values) and field.message_type is None:
            at = random.randrange(len(values))
            values[at] = _scalar(field, random, values[at])
        case _ if field.message_type is not None:
            fill(values.add(), random, 2)
        case _:
            values.append(_scalar(field, random))


def _change_map(values: MutableMapping[Any, Any], field: Any, random: Random) -> None:
    key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
    for _ in range(random.choice((1, 1, 1, _MANY))):
        if value.message_type is not None:
            fill(values[_scalar(key, random)], random, 2)
        else:
            values[_scalar(key, random)] = _scalar(value, random)


def _scalar(field: Any, random: Random, before: Any = None) -> Any:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return mutated_bytes(before or bytes(16), b"", random)
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_BOOL:
            return random.random() < 0.5
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            value = random.choice(FLOATS) if random.random() < 0.6 else 10 ** random.uniform(-12, 12)
            return value if before is None or random.random() < 0.7 else before * random.choice((-1, 0.5, 2))
        case FieldDescriptor.CPPTYPE_UINT32 | FieldDescriptor.CPPTYPE_UINT64:
            most = 2**32 if field.cpp_type == FieldDescriptor.CPPTYPE_UINT32 else 2**64
            if before is not None and random.random() < 0.4:
                return (before + random.choice((-1, 1, 2))) % most
            return random.choice(_UNSIGNED) if random.random() < 0.8 else random.randrange(most)
        case FieldDescriptor.CPPTYPE_STRING:
            return random.choice(_WORDS if random.random() < 0.5 else TEXTS)
        case FieldDescriptor.CPPTYPE_ENUM:
            return random.randrange(8)
    return random.choice((0, 1, -1, 2**31 - 1, -(2**31)))
