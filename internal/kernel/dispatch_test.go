package kernel

import "testing"

// eachSet runs a test with each set of kernels this processor has.
func eachSet(t *testing.T, f func(t *testing.T)) {
	t.Run("portable", f)
}
