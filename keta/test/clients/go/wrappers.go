// What clientv3 puts around a client: leasing, mirror, namespace, ordering, naming.
package main

import (
	"errors"
	"net"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/leasing"
	"go.etcd.io/etcd/client/v3/mirror"
	"go.etcd.io/etcd/client/v3/namespace"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
	"go.etcd.io/etcd/client/v3/naming/resolver"
	"go.etcd.io/etcd/client/v3/ordering"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

func leasingKV(t *trial) {
	plain := t.client()
	prefix := t.key("leases/")
	open := func() (clientv3.KV, func()) {
		cached, closed, err := leasing.NewKV(t.client(), prefix)
		t.ok(err)
		return cached, closed
	}
	one, closeOne := open()
	two, closeTwo := open()
	key := t.key("k")
	t.put(one, key, "1")
	t.equal(t.values(one, key), []string{"1"})
	t.equal(len(t.values(plain, prefix+key)), 1)
	t.equal(t.values(one, key), []string{"1"})
	t.put(two, key, "2")
	t.equal(t.values(one, key), []string{"2"})
	answer, err := two.Txn(t.ctx).
		If(clientv3.Compare(clientv3.Value(key), "=", "2")).
		Then(clientv3.OpPut(key, "3"), clientv3.OpGet(key)).
		Commit()
	t.ok(err)
	t.equal(answer.Succeeded, true)
	t.equal(t.values(one, key), []string{"3"})
	_, err = two.Delete(t.ctx, t.key("k"), clientv3.WithPrefix())
	t.ok(err)
	t.equal(len(t.values(one, key)), 0)
	t.all(2, func(index int) error {
		for turn := range 20 {
			cached := []clientv3.KV{one, two}[(index+turn)%2]
			if _, err := cached.Put(t.ctx, key, "x"); err != nil {
				return err
			}
			if found, err := cached.Get(t.ctx, key); err != nil || len(found.Kvs) != 1 {
				return errors.Join(errors.New("the key is not there"), err)
			}
		}
		return nil
	})
	closeOne()
	closeTwo()
	t.equal(len(t.values(plain, prefix, clientv3.WithPrefix())), 0)
}

func mirrored(t *trial) {
	source := t.client()
	prefix := t.key("source/")
	t.fill(source, prefix, 2500)
	copied := namespace.NewKV(t.client(), t.key("copy/"))
	syncer := mirror.NewSyncer(source, prefix, 0)
	pages, failed := syncer.SyncBase(t.ctx)
	count := 0
	for page := range pages {
		operations := []clientv3.Op{}
		for _, pair := range page.Kvs {
			count++
			operations = append(operations, clientv3.OpPut(string(pair.Key), string(pair.Value)))
			if len(operations) == 100 {
				_, err := copied.Txn(t.ctx).Then(operations...).Commit()
				t.ok(err)
				operations = nil
			}
		}
	}
	t.ok(<-failed)
	t.equal(count, 2500)
	updates := syncer.SyncUpdates(t.ctx)
	t.put(source, prefix+"new", "x")
	_, err := source.Delete(t.ctx, prefix+"00000")
	t.ok(err)
	for seen := 0; seen < 2; {
		answer := receive(t, updates)
		t.ok(answer.Err())
		for _, event := range answer.Events {
			seen++
			if event.Type == clientv3.EventTypeDelete {
				_, err := copied.Delete(t.ctx, string(event.Kv.Key))
				t.ok(err)
			} else {
				t.put(copied, string(event.Kv.Key), string(event.Kv.Value))
			}
		}
	}
	t.equal(t.values(copied, prefix, clientv3.WithPrefix()), t.values(source, prefix, clientv3.WithPrefix()))
}

func namespaced(t *trial) {
	plain, client := t.client(), t.client()
	prefix := t.key("inside/")
	client.KV = namespace.NewKV(client.KV, prefix)
	client.Watcher = namespace.NewWatcher(client.Watcher, prefix)
	client.Lease = namespace.NewLease(client.Lease, prefix)
	events := client.Watch(t.ctx, "", clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	t.equal(receive(t, events).Created, true)
	granted, err := client.Grant(t.ctx, 60)
	t.ok(err)
	t.put(plain, t.key("outside"), "x")
	t.put(client, "k", "v", clientv3.WithLease(granted.ID))
	t.equal(t.values(plain, prefix+"k"), []string{"v"})
	t.equal(t.values(client, "", clientv3.WithFromKey()), []string{"v"})
	event := receive(t, events).Events[0]
	t.equal([]string{string(event.Kv.Key), string(event.Kv.Value)}, []string{"k", "v"})
	living, err := client.TimeToLive(t.ctx, granted.ID, clientv3.WithAttachedKeys())
	t.ok(err)
	t.equal(string(living.Keys[0]), "k")
	isThere := clientv3.Compare(clientv3.Value("k"), "=", "v")
	answer, err := client.Txn(t.ctx).If(isThere).Then(clientv3.OpDelete("k")).Commit()
	t.ok(err)
	t.equal(answer.Succeeded, true)
	t.equal(receive(t, events).Events[0].Type, clientv3.EventTypeDelete)
}

func ordered(t *trial) {
	client := t.client()
	violated := errors.New("an answer is older than one before")
	strict := ordering.NewKV(client.KV, func(clientv3.Op, clientv3.OpResponse, int64) error { return violated })
	key := t.key("k")
	for range 50 {
		t.put(strict, key, "x")
		_, err := strict.Get(t.ctx, key)
		t.ok(err)
	}
	// Serializable reads may be of another node, that is behind: they go on until one is not.
	t.put(client, key, "last")
	patient := ordering.NewKV(client.KV, ordering.NewOrderViolationSwitchEndpointClosure(client))
	t.equal(t.values(patient, key), []string{"last"})
	for range 20 {
		t.equal(t.values(patient, key, clientv3.WithSerializable()), []string{"last"})
	}
}

func naming(t *trial) {
	client := t.client()
	target := t.key("service")
	manager, err := endpoints.NewManager(client, target)
	t.ok(err)
	updates, err := manager.NewWatchChannel(t.ctx)
	t.ok(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	t.ok(err)
	address := listener.Addr().String()
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	go server.Serve(listener)
	defer server.Stop()
	granted, err := client.Grant(t.ctx, 60)
	t.ok(err)
	leased := clientv3.WithLease(granted.ID)
	t.ok(manager.AddEndpoint(t.ctx, target+"/one", endpoints.Endpoint{Addr: address, Metadata: "m"}, leased))
	t.equal(receive(t, updates)[0].Endpoint.Addr, address)
	listed, err := manager.List(t.ctx)
	t.ok(err)
	t.equal(listed[target+"/one"].Addr, address)
	builder, err := resolver.NewBuilder(client)
	t.ok(err)
	connection, err := grpc.NewClient("etcd:///"+target, grpc.WithResolvers(builder),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	t.ok(err)
	defer connection.Close()
	answer, err := grpc_health_v1.NewHealthClient(connection).Check(t.ctx, &grpc_health_v1.HealthCheckRequest{})
	t.ok(err)
	t.equal(answer.Status, grpc_health_v1.HealthCheckResponse_SERVING)
	_, err = client.Revoke(t.ctx, granted.ID)
	t.ok(err)
	t.equal(receive(t, updates)[0].Op, endpoints.Delete)
}
