// Runs named scenarios with etcd's own Go client against a server, and prints a line of JSON for each.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

// A scenario gives up after this.
const patience = 40 * time.Second

var scenarios = map[string]func(*trial){
	"kv":          kv,
	"paging":      paging,
	"txn":         txn,
	"session":     session,
	"mutex":       mutex,
	"election":    election,
	"stm":         stm,
	"leasing":     leasingKV,
	"mirror":      mirrored,
	"namespace":   namespaced,
	"ordering":    ordered,
	"naming":      naming,
	"watch":       watch,
	"fragments":   fragments,
	"progress":    progress,
	"resume":      resume,
	"leases":      leases,
	"maintenance": maintenance,
	"narrow":      narrow,
	"storm":       storm,
	"lasting":     lasting,
	"auth":        auth,
}

type outcome struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

func main() {
	endpoints := flag.String("endpoints", "127.0.0.1:2379", "host:port, separated by commas")
	tlsInfo := transport.TLSInfo{}
	flag.StringVar(&tlsInfo.TrustedCAFile, "cacert", "", "the authority of the server; with it, TLS is spoken")
	flag.StringVar(&tlsInfo.CertFile, "cert", "", "the client's certificate")
	flag.StringVar(&tlsInfo.KeyFile, "key", "", "the key of the client's certificate")
	flag.Parse()

	config := clientv3.Config{
		Endpoints:   strings.Split(*endpoints, ","),
		DialTimeout: 10 * time.Second,
		Logger:      zap.NewNop(),
	}
	if tlsInfo.TrustedCAFile != "" {
		secured, err := tlsInfo.ClientConfig()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		config.TLS = secured
	}
	for _, name := range flag.Args() {
		report(run(name, config))
	}
}

func run(name string, config clientv3.Config) (result outcome) {
	result.Name = name
	scenario, known := scenarios[name]
	if !known {
		result.Error = "no such scenario"
		return result
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t := &trial{name: name, ctx: ctx, config: config}
	defer cancel()
	defer func() {
		for _, client := range t.clients {
			client.Close()
		}
		switch ended := recover().(type) {
		case nil:
			result.OK = true
		case failure:
			result.Error = string(ended)
		default:
			panic(ended)
		}
	}()
	scenario(t)
	return result
}

func report(line any) {
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		panic(err)
	}
}

// One run of a scenario. Its methods are for the scenario's own goroutine: they end it with a failure.
type trial struct {
	name    string
	ctx     context.Context
	config  clientv3.Config
	clients []*clientv3.Client
}

type failure string

// A fresh client, closed when the scenario ends.
func (t *trial) client() *clientv3.Client {
	return t.clientOf("", "")
}

func (t *trial) clientOf(user, password string) *clientv3.Client {
	config := t.config
	config.Username, config.Password = user, password
	return t.open(config)
}

// Knows one endpoint only; they are counted round.
func (t *trial) clientOfNode(number int) *clientv3.Client {
	config := t.config
	config.Endpoints = []string{config.Endpoints[number%len(config.Endpoints)]}
	return t.open(config)
}

// Tells when it has called the method, at least once.
func (t *trial) clientTelling(method string, called chan<- struct{}) *clientv3.Client {
	config := t.config
	tell := func(ctx context.Context, name string, request, answer any, connection *grpc.ClientConn,
		invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		err := invoke(ctx, name, request, answer, connection, options...)
		if name == method {
			select {
			case called <- struct{}{}:
			default:
			}
		}
		return err
	}
	config.DialOptions = []grpc.DialOption{grpc.WithChainUnaryInterceptor(tell)}
	return t.open(config)
}

func (t *trial) open(config clientv3.Config) *clientv3.Client {
	client, err := clientv3.New(config)
	t.ok(err)
	t.clients = append(t.clients, client)
	return client
}

// A key that no other scenario touches.
func (t *trial) key(path string) string {
	return t.name + "/" + path
}

func (t *trial) fail(format string, values ...any) {
	panic(failure(fmt.Sprintf(format, values...)))
}

func (t *trial) ok(err error) {
	if err != nil {
		t.fail("%v at %s", err, caller())
	}
}

// Compares what fmt prints of both.
func (t *trial) equal(got, want any) {
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.fail("got %v, expected %v at %s", got, want, caller())
	}
}

// The error has to be of these words.
func (t *trial) refused(err error, words string) {
	if err == nil || !strings.Contains(err.Error(), words) {
		t.fail("got the error %v, expected %q at %s", err, words, caller())
	}
}

func (t *trial) put(client clientv3.KV, key, value string, options ...clientv3.OpOption) int64 {
	answer, err := client.Put(t.ctx, key, value, options...)
	t.ok(err)
	return answer.Header.Revision
}

// The values under a key or a range, in order.
func (t *trial) values(client clientv3.KV, key string, options ...clientv3.OpOption) []string {
	answer, err := client.Get(t.ctx, key, options...)
	t.ok(err)
	found := []string{}
	for _, pair := range answer.Kvs {
		found = append(found, string(pair.Value))
	}
	return found
}

// What the goroutines that were started return: the first error ends the scenario.
func (t *trial) all(count int, work func(index int) error) {
	results := make(chan error, count)
	for index := range count {
		go func() { results <- work(index) }()
	}
	for range count {
		t.ok(receive(t, results))
	}
}

// The test that runs this program does what it is asked for, and then writes a line.
func (t *trial) ask(what string) {
	report(map[string]string{"ask": what})
	_, err := bufio.NewReader(os.Stdin).ReadString('\n')
	t.ok(err)
}

func receive[T any](t *trial, channel <-chan T) T {
	select {
	case value, open := <-channel:
		if !open {
			t.fail("the channel is closed at %s", caller())
		}
		return value
	case <-t.ctx.Done():
		t.fail("nothing came in time at %s", caller())
	}
	panic("not reached")
}

// Waits until the channel is closed.
func drained[T any](t *trial, channel <-chan T) {
	for {
		select {
		case _, open := <-channel:
			if !open {
				return
			}
		case <-t.ctx.Done():
			t.fail("not closed in time at %s", caller())
		}
	}
}
