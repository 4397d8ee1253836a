"""The files that people write: what cannot be read is told with its line, and never ends in a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics.contracts.files import load as load_contracts
from analytics.documents import DocumentError, read
from analytics.prices.files import parse

PRICE = "version: 1\nprices:\n  - {provider: p, models: [m], currency: USD, input: 1, output: 1, above: {ABOVE}}\n"


def test_a_key_that_is_spelt_in_two_ways_is_told_with_its_line() -> None:
    text = PRICE.replace("{ABOVE}", "{200000: {input: 2}, 200_000: {input: 3}}")
    with pytest.raises(DocumentError, match=r"^p\.yaml:3:96: .*duplicate key"):
        parse(text, name="p.yaml")


@pytest.mark.parametrize("value", ["2026-02-30", "2026-13-01"])
def test_a_date_that_there_is_not_is_told_with_its_own_line(value: str) -> None:
    text = f"version: 1\nprices:\n  - provider: p\n    models: [m]\n    from: {value}\n"
    with pytest.raises(DocumentError, match=r"^p\.yaml:5:11: "):
        parse(text, name="p.yaml")


def test_a_tag_is_refused_with_the_line_of_what_bears_it(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        "version: 1\ncontracts:\n  - name: a\n    provider: openai\n    currency: USD\n    from: 2026-01-01\n"
        "    discounts: !!python/object/apply:x [1]\n"
    )
    with pytest.raises(DocumentError, match=rf"^{file}:7:16: .*!!python/object/apply:x has no meaning"):
        load_contracts(file)


def test_a_file_that_is_no_text_is_told_with_the_line_where_that_begins(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_bytes(b"version: 1\n# caf\xe9\n")
    with pytest.raises(DocumentError, match=rf"^{file}:2:6: cannot be read"):
        read(file)
