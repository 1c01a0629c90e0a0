"""Schema: what all operations of the API have in common, added to the OpenAPI document."""

from typing import Any

TEXT, NUMBER = {"type": "string"}, {"type": "integer"}

PROBLEM_SCHEMA = {
    "type": "object",
    "description": "RFC 9457. `code` is stable; `errors` names the invalid fields.",
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
    """Add the problem as the default response of every operation."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
    answer = {
        "description": "Any error",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = answer
    return result
