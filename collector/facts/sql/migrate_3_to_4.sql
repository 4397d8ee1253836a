-- Version 4: a breaker may be for an owner, a model or a provider too.

ALTER TABLE audit ADD COLUMN scope.owner VARCHAR;
ALTER TABLE audit ADD COLUMN scope.model VARCHAR;
ALTER TABLE audit ADD COLUMN scope.provider VARCHAR;
