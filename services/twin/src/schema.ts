/** Schema of twin's database; only ever add to the end. */
export const MIGRATIONS = [
	`
	CREATE TABLE buildings (
		id TEXT PRIMARY KEY,
		domains TEXT NOT NULL,      -- JSON array
		document TEXT NOT NULL,     -- building JSON
		version INTEGER NOT NULL
	) WITHOUT ROWID;

	CREATE TABLE sensors (
		id TEXT PRIMARY KEY,
		building_id TEXT NOT NULL REFERENCES buildings(id) ON DELETE CASCADE,
		room_id TEXT NOT NULL
	) WITHOUT ROWID;
	CREATE INDEX sensors_of_building ON sensors (building_id);

	-- What one sensor says of one metric in one room, and what it said last.
	CREATE TABLE series (
		key INTEGER PRIMARY KEY,
		building TEXT NOT NULL,
		room TEXT NOT NULL,
		metric TEXT NOT NULL,
		sensor TEXT NOT NULL,
		value REAL,
		observed_at INTEGER,
		transport TEXT,
		position TEXT,
		UNIQUE (building, room, metric, sensor)
	);

	-- In the order of reading it back, and no more than that: years of it have to fit on a card.
	CREATE TABLE readings (
		series INTEGER NOT NULL,
		observed_at INTEGER NOT NULL,
		id TEXT NOT NULL,
		value REAL NOT NULL,
		PRIMARY KEY (series, observed_at, id)
	) WITHOUT ROWID;

	-- How far a stream is taken in; moves in the transaction that stores the readings.
	CREATE TABLE progress (
		stream TEXT PRIMARY KEY,
		position TEXT NOT NULL
	) WITHOUT ROWID;
	`,
];
