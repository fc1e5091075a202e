"""Files are read, written, deleted, listed and previewed in their workspace's folder."""

import os
import stat
from pathlib import Path

import pytest

from connectors.base import ConnectorError, PermanentFailure
from connectors.files.connector import MAX_READ_BYTES
from connectors.files.folder import MAX_FILE_BYTES

FDS = Path("/dev/fd")


class TestRead:
    async def test_text_comes_back_as_it_is(self, use):
        await use("write", "a/b.txt", content="Grüße\r\n🥛\n")

        assert await use("read", "a/b.txt") == {"path": "a/b.txt", "text": "Grüße\r\n🥛\n", "size": 14, "cut": False}

    async def test_a_long_text_is_cut_between_characters_and_says_so(self, use):
        text = "x" + "ü" * MAX_READ_BYTES
        await use("write", "long.txt", content=text)
        answer = await use("read", "long.txt")

        assert (answer["cut"], answer["size"]) == (True, 1 + 2 * MAX_READ_BYTES)
        assert answer["text"] == text[: MAX_READ_BYTES // 2]

    @pytest.mark.parametrize("data", [b"\xff\xfe", b"a\x00b", b"\xed\xa0\x80", b"ab\xc3"])
    async def test_what_is_no_text_is_refused(self, use, home, data):
        (home / "data").write_bytes(data)

        with pytest.raises(PermanentFailure, match="not a text file"):
            await use("read", "data")

    async def test_a_missing_one_is_named(self, use, home):
        with pytest.raises(PermanentFailure, match=r"There is no notes/x\.txt"):
            await use("read", "notes/x.txt")

    async def test_other_workspaces_have_other_files(self, use, files, context):
        await use("write", "a.txt", content="secret")

        assert (await use("read", "a.txt", name="ben"))["text"] == "secret"
        with pytest.raises(PermanentFailure, match="There is no"):
            await use("read", "a.txt", name="cleo")
        assert (await files.execute("list", {}, context("cleo")))["total"] == 0


class TestWrite:
    async def test_it_is_all_or_nothing(self, use, home, monkeypatch):
        await use("write", "a.txt", content="old")
        monkeypatch.setattr(os, "rename", full)

        with pytest.raises(ConnectorError, match="cannot be reached now"):
            await use("write", "a.txt", content="new")
        assert (home / "a.txt").read_text() == "old"
        assert list((home.parent / ".aside").iterdir()) == []

    async def test_others_on_the_machine_cannot_read_it(self, use, home):
        await use("write", "folder/a.txt", content="x")

        assert stat.S_IMODE((home / "folder" / "a.txt").stat().st_mode) == 0o600
        assert stat.S_IMODE((home / "folder").stat().st_mode) == 0o700

    async def test_it_does_not_write_through_a_second_name(self, use, home, outside):
        os.link(outside / "secret.txt", home / "a.txt")
        await use("write", "a.txt", content="new")

        assert (outside / "secret.txt").read_text() == "secret"

    async def test_a_large_one_is_refused(self, everything, use, files, context, home):
        content = "ü" * (MAX_FILE_BYTES // 2 + 1)

        with pytest.raises(PermanentFailure, match="larger"):
            await use("write", "a.txt", content=content)
        with pytest.raises(PermanentFailure, match="larger"):
            await files.preview("write", {"path": "a.txt", "content": content}, context())
        assert everything(home) == {}

    async def test_the_largest_is_written(self, use):
        assert (await use("write", "a.txt", content="x" * MAX_FILE_BYTES))["size"] == MAX_FILE_BYTES


class TestDelete:
    async def test_it_is_gone_with_its_text(self, everything, use, home):
        await use("write", "a.txt", content="secret")
        await use("delete", "a.txt")

        assert everything(home) == {}
        assert set(everything(home.parent / ".aside").values()) <= {""}

    async def test_a_repeat_of_the_call_has_the_same_outcome(self, use, home):
        await use("write", "a.txt", content="x")
        first = await use("delete", "a.txt", key="once")
        await use("write", "a.txt", content="written since")

        assert await use("delete", "a.txt", key="once") == first
        assert (home / "a.txt").read_text() == "written since"

    async def test_another_call_is_told_that_it_is_gone(self, use, home):
        await use("write", "a.txt", content="x")
        await use("delete", "a.txt")

        with pytest.raises(PermanentFailure, match="There is no"):
            await use("delete", "a.txt")

    async def test_one_key_does_not_delete_two(self, everything, use, home):
        await use("write", "a.txt", content="x")
        await use("write", "b.txt", content="x")
        await use("delete", "a.txt", key="once")
        await use("delete", "b.txt", key="once")

        assert everything(home) == {}


class TestList:
    async def test_a_limit_still_says_how_many(self, use, files, context):
        for name in ("c", "a", "b/x"):
            await use("write", name, content="12345")
        listed = await files.execute("list", {"limit": 2}, context())

        assert [(one["path"], one["name"], one["size"]) for one in listed["items"]] == [("a", "a", 5), ("b/x", "x", 5)]
        assert listed["total"] == 3

    async def test_a_folder_is_listed_with_whole_paths(self, use, files, context):
        await use("write", "b/c/x", content="")
        await use("write", "y", content="")
        listed = await files.execute("list", {"folder": "b"}, context())

        assert [one["path"] for one in listed["items"]] == ["b/c/x"]

    async def test_names_that_no_path_may_hold_are_counted(self, files, context, home):
        (home / "a\u202eb").write_text("")
        Path(os.fsdecode(os.fsencode(home) + b"/\xff")).write_text("")
        (home / "fine").write_text("")
        listed = await files.execute("list", {}, context())

        assert ([one["path"] for one in listed["items"]], listed["not_shown"]) == (["fine"], 2)

    async def test_nothing_is_open_afterwards(self, files, context, home):
        (home / "a" / "b").mkdir(parents=True)
        before = len(list(FDS.iterdir()))
        for _ in range(20):
            await files.execute("list", {}, context())

        assert len(list(FDS.iterdir())) <= before + 1


class TestPreview:
    async def test_a_new_file_is_shown_whole(self, files, context):
        preview = await files.preview("write", {"path": "a.txt", "content": "one\ntwo"}, context())

        assert (preview.summary, preview.reversible) == ("Create the file a.txt", True)
        assert preview.changes[0].after is not None
        assert preview.changes[0].after.splitlines()[-2:] == ["+one", "+two"]

    async def test_a_change_is_a_difference(self, use, files, context):
        await use("write", "a.txt", content="one\ntwo\n")
        preview = await files.preview("write", {"path": "a.txt", "content": "one\nthree\n"}, context())

        assert (preview.summary, preview.reversible) == ("Replace the file a.txt", False)
        assert preview.changes[0].after is not None
        assert {"-two", "+three", " one"} <= set(preview.changes[0].after.splitlines())

    async def test_a_long_one_is_cut_and_says_so(self, use, files, context):
        await use("write", "a.txt", content="x\n" * 100_000)
        preview = await files.preview("write", {"path": "a.txt", "content": "y" * 500 + "\ny" * 100_000}, context())

        assert preview.changes[0].after is not None
        assert len(preview.changes[0].after) < 15_000
        assert any("Not all is shown" in warning for warning in preview.warnings)

    async def test_hidden_characters_and_lost_data_are_warned_of(self, files, context, home):
        (home / "a.txt").write_bytes(b"\xff\x00")
        preview = await files.preview("write", {"path": "a.txt", "content": "a\u202eb"}, context())

        assert len(preview.warnings) == 2


def full(*_arguments, **_more):
    raise OSError(28, "No space left on device")
