"""Streams: answers that are metered as their chunks pass, and ended early where a policy says so."""

from .flow import Flow
from .meter import StreamMeter

__all__ = ["Flow", "StreamMeter"]
