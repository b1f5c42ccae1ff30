import { describeSource } from '../../src/sources/source.conformance.ts';
import { serialHarness } from '../../src/testing/sources/serial-harness.ts';

describeSource('a serial line', serialHarness);
