// Writes and reads keys through ioredis' cluster client: cluster.js PORT COUNT.

const assert = require("node:assert");
const path = require("node:path");
const { Cluster } = require(path.join(process.env.COMPAT_NODE, "node_modules", "ioredis"));

const BATCH = 500;

async function main() {
  const [port, count] = process.argv.slice(2).map(Number);
  const cluster = new Cluster([{ host: "127.0.0.1", port }]);
  for (let first = 0; first < count; first += BATCH) {
    const numbers = Array.from({ length: Math.min(BATCH, count - first) }, (_, i) => first + i);
    const set = await Promise.all(numbers.map((n) => cluster.set(`ioredis:${n}`, `value ${n}`)));
    assert(set.every((reply) => reply === "OK"));
    const got = await Promise.all(numbers.map((n) => cluster.get(`ioredis:${n}`)));
    assert.deepStrictEqual(got, numbers.map((n) => `value ${n}`));
  }
  const pipeline = await cluster.pipeline().set("{tag}x", 1).incr("{tag}x").get("{tag}x").exec();
  assert.deepStrictEqual(pipeline, [[null, "OK"], [null, 2], [null, "2"]]);
  const transaction = await cluster.multi().set("{tag}y", 1).incr("{tag}y").exec();
  assert.deepStrictEqual(transaction, [[null, "OK"], [null, 2]]);
  cluster.disconnect();
  const replicas = new Cluster([{ host: "127.0.0.1", port }], { scaleReads: "slave" });
  assert.strictEqual(await replicas.get("no such key"), null);
  replicas.disconnect();
  console.log(`ioredis wrote and read ${count} keys`);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
