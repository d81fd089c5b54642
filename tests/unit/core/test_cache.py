"""A cache answers what was asked before, and never stands in the way."""

from __future__ import annotations

import pytest

from deployer.core.cache import MOST_BYTES, Cache, digest, fresh


def number(found):
    return int(found["number"])


def test_what_was_kept_is_known_to_its_owner_alone(tmp_path):
    cache = Cache(tmp_path / "numbers", number)
    assert cache.get("a") is None
    cache.put("a", {"number": 3})
    assert (cache.get("a"), cache.get("b")) == (3, None)
    assert (tmp_path / "numbers").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "numbers" / "a.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "spoilt",
    [b"", b"{", b"[]", b'{"number": "x"}', b"null", b"\xff", b"[" * 100_000, b'{"number": 1e999}'],
    ids=["empty", "cut", "list", "word", "null", "not UTF-8", "deep", "infinite"],
)
def test_a_damaged_file_is_not_known_and_written_anew(tmp_path, spoilt):
    cache = Cache(tmp_path, number)
    (tmp_path / "a.json").write_bytes(spoilt)
    assert cache.get("a") is None
    cache.put("a", {"number": 4})
    assert cache.get("a") == 4


def test_a_file_that_is_far_too_long_is_not_read(tmp_path):
    with (tmp_path / "a.json").open("wb") as file:
        file.write(b'{"number": 3}')
        file.truncate(MOST_BYTES + 1)
    assert Cache(tmp_path, lambda _: pytest.fail("it was read")).get("a") is None


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "file").write_text("no folder")
    for cache in (Cache(tmp_path / "file", number), Cache(None, number)):
        cache.put("a", {"number": 3})
        assert cache.get("a") is None


def test_another_question_and_other_code_have_another_key(tmp_path):
    code = tmp_path / "code.py"
    code.write_text("1")
    first = digest({"a": 1, "b": 2}, [code])
    assert digest({"b": 2, "a": 1}, [code]) == first
    assert digest({"a": 1, "b": 3}, [code]) != first
    code.write_text("2")
    assert digest({"a": 1, "b": 2}, [code]) != first


@pytest.mark.parametrize(
    ("since", "is_fresh"),
    [
        ("2026-11-20T12:00:00+00:00", True),
        ("2026-11-20T12:00:00", True),
        ("2026-11-19T12:00:00+00:00", True),
        ("2026-11-19T11:59:59+00:00", False),
        ("2026-11-20T12:00:01+00:00", False),
        ("2026-11-20T13:00:00+02:00", True),
        ("yesterday", False),
    ],
)
def test_an_answer_is_fresh_for_some_hours_and_never_from_the_future(since, is_fresh):
    assert fresh(since, "2026-11-20T12:00:00+00:00", 24) is is_fresh
