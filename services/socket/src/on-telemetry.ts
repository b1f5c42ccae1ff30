import type { Subscription } from '@crowdvision/bus';
import type { Dashboards } from './dashboards/dashboards.ts';
import type { SensorPlaces } from './dashboards/sensor-places.ts';
import type { Feed } from './feed/feed.ts';

export interface TelemetryParts {
	feed: Feed;
	dashboards: Dashboards;
	places: SensorPlaces;
}

/** Sends the readings of the feed to the dashboards, and learns from them which building each sensor is in. */
export function followTelemetry({ feed, dashboards, places }: TelemetryParts): Promise<Subscription> {
	return feed.follow({
		onReadings: (buildingId, readings) => {
			places.learn(readings);
			dashboards.onReadings(buildingId, readings);
		},
		onGap: (gap) => dashboards.onGap(gap),
	});
}
