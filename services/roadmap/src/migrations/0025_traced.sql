-- What objectives and key results stood below is a column of the log, which an index finds whatever policies the log has.
DROP INDEX log_objectives_parent_objective;
DROP INDEX log_key_results_objective;
UPDATE log SET traced = data -> 'objective' ->> 'parentObjective' WHERE collection = 'objectives';
UPDATE log SET traced = data -> 'keyResult' ->> 'objective' WHERE collection = 'keyResults';
CREATE INDEX log_objectives_parent_objective ON log (workspace, traced, resource_id, revision, ordinal) WHERE collection = 'objectives';
CREATE INDEX log_key_results_objective ON log (workspace, traced, resource_id, revision, ordinal) WHERE collection = 'keyResults';
