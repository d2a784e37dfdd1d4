//go:build !amd64

package peak

// HasLoop says whether the ceiling is that of a loop of multiply-adds alone; else it is estimated by a packed product in cache.
func HasLoop() bool { return false }

type loopTask struct{ single bool }

func (loopTask) Do(int) {}

func loopFlops(bool) float64 { return 0 }
