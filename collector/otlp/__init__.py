"""OTLP: the body of a trace request, in protobuf or JSON, one span at a time."""

from .decoding import JSON, PROTOBUF, decode

__all__ = ["JSON", "PROTOBUF", "decode"]
