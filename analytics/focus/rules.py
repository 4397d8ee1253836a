"""Rules: what rows of FOCUS Cost and Usage must meet, as one table; and the rows of a file that do not.

Source: the column definitions of FOCUS 1.4 (finops.org/focus), read out of its machine-readable model. They are checked
over the file as it was written, all values as text, so that what a consumer would stumble over is found.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

__all__ = ["RULES", "Finding", "Rule", "check"]

_NO_NULL = (
    *(
        "BilledCost",
        "BillingAccountId",
        "BillingCurrency",
        "BillingPeriodEnd",
        "BillingPeriodStart",
        "ChargeCategory",
    ),
    *(
        "ChargePeriodEnd",
        "ChargePeriodStart",
        "ContractedCost",
        "EffectiveCost",
        "InvoiceIssuerName",
        "ListCost",
    ),
    *("ServiceCategory", "ServiceName"),
)
_MAY_BE_NULL = ("BillingAccountName", "ChargeClass", "ChargeDescription", "PricingQuantity", "PricingUnit")
_PARTIES = {"1.4": ("ServiceProviderName", "HostProviderName"), "1.2": ("ProviderName", "PublisherName")}
"""Of whom a service is, by version."""
_COSTS = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
_TIMES = ("BillingPeriodEnd", "BillingPeriodStart", "ChargePeriodEnd", "ChargePeriodStart")
_JSON = ("SkuPriceDetails", "Tags", "AllocatedMethodDetails", "AllocatedTags")
_NUMBER = r"^-?\d+(\.\d+)?$"
_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"
# As much as a rate that is rounded to 16 places can be off, of a cost.
_OFF = "greatest(abs(TRY_CAST({cost} AS DOUBLE)), 1) * 0.000000001"

_RATIO = (
    'CASE WHEN json_valid("AllocatedMethodDetails") THEN list_sum(list_transform('
    "json_extract_string(\"AllocatedMethodDetails\", '$.Elements[*].AllocatedRatio'),"
    " lambda ratio: TRY_CAST(ratio AS DECIMAL(38, 18)))) END"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: rows that meet `broken`, SQL over the columns as text, break it."""

    name: str
    words: str
    broken: str
    needs: tuple[str, ...] = ()
    """Columns without which there is nothing to check."""
    per: str | None = None
    """The column whose groups are checked, in place of rows; `broken` is of a group then."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that a file breaks, in how many rows or groups of them, and where first."""

    rule: str
    words: str
    rows: int
    first_row: int | None
    """Counted from 1, without the header; None where it is about the columns."""


def _null(name: str) -> Rule:
    return Rule(f"{name}-null", f"{name} must not be null", f'"{name}" IS NULL', (name,))


def _number(name: str) -> Rule:
    return Rule(
        f"{name}-number",
        f"{name} must be a decimal without an exponent",
        f"NOT regexp_matches(\"{name}\", '{_NUMBER}')",
        (name,),
    )


def _identity(cost: str, price: str) -> Rule:
    product = f'TRY_CAST("{price}" AS DOUBLE) * TRY_CAST("PricingQuantity" AS DOUBLE)'
    off = _OFF.format(cost=f'"{cost}"')
    return Rule(
        f"{cost}-identity",
        f"{cost} must be {price} times PricingQuantity",
        f'abs({product} - TRY_CAST("{cost}" AS DOUBLE)) > {off}',
        (cost, price, "PricingQuantity"),
    )


RULES: tuple[Rule, ...] = (
    *map(_null, (*_NO_NULL, "ServiceProviderName", *_PARTIES["1.2"])),
    *map(_number, (*_COSTS, "PricingQuantity", "ConsumedQuantity", "ListUnitPrice", "ContractedUnitPrice")),
    *(
        Rule(
            f"{name}-time",
            f"{name} must be ISO 8601 in UTC",
            f"NOT regexp_matches(\"{name}\", '{_TIME}')",
            (name,),
        )
        for name in _TIMES
    ),
    *(
        Rule(
            f"{name}-json",
            f"{name} must be a JSON object",
            f'CASE WHEN json_valid("{name}") THEN json_type("{name}") <> \'OBJECT\' ELSE "{name}" IS NOT NULL END',
            (name,),
        )
        for name in _JSON
    ),
    Rule(
        "BillingCurrency-iso",
        "BillingCurrency must be three capitals",
        "NOT regexp_matches(\"BillingCurrency\", '^[A-Z]{3}$')",
        ("BillingCurrency",),
    ),
    Rule(
        "ChargeCategory-allowed",
        "ChargeCategory must be Usage, Purchase, Tax, Credit or Adjustment",
        "\"ChargeCategory\" NOT IN ('Usage', 'Purchase', 'Tax', 'Credit', 'Adjustment')",
        ("ChargeCategory",),
    ),
    Rule(
        "ChargeClass-allowed",
        "ChargeClass must be null or Correction",
        "\"ChargeClass\" <> 'Correction'",
        ("ChargeClass",),
    ),
    Rule(
        "ChargeFrequency-purchase",
        "ChargeFrequency must not be Usage-Based for a Purchase",
        "\"ChargeCategory\" = 'Purchase' AND \"ChargeFrequency\" = 'Usage-Based'",
        ("ChargeFrequency", "ChargeCategory"),
    ),
    Rule(
        "BillingPeriod-order",
        "BillingPeriodStart must be before BillingPeriodEnd",
        '"BillingPeriodStart" >= "BillingPeriodEnd"',
        ("BillingPeriodStart", "BillingPeriodEnd"),
    ),
    Rule(
        "ChargePeriod-order",
        "ChargePeriodStart must be before ChargePeriodEnd",
        '"ChargePeriodStart" >= "ChargePeriodEnd"',
        ("ChargePeriodStart", "ChargePeriodEnd"),
    ),
    Rule(
        "ChargePeriod-correction",
        "a charge outside its billing period must be a Correction, and no other is one",
        '("ChargePeriodStart" < "BillingPeriodStart" OR "ChargePeriodStart" >= "BillingPeriodEnd")'
        ' <> ("ChargeClass" IS NOT NULL)',
        (*_TIMES, "ChargeClass"),
    ),
    Rule(
        "Unit-without-quantity",
        "PricingUnit stands with PricingQuantity, and neither alone",
        '("PricingUnit" IS NULL) <> ("PricingQuantity" IS NULL)',
        ("PricingUnit", "PricingQuantity"),
    ),
    Rule(
        "Consumed-without-quantity",
        "ConsumedUnit stands with ConsumedQuantity, and neither alone",
        '("ConsumedUnit" IS NULL) <> ("ConsumedQuantity" IS NULL)',
        ("ConsumedUnit", "ConsumedQuantity"),
    ),
    Rule(
        "Consumed-usage",
        "ConsumedQuantity is for Usage only",
        '"ConsumedQuantity" IS NOT NULL AND "ChargeCategory" <> \'Usage\'',
        ("ConsumedQuantity", "ChargeCategory"),
    ),
    *(
        Rule(
            f"SkuPriceId-{name}",
            f"{name} is null where SkuPriceId is null, and only there",
            f'("SkuPriceId" IS NULL) <> ("{name}" IS NULL)',
            ("SkuPriceId", name),
        )
        for name in (
            "ListUnitPrice",
            "ContractedUnitPrice",
            "PricingCategory",
            "PricingQuantity",
            "SkuPriceDetails",
        )
    ),
    Rule(
        "UnitPrice-negative",
        "a unit price must not be below 0",
        "\"ListUnitPrice\" LIKE '-%' OR \"ContractedUnitPrice\" LIKE '-%'",
        ("ListUnitPrice", "ContractedUnitPrice"),
    ),
    _identity("ListCost", "ListUnitPrice"),
    _identity("ContractedCost", "ContractedUnitPrice"),
    Rule(
        "EffectiveCost-credit",
        "EffectiveCost must equal BilledCost for Tax and Credit",
        '"ChargeCategory" IN (\'Tax\', \'Credit\') AND "EffectiveCost" <> "BilledCost"',
        ("EffectiveCost", "BilledCost", "ChargeCategory"),
    ),
    Rule(
        "ServiceSubcategory-parent",
        "Generative AI belongs to AI and Machine Learning",
        "\"ServiceSubcategory\" = 'Generative AI' AND \"ServiceCategory\" <> 'AI and Machine Learning'",
        ("ServiceSubcategory", "ServiceCategory"),
    ),
    Rule(
        "Allocated-details",
        "AllocatedMethodDetails stands only with AllocatedMethodId and AllocatedResourceId",
        '"AllocatedMethodDetails" IS NOT NULL AND ("AllocatedMethodId" IS NULL OR "AllocatedResourceId" IS NULL)',
        ("AllocatedMethodDetails", "AllocatedMethodId", "AllocatedResourceId"),
    ),
    Rule(
        "Split-ratios",
        "the ratios of all shares of one cost (x_SplitOriginId) must add up to 1",
        f"coalesce(sum({_RATIO}), 0) <> 1",
        ("x_SplitOriginId", "AllocatedMethodDetails"),
        "x_SplitOriginId",
    ),
    Rule(
        "Split-costs",
        "all shares of one cost must add up to x_SplitOriginCost",
        'sum(TRY_CAST("BilledCost" AS DECIMAL(38, 12))) <> max(TRY_CAST("x_SplitOriginCost" AS DECIMAL(38, 12)))',
        ("x_SplitOriginId", "x_SplitOriginCost", "BilledCost"),
        "x_SplitOriginId",
    ),
    Rule(
        "Split-resources",
        "the shares of one cost must be for different resources",
        'count(DISTINCT "AllocatedResourceId") < count(*)',
        ("x_SplitOriginId", "AllocatedResourceId"),
        "x_SplitOriginId",
    ),
)


def check(file: Path) -> list[Finding]:
    """Every rule that the file, CSV or Parquet, breaks. Raises OSError where it cannot be read."""
    if not file.is_file():
        raise FileNotFoundError(2, "there is no such file", str(file))
    with duckdb.connect(config={"threads": "2", "memory_limit": "512MiB"}) as con:
        con.execute("SET TimeZone = 'UTC'")
        try:
            source = _source(file)
            names = con.sql(f"FROM {source} LIMIT 0").columns
            found = _of_columns(names)
            rules = [rule for rule in RULES if set(rule.needs) <= set(names)]
            rows = f"SELECT {_texts(con, source)} FROM {source}"  # noqa: S608 - quoted names
            for rule, broken in _broken(con, [rule for rule in rules if rule.per is None], rows):
                ((first,),) = con.execute(_first(rule, rows)).fetchall()
                found.append(Finding(rule.name, rule.words, broken, first))
            for rule in rules:
                if rule.per is not None:
                    ((broken, first),) = con.execute(_groups(rule, rows)).fetchall()
                    found += [Finding(rule.name, rule.words, broken, first)] if broken else []
        except duckdb.Error as problem:
            raise OSError(f"{file}: {str(problem).splitlines()[0]}") from problem
    return found


def _broken(con: duckdb.DuckDBPyConnection, rules: list[Rule], rows: str) -> list[tuple[Rule, int]]:
    """The rules that rows break, and how many: all are looked at in one pass."""
    if not rules:
        return []
    tests = ", ".join(f"count(*) FILTER ({rule.broken})" for rule in rules)
    (counts,) = con.execute(f"SELECT {tests} FROM ({rows})").fetchall()  # noqa: S608 - of RULES and quoted names
    return [(rule, count) for rule, count in zip(rules, counts, strict=True) if count]


def _first(rule: Rule, rows: str) -> str:
    """SQL of the first row that breaks the rule."""
    placed = f"SELECT row_number() OVER () AS place, * FROM ({rows})"  # noqa: S608 - as above
    return f"SELECT min(place) FROM ({placed}) WHERE {rule.broken}"  # noqa: S608


def _groups(rule: Rule, rows: str) -> str:
    """SQL of how many groups break the rule, and the first row of the first."""
    placed = f"SELECT row_number() OVER () AS place, * FROM ({rows})"  # noqa: S608 - as above
    broken = f'SELECT min(place) AS first FROM ({placed}) WHERE "{rule.per}" IS NOT NULL'  # noqa: S608
    return f'SELECT count(*), min(first) FROM ({broken} GROUP BY "{rule.per}" HAVING {rule.broken})'  # noqa: S608


def _of_columns(names: list[str]) -> list[Finding]:
    parties = _PARTIES["1.2" if "ProviderName" in names else "1.4"]
    missing = [name for name in (*_NO_NULL, *parties, *_MAY_BE_NULL) if name not in names]
    found = [Finding(f"{name}-missing", f"the column {name} must be there", 0, None) for name in missing]
    own = [place for place, name in enumerate(names) if name.startswith("x_")]
    if own and own != list(range(len(names) - len(own), len(names))):
        found.append(Finding("Custom-last", "columns of one's own come after those of FOCUS", 0, None))
    return found


def _source(file: Path) -> str:
    path = "'" + str(file).replace("'", "''") + "'"
    if file.suffix == ".parquet":
        return f"read_parquet({path})"
    return f"read_csv({path}, header = true, all_varchar = true, nullstr = '', delim = ',', quote = '\"')"


def _texts(con: duckdb.DuckDBPyConnection, source: str) -> str:
    """Every column as text: as CSV has it."""
    described = con.execute(f"DESCRIBE FROM {source}").fetchall()
    return ", ".join(
        f'strftime("{name}", \'%Y-%m-%dT%H:%M:%SZ\') AS "{name}"'
        if "TIMESTAMP" in kind
        else f'"{name}"::VARCHAR AS "{name}"'
        for name, kind, *_ in described
    )
