//go:build amd64 && !noasm

package kernel

import "time"

// peak32 and peak64 measure the multiply-add ceiling of one core in GFLOP/s.
func peak32() float64 {
	if wide {
		return measurePeak(peakAVX512F32, 16)
	}
	return measurePeak(peakAVX2F32, 8)
}

func peak64() float64 {
	if wide {
		return measurePeak(peakAVX512F64, 8)
	}
	return measurePeak(peakAVX2F64, 4)
}

func measurePeak(f func(rounds int), lanes float64) float64 {
	const rounds = 10000
	start := time.Now()
	f(rounds)
	return rounds * 12 * 2 * lanes / float64(time.Since(start))
}
