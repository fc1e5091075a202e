"""What rules may say to ask for more than one owner."""

from typing import Any

LONE: dict[str, Any] = {"approvers": {"role": "owner"}}
STRICTER: dict[str, dict[str, Any]] = {
    "quorum": LONE | {"quorum": 2},
    "role": {"approvers": {"role": "admin"}},
    "assurance": LONE | {"assurance": "L3"},
    "comment": LONE | {"comment_required": True},
    "all_of": {"all_of": [{"role": "owner"}, {"role": "admin"}]},
    "stages": {"stages": [{"approvers": {"role": "admin"}}, {"approvers": {"role": "owner"}}]},
}
