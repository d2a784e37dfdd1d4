package kernel

import "testing"

// The column sums of no rows are 0, in a run and in parts.
func TestColumnSumsOfNoRows(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		for _, parts := range []bool{false, true} {
			sums := []float32{1, 2, 3}
			g := Gemm[float32]{N: 3, K: 2, ARow: 2, ACol: 1, B: make([]float32, 6), BRow: 3, BCol: 1, CRow: 3}
			g.Epilogue.ColSums = sums
			if parts {
				for i := range g.Parts() {
					g.Do(i)
				}
			} else {
				g.Run()
			}
			if sums[0] != 0 || sums[1] != 0 || sums[2] != 0 {
				t.Errorf("in parts: %v: %v", parts, sums)
			}
		}
	})
}
