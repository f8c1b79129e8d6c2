-- Products, as the roadmap announces them.
CREATE TABLE roadmap_products (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    uid {text} NOT NULL,
    version bigint NOT NULL,
    display_name {text} NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body {json} NOT NULL,
    vision {text},
    PRIMARY KEY (workspace, id)
);
CREATE INDEX roadmap_products_vision ON roadmap_products (workspace, vision, id);
