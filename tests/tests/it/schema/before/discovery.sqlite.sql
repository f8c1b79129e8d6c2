CREATE TABLE studies (workspace text NOT NULL, id text NOT NULL, uid text NOT NULL, version bigint NOT NULL,
    display_name text NOT NULL, create_time bigint NOT NULL, update_time bigint NOT NULL, delete_time bigint,
    body text NOT NULL, method text, state text, PRIMARY KEY (workspace, id));
CREATE TABLE participants (workspace text NOT NULL, id text NOT NULL, uid text NOT NULL, version bigint NOT NULL,
    display_name text NOT NULL, create_time bigint NOT NULL, update_time bigint NOT NULL, delete_time bigint,
    body text NOT NULL, segment text, account text, PRIMARY KEY (workspace, id));
CREATE TABLE interviews (workspace text NOT NULL, id text NOT NULL, uid text NOT NULL, version bigint NOT NULL,
    display_name text NOT NULL, create_time bigint NOT NULL, update_time bigint NOT NULL, delete_time bigint,
    body text NOT NULL, study text, participant text, conduct_time bigint, PRIMARY KEY (workspace, id));
CREATE INDEX interviews_study ON interviews (workspace, study, id);
CREATE INDEX interviews_participant ON interviews (workspace, participant, id);
CREATE TABLE insights (workspace text NOT NULL, id text NOT NULL, uid text NOT NULL, version bigint NOT NULL,
    display_name text NOT NULL, create_time bigint NOT NULL, update_time bigint NOT NULL, delete_time bigint,
    body text NOT NULL, kind text, PRIMARY KEY (workspace, id));
CREATE TABLE outcomes (workspace text NOT NULL, id text NOT NULL, uid text NOT NULL, version bigint NOT NULL,
    display_name text NOT NULL, create_time bigint NOT NULL, update_time bigint NOT NULL, delete_time bigint,
    body text NOT NULL, metric text, PRIMARY KEY (workspace, id));
CREATE INDEX outcomes_metric ON outcomes (workspace, metric, id);
CREATE TABLE opportunities (workspace text NOT NULL, id text NOT NULL, uid text NOT NULL, version bigint NOT NULL,
    display_name text NOT NULL, create_time bigint NOT NULL, update_time bigint NOT NULL, delete_time bigint,
    body text NOT NULL, kind text, parent_node text, pruned boolean, PRIMARY KEY (workspace, id));
CREATE INDEX opportunities_parent_node ON opportunities (workspace, parent_node, id);
CREATE TABLE solutions (workspace text NOT NULL, id text NOT NULL, uid text NOT NULL, version bigint NOT NULL,
    display_name text NOT NULL, create_time bigint NOT NULL, update_time bigint NOT NULL, delete_time bigint,
    body text NOT NULL, opportunity text, state text, pruned boolean, PRIMARY KEY (workspace, id));
CREATE INDEX solutions_opportunity ON solutions (workspace, opportunity, id);
CREATE TABLE assumption_tests (workspace text NOT NULL, id text NOT NULL, uid text NOT NULL, version bigint NOT NULL,
    display_name text NOT NULL, create_time bigint NOT NULL, update_time bigint NOT NULL, delete_time bigint,
    body text NOT NULL, solution text, risk text, verdict text, pruned boolean, PRIMARY KEY (workspace, id));
CREATE INDEX assumption_tests_solution ON assumption_tests (workspace, solution, id);
