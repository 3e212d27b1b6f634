// The connections of a virtual user, which no request can hold for ever.

import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { connect } from 'node:net';

import { asks } from './allowed.mjs';

/**
 * Agents for Newman that keep one connection open, as one client has.
 *
 * There may be more of them at once: what waits for a connection in Node.js has no time-out, so
 * a connection that does not come back would stop everything.
 *
 * @param limitMs longest time of a request, its answer's last byte included: Newman's own
 *   time-out ends when an answer begins
 * @param keepAlive whether the connection is kept
 * @param only port of this machine where all connections go, whatever address was asked for
 * @param itemName tells which item sends what is sent just now
 */
export function ownConnection({ limitMs, keepAlive = true, only, itemName }) {
  const options = { keepAlive, maxFreeSockets: 1 };
  const agents = [new HttpAgent(options), new HttpsAgent(options)];
  for (const agent of agents) {
    bound(agent, limitMs);
    if (itemName) asks(agent, itemName);
    if (only) agent.createConnection = () => connect({ host: '127.0.0.1', port: only });
  }
  const [http, https] = agents;
  return { http, https, close: () => agents.forEach((agent) => agent.destroy()) };
}

function bound(agent, limitMs) {
  const addRequest = agent.addRequest.bind(agent);
  agent.addRequest = (request, ...others) => {
    let answer;
    const timer = setTimeout(() => {
      const error = new Error(`no whole answer within ${limitMs} ms`);
      error.code = 'ETIMEDOUT';
      answer?.emit('error', error); // to whom the answer has begun, the request says nothing
      request.destroy(error);
    }, limitMs);
    request.once('close', () => clearTimeout(timer));
    request.once('response', (response) => {
      answer = response;
      response.once('end', () => {
        // Answered before the body was sent: nobody goes on sending, and Node.js would keep the
        // connection for it for ever.
        if (!request.writableFinished) request.destroy();
      });
    });
    return addRequest(request, ...others);
  };
}
