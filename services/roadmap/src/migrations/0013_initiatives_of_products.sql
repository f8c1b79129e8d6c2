-- Initiatives of a product, with what they are usually sorted and narrowed by.
CREATE INDEX initiatives_product ON initiatives (workspace, product, id, delete_time, display_name, rank, state);
