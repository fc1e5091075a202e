"""The stage on which the corpus plays."""

from tests.workflows.conftest import idle_stage, stage

__all__ = ["idle_stage", "stage"]
