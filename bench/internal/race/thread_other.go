//go:build !linux

package race

import "time"

func threadTime() time.Duration { return wallTime() }

func switches() int64 { return 0 }

func pin() (undo func()) { return func() {} }
