"""The tree drawn in docs/architecture.md is the tree; nothing in the repository belongs to one machine."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("core", "workflows", "connectors", "workers", "api", "cli")
# What every repository has, and what the page therefore need not name.
USUAL = {"README.md", "LICENSE", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "pyproject.toml"}
# In pieces, so that this file does not contain what it looks for.
MACHINE_PATHS = re.compile("|".join(f"/{folder}/[A-Za-z]" for folder in ("home", "Users", "root", "tmp", "work/main")))


def git(*arguments: str) -> list[str]:
    done = subprocess.run(("git", *arguments), cwd=ROOT, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if (ROOT / line).is_file()]


@pytest.fixture(scope="module")
def files() -> list[str]:
    """Every file that git tracks or would track."""
    return git("ls-files", "--cached", "--others", "--exclude-standard")


@pytest.fixture(scope="module")
def drawn() -> dict[str, set[str]]:
    """Each name at the left edge of the tree with the names drawn below it: folders end with a slash."""
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    tree: dict[str, set[str]] = {}
    top = ""
    for line in page.split("```")[1].strip().splitlines():
        if line.startswith("  "):
            tree[top] |= set(leading_names(line.split()))
        else:
            top = line.split()[0]
            tree[top] = set()
    return tree


def leading_names(words: list[str]) -> list[str]:
    """Return the file and folder names that a line begins with."""
    names = []
    for word in words:
        if not re.fullmatch(r"[\w.]+(\.py|/)", word):
            break
        names.append(word)
    return names


def first_level(files: list[str], folder: str) -> set[str]:
    """Return the names right inside a folder of the repository ("" is the root); folders end with a slash."""
    prefix = f"{folder}/" if folder else ""
    rests = (name.removeprefix(prefix) for name in files if name.startswith(prefix))
    return {f"{rest.split('/')[0]}/" if "/" in rest else rest for rest in rests}


class TestTree:
    def test_the_root_holds_what_the_page_draws(self, files, drawn):
        there = {name for name in first_level(files, "") if not name.startswith(".")} - USUAL

        assert there == set(drawn)

    @pytest.mark.parametrize("package", PACKAGES)
    def test_every_folder_of_a_package_is_drawn(self, package, files, drawn):
        there = {name for name in first_level(files, package) if name.endswith("/")}
        named = {name for name in drawn[f"{package}/"] if name.endswith("/")}

        assert there == named

    @pytest.mark.parametrize("package", PACKAGES)
    def test_every_module_of_a_package_is_drawn(self, package, files, drawn):
        there = {name for name in first_level(files, package) if name.endswith(".py")} - {"__init__.py", "__main__.py"}
        named = {name for name in drawn[f"{package}/"] if name.endswith(".py")}

        assert there == named

    def test_every_connector_keeps_to_itself(self, files):
        contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
        independent = next(contract["modules"] for contract in contracts if contract["type"] == "independence")
        folders = {f"connectors.{name[:-1]}" for name in first_level(files, "connectors") if name.endswith("/")}

        assert set(independent) == folders


class TestPortability:
    def test_no_file_names_a_folder_of_one_machine(self, files):
        strays = [
            f"{name}: {found.group()}"
            for name in files
            if not name.endswith((".png", ".ico", ".woff2", ".gz"))
            if (found := MACHINE_PATHS.search((ROOT / name).read_text("utf-8", "replace")))
        ]

        assert strays == []

    def test_locks_work_with_any_index(self, files):
        locks = [name for name in files if name.startswith("lock/") or name.endswith("package-lock.json")]
        strays = [name for name in locks if "://" in (ROOT / name).read_text("utf-8")]

        assert len(locks) >= 6
        assert strays == []

    def test_every_locked_package_carries_hashes(self, files):
        bare = [
            line
            for name in files
            if name.startswith("lock/")
            for line in (ROOT / name).read_text("utf-8").splitlines()
            if "==" in line and not line.endswith("\\")
        ]

        assert bare == []


class TestCompose:
    def test_it_describes_the_backing_services(self):
        compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))

        assert {"postgres", "redis", "temporal", "temporal-ui"} <= set(compose["services"])
        for service in compose["services"].values():
            assert service["image"].count(":") >= 1
            assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", ()))
            assert set(service.get("depends_on", {})) <= set(compose["services"])
