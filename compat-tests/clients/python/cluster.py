"""Writes and reads keys through redis-py's cluster client: cluster.py PORT PROTOCOL COUNT."""

import sys

from redis.cluster import LoadBalancingStrategy, RedisCluster

BATCH = 500


def main() -> None:
    port, protocol, count = (int(argument) for argument in sys.argv[1:4])
    client = RedisCluster(host="127.0.0.1", port=port, protocol=protocol)
    prefix = f"redis-py-{protocol}"
    for first in range(0, count, BATCH):
        numbers = range(first, min(first + BATCH, count))
        with client.pipeline() as writes:
            for number in numbers:
                writes.set(f"{prefix}:{number}", f"value {number}")
            assert all(writes.execute())
        with client.pipeline() as reads:
            for number in numbers:
                reads.get(f"{prefix}:{number}")
            wanted = [f"value {number}".encode() for number in numbers]
            assert reads.execute() == wanted, first
    # One at a time, and over several slots of one hash tag.
    for number in range(100):
        assert client.incr(f"{prefix}:counter") == number + 1
    assert client.mset({"{tag}a": 1, "{tag}b": 2})
    assert client.mget("{tag}a", "{tag}b") == [b"1", b"2"]
    replica = RedisCluster(
        host="127.0.0.1",
        port=port,
        protocol=protocol,
        load_balancing_strategy=LoadBalancingStrategy.ROUND_ROBIN,
    )
    assert replica.get(f"{prefix}:no such key") is None
    assert client.cluster_info()["cluster_state"] == "ok"
    print(f"redis-py wrote and read {count} keys")


main()
