// What is hard for the transport: narrow windows, calls that are given up by the thousand, streams that last.
package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// The smallest that the protocol knows; with it, the client never widens its windows.
const narrowest = 65535

// The shortest interval that grpc-go keeps to.
const shortestKeepalive = 10 * time.Second

// Counts the connections of a client.
type connections struct{ opened atomic.Int32 }

func (c *connections) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (c *connections) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (c *connections) HandleRPC(context.Context, stats.RPCStats)                         {}
func (c *connections) HandleConn(_ context.Context, told stats.ConnStats) {
	if _, begins := told.(*stats.ConnBegin); begins {
		c.opened.Add(1)
	}
}

func (t *trial) clientWith(counter *connections, options ...grpc.DialOption) *clientv3.Client {
	config := t.config
	config.DialOptions = append(options, grpc.WithStatsHandler(counter))
	return t.open(config)
}

// The client puts watches of unlike metadata on unlike streams.
func ownStream(ctx context.Context, number int) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "stream", strconv.Itoa(number))
}

// Values larger than the windows, to watchers that take them late, beside calls that must not wait for them.
func narrow(t *trial) {
	counter := &connections{}
	client := t.clientWith(counter, grpc.WithInitialWindowSize(narrowest), grpc.WithInitialConnWindowSize(narrowest))
	writer := t.client()
	prefix := t.key("")
	const rounds, watchers = 24, 4
	channels := []clientv3.WatchChan{}
	for index := range watchers {
		ctx := ownStream(t.ctx, index)
		channels = append(channels, client.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithCreatedNotify()))
		t.equal(receive(t, channels[index]).Created, true)
	}
	value := func(round int) string { return strings.Repeat(string(rune('a'+round)), 900_000+round) }
	for round := range rounds {
		t.put(writer, fmt.Sprintf("%s%02d", prefix, round), value(round))
		t.equal(t.values(client, prefix+"none"), []string{})
	}
	for _, channel := range channels {
		for round, event := range t.events(channel, rounds) {
			t.equal(event == fmt.Sprintf("PUT %s%02d=%s", prefix, round, value(round)), true)
		}
	}
	t.equal(t.values(client, prefix+"00"), []string{value(0)})
	t.equal(counter.opened.Load(), 1)
}

// Thousands of calls that are given up at any moment, on one connection, which serves the others all the while.
func storm(t *trial) {
	counter := &connections{}
	client := t.clientWith(counter)
	prefix := t.key("")
	t.put(client, prefix+"stays", "x")
	const callers, calls = 50, 60
	t.all(callers, func(caller int) error {
		for call := range calls {
			after := time.Duration((caller*calls+call)%40) * 100 * time.Microsecond
			if err := givenUp(t.ctx, client, prefix, call, after); err != nil {
				return err
			}
			if _, err := client.Get(t.ctx, prefix+"stays"); err != nil {
				return err
			}
		}
		return nil
	})
	t.equal(t.values(client, prefix+"stays"), []string{"x"})
	channel := client.Watch(t.ctx, prefix+"after")
	t.put(client, prefix+"after", "y", clientv3.WithLease(clientv3.NoLease))
	t.equal(t.values(client, prefix+"after"), []string{"y"})
	t.equal(t.events(channel, 1), []string{"PUT " + prefix + "after=y"})
	t.equal(counter.opened.Load(), 1)
}

// One call, of any kind, that has no more than this time. Only that its time is up may be wrong with it.
func givenUp(parent context.Context, client *clientv3.Client, prefix string, call int, after time.Duration) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	time.AfterFunc(after, cancel)
	var err error
	switch call % 3 {
	case 0:
		_, err = client.Put(ctx, prefix+"given up", strings.Repeat("v", 20_000))
	case 1:
		_, err = client.Get(ctx, prefix, clientv3.WithPrefix())
	default:
		for range client.Watch(ownStream(ctx, call), prefix+"given up") {
		}
	}
	if err == nil || errors.Is(err, context.Canceled) || status.Code(err) == codes.Canceled {
		return nil
	}
	return err
}

// One stream with a great many messages both ways, on a connection that is asked meanwhile whether it lives.
func lasting(t *trial) {
	counter := &connections{}
	config := t.config
	config.DialKeepAliveTime = shortestKeepalive
	config.DialKeepAliveTimeout = 3 * time.Second
	config.DialOptions = []grpc.DialOption{grpc.WithStatsHandler(counter)}
	client := t.open(config)
	key := t.key("k")
	const writers, puts = 20, 500
	channel := client.Watch(t.ctx, key, clientv3.WithCreatedNotify())
	t.equal(receive(t, channel).Created, true)
	first := t.put(client, key, "first")
	t.all(writers+1, func(index int) error {
		if index == writers {
			return inOrder(channel, first, writers*puts+1)
		}
		for range puts {
			if _, err := client.Put(t.ctx, key, "x"); err != nil {
				return err
			}
		}
		return nil
	})
	// Silence for longer than the interval: the connection is kept alive by pings.
	time.Sleep(shortestKeepalive + 2*time.Second)
	t.put(client, key, "last")
	t.equal(t.events(channel, 1), []string{"PUT " + key + "=last"})
	t.equal(counter.opened.Load(), 1)
}

// Receives so many events, one for each revision.
func inOrder(channel clientv3.WatchChan, first int64, count int64) error {
	for seen := int64(0); seen < count; {
		answer, open := <-channel
		if !open || answer.Err() != nil {
			return fmt.Errorf("the watch ended after %d events: %w", seen, answer.Err())
		}
		for _, event := range answer.Events {
			if event.Kv.ModRevision != first+seen {
				return fmt.Errorf("event %d is of revision %d, not %d", seen, event.Kv.ModRevision, first+seen)
			}
			seen++
		}
	}
	return nil
}
