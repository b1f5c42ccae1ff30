import { type Bus, START } from '@crowdvision/bus';
import { type CommandResult, STREAMS } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';

/** The outcomes on the bus, collected as they arrive. */
export interface Results {
	readonly all: CommandResult[];
	/** Resolves with the outcome of a command once it is there. */
	of(id: string): Promise<CommandResult>;
}

/** Collects the outcomes on a bus, from its start. */
export async function resultsOn(bus: Bus): Promise<Results> {
	const all: CommandResult[] = [];
	await bus.tail(STREAMS.commandResults, START, (entries) => {
		for (const { data } of entries) all.push(JSON.parse(data) as CommandResult);
	});
	return { all, of: (id) => waitFor(`the outcome of ${id}`, () => all.find((result) => result.id === id)) };
}

/** A command as JSON, by default to the sensor `door` with a deadline in ten seconds. */
export function commandOf(
	id: string,
	given: { sensorId?: string; domainName?: string; name?: string; args?: unknown; inMs?: number } = {},
): string {
	const { sensorId = 'door', domainName, name = 'identify', args, inMs = 10_000 } = given;
	return JSON.stringify({ id, sensorId, domainName, name, args, deadline: Date.now() + inMs });
}
