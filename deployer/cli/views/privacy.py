"""The evidence of privacy: for a terminal, and as one HTML page."""

from __future__ import annotations

from collections.abc import Iterator

import click

from deployer.cli import terminal
from deployer.core.documents.privacy import PrivacyDocument
from deployer.core.templates import render
from deployer.planning.report.palette import DARK, LIGHT

WORDS = {True: "yes", False: "NO", None: "unknown"}
VERDICTS = {True: "holds", False: "does not hold", None: "not proved"}
COLOURS = {True: "green", False: "red", None: "yellow"}


def show(document: PrivacyDocument) -> None:
    """Print it."""
    terminal.out("\n".join(_lines(terminal.all_printable(document))))


def _lines(document: PrivacyDocument) -> Iterator[str]:
    policy = "under policy.privacy: local-only" if document.local_only else "not under local-only"
    yield f"{terminal.heading(document.deployment)}  {document.target} by {document.provider}, {policy}"
    for finding in document.findings:
        word = click.style(f"{WORDS[finding.holds]:<8}", fg=COLOURS[finding.holds])
        yield f"{word}{finding.statement}: {finding.detail}"
        yield from (f"          {line}" for line in finding.seen)
    yield terminal.heading(summary(document))


def summary(document: PrivacyDocument) -> str:
    """Return the result in one sentence."""
    refuted = _named(document, holds=False)
    unknown = _named(document, holds=None)
    if refuted:
        return f"Refuted: {refuted}."
    if unknown:
        return f"Nothing is refuted; not proved: {unknown}."
    return "Every statement holds."


def _named(document: PrivacyDocument, *, holds: bool | None) -> str:
    return ", ".join(one.name for one in document.findings if one.holds is holds)


def page(document: PrivacyDocument) -> str:
    """Return it as one HTML page that loads nothing."""
    clean: PrivacyDocument = terminal.all_printable(document)
    return render(
        "privacy/page.html.j2",
        page=clean,
        summary=summary(clean),
        words={finding.name: VERDICTS[finding.holds] for finding in clean.findings},
        light=LIGHT,
        dark=DARK,
    )
