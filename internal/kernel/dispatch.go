package kernel

import "os"

// accelerated says whether the assembly kernels are in use: if the processor has what they need (see cpu_amd64.go and
// cpu_arm64.go), and neither the build tag noasm nor TAPIR_KERNEL=portable in the environment asks for the portable set. It
// is fixed at start-up; only tests change it.
var accelerated = hasAssembly && os.Getenv("TAPIR_KERNEL") != "portable"

// Set names the kernels in use: "avx2", "neon" or "portable".
func Set() string {
	if accelerated {
		return assemblyName
	}
	return "portable"
}
