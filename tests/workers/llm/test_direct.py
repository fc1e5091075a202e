"""`/do connector.action key=value ...`: what can be typed, and what it becomes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.llm.offline.direct import UnknownSyntax, coerce, parse_do
from workers.llm.port import CallAsked

READ = [
    ("/do tasks.list", "tasks.list", {}),
    ("  /do   tasks.list  ", "tasks.list", {}),
    ("/do tasks.add title=Milk", "tasks.add", {"title": "Milk"}),
    ('/do tasks.add title="Buy milk"', "tasks.add", {"title": "Buy milk"}),
    ("/do tasks.add title='Buy \"good\" milk'", "tasks.add", {"title": 'Buy "good" milk'}),
    ('/do tasks.add title="a \\"b\\" \\\\ c\\n"', "tasks.add", {"title": 'a "b" \\ c\n'}),
    ('/do tasks.add title=""', "tasks.add", {"title": ""}),
    ("/do tasks.list limit=3 done=true", "tasks.list", {"limit": 3, "done": True}),
    ('/do a.b tags=["a", "b"] more={"x": [1]}', "a.b", {"tags": ["a", "b"], "more": {"x": [1]}}),
    ('/do a.b number="3"', "a.b", {"number": "3"}),
    ("/do a.b code=007 big=1e400 none=null", "a.b", {"code": "007", "big": "1e400", "none": None}),
    ("/do a.b url=https://x.example/?a=b", "a.b", {"url": "https://x.example/?a=b"}),
    ("/do a.b\nx=1\ny=2", "a.b", {"x": 1, "y": 2}),
]
WRONG = [
    "/do",
    "/do tasks",
    "/do tasks.add Milk",
    "/do tasks.add title=",
    '/do tasks.add title="Milk',
    "/do tasks.add title=a title=b",
    '/do tasks.add title="a"b',
    "/do a.b x=[1,",
    "/do a.b x=[NaN]",
    "/do a.b x=" + "[" * 5000,
    '/do a.b x=["\\u0000"]',
    '/do a.b x=["\\ud800"]',
]


class TestCommand:
    @pytest.mark.parametrize(("text", "name", "arguments"), READ)
    def test_what_is_written_right_is_a_call(self, text, name, arguments):
        assert parse_do(text) == CallAsked("do", name, arguments)

    @pytest.mark.parametrize("text", WRONG)
    def test_what_is_written_wrong_is_explained(self, text):
        with pytest.raises(UnknownSyntax) as caught:
            parse_do(text)

        assert caught.value.status == 422
        assert len(caught.value.detail) < 250

    @pytest.mark.parametrize("text", ["", "list", "/document", "please /do tasks.list", "/ do tasks.list"])
    def test_other_text_is_no_command(self, text):
        assert parse_do(text) is None

    @given(st.text())
    def test_any_rest_is_read_or_explained(self, rest):
        try:
            call = parse_do(f"/do a.b {rest}")
        except UnknownSyntax:
            call = None

        assert call is None or call.name == "a.b"


SCHEMA = {
    "properties": {
        "title": {"type": "string"},
        "limit": {"type": "integer"},
        "price": {"type": "number"},
        "done": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "maybe": {"type": ["integer", "null"]},
    }
}
COERCED = [
    ({"title": 3}, {"title": "3"}),
    ({"title": True}, {"title": "true"}),
    ({"limit": "3"}, {"limit": 3}),
    ({"limit": "many"}, {"limit": "many"}),
    ({"price": "1.5"}, {"price": 1.5}),
    ({"done": "yes"}, {"done": True}),
    ({"tags": "a"}, {"tags": ["a"]}),
    ({"tags": 3}, {"tags": ["3"]}),
    ({"either": 3}, {"either": 3}),
    ({"maybe": "3"}, {"maybe": 3}),
    ({"maybe": None}, {"maybe": None}),
    ({"unknown": "x"}, {"unknown": "x"}),
]


class TestCoerce:
    @pytest.mark.parametrize(("given_", "expected"), COERCED)
    def test_values_take_the_type_of_the_schema_where_that_is_plain(self, given_, expected):
        assert coerce(given_, SCHEMA) == expected
