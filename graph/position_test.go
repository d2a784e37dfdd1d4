package graph_test

import (
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
)

// A package that is hidden later does not take away the lines that are known.
func TestHidePackage(t *testing.T) {
	g, x := newInput(t)
	build := func() *graph.Node {
		out := reflect.ValueOf(g.Apply).Call([]reflect.Value{reflect.ValueOf(neg), reflect.ValueOf(nextAttr()), reflect.ValueOf(x)})
		return out[0].Interface().(*graph.Node)
	}
	before := build()
	if file, _ := before.Pos().FileLine(); !strings.HasPrefix(filepath.ToSlash(file), filepath.ToSlash(runtime.GOROOT())) && !strings.Contains(file, "reflect") {
		t.Errorf("called by package reflect, a node is from %v", before.Pos().Full())
	}
	text := before.Pos().String()
	graph.HidePackage("reflect")
	if after := build(); !strings.HasPrefix(after.Pos().String(), "position_test.go:") {
		t.Errorf("after hiding package reflect, a node is from %v", after.Pos().Full())
	}
	if before.Pos().String() != text {
		t.Errorf("the position %s became %v", text, before.Pos())
	}
}

var attrs int

// nextAttr makes equal expressions differ.
func nextAttr() int { attrs++; return attrs }

// here returns the caller's line as positions print it.
func here() string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", filepath.Base(file), line)
}
