"""Files are written whole or not at all, and as private as they should be."""

from __future__ import annotations

import os
import threading

import pytest

from deployer.core.errors import PrerequisiteError
from deployer.core.files import replace_file, write_output, write_private


def mode(path):
    return path.stat().st_mode & 0o777


def test_a_private_file_is_its_owners_alone_and_so_is_its_new_folder(tmp_path):
    file = tmp_path / "a" / "key"
    write_private(file, "geheim ß")
    assert file.read_text(encoding="utf-8") == "geheim ß"
    assert mode(file) == 0o600
    assert mode(file.parent) == 0o700


def test_what_was_there_stays_where_the_new_one_cannot_be_written(tmp_path):
    file = tmp_path / "kept"
    file.write_text("before")
    with pytest.raises(UnicodeEncodeError):
        replace_file(file, "\ud800", mode=0o600)
    assert file.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize("write", [write_private, write_output])
def test_a_place_that_cannot_be_written_is_named_with_a_hint(tmp_path, write):
    with pytest.raises(PrerequisiteError) as caught:
        write(tmp_path, "text over a folder")
    assert str(tmp_path) in caught.value.message
    assert caught.value.where == str(tmp_path)
    assert caught.value.hint
    assert not any(tmp_path.iterdir())


def test_a_file_of_the_users_keeps_its_permissions_and_its_link(tmp_path):
    file, link = tmp_path / "real.html", tmp_path / "link.html"
    file.write_text("before")
    file.chmod(0o640)
    link.symlink_to(file)
    write_output(link, "after")
    assert link.is_symlink()
    assert file.read_text() == "after"
    assert mode(file) == 0o640


def test_a_new_file_of_the_users_is_as_any_other(tmp_path):
    write_output(tmp_path / "ours", "text")
    (tmp_path / "any").write_text("text")
    assert mode(tmp_path / "ours") == mode(tmp_path / "any")


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    write_output(pipe, "through")
    reader.join(timeout=10)
    assert read == ["through"]
    assert pipe.is_fifo()


def test_who_reads_sees_one_text_or_the_other_whoever_writes(tmp_path):
    file, texts = tmp_path / "file", [letter * 50_000 for letter in "ab"]
    write_private(file, texts[0])

    def write(text):
        for _ in range(30):
            write_private(file, text)

    writers = [threading.Thread(target=write, args=[text]) for text in texts]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert file.read_text() in texts
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
