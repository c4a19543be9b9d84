// Many leases that one client keeps alive over its one stream.
package main

import (
	clientv3 "go.etcd.io/etcd/client/v3"
)

func leases(t *trial) {
	client, other := t.client(), t.client()
	const many = 200
	granted := make([]clientv3.LeaseID, many)
	t.all(many, func(index int) error {
		answer, err := client.Grant(t.ctx, 3)
		if err == nil {
			granted[index] = answer.ID
		}
		return err
	})
	kept := []<-chan *clientv3.LeaseKeepAliveResponse{}
	for _, id := range granted {
		channel, err := client.KeepAlive(t.ctx, id)
		t.ok(err)
		kept = append(kept, channel)
	}
	// One at once, the others each after a third of its time: longer than it would live alone.
	for range 5 {
		for index, channel := range kept {
			answer := receive(t, channel)
			t.equal([]any{answer.ID, answer.TTL}, []any{granted[index], 3})
		}
	}
	listed, err := other.Leases(t.ctx)
	t.ok(err)
	living := map[clientv3.LeaseID]bool{}
	for _, lease := range listed.Leases {
		living[lease.ID] = true
	}
	for _, id := range granted {
		t.equal(living[id], true)
	}
	t.put(client, t.key("k"), "x", clientv3.WithLease(granted[0]))
	found, err := other.TimeToLive(t.ctx, granted[0], clientv3.WithAttachedKeys())
	t.ok(err)
	t.equal([]any{found.GrantedTTL, string(found.Keys[0])}, []any{3, t.key("k")})
	t.all(many, func(index int) error {
		_, err := other.Revoke(t.ctx, granted[index])
		return err
	})
	for _, channel := range kept {
		drained(t, channel)
	}
	t.equal(len(t.values(other, t.key("k"))), 0)
	_, err = client.KeepAliveOnce(t.ctx, granted[0])
	t.refused(err, "requested lease not found")
	gone, err := client.TimeToLive(t.ctx, granted[0])
	t.ok(err)
	t.equal(gone.TTL, -1)
}
