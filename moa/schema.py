"""Schema: what every operation of the API has in common, added to the OpenAPI document."""

from typing import Any

TEXT, NUMBER = {"type": "string"}, {"type": "integer"}

PROBLEM_SCHEMA = {
    "type": "object",
    "description": "RFC 9457. `code` is stable; `errors` names the fields that are wrong.",
    "required": ["type", "title", "status", "code", "detail", "errors"],
    "properties": {
        "type": TEXT,
        "title": TEXT,
        "status": NUMBER,
        "code": TEXT,
        "detail": TEXT,
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code", "detail", "path"],
                "properties": {"code": TEXT, "detail": TEXT, "path": TEXT},
            },
        },
    },
}


def document_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the problem as the answer of every operation to whatever goes wrong."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
    answer = {
        "description": "Whatever goes wrong",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = answer
    return result
