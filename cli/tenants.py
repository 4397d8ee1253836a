"""`switchgear tenants`: delete the details of a tenant that a running collector keeps."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import httpx

from .answers import key_refused, stranger
from .client import connect
from .console import fail, misuse, note, plain, say

__all__ = ["delete_details"]

# A store of 10 M calls is written anew, which takes minutes on a slow disk.
_WITHIN_S = 1800.0


def delete_details(
    tenant: str, *, reason: str, sure: bool, collector: str, api_key: str | None, as_json: bool
) -> int:
    """Delete every detail of `tenant` and print what went and what remains; the exit code."""
    if not sure:
        return misuse(
            f"tenants delete-details: this deletes every call of {plain(tenant)} for good and keeps only amounts under "
            "a pseudonym; say --yes to do it"
        )
    try:
        with connect(collector, api_key, timeout_s=_WITHIN_S) as client:
            path = f"/v1/tenants/{quote(tenant, safe='')}/details"
            answer = client.delete(path, params={"reason": reason})
        found: dict[str, Any] = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL) as problem:
        return fail(f"tenants: no collector answers at {collector} ({problem})")
    except UnicodeEncodeError:
        return misuse("tenants: SWITCHGEAR_API_KEY holds a character that no key has")
    except ValueError:
        return fail(f"tenants: {stranger(collector)}")
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return misuse(f"tenants: {key_refused(answer)}")
    if answer.is_client_error:
        return misuse(f"tenants: {plain(str(found.get('detail')))}")
    if not answer.is_success:
        return fail(
            f"tenants: {plain(str(found.get('detail', answer.status_code)))}; ask again, nothing is lost by it"
        )
    if as_json:
        say(json.dumps(found, ensure_ascii=False))
    else:
        _show(found)
    return 0


def _show(found: dict[str, Any]) -> None:
    deletion = found["deletion"]
    amounts = ", ".join(f"{amount} {currency}" for currency, amount in deletion["amounts"].items())
    say(
        f"{deletion['rows']['booked']} calls deleted; {amounts or 'no known cost'} stays as {deletion['tenant']}"
    )
    for place in found["copies"]:
        note(f"{plain(place)} may still hold everything: delete it yourself")
    for place in found["named_in"]:
        note(f"{plain(place)} still names the tenant")
