"""Prompts of a wanted length that no cache has seen: seeded, no two beginning alike. Pure.

An engine that keeps the work of a prompt's beginning for the next one would look faster than it is for
users who do not all ask the same. A prompt starts with 64 random bits, so that only the model's own
template is shared.
"""

from __future__ import annotations

from random import Random

_WORDS = (
    "about after again answer before below better between book build call change city close colour cover"
    " cross dark deep draw early earth every family field final fire follow form friend garden give glass"
    " ground half hand head heat history hold house idea island keep kind land large last later learn"
    " leave letter light line listen long machine make map mark money morning mother move music name near"
    " never night north note number often open order other paper part people place plain plan plant play"
    " point power press problem pull question quick rain reach read river road room round rule sail school"
    " science sea second seed sentence serve shape short side simple size sleep small snow song sound south"
    " space speak stand star start state stone story street strong study sun table talk teach test thing"
    " time town travel tree true turn under unit use valley voice walk warm watch water week wheel while"
    " white wind winter wonder wood word work world write year young"
)
WORDS = tuple(_WORDS.split())


def prompt(words: int, seed: str) -> str:
    """Return a prompt of about so many words, and always the same for a seed."""
    random = Random(seed)  # noqa: S311 - not for secrecy: the same load again
    return " ".join([f"{random.getrandbits(64):016x}", *random.choices(WORDS, k=max(1, words))])
