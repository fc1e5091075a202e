"""A person's own editor, on a text in a file that only they can read."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from cli.talk.ending import WrongUsage

_USUAL = "notepad" if os.name == "nt" else "vi"


def edit_text(text: str, suffix: str) -> str:
    """Open a text in `$VISUAL` or `$EDITOR` and give what it is afterwards; raises WrongUsage when that fails."""
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or _USUAL)
    with tempfile.TemporaryDirectory(prefix="assent-") as folder:
        file = Path(folder, f"text{suffix}")
        file.write_text(text, encoding="utf-8")
        try:
            subprocess.run([*command, str(file)], check=True)
            return file.read_text(encoding="utf-8")
        except (OSError, subprocess.CalledProcessError, UnicodeDecodeError) as error:
            message = f"The editor `{shlex.join(command)}` did not do it: {error}. Set EDITOR, or save a file."
            raise WrongUsage(message) from error
