package kernel

import (
	"math/rand/v2"
	"testing"
)

// TestGemmBrief is TestGemmForms on the few shapes that take each way through the blocking and each height and width of a
// tile: for a processor that is emulated, where the others take minutes.
func TestGemmBrief(t *testing.T) {
	bothTypes(t, testBrief[float32], testBrief[float64])
}

func testBrief[T Float](t *testing.T) {
	eachSet(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(11, 12))
		for i, s := range [][3]int{
			{1, 1, 1}, {1, 5, 33}, {2, 7, 16}, {3, 4, 31}, {4, 9, 48}, {5, 3, 19}, {6, 2, 36}, {7, 13, 5}, {9, 6, 17}, {3, 0, 23}, // in one call
			{19, 50, 70},                // packed; A transposed where its columns are contiguous
			{66, 10, 35},                // neither operand small
			{1, 1030, 18}, {2, 1040, 3}, // two blocks of K
		} {
			for form := range 8 {
				for _, act := range []Act{ActReLU, ActLeakyReLU, Act(i+form) % numActs} {
					checkForm[T](t, r, s[0], s[2], s[1], form, act)
				}
			}
		}
	})
}
