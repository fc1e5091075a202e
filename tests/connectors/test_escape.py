"""No path, link, device or exchange of folders leads out of a workspace's folder."""

import os
import socket
import string
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import ConnectorError, PermanentFailure
from connectors.files import folder as folders
from connectors.files.folder import Folder
from connectors.files.paths import BadPath, parse_path

ABSOLUTE = "/etc/" + "passwd"
TRAVERSALS = [
    "..", ".", "", "/", "//", "../x", "../../x", "a/../x", "a/../../x", "a/..", "./a", "a/./b", "a//b", "a/", "/a",
    ABSOLUTE, "//server/share", "~", "~/x", "~root/x", "..\\x", "a\\..\\x", "\\x", "\\\\server\\share",
    "\\\\?\\C:\\x", "C:\\x", "C:x", "c:/x", "file:///x", "a:stream", "..%2fx", "..%5cx", "%2e%2e/x", "%00", "a%2Fb",
    "a\x00b", "\x00", "a\nb", "a\tb", "a\x1bb", "a\x7fb", "a\u202eb", "a\u200bb", "a\ufeffb", "a\u2066b", "a\u00adb",
    "a\u3164b", "a\u2800b", "a\u00a0b", "a\u2028b", "a\ufe0fb", "\ud800", "a\udcffb", "..\uff0fx", "\uff0e\uff0e/x",
    "\u2024\u2024/x", "a\u2215b", "a\u2044b", "a\uff3cb", "a\ufe68b", "a\uff1ab", "caf\u0065\u0301", "CON", "con",
    "nul.txt", "a/AUX", "COM1", "lpt9.log", "com\u00b9", "CONIN$", "a.", "a ", " a", "a/.. ", "...", "a<b", "a|b",
    "a?b", "a*b", 'a"b', "x" * 201, "\u00e9" * 101, "a/" * 12 + "a", "a" * 4_096, "\U000e0041", "a\uffffb",
    "a\u0378b",
]  # fmt: skip
NAMES = [
    "a",
    "notes/today.txt",
    ".hidden",
    "..a",
    "a..b",
    "über uns.txt",
    "日本語.md",
    "a-b_c (1).txt",
    "🥛.txt",
    "col·lecció",
]
PATHS = st.one_of(
    st.lists(st.sampled_from(["a", "link", "secret"]), min_size=1, max_size=3).map("/".join),
    st.text(max_size=40),
    st.sampled_from(TRAVERSALS),
    st.lists(st.sampled_from(["..", ".", "", "a", "in", "out", "link", "\\", "%2e", "~"]), max_size=6).map("/".join),
    st.text(alphabet=string.ascii_letters + "./\\:~%", max_size=30),
)


class TestPaths:
    def test_the_corpus_is_large(self):
        assert len(set(TRAVERSALS)) >= 40

    @pytest.mark.parametrize("path", TRAVERSALS, ids=ascii)
    def test_one_that_could_lead_elsewhere_is_refused(self, path):
        with pytest.raises(BadPath):
            parse_path(path)

    @pytest.mark.parametrize("path", NAMES)
    def test_an_honest_one_is_accepted(self, path):
        assert "/".join(parse_path(path)) == path

    @pytest.mark.parametrize("path", TRAVERSALS, ids=ascii)
    async def test_no_action_goes_along_it(self, everything, use, files, context, home, outside, tmp_path, path):
        before = everything(tmp_path)

        for action, more in (("read", {}), ("write", {"content": "x"}), ("delete", {})):
            with pytest.raises(BadPath):
                await use(action, path, **more)
            with pytest.raises(BadPath):
                await files.preview(action, {"path": path, **more}, context())
        if path:
            with pytest.raises(BadPath):
                await files.execute("list", {"folder": path}, context())

        assert everything(tmp_path) == before

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(path=PATHS)
    def test_no_path_reaches_outside(self, everything, path):
        with tempfile.TemporaryDirectory() as place:
            root, out = Path(place, "files"), Path(place, "out")
            inside = root / "wsp_x"
            (inside / "a").mkdir(parents=True)
            out.mkdir()
            (out / "secret").write_text("secret")
            (inside / "link").symlink_to(out)
            (inside / "a" / "link").symlink_to(out / "secret")
            folder = Folder(root, "wsp_x")
            with suppress(ConnectorError):
                names = parse_path(path)
                with suppress(ConnectorError):
                    assert b"secret" not in folder.read(names, 100).data
                with suppress(ConnectorError):
                    folder.write(names, b"written")
                with suppress(ConnectorError):
                    folder.delete(names, "key")

            assert everything(out) == {"secret": "secret"}
            assert {one.name for one in Path(place).iterdir()} == {"files", "out"}
            assert {one.name for one in root.iterdir()} <= {"wsp_x", ".aside"}


class TestLinks:
    @pytest.fixture
    def linked(self, home, outside) -> Path:
        (home / "folder").symlink_to(outside)
        (home / "file.txt").symlink_to(outside / "secret.txt")
        (home / "new.txt").symlink_to(outside / "new.txt")
        (home / "up").symlink_to("..")
        (home / "self").symlink_to("self")
        (home / "deep").mkdir()
        (home / "deep" / "folder").symlink_to(outside)
        return home

    @pytest.mark.parametrize(
        "path",
        [
            "file.txt",
            "folder/secret.txt",
            "deep/folder/secret.txt",
            "new.txt",
            "up/x",
            "self",
            "self/x",
            "folder",
            "folder/new/x",
        ],
    )
    async def test_none_is_followed(self, everything, use, linked, outside, tmp_path, path):
        before = everything(tmp_path)

        for action, more in (("read", {}), ("write", {"content": "x"}), ("delete", {})):
            with pytest.raises(PermanentFailure) as caught:
                await use(action, path, **more)
            assert str(tmp_path) not in caught.value.detail

        after = everything(tmp_path)
        assert {name: text for name, text in after.items() if ".aside" not in name} == before

    async def test_none_is_listed(self, files, context, linked):
        (linked / "real.txt").write_text("real")
        listed = await files.execute("list", {}, context())

        assert [one["path"] for one in listed["items"]] == ["real.txt"]
        assert (listed["total"], listed["not_shown"]) == (1, 6)

    async def test_a_workspace_that_is_a_link_is_refused(self, use, files_root, people, outside):
        files_root.mkdir(parents=True)
        (files_root / people["ana"][0]).symlink_to(outside)

        with pytest.raises(PermanentFailure):
            await use("read", "secret.txt")

    @pytest.mark.parametrize("action", ["read", "write", "delete"])
    async def test_a_file_exchanged_for_a_link_after_the_look_is_not_followed(
        self, everything, use, home, outside, monkeypatch, action
    ):
        (home / "a.txt").write_text("mine")
        look = folders._refuse_all_but_files

        def look_then_exchange(*arguments, **more):
            look(*arguments, **more)
            (home / "a.txt").unlink()
            (home / "a.txt").symlink_to(outside / "secret.txt")

        monkeypatch.setattr(folders, "_refuse_all_but_files", look_then_exchange)

        if action == "write":  # takes the link's place
            await use("write", "a.txt", content="new")
            assert (home / "a.txt").read_text() == "new"
        else:
            with pytest.raises(PermanentFailure, match="link"):
                await use(action, "a.txt")
            assert (home / "a.txt").is_symlink()
        assert everything(outside) == {"secret.txt": "secret"}

    @pytest.mark.parametrize("action", ["read", "write", "delete"])
    async def test_a_folder_exchanged_for_a_link_once_entered_is_left_behind(
        self, everything, use, home, outside, monkeypatch, action
    ):
        (home / "busy").mkdir()
        (home / "busy" / "secret.txt").write_text("mine")
        look = folders._refuse_all_but_files

        def exchange_then_look(*arguments, **more):
            if not (home / "idle").exists():
                (home / "busy").rename(home / "idle")
                (home / "busy").symlink_to(outside)
            look(*arguments, **more)

        monkeypatch.setattr(folders, "_refuse_all_but_files", exchange_then_look)
        answer = await use(action, "busy/secret.txt", **({"content": "new"} if action == "write" else {}))

        assert answer.get("text", "mine") == "mine"
        assert everything(home / "idle") == {"read": {"secret.txt": "mine"}, "write": {"secret.txt": "new"}}.get(
            action, {}
        )
        assert everything(outside) == {"secret.txt": "secret"}

    async def test_a_folder_in_the_place_of_the_file_goes_back(self, everything, use, home, monkeypatch):
        (home / "a").mkdir()
        (home / "a" / "b.txt").write_text("kept")
        monkeypatch.setattr(folders, "_refuse_all_but_files", lambda *_arguments, **_more: None)

        with pytest.raises(PermanentFailure, match="a folder"):
            await use("delete", "a")
        assert everything(home) == {"a/b.txt": "kept"}


class TestDevices:
    async def test_a_pipe_is_refused_without_waiting(self, use, home):
        os.mkfifo(home / "pipe")

        for action, more in (("read", {}), ("write", {"content": "x"}), ("delete", {})):
            with pytest.raises(PermanentFailure, match="a device"):
                await use(action, "pipe", **more)

    async def test_a_socket_is_refused(self, use, home, monkeypatch):
        monkeypatch.chdir(home)  # the name of a socket is short
        with socket.socket(socket.AF_UNIX) as one:
            one.bind("socket")
            with pytest.raises(PermanentFailure, match="a device"):
                await use("read", "socket")

    async def test_a_folder_is_no_file(self, use, home):
        (home / "folder").mkdir()

        for action, more in (("read", {}), ("write", {"content": "x"}), ("delete", {})):
            with pytest.raises(PermanentFailure, match="a folder"):
                await use(action, "folder", **more)

    async def test_a_file_is_no_folder(self, use, home):
        (home / "file").write_text("x")

        with pytest.raises(PermanentFailure, match="through a link or a file"):
            await use("write", "file/x", content="x")
