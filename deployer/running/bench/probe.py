"""The first words with an endpoint: does it answer, does it count, how many tokens a word is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from deployer.core.errors import DeployerError, RemoteError, UsageError
from deployer.running.bench.endpoints import Subject
from deployer.running.bench.prompts import prompt
from deployer.running.bench.samples import Answering, Load, Sample
from deployer.running.bench.sse_client import ask, body_of
from deployer.running.openai_client import LOOK_S, Endpoint, reason
from deployer.sources import web

if TYPE_CHECKING:
    import httpx

TOKENS_PER_WORD = 1.3
"""Of plain English words, where the endpoint does not count for us (a rule of thumb, only for lengths)."""
TEMPLATE_TOKENS = 20.0
SHORT, LONG = 2, 40
"""Words of the two prompts that the tokens are counted on, where the longer one may be as long."""
VARIANTS: tuple[tuple[bool, str], ...] = (
    (True, "max_tokens"),
    (True, "max_completion_tokens"),
    (False, "max_tokens"),
)
"""(ask for usage, name of the limit): what endpoints differ over, tried in turn."""


async def meet(client: httpx.AsyncClient, subject: Subject, load: Load) -> Answering:
    """Ask twice, briefly, and return how this endpoint is to be asked.

    Raises:
        RemoteError: it does not answer, or refuses.
        UsageError: it knows no such model.
    """
    # Keep the answers as long as asked, where the engine is known to take that wish.
    extra: dict[str, object] = {"ignore_eos": True} if subject.ignores_eos else {}
    words = max(4 * SHORT, min(LONG, load.input_tokens // 8))  # a word is 8 tokens at the very most
    first: Sample | None = None
    for usage, limit in VARIANTS:
        answering = Answering(usage, TEMPLATE_TOKENS, TOKENS_PER_WORD, limit, extra)
        sample = await _say(client, subject, answering, f"{load.seed}-short", SHORT)
        if sample.error is None or sample.error == "empty answer":
            longer = await _say(client, subject, answering, f"{load.seed}-long", words)
            return _counted(answering, sample, longer, words)
        first = first or sample
        if sample.error not in ("http 400", "http 422"):
            break
    assert first is not None  # noqa: S101 - there is at least one variant
    raise failure(subject, first)


def only_model(endpoint: Endpoint) -> str:
    """Return the name of the one model that an endpoint lists.

    Raises:
        RemoteError: it does not answer, or refuses.
        UsageError: it lists none, or several.
    """
    asked = Subject(endpoint, "")
    try:
        with web.client(
            headers=endpoint.headers, timeout=LOOK_S, trust_env=not endpoint.is_here
        ) as client:
            answer = client.get(f"{endpoint.url}/models")
    except web.failures() as error:
        raise failure(asked, Sample(0, 0, error="no connection", detail=web.said(error))) from None
    if answer.status_code in (401, 403):
        kind = f"http {answer.status_code}"
        raise failure(asked, Sample(0, 0, error=kind, detail=reason(answer.text)))
    names = _names(answer)
    if len(names) != 1:
        have = f"it lists {', '.join(names[:10])}" if names else "it lists none"
        raise UsageError(f"no model given for {endpoint.url}", hint=f"pass --model NAME; {have}")
    return names[0]


def _names(answer: httpx.Response) -> list[str]:
    try:
        return [str(model["id"]) for model in answer.json()["data"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def request(subject: Subject, answering: Answering, load: Load, seed: str) -> Mapping[str, Any]:
    """Return the body of a request with as many tokens as asked, as nearly as words allow."""
    words = (load.input_tokens - answering.template_tokens) / answering.tokens_per_word
    text = prompt(round(words), seed)
    return _body(subject, answering, text, load.output_tokens)


def _body(subject: Subject, answering: Answering, text: str, tokens: int) -> Mapping[str, Any]:
    extra = {answering.limit: tokens, **answering.extra}
    return body_of(subject.model, text, usage=answering.usage, extra=extra)


async def _say(
    client: httpx.AsyncClient, subject: Subject, answering: Answering, seed: str, words: int
) -> Sample:
    body = _body(subject, answering, prompt(words, seed), tokens=4)
    return await ask(client, subject.endpoint, body)


def _counted(answering: Answering, short: Sample, longer: Sample, words: int) -> Answering:
    """Work out the tokens of the template and of a word from two prompts, where they were counted."""
    if short.input_tokens is None or longer.input_tokens is None:
        return answering
    slope = (longer.input_tokens - short.input_tokens) / (words - SHORT)
    if slope <= 0:
        return answering
    return replace(
        answering, tokens_per_word=slope, template_tokens=short.input_tokens - slope * SHORT
    )


HINTS = {
    "no connection": "is it running? 'deployer status' lists deployments; else check --url",
    "timeout": "it accepted the request and did not answer: check its log, or try a smaller load",
    "http 404": "is the path right (most end in /v1), and does it have this --model?",
    "http 429": "it limits the request rate: wait, or lower --concurrency",
}


def failure(subject: Subject, sample: Sample) -> DeployerError:
    """Return why an endpoint cannot be measured, as the error that it is."""
    where, kind = subject.endpoint.url, sample.error or "failure"
    detail = sample.detail
    if subject.endpoint.key:  # whatever it says, the key is not shown
        detail = detail.replace(subject.endpoint.key, "***")
    said = f": {detail}" if detail else ""
    if kind in ("http 401", "http 403"):
        return RemoteError(f"{where} rejects the key ({kind}{said})", hint=_key_hint(subject))
    if kind.startswith("http 3"):
        return RemoteError(
            f"{where} redirects elsewhere ({kind}); the key is not sent there",
            hint="pass the final URL as --url",
            where=where,
        )
    if kind in ("http 400", "http 422"):
        return UsageError(
            f"{where} rejects the request{said}",
            hint="is the model's name right, and do --input-tokens and --output-tokens fit its context?",
            where=where,
        )
    hint = HINTS.get(kind, "see its log: 'deployer logs NAME'")
    return RemoteError(f"{where} cannot be measured: {kind}{said}", hint=hint, where=where)


def _key_hint(subject: Subject) -> str:
    if subject.deployment:
        return f"its key has changed since: 'deployer up' of {subject.deployment}'s spec renews it"
    return "pass the name of the environment variable that holds its key: --key-env OPENAI_API_KEY"
