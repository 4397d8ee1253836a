-- Lines of the ledger as rows of FOCUS Cost and Usage, one for each meter that was used. Reads `lines`, as
-- analytics/focus/prepared.py makes them; every amount, quantity and rate is a whole number, of which
-- analytics/focus/cost_and_usage.py says the scale. A rate is the cost over the quantity: where several applied, their average.
WITH listed AS (
    -- The list price of each meter: its cost, where there is no contract, else as much of the list price as of the cost.
    -- What the division leaves goes to the first.
    SELECT * EXCLUDE (amount, list_amount), amount::HUGEINT AS units, list_amount::HUGEINT AS list_units,
           focus_cell(concat(focus_part('{"tenant":'), tenant_json, focus_part(',"workload":'), workload_json, focus_part(',"owner":'),
                             owner_json, focus_part(',"cost_centre":'), cost_centre_json, focus_part(',"tier":'), tier_json, '}'))
               AS tags,
           CASE WHEN kind = 'usage'
                THEN [amount_input, amount_cache_read, amount_cache_write_5m, amount_cache_write_1h, amount_output, amount_other]
                ELSE [amount] END::HUGEINT[] AS costs,
           CASE WHEN kind = 'usage' THEN [input_uncached, cache_read, cache_write_5m, cache_write_1h, output, 0]
                ELSE [0] END AS tokens_of,
           CASE WHEN list_units IS NULL OR list_units = units OR coalesce(units, 0) = 0 THEN costs
                ELSE list_transform(costs, lambda cost: focus_share(list_units, cost, units)) END AS parts
    FROM lines
),
-- A line that used nothing that is known is a row too: a call was made.
placed AS (
    SELECT *, unnest(range(1, len(costs) + 1)) AS place
    FROM (
        SELECT *, coalesce(list_position(list_transform(costs, lambda cost, i: tokens_of[i] <> 0 OR coalesce(cost, 0) <> 0), true),
                           len(costs)) AS first_place
        FROM listed
    )
),
metered AS (
    SELECT * EXCLUDE (costs, tokens_of, parts, first_place, units, list_units), costs[place] AS part,
           tokens_of[place] AS tokens, coalesce(part, 0) AS cost,
           coalesce(parts[place], 0)
               + CASE WHEN place = first_place AND list_units IS NOT NULL THEN list_units - coalesce(list_sum(parts), 0) ELSE 0 END
               AS list_cost,
           place = first_place AS is_first, period <> strftime(day, '%Y-%m') AS is_correction,
           CASE WHEN kind = 'usage' THEN place ELSE 6 END AS m
    FROM placed
    WHERE tokens_of[place] <> 0 OR coalesce(costs[place], 0) <> 0 OR place = first_place
),
-- A quantity has a rate where costs are on its side of 0, and less than a unit of money for each token; any other row is
-- an amount alone.
rated AS (
    SELECT *, kind = 'usage' AND part IS NOT NULL AND tokens <> 0
                  AND cost * sign(tokens) BETWEEN 0 AND abs(tokens)::HUGEINT * 1_000_000_000_000
                  AND list_cost * sign(tokens) BETWEEN 0 AND abs(tokens)::HUGEINT * 1_000_000_000_000 AS has_rate,
           CASE WHEN has_rate THEN concat_ws('/', provider_part, coalesce(model_part, 'unknown'), focus_meters()[m]) END AS sku
    FROM metered
),
priced AS (
    SELECT *, CASE WHEN has_rate THEN focus_rate(abs(cost), abs(tokens)) END AS rate,
           CASE kind WHEN 'usage' THEN 'Usage' WHEN 'credit' THEN 'Credit'
                     WHEN 'charge' THEN CASE regexp_extract(item, '^[a-z]+') WHEN 'overage' THEN 'Usage'
                                             WHEN 'tier' THEN 'Adjustment' WHEN 'covered' THEN 'Adjustment' ELSE 'Purchase' END
                     ELSE 'Adjustment' END AS category
    FROM rated
)
SELECT
    cost::DECIMAL(38, 0) AS "BilledCost",
    $account AS "BillingAccountId",
    $account_name AS "BillingAccountName",
    coalesce(currency, $currency) AS "BillingCurrency",
    billing_end AS "BillingPeriodEnd",
    billing_start AS "BillingPeriodStart",
    category AS "ChargeCategory",
    CASE WHEN is_correction THEN 'Correction' END AS "ChargeClass",
    focus_cell(
        CASE WHEN kind = 'usage'
             THEN concat(focus_words()[m], ' of ', coalesce(model_part, 'an unknown model'),
                         CASE WHEN part IS NULL AND state = 'rerated' THEN '; its cost stands in the row of the rerate'
                              WHEN part IS NULL THEN '; the cost is not known: 0 stands for it, since the column takes no null'
                         END)
             ELSE concat_ws('; ', replace(kind, '_', ' '), item_part, rule_part) END) AS "ChargeDescription",
    CASE category WHEN 'Usage' THEN 'Usage-Based' WHEN 'Purchase' THEN 'Recurring' ELSE 'One-Time' END AS "ChargeFrequency",
    charge_end AS "ChargePeriodEnd",
    charge_start AS "ChargePeriodStart",
    CASE WHEN has_rate THEN tokens END AS "ConsumedQuantity",
    CASE WHEN has_rate THEN 'Tokens' END AS "ConsumedUnit",
    cost::DECIMAL(38, 0) AS "ContractedCost",
    rate AS "ContractedUnitPrice",
    cost::DECIMAL(38, 0) AS "EffectiveCost",
    host AS "HostProviderName",
    NULL::VARCHAR AS "InvoiceDetailId",
    NULL::VARCHAR AS "InvoiceId",
    coalesce(seller, $account_name) AS "InvoiceIssuerName",
    list_cost::DECIMAL(38, 0) AS "ListCost",
    CASE WHEN has_rate AND list_cost <> cost THEN focus_rate(abs(list_cost), abs(tokens)) ELSE rate END AS "ListUnitPrice",
    CASE WHEN has_rate THEN 'Standard' END AS "PricingCategory",
    CASE WHEN has_rate THEN tokens::DECIMAL(38, 0) END AS "PricingQuantity",
    CASE WHEN has_rate THEN '1000000 Tokens' END AS "PricingUnit",
    'AI and Machine Learning' AS "ServiceCategory",
    coalesce(service, 'Chargeback') AS "ServiceName",
    coalesce(seller, $account_name) AS "ServiceProviderName",
    'Generative AI' AS "ServiceSubcategory",
    focus_cell(sku) AS "SkuId",
    CASE WHEN has_rate THEN focus_words()[m] END AS "SkuMeter",
    CASE WHEN has_rate
         THEN focus_cell(concat(focus_part('{"x_ModelDeveloper":'), developer_json, focus_part(',"x_ModelId":'), model_json,
                                focus_part(',"x_ServiceTier":'), service_tier_json, focus_details()[m])) END AS "SkuPriceDetails",
    CASE WHEN has_rate THEN focus_cell(concat_ws('/', sku, coalesce(service_tier_part, 'standard'), price_version_part, contract_part))
         END AS "SkuPriceId",
    tenant AS "SubAccountId",
    tenant AS "SubAccountName",
    CASE WHEN tenant IS NOT NULL THEN 'Tenant' END AS "SubAccountType",
    tags AS "Tags",
    rule AS "AllocatedMethodId",
    CASE WHEN rule IS NOT NULL THEN details END AS "AllocatedMethodDetails",
    CASE WHEN rule IS NOT NULL THEN focus_cell(concat('[', cost_centre_json, ',', tenant_json, ',', owner_json, ']')) END AS "AllocatedResourceId",
    CASE WHEN rule IS NOT NULL THEN coalesce(cost_centre, tenant) END AS "AllocatedResourceName",
    CASE WHEN rule IS NOT NULL
         THEN focus_cell(concat(focus_part('{"cost_centre":'), cost_centre_json, focus_part(',"owner":'), owner_json, '}'))
         END AS "AllocatedTags",
    workload AS "x_AgentName",
    CASE WHEN is_first THEN attempts ELSE 0 END AS "x_Attempts",
    CASE WHEN is_first THEN calls ELSE 0 END AS "x_Calls",
    CASE WHEN entry IS NOT NULL THEN concat(entry, '/', focus_meters()[m]) END AS "x_ChargeKey",
    contract AS "x_ContractVersion",
    cost_centre AS "x_CostCentre",
    -- What a rerate has priced first has its cost in the rerate's row.
    CASE WHEN state = 'rerated' AND part IS NULL THEN 'rerated' WHEN kind = 'usage' AND part IS NULL THEN 'unknown'
         WHEN entry IS NULL THEN 'estimated' ELSE 'booked' END AS "x_CostSource",
    entry AS "x_LedgerEntryId",
    kind AS "x_LedgerKind",
    model AS "x_Model",
    owner AS "x_Owner",
    price_version AS "x_PriceBookVersion",
    tier AS "x_Priority",
    provider AS "x_Provider",
    reference AS "x_Reference",
    origin_amount::DECIMAL(38, 0) AS "x_SplitOriginCost",
    CASE WHEN origin_amount IS NOT NULL
         THEN focus_cell(concat(focus_part('["'), strftime(day, '%Y-%m-%d'), focus_part('",'), rule_json, ',', reference_json, ',',
                                workload_json, ',', item_json, ',', currency_json, ']')) END AS "x_SplitOriginId",
    state AS "x_State",
    tokens AS "x_Tokens",
    CASE WHEN kind = 'usage' THEN focus_meters()[m] END AS "x_TokenType"
FROM priced
