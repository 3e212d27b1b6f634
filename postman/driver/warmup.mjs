// Warms this process up on a server of its own, so that the compilation of Newman's code does
// not count as the API's latency. No request of the user's collection is sent, to nobody: it may
// name other hosts, or ask until something is done.

import { createServer } from 'node:http';

import { allowHere } from './allowed.mjs';
import { ownConnection } from './connection.mjs';
import { newman, runOptions } from './newman.mjs';

const ROUNDS = 8;
const LIMIT_MS = 5000;
const SCRIPTS = [
  { listen: 'prerequest', script: { exec: ["pm.variables.set('item', pm.variables.replaceIn('{{$guid}}'));"] } },
  {
    listen: 'test',
    script: {
      exec: [
        "pm.test('answers', () => pm.response.to.have.status(200));",
        "pm.test('is JSON', () => pm.expect(pm.response.json()).to.be.an('object'));",
      ],
    },
  },
];
const BODIES = [
  undefined,
  { mode: 'raw', raw: '{"id": "{{item}}"}', options: { raw: { language: 'json' } } },
  { mode: 'urlencoded', urlencoded: [{ key: 'id', value: '{{item}}' }] },
  { mode: 'formdata', formdata: [{ key: 'id', value: '{{item}}', type: 'text' }] },
];
const SIGNATURE = {
  type: 'awsv4',
  awsv4: Object.entries({
    accessKey: 'warm-up',
    secretKey: 'warm-up', // pragma: allowlist secret
    region: 'us-east-1',
    service: 'execute-api',
  }).map(([key, value]) => ({ key, value })),
};

let warm;

/** Runs a small collection a few times against a server in this process that says yes. */
export function warmUp() {
  warm ??= ask(Boolean(process.env.AWS_ACCESS_KEY_ID));
  return warm;
}

async function ask(signed) {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => response.setHeader('Content-Type', 'application/json').end('{}'));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  const forget = allowHere(port);
  const url = `http://127.0.0.1:${port}/items/{{item}}`;
  const collection = {
    info: { name: 'warm-up' },
    item: BODIES.map((body) => ({
      request: { method: body ? 'POST' : 'GET', url, body },
    })),
    event: SCRIPTS,
    ...(signed ? { auth: SIGNATURE } : {}),
  };
  const connection = ownConnection({ limitMs: LIMIT_MS, only: port }); // by no proxy
  const options = { requestTimeoutMs: LIMIT_MS, connection, iterationCount: ROUNDS };
  await new Promise((resolve) =>
    newman.run(runOptions({ collection }, options), resolve), // an error says nothing about the API
  );
  connection.close();
  forget();
  server.close();
}
