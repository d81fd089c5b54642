"""What the spec's policy asks for and nothing does, where the model is served. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from deployer.planning.choose import Candidate
from deployer.planning.question import Question

EXPIRES, OVER_BUDGET = "policy.expires", "policy.over_budget"
AFTER, ACTION = "policy.idle.after", "policy.idle.action"


def unkept(
    question: Question, best: Candidate, inputs: Mapping[str, Any], defaults: Collection[str]
) -> dict[str, str]:
    """Return why a key of the policy has no effect, by the key; `defaults` are those that the spec leaves out."""
    local = question.target == "local"
    why = dict(_on_own_machine(question) if local else _asleep(question, best, inputs))
    return {key: reason for key, reason in why.items() if key not in defaults}


def notes(why: Mapping[str, str], place: Callable[[str], str]) -> Iterator[str]:
    """Say it: one note for all keys that have no effect for the same reason. `place` finds a key in the file."""
    for reason in dict.fromkeys(why.values()):
        keys = [key for key in why if why[key] == reason]
        has = "have" if len(keys) > 1 else "has"
        yield f"{' and '.join(keys)} {has} no effect: {reason} ({place(keys[0])})"


def _on_own_machine(question: Question) -> Iterator[tuple[str, str]]:
    """Nobody pays for it by the hour, and nothing looks after it."""
    policy, why = question.spec.policy, "on your own machine it runs until 'deployer down'"
    if policy.expires is not None:
        yield EXPIRES, why
    if policy.idle.action != "none":
        yield AFTER, why
        yield ACTION, why
    if policy.budget is not None:
        yield OVER_BUDGET, why


def _asleep(
    question: Question, best: Candidate, inputs: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """What sleeps by itself is put to sleep by its service alone, and removed by nobody."""
    policy, sleep, name = question.spec.policy, best.provider.sleep, best.provider.name
    if sleep is None:
        return
    if policy.expires is not None:
        yield EXPIRES, f"nothing removes what {name} serves until 'deployer down'"
    awake = sleep.minutes_of(policy.idle.after)
    if sleep.always_runs(inputs):
        yield AFTER, "it never sleeps, as serve.replicas asks"
    elif awake * 60 != policy.idle.after:
        yield AFTER, f"{name} keeps it awake for {awake:g} minutes after a request"
    if policy.idle.action != "stop":
        yield ACTION, f"{name} alone decides when it sleeps, and nothing removes it"
    if policy.budget is not None:
        yield OVER_BUDGET, f"nothing stops what {name} serves: the budget refuses the plan alone"
