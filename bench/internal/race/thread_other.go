//go:build !linux

package race

import "time"

func threadTime() time.Duration { return wallTime() }

func pin() (undo func()) { return func() {} }
