package kernel

import "testing"

// eachSet runs a test with each set of kernels this processor has.
func eachSet(t *testing.T, f func(t *testing.T)) {
	chosen := accelerated
	defer func() { accelerated = chosen }()
	accelerated = false
	t.Run("portable", f)
	if hasAssembly {
		accelerated = true
		t.Run(assemblyName, f)
	}
}
