"""A model hub on loopback that has one repository: the files of a folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.kits.loopback import served

COMMIT = "c0ffee" + "0" * 34


class Files:
    """The repository `name`; `asked` are the paths that were asked for, in their order."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.asked: list[str] = []
        self.url = ""

    def answer(self, path: str) -> tuple[int, bytes]:
        """Return what is at a path."""
        self.asked.append(path)
        if path.startswith(f"/api/models/{self.name}/tree/"):
            listed = [self._entry(file) for file in self._files()]
            return 200, json.dumps(listed).encode()
        if path.startswith(f"/api/models/{self.name}"):
            siblings = [{"rfilename": file.name} for file in self._files()]
            about = {"_id": "1", "id": self.name, "sha": COMMIT, "private": False}
            return 200, json.dumps({**about, "siblings": siblings}).encode()
        file = self.folder / path.rpartition("/")[2]
        if path.startswith(f"/{self.name}/resolve/") and file.is_file():
            return 200, file.read_bytes()
        return 404, b"{}"

    def _files(self) -> list[Path]:
        return sorted(self.folder.iterdir())

    def _entry(self, file: Path) -> dict[str, Any]:
        said = hashlib.sha1(file.read_bytes(), usedforsecurity=False).hexdigest()
        return {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": said}


@contextmanager
def serving(name: str, folder: Path) -> Iterator[Files]:
    """Serve a folder as a repository."""
    files = Files(name, folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = files.answer(urlsplit(self.path).path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with served(Handler) as url:
        files.url = url
        yield files
