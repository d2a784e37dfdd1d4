//go:build amd64 && !noasm

package kernel

import (
	"slices"
	"testing"
	"unsafe"
)

// TestLayout holds the assembly's idea of a Gemm against the compiler's.
func TestLayout(t *testing.T) {
	if got := layoutOf[float32](); !slices.Equal(got, gemmLayouts[0]) {
		t.Errorf("float32: the assembly has %v, the compiler %v: regenerate", gemmLayouts[0], got)
	}
	if got := layoutOf[float64](); !slices.Equal(got, gemmLayouts[1]) {
		t.Errorf("float64: the assembly has %v, the compiler %v: regenerate", gemmLayouts[1], got)
	}
}

func layoutOf[T Float]() []uintptr {
	var g Gemm[T]
	e := unsafe.Offsetof(g.Epilogue)
	return []uintptr{
		unsafe.Offsetof(g.M), unsafe.Offsetof(g.N), unsafe.Offsetof(g.K),
		unsafe.Offsetof(g.A), unsafe.Offsetof(g.ARow), unsafe.Offsetof(g.ACol),
		unsafe.Offsetof(g.B), unsafe.Offsetof(g.BRow), unsafe.Offsetof(g.BCol),
		unsafe.Offsetof(g.C), unsafe.Offsetof(g.CRow), unsafe.Offsetof(g.Accumulate), unsafe.Offsetof(g.transposed),
		unsafe.Offsetof(g.ahead), unsafe.Offsetof(g.aheadRow),
		e + unsafe.Offsetof(g.Epilogue.Bias), e + unsafe.Offsetof(g.Epilogue.Act), e + unsafe.Offsetof(g.Epilogue.Deriv),
		e + unsafe.Offsetof(g.Epilogue.Alpha), e + unsafe.Offsetof(g.Epilogue.Saved), e + unsafe.Offsetof(g.Epilogue.SavedRow),
	}
}
