package data

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"
	"github.com/tapir-ml/tapir/graph"
)

// MNIST reads the four files of MNIST from a folder: 60,000 images to train with and 10,000 to test with. X: (images, 784), of
// dtype Float32 or Float64: the 28×28 pixels of an image row by row, from 0 (paper) to 255 (ink), unscaled. Y: (images), the
// digit. Sets that come in files of the same names, such as Fashion-MNIST, are read as well.
//
// The files are called train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, or
// the same with a dot for the last but one dash; each may be compressed by gzip and end with .gz. MNIST fails, and names them, if
// some are missing; IDXSet reads two of them alone. nn/data/download fetches them.
func MNIST(dir string, dtype graph.DType) (train, test *Set, err error) {
	var paths [len(mnistFiles)]string
	var missing []string
	for i, name := range mnistFiles {
		if paths[i], err = findFile(dir, name); err != nil {
			return nil, nil, err
		}
		if paths[i] == "" {
			missing = append(missing, name+".gz")
		}
	}
	if missing != nil {
		return nil, nil, graph.Errorf(fs.ErrNotExist, "%s lacks %s; download.MNIST(ctx, %q, download.Source{}) of nn/data/download fetches what is missing, or copy it there, compressed or not",
			dir, strings.Join(missing, ", "), dir)
	}
	if train, err = IDXSet(paths[0], paths[1], dtype); err != nil {
		return nil, nil, err
	}
	if test, err = IDXSet(paths[2], paths[3], dtype); err != nil {
		return nil, nil, err
	}
	train.Classes = max(train.Classes, test.Classes)
	test.Classes = train.Classes
	return train, test, nil
}

// mnistFiles are the images and the labels to train with, and those to test with.
var mnistFiles = [...]string{"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}

// findFile finds a file by one of the names it goes by, or returns "".
func findFile(dir, name string) (string, error) {
	dotted := strings.Replace(name, "-idx", ".idx", 1)
	for _, name := range []string{name, name + ".gz", dotted, dotted + ".gz"} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", nil
}
