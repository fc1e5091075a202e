"""The key ring: made once, read by nobody else, one key for each purpose."""

import base64
import threading

import pytest

from core.errors import Misconfigured
from core.keys import KeyRing, UnknownKey, is_setup_code, load_ring, setup_code

OLD, NEW = b"o" * 32, b"n" * 32


@pytest.fixture(autouse=True)
def no_keys_around(monkeypatch):
    monkeypatch.delenv("ASSENT_KEYS", raising=False)
    monkeypatch.delenv("ASSENT_KEY_FILE", raising=False)


def written(**keys: bytes) -> str:
    return ",".join(f"{key_id}:{base64.b64encode(key).decode()}" for key_id, key in keys.items())


class TestRing:
    def test_the_newest_is_active_and_all_can_be_asked_for(self):
        ring = KeyRing({"old": OLD, "new": NEW})

        assert ring.active("jwt")[0] == "new"
        assert ring.get("jwt", "old") == KeyRing({"old": OLD}).active("jwt")[1]

    def test_purposes_do_not_share_a_key(self):
        ring = KeyRing({"k": OLD})
        keys = {ring.active(purpose)[1] for purpose in ("jwt", "audit", "codec", "setup-code")}

        assert len(keys | {OLD}) == 5

    def test_an_unknown_id_says_which_are_known(self):
        with pytest.raises(UnknownKey, match=r"'gone'.*has k"):
            KeyRing({"k": OLD}).get("jwt", "gone")

    def test_keys_do_not_show(self):
        assert repr(KeyRing({"k": OLD})) == "KeyRing(k)"

    def test_a_short_key_is_refused(self):
        with pytest.raises(Misconfigured):
            KeyRing({"k": b"short"})


class TestFile:
    def test_it_is_made_with_mode_0600_and_read_again(self, tmp_path):
        made = load_ring(tmp_path / "data")

        assert (tmp_path / "data" / "keys.json").stat().st_mode & 0o777 == 0o600
        assert load_ring(tmp_path / "data").active("jwt") == made.active("jwt")
        assert [one.name for one in (tmp_path / "data").iterdir()] == ["keys.json"]

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
    def test_others_must_not_read_it(self, tmp_path, mode):
        load_ring(tmp_path)
        (tmp_path / "keys.json").chmod(mode)

        with pytest.raises(Misconfigured, match="chmod 600"):
            load_ring(tmp_path)

    def test_processes_that_start_together_agree(self, tmp_path):
        rings: list[KeyRing] = []
        threads = [threading.Thread(target=lambda: rings.append(load_ring(tmp_path))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(rings) == 8
        assert len({ring.active("jwt") for ring in rings}) == 1

    def test_a_broken_file_is_not_replaced(self, tmp_path):
        file = tmp_path / "keys.json"
        file.write_text("{")
        file.chmod(0o600)

        with pytest.raises(Misconfigured, match=r"keys\.json"):
            load_ring(tmp_path)
        assert file.read_text() == "{"


class TestEnvironment:
    def test_keys_come_from_the_environment(self, tmp_path, monkeypatch):
        monkeypatch.setenv("ASSENT_KEYS", written(a=OLD, b=NEW))

        assert load_ring(tmp_path).active("jwt") == KeyRing({"b": NEW}).active("jwt")
        assert not list(tmp_path.iterdir())

    def test_a_named_file_must_be_there(self, tmp_path, monkeypatch):
        monkeypatch.setenv("ASSENT_KEY_FILE", str(tmp_path / "elsewhere.json"))

        with pytest.raises(Misconfigured, match="elsewhere"):
            load_ring(tmp_path)

    @pytest.mark.parametrize("line", ["a", "a:", "a:!!!!", ":" + "A" * 44, "a:c2hvcnQ="])
    def test_nonsense_is_refused(self, line, tmp_path, monkeypatch):
        monkeypatch.setenv("ASSENT_KEYS", line)

        with pytest.raises(Misconfigured):
            load_ring(tmp_path)


class TestSetupCode:
    def test_it_is_easy_to_type(self):
        ring = KeyRing({"k": OLD})
        code = setup_code(ring)

        assert len(code) == 9
        assert is_setup_code(ring, f" {code.lower()} ")
        assert is_setup_code(ring, code.replace("-", ""))

    @pytest.mark.parametrize("typed", ["", "AAAA-AAAA", "\ud800", "é"])
    def test_another_one_is_refused(self, typed):
        assert not is_setup_code(KeyRing({"k": OLD}), typed)

    def test_it_depends_on_the_ring(self):
        assert setup_code(KeyRing({"k": OLD})) != setup_code(KeyRing({"k": NEW}))
