//go:build !noasm

package kernel

import "golang.org/x/sys/cpu"

// The amd64 kernels use 256-bit registers, fused multiply-add and the integer half of AVX2. AVX-512 is not used yet.
var hasAssembly = cpu.X86.HasAVX2 && cpu.X86.HasFMA

const assemblyName = "avx2"
