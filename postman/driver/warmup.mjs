// Warms this process up on a server of its own, so that the compilation of Newman's code does
// not count as the API's latency. The API itself gets no request before the test.

import { createServer } from 'node:http';

import { newman, ownConnection } from './newman.mjs';

const ROUNDS = 3;

/** Runs a collection a few times against a server in this process that says yes to everything. */
export async function warmUp({ collection, environment }) {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => response.setHeader('Content-Type', 'application/json').end('{}'));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const agents = ownConnection();
  const baseUrl = `http://127.0.0.1:${server.address().port}`;
  await new Promise((resolve) =>
    newman.run(
      {
        collection,
        environment: {
          values: environment.values.map((variable) =>
            variable.key === 'baseUrl' ? { ...variable, value: baseUrl } : variable,
          ),
        },
        iterationCount: ROUNDS,
        requestAgents: agents,
        verbose: true,
        reporters: [],
      },
      resolve, // an error here says nothing about the API
    ),
  );
  agents.http.destroy();
  agents.https.destroy();
  server.close();
}
