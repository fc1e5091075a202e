"""The to-do list, through the connector's door."""

import asyncio

import pytest

from connectors.base import PermanentFailure


@pytest.fixture
def tasks(registry, stored):
    return registry.action("tasks.list").connector


@pytest.fixture
def titles(tasks, context):
    async def of(name="ana", **arguments):
        listed = await tasks.execute("list", arguments, context(name))
        return [one["title"] for one in listed["items"]], listed["total"]

    return of


class TestAdd:
    async def test_it_is_on_the_list(self, tasks, context, titles):
        added = await tasks.execute("add", {"title": "  Buy milk "}, context())

        assert (added["title"], added["done"]) == ("Buy milk", False)
        assert await titles() == (["Buy milk"], 1)

    async def test_the_same_key_adds_once(self, tasks, context, titles):
        first = await tasks.execute("add", {"title": "Buy milk"}, context(key="once"))
        again = await tasks.execute("add", {"title": "Buy milk"}, context(key="once"))

        assert (first, await titles()) == (again, (["Buy milk"], 1))

    async def test_the_same_key_at_the_same_time_adds_once(self, tasks, context, titles):
        calls = [tasks.execute("add", {"title": "Buy milk"}, context(key="once")) for _ in range(5)]

        assert len({one["id"] for one in await asyncio.gather(*calls)}) == 1
        assert await titles() == (["Buy milk"], 1)

    async def test_a_late_repeat_does_not_bring_it_back(self, tasks, context, titles):
        added = await tasks.execute("add", {"title": "Buy milk"}, context(key="once"))
        await tasks.execute("delete", {"id": added["id"]}, context())
        again = await tasks.execute("add", {"title": "Buy milk"}, context(key="once"))

        assert (again["id"], await titles()) == (added["id"], ([], 0))

    async def test_a_preview_changes_nothing(self, tasks, context, titles):
        preview = await tasks.preview("add", {"title": "Buy\nmilk " + "x" * 200}, context())

        assert preview.summary.startswith('Add the task "Buy milk x')
        assert len(preview.summary) < 110
        assert await titles() == ([], 0)


class TestList:
    async def test_a_limit_still_says_how_many(self, tasks, context, titles):
        for number in range(5):
            await tasks.execute("add", {"title": f"Task {number}"}, context())

        assert await titles(limit=2) == (["Task 0", "Task 1"], 5)

    async def test_open_ones_come_first(self, tasks, context, titles):
        first = await tasks.execute("add", {"title": "First"}, context())
        await tasks.execute("add", {"title": "Second"}, context())
        await tasks.execute("complete", {"id": first["id"]}, context())

        assert await titles() == (["Second", "First"], 2)
        assert await titles(state="open") == (["Second"], 1)
        assert await titles(state="done") == (["First"], 1)

    @pytest.mark.parametrize(
        ("text", "found"), [("50%", ["50% off"]), ("_", ["a_b"]), ("A_", ["a_b"]), ("' OR 1=1", [])]
    )
    async def test_a_title_is_searched_as_it_is(self, tasks, context, titles, text, found):
        for title in ("50% off", "500 off", "a_b", "ab"):
            await tasks.execute("add", {"title": title}, context())

        assert await titles(title=text) == (found, len(found))


class TestComplete:
    async def test_twice_is_once(self, tasks, context):
        added = await tasks.execute("add", {"title": "Buy milk"}, context())
        first = await tasks.execute("complete", {"id": added["id"]}, context())
        again = await tasks.execute("complete", {"id": added["id"]}, context())

        assert first == again == {**added, "done": True}

    async def test_the_preview_says_from_what_to_what(self, tasks, context):
        added = await tasks.execute("add", {"title": "Buy milk"}, context())
        (change,) = (await tasks.preview("complete", {"id": added["id"]}, context())).changes

        assert (change.before, change.after) == ("open", "done")


class TestDelete:
    async def test_it_is_gone(self, tasks, context, titles):
        added = await tasks.execute("add", {"title": "Buy milk"}, context())
        deleted = await tasks.execute("delete", {"id": added["id"]}, context())

        assert deleted == {"id": added["id"], "title": "Buy milk", "deleted": True}
        assert await titles() == ([], 0)

    async def test_a_repeat_of_the_call_has_the_same_outcome(self, tasks, context):
        added = await tasks.execute("add", {"title": "Buy milk"}, context())
        first = await tasks.execute("delete", {"id": added["id"]}, context(key="once"))

        assert await tasks.execute("delete", {"id": added["id"]}, context(key="once")) == first

    async def test_another_call_is_told_that_it_is_gone(self, tasks, context):
        added = await tasks.execute("add", {"title": "Buy milk"}, context())
        await tasks.execute("delete", {"id": added["id"]}, context())

        with pytest.raises(PermanentFailure, match="no such task"):
            await tasks.execute("delete", {"id": added["id"]}, context())

    async def test_the_preview_is_final(self, tasks, context):
        added = await tasks.execute("add", {"title": "Buy milk"}, context())
        preview = await tasks.preview("delete", {"id": added["id"]}, context())

        assert (preview.summary, preview.reversible) == ('Delete the task "Buy milk"', False)
        assert preview.changes[0].before == "Buy milk (open)"


class TestVisibility:
    @pytest.mark.parametrize("name", ["ben", "cleo"])
    async def test_others_do_not_see_it(self, tasks, context, titles, name):
        await tasks.execute("add", {"title": "Secret"}, context("ana"))

        assert await titles(name) == ([], 0)

    @pytest.mark.parametrize("name", ["ben", "cleo"])
    @pytest.mark.parametrize("action", ["complete", "delete"])
    async def test_to_others_it_is_not_there(self, tasks, context, titles, name, action):
        added = await tasks.execute("add", {"title": "Secret"}, context("ana"))

        with pytest.raises(PermanentFailure) as foreign:
            await tasks.execute(action, {"id": added["id"]}, context(name))
        with pytest.raises(PermanentFailure) as missing:
            await tasks.execute(action, {"id": "tsk_nothing"}, context(name))
        with pytest.raises(PermanentFailure):
            await tasks.preview(action, {"id": added["id"]}, context(name))
        assert foreign.value.detail == missing.value.detail
        assert await titles("ana", state="open") == (["Secret"], 1)

    async def test_another_persons_key_gives_nothing_away(self, tasks, context, titles):
        await tasks.execute("add", {"title": "Secret"}, context("ana", key="once"))

        with pytest.raises(Exception, match="cannot be used") as caught:
            await tasks.execute("add", {"title": "Mine"}, context("cleo", key="once"))
        assert "Secret" not in str(caught.value)

    async def test_the_same_person_elsewhere_has_another_list(self, tasks, context, people):
        await tasks.execute("add", {"title": "Secret"}, context("ana"))
        elsewhere = context("ana").model_copy(update={"workspace_id": people["cleo"][0]})

        assert (await tasks.execute("list", {}, elsewhere))["total"] == 0
