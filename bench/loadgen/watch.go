// Watch latency: from the start of a put to the event in each watcher's hands, and to the last of them.
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const watchTimeout = 30 * time.Second

// watchRun is one measurement. Put number i carries i in its value; received[w][i] is when watcher w saw it.
type watchRun struct {
	opts     options
	prefix   string
	received [][]int64
	ready    sync.WaitGroup
	done     sync.WaitGroup
}

func measureWatch(clients []*clientv3.Client, opts options) (Result, error) {
	run := watchRun{opts: opts, prefix: opts.prefix + "watched/"}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	run.startWatchers(ctx, clients)
	before, err := takeUsage(opts.serverPids)
	if err != nil {
		return Result{}, err
	}
	start := time.Now()
	putStart, putLatency, err := run.put(clients[0])
	if err != nil {
		return Result{}, err
	}
	if err := run.waitForEvents(); err != nil {
		return Result{}, err
	}
	seconds := time.Since(start).Seconds()
	after, err := takeUsage(opts.serverPids)
	if err != nil {
		return Result{}, err
	}
	events, last := run.latencies(putStart)
	result := summarize("watch", opts, events, seconds, after.since(before))
	slices.Sort(putLatency)
	slices.Sort(last)
	result.PutP50, result.PutP99 = percentile(putLatency, 0.5), percentile(putLatency, 0.99)
	result.LastP50, result.LastP99 = percentile(last, 0.5), percentile(last, 0.99)
	return result, nil
}

func (r *watchRun) startWatchers(ctx context.Context, clients []*clientv3.Client) {
	watchers := r.opts.streams * r.opts.perStream
	r.received = make([][]int64, watchers)
	r.ready.Add(watchers)
	r.done.Add(watchers)
	for s := range r.opts.streams {
		stream := clientv3.NewWatcher(clients[s%len(clients)])
		for w := range r.opts.perStream {
			id := s*r.opts.perStream + w
			r.received[id] = make([]int64, r.opts.total)
			events := stream.Watch(ctx, r.prefix, clientv3.WithPrefix(), clientv3.WithCreatedNotify())
			go r.watch(id, events)
		}
	}
	r.ready.Wait()
}

func (r *watchRun) watch(id int, responses clientv3.WatchChan) {
	defer r.done.Done()
	var seen int64
	for response := range responses {
		if response.Created {
			r.ready.Done()
		}
		now := time.Now().UnixNano()
		for _, event := range response.Events {
			r.received[id][binary.BigEndian.Uint32(event.Kv.Value)] = now
			seen++
		}
		if seen == r.opts.total {
			return
		}
	}
}

func (r *watchRun) put(client *clientv3.Client) (started, latency []int64, err error) {
	value := make([]byte, max(4, r.opts.valueSize))
	start := time.Now()
	for i := range r.opts.total {
		if r.opts.putRate > 0 {
			time.Sleep(time.Until(start.Add(time.Duration(float64(i) / r.opts.putRate * float64(time.Second)))))
		}
		binary.BigEndian.PutUint32(value, uint32(i))
		began := time.Now()
		if _, err := client.Put(context.Background(), r.prefix+"key", string(value)); err != nil {
			return nil, nil, fmt.Errorf("put: %w", err)
		}
		started = append(started, began.UnixNano())
		latency = append(latency, int64(time.Since(began)))
	}
	return started, latency, nil
}

func (r *watchRun) waitForEvents() error {
	all := make(chan struct{})
	go func() {
		r.done.Wait()
		close(all)
	}()
	select {
	case <-all:
		return nil
	case <-time.After(watchTimeout):
		return fmt.Errorf("not all events arrived within %s", watchTimeout)
	}
}

// latencies of every event at every watcher, and of each put's last watcher.
func (r *watchRun) latencies(putStart []int64) (events, last []int64) {
	for i, started := range putStart {
		var latest int64
		for _, received := range r.received {
			latency := received[i] - started
			events = append(events, latency)
			latest = max(latest, latency)
		}
		last = append(last, latest)
	}
	return events, last
}
