package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// As Python, the test binary plays PyTorch: it takes half a second an epoch.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && filepath.Base(os.Args[1]) == "mnist.py" {
		fmt.Println("torch of nobody")
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			fmt.Println(0.5, 0.25)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestTable(t *testing.T) {
	var out strings.Builder
	if err := run([]string{"-rounds", "2", "-batch", "500", "-python", os.Args[0]}, &out); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`(?m)^10000 images of 784 pixels, 784-128-10, batches of 500, \d+ threads, 2 epochs$`, `(?m)^tapir +\d+ +\d+ +\d\.\d{4} +1\.00×$`} {
		if !regexp.MustCompile(line).MatchString(out.String()) {
			t.Errorf("no %s in\n%s", line, &out)
		}
	}
	peers := regexp.MustCompile(`(?m)^torch of nobody(| SkylakeX| foreach| foreach SkylakeX) +20000 +20000 +0\.2500 +\d+\.\d\d×$`).FindAllString(out.String(), -1)
	if len(peers) != 4 {
		t.Errorf("%d peers in\n%s", len(peers), &out)
	}
}

func TestWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-batch", "0"}, "-h says more"},
		{[]string{"-images", "x"}, "go together"},
		{[]string{"-images", "x", "-labels", "y"}, "x"},
		{[]string{"-rounds", "1", "-python", "/bin/true"}, "cannot import torch"},
	} {
		if err := run(c.args, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.args, err, c.want)
		}
	}
}
