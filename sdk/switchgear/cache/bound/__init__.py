"""How often what is served is wrong, and how sure that is: certificates, their alarm, and the judge's own error."""

from .certificate import Certificate
from .judged import JudgeError

__all__ = ["Certificate", "JudgeError"]
