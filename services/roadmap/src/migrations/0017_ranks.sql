-- The orders of further frameworks. Few initiatives have scores by each: rows without one are in no index.
ALTER TABLE initiatives ADD COLUMN rank_ice {text};
CREATE INDEX initiatives_rank_ice ON initiatives (workspace, rank_ice, id) WHERE rank_ice IS NOT NULL;
ALTER TABLE initiatives ADD COLUMN rank_ice_mean {text};
CREATE INDEX initiatives_rank_ice_mean ON initiatives (workspace, rank_ice_mean, id) WHERE rank_ice_mean IS NOT NULL;
ALTER TABLE initiatives ADD COLUMN rank_wsjf {text};
CREATE INDEX initiatives_rank_wsjf ON initiatives (workspace, rank_wsjf, id) WHERE rank_wsjf IS NOT NULL;
ALTER TABLE initiatives ADD COLUMN rank_cd3 {text};
CREATE INDEX initiatives_rank_cd3 ON initiatives (workspace, rank_cd3, id) WHERE rank_cd3 IS NOT NULL;
ALTER TABLE initiatives ADD COLUMN rank_value_effort {text};
CREATE INDEX initiatives_rank_value_effort ON initiatives (workspace, rank_value_effort, id) WHERE rank_value_effort IS NOT NULL;
ALTER TABLE initiatives ADD COLUMN rank_opportunity {text};
CREATE INDEX initiatives_rank_opportunity ON initiatives (workspace, rank_opportunity, id) WHERE rank_opportunity IS NOT NULL;
ALTER TABLE initiatives ADD COLUMN rank_moscow {text};
CREATE INDEX initiatives_rank_moscow ON initiatives (workspace, rank_moscow, id) WHERE rank_moscow IS NOT NULL;
ALTER TABLE initiatives ADD COLUMN rank_kano {text};
CREATE INDEX initiatives_rank_kano ON initiatives (workspace, rank_kano, id) WHERE rank_kano IS NOT NULL;
