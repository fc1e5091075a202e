"""Sentences of the offline assistant that no result stands behind: who it is, what it can do, what it has to ask."""

from collections.abc import Sequence

from workers.llm.offline.tools import Reference, Tool
from workers.llm.offline.understand import Intent
from workers.llm.port import Recalled

INTRODUCTION = (
    "I am the built-in offline assistant: I work without a language model. I compare your words with what the "
    "connected services can do, and I cannot answer anything else. To talk to a language model, set "
    "ASSENT_MODEL_BASE_URL and ASSENT_MODEL_NAME (and ASSENT_MODEL_API_KEY when it needs a key) and start Assent again."
)
NOTHING_CONNECTED = "No service is connected, so there is nothing that I can do."
CALLED_OFF = "All right, I leave it."
WELCOME = "You are welcome."
MOST_SHOWN = 12
MOST_EXCERPT = 400


def capabilities(tools: Sequence[Tool]) -> str:
    """Say what can be asked for, one line an action, in the words of the manifests."""
    if not tools:
        return NOTHING_CONNECTED
    lines = [f"- {_sentence(tool)}" for tool in tools[:MOST_SHOWN]]
    more = len(tools) - MOST_SHOWN
    if more > 0:
        lines.append(f"- and {more} more actions")
    return "You can ask me, for example:\n" + "\n".join(lines)


def _sentence(tool: Tool) -> str:
    example = next(iter(tool.spec.examples), "")
    description = tool.spec.description.strip().rstrip(".")
    if not example:
        return f"{tool.verb} {tool.noun}: {description}".replace(" :", ":")
    return f'"{example.replace("{", "<").replace("}", ">")}": {description}'


def not_understood(tools: Sequence[Tool]) -> str:
    """Say that nothing fits, and what does."""
    return f"I did not find an action that fits this, and I do not guess. {capabilities(tools)}"


def question(intent: Intent) -> str:
    """Ask for the first argument that is missing. Always ends with a question mark."""
    name = intent.missing[0]
    if name in intent.tool.references:
        return f"Which {noun_of(intent.tool.references[name])} do you mean?"
    words = name.replace("_", " ")
    described = str(intent.tool.properties[name].get("description", "")).strip().rstrip(".?")
    hint = f" ({described[:1].lower()}{described[1:]})" if described else ""
    return f"To {intent.tool.verb} {with_article(intent.tool.noun)}I need one thing more: what is the {words}{hint}?"


def remembered(told: Sequence[Recalled]) -> str:
    """Say what was recalled, each with where it is from."""
    lines = "\n".join(f"- {_source(one)}: {quoted(_excerpt(one.text))}" for one in told)
    return f"I cannot work an answer out, but this is what I remember about it:\n{lines}"


def _source(one: Recalled) -> str:
    day = f"{one.at.day} {one.at:%B %Y}"
    where = "" if one.here else ", in another conversation"
    page = f", page {one.page}" if one.page is not None else ""
    return {
        "own": f"You told me on {day}{where}",
        "other": f"Somebody else said on {day}{where}",
        "assistant": f"I said on {day}{where}",
        "fact": f"A fact about you, noted on {day}",
        "document": f"The document {one.name or 'without a name'}{page}",
    }[one.origin]


def _excerpt(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MOST_EXCERPT else f"{line[: MOST_EXCERPT - 1].rstrip()}…"


def by_meaning(tool: Tool) -> str:
    """Say that an action was chosen by meaning, since no words named it."""
    return f"By its meaning I take this as: {tool.verb} {tool.noun}".rstrip() + "."


def too_long(most: int) -> str:
    """Say that a message is longer than what is read, and what works instead."""
    return (
        f"I read messages of up to {most} characters, so I did nothing with this one. "
        'A command such as /do connector.action key="..." takes longer texts.'
    )


def with_article(noun: str) -> str:
    """Give "a task, " before what is asked; nothing for no noun."""
    if not noun:
        return ""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}, "


def which(said: str, names: Sequence[str], reference: Reference) -> str:
    """Ask which of several is meant. Always ends with a question mark."""
    lines = "\n".join(f"{place}. {name}" for place, name in enumerate(names, 1))
    return f"Several {noun_of(reference)}s fit {quoted(said)}:\n{lines}\nWhich one do you mean?"


def none_called(said: str, reference: Reference, *, partly: bool) -> str:
    """Say that nothing has this name."""
    where = " among the first ones that the list shows" if partly else ""
    return f"I found no {noun_of(reference)} called {quoted(said)}{where}. Nothing was done."


def nothing_meant(said: str, reference: Reference) -> str:
    """Say that "it" means nothing here."""
    return f"I do not know which {noun_of(reference)} {quoted(said)} means. Please name it. Nothing was done."


def noun_of(reference: Reference) -> str:
    """Give the word for one of the things that a reference names."""
    namespace = reference.action.partition(".")[0].replace("_", " ")
    return namespace.removesuffix("s")


def quoted(text: str) -> str:
    """Put into quotes."""
    return f'"{text}"'
