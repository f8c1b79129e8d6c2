CREATE TABLE key_results (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    uid {text} NOT NULL,
    version bigint NOT NULL,
    display_name {text} NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body {json} NOT NULL,
    objective {text},
    owner {text},
    metric {text},
    score {number},
    band {text},
    PRIMARY KEY (workspace, id)
);
CREATE INDEX key_results_objective ON key_results (workspace, objective, id);
CREATE TABLE check_ins (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    uid {text} NOT NULL,
    version bigint NOT NULL,
    display_name {text} NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body {json} NOT NULL,
    key_result {text},
    time bigint,
    confidence {number},
    PRIMARY KEY (workspace, id)
);
CREATE INDEX check_ins_key_result ON check_ins (workspace, key_result, id);
-- Objectives by what they serve, now and as they stood, and whether those of a period serve any.
ALTER TABLE objectives ADD COLUMN aligned_period {text};
CREATE INDEX objectives_parent_objective ON objectives (workspace, parent_objective, id);
CREATE INDEX objectives_aligned_period ON objectives (workspace, aligned_period, id);
CREATE INDEX log_objectives_parent_objective ON log (workspace, (data -> 'objective' ->> 'parentObjective'), resource_id, revision, ordinal) WHERE collection = 'objectives';
CREATE INDEX log_key_results_objective ON log (workspace, (data -> 'keyResult' ->> 'objective'), resource_id, revision, ordinal) WHERE collection = 'keyResults';
