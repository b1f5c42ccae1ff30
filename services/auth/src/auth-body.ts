import { jsonBody } from '@crowdvision/service-kit';

/** Reads the JSON body of a request to auth, at most 64 KiB. Only for routes that take one: others ignore it. */
export const authBody = jsonBody(64 * 1024);
