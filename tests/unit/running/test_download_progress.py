"""How far a download is: what is said, and what is not."""

from __future__ import annotations

from deployer.running.download_progress import GB, Growth
from deployer.running.native import hub_cache


def said(total: int | None, *held: int | None) -> list[str]:
    growth = Growth(total)
    return [line for line in map(growth.line, held) if line]


def test_each_ten_percent_are_a_line():
    lines = said(10 * GB, 0, GB // 2, GB, GB + 1, 5 * GB)
    assert lines == [
        "weights [##..................]  10 %  1.0 of 10.0 GB",
        "weights [##########..........]  50 %  5.0 of 10.0 GB",
    ]


def test_what_was_there_before_is_not_counted():
    assert said(10 * GB, 100 * GB, 100 * GB) == []
    assert said(10 * GB, 100 * GB, 102 * GB) == [
        "weights [####................]  20 %  2.0 of 10.0 GB"
    ]


def test_the_end_is_the_engines_to_say():
    (line,) = said(10 * GB, 0, 20 * GB)
    assert " 99 % " in line


def test_without_a_total_each_gigabyte_is_a_line():
    assert said(None, 0, GB - 1, GB, GB + 5, 3 * GB) == ["weights 1.0 GB", "weights 3.0 GB"]


def test_of_a_cache_that_cannot_be_seen_nothing_is_said():
    assert said(10 * GB, None, None) == []


def test_a_cache_that_shrinks_says_nothing():
    assert said(10 * GB, 5 * GB, 0) == []


def test_unfinished_files_of_that_repository_alone_are_counted(tmp_path):
    for name, file, size in (
        ("models--me--mine", "abc", 100),
        ("models--me--mine", "def.incomplete", 20),
        ("models--me--other", "abc", 7),
    ):
        blobs = tmp_path / name / "blobs"
        blobs.mkdir(parents=True, exist_ok=True)
        (blobs / file).write_bytes(b"x" * size)
    assert hub_cache.held(tmp_path, "me/mine@main") == 120
    assert hub_cache.held(tmp_path, "me/none") == 0
