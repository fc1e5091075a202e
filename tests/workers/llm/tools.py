"""The tools of the tests: the shape that manifests give, and one third party's."""

from workers.llm.port import ToolSpec

_ID = {
    "type": "object",
    "properties": {
        "id": {
            "type": "string",
            "description": "The task",
            "x-resolve": {"action": "tasks.list", "match": "title", "value": "id"},
        }
    },
    "required": ["id"],
    "additionalProperties": False,
}
_PATH = {"type": "string", "description": "Path inside the folder"}
TASKS = (
    ToolSpec(
        "tasks.list",
        "List the tasks on the to-do list.",
        {"type": "object", "properties": {"limit": {"type": "integer"}}, "additionalProperties": False},
        ("list my tasks", "what is on my list?"),
    ),
    ToolSpec(
        "tasks.add",
        "Add a task to the to-do list.",
        {"type": "object", "properties": {"title": {"type": "string", "maxLength": 200}}, "required": ["title"]},
        ("add {title}", "add a task: {title}", "remind me to {title}"),
    ),
    ToolSpec("tasks.complete", "Mark a task as done.", _ID, ("complete {title}", "mark {title} as done")),
    ToolSpec("tasks.delete", "Delete a task for good.", _ID, ("delete the task {title}",)),
)
FILES = (
    ToolSpec(
        "files.list",
        "List the files in the workspace's folder.",
        {"type": "object", "properties": {"path": _PATH}},
        ("list files", "what files are there?"),
    ),
    ToolSpec(
        "files.read",
        "Read a text file.",
        {"type": "object", "properties": {"path": _PATH}, "required": ["path"]},
        ("read {path}", "show the file {path}"),
    ),
    ToolSpec(
        "files.write",
        "Write text to a file.",
        {
            "type": "object",
            "properties": {"path": _PATH, "content": {"type": "string"}},
            "required": ["path", "content"],
        },
        ("write {content} to {path}",),
    ),
    ToolSpec(
        "files.delete",
        "Delete a file.",
        {"type": "object", "properties": {"path": _PATH}, "required": ["path"]},
        ("delete the file {path}",),
    ),
)
BILLING = (
    ToolSpec(
        "billing.refund_order",
        "Refund an order to the customer.",
        {
            "type": "object",
            "properties": {
                "order": {"type": "string", "description": "Number of the order"},
                "amount": {"type": "number", "description": "Amount in euros"},
                "reason": {"type": "string", "enum": ["damaged", "late", "other"]},
            },
            "required": ["order", "amount"],
        },
        ("refund order {order} with {amount}",),
    ),
    ToolSpec(
        "billing.search_invoices",
        "Search the invoices of a customer.",
        {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
        (),
    ),
)
TOOLS = TASKS + FILES
