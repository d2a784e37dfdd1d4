//go:build !noasm

package kernel

import "golang.org/x/sys/cpu"

var (
	// The amd64 kernels use 256-bit registers, fused multiply-add and the integer half of AVX2.
	hasAssembly = cpu.X86.HasAVX2 && cpu.X86.HasFMA

	// Those with 512-bit registers and mask registers ask for what every AVX-512 server processor has.
	hasWide = hasAssembly && cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasBMI2
)

const (
	assemblyName = "avx2"
	wideName     = "avx512"
)
