// Signed POSTs (Standard Webhooks) from a BullMQ queue: node worker.mjs '{"redis":PORT,"url":…,"jobs":N,"inFlight":N,"body":…}'
// Fills the queue, prints "filled", drains it, and prints one JSON line: what was between a tenth and nine tenths of it.
import { createHmac, randomBytes } from 'node:crypto';
import http from 'node:http';
import { Queue, Worker } from 'bullmq';

const { redis, url, jobs, inFlight, body } = JSON.parse(process.argv[2]);
const connection = { host: '127.0.0.1', port: redis, maxRetriesPerRequest: null };
const options = { removeOnComplete: true, attempts: 10, backoff: { type: 'exponential', delay: 5000 } };
const key = randomBytes(32);
const agent = new http.Agent({ keepAlive: true, maxSockets: inFlight });

function post(id, payload) {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${payload}`).digest('base64');
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(payload),
    'user-agent': 'bullmq-reference',
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${signature}`,
    'webhook-event-type': 'bench.event',
  };
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method: 'POST', agent, headers, timeout: 15000 }, (response) => {
      response.on('data', () => {});
      response.on('end', () => (response.statusCode < 300 ? resolve() : reject(new Error(`HTTP ${response.statusCode}`))));
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', reject);
    request.end(payload);
  });
}

const queue = new Queue('webhooks', { connection });
for (let start = 0; start < jobs; start += 1000) {
  const count = Math.min(1000, jobs - start);
  await queue.addBulk(
    Array.from({ length: count }, (_, i) => ({ name: 'send', data: { id: `evt_${start + i}`, payload: body }, opts: options })),
  );
}
console.log('filled');

const marks = [];
let done = 0;
const drained = new Promise((resolve) => {
  const worker = new Worker('webhooks', (job) => post(job.data.id, job.data.payload), { connection, concurrency: inFlight });
  worker.on('failed', (_, error) => console.error(String(error)));
  worker.on('completed', () => {
    done += 1;
    if (marks.length < 2 && done >= jobs * (marks.length ? 0.9 : 0.1)) {
      const cpu = process.cpuUsage();
      marks.push({ at: performance.now(), done, cpu: cpu.user + cpu.system });
    }
    if (done === jobs) resolve(worker);
  });
});
const worker = await drained;
const [first, last] = marks;
const count = last.done - first.done;
console.log(JSON.stringify({ jobs_per_s: count / ((last.at - first.at) / 1000), node_cpu_us_per_job: (last.cpu - first.cpu) / count }));
await worker.close();
await queue.close();
agent.destroy();
