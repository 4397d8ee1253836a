"""The OpenAPI document: what the framework knows of its routes, the hot routes beside them, and examples of each."""

from __future__ import annotations

from typing import Any

import msgspec

from collector.asgi import PROBLEMS

from . import bodies, replies
from .examples import EXAMPLES, Example

__all__ = ["complete"]

Operation = dict[str, Any]
_JSON = "application/json"
_REFERENCE = "#/components/schemas/{name}"

_REPLIES: dict[str, type[msgspec.Struct]] = {
    "GET /v1/decisions": replies.Decision,
    "POST /v1/decisions:batch": replies.Decisions,
    "POST /v1/grants": replies.Granting,
    "POST /v1/grants:finish": replies.FinishedAll,
    "POST /v1/grants/{id}:settle": replies.Finished,
    "POST /v1/grants/{id}:extend": replies.Finished,
    "POST /v1/grants/{id}:release": replies.Released,
    "GET /v1/budgets": replies.Budgets,
    "GET /v1/breakers": replies.Breakers,
    "POST /v1/breakers": replies.Forced,
    "GET /v1/grants": replies.Grants,
    "GET /v1/shares": replies.Shares,
    "GET /v1/policies": replies.Policies,
    "GET /v1/overrides": replies.Overrides,
    "POST /v1/overrides": replies.Override,
    "DELETE /v1/overrides/{id}": replies.Override,
    "GET /v1/explain": replies.Explanation,
    "POST /v1/tasks/{id}:stop": replies.Stopped,
    "GET /healthz": replies.Health,
    "GET /readyz": replies.Health,
}
_BODIES = (
    bodies.ScopesBody,
    bodies.GrantBody,
    bodies.SettleBody,
    bodies.ExtendBody,
    bodies.ReleaseBody,
    bodies.FinishBody,
)


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """The framework's document with all that it does not know: done twice, it is the same."""
    for path, operations in _hot_routes().items():
        document["paths"].setdefault(path, {}).update(operations)
    described = (bodies.ScopeQuery, *_BODIES, *_REPLIES.values())
    schemas = msgspec.json.schema_components(described, ref_template=_REFERENCE)[1]
    # It is taken apart into parameters.
    del schemas["ScopeQuery"]
    document.setdefault("components", {}).setdefault("schemas", {}).update(schemas)
    for route, reply in _REPLIES.items():
        _answer(_operation(document, route)).setdefault(_JSON, {})["schema"] = _reference(reply)
    for route, example in EXAMPLES.items():
        _show(_operation(document, route), example)
    return document


def _hot_routes() -> dict[str, Any]:
    # A grant for several calls has a hold for each: its id, a colon and the hold's number.
    grant_id = _parameter(
        "id", "path", "A grant's id, or that of one of its holds: `id:2`.", {"type": "string"}
    )
    etag = _parameter(
        "if-none-match",
        "header",
        "The ETag of the last answer: 304 while it is the same.",
        {"type": "string"},
    )
    return {
        "/v1/decisions": {
            "get": {
                "summary": "What a scope may do now",
                "parameters": [*_query(bodies.ScopeQuery), etag],
                "responses": {
                    "200": {
                        "description": "The decision",
                        "headers": {
                            "ETag": {"schema": {"type": "string"}},
                            "Age": {
                                "description": "Seconds since this was told, where the engine sheds load",
                                "schema": {"type": "integer"},
                            },
                        },
                    },
                    "304": {"description": "Unchanged against If-None-Match"},
                    **PROBLEMS,
                },
            }
        },
        "/v1/decisions:batch": _post("Decisions for several scopes; waits for a change", bodies.ScopesBody),
        "/v1/grants": _post(
            "Hold money for a call; waits in the queue up to `wait` seconds. Asked again by its `id`, it is the same",
            bodies.GrantBody,
        ),
        "/v1/grants:finish": _post("Granted calls ended, of any grants, at once", bodies.FinishBody),
        "/v1/grants/{id}:settle": _post("A granted call ended with this usage", bodies.SettleBody, grant_id),
        "/v1/grants/{id}:extend": _post(
            "A granted call runs longer than was held for; `held` says whether it may",
            bodies.ExtendBody,
            grant_id,
        ),
        "/v1/grants/{id}:release": _post("A granted call was not billed", bodies.ReleaseBody, grant_id),
    }


def _post(summary: str, body: type[msgspec.Struct], *parameters: dict[str, Any]) -> dict[str, Operation]:
    return {
        "post": {
            "summary": summary,
            "parameters": list(parameters),
            "requestBody": {"required": True, "content": {_JSON: {"schema": _reference(body)}}},
            "responses": {"200": {"description": "The answer"}, **PROBLEMS},
        }
    }


def _query(kind: type[msgspec.Struct]) -> list[dict[str, Any]]:
    """The fields of a query as parameters."""
    schema = msgspec.json.schema_components((kind,), ref_template=_REFERENCE)[1][kind.__name__]
    return [
        _parameter(name, "query", of_field.pop("description"), of_field, required=name in schema["required"])
        for name, of_field in schema["properties"].items()
    ]


def _parameter(
    name: str, place: str, description: str, schema: dict[str, Any], *, required: bool | None = None
) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": place == "path" if required is None else required,
        "description": description,
        "schema": schema,
    }


def _reference(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(name=kind.__name__)}


def _operation(document: dict[str, Any], route: str) -> Operation:
    method, _, path = route.partition(" ")
    operation: Operation = document["paths"][path][method.lower()]
    return operation


def _answer(operation: Operation) -> dict[str, Any]:
    """The content of the answer where all goes well, by media type."""
    (response,) = (each for status, each in operation["responses"].items() if status in ("200", "201"))
    content: dict[str, Any] = response.setdefault("content", {})
    return content


def _show(operation: Operation, example: Example) -> None:
    (answer,) = _answer(operation).values()
    answer["example"] = example.answer
    if example.body is not None:
        operation["requestBody"]["content"][_JSON]["example"] = example.body
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in example.parameters:
            parameter["example"] = example.parameters[parameter["name"]]
