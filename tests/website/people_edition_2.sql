-- What the second edition made in PostgreSQL: the first had no scenarios, the third adds identities.
CREATE TABLE modelworks_people ( id TEXT NOT NULL, name TEXT NOT NULL, title TEXT NOT NULL, mail TEXT NOT NULL, password TEXT NOT NULL, since TEXT NOT NULL, active BOOLEAN NOT NULL, PRIMARY KEY (id), UNIQUE (name) );
CREATE TABLE modelworks_members ( person TEXT NOT NULL, workspace TEXT NOT NULL, role TEXT NOT NULL, PRIMARY KEY (person, workspace) );
CREATE TABLE modelworks_sessions ( hash TEXT NOT NULL, person TEXT NOT NULL, until FLOAT(53) NOT NULL, since TEXT NOT NULL, agent TEXT NOT NULL, address TEXT NOT NULL, PRIMARY KEY (hash) );
CREATE INDEX ix_modelworks_sessions_person ON modelworks_sessions (person);
CREATE TABLE modelworks_tokens ( hash TEXT NOT NULL, id TEXT NOT NULL, person TEXT NOT NULL, title TEXT NOT NULL, workspace TEXT NOT NULL, scope TEXT NOT NULL, until FLOAT(53) NOT NULL, since TEXT NOT NULL, used TEXT NOT NULL, PRIMARY KEY (hash), UNIQUE (id) );
CREATE INDEX ix_modelworks_tokens_person ON modelworks_tokens (person);
CREATE TABLE modelworks_links ( hash TEXT NOT NULL, person TEXT NOT NULL, purpose TEXT NOT NULL, until FLOAT(53) NOT NULL, PRIMARY KEY (hash) );
CREATE TABLE modelworks_failures ( about TEXT NOT NULL, time FLOAT(53) NOT NULL );
CREATE INDEX ix_modelworks_failures_about ON modelworks_failures (about);
CREATE INDEX ix_modelworks_failures_time ON modelworks_failures (time);
CREATE TABLE modelworks_trail ( number SERIAL NOT NULL, time TEXT NOT NULL, person TEXT NOT NULL, workspace TEXT NOT NULL, what TEXT NOT NULL, about TEXT NOT NULL, address TEXT NOT NULL, PRIMARY KEY (number) );
CREATE INDEX ix_modelworks_trail_workspace ON modelworks_trail (workspace);
CREATE TABLE modelworks_scenarios ( id TEXT NOT NULL, workspace TEXT NOT NULL, run TEXT NOT NULL, title TEXT NOT NULL, query TEXT NOT NULL, person TEXT NOT NULL, since TEXT NOT NULL, PRIMARY KEY (id), CONSTRAINT modelworks_scenarios_named UNIQUE (workspace, run, title) );
CREATE INDEX ix_modelworks_scenarios_workspace ON modelworks_scenarios (workspace);
CREATE TABLE modelworks_website ( name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (name) );
CREATE OR REPLACE FUNCTION modelworks_trail_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'kept'; END $$;
CREATE TRIGGER modelworks_trail_kept BEFORE UPDATE OR DELETE ON modelworks_trail FOR EACH ROW EXECUTE FUNCTION modelworks_trail_kept();
