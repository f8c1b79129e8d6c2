CREATE TABLE scenarios (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    uid {text} NOT NULL,
    version bigint NOT NULL,
    display_name {text} NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body {json} NOT NULL,
    state {text},
    change_time bigint,
    PRIMARY KEY (workspace, id)
);
CREATE TABLE variants (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    uid {text} NOT NULL,
    version bigint NOT NULL,
    display_name {text} NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body {json} NOT NULL,
    scenario {text},
    initiative {text},
    place {text},
    PRIMARY KEY (workspace, id)
);
CREATE INDEX variants_scenario ON variants (workspace, scenario, id);
CREATE INDEX variants_place ON variants (workspace, place, id);
