-- What an event says that the past is looked up by, such as the node its resource stood below: the column of that resource which is traced.
ALTER TABLE log ADD COLUMN traced {text};
