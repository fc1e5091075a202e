"""A mypy plugin: on the class, a field of a table is a column (`Turn.id` in a query), on an instance its value."""

from collections.abc import Callable

from mypy.nodes import MypyFile, TypeInfo
from mypy.plugin import AttributeContext, Plugin
from mypy.types import CallableType, Instance, Overloaded, Type, get_proper_type

_MODULE = "sqlalchemy.orm.attributes"
_COLUMN = f"{_MODULE}.InstrumentedAttribute"


class ColumnsPlugin(Plugin):
    """Gives the fields of SQLModel tables the type that SQLAlchemy makes of them; SQLModel declares only the value."""

    def get_additional_deps(self, file: MypyFile) -> list[tuple[int, str, int]]:
        """Load the column's own type before any of our modules."""
        return [(10, _MODULE, -1)] if file.fullname.startswith("core.tables") else []

    def get_class_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        """Pick the public fields of classes that inherit from SQLModel."""
        owner, _, name = fullname.rpartition(".")
        if name.startswith(("_", "model_")) or name == "metadata" or not owner.startswith("core."):
            return None
        table = self._class(owner)
        return self._as_column if table and table.has_base("sqlmodel.main.SQLModel") else None

    def _as_column(self, context: AttributeContext) -> Type:
        declared = context.default_attr_type
        column = self._class(_COLUMN)
        if context.is_lvalue or column is None or isinstance(get_proper_type(declared), CallableType | Overloaded):
            return declared
        return Instance(column, [declared])

    def _class(self, fullname: str) -> TypeInfo | None:
        symbol = self.lookup_fully_qualified(fullname)
        return symbol.node if symbol and isinstance(symbol.node, TypeInfo) else None


def plugin(_version: str) -> type[Plugin]:
    """Tell mypy which plugin this file holds."""
    return ColumnsPlugin
