/** The socket service as a process, and a dashboard's client, for tests and benchmarks outside of the service. */
export { connectDashboard, type Dashboard } from '../../services/socket/src/testing/dashboard.ts';
export { startSocketProcess } from '../../services/socket/src/testing/socket-process.ts';
