/** The parts of a connection string that may be shown, and that are needed besides the driver. */
export interface MongoAddress {
	/** `host:port`, several joined by commas; never user or password. */
	hosts: string;
	database: string;
	/** Names one server only, which may be a replica set that is not initiated yet. */
	single: boolean;
}

const FORM =
	/^mongodb(?<srv>\+srv)?:\/\/(?:[^/?]*@)?(?<hosts>[^/?@\s]+)(?:\/(?<database>[^?/]*))?(?:\?(?<options>.*))?$/;
/** Database names that are valid on every platform (MongoDB manual, Naming Restrictions), without `$`. */
const DATABASE = /^[^/\\. "$*<>:|?\0]{1,63}$/;

/**
 * Parses a MongoDB connection string; the database is `crowdvision` if it names none.
 * @throws Error that describes the mistake without repeating the string, which may contain a password.
 */
export function addressOf(url: string): MongoAddress {
	const { srv, hosts = '', database = '', options = '' } = FORM.exec(url)?.groups ?? {};
	if (!hosts) throw new Error('MONGO_URL must look like mongodb://host:27017/database');
	const name = decodeURIComponent(database) || 'crowdvision';
	if (!DATABASE.test(name)) throw new Error('the database name in MONGO_URL is not valid');
	const single = !srv && !hosts.includes(',') && !/(^|&)(replicaSet|loadBalanced)=/i.test(options);
	return { hosts: single && !/:\d+$/.test(hosts) ? `${hosts}:27017` : hosts, database: name, single };
}
