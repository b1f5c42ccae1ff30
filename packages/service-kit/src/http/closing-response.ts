import { type IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { MAX_BODY_BYTES } from './bounded-body.ts';

/** How long a client may go on sending after its answer, and how often a part of that is read, in ms. */
const LINGER_MS = 2000;
const LINGER_PAUSE_MS = 50;

/**
 * An answer that ends the connection where the rest of the request may be endless: its body has no stated length, or
 * one above every limit, and is not wanted any more. Node would read all of it to use the connection again.
 */
export class ClosingResponse<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
	constructor(request: Request, options?: object) {
		super(request, ...((options === undefined ? [] : [options]) as []));
		const { headers } = request;
		// On the object itself, since express gives it another prototype.
		if (headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > MAX_BODY_BYTES)
			this.writeHead = writeHeadAndClose;
	}
}

function writeHeadAndClose<R extends ServerResponse>(this: R, statusCode: number, ...rest: unknown[]): R {
	if (!this.headersSent && !this.req.complete) {
		this.setHeader('Connection', 'close');
		closeGently(this.req);
	}
	return ServerResponse.prototype.writeHead.call(this, statusCode, ...(rest as [])) as R;
}

/**
 * Has Node, which destroys the connection once the answer is written, keep it for two seconds, unless the client closes
 * before. If bytes arrived after that, TCP would reset the connection, and the client might never see its answer. What
 * it goes on sending is read slowly, so that it comes to look at its answer.
 */
function closeGently(request: IncomingMessage): void {
	const { socket } = request;
	request.on('data', () => {
		request.pause();
		setTimeout(() => request.resume(), LINGER_PAUSE_MS).unref();
	});
	socket.destroySoon = () => {
		if (request.complete) return Socket.prototype.destroySoon.call(socket);
		socket.end();
		const force = setTimeout(() => socket.destroy(), LINGER_MS);
		socket.once('close', () => clearTimeout(force));
	};
}
