-- Links by their target, which is what they are asked for: what a referrer refers to is in its body. Only what must not
-- lead back is followed from there; of such a field each link is kept the other way round, too, under `~field`.
ALTER TABLE links RENAME TO links_by_referrer;
CREATE TABLE links (
    workspace text COLLATE "C" NOT NULL,
    target text COLLATE "C" NOT NULL,
    field text COLLATE "C" NOT NULL,
    referrer text COLLATE "C" NOT NULL,
    holds boolean NOT NULL,
    PRIMARY KEY (workspace, target, field, referrer)
);
INSERT INTO links (workspace, target, field, referrer, holds)
SELECT workspace, target, field, referrer, holds FROM links_by_referrer
UNION ALL
-- Of the fields there were, these were declared so.
SELECT workspace, referrer, '~' || field, target, false FROM links_by_referrer WHERE field IN ('dependencies', 'parent_node')
ORDER BY 1, 2, 3, 4;
DROP TABLE links_by_referrer;
