import { describeSource } from '../../src/sources/source.conformance.ts';
import { mqttHarness } from '../../src/testing/sources/mqtt-harness.ts';

describeSource('MQTT', mqttHarness);
