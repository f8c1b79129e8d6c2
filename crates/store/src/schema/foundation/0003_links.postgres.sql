-- What refers to what: a row for each reference of a resource that is not deleted. `referrer` is collection and id; so is
-- `target`, and that of another service has its name in front, such as //metrics/metrics/orders. While a reference
-- `holds`, its target cannot be deleted.
CREATE TABLE links (
    workspace text COLLATE "C" NOT NULL,
    referrer text COLLATE "C" NOT NULL,
    field text COLLATE "C" NOT NULL,
    target text COLLATE "C" NOT NULL,
    holds boolean NOT NULL,
    PRIMARY KEY (workspace, referrer, field, target)
);
CREATE INDEX links_target ON links (workspace, target, referrer, holds);
