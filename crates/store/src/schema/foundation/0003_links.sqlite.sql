-- What refers to what: a row for each reference of a resource that is not deleted. `referrer` is collection and id; so is
-- `target`, and that of another service has its name in front, such as //metrics/metrics/orders. While a reference
-- `holds`, its target cannot be deleted.
CREATE TABLE links (
    workspace text NOT NULL,
    referrer text NOT NULL,
    field text NOT NULL,
    target text NOT NULL,
    holds boolean NOT NULL,
    PRIMARY KEY (workspace, referrer, field, target)
) WITHOUT ROWID;
CREATE INDEX links_target ON links (workspace, target, referrer, holds);
