import { describeBus } from '../bus.conformance.ts';
import { embeddedHarness } from '../testing/embedded-harness.ts';

describeBus('the durable log', embeddedHarness);
