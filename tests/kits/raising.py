"""Every exception that the SDKs between us and the world declare, made as they make it."""

from __future__ import annotations

import builtins
import errno
import inspect
import os
import string
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any

SECRET = "hf_SECRETsecretSECRET"
UNDECLARED: tuple[Exception, ...] = (
    KeyError("Regions"),
    IndexError("list index out of range"),
    TypeError("'NoneType' object is not subscriptable"),
    AttributeError("'str' object has no attribute 'get'"),
    ValueError(f"Invalid header value b'Bearer {SECRET}\\n'"),
    UnicodeEncodeError("ascii", "ü", 0, 1, "ordinal not in range(128)"),
    EOFError(),
)
"""What they raise besides: of an answer that is none, of what cannot be sent."""


def of_the_system() -> list[OSError]:
    """The kinds of OSError, without and with the file that they are about."""
    kinds = [k for k in vars(builtins).values() if inspect.isclass(k) and issubclass(k, OSError)]
    numbers = (errno.ENOSPC, errno.EIO, errno.EMFILE, errno.EROFS, errno.EDQUOT, errno.ENOTCONN)
    return [
        *(kind() for kind in kinds if kind is not BrokenPipeError),
        *(OSError(number, os.strerror(number)) for number in numbers),
        *(OSError(number, os.strerror(number), "/some/file") for number in numbers),
    ]


def of_botocore() -> list[Exception]:
    """Those of `botocore.exceptions`, of its parsers and of boto3."""
    import boto3.exceptions
    import botocore.exceptions
    import botocore.parsers

    modules = (botocore.exceptions, botocore.parsers, boto3.exceptions)
    return [_by_botocore(kind) for module in modules for kind in _declared(module)]


def codes_of_aws(codes: Sequence[str]) -> list[Exception]:
    """Refusals of AWS, with a message whose later lines quote what was signed."""
    from botocore.exceptions import ClientError

    said = f"No.\n\nThe Canonical String was x-amz-security-token={SECRET}"
    answers: list[Any] = [{"Error": {"Code": code, "Message": said}} for code in codes]
    return [ClientError(answer, "DescribeRegions") for answer in answers]


def of_docker() -> list[Exception]:
    """Those of docker, requests and urllib3."""
    import docker.errors
    import requests.exceptions
    import urllib3.exceptions

    modules = (docker.errors, requests.exceptions, urllib3.exceptions)
    return [_made(kind) for module in modules for kind in _declared(module)]


def of_httpx() -> list[Exception]:
    """Those of httpx, and what it raises without its SOCKS package."""
    import httpx

    socks = ImportError("Using SOCKS proxy, but the 'socksio' package is not installed.")
    return [*(_made(kind) for kind in _declared(httpx)), socks]


def of_the_hub() -> list[Exception]:
    """Those of huggingface_hub, and of the transport that its version has."""
    from huggingface_hub import errors

    modules = (errors, transport_of_the_hub())
    return [_made(kind) for module in modules for kind in _declared(module)]


def transport_of_the_hub() -> ModuleType:
    """The HTTP library that huggingface_hub sends with."""
    from huggingface_hub import errors

    return sys.modules[errors.HfHubHTTPError.__mro__[1].__module__.partition(".")[0]]


def _declared(module: ModuleType) -> list[type[Exception]]:
    found = (one for one in vars(module).values() if inspect.isclass(one))
    return [
        kind
        for kind in found
        if issubclass(kind, Exception)
        and not issubclass(kind, Warning)
        and kind.__module__.partition(".")[0] == module.__name__.partition(".")[0]
    ]


def _by_botocore(kind: type[Exception]) -> Exception:
    from botocore.exceptions import ClientError

    shown = getattr(kind, "fmt", "")
    names = [name for _, name, _, _ in string.Formatter().parse(shown) if name]
    if issubclass(kind, ClientError):
        return kind({"Error": {"Code": "Odd", "Message": "odd"}}, "Describe")
    try:
        return kind(**{name.partition(".")[0].partition("[")[0]: _Anything() for name in names})
    except TypeError:
        return _made(kind)


class _Anything(str):
    """Stands for whatever an exception is told: a request, an answer, a text."""

    __slots__ = ()
    status_code = 500

    def __new__(cls) -> _Anything:
        return super().__new__(cls, "odd")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything()

    def tell(self) -> int:
        """Say how far it was read, as a file does."""
        return 0

    def __call__(self, *_: object, **__: object) -> Any:
        return _Anything()


def _made(kind: type[Exception]) -> Exception:
    """Make one with as few arguments as it takes."""
    wanted = inspect.signature(kind.__init__).parameters.values()
    named = {
        one.name: _Anything()
        for one in wanted
        if one.kind is one.KEYWORD_ONLY and one.default is one.empty
    }
    tries: list[tuple[Any, ...]] = [(_Anything(),) * count for count in range(7)]
    tries += [("odd", "odd", 0), (1, 1), ("odd", b"1")]
    for arguments in tries:
        with suppress(TypeError, AttributeError, ValueError):
            made: Exception = kind(*arguments, **named)
            if str(made) is not None:  # some fail when they are shown
                return made
    raise AssertionError(f"{kind} cannot be made")
