//go:build !noasm

package kernel

// Every arm64 processor that Go runs on has NEON with fused multiply-add.
const (
	hasAssembly  = true
	assemblyName = "neon"
	hasWide      = false
	wideName     = "none"
)
