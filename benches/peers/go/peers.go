// The Go side of the workloads: `peers NAME` runs one round and prints its figures, as a child of the harness does.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	batch      = 1000
	treeDepth  = 19
	yielders   = 1000
	yields     = 100
	roundTrips = 20000
	timers     = 100000
	cancels    = 10000
	uneven     = 20000
)

func check(right bool, what string) {
	if !right {
		panic(what)
	}
}

func value(name string, value float64) { fmt.Printf("value\t%s\t%v\n", name, value) }

// The time of an operation in the fastest pass; the first does not count.
func fastestNs(operations int, pass func() time.Duration) {
	pass()
	begin := time.Now()
	var times []float64
	for len(times) < 3 || time.Since(begin) < 150*time.Millisecond {
		times = append(times, float64(pass().Nanoseconds())/float64(operations))
	}
	value("ns", quantile(times, 0))
}

func quantile(values []float64, share float64) float64 {
	sort.Float64s(values)
	return values[int(float64(len(values)-1)*share+0.5)]
}

func timed(f func()) time.Duration {
	begin := time.Now()
	f()
	return time.Since(begin)
}

var sink uint64

func spawn() time.Duration {
	return timed(func() {
		results := make([]uint64, batch)
		var all sync.WaitGroup
		all.Add(batch)
		for i := range results {
			go func(i int) {
				results[i] = uint64(i)
				all.Done()
			}(i)
		}
		all.Wait()
		sum := uint64(0)
		for _, result := range results {
			sum += result
		}
		check(sum == batch*(batch-1)/2, "sum")
	})
}

func node(depth int, leaves *uint64, done *sync.WaitGroup) {
	defer done.Done()
	if depth == 0 {
		*leaves = 1
		return
	}
	var left, right uint64
	var both sync.WaitGroup
	both.Add(2)
	go node(depth-1, &left, &both)
	go node(depth-1, &right, &both)
	both.Wait()
	*leaves = left + right
}

func tree() time.Duration {
	return timed(func() {
		var leaves uint64
		var root sync.WaitGroup
		root.Add(1)
		go node(treeDepth, &leaves, &root)
		root.Wait()
		check(leaves == 1<<treeDepth, "leaves")
	})
}

func yield() time.Duration {
	return timed(func() {
		var all sync.WaitGroup
		all.Add(yielders)
		for i := 0; i < yielders; i++ {
			go func() {
				for j := 0; j < yields; j++ {
					runtime.Gosched()
				}
				all.Done()
			}()
		}
		all.Wait()
	})
}

func pingPong() time.Duration {
	return timed(func() {
		there, back := make(chan int), make(chan int)
		go func() {
			for i := 0; i < roundTrips; i++ {
				back <- <-there
			}
		}()
		for i := 0; i < roundTrips; i++ {
			there <- i
			check(<-back == i, "turn")
		}
	})
}

func memoryKib() float64 {
	status, err := os.ReadFile("/proc/self/status")
	check(err == nil, "Linux")
	sum := 0.0
	for _, line := range strings.Split(string(status), "\n") {
		if strings.HasPrefix(line, "VmRSS:") || strings.HasPrefix(line, "VmPTE:") {
			kib, err := strconv.ParseFloat(strings.Fields(line)[1], 64)
			check(err == nil, "a number")
			sum += kib
		}
	}
	return sum
}

func alive(count int) {
	before, begin := memoryKib(), time.Now()
	var parked, all sync.WaitGroup
	parked.Add(count)
	all.Add(count)
	gate := make(chan bool)
	var ended int64
	for i := 0; i < count; i++ {
		go func() {
			parked.Done()
			<-gate
			atomic.AddInt64(&ended, 1)
			all.Done()
		}()
	}
	parked.Wait()
	after, suspended := memoryKib(), time.Since(begin)
	close(gate)
	all.Wait()
	check(ended == int64(count), "ended")
	value("KiB", (after-before)/float64(count))
	value("ns to create", float64(suspended.Nanoseconds())/float64(count))
}

func cpuNs() float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage) == nil, "usage")
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}

// The delays are divided by `share`.
func sleeps(share int) (float64, []float64) {
	cpu, begin := cpuNs(), time.Now()
	late := make([]float64, timers)
	var all sync.WaitGroup
	all.Add(timers)
	for i := range late {
		go func(i int) {
			due := begin.Add(time.Duration((1000000000 + i*7919%timers*(2000000000/timers)) / share))
			time.Sleep(time.Until(due))
			late[i] = float64(time.Since(due).Nanoseconds())
			all.Done()
		}(i)
	}
	all.Wait()
	return cpuNs() - cpu, late
}

func cancel() time.Duration {
	done := make(chan struct{})
	var parked, all sync.WaitGroup
	parked.Add(cancels)
	all.Add(cancels)
	for i := 0; i < cancels; i++ {
		go func() {
			parked.Done()
			<-done
			all.Done()
		}()
	}
	parked.Wait()
	runtime.Gosched()
	return timed(func() {
		close(done)
		all.Wait()
	})
}

func work(x uint64) uint64 {
	for i := 0; i < 1000; i++ {
		x = x*6364136223846793005 + 1
	}
	return x
}

func steal() time.Duration {
	var ended uint64
	var root sync.WaitGroup
	root.Add(1)
	time := timed(func() {
		go func() {
			var all sync.WaitGroup
			all.Add(uneven)
			for i := 0; i < uneven; i++ {
				go func(i uint64) {
					if work(i) == 42 {
						atomic.AddUint64(&sink, 1)
					}
					atomic.AddUint64(&ended, 1)
					all.Done()
				}(uint64(i))
			}
			all.Wait()
			root.Done()
		}()
		root.Wait()
	})
	check(ended == uneven, "ended")
	return time
}

func main() {
	threads := 1
	if strings.HasSuffix(os.Args[1], "-2") {
		threads = 2
	}
	runtime.GOMAXPROCS(threads)
	switch os.Args[1] {
	case "spawn":
		fastestNs(batch, spawn)
	case "tree-1", "tree-2":
		fastestNs(2<<treeDepth-1, tree)
	case "yield":
		fastestNs(yielders*yields, yield)
	case "ping-pong":
		fastestNs(roundTrips, pingPong)
		fmt.Println("note\tunbuffered channels")
	case "alive-20k":
		alive(20000)
	case "alive-1m":
		alive(1000000)
	case "timers":
		sleeps(10)
		cpu, late := sleeps(1)
		value("ns of CPU", cpu/timers)
		value("µs late (median)", quantile(late, 0.5)/1e3)
		value("µs late (99 %)", quantile(late, 0.99)/1e3)
	case "cancel":
		fastestNs(cancels, cancel)
		fmt.Println("note\tthey see a closed channel")
	case "steal-1", "steal-2":
		fastestNs(uneven, steal)
	default:
		fmt.Println("not offered\thas no counterpart")
	}
}
