-- What opportunities, solutions and tests stood below is a column of the log, which an index finds whatever policies the log has.
DROP INDEX log_assumption_tests_solution;
DROP INDEX log_opportunities_parent_node;
DROP INDEX log_solutions_opportunity;
UPDATE log SET traced = data -> 'assumptionTest' ->> 'solution' WHERE collection = 'assumptionTests';
UPDATE log SET traced = data -> 'opportunity' ->> 'parentNode' WHERE collection = 'opportunities';
UPDATE log SET traced = data -> 'solution' ->> 'opportunity' WHERE collection = 'solutions';
CREATE INDEX log_assumption_tests_solution ON log (workspace, traced, resource_id, revision, ordinal) WHERE collection = 'assumptionTests';
CREATE INDEX log_opportunities_parent_node ON log (workspace, traced, resource_id, revision, ordinal) WHERE collection = 'opportunities';
CREATE INDEX log_solutions_opportunity ON log (workspace, traced, resource_id, revision, ordinal) WHERE collection = 'solutions';
