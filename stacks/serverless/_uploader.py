"""Weights in a bucket, as a Pulumi dynamic resource: from a folder or the model hub, resumed where it broke off.

Its code is kept in the stack's state (`_dynamic`). A file that is whole in the bucket is not sent again, and of
one that is not only the parts that are missing. The formats are checked before the first byte is sent.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult

OUTPUTS = ("uri", "digest", "sent_bytes")
WANTED = ("*.safetensors", "*.json", "*.model", "*.txt", "*.jinja")
"""Weights, index, configuration, tokenizer, chat template; subfolders hold other formats (`original`, `metal`)."""
PART = 64 * 2**20
MOST_PARTS = 10_000
"""S3's limit for one object."""
THREADS = 4
LARGEST_HEADER = 100 * 2**20
"""The safetensors format's own limit."""
SOURCES = ("repository", "revision", "folder", "files", "tensors")
PLACE = ("bucket", "prefix", "region")


class UploadError(Exception):
    """The weights cannot be used, or not be sent."""


class Provider(ResourceProvider):
    """Fills, looks at and empties one prefix of a bucket."""

    serialize_as_secret_always = False

    def __init__(
        self,
        connect: Callable[[str], Any] | None = None,
        download: Callable[[Mapping[str, Any]], str] | None = None,
    ) -> None:
        super().__init__()
        self.connect, self.download = connect or _client, download or _from_hub

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Another place is another upload; from another source only what differs is sent."""
        moved = [key for key in PLACE if _olds.get(key) != _news.get(key)]
        other = [key for key in SOURCES if _olds.get(key) != _news.get(key)]
        return DiffResult(changes=bool(moved or other), replaces=moved)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Send every file that is not there yet, and remove what belongs to another model."""
        folder = Path(props.get("folder") or self.download(props))
        files = _files(folder)
        _check(files, props.get("tensors"))
        s3, sent, told = self.connect(props["region"]), 0, hashlib.sha256()
        total = sum(len(_content(f)) if _is_index(f) else f.stat().st_size for f in files)
        for file in files:
            key = f"{props['prefix']}{file.name}"
            size, tag = _send(s3, file, props["bucket"], key)
            sent += size
            told.update(f"{file.name} {size} {tag}\n".encode())
            _say(f"weights: {sent / 1e9:.1f} of {total / 1e9:.1f} GB are in the bucket")
        _remove(s3, props, keep={f"{props['prefix']}{file.name}" for file in files})
        uri = f"s3://{props['bucket']}/{props['prefix']}"
        done = {"uri": uri, "digest": told.hexdigest(), "sent_bytes": sent}
        return CreateResult(uri, {**props, **done})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Whether anything lies there; without an id it was deleted by hand."""
        from botocore.exceptions import ClientError

        try:
            found = self.connect(props["region"]).list_objects_v2(
                Bucket=props["bucket"], Prefix=props["prefix"], MaxKeys=1
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucket":
                raise
            return ReadResult("", {})
        return ReadResult(id_, props) if found["KeyCount"] else ReadResult("", {})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Send what has changed."""
        return UpdateResult(self.create(_news).outs)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Remove what was sent, and what was sent in part."""
        from botocore.exceptions import ClientError

        s3, place = self.connect(_props["region"]), {"Bucket": _props["bucket"]}
        try:
            _remove(s3, _props, keep=set())
            for begun in _uploads(s3, _props["bucket"], _props["prefix"]):
                s3.abort_multipart_upload(**place, Key=begun["Key"], UploadId=begun["UploadId"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucket":
                raise


def _client(region: str) -> Any:
    import boto3
    from botocore.config import Config

    retries: Any = {"mode": "adaptive", "max_attempts": 10}
    return boto3.client("s3", region_name=region, config=Config(retries=retries))


def _remove(s3: Any, props: Mapping[str, Any], keep: set[str]) -> None:
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=props["bucket"], Prefix=props["prefix"]
    )
    for key in [one["Key"] for page in pages for one in page.get("Contents", ())]:
        if key not in keep:
            s3.delete_object(Bucket=props["bucket"], Key=key)


def _from_hub(props: Mapping[str, Any]) -> str:
    """Bring the files from the model hub into its cache, resumed by the hub's own library."""
    from huggingface_hub import snapshot_download

    _say(f"weights: downloading {props['repository']}")
    return str(
        snapshot_download(
            props["repository"], revision=props.get("revision"), allow_patterns=list(WANTED)
        )
    )


def _files(folder: Path) -> list[Path]:
    found = sorted({f for pattern in WANTED for f in folder.glob(pattern)})
    if not any(f.suffix == ".safetensors" for f in found):
        raise UploadError(f"there is no .safetensors file in {folder}")
    return found


def _check(files: Sequence[Path], allowed: Sequence[str] | None) -> None:
    """Refuse a tensor of another type, by the files' own headers."""
    for file in files if allowed else ():
        if file.suffix == ".safetensors":
            wrong = sorted({kind for kind in _types(file) if kind not in (allowed or ())})
            if wrong:
                raise UploadError(
                    f"{file.name} holds {', '.join(wrong)}; only"
                    f" {', '.join(allowed or ())} can be imported: name a 16-bit version of the model"
                )


def _types(file: Path) -> Iterator[str]:
    with file.open("rb") as opened:
        start = opened.read(8)
        size = struct.unpack("<Q", start)[0] if len(start) == 8 else LARGEST_HEADER + 1
        if size > LARGEST_HEADER:
            raise UploadError(f"{file.name} is not a safetensors file")
        header = json.loads(opened.read(size))
    for name, tensor in header.items():
        if name != "__metadata__":
            yield tensor["dtype"]


def _is_index(file: Path) -> bool:
    return file.name.endswith(".safetensors.index.json")


def _content(file: Path) -> bytes:
    """The index with no more metadata than Bedrock takes: other keys than the size fail the import."""
    index = json.loads(file.read_bytes())
    size = (index.get("metadata") or {}).get("total_size")
    kept = {"metadata": {} if size is None else {"total_size": size}}
    return json.dumps({**index, **kept}).encode()


def _send(s3: Any, file: Path, bucket: str, key: str) -> tuple[int, str]:
    """Put one file there; return its size and S3's tag of its content."""
    place = {"Bucket": bucket, "Key": key}
    if _is_index(file) or file.stat().st_size <= PART:
        body = _content(file) if _is_index(file) else file.read_bytes()
        return len(body), s3.put_object(**place, Body=body)["ETag"]
    return file.stat().st_size, _send_parts(s3, file, place)


def _send_parts(s3: Any, file: Path, place: Mapping[str, str]) -> str:
    """Send the parts that are missing, from the last attempt on, and put the file together."""
    size = max(PART, -(-file.stat().st_size // MOST_PARTS))
    tags = _tags(file, size)
    whole = hashlib.md5(b"".join(bytes.fromhex(tag) for tag in tags), usedforsecurity=False)
    expected = f'"{whole.hexdigest()}-{len(tags)}"'
    there = s3.list_objects_v2(Bucket=place["Bucket"], Prefix=place["Key"]).get("Contents", ())
    if any((o["Key"], o["ETag"]) == (place["Key"], expected) for o in there):
        return expected
    begun = [u for u in _uploads(s3, place["Bucket"], place["Key"]) if u["Key"] == place["Key"]]
    upload = begun[-1]["UploadId"] if begun else s3.create_multipart_upload(**place)["UploadId"]
    to = {**place, "UploadId": upload}
    known = _parts(s3, to) if begun else {}

    def send(number: int) -> dict[str, Any]:
        if known.get(number) == f'"{tags[number - 1]}"':
            return {"PartNumber": number, "ETag": known[number]}
        body = _part(file, number, size)
        return {
            "PartNumber": number,
            "ETag": s3.upload_part(**to, PartNumber=number, Body=body)["ETag"],
        }

    with ThreadPoolExecutor(THREADS) as threads:
        parts = list(threads.map(send, range(1, len(tags) + 1)))
    return str(s3.complete_multipart_upload(**to, MultipartUpload={"Parts": parts})["ETag"])


def _tags(file: Path, size: int) -> list[str]:
    """S3's tag of each part: its MD5, where the bucket's encryption is S3's own."""
    count = -(-file.stat().st_size // size)
    parts = (_part(file, number, size) for number in range(1, count + 1))
    return [hashlib.md5(part, usedforsecurity=False).hexdigest() for part in parts]


def _part(file: Path, number: int, size: int) -> bytes:
    with file.open("rb") as opened:
        opened.seek((number - 1) * size)
        return opened.read(size)


def _uploads(s3: Any, bucket: str, prefix: str) -> list[Any]:
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
    return [upload for page in pages for upload in page.get("Uploads", ())]


def _parts(s3: Any, to: Mapping[str, str]) -> dict[int, str]:
    pages = s3.get_paginator("list_parts").paginate(**to)
    return {part["PartNumber"]: part["ETag"] for page in pages for part in page.get("Parts", ())}


def _say(text: str) -> None:
    """One line of progress: Pulumi shows what a resource's code writes here."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
