package kernel

import "testing"

// eachSet runs a test with each set of kernels this processor has.
func eachSet(t *testing.T, f func(t *testing.T)) {
	withEachSet(func() { t.Run(Set(), f) })
}

// withEachSet calls f with each of them in use.
func withEachSet(f func()) {
	assembly, widest := accelerated, wide
	defer use(assembly, widest)
	for _, s := range []struct{ assembly, widest bool }{{false, false}, {true, false}, {true, true}} {
		use(s.assembly, s.widest)
		if accelerated == s.assembly && wide == s.widest {
			f()
		}
	}
}
