-- The sums of the tenant in the variable `tenant` under its `pseudonym`, and its workloads under those of the table `names`.
-- Of the names that a provider or an agent has chosen, one that holds the tenant's is replaced.
CREATE OR REPLACE TEMP TABLE erased_hours AS
SELECT h."hour", getvariable('pseudonym') AS tenant, coalesce(n.pseudonym, h.workload) AS workload,
       CASE WHEN contains(lower(h.tier), lower(getvariable('tenant'))) THEN 'deleted' ELSE h.tier END AS tier,
       CASE WHEN contains(lower(h.provider), lower(getvariable('tenant'))) THEN 'deleted' ELSE h.provider END AS provider,
       CASE WHEN contains(lower(h.model), lower(getvariable('tenant'))) THEN 'deleted' ELSE h.model END AS model,
       h.* EXCLUDE ("hour", tenant, workload, tier, provider, model, details), false AS details
FROM rollup_hours_base AS h LEFT JOIN names AS n ON n.workload = h.workload
WHERE h.tenant = getvariable('tenant');
DELETE FROM rollup_hours_base WHERE tenant = getvariable('tenant');
INSERT INTO rollup_hours_base BY NAME FROM erased_hours;
DROP TABLE erased_hours;

INSERT INTO deleted_workloads BY NAME
SELECT getvariable('pseudonym') AS tenant, n.pseudonym AS workload, o.owner, o.cost_centre, o.begins, o.ends
FROM names AS n JOIN ownership AS o ON o.tenant = getvariable('tenant') AND o.workload = n.workload
ANTI JOIN deleted_workloads AS d ON d.tenant = getvariable('pseudonym') AND d.workload = n.pseudonym;
DELETE FROM ownership WHERE tenant = getvariable('tenant');

INSERT INTO deleted_revenue BY NAME
SELECT getvariable('pseudonym') AS tenant, r.month, r.amount, r.currency
FROM registry_revenue AS r
ANTI JOIN deleted_revenue AS d ON d.tenant = getvariable('pseudonym') AND d.month = r.month
WHERE r.tenant = getvariable('tenant');

-- Its adjustments as sums by hour, in the same way; whatever else there is of them goes with its calls.
CREATE OR REPLACE TEMP TABLE erased_adjustments AS
SELECT a.* REPLACE (
    getvariable('pseudonym') AS tenant, coalesce(n.pseudonym, a.workload) AS workload,
    CASE WHEN contains(lower(a.tier), lower(getvariable('tenant'))) THEN 'deleted' ELSE a.tier END AS tier,
    CASE WHEN contains(lower(a.provider), lower(getvariable('tenant'))) THEN 'deleted' ELSE a.provider END AS provider,
    CASE WHEN contains(lower(a.model), lower(getvariable('tenant'))) THEN 'deleted' ELSE a.model END AS model,
    CASE WHEN contains(lower(a.old_contract), lower(getvariable('tenant'))) THEN 'deleted' ELSE a.old_contract END AS old_contract,
    CASE WHEN contains(lower(a.new_contract), lower(getvariable('tenant'))) THEN 'deleted' ELSE a.new_contract END AS new_contract
)
FROM adjustments_of_calls AS a LEFT JOIN names AS n ON n.workload = a.workload
WHERE a.tenant = getvariable('tenant');
INSERT INTO adjusted BY NAME FROM adjustment_sums('erased_adjustments');
DROP TABLE erased_adjustments;
UPDATE rerates SET reason = 'deleted' WHERE contains(lower(reason), lower(getvariable('tenant')));
