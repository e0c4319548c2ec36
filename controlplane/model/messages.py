"""Protobuf messages of others, declared as tables and built at the first use.

A field that is not declared is skipped by the decoder; a message declared as
`bytes` is left encoded.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from controlplane.errors import InvalidInput

# A field: its number, its type (that of the wire, or a message), whether it comes many times.
Field = tuple[int, str, bool]
Schema = Mapping[str, Mapping[str, Field]]


class Messages:
    """The classes of a schema. Their attributes are made by protobuf, hence Any."""

    def __init__(self, package: str, schema: Schema) -> None:
        self._package = package
        self._schema = schema
        self._pool: DescriptorPool | None = None
        self._classes: dict[str, Any] = {}

    def message_class(self, name: str) -> Any:
        """Return the class of a message."""
        found = self._classes.get(name)
        if found is None:
            if self._pool is None:
                self._pool = self._made_pool()
            descriptor = self._pool.FindMessageTypeByName(f"{self._package}.{name}")
            found = self._classes[name] = GetMessageClass(descriptor)
        return found

    def decode(self, name: str, body: bytes) -> Any:
        """Return the message that a body holds. Raises InvalidInput."""
        try:
            message: Message = self.message_class(name).FromString(body)
        except DecodeError as error:
            raise InvalidInput(f"the body cannot be decoded: {error}") from None
        return message

    def _made_pool(self) -> DescriptorPool:
        file = FileDescriptorProto(name="messages.proto", package=self._package, syntax="proto3")
        for name, fields in self._schema.items():
            message = file.message_type.add(name=name)
            for field, (number, kind, many) in fields.items():
                message.field.append(self._field(field, number, kind, many=many))
        # A pool of our own: names cannot collide with anybody's.
        pool = DescriptorPool()
        pool.Add(file)
        return pool

    def _field(self, name: str, number: int, kind: str, *, many: bool) -> FieldDescriptorProto:
        label = FieldDescriptorProto.LABEL_REPEATED if many else FieldDescriptorProto.LABEL_OPTIONAL
        field = FieldDescriptorProto(name=name, number=number, label=label)
        if kind in self._schema:
            field.type = FieldDescriptorProto.TYPE_MESSAGE
            field.type_name = f".{self._package}.{kind}"
        else:
            field.type = FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
        return field
