// Command loadgen drives any etcd v3 endpoint with one workload and prints one JSON line of results: throughput,
// latency percentiles, and the CPU that the server and the client used per operation. Run it without arguments for its
// usage.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// options are the flags; names follow etcd's own benchmark tool where it has them.
type options struct {
	endpoints   []string
	clients     int
	conns       int
	total       int64
	duration    time.Duration
	warmup      int64
	keySize     int
	valueSize   int
	keySpace    int
	prefix      string
	consistency string
	txnOps      int
	limit       int64
	ttl         int64
	streams     int
	perStream   int
	putRate     float64
	serverPids  []string
}

const usageText = `usage: loadgen WORKLOAD [flags]
workloads: put range fill txn-put txn-mixed lease-keepalive watch
`

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usageText)
		os.Exit(2)
	}
	workload := os.Args[1]
	opts := parse(workload, os.Args[2:])
	result, err := execute(workload, opts)
	if err != nil {
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		os.Exit(1)
	}
}

func parse(workload string, args []string) options {
	var opts options
	var endpoints, pids string
	flags := flag.NewFlagSet(workload, flag.ExitOnError)
	flags.StringVar(&endpoints, "endpoints", "127.0.0.1:2379", "comma-separated; connections go round robin")
	flags.IntVar(&opts.clients, "clients", 1, "concurrent callers")
	flags.IntVar(&opts.conns, "conns", 1, "connections shared by the callers")
	flags.Int64Var(&opts.total, "total", 10000, "operations, unless --duration is given")
	flags.DurationVar(&opts.duration, "duration", 0, "run for so long instead of --total operations")
	flags.Int64Var(&opts.warmup, "warmup", 0, "operations before the measurement")
	flags.IntVar(&opts.keySize, "key-size", 16, "bytes, at least 10")
	flags.IntVar(&opts.valueSize, "val-size", 256, "bytes")
	flags.IntVar(&opts.keySpace, "key-space-size", 100000, "number of distinct keys")
	flags.StringVar(&opts.prefix, "prefix", "", "in front of every key")
	flags.StringVar(&opts.consistency, "consistency", "l", "range: l (linearizable) or s (serializable)")
	flags.IntVar(&opts.txnOps, "txn-ops", 1, "txn-put: puts per transaction; fill: likewise")
	flags.Int64Var(&opts.limit, "limit", 0, "range: keys per page of the prefix; 0 reads one key")
	flags.Int64Var(&opts.ttl, "ttl", 60, "lease-keepalive: seconds")
	flags.IntVar(&opts.streams, "streams", 10, "watch: streams")
	flags.IntVar(&opts.perStream, "watchers-per-stream", 10, "watch: watchers on each")
	flags.Float64Var(&opts.putRate, "put-rate", 100, "watch: puts a second; 0 = one after the other")
	flags.StringVar(&pids, "pid", "", "comma-separated; processes whose CPU and memory are reported as the server's")
	// ExitOnError: Parse does not return an error.
	_ = flags.Parse(args)
	opts.endpoints = strings.Split(endpoints, ",")
	if pids != "" {
		opts.serverPids = strings.Split(pids, ",")
	}
	opts.conns = min(opts.conns, opts.clients)
	return opts
}

func execute(workload string, opts options) (Result, error) {
	clients, err := connect(opts)
	if err != nil {
		return Result{}, err
	}
	if workload == "watch" {
		return measureWatch(clients, opts)
	}
	op, err := operation(workload, clients, opts)
	if err != nil {
		return Result{}, err
	}
	return measure(workload, op, opts)
}
