"""Policy: the pure evaluation of one tool call. Allow, ask (whom), or deny, and the rule that said so."""

from core.policy.built_in import evaluate
from core.policy.ruling import BUILT_IN_VERSION, Asking, CallFacts, Ruling

__all__ = ["BUILT_IN_VERSION", "Asking", "CallFacts", "Ruling", "evaluate"]
