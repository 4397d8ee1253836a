"""Answers that were given before, served again where that is right often enough; off until asked for."""

from .model import Answer, Cache, Look, Mode, Namespace, Outcome, Question, Terms

__all__ = ["Answer", "Cache", "Look", "Mode", "Namespace", "Outcome", "Question", "Terms"]
