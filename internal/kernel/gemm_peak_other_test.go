//go:build !amd64 || noasm

package kernel

func peak32() float64 { return 0 }
func peak64() float64 { return 0 }
