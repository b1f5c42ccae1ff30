/** Schema of auth's database; only ever add to the end. */
export const MIGRATIONS = [
	`
	CREATE TABLE accounts (
		id TEXT PRIMARY KEY,
		email TEXT NOT NULL UNIQUE,
		name TEXT NOT NULL,
		password TEXT NOT NULL,
		created_at INTEGER NOT NULL
	) WITHOUT ROWID;

	CREATE TABLE domains (
		name TEXT PRIMARY KEY,
		created_at INTEGER NOT NULL
	) WITHOUT ROWID;

	CREATE TABLE memberships (
		account_id TEXT NOT NULL REFERENCES accounts(id) ON DELETE CASCADE,
		domain_name TEXT NOT NULL REFERENCES domains(name) ON DELETE CASCADE,
		role TEXT NOT NULL,
		PRIMARY KEY (account_id, domain_name)
	) WITHOUT ROWID;

	CREATE TABLE devices (
		id TEXT PRIMARY KEY,
		domain_name TEXT NOT NULL REFERENCES domains(name) ON DELETE CASCADE,
		name TEXT NOT NULL,
		building_id TEXT,
		sensor_ids TEXT,
		created_at INTEGER NOT NULL,
		revoked_at INTEGER
	) WITHOUT ROWID;
	CREATE INDEX devices_of_domain ON devices (domain_name);
	`,
];
