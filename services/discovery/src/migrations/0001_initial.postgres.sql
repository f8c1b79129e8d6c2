-- Research and opportunity solution trees.

CREATE TABLE studies (
    workspace text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    uid text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    display_name text COLLATE "C" NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body json NOT NULL,
    method text COLLATE "C",
    state text COLLATE "C",
    PRIMARY KEY (workspace, id)
);

CREATE TABLE participants (
    workspace text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    uid text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    display_name text COLLATE "C" NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body json NOT NULL,
    segment text COLLATE "C",
    account text COLLATE "C",
    PRIMARY KEY (workspace, id)
);

CREATE TABLE interviews (
    workspace text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    uid text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    display_name text COLLATE "C" NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body json NOT NULL,
    study text COLLATE "C",
    participant text COLLATE "C",
    conduct_time bigint,
    PRIMARY KEY (workspace, id)
);
CREATE INDEX interviews_study ON interviews (workspace, study, id);
CREATE INDEX interviews_participant ON interviews (workspace, participant, id);

CREATE TABLE insights (
    workspace text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    uid text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    display_name text COLLATE "C" NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body json NOT NULL,
    kind text COLLATE "C",
    PRIMARY KEY (workspace, id)
);

CREATE TABLE outcomes (
    workspace text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    uid text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    display_name text COLLATE "C" NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body json NOT NULL,
    metric text COLLATE "C",
    PRIMARY KEY (workspace, id)
);
CREATE INDEX outcomes_metric ON outcomes (workspace, metric, id);

CREATE TABLE opportunities (
    workspace text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    uid text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    display_name text COLLATE "C" NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body json NOT NULL,
    kind text COLLATE "C",
    parent_node text COLLATE "C",
    pruned boolean,
    PRIMARY KEY (workspace, id)
);
CREATE INDEX opportunities_parent_node ON opportunities (workspace, parent_node, id);

CREATE TABLE solutions (
    workspace text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    uid text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    display_name text COLLATE "C" NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body json NOT NULL,
    opportunity text COLLATE "C",
    state text COLLATE "C",
    pruned boolean,
    PRIMARY KEY (workspace, id)
);
CREATE INDEX solutions_opportunity ON solutions (workspace, opportunity, id);

CREATE TABLE assumption_tests (
    workspace text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    uid text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    display_name text COLLATE "C" NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body json NOT NULL,
    solution text COLLATE "C",
    risk text COLLATE "C",
    verdict text COLLATE "C",
    pruned boolean,
    PRIMARY KEY (workspace, id)
);
CREATE INDEX assumption_tests_solution ON assumption_tests (workspace, solution, id);
