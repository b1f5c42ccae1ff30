import type { Readings, RoomMetric, Sample, TimeRange } from '@crowdvision/store';

/** Samples read at once. */
const PAGE = 20_000;

/**
 * The samples of a range in order of time, page by page. Samples of the same moment are in the same page.
 * @param size of a page; a page is larger where more samples are of one moment
 */
export async function* samplePages(
	readings: Pick<Readings, 'samples'>,
	of: RoomMetric & { sensorId?: string },
	{ from, to }: TimeRange,
	size = PAGE,
): AsyncGenerator<Sample[]> {
	for (let limit = size, start = from; ; ) {
		const page = await readings.samples(of, { from: start, to }, limit);
		if (page.length < limit) {
			yield page;
			return;
		}
		const last = page.at(-1)!.observedAt;
		const whole = page.filter(({ observedAt }) => observedAt < last);
		if (whole.length === 0) limit *= 2;
		else {
			yield whole;
			start = last;
		}
	}
}
