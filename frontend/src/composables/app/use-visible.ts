import { onBeforeUnmount, onMounted, type Ref, ref, type ShallowRef } from 'vue';

/** Becomes true when `element` first comes within 200 px of the viewport, and stays true. */
export function useVisible(element: Readonly<ShallowRef<Element | null>>): Ref<boolean> {
	const visible = ref(false);
	let observer: IntersectionObserver | undefined;
	onMounted(() => {
		if (!element.value) return;
		observer = new IntersectionObserver(
			(entries) => {
				if (!entries.some((entry) => entry.isIntersecting)) return;
				visible.value = true;
				observer?.disconnect();
			},
			{ rootMargin: '200px' },
		);
		observer.observe(element.value);
	});
	onBeforeUnmount(() => observer?.disconnect());
	return visible;
}
