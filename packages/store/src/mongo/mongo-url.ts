/** What of a connection string may be shown and is needed beside the driver. */
export interface MongoAddress {
	/** `host:port`, several with a comma; never user or password. */
	hosts: string;
	database: string;
	/** One server named by itself, which may be a replica set that nobody has initiated yet. */
	single: boolean;
}

const FORM =
	/^mongodb(?<srv>\+srv)?:\/\/(?:[^/?]*@)?(?<hosts>[^/?@\s]+)(?:\/(?<database>[^?/]*))?(?:\?(?<options>.*))?$/;
/** What MongoDB takes for a name everywhere (its own documentation, Naming Restrictions), and `$` nowhere. */
const DATABASE = /^[^/\\. "$*<>:|?\0]{1,63}$/;

/**
 * Reads a MongoDB connection string; its database is `crowdvision` where it names none.
 * @throws Error that says what is wrong, without the string: it may hold a password.
 */
export function addressOf(url: string): MongoAddress {
	const { srv, hosts = '', database = '', options = '' } = FORM.exec(url)?.groups ?? {};
	if (!hosts) throw new Error('MONGO_URL must look like mongodb://host:27017/database');
	const name = decodeURIComponent(database) || 'crowdvision';
	if (!DATABASE.test(name)) throw new Error('the database that MONGO_URL names is no name for one');
	const single = !srv && !hosts.includes(',') && !/(^|&)(replicaSet|loadBalanced)=/i.test(options);
	return { hosts: single && !/:\d+$/.test(hosts) ? `${hosts}:27017` : hosts, database: name, single };
}
