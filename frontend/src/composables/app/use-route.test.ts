import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { mount } from '../../testing/mount.ts';
import { provideRoute, useRoute } from './use-route.ts';

let events: EventTarget;
let entries: string[];

/** Goes back one entry, as the browser does. */
function back(): void {
	entries.pop();
	events.dispatchEvent(new Event('popstate'));
}

beforeEach(() => {
	events = new EventTarget();
	entries = ['?building=works'];
	vi.stubGlobal('location', {
		get search() {
			return entries.at(-1);
		},
	});
	vi.stubGlobal('history', { pushState: (_state: unknown, _title: string, url: string) => entries.push(url) });
	vi.stubGlobal('addEventListener', events.addEventListener.bind(events));
	vi.stubGlobal('removeEventListener', events.removeEventListener.bind(events));
	onTestFinished(() => void vi.unstubAllGlobals());
});

describe('the route of the page', () => {
	it('is what the address says, so that every view can be linked to', () => {
		entries = ['?building=works&room=hall&view=room'];
		const { result: route } = mount(useRoute, provideRoute);
		expect(route.value).toEqual({ building: 'works', room: 'hall', view: 'room' });
	});

	it('changes the address when it is written, and goes back with the browser', () => {
		const { result: route } = mount(useRoute, provideRoute);
		route.value = { building: 'works', view: 'room', room: 'hall' };
		expect(entries).toEqual(['?building=works', '?building=works&room=hall&view=room']);
		back();
		expect(route.value).toEqual({ building: 'works', view: 'rooms' });
	});

	it('follows the browser no more after the page is closed', () => {
		const { result: route, unmount } = mount(useRoute, provideRoute);
		route.value = { building: 'other', view: 'rooms' };
		unmount();
		back();
		expect(route.value.building).toBe('other');
	});
});
