"""Calls a server with gRPC's C core, and prints what comes of it: the same on every server, if all is well."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import grpc
from etcdserverpb import rpc_pb2 as api
from etcdserverpb import rpc_pb2_grpc as stubs

NARROWEST = 65535
LARGE = 900_000
PATIENCE_S = 40

endpoint = sys.argv[1]


def connect(*options):
    """A connection of its own, with every error as soon as it is there."""
    always = (('grpc.use_local_subchannel_pool', 1), ('grpc.max_receive_message_length', -1))
    channel = grpc.insecure_channel(endpoint, options=always + options)
    grpc.channel_ready_future(channel).result(timeout=PATIENCE_S)
    return channel


def outcome(call):
    """The status and text of what fails; what else comes of it otherwise."""
    try:
        return call()
    except grpc.RpcError as error:
        return error.code().name, error.details()


class Watch:
    """One stream of watches, whose requests can be written at any time."""

    def __init__(self, channel, timeout=PATIENCE_S):
        self._requests = SimpleQueue()
        self.answers = stubs.WatchStub(channel).Watch(iter(self._requests.get, None), timeout=timeout)

    def send(self, **request):
        self._requests.put(api.WatchRequest(**request))
        return next(self.answers)

    def events(self, count):
        found = []
        while len(found) < count:
            found.extend(next(self.answers).events)
        return found

    def half_close(self):
        self._requests.put(None)


def calls():
    channel = connect()
    kv = stubs.KVStub(channel)
    print(len(kv.Put(api.PutRequest(key=b'a', value=b'1'), timeout=PATIENCE_S).header.ListFields()) > 2)
    found = kv.Range(api.RangeRequest(key=b'a'))
    print(found.count, found.kvs[0].value, found.kvs[0].version)
    print(outcome(lambda: kv.Put(api.PutRequest(key=b''))))
    print(outcome(lambda: kv.Range(api.RangeRequest(key=b'a', revision=1 << 60))))
    print(outcome(lambda: kv.Put(api.PutRequest(key=b'a', value=bytes(3 << 20)))))
    unknown = channel.unary_unary('/etcdserverpb.KV/Nothing')
    print(outcome(lambda: unknown(b'')))
    print(outcome(lambda: channel.unary_unary('/etcdserverpb.KV/Put')(b'\xff\xff'))[0])
    channel.close()


def compressed():
    channel = connect()
    kv = stubs.KVStub(channel)
    gzip = grpc.Compression.Gzip
    kv.Put(api.PutRequest(key=b'gzip', value=b'z' * LARGE), compression=gzip)
    print(kv.Range(api.RangeRequest(key=b'gzip')).kvs[0].value == b'z' * LARGE)
    print(outcome(lambda: kv.Put(api.PutRequest(key=b'gzip', value=bytes(3 << 20)), compression=gzip))[0])
    print(outcome(lambda: kv.Put(api.PutRequest(key=b'x'), compression=grpc.Compression.Deflate))[0])
    channel.close()


def deadlines():
    channel = connect()
    for timeout in (0.000001, 0.2):
        watch = Watch(channel, timeout)
        # Whose clock is first: the client's own word, or what a server makes of its end.
        print(outcome(lambda: next(watch.answers))[0] in ('DEADLINE_EXCEEDED', 'CANCELLED'))
        watch.half_close()
    print(stubs.KVStub(channel).Range(api.RangeRequest(key=b'none'), timeout=PATIENCE_S).count)
    channel.close()


def narrow():
    """Values larger than the windows, taken late, beside calls that must not wait for them."""
    slow = connect(('grpc.http2.lookahead_bytes', NARROWEST), ('grpc.http2.bdp_probe', 0))
    kv = stubs.KVStub(slow)
    watches = [Watch(slow) for _ in range(3)]
    for watch in watches:
        print(watch.send(create_request=api.WatchCreateRequest(key=b'n/', range_end=b'n0')).created)
    fast = connect()
    for number in range(12):
        value = bytes([number]) * (LARGE + number)
        stubs.KVStub(fast).Put(api.PutRequest(key=b'n/%02d' % number, value=value))
        kv.Range(api.RangeRequest(key=b'none'), timeout=PATIENCE_S)
    for watch in watches:
        print([(event.kv.key, event.kv.value[0], len(event.kv.value)) for event in watch.events(12)])
        watch.half_close()
    slow.close()
    fast.close()


def storm():
    """Calls that are given up at any moment, on one connection, which serves the others all the while."""
    channel = connect()
    kv = stubs.KVStub(channel)
    kv.Put(api.PutRequest(key=b'storm', value=b'x'))

    def give_up(number):
        call = kv.Range.future(api.RangeRequest(key=b'\0', range_end=b'\0'))
        watch = stubs.WatchStub(channel).Watch(iter(()))
        time.sleep((number % 10) / 2000)
        call.cancel()
        watch.cancel()
        return kv.Range(api.RangeRequest(key=b'storm'), timeout=PATIENCE_S).count

    with ThreadPoolExecutor(20) as pool:
        print(sum(pool.map(give_up, range(2000))))
    channel.close()


def lasting():
    """One stream with many messages both ways."""
    channel = connect()
    watch = Watch(channel)
    kv = stubs.KVStub(channel)
    for number in range(200):
        created = watch.send(create_request=api.WatchCreateRequest(key=b'l/%d' % number))
        assert created.created, created
    with ThreadPoolExecutor(10) as pool:
        puts = pool.map(lambda number: kv.Put(api.PutRequest(key=b'l/%d' % (number % 200))), range(2000))
        # Of several watches the events need not come in one order.
        revisions = sorted(event.kv.mod_revision for event in watch.events(2000))
        print(sorted(put.header.revision for put in puts) == revisions)
    print(watch.send(cancel_request=api.WatchCancelRequest(watch_id=7)).canceled)
    channel.close()


for scenario in (calls, compressed, deadlines, narrow, storm, lasting):
    print(f'{scenario.__name__}:')
    scenario()
