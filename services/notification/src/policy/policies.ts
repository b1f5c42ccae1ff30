import {
	type AccountClaims,
	CrowdVisionError,
	DEFAULT_POLICY,
	type Policy,
	policyOf,
	policyProblems,
	type RetainedBuilding,
	TABLES,
	type TableName,
} from '@crowdvision/contracts';
import {
	type BuildingDirectory,
	invalid,
	type Logger,
	type RetainedSource,
	requireMatch,
	retryOnConflict,
} from '@crowdvision/service-kit';
import { allDocuments, type Collection, type Store } from '@crowdvision/store';

/** The policy of a building. */
export interface PolicyDocument {
	buildingId: string;
	/** Of the building; a later building of its id has a policy of its own. */
	generation?: string;
	policy: Policy;
}

/** The part of the bus that this needs. */
interface Watchable {
	watch(table: TableName, handle: (key: string, value: string | null) => void): Promise<{ close(): Promise<void> }>;
}

/**
 * How people are called, by building. Every replica reads and writes the store; what one of them stored, the others
 * learn from the table `registry:policies`, so that `of` needs to wait for nobody.
 */
export class Policies implements RetainedSource {
	readonly #store: Store;
	readonly #documents: Collection<PolicyDocument>;
	readonly #directory: BuildingDirectory;
	readonly #logger: Logger;
	readonly #known = new Map<string, PolicyDocument>();

	constructor(store: Store, directory: BuildingDirectory, logger: Logger) {
		this.#store = store;
		this.#documents = store.collection('policies');
		this.#directory = directory;
		this.#logger = logger;
	}

	/** Follows the table until closed; resolves once every present policy is known. */
	follow(bus: Watchable): Promise<{ close(): Promise<void> }> {
		return bus.watch(TABLES.policies, (buildingId, value) => {
			if (value === null) return void this.#known.delete(buildingId);
			try {
				this.#known.set(buildingId, JSON.parse(value) as PolicyDocument);
			} catch (error) {
				this.#logger.error({ err: error, buildingId }, 'a retained policy could not be read');
			}
		});
	}

	/** The policy that holds for a building now: as set, else the default. */
	of(buildingId: string | undefined): Policy {
		const building = buildingId === undefined ? undefined : this.#directory.get(buildingId);
		const known = building && this.#known.get(building.id);
		return known && known.generation === building.generation ? known.policy : DEFAULT_POLICY;
	}

	/**
	 * The stored policy, for staff of the building.
	 * @throws CrowdVisionError `not_found`, or `forbidden` below business_staff
	 */
	async get(buildingId: string, memberships: AccountClaims['memberships']): Promise<Policy> {
		const building = this.#directory.require(memberships, buildingId, 'business_staff');
		return current(building, (await this.#documents.get(buildingId))?.value);
	}

	/**
	 * Sets the policy of a building; resolves with it once it is stored.
	 * @param ifMatch the header; the policy that it stands for must be the present one
	 * @throws CrowdVisionError `not_found`, `forbidden`, `invalid` with the path of each mistake, `changed_meanwhile`
	 */
	async set(
		buildingId: string,
		request: unknown,
		{ memberships, ifMatch }: { memberships: AccountClaims['memberships']; ifMatch: string | undefined },
	): Promise<Policy> {
		const building = this.#directory.require(memberships, buildingId, 'business_staff');
		const zone = building.timeZone ?? 'UTC';
		const problems = policyProblems(request, { zone, rooms: new Set(building.rooms.map(({ id }) => id)) });
		if (problems.length > 0) throw invalid(problems);
		const policy = policyOf(request as Partial<Policy>);
		const { generation } = building;
		const document: PolicyDocument = { buildingId, ...(generation !== undefined && { generation }), policy };
		await retryOnConflict(async () => {
			const stored = await this.#documents.get(buildingId);
			requireMatch(ifMatch, current(building, stored?.value));
			await this.#store.commit([
				stored ? this.#documents.replace(stored, document) : this.#documents.insert(buildingId, document),
			]);
		});
		this.#known.set(buildingId, document);
		return policy;
	}

	/** Forgets the policy of a building that was removed, or that has its id no more; says whether there was one. */
	async forget(buildingId: string): Promise<boolean> {
		const stored = await this.#documents.get(buildingId);
		if (!stored || !this.#directory.ended(buildingId)?.isOver(stored.value.generation)) return false;
		try {
			await this.#store.commit([this.#documents.remove(stored)]);
			return true;
		} catch (error) {
			// Somebody set the policy of the building that has the id now.
			if (!(error instanceof CrowdVisionError) || error.code !== 'conflict') throw error;
			return false;
		}
	}

	async keys(): Promise<string[]> {
		return (await allDocuments(this.#documents, { by: 'buildingId' })).map(({ id }) => id);
	}

	async read(buildingId: string): Promise<string | null> {
		const stored = await this.#documents.get(buildingId);
		return stored ? JSON.stringify(stored.value) : null;
	}
}

const current = ({ generation }: RetainedBuilding, stored: PolicyDocument | undefined): Policy =>
	stored && stored.generation === generation ? stored.policy : DEFAULT_POLICY;
