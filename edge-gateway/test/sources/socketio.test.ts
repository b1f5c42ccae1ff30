import { describeSource } from '../../src/sources/source.conformance.ts';
import { socketIoHarness } from '../../src/testing/sources/socketio-harness.ts';

describeSource('Socket.IO', socketIoHarness);
