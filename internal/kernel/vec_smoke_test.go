package kernel

import (
	"math"
	"testing"
)

// The smallest check that runs first: each family once, on numbers that can be done by hand.
func TestVectorSmoke(t *testing.T) { smoke[float32](t); smoke[float64](t) }

func smoke[T Float](t *testing.T) {
	x, dst := []T{-2, -0.5, 0, 1, 3}, make([]T, 5)
	check := func(name string, want ...float64) {
		t.Helper()
		for i, w := range want {
			if math.Abs(float64(dst[i])-w) > 1e-6*math.Abs(w) {
				t.Errorf("%s[%d] = %v, want %v", name, i, dst[i], w)
			}
		}
	}
	Exp(dst, x)
	check("exp", math.Exp(-2), math.Exp(-0.5), 1, math.E, math.Exp(3))
	ReLU(dst, x)
	check("relu", 0, 0, 0, 1, 3)
	RSubScalar(dst, x, 1)
	check("1 - x", 3, 1.5, 1, 0, -2)
	cond := make([]bool, 5)
	LessScalar(cond, x, 0)
	Select(dst, cond, x, []T{9, 9, 9, 9, 9})
	check("select", -2, -0.5, 9, 9, 9)
	Softmax(dst, []T{1e4, 1e4, T(math.Inf(-1)), -1e4, 1e4}, 1, 5)
	check("softmax", 1./3, 1./3, 0, 0, 1./3)
	LogSoftmax(dst[:2], []T{1e4, 1e4}, 1, 2)
	check("logsoftmax", -math.Ln2, -math.Ln2)
	SumRows(dst[:2], []T{1, 2, 3, 4, 5, 6}, 3, 2)
	check("sumrows", 9, 12)
	dst[0], dst[1], dst[2], dst[3], dst[4] = Sum(x), SumSquares(x), Dot(x, x), MaxValue(x), LogSumExp([]T{-1e4, -1e4})
	check("reductions", 1.5, 14.25, 14.25, 3, -1e4+math.Ln2)
	if i := ArgMax([]T{1, 3, 3}); i != 1 {
		t.Errorf("argmax = %d, want 1", i)
	}
}
