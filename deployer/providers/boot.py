"""How a rented machine of a cloud boots, as far as clouds differ."""

from __future__ import annotations

from pathlib import Path

from deployer.core.records import dataclass


@dataclass(frozen=True)
class BootDialect:
    """What a rented machine does in its cloud's own way when it starts, and when nobody uses it.

    `script` defines functions of the shell, sourced by `templates/cloud/common.sh` with `deployment` and `region` set:
    `addresses` prints where the machine is called, `read_secret FILE` writes the deployment's secret as JSON,
    `fast_disk` may set `room` to a folder on a faster disk, `fetch_file URI FILE` and `fetch_folder URI FOLDER` read a
    bucket, `log_options NAME` sets the array `logging` to options of `docker run`. `watchdog` is the module that
    fulfils `deployer.agents.watchdog.Cloud`; None: to shut down is enough there. The machine may only speak HTTPS, so
    `proxy_image` is an nginx from a registry that can be reached. `most_bytes` is what the cloud takes of compressed
    user data.
    """

    script: Path
    proxy_image: str
    most_bytes: int
    watchdog: Path | None = None
