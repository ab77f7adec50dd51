"""Just enough of protobuf to read and write etcd's messages by field number.

etcd3's generated classes are of 2020 and drop every field that came later (``errors``,
``dbSizeInUse``, ``isLearner``, ``raftAppliedIndex``, ``dbSizeQuota``). Format:
https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from collections.abc import Mapping

from pgha_exporter.errors import SourceError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_SIZES = {FIXED64: 8, FIXED32: 4}
Fields = dict[int, list[int | bytes]]


def read(message: bytes) -> Fields:
    """Every field's values by number, in order; nested messages stay bytes.

    Raises:
        SourceError: it is not a protobuf message.
    """
    fields: Fields = {}
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        value, at = _value(message, at, tag & 7)
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def number(fields: Fields, field: int) -> int:
    """The field's last value as a number; 0 when absent, as protobuf means it."""
    value = fields.get(field, [0])[-1]
    if not isinstance(value, int):
        raise SourceError("protocol", f"etcd: field {field} is not a number")
    return value


def texts(fields: Fields, field: int) -> tuple[str, ...]:
    """All values of a field of texts."""
    return tuple(raw.decode("utf-8", "replace") for raw in blobs(fields, field))


def text(fields: Fields, field: int) -> str:
    found = texts(fields, field)
    return found[-1] if found else ""


def blobs(fields: Fields, field: int) -> tuple[bytes, ...]:
    """All values of a field of bytes or messages."""
    values = fields.get(field, [])
    if not all(isinstance(value, bytes) for value in values):
        raise SourceError("protocol", f"etcd: field {field} is not bytes")
    return tuple(value for value in values if isinstance(value, bytes))


def write(fields: Mapping[int, int | bytes | str]) -> bytes:
    """A message of numbers and bytes; zeros and empty values are left out."""
    out = bytearray()
    for field, value in fields.items():
        if not value:
            continue
        if isinstance(value, int):
            out += _encoded(field << 3 | VARINT) + _encoded(value)
        else:
            raw = value.encode() if isinstance(value, str) else value
            out += _encoded(field << 3 | BYTES) + _encoded(len(raw)) + raw
    return bytes(out)


def _value(message: bytes, at: int, kind: int) -> tuple[int | bytes, int]:
    if kind == VARINT:
        return _varint(message, at)
    if kind == BYTES:
        size, at = _varint(message, at)
    elif kind in _SIZES:
        size = _SIZES[kind]
    else:
        raise SourceError("protocol", f"etcd: wire type {kind}")
    if at + size > len(message):
        raise SourceError("protocol", "etcd: the message is cut off")
    return message[at : at + size], at + size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise SourceError("protocol", "etcd: a number is cut off or too long")
        byte = message[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & (2**64 - 1), at
        shift += 7


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
