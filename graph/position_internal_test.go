package graph

import "testing"

func TestPackageOf(t *testing.T) {
	for function, want := range map[string]string{
		"main.main":                         "main",
		"example.com/a/b.F":                 "example.com/a/b",
		"example.com/a/b.(*T).Method":       "example.com/a/b",
		"example.com/a/b.(*T[...]).Method":  "example.com/a/b",
		"example.com/a/b.F.func1.2":         "example.com/a/b",
		"example.com/a/b.glob..func1":       "example.com/a/b",
		"gopkg.in/layers%2ev2.(*T).Forward": "gopkg.in/layers%2ev2", // the compiler's way to write gopkg.in/layers.v2
	} {
		if got := packageOf(function); got != want {
			t.Errorf("%s is in %s, want %s", function, got, want)
		}
	}
	HidePackage("gopkg.in/layers.v2")
	if !library.packages[packageOf("gopkg.in/layers%2ev2.(*T).Forward")] {
		t.Error("a package with a dot in its last element cannot be hidden")
	}
}
