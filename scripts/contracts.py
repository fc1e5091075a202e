"""A contract for import-linter: one package may import only the named modules of another."""

from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class OnlyContract(Contract):
    """Names each direct import from `importer` to a module of `imported` that is not in `allowed`."""

    importer = fields.StringField()
    imported = fields.StringField()
    allowed = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002 - import-linter's signature
        """Collect the forbidden arrows."""
        importer, imported = str(self.importer), str(self.imported)
        allowed = {str(name) for name in cast("set[str]", self.allowed)}
        strays = sorted(
            (source, target)
            for source in {importer, *graph.find_descendants(importer)}
            for target in graph.find_modules_directly_imported_by(source)
            if target.split(".")[0] == imported and target not in allowed
        )
        return ContractCheck(kept=not strays, metadata={"strays": strays})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print one line per forbidden arrow."""
        for source, target in check.metadata["strays"]:
            output.print_error(f"{source} may not import {target}")
