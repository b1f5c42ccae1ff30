import { Counter, Gauge, type Registry } from '@crowdvision/service-kit';
import type { MqttListener } from './mqtt-listener.ts';

/** What Prometheus reads of the MQTT listener. */
export function registerMqttMetrics(metrics: Registry, listener: MqttListener, withheld: () => number): void {
	new Gauge({
		name: 'gateway_mqtt_connections',
		help: 'MQTT connections that are open',
		registers: [metrics],
		collect() {
			this.set(listener.connections.size);
		},
	});
	new Counter({
		name: 'gateway_mqtt_cut_off_total',
		help: 'MQTT connections that were ended by the gateway, by the statement of the standard that was broken',
		labelNames: ['statement'],
		registers: [metrics],
		collect() {
			this.reset();
			for (const [statement, count] of listener.cuts) this.inc({ statement }, count);
		},
	});
	new Counter({
		name: 'gateway_mqtt_withheld_total',
		help: 'Messages of QoS 0 that a subscriber which is behind with reading did not get',
		registers: [metrics],
		collect() {
			this.reset();
			this.inc(withheld());
		},
	});
}
