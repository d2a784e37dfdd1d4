package race

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/tapir-ml/tapir/bench/internal/native"
	"github.com/tapir-ml/tapir/bench/internal/peak"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// Machine describes what a table was measured on and with.
func Machine() string {
	model := runtime.GOARCH
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	s := fmt.Sprintf("%s, %d core(s), %s, %s kernels", model, runtime.NumCPU(), runtime.Version(), kernel.Set())
	if v := native.Versions(); v != "" {
		s += "; " + v
	}
	if !peak.HasLoop() {
		s += "; the multiply-add ceiling is estimated by a packed product in cache"
	}
	return s
}
