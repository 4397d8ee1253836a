"""Rates of the tests' own for models by the names that clouds give them: the local provider sells none of these."""

from __future__ import annotations

from decimal import Decimal

from cli.demo.rates import Rates

__all__ = ["CLAUDE", "CLAUDE_STAND_IN", "CLOUD_RATES", "GEMINI", "GEMINI_STAND_IN"]

GEMINI, GEMINI_STAND_IN = "gemini-2.5-flash", "gemini-2.5-flash-lite"
CLAUDE, CLAUDE_STAND_IN = "anthropic.claude-sonnet-4-5-v1:0", "anthropic.claude-haiku-4-5-v1:0"

CLOUD_RATES = {
    GEMINI: Rates(input=Decimal("0.30"), cache_read=Decimal("0.03"), output=Decimal("2.50")),
    GEMINI_STAND_IN: Rates(input=Decimal("0.10"), cache_read=Decimal("0.01"), output=Decimal("0.40")),
    CLAUDE: Rates(input=Decimal("3.00"), cache_read=Decimal("0.30"), output=Decimal("15.00")),
    CLAUDE_STAND_IN: Rates(input=Decimal("1.00"), cache_read=Decimal("0.10"), output=Decimal("5.00")),
}
