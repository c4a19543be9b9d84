// The recipes of clientv3/concurrency: sessions, locks, elections, software transactional memory.
package main

import (
	"context"
	"fmt"
	"strconv"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

func (t *trial) session(client *clientv3.Client, ttl int) *concurrency.Session {
	opened, err := concurrency.NewSession(client, concurrency.WithTTL(ttl))
	t.ok(err)
	return opened
}

// Waits for an event of this kind under the prefix, later than the revision.
func (t *trial) event(client *clientv3.Client, prefix string, revision int64, kind string) {
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	for answer := range client.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(revision+1)) {
		t.ok(answer.Err())
		for _, event := range answer.Events {
			if event.Type.String() == kind {
				return
			}
		}
	}
	t.fail("no %s under %s", kind, prefix)
}

func session(t *trial) {
	client, other := t.client(), t.client()
	kept, orphaned := t.session(client, 4), t.session(client, 5)
	t.put(client, t.key("kept"), "", clientv3.WithLease(kept.Lease()))
	revision := t.put(client, t.key("orphaned"), "", clientv3.WithLease(orphaned.Lease()))
	orphaned.Orphan()
	drained(t, orphaned.Done())
	t.event(other, t.key("orphaned"), revision, "DELETE")
	// The other one is older, and would have ended before.
	t.equal(len(t.values(other, t.key("kept"))), 1)
	_, err := other.TimeToLive(t.ctx, kept.Lease())
	t.ok(err)
	t.ok(kept.Close())
	t.equal(len(t.values(other, t.key("kept"))), 0)
	lost := t.session(client, 2)
	_, err = other.Revoke(t.ctx, lost.Lease())
	t.ok(err)
	drained(t, lost.Done())
	granted, err := client.Grant(t.ctx, 60)
	t.ok(err)
	adopted, err := concurrency.NewSession(client, concurrency.WithLease(granted.ID))
	t.ok(err)
	t.equal(adopted.Lease(), granted.ID)
	t.ok(adopted.Close())
}

func mutex(t *trial) {
	clients := []*clientv3.Client{t.client(), t.client()}
	prefix := t.key("lock")
	holder, waiter := t.session(clients[0], 2), t.session(clients[1], 60)
	held, wanted := concurrency.NewMutex(holder, prefix), concurrency.NewMutex(waiter, prefix)
	t.ok(held.Lock(t.ctx))
	t.equal(wanted.TryLock(t.ctx), concurrency.ErrLocked)
	locked := make(chan error, 1)
	go func() { locked <- wanted.Lock(t.ctx) }()
	t.event(clients[0], prefix, held.Header().Revision, "PUT")
	t.equal(len(locked), 0)
	// Who has it is gone without a word: the lease ends, and with it the lock.
	holder.Orphan()
	t.ok(receive(t, locked))
	answer, err := clients[1].Txn(t.ctx).If(held.IsOwner()).Commit()
	t.ok(err)
	t.equal(answer.Succeeded, false)
	answer, err = clients[1].Txn(t.ctx).If(wanted.IsOwner()).Commit()
	t.ok(err)
	t.equal(answer.Succeeded, true)
	late := t.session(clients[0], 60)
	go func() { locked <- concurrency.NewMutex(late, prefix).Lock(t.ctx) }()
	t.event(clients[0], fmt.Sprintf("%s/%x", prefix, late.Lease()), wanted.Header().Revision, "PUT")
	_, err = clients[1].Revoke(t.ctx, late.Lease())
	t.ok(err)
	t.ok(wanted.Unlock(t.ctx))
	if receive(t, locked) == nil {
		t.fail("a session that has ended took the lock")
	}
	counter := t.key("counter")
	t.put(clients[0], counter, "0")
	t.all(4, func(index int) error { return count(t.ctx, clients[index%2], t.key("contended"), counter, 10) })
	t.equal(t.values(clients[0], counter), []string{"40"})
}

// Adds one so many times, each time under the lock.
func count(ctx context.Context, client *clientv3.Client, prefix, counter string, times int) error {
	opened, err := concurrency.NewSession(client)
	if err != nil {
		return err
	}
	lock := concurrency.NewMutex(opened, prefix)
	for range times {
		if err := lock.Lock(ctx); err != nil {
			return err
		}
		found, err := client.Get(ctx, counter)
		if err != nil {
			return err
		}
		number, err := strconv.Atoi(string(found.Kvs[0].Value))
		if err != nil {
			return err
		}
		if _, err = client.Put(ctx, counter, strconv.Itoa(number+1)); err != nil {
			return err
		}
		if err := lock.Unlock(ctx); err != nil {
			return err
		}
	}
	return opened.Close()
}

func election(t *trial) {
	clients := []*clientv3.Client{t.client(), t.client()}
	prefix := t.key("office")
	one := concurrency.NewElection(t.session(clients[0], 60), prefix)
	_, err := one.Leader(t.ctx)
	t.equal(err, concurrency.ErrElectionNoLeader)
	t.ok(one.Campaign(t.ctx, "a"))
	otherSession := t.session(clients[1], 60)
	two := concurrency.NewElection(otherSession, prefix)
	observed := two.Observe(t.ctx)
	next := func(value string) {
		answer := receive(t, observed)
		t.equal(string(answer.Kvs[0].Value), value)
	}
	next("a")
	t.ok(one.Proclaim(t.ctx, "b"))
	next("b")
	won := make(chan error, 1)
	go func() { won <- two.Campaign(t.ctx, "c") }()
	t.event(clients[0], fmt.Sprintf("%s/%x", prefix, otherSession.Lease()), one.Header().Revision, "PUT")
	leader, err := two.Leader(t.ctx)
	t.ok(err)
	t.equal(string(leader.Kvs[0].Value), "b")
	t.equal(len(won), 0)
	t.ok(one.Resign(t.ctx))
	t.ok(receive(t, won))
	next("c")
	t.equal(one.Proclaim(t.ctx, "x"), concurrency.ErrElectionNotLeader)
	resumed := concurrency.ResumeElection(otherSession, prefix, two.Key(), two.Rev())
	t.ok(resumed.Proclaim(t.ctx, "d"))
	next("d")
	// Whoever asks who is before him is in the line.
	asked := make(chan struct{}, 1)
	withdrawn, cancel := context.WithCancel(t.ctx)
	third := t.session(t.clientTelling("/etcdserverpb.KV/Range", asked), 60)
	go func() { won <- concurrency.NewElection(third, prefix).Campaign(withdrawn, "e") }()
	receive(t, asked)
	cancel()
	t.refused(receive(t, won), "context canceled")
	t.equal(t.values(clients[0], prefix, clientv3.WithPrefix()), []string{"d"})
	t.ok(otherSession.Close())
	_, err = one.Leader(t.ctx)
	t.equal(err, concurrency.ErrElectionNoLeader)
}

func stm(t *trial) {
	// What follows the first read is read from any node as of its revision: it has to be the same node.
	clients := []*clientv3.Client{t.clientOfNode(0), t.clientOfNode(1)}
	levels := map[string]concurrency.Isolation{
		"snapshot":     concurrency.SerializableSnapshot,
		"serializable": concurrency.Serializable,
		"repeatable":   concurrency.RepeatableReads,
		"committed":    concurrency.ReadCommitted,
	}
	for name, level := range levels {
		account := func(number int) string { return t.key(fmt.Sprintf("%s/%d", name, number%3)) }
		for number := range 3 {
			t.put(clients[0], account(number), "100")
		}
		// Some levels read what the node has just now: then it has to have begun.
		for _, client := range clients {
			t.equal(t.values(client, account(0)), []string{"100"})
		}
		// Without checks of what was read, two at once lose an update: that level has one writer.
		writers := 4
		if level == concurrency.ReadCommitted {
			writers = 1
		}
		t.all(writers, func(writer int) error {
			for turn := range 10 {
				from, to := account(writer+turn), account(writer+turn+1)
				move := func(memory concurrency.STM) error { return transfer(memory, from, to) }
				options := concurrency.WithPrefetch(from)
				_, err := concurrency.NewSTM(clients[writer%2], move, concurrency.WithIsolation(level), options,
					concurrency.WithAbortContext(t.ctx))
				if err != nil {
					return err
				}
			}
			return nil
		})
		total := 0
		for number := range 3 {
			balance, err := strconv.Atoi(t.values(clients[0], account(number))[0])
			t.ok(err)
			total += balance
		}
		t.equal(name+strconv.Itoa(total), name+"300")
	}
	gone := t.key("gone")
	_, err := concurrency.NewSTM(clients[0], func(memory concurrency.STM) error {
		memory.Put(gone, "x")
		memory.Del(gone)
		return nil
	})
	t.ok(err)
	t.equal(len(t.values(clients[0], gone)), 0)
}

func transfer(memory concurrency.STM, from, to string) error {
	source, err := strconv.Atoi(memory.Get(from))
	if err != nil {
		return err
	}
	target, err := strconv.Atoi(memory.Get(to))
	if err != nil {
		return err
	}
	memory.Put(from, strconv.Itoa(source-1))
	memory.Put(to, strconv.Itoa(target+1))
	return nil
}
