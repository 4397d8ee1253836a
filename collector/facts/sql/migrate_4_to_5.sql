-- Version 5: who answers for a workload holds from a day to a day, and is said by the policy file or by an import.

ALTER TABLE registry_workloads ADD COLUMN source VARCHAR DEFAULT 'policies';
ALTER TABLE registry_workloads ALTER COLUMN source SET NOT NULL;
ALTER TABLE registry_workloads ADD COLUMN starts_on DATE;
ALTER TABLE registry_workloads ADD COLUMN ends_on DATE;

-- What version 1 has left has none of these.
ALTER TABLE IF EXISTS deleted_workloads ADD COLUMN begins TIMESTAMPTZ;
ALTER TABLE IF EXISTS deleted_workloads ADD COLUMN ends TIMESTAMPTZ;

-- `plans` is a view from now on.
ALTER TABLE plans RENAME TO registry_plans;
ALTER TABLE registry_plans ADD COLUMN source VARCHAR DEFAULT 'policies';
ALTER TABLE registry_plans ALTER COLUMN source SET NOT NULL;

CREATE TABLE ownership AS
SELECT tenant, workload, owner, cost_centre, NULL::DATE AS starts_on, NULL::DATE AS ends_on, NULL::TIMESTAMPTZ AS begins,
       NULL::TIMESTAMPTZ AS ends, source
FROM registry_workloads;
