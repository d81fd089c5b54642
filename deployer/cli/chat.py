"""`deployer chat`: talk to a deployment, from a terminal or a script."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deployer.cli import options, terminal
from deployer.cli.views import how_to_call
from deployer.core.errors import RemoteError, UsageError

if TYPE_CHECKING:
    from deployer.core.deployment import Deployment
    from deployer.running.store import Store

Asking = Callable[[Sequence[Mapping[str, str]]], Iterator[str]]
"""Takes the conversation so far and yields the answer's pieces."""


@click.command("chat", help="Talk to a deployment.")
@click.argument("words", nargs=-1, metavar="[NAME] [MESSAGE]")
@options.spec_file_option
@options.target_option
@click.option(
    "--max-tokens",
    type=click.IntRange(1),
    default=512,
    show_default=True,
    help="The longest answer.",
)
@options.json_option
def command(
    words: tuple[str, ...],
    spec_file: Path | None,
    target: str | None,
    max_tokens: int,
    as_json: bool,
) -> None:
    """Send one message, or, in a terminal and without one, go on asking."""
    from deployer.core.home import home
    from deployer.running.store import Store

    name, message = _parse(words, named=bool(spec_file or target))
    store = Store(home())
    record = store.get(options.deployment_name(name, spec_file, target))
    _can_chat(record)
    talk = _Talk(_asking(record, store, max_tokens))
    if message is None and terminal.interactive() and not as_json:
        talk.go_on()
        return
    answer = talk.ask(sys.stdin.read() if message is None else message, show=not as_json)
    if as_json:
        from deployer.core.documents.chat import ChatDocument, Message

        said = Message(content=answer)
        terminal.emit(ChatDocument(deployment=record.name, model=record.model, message=said))


def _parse(words: tuple[str, ...], *, named: bool) -> tuple[str | None, str | None]:
    """Tell the deployment's name from the message: with -f SPEC there is no name."""
    name, rest = (None, words) if named else (words[0] if words else None, words[1:])
    if len(rest) > 1:
        raise UsageError(
            "the message has several words", hint=f"put it in quotes: '{' '.join(rest)}'"
        )
    return name, rest[0] if rest else None


def _can_chat(record: Deployment) -> None:
    if record.route != "chat":
        raise UsageError(
            f"{record.name} serves /{record.route}, with JSON that its handler defines: there is nothing to chat with",
            hint=how_to_call.predicting(record),
        )


def _asking(record: Deployment, store: Store, max_tokens: int) -> Asking:
    """How the model is asked: at its own OpenAI route, or, where it has none, through its service's API."""
    from deployer.running import lookup, openai_client
    from deployer.running.gateway.backend import backend_of, needs_gateway
    from deployer.running.gateway.chat import chat, hosted

    if needs_gateway(record, lookup.provider_of(record)):
        backend = backend_of(record, lookup.provider_of(record))
        return lambda said: chat(backend, said, max_tokens, terminal.say)
    if record.endpoint is None:
        raise RemoteError(f"{record.name} has no endpoint yet", hint="see 'deployer status'")
    endpoint = lookup.reached(record, store)
    if record.target == "serverless":
        return lambda said: hosted(
            endpoint,
            record.model,
            lambda: openai_client.chat(endpoint, record.model, said, max_tokens),
            terminal.say,
        )
    return lambda said: openai_client.chat(endpoint, record.model, said, max_tokens)


class _Talk:
    """A conversation: each question is asked with all that was said before."""

    def __init__(self, asking: Asking) -> None:
        self.asking = asking
        self.said: list[dict[str, str]] = []

    def ask(self, message: str, *, show: bool) -> str:
        """Ask, print the answer as it comes, and return it."""
        self.said.append({"role": "user", "content": message})
        answer = ""
        for piece in self.asking(self.said):
            answer += piece
            if show:
                terminal.write(_printable(piece))
        if show:
            terminal.out()
        self.said.append({"role": "assistant", "content": answer})
        return answer

    def go_on(self) -> None:
        """Ask what is typed until Ctrl-D."""
        terminal.say("Ctrl-D ends it.")
        while True:
            try:
                message = click.prompt("you", prompt_suffix="> ", err=True)
            except click.Abort:
                terminal.say("")
                return
            self.ask(message, show=True)


def _printable(text: str) -> str:
    """Drop control characters: a model's answer must not steer the terminal."""
    return "".join(c for c in text if c.isprintable() or c in "\n\t")
