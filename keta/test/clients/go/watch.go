// Watches: ranges, the past, large answers, progress, and a server that goes and comes again.
package main

import (
	"context"
	"fmt"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Receives until so many events are there; gives them as 'type key=value'.
func (t *trial) events(channel clientv3.WatchChan, count int) []string {
	found := []string{}
	for len(found) < count {
		answer := receive(t, channel)
		t.ok(answer.Err())
		for _, event := range answer.Events {
			found = append(found, fmt.Sprintf("%s %s=%s", event.Type, event.Kv.Key, event.Kv.Value))
		}
	}
	return found
}

func watch(t *trial) {
	client := t.client()
	prefix := t.key("")
	first := t.put(client, prefix+"a", "1")
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(t.ctx))
	past := client.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(first), clientv3.WithPrevKV())
	present := client.Watch(t.ctx, prefix, clientv3.WithPrefix(), clientv3.WithCreatedNotify(), clientv3.WithFilterPut())
	t.equal(receive(t, present).Created, true)
	t.put(client, prefix+"a", "2")
	removed, err := client.Delete(t.ctx, prefix, clientv3.WithPrefix())
	t.ok(err)
	t.equal(t.events(past, 3), []string{
		"PUT " + prefix + "a=1", "PUT " + prefix + "a=2", "DELETE " + prefix + "a=",
	})
	t.equal(t.events(present, 1), []string{"DELETE " + prefix + "a="})
	cancel()
	drained(t, past)
	many := []clientv3.WatchChan{}
	for index := range 100 {
		key := fmt.Sprintf("%smany/%d", prefix, index)
		many = append(many, client.Watch(t.ctx, key, clientv3.WithRev(removed.Header.Revision)))
	}
	for index := range many {
		t.put(client, fmt.Sprintf("%smany/%d", prefix, index), "x")
	}
	for index, channel := range many {
		t.equal(t.events(channel, 1), []string{fmt.Sprintf("PUT %smany/%d=x", prefix, index)})
	}
	_, err = client.Compact(t.ctx, removed.Header.Revision)
	t.ok(err)
	// The node that the watch goes to need not be the one that has compacted; after a read it has, too.
	for number := range t.config.Endpoints {
		t.values(t.clientOfNode(number), prefix+"a")
	}
	answer := receive(t, client.Watch(t.ctx, prefix+"a", clientv3.WithRev(first)))
	t.equal([]any{answer.Canceled, answer.CompactRevision}, []any{true, removed.Header.Revision})
	t.refused(answer.Err(), "required revision has been compacted")
}

func fragments(t *trial) {
	client := t.client()
	prefix := t.key("")
	large := strings.Repeat("v", 1<<20)
	revision := t.put(client, prefix+"0", large)
	for index := 1; index < 6; index++ {
		t.put(client, fmt.Sprintf("%s%d", prefix, index), large)
	}
	for _, options := range [][]clientv3.OpOption{{}, {clientv3.WithFragment()}} {
		options = append(options, clientv3.WithPrefix(), clientv3.WithRev(revision))
		for index, event := range t.events(client.Watch(t.ctx, prefix, options...), 6) {
			t.equal(event == fmt.Sprintf("PUT %s%d=%s", prefix, index, large), true)
		}
	}
}

func progress(t *trial) {
	client := t.client()
	ctx := clientv3.WithRequireLeader(t.ctx)
	channel := client.Watch(ctx, t.key("k"), clientv3.WithCreatedNotify(), clientv3.WithProgressNotify())
	t.equal(receive(t, channel).Created, true)
	revision := t.put(client, t.key("elsewhere"), "x")
	t.ok(client.RequestProgress(ctx))
	// What was asked for before the write was known to the watch may say less.
	for {
		answer := receive(t, channel)
		t.equal(answer.IsProgressNotify(), true)
		if answer.Header.Revision >= revision {
			return
		}
		t.ok(client.RequestProgress(ctx))
	}
}

func resume(t *trial) {
	client := t.client()
	prefix := t.key("")
	opened := t.session(client, 60)
	channel := client.Watch(t.ctx, prefix, clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	t.equal(receive(t, channel).Created, true)
	t.put(client, prefix+"before", "x", clientv3.WithLease(opened.Lease()))
	t.equal(t.events(channel, 1), []string{"PUT " + prefix + "before=x"})
	for round, end := range []string{"restart", "crash"} {
		t.ask(end)
		// Reads are tried again by the client; a write that failed may have been done, so it is not.
		t.equal(t.values(client, prefix+"before"), []string{"x"})
		t.put(client, fmt.Sprintf("%safter/%d", prefix, round), "y")
		t.equal(t.events(channel, 1), []string{fmt.Sprintf("PUT %safter/%d=y", prefix, round)})
	}
	t.ok(opened.Close())
	t.equal(t.events(channel, 1), []string{"DELETE " + prefix + "before="})
}
