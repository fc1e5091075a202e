"""LanceDB is never given a filter as a string: whoever writes one into a string writes an injection one day.

A rule for our code base, held by its syntax: only `workers/memory` may import LanceDB, and what a filter is made from
is an expression.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("core", "workflows", "connectors", "workers", "api", "cli", "scripts")
TAKES_FILTER = frozenset({
    "where", "prefilter", "only_if", "delete", "update", "count_rows", "when_matched_update_all", "when_matched_delete",
    "when_not_matched_by_source_delete",
})  # fmt: skip
NAMED = frozenset({"where", "filter", "condition", "predicate", "expr"})
ALLOWED = frozenset({"workers/memory/shelf.py", "workers/memory/index.py", "workers/memory/keeper.py"})


def faults(source: str) -> list[str]:
    """The filters in a module that are not expressions, and other ways to write one, as `line: what`."""
    tree = ast.parse(source)
    expressions = set(_names_of_expressions(tree))
    found = []
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr == "count_rows" and (node.args or node.keywords):
            found.append(f"{node.lineno}: count_rows takes its filter as a string only")
        elif node.func.attr in TAKES_FILTER:
            given = [*node.args, *(one.value for one in node.keywords if one.arg in NAMED)]
            found += [f"{node.lineno}: {node.func.attr}" for one in given if not _is_expression(one, expressions)]
    return found


def _names_of_expressions(tree: ast.AST) -> Iterator[str]:
    """Parameters that are annotated as an expression, and loop variables over a function that yields them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation is not None and ast.unparse(node.annotation) == "Expr":
            yield node.arg
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.returns is not None]
    yields = {node.name for node in functions if node.returns and ast.unparse(node.returns) == "Iterable[Expr]"}
    for node in ast.walk(tree):
        if isinstance(node, ast.For) and isinstance(node.target, ast.Name) and _calls(node.iter) in yields:
            yield node.target.id


def _calls(node: ast.expr) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def _is_expression(node: ast.expr, expressions: set[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in expressions
    if isinstance(node, ast.Compare):
        return _starts_at_a_column(node.left) and all(_calls(one) == "lit" for one in node.comparators)
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.BitAnd | ast.BitOr) and all(
            _is_expression(one, expressions) for one in (node.left, node.right)
        )
    return _starts_at_a_column(node)


def _starts_at_a_column(node: ast.expr) -> bool:
    while isinstance(node, ast.Call | ast.Attribute):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return node.func.id == "col"
        node = node.func if isinstance(node, ast.Call) else node.value
    return False


def modules() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            yield str(file.relative_to(ROOT)), file.read_text("utf-8")


def imports_lancedb(source: str) -> bool:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import) and any(one.name.split(".")[0] == "lancedb" for one in node.names):
            return True
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "lancedb":
            return True
    return False


class TestOurCode:
    def test_lancedb_is_imported_where_its_rules_are_kept(self):
        found = {name for name, source in modules() if "lancedb" in source and imports_lancedb(source)}

        assert found <= ALLOWED
        assert "workers/memory/shelf.py" in found

    def test_no_filter_is_a_string(self):
        assert {name: said for name in sorted(ALLOWED) if (said := faults((ROOT / name).read_text("utf-8")))} == {}

    def test_nowhere_is_a_string_given_as_a_filter(self):
        said = []
        for name, source in modules():
            if ".where(" not in source:
                continue
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "where":
                    said += [
                        f"{name}:{node.lineno}"
                        for one in node.args
                        if isinstance(one, ast.JoinedStr)
                        or (isinstance(one, ast.Constant) and isinstance(one.value, str))
                    ]

        assert said == []


class TestTheRule:
    @pytest.mark.parametrize(
        "code",
        [
            "table.query().where(f\"user_id = '{user}'\")",
            "table.query().where('user_id = ' + user)",
            "table.query().where('user_id = %s' % user)",
            "table.query().where('user_id = {}'.format(user))",
            "table.query().where(clause)",
            "table.query().where(col('a') == lit(1) & clause)",
            "table.query().where((col('a') == lit(1)) & clause)",
            "table.delete(f'id = {x}')",
            "table.delete(' OR '.join(parts))",
            "table.update(where=text, updates={})",
            "table.count_rows(user_filter)",
            "table.count_rows(filter='a = 1')",
            "table.merge_insert('id').when_matched_update_all(where=text)",
            "table.merge_insert('id').when_not_matched_by_source_delete(text)",
            "def go(where: str):\n    table.query().where(where)",
            "for where in strings():\n    table.delete(where)",
        ],
    )
    def test_a_string_is_seen(self, code: str):
        assert faults(code)

    @pytest.mark.parametrize(
        "code",
        [
            "table.query().where(col('a') == lit(x))",
            "table.query().where((col('a') == lit(x)) & (col('b') > lit(y)))",
            "table.delete(col('a').isin([lit(x)]))",
            "table.count_rows()",
            "def go(where: Expr):\n    table.query().where(where)",
            "def some() -> Iterable[Expr]: ...\nfor where in some():\n    table.delete(where)",
        ],
    )
    def test_an_expression_passes(self, code: str):
        assert faults(code) == []
