"""Usage: what one call used, and how providers' bodies turn into it."""

from .counts import APART, COUNTS, MAX_TOKENS_PER_CALL, Usage, UsageError
from .reading import from_response

__all__ = ["APART", "COUNTS", "MAX_TOKENS_PER_CALL", "Usage", "UsageError", "from_response"]
