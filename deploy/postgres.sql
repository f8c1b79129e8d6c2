-- Roles and databases for the three services, on a server that is theirs or shared: run once, by a superuser, as
--   psql -f postgres.sql
-- and give each role a password then, or let it sign in by certificate. A service uses three roles of its own:
--   SERVICE_owner   owns the tables and migrates them: WAYMARK_OWNER_DATABASE_URL
--   SERVICE_calls   answers calls, and reaches the rows of the workspace that a statement names: WAYMARK_DATABASE_URL
--   SERVICE_keeper  relays, reacts to events and keeps house, and reaches all: WAYMARK_KEEPER_DATABASE_URL
-- What each may do with which table the service grants when it migrates; nobody else needs a right.

CREATE ROLE discovery_owner LOGIN;
CREATE ROLE discovery_calls LOGIN;
CREATE ROLE discovery_keeper LOGIN;
CREATE DATABASE discovery OWNER discovery_owner;
REVOKE ALL ON DATABASE discovery FROM PUBLIC;
GRANT CONNECT ON DATABASE discovery TO discovery_calls, discovery_keeper;

CREATE ROLE roadmap_owner LOGIN;
CREATE ROLE roadmap_calls LOGIN;
CREATE ROLE roadmap_keeper LOGIN;
CREATE DATABASE roadmap OWNER roadmap_owner;
REVOKE ALL ON DATABASE roadmap FROM PUBLIC;
GRANT CONNECT ON DATABASE roadmap TO roadmap_calls, roadmap_keeper;

CREATE ROLE metrics_owner LOGIN;
CREATE ROLE metrics_calls LOGIN;
CREATE ROLE metrics_keeper LOGIN;
CREATE DATABASE metrics OWNER metrics_owner;
REVOKE ALL ON DATABASE metrics FROM PUBLIC;
GRANT CONNECT ON DATABASE metrics TO metrics_calls, metrics_keeper;
