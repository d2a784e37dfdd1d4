package race

import (
	"time"

	"golang.org/x/sys/unix"
)

// threadTime is how long the calling thread has run.
func threadTime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return wallTime()
	}
	return time.Duration(t.Nano())
}

// switches is how many times the calling thread has lost its core to another one: what it had in the caches is gone then.
func switches() int64 {
	var use unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &use) != nil {
		return 0
	}
	return use.Nivcsw
}

// pin keeps the calling thread, and no other of the process, on the last of the processors it may use: the first is where
// systems put their interrupts. It returns what undoes it.
func pin() (undo func()) {
	var all unix.CPUSet
	if unix.SchedGetaffinity(0, &all) != nil {
		return func() {}
	}
	last, left := 0, all.Count()
	for ; left > 0; last++ {
		if all.IsSet(last) {
			left--
		}
	}
	var one unix.CPUSet
	one.Set(last - 1)
	if unix.SchedSetaffinity(0, &one) != nil {
		return func() {}
	}
	return func() { _ = unix.SchedSetaffinity(0, &all) }
}
