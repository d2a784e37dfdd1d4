//go:build !long

package train_test

import "time"

const (
	leastKills  = 6
	longestLife = 150 * time.Millisecond
)
