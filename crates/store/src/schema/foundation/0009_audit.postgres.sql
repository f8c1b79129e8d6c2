-- What the service decided about calls, and what was done to what it decides by. The id sorts by time; policies are a list in
-- JSON, latency is in microseconds.
CREATE TABLE audit_entries (
    workspace {text} NOT NULL,
    time bigint NOT NULL,
    id {text} NOT NULL,
    principal {text} NOT NULL,
    issuer {text} NOT NULL,
    token_id {text} NOT NULL,
    peer {text} NOT NULL,
    user_agent {text} NOT NULL,
    action {text} NOT NULL,
    decision {text} NOT NULL,
    policies {text} NOT NULL,
    reason {text} NOT NULL,
    request_id {text} NOT NULL,
    trace_id {text} NOT NULL,
    latency bigint,
    count bigint NOT NULL,
    PRIMARY KEY (workspace, time, id)
);
CREATE INDEX audit_entries_time ON audit_entries (time);

-- Entries before this time may go. It only rises.
CREATE TABLE audit_floor (
    single bigint PRIMARY KEY CHECK (single = 1),
    time bigint NOT NULL
);
INSERT INTO audit_floor (single, time) VALUES (1, 0);

-- Rights alone do not do, as whoever owns a table may give them to itself.
CREATE FUNCTION audit_entries_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.time < (SELECT time FROM audit_floor) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'entries of the audit do not change, and go only when they are older than its floor';
END
$$;
CREATE TRIGGER audit_entries_stay BEFORE UPDATE OR DELETE ON audit_entries
    FOR EACH ROW EXECUTE FUNCTION audit_entries_stay();
CREATE TRIGGER audit_entries_whole BEFORE TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_stay();

CREATE FUNCTION audit_floor_rises() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.time >= OLD.time THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'the floor of the audit only rises';
END
$$;
CREATE TRIGGER audit_floor_rises BEFORE UPDATE OR DELETE ON audit_floor
    FOR EACH ROW EXECUTE FUNCTION audit_floor_rises();
CREATE TRIGGER audit_floor_whole BEFORE TRUNCATE ON audit_floor
    FOR EACH STATEMENT EXECUTE FUNCTION audit_floor_rises();

REVOKE UPDATE, TRUNCATE ON audit_entries FROM PUBLIC, CURRENT_USER;
REVOKE DELETE, TRUNCATE ON audit_floor FROM PUBLIC, CURRENT_USER;
