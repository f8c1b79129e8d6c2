-- The order of initiatives as it stood: what events say of their rank.
CREATE INDEX log_initiatives_rank ON log (workspace, traced, resource_id, revision, ordinal) WHERE collection = 'initiatives';
