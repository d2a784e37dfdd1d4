package peak

import (
	"testing"

	"github.com/tapir-ml/tapir/internal/kernel"
)

func TestMeterKeepsTheHighest(t *testing.T) {
	t.Run("float32", keepsTheHighest[float32])
	t.Run("float64", keepsTheHighest[float64])
}

func keepsTheHighest[T kernel.Float](t *testing.T) {
	for _, threads := range []int{1, 2} {
		m := New[T](threads)
		last := 0.0
		for range 3 {
			m.Sample()
			if m.GFLOPS() < last || m.GFLOPS() <= 0 {
				t.Errorf("%d threads: %v GFLOP/s after %v", threads, m.GFLOPS(), last)
			}
			last = m.GFLOPS()
		}
	}
}

func TestProductStandsIn(t *testing.T) {
	newProduct[float32]().Do(0)
	newProduct[float64]().Do(0)
}
