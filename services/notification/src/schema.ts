/** Schema of notification's database; only ever add to the end. */
export const MIGRATIONS = [
	`
	-- What each sensor said last of what a rule looks at.
	CREATE TABLE observed (
		building TEXT NOT NULL,
		room TEXT NOT NULL,
		metric TEXT NOT NULL,
		sensor TEXT NOT NULL,
		value REAL NOT NULL,
		observed_at INTEGER NOT NULL,
		position TEXT NOT NULL,
		PRIMARY KEY (building, room, metric, sensor)
	) WITHOUT ROWID;

	-- The state machine of each rule of each room.
	CREATE TABLE conditions (
		building TEXT NOT NULL,
		room TEXT NOT NULL,
		kind TEXT NOT NULL,
		phase TEXT NOT NULL,
		since INTEGER,
		seen_at INTEGER NOT NULL,
		alert_id TEXT,
		PRIMARY KEY (building, room, kind)
	) WITHOUT ROWID;

	CREATE TABLE alerts (
		number INTEGER PRIMARY KEY AUTOINCREMENT,
		id TEXT NOT NULL UNIQUE,
		building TEXT NOT NULL,
		state TEXT NOT NULL,
		room TEXT,
		kind TEXT NOT NULL,
		alert TEXT NOT NULL,       -- as announced last, JSON
		acknowledged_by TEXT
	);
	CREATE INDEX alerts_of_building ON alerts (building, number);
	-- Should two ever decide the same: the second one's transaction fails.
	CREATE UNIQUE INDEX one_alert_per_breach ON alerts (building, room, kind) WHERE state != 'resolved' AND kind != 'manual';

	-- Written with the change it tells of, removed when it was announced: told at least once.
	CREATE TABLE outbox (
		number INTEGER PRIMARY KEY AUTOINCREMENT,
		alert TEXT NOT NULL
	);
	`,
];
