"""What the offline assistant does next: calls, words, or both. The same talk and meanings always give the same."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.masking import same_masked
from workers.llm.offline import fill, phrases, remember, render, resolve, speak
from workers.llm.offline.fill import answer_to
from workers.llm.offline.meaning import NOTHING, Meant
from workers.llm.offline.talk import DONE, Exchange, parsed
from workers.llm.offline.tools import Tool
from workers.llm.offline.understand import Intent, understand

MOST_READ = 2000
_SPACE = re.compile(r"(\s{4})\s+")


@dataclass(frozen=True)
class Wanted:
    """A call to make: an action and its arguments."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Next:
    """What to say and what to call; `open_intent` is what a question is about, `choices` what it offers."""

    text: str = ""
    calls: tuple[Wanted, ...] = ()
    open_intent: Intent | None = None
    choices: tuple[dict[str, Any], ...] = ()


def decide(
    talk: Sequence[Exchange], tools: Sequence[Tool], meant: Meant = NOTHING, *, facts_full: bool = False
) -> Next:
    """Give the next step for the last exchange of the talk. `meant` is what it comes near to, if no words fit."""
    current, before = talk[-1], talk[:-1]
    if (noted := remember.answer(current.said, full=facts_full)) is not None and not current.steps:
        return Next(noted)
    if meant.told and not tools and not current.steps:
        return Next(speak.remembered(meant.told))
    if not tools or current.said.lstrip().startswith("/do"):
        return _told(current, talk, tools)
    intents = _intents(current.said, before, tools, meant)
    if isinstance(intents, Next):
        return _told(current, talk, tools) if current.steps else intents
    unfinished = [one for one in intents if not _was_called(current, one)]
    if not unfinished:
        return _told(current, talk, tools)
    following = _go_on(unfinished, current, talk)
    if not current.steps and unfinished[0].by_meaning:
        return replace(following, text=f"{speak.by_meaning(unfinished[0].tool)} {following.text}".strip())
    return following


def _told(current: Exchange, talk: Sequence[Exchange], tools: Sequence[Tool]) -> Next:
    if any(step.answers for step in current.steps):
        return Next(render.results(current, talk))
    return Next(speak.not_understood(tools) if tools else speak.NOTHING_CONNECTED)


def _was_called(current: Exchange, intent: Intent) -> bool:
    """Whether it was asked for; what a person changed on the way answers what was said, and is not asked for anew."""
    name = intent.tool.name
    calls = [call for step in current.steps for call in step.calls if call.name == name]
    if any(answer.edited for answer in current.answers_of(name)):
        return True
    return bool(calls) if intent.named else any(same_masked(call.arguments, intent.arguments) for call in calls)


def _intents(said: str, before: Sequence[Exchange], tools: Sequence[Tool], meant: Meant) -> list[Intent] | Next:
    """Give what a message asks for, as a new request or as the answer to our question; or what to say at once."""
    if len(said) > MOST_READ:
        return Next(speak.too_long(MOST_READ))
    exact, said = said, _SPACE.sub(r"\1", said)
    pending = _pending(before, tools, meant)
    found = understand(said, tools)
    if pending is not None and not (len(found) == 1 and found[0].whole):
        return _answered(said, pending)
    if found:
        return found
    if phrases.asks_for_help(said) or phrases.is_greeting(said):
        return Next(speak.capabilities(tools))
    if phrases.is_thanks(said):
        return Next(speak.WELCOME)
    if meant.told:
        return Next(speak.remembered(meant.told))
    tool = meant.tools.get(exact)
    return Next(speak.not_understood(tools)) if tool is None else [_by_meaning(tool, said)]


def _by_meaning(tool: Tool, said: str) -> Intent:
    """Take an action whose words were not said: only what has a form of its own is taken from the text."""
    filled = fill.from_text(tool, said, with_rest=False)
    return Intent(tool, filled.arguments, filled.named, by_meaning=True)


def _pending(before: Sequence[Exchange], tools: Sequence[Tool], meant: Meant) -> Next | None:
    """Give the question that the last reply ended with, with what it is about; None when it asked nothing."""
    if not before or not before[-1].reply.rstrip().endswith("?"):
        return None
    last = before[-1]
    asked = decide([*before[:-1], replace(last, reply="")], tools, replace(meant, told=()))
    if asked.open_intent is None or not last.reply.rstrip().endswith(asked.text):
        return None
    return asked


def _answered(said: str, pending: Next) -> list[Intent] | Next:
    intent = pending.open_intent
    if phrases.calls_it_off(said) or intent is None:
        return Next(speak.CALLED_OFF)
    if pending.choices:
        return _chosen(said, intent, pending)
    name = intent.missing[0]
    if name in intent.tool.references:
        return [replace(intent, named=intent.named | {name: phrases.without_politeness(said)})]
    value = answer_to(intent.tool, name, said)
    if value is None or value == "":
        return Next(speak.question(intent), open_intent=intent)
    return [replace(intent, arguments=intent.arguments | {name: value})]


def _chosen(said: str, intent: Intent, pending: Next) -> list[Intent] | Next:
    name = next(iter(intent.named))
    reference = intent.tool.references[name]
    if resolve.is_pointer(said):
        found = resolve.pick(said, pending.choices)
    else:
        found = list(resolve.called(said, reference, list(pending.choices)).things)
    if len(found) != 1:
        return Next(pending.text, open_intent=intent, choices=pending.choices)
    rest = {key: value for key, value in intent.named.items() if key != name}
    return [replace(intent, arguments=intent.arguments | {name: found[0][reference.value]}, named=rest)]


def _go_on(intents: Sequence[Intent], current: Exchange, talk: Sequence[Exchange]) -> Next:
    """Ask, look up or call for each intent; calls of one round go together."""
    steps = [_step(intent, current, talk) for intent in intents]
    calls: list[Wanted] = []
    for step in steps:
        calls += [call for call in step.calls if call not in calls]
    question = next((step for step in steps if step.open_intent is not None), None)
    if question is not None and not calls and not current.steps:
        return question
    texts = [step.text for step in steps if step.text]
    if not calls and (done := _shown_results(current, talk, intents)):
        texts = [done, *texts]
    if not calls and len(texts) == 1 and question is not None:
        return question
    return Next("\n\n".join(texts), tuple(calls))


def _shown_results(current: Exchange, talk: Sequence[Exchange], intents: Sequence[Intent]) -> str:
    """Say what other calls of this exchange came to, when one could not be made."""
    looked_up = {reference.action for intent in intents for reference in intent.tool.references.values()}
    kept = [
        render.one_result(call, answer, talk)
        for step in current.steps
        for call, answer in step.paired()
        if answer.name not in looked_up
    ]
    return "\n\n".join(kept)


def _step(intent: Intent, current: Exchange, talk: Sequence[Exchange]) -> Next:
    if intent.missing:
        return Next(speak.question(intent), open_intent=intent)
    for name, said in intent.named.items():
        outcome = _look_up(intent, name, said, current, talk)
        if isinstance(outcome, Next):
            return outcome
        intent = outcome
    return Next(calls=(Wanted(intent.tool.name, intent.arguments),))


def _look_up(intent: Intent, name: str, said: str, current: Exchange, talk: Sequence[Exchange]) -> Intent | Next:
    reference = intent.tool.references[name]
    answers = current.answers_of(reference.action)
    if resolve.is_pointer(said):
        found = resolve.pointed_at(said, reference, talk[:-1]).things
    elif not answers:
        return Next(calls=(Wanted(reference.action, reference.arguments),))
    elif answers[-1].status != DONE:
        return Next(render.results(current, talk))
    else:
        found = resolve.called(said, reference, parsed(answers[-1])).things
    if len(found) == 1:
        return replace(intent, arguments=intent.arguments | {name: found[0][reference.value]})
    if not found and resolve.is_pointer(said):
        return Next(speak.nothing_meant(said, reference))
    if not found:
        listed = parsed(answers[-1])
        return Next(speak.none_called(said, reference, partly=isinstance(listed, dict) and bool(listed.get("next"))))
    names = [render.label_of(one) for one in found]
    about = replace(intent, named={name: said} | {key: value for key, value in intent.named.items() if key != name})
    return Next(speak.which(said, names, reference), open_intent=about, choices=found)
