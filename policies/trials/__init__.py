"""Trials: policies in virtual time, through the real engine.

`casefile` and `cases` say whether a policy file does what it is meant to; `replay`, `truth` and `judging` what it would
have done to recorded calls, and whether that would have been right; `effects` and `shadows` put these together for a
whole file, and `documents` tells it; `matching` says which ceilings count a call.
"""
