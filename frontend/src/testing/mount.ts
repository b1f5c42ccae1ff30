import { onTestFinished } from 'vitest';
import { createRenderer, defineComponent, h, type Ref } from 'vue';
import { createI18n } from 'vue-i18n';
import { en } from '../i18n/en.ts';
import { it } from '../i18n/it.ts';

/** A renderer that draws nothing, so that components can be mounted without a document. */
const renderer = createRenderer<object, object>({
	createElement: () => ({}),
	createText: () => ({}),
	createComment: () => ({}),
	insert() {},
	remove() {},
	patchProp() {},
	setText() {},
	setElementText() {},
	parentNode: () => null,
	nextSibling: () => null,
});

interface Mounted<T> {
	/** What `setup` returned. */
	result: T;
	/** The language of the texts; writing it changes the language. */
	locale: Ref<'en' | 'it'>;
	unmount(): void;
}

/**
 * Runs a composable as the setup of a component that has the page's texts. The component is unmounted after the running
 * test at the latest.
 * @param provide runs in the component above, to provide what `setup` injects
 */
export function mount<T>(setup: () => T, provide: () => void = () => {}): Mounted<T> {
	let result: { of: T } | undefined;
	const inner = defineComponent({
		setup() {
			result = { of: setup() };
			return () => null;
		},
	});
	const app = renderer.createApp({
		setup() {
			provide();
			return () => h(inner);
		},
	});
	const i18n = createI18n({ legacy: false, locale: 'en', fallbackLocale: 'en', messages: { en, it } });
	app.use(i18n).mount({});
	let mounted = true;
	const unmount = () => {
		if (mounted) app.unmount();
		mounted = false;
	};
	onTestFinished(unmount);
	if (!result) throw new Error('the setup of the mounted component failed');
	return { result: result.of, locale: i18n.global.locale as Ref<'en' | 'it'>, unmount };
}
