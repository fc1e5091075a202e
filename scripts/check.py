"""`./assent check`: lints, types, arrows, generated files and the fast suite. `--locks` also recompiles the locks."""

import sys

from scripts.steps import LOCKS, STATIC, failures, pytest


def main() -> int:
    """Run everything, then name what failed."""
    failed = failures((*STATIC, LOCKS) if "--locks" in sys.argv else STATIC)
    rest = [word for word in sys.argv[1:] if word != "--locks"]
    if pytest("-m", "not server and not browser", "-q", "-n", "auto", "--maxprocesses", "4", *rest):
        failed.append("fast suite")
    if failed:
        print(f"assent check: failed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
