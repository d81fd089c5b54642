"""The address of a shared state as it stands in a tag, so that who finds a deployment can read and lock its state.

Tags take letters, digits and few signs: what else an address holds is written as in quoted-printable, `=3F`.
"""

from __future__ import annotations

import re

LONGEST = 128
"""The most characters that the tags of every cloud take."""
_WRITTEN = re.compile(r"(?:[A-Za-z0-9+._:/@-]|=[0-9A-F]{2})*")
_OTHER = re.compile(rb"[^A-Za-z0-9+._:/@-]")


def write(address: str) -> str | None:
    """Return the tag's text; None where it is longer than tags may be."""
    text = _OTHER.sub(lambda one: b"=%02X" % one[0][0], address.encode()).decode()
    return text if len(text) <= LONGEST else None


def read(text: str) -> str | None:
    """Return the address that a tag holds; None where it holds none."""
    if not text or not _WRITTEN.fullmatch(text):
        return None
    raw = re.sub(rb"=([0-9A-F]{2})", lambda one: bytes([int(one[1], 16)]), text.encode())
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None
