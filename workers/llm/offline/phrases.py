"""Ways of saying a thing: what politeness adds is taken away, what people say in several words becomes one verb."""

import re

_BEFORE = re.compile(
    r"^(?:(?:hey|hi|hello|ok|okay|so|well|now|then|also|and|please|kindly|assistant|just)\b[\s,!.:]*"
    r"|(?:can|could|would|will) you(?: please)?\s+"
    r"|(?:i(?:'d| would) like(?: you)? to|i want(?: you)? to|i need(?: you)? to|let's|let us|go ahead and)\s+)+",
    re.IGNORECASE,
)
_AFTER = re.compile(r"(?:[\s,]+(?:please|thanks|thank you|for me|now|right away))+[\s.!?]*$", re.IGNORECASE)
_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), becomes)
    for pattern, becomes in (
        (r"^remind me (?:to|about|of)\s+(.+)$", r"add \1"),
        (r"^(?:do not|don't|don\u2019t) (?:let me )?forget (?:to|about)\s+(.+)$", r"add \1"),
        (r"^remember to\s+(.+)$", r"add \1"),
        (r"^(?:put|note)(?: down)?\s+(.+)$", r"add \1"),
        (r"^get rid of\s+(.+)$", r"delete \1"),
        (r"^throw (?:away|out)\s+(.+)$", r"delete \1"),
        (r"^(?:take|cross|strike)\s+(.+?)\s+off(?: (?:my|the) .+)?$", r"delete \1"),
        (
            r"^(?:mark|set|check|tick)\s+(.+?)\s+(?:as |off |off as |to )?(?:done|complete|completed|finished)[.!]?$",
            r"complete \1",
        ),
        (r"^(?:check|tick|cross) off\s+(.+)$", r"complete \1"),
        (r"^(?:check|tick)\s+(.+?)\s+off[.!]?$", r"complete \1"),
        (r"^(?:i(?:'ve| have)?|i\u2019ve) (?:done|finished|completed)(?: with)?\s+(.+)$", r"complete \1"),
        (r"^(.+?)\s+(?:is|are) (?:done|complete|completed|finished)[.!]?$", r"complete \1"),
        (
            r"^(?:what(?:'s|\u2019s| is| does)?|show me what is|tell me what is) (?:in|inside|written in)\s+(.+?)\??$",
            r"read \1",
        ),
        (r"^what does\s+(.+?)\s+say\??$", r"read \1"),
        (r"^(?:tell|give|show) me\s+(.+)$", r"show \1"),
        (r"^what(?:'s|\u2019s| is| are)? (?:on|in|there on|there in)\s+(.+?)\??$", r"list \1"),
        (r"^(?:what|which)\s+(.+?)\s+(?:are there|is there|do i have|do we have|exist)\??$", r"list \1"),
        (r"^(?:do i have|are there|have i got) (?:any )?(.+?)\??$", r"list \1"),
        (r"^look (?:up|for)\s+(.+)$", r"find \1"),
    )
)
_NOT_A_REQUEST = re.compile(
    r"^(?:how|why|when|who|where|should|is it|was|did|don't|don\u2019t|do not|never|not|no)\b"
    r"|\b(?:don't|don\u2019t|do not)\b"
    r"|^(?:can|could) i\b",
    re.IGNORECASE,
)
_HELP = re.compile(
    r"^(?:help|/help|what can you do|what do you do|who are you|what are you|how does this work|commands)\b[\s?!.]*",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"^(?:hi|hello|hey|good (?:morning|afternoon|evening)|greetings)\b[\s,!.\w]{0,20}$", re.IGNORECASE
)
_THANKS = re.compile(r"^(?:thanks|thank you|thx|cheers|great|perfect|ok|okay)\b[\s,!.\w]{0,20}$", re.IGNORECASE)
_QUESTION = re.compile(
    r"^(?:what|who|whom|whose|when|where|why|how|which|is|are|am|do|does|did|was|were|can|could|should|have|has|"
    r"tell me (?:what|who|when|where|why|how|about)|remind me (?:what|who|when|where|how))\b",
    re.IGNORECASE,
)
QUESTION_WORDS = frozenset(
    {
        "what",
        "who",
        "whom",
        "whose",
        "when",
        "where",
        "why",
        "how",
        "which",
        "much",
        "many",
        "did",
        "tell",
        "about",
        "can",
    }
)
MOST_TAIL = 60
_NEVER_MIND = re.compile(r"^(?:never ?mind|cancel|forget it|stop|no|nothing|none|skip it)[\s.!]*$", re.IGNORECASE)


def without_politeness(text: str) -> str:
    """Take away "please", "could you" and the like."""
    bare = text.strip()
    shorter = _BEFORE.sub("", bare)
    head, tail = shorter[:-MOST_TAIL], shorter[-MOST_TAIL:]
    return (head + _AFTER.sub("", tail)).strip() or bare


def readings(text: str) -> tuple[str, ...]:
    """Give the text as it was said, and as one verb with its object where it was said in more words."""
    said = without_politeness(text)
    rewritten = (found.expand(becomes) for pattern, becomes in _REWRITES if (found := pattern.match(said)))
    return tuple(dict.fromkeys((said, *rewritten)))


def is_request(text: str) -> bool:
    """Tell whether the text may ask for something to be done: no "how do I", no "don't"."""
    said = without_politeness(text)
    return len(readings(said)) > 1 or _NOT_A_REQUEST.search(said) is None


def asks_for_help(text: str) -> bool:
    """Tell whether a person wants to know what this is or can do."""
    return _HELP.match(text.strip()) is not None


def is_greeting(text: str) -> bool:
    """Tell whether this only says hello."""
    return _GREETING.match(text.strip()) is not None


def is_thanks(text: str) -> bool:
    """Tell whether this only says thanks."""
    return _THANKS.match(text.strip()) is not None


def is_question(text: str) -> bool:
    """Tell whether the text wants to know something."""
    said = without_politeness(text)
    return said.endswith("?") or _QUESTION.match(said) is not None


def calls_it_off(text: str) -> bool:
    """Tell whether a person does not want to go on with what was asked about."""
    return _NEVER_MIND.match(text.strip()) is not None
