import { describeSource } from '../../src/sources/source.conformance.ts';
import { httpHarness } from '../../src/testing/sources/http-harness.ts';

describeSource('HTTP', httpHarness);
