-- Outcomes by the words that say how one would know.
ALTER TABLE outcomes ADD COLUMN measure text;
CREATE INDEX outcomes_measure ON outcomes (workspace, measure, id);

-- What stood below a node.
CREATE INDEX log_assumption_tests_solution ON log (workspace, (data -> 'assumptionTest' ->> 'solution'), resource_id, revision, ordinal) WHERE collection = 'assumptionTests';
CREATE INDEX log_opportunities_parent_node ON log (workspace, (data -> 'opportunity' ->> 'parentNode'), resource_id, revision, ordinal) WHERE collection = 'opportunities';
CREATE INDEX log_solutions_opportunity ON log (workspace, (data -> 'solution' ->> 'opportunity'), resource_id, revision, ordinal) WHERE collection = 'solutions';
