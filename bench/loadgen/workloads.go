// The operations that a run repeats.
package main

import (
	"context"
	"fmt"
	"math/rand"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

const dialTimeout = 10 * time.Second

// doOne performs operation number i as caller number who.
type doOne func(ctx context.Context, who int, i int64, random *rand.Rand) error

// connect opens opts.conns connections and shares them out to opts.clients callers.
func connect(opts options) ([]*clientv3.Client, error) {
	conns := make([]*clientv3.Client, opts.conns)
	for i := range conns {
		config := clientv3.Config{
			Endpoints:   []string{opts.endpoints[i%len(opts.endpoints)]},
			DialTimeout: dialTimeout,
			Logger:      zap.NewNop(),
		}
		conn, err := clientv3.New(config)
		if err != nil {
			return nil, fmt.Errorf("connect: %w", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
		_, err = conn.Get(ctx, "loadgen-probe")
		cancel()
		if err != nil {
			return nil, fmt.Errorf("first request: %w", err)
		}
		conns[i] = conn
	}
	clients := make([]*clientv3.Client, opts.clients)
	for i := range clients {
		clients[i] = conns[i%len(conns)]
	}
	return clients, nil
}

func operation(workload string, clients []*clientv3.Client, opts options) (doOne, error) {
	value := randomValue(opts.valueSize)
	switch workload {
	case "put":
		return func(ctx context.Context, who int, _ int64, random *rand.Rand) error {
			_, err := clients[who].Put(ctx, opts.randomKey(random), value)
			return err
		}, nil
	case "fill":
		return func(ctx context.Context, who int, i int64, _ *rand.Rand) error {
			return putMany(ctx, clients[who], opts, i, value)
		}, nil
	case "txn-put":
		return func(ctx context.Context, who int, i int64, _ *rand.Rand) error {
			return putMany(ctx, clients[who], opts, i, value)
		}, nil
	case "txn-mixed":
		return func(ctx context.Context, who int, i int64, random *rand.Rand) error {
			return compareAndPut(ctx, clients[who], opts.randomKey(random), value, i%2 == 0)
		}, nil
	case "range":
		return rangeOperation(clients, opts), nil
	case "lease-keepalive":
		return keepAliveOperation(clients, opts)
	}
	return nil, fmt.Errorf("unknown workload %q", workload)
}

// putMany writes the opts.txnOps keys that follow on each other from operation i on, in one transaction.
func putMany(ctx context.Context, client *clientv3.Client, opts options, i int64, value string) error {
	puts := make([]clientv3.Op, opts.txnOps)
	for j := range puts {
		puts[j] = clientv3.OpPut(opts.key((i*int64(opts.txnOps)+int64(j))%int64(opts.keySpace)), value)
	}
	_, err := client.Txn(ctx).Then(puts...).Commit()
	return err
}

// compareAndPut is what Kubernetes does all day: every other operation a guarded put, the rest a read in a transaction.
func compareAndPut(ctx context.Context, client *clientv3.Client, key, value string, read bool) error {
	if read {
		_, err := client.Txn(ctx).Then(clientv3.OpGet(key)).Commit()
		return err
	}
	guard := clientv3.Compare(clientv3.ModRevision(key), ">", -1)
	_, err := client.Txn(ctx).If(guard).Then(clientv3.OpPut(key, value)).Else(clientv3.OpGet(key)).Commit()
	return err
}

func rangeOperation(clients []*clientv3.Client, opts options) doOne {
	var read []clientv3.OpOption
	if opts.consistency == "s" {
		read = append(read, clientv3.WithSerializable())
	}
	if opts.limit > 0 {
		read = append(read, clientv3.WithLimit(opts.limit), clientv3.WithFromKey())
	}
	return func(ctx context.Context, who int, _ int64, random *rand.Rand) error {
		_, err := clients[who].Get(ctx, opts.randomKey(random), read...)
		return err
	}
}

func keepAliveOperation(clients []*clientv3.Client, opts options) (doOne, error) {
	leases := make([]clientv3.LeaseID, len(clients))
	for i, client := range clients {
		grant, err := client.Grant(context.Background(), opts.ttl)
		if err != nil {
			return nil, fmt.Errorf("grant: %w", err)
		}
		leases[i] = grant.ID
	}
	return func(ctx context.Context, who int, _ int64, _ *rand.Rand) error {
		_, err := clients[who].KeepAliveOnce(ctx, leases[who])
		return err
	}, nil
}

func (o options) key(i int64) string {
	return fmt.Sprintf("%s%0*d", o.prefix, o.keySize, i)
}

func (o options) randomKey(random *rand.Rand) string {
	return o.key(int64(random.Intn(o.keySpace)))
}

func randomValue(size int) string {
	value := make([]byte, size)
	for i := range value {
		value[i] = byte('a' + rand.Intn(26))
	}
	return string(value)
}
