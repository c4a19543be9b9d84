// Runs an operation from all callers at once and sums up.
package main

import (
	"context"
	"fmt"
	"math/rand"
	"sync"
	"sync/atomic"
	"time"
)

// phase repeats op until total operations are done, or until duration is over if it is not zero.
type phase struct {
	op       doOne
	clients  int
	total    int64
	duration time.Duration

	next     atomic.Int64
	mu       sync.Mutex
	latency  []int64 // nanoseconds
	errors   int64
	firstErr error
}

func measure(workload string, op doOne, opts options) (Result, error) {
	if opts.warmup > 0 {
		warmup := phase{op: op, clients: opts.clients, total: opts.warmup}
		warmup.run()
		if warmup.firstErr != nil {
			return Result{}, fmt.Errorf("warm-up: %w", warmup.firstErr)
		}
	}
	before, err := takeUsage(opts.serverPids)
	if err != nil {
		return Result{}, err
	}
	main := phase{op: op, clients: opts.clients, total: opts.total, duration: opts.duration}
	seconds := main.run()
	after, err := takeUsage(opts.serverPids)
	if err != nil {
		return Result{}, err
	}
	result := summarize(workload, opts, main.latency, seconds, after.since(before))
	result.Errors = main.errors
	if main.firstErr != nil {
		result.FirstError = main.firstErr.Error()
	}
	return result, nil
}

func (p *phase) run() float64 {
	start := time.Now()
	var callers sync.WaitGroup
	for who := 0; who < p.clients; who++ {
		callers.Add(1)
		go func() {
			defer callers.Done()
			p.caller(who, start)
		}()
	}
	callers.Wait()
	return time.Since(start).Seconds()
}

func (p *phase) caller(who int, start time.Time) {
	random := rand.New(rand.NewSource(int64(who)*7919 + start.UnixNano()))
	latency := make([]int64, 0, 1024)
	var errors int64
	var firstErr error
	for {
		i := p.next.Add(1) - 1
		began := time.Now()
		if p.duration == 0 && i >= p.total || p.duration > 0 && began.Sub(start) > p.duration {
			break
		}
		err := p.op(context.Background(), who, i, random)
		if err == nil {
			latency = append(latency, int64(time.Since(began)))
			continue
		}
		errors++
		if firstErr == nil {
			firstErr = err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latency = append(p.latency, latency...)
	p.errors += errors
	if p.firstErr == nil {
		p.firstErr = firstErr
	}
}
