package kernel

import "testing"

// eachSet runs a test with each set of kernels this processor has.
func eachSet(t *testing.T, f func(t *testing.T)) {
	assembly, widest := accelerated, wide
	defer use(assembly, widest)
	for _, s := range []struct{ assembly, widest bool }{{false, false}, {true, false}, {true, true}} {
		use(s.assembly, s.widest)
		if accelerated == s.assembly && wide == s.widest {
			t.Run(Set(), f)
		}
	}
}
