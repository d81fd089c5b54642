"""A private bucket with a model's weights, filled from a folder or from the model hub."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from . import _dynamic

PREFIX = "model/"


def origin(order: Mapping[str, Any]) -> dict[str, Any]:
    """Where the weights come from, as plain inputs: a folder, the hub, or a bucket that is there already."""
    source = order["model"]["source"]
    if source.startswith("s3://"):
        name, _, prefix = source.removeprefix("s3://").partition("/")
        return {"bucket": name, "prefix": prefix.rstrip("/") + "/" if prefix else ""}
    gib = order["weights_gib"]
    size = None if gib is None else round(float(gib) * 2**30)
    if source.startswith("hf:"):
        repo, _, revision = source.removeprefix("hf:").partition("@")
        return {"repository": repo, "revision": revision or None, "bytes": size}
    folder = Path(order["model"]["path"] or "")
    return {"folder": str(folder), "files": _fingerprint(folder), "bytes": size}


def _fingerprint(folder: Path) -> str:
    """Change when a file of the folder does: names, sizes and times of change, since weights are too large to read."""
    looks = ((f.name, f.stat()) for f in sorted(folder.glob("*")) if f.is_file())
    lines = (f"{name} {look.st_size} {look.st_mtime_ns}\n" for name, look in looks)
    return sha256("".join(lines).encode()).hexdigest()


def declare(
    inputs: Mapping[str, Any], tags: Mapping[str, str], here: Any, checks: Mapping[str, Any]
) -> tuple[str | Any, str | Any, list[Any]]:
    """Declare bucket and upload, unless the weights lie in a bucket already.

    Returns the bucket's name, the URI of the weights, and what must exist before they are read. `checks` is
    what the files are checked for before the first byte is sent (`_uploader`).
    """
    source = inputs["weights"]
    if "bucket" in source:
        return source["bucket"], f"s3://{source['bucket']}/{source['prefix']}", []
    bucket = _bucket(tags, here)
    upload = _dynamic.resource(
        "Weights",
        "weights",
        "_uploader",
        {**source, **checks, "bucket": bucket.bucket, "prefix": PREFIX, "region": inputs["region"]},
    )
    return bucket.bucket, upload.uri, [upload]


def _bucket(tags: Mapping[str, str], here: Any) -> Any:
    import pulumi_aws as aws

    bucket = aws.s3.Bucket("weights", force_destroy=True, tags=tags, opts=here)
    aws.s3.BucketPublicAccessBlock(
        "weights",
        bucket=bucket.id,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=here,
    )
    aws.s3.BucketLifecycleConfiguration(
        "weights",
        bucket=bucket.id,
        rules=[
            {
                "id": "abandoned-uploads",
                "status": "Enabled",
                "filter": {"prefix": ""},
                "abort_incomplete_multipart_upload": {"days_after_initiation": 7},
            }
        ],
        opts=here,
    )
    return bucket


def readable(bucket: str) -> list[dict[str, Any]]:
    """The statements that let a role read the bucket and nothing else."""
    arn = f"arn:aws:s3:::{bucket}"
    return [
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": arn},
        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": f"{arn}/*"},
    ]
