"""What a database's errors tell: they go to logs, which are no place for what people wrote."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from core.store.database import Database


class TestError:
    async def test_tells_nothing_of_what_was_to_be_written(self, database: Database):
        with pytest.raises(SQLAlchemyError) as caught:
            async with database.writing() as session:
                await session.execute(text("INSERT INTO nowhere VALUES (:said)"), {"said": "my secret"})

        assert "my secret" not in str(caught.value)
