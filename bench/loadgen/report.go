// The result line, and where its CPU and memory figures come from (Linux /proc).
package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// clockTicksPerSecond is the kernel's USER_HZ, which is 100 on every Linux that Go runs on.
const clockTicksPerSecond = 100

// Result is one run. Latencies are milliseconds, CPU figures microseconds per operation.
type Result struct {
	Workload   string  `json:"workload"`
	Clients    int     `json:"clients"`
	Conns      int     `json:"conns"`
	Operations int     `json:"operations"`
	Errors     int64   `json:"errors"`
	FirstError string  `json:"firstError,omitempty"`
	Seconds    float64 `json:"seconds"`
	PerSecond  float64 `json:"perSecond"`
	P50        float64 `json:"p50"`
	P99        float64 `json:"p99"`
	Max        float64 `json:"max"`
	ServerCPU  float64 `json:"serverCpu"`
	ClientCPU  float64 `json:"clientCpu"`
	// ServerCPUs is the part of each process, in the order in which they were named.
	ServerCPUs []float64 `json:"serverCpus,omitempty"`
	// OtherCPU is what everything else on the machine used meanwhile, in seconds: how noisy the run was.
	OtherCPU float64 `json:"otherCpu"`
	// ServerRSS is the server's resident memory after the run, in bytes.
	ServerRSS int64 `json:"serverRss"`
	// Watch only: the put itself, and the last of all watchers to see it.
	PutP50  float64 `json:"putP50,omitempty"`
	PutP99  float64 `json:"putP99,omitempty"`
	LastP50 float64 `json:"lastP50,omitempty"`
	LastP99 float64 `json:"lastP99,omitempty"`
}

// usage is CPU time used so far, in seconds, and the servers' memory.
type usage struct {
	client, machine float64
	servers         []float64
	serverRSS       int64
}

func (u usage) since(before usage) usage {
	servers := make([]float64, len(u.servers))
	for i, used := range u.servers {
		servers[i] = used - before.servers[i]
	}
	return usage{u.client - before.client, u.machine - before.machine, servers, u.serverRSS}
}

// server is the CPU time of all servers.
func (u usage) server() float64 {
	var sum float64
	for _, used := range u.servers {
		sum += used
	}
	return sum
}

func takeUsage(serverPids []string) (usage, error) {
	client, err := cpuSeconds("self")
	if err != nil {
		return usage{}, err
	}
	machine, err := machineCPUSeconds()
	if err != nil {
		return usage{}, err
	}
	used := usage{client: client, machine: machine}
	for _, pid := range serverPids {
		server, err := cpuSeconds(pid)
		if err != nil {
			return usage{}, err
		}
		resident, err := residentBytes(pid)
		if err != nil {
			return usage{}, err
		}
		used.servers = append(used.servers, server)
		used.serverRSS += resident
	}
	return used, nil
}

func summarize(workload string, opts options, latency []int64, seconds float64, used usage) Result {
	slices.Sort(latency)
	result := Result{
		Workload: workload, Clients: opts.clients, Conns: opts.conns,
		Operations: len(latency), Seconds: seconds, ServerRSS: used.serverRSS,
		OtherCPU: used.machine - used.server() - used.client,
	}
	if n := float64(len(latency)); n > 0 {
		result.PerSecond = n / seconds
		result.P50, result.P99, result.Max = percentile(latency, 0.5), percentile(latency, 0.99), percentile(latency, 1)
		result.ServerCPU, result.ClientCPU = used.server()/n*1e6, used.client/n*1e6
		for _, server := range used.servers {
			result.ServerCPUs = append(result.ServerCPUs, server/n*1e6)
		}
	}
	return result
}

// percentile of sorted nanoseconds, in milliseconds.
func percentile(sorted []int64, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[int(float64(len(sorted)-1)*p)]) / 1e6
}

func cpuSeconds(pid string) (float64, error) {
	content, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0, err
	}
	// The command name may hold blanks and parentheses; the fields that count follow its last one.
	stat := string(content)
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+2:])
	return sumTicks(fields[11:13])
}

func machineCPUSeconds() (float64, error) {
	content, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(content), "\n")
	fields := strings.Fields(line)
	// user nice system | idle iowait | irq softirq steal
	return sumTicks(slices.Concat(fields[1:4], fields[6:9]))
}

func sumTicks(fields []string) (float64, error) {
	var ticks float64
	for _, field := range fields {
		value, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return 0, err
		}
		ticks += value
	}
	return ticks / clockTicksPerSecond, nil
}

func residentBytes(pid string) (int64, error) {
	content, err := os.ReadFile("/proc/" + pid + "/statm")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(content))
	if len(fields) < 2 {
		return 0, fmt.Errorf("unexpected /proc/%s/statm: %q", pid, content)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}
