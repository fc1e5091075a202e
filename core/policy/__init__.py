"""Policy: the pure evaluation of one tool call. Allow, ask (whom), or deny, and the rule that said so."""

from core.policy.document import PolicyDocument
from core.policy.evaluation import evaluate, explain
from core.policy.ruling import BUILT_IN_VERSION, Asking, CallFacts, Ruling

__all__ = ["BUILT_IN_VERSION", "Asking", "CallFacts", "PolicyDocument", "Ruling", "evaluate", "explain"]
