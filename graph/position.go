package graph

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// Position is a line of the user's program: the first frame outside the packages that build expressions for others. It holds
// one program counter and is resolved only when printed.
type Position struct {
	pc       uintptr
	gradient uintptr // of a gradient's node: the position of the forward node it belongs to
}

// library lists the packages whose frames are not the user's line. Tests inside them count as users.
var library = struct {
	sync.RWMutex
	packages map[string]bool
	outside  map[uintptr]bool // program counters seen, and whether their frame is a user's
}{
	packages: map[string]bool{
		"github.com/tapir-ml/tapir/graph":              true,
		"github.com/tapir-ml/tapir/ops":                true,
		"github.com/tapir-ml/tapir/autodiff":           true,
		"github.com/tapir-ml/tapir/autodiff/gradcheck": true,
		"github.com/tapir-ml/tapir/autodiff/jacobian":  true,
		"github.com/tapir-ml/tapir/losses":             true,
		"github.com/tapir-ml/tapir/nn":                 true,
		"github.com/tapir-ml/tapir/nn/initializers":    true,
		"github.com/tapir-ml/tapir/nn/optim":           true,
		"github.com/tapir-ml/tapir/nn/train":           true,
		"github.com/tapir-ml/tapir/vm":                 true,
		"github.com/tapir-ml/tapir/vm/reference":       true,
		"runtime":                                      true,
	},
	outside: map[uintptr]bool{},
}

// HidePackage declares that errors shall name the line of the callers of the package with this import path, not its own: what
// a library of layers wants.
func HidePackage(importPath string) {
	library.Lock()
	defer library.Unlock()
	slash := strings.LastIndexByte(importPath, '/') + 1
	// Names of functions have the dots of the last element escaped: gopkg.in/layers%2ev2.New.
	library.packages[importPath[:slash]+strings.ReplaceAll(importPath[slash:], ".", "%2e")] = true
	clear(library.outside)
}

// callerPosition returns the position of the user's line on the current stack.
func callerPosition() Position {
	var pcs [48]uintptr
	n := runtime.Callers(2, pcs[:])
	library.RLock()
	for _, pc := range pcs[:n] {
		outside, known := library.outside[pc]
		if !known {
			library.RUnlock()
			outside = isUsers(frameAt(pc))
			library.Lock()
			library.outside[pc] = outside
			library.Unlock()
			library.RLock()
		}
		if outside {
			library.RUnlock()
			return Position{pc: pc}
		}
	}
	library.RUnlock()
	return Position{}
}

// frameAt returns the frame of a program counter of runtime.Callers, which lists inlined calls one by one.
func frameAt(pc uintptr) runtime.Frame {
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	return frame
}

// isUsers reports whether the frame belongs to no listed package.
func isUsers(frame runtime.Frame) bool {
	library.RLock()
	defer library.RUnlock()
	return frame.Function != "" && (!library.packages[packageOf(frame.Function)] || strings.HasSuffix(frame.File, "_test.go"))
}

// packageOf cuts "example.com/a/b.(*T).Method" to "example.com/a/b".
func packageOf(function string) string {
	slash := strings.LastIndexByte(function, '/') + 1
	if dot := strings.IndexByte(function[slash:], '.'); dot >= 0 {
		return function[:slash+dot]
	}
	return function
}

// IsKnown reports whether a user's line was found.
func (p Position) IsKnown() bool { return p.pc != 0 }

// Forward returns, for a node built by a gradient rule, the line of the forward node whose gradient it is; else an unknown position.
func (p Position) Forward() Position { return Position{pc: p.gradient} }

// FileLine returns the full path and the line; an unknown position has an empty path.
func (p Position) FileLine() (file string, line int) {
	if p.pc == 0 {
		return "", 0
	}
	f := frameAt(p.pc)
	return f.File, f.Line
}

// String returns "model.go:42", for a gradient's node "train.go:7 (gradient of model.go:42)".
func (p Position) String() string {
	if !p.IsKnown() {
		return "?"
	}
	return p.format(filepath.Base)
}

// Full is String with full paths.
func (p Position) Full() string { return p.format(func(path string) string { return path }) }

func (p Position) format(path func(string) string) string {
	file, line := p.FileLine()
	s := fmt.Sprintf("%s:%d", path(file), line)
	if p.gradient != 0 {
		file, line = Position{pc: p.gradient}.FileLine()
		s += fmt.Sprintf(" (gradient of %s:%d)", path(file), line)
	}
	return s
}
