package kernel

import (
	"math/rand/v2"
	"testing"
)

// FuzzGemm compares the kernel sets, and the exact product, on any shape, strides and epilogue.
func FuzzGemm(f *testing.F) {
	if !hasAssembly {
		f.Skip("there is only one set of kernels here")
	}
	for seed, s := range formShapes {
		f.Add(uint16(s[0]), uint16(s[2]), uint16(s[1]), uint8(seed), uint64(seed))
	}
	f.Fuzz(func(t *testing.T, m, n, k uint16, form uint8, seed uint64) {
		m, n, k = 1+m%200, 1+n%300, k%1200
		if int(m)*int(n)*int(k) > 1<<21 {
			t.Skip("too long")
		}
		eachSet(t, func(t *testing.T) {
			act := Act(form>>3) % numActs
			checkForm[float32](t, rand.New(rand.NewPCG(seed, 1)), int(m), int(n), int(k), int(form&7), act)
			checkForm[float64](t, rand.New(rand.NewPCG(seed, 2)), int(m), int(n), int(k), int(form&7), act)
		})
	})
}
